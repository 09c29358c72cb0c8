"""Order filters of a venue at their boundaries, against the venue's documentation."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal

import pytest
from market_rules_cases import golden

from karat.core import InputError
from karat.data import VENUE_FILTERS, VenueFilters
from karat.kernels.market import _filters
from karat.kernels.market import _rules_layout as words
from karat.market import REASONS, check_filters
from karat.market._rulebook import filter_words


def filtered(
    side: int, price: str | None, qty: str, average: str | None, filters: VenueFilters = VENUE_FILTERS[0]
) -> str:
    tick, lot = Decimal("0.0000001"), Decimal("0.0001")
    record = filter_words(filters, tick=tick, lot=lot)
    limit = 0 if price is None else int(Decimal(price) / tick)
    mean = words.NONE if average is None else int(Decimal(average) / tick)
    code = _filters.filters_order(
        int(record.ctypes.data), side, int(price is None), limit, int(Decimal(qty) / lot), mean
    )
    return REASONS[code].name


@pytest.mark.req("SIM-14")
def test_filters_of_the_documentation() -> None:
    blocks = golden("binance_filters")["filters"]
    table = VENUE_FILTERS[0]
    assert table.price_step == Decimal(blocks["PRICE_FILTER"]["tickSize"])
    assert table.qty_step == Decimal(blocks["LOT_SIZE"]["stepSize"])
    assert table.max_notional == Decimal(blocks["NOTIONAL"]["maxNotional"])
    assert table.ask_down == Decimal(blocks["PERCENT_PRICE_BY_SIDE"]["askMultiplierDown"])
    for case in golden("binance_filters")["cases"]:
        side = 1 if case["side"] == "BUY" else -1
        name = filtered(side, case["price"], case["qty"], case["avg"])
        assert (name == "ok") == case["ok"], case
        if "fail" in case:
            assert name in ("min_qty", "max_qty", "qty_step")


@pytest.mark.req("SIM-14")
@pytest.mark.parametrize(
    ("side", "price", "qty", "average", "name"),
    [
        (1, "0.000001", "100000", None, "min_notional"),
        (1, "0.0000009", "1", None, "min_price"),
        (1, "100000", "0.1", None, "ok"),
        (1, "100000.000001", "0.1", None, "max_price"),
        (1, "100.0000001", "1", None, "price_step"),
        (1, "100", "0.0009", None, "min_qty"),
        (1, "100000", "0.001", None, "ok"),
        (1, "0.5", "100000", None, "max_notional"),
        (1, "0.05", "100000", None, "ok"),
        (1, "0.05", "100000.001", None, "max_qty"),
        (1, "100", "1.0005", None, "qty_step"),
        (1, "99.999", "0.1", None, "min_notional"),
        (1, "100", "100", None, "ok"),
        (1, "100.000001", "100", None, "max_notional"),
        (1, "120", "1", "100", "ok"),
        (1, "120.000001", "1", "100", "percent_up"),
        (1, "20", "1", "100", "ok"),
        (1, "19.999999", "1", "100", "percent_down"),
        (-1, "500", "1", "100", "ok"),
        (-1, "500.000001", "1", "100", "percent_up"),
        (-1, "80", "1", "100", "ok"),
        (-1, "79.999999", "1", "100", "percent_down"),
        (1, None, "0.001", "100", "ok"),
        (1, None, "0.0005", "100", "min_qty"),
    ],
)
def test_every_filter_at_its_boundary(side: int, price: str | None, qty: str, average: str | None, name: str) -> None:
    assert filtered(side, price, qty, average) == name


@pytest.mark.req("SIM-14")
def test_the_public_check_gives_the_verdict_in_words() -> None:
    for case in golden("binance_filters")["cases"]:
        side = 1 if case["side"] == "BUY" else -1
        verdict = check_filters(VENUE_FILTERS[0], side, case["qty"], case["price"], average=case["avg"])
        assert verdict.allowed == case["ok"]
    assert check_filters(VENUE_FILTERS[0], 1, "0.001").allowed
    refused = check_filters(VENUE_FILTERS[0], -1, 1, 79.999999, average=100)
    assert refused.reason.text == "the price is too far below the venue's average price"
    with pytest.raises(InputError, match=r"side: got 3; allowed: \+1 buy, -1 sell"):
        check_filters(VENUE_FILTERS[0], 3, 1, 100)
    with pytest.raises(InputError, match="qty: got 0; allowed: a positive number"):
        check_filters(VENUE_FILTERS[0], 1, 0, 100)


@pytest.mark.req("SIM-14")
def test_notional_of_market_orders_only_where_flagged_and_none_is_off() -> None:
    flagged = dataclasses.replace(VENUE_FILTERS[0], min_notional_market=True, max_notional_market=True)
    assert filtered(1, None, "0.05", "100", flagged) == "min_notional"
    assert filtered(1, None, "101", "100", flagged) == "max_notional"
    assert filtered(1, None, "0.05", None, flagged) == "ok"  # no average price: not evaluable, not refused
    bare = VenueFilters(dt.date(2024, 1, 1), "none", venue="X", symbol="Y")
    assert filtered(1, "9000000", "9000000", "1", bare) == "ok"
    with pytest.raises(InputError, match=r"filters.min_price: got .*0.000001.*; allowed: a whole number of 0.01"):
        filter_words(VENUE_FILTERS[0], tick=Decimal("0.01"), lot=Decimal("0.001"))
    with pytest.raises(InputError, match="filters.min_qty: got 0.1; allowed: a positive Decimal, or None"):
        dataclasses.replace(bare, min_qty=0.1)
