"""Tables of the rules: immutable, dated, with a source; and what is no listing, price or time."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from market_rules_cases import at, session

from karat.core import InputError
from karat.data import MARKET_RULES, VENUE_FILTERS, MarketRules
from karat.kernels.market import _rules
from karat.kernels.market import _rules_layout as words
from karat.market import REASONS, Listing, RulesEngine, check_luld_bands, check_ssr_trigger
from karat.market._rulebook import breaker_words, rule_schedule


@pytest.mark.req("SIM-18")
def test_tables_cannot_be_changed() -> None:
    rule, bands = MARKET_RULES.short_sale[0], MARKET_RULES.price_bands[0]
    for thing, name in (
        (rule, "trigger_bps"),
        (bands, "hold_s"),
        (MARKET_RULES, "short_sale"),
        (VENUE_FILTERS[0], "bid_up"),
    ):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, name, 5)
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
            thing.something_new = 5  # type: ignore[union-attr]
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(thing, name)
    for sequence in (MARKET_RULES.price_bands, bands.tier_bps, bands.double_last, VENUE_FILTERS):
        with pytest.raises(TypeError):
            sequence[0] = 5  # type: ignore[index]
    with pytest.raises(TypeError):
        REASONS[0] = REASONS[110]  # type: ignore[index]
    hash(MARKET_RULES)  # immutable all the way down: a list or a dict inside could not be hashed


@pytest.mark.req("SIM-18")
def test_rows_are_found_by_date_and_state_their_source() -> None:
    assert MARKET_RULES.at("price_bands", "2014-02-23") is None
    assert MARKET_RULES.at("price_bands", "2019-04-10") is MARKET_RULES.price_bands[0]
    assert MARKET_RULES.at("price_bands", dt.date(2019, 4, 11)) is MARKET_RULES.price_bands[1]
    assert MARKET_RULES.daily_limit("CN STAR", "2019-07-21") is None
    for table in (MARKET_RULES.short_sale, MARKET_RULES.price_bands, MARKET_RULES.circuit_breakers, MARKET_RULES.ticks):
        assert all(row.source for row in table)
    with pytest.raises(
        InputError, match="table: got 'short_sales'; allowed: short_sale, .*; did you mean 'short_sale'"
    ):
        MARKET_RULES.at("short_sales", "2020-01-01")
    with pytest.raises(
        InputError, match="daily_limit: got 'CN man'; allowed: CN STAR, CN main; did you mean 'CN main'"
    ):
        MARKET_RULES.daily_limit("CN man", "2020-01-01")
    with pytest.raises(InputError, match=r"rules.short_sale: got .*; allowed: rows in ascending order"):
        MarketRules(short_sale=MARKET_RULES.short_sale * 2)


@pytest.mark.req("SIM-18")
def test_own_tables_change_the_engine() -> None:
    strict = dataclasses.replace(MARKET_RULES.short_sale[0], trigger_bps=500)
    engine = RulesEngine(rules=MarketRules(short_sale=(strict,)))
    assert session(engine, 2000) == ("short_sale",)
    engine.trade(at("10:00"), 1900)
    assert engine.short_restricted(at("10:00"))


def test_the_schedule_has_a_row_for_each_change_and_the_engine_follows_it() -> None:
    schedule = rule_schedule(Listing())
    assert int(schedule[0]) == (len(schedule) - 1) // words.ROW
    since = schedule[1 :: words.ROW][: int(schedule[0])]
    assert (np.diff(since) > 0).all()
    engine = RulesEngine(Listing(tier=1))
    assert session(engine, 10_000, year=2016) == ("short_sale", "price_bands", "ticks", "circuit_breakers")
    assert int(engine._block[words.DOUBLE_FIRST]) == 7
    session(engine, 10_000, year=2024)
    assert int(engine._block[words.DOUBLE_FIRST]) == 0
    assert len(breaker_words()) == words.BREAKER_WORDS
    assert words.RULES_WORDS == words.rules_words() == words.RING + 3 * 1024


def test_words_do_not_overlap() -> None:
    own = {name: value for name, value in vars(words).items() if isinstance(value, int) and name.isupper()}
    names = list(own)
    record = [own[name] for name in names[names.index("SINCE") : names.index("RING") + 1] if name != "ROW"]
    assert record == list(range(words.RING + 1))
    codes = [value for name, value in own.items() if name.startswith("R_")]
    assert len(set(codes)) == len(codes)
    assert set(codes) | {0} == set(REASONS)
    assert all(100 <= code <= 199 for code in codes)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: e.trade(at("9:00"), 100), "ts: got '2024-06-03T13:00:00"),
        (lambda e: e.trade(at("11:00"), 0), "trade.price: got 0; allowed: a positive number of ticks"),
        (lambda e: e.status(at("11:00"), 7), "status: got 7; allowed: 0 to 6"),
        (lambda e: e.order(at("11:00"), 0, 100), r"side: got 0; allowed: \+1 buy, -1 sell"),
        (lambda e: e.start(at("9:30", 1), at("9:30", 1), 100), "session.close_ns: got .*; allowed: after the open"),
        (
            lambda e: e.start(at("9:30", -1), at("16:00", -1), 100),
            "session.open_ns: got .*; allowed: sessions in order",
        ),
        (lambda e: e.replay([{"kind": "trades"}]), "event.kind: got 'trades'; allowed: .*; did you mean 'trade'"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(call: Any, message: str) -> None:
    engine = RulesEngine()
    session(engine, 10_000)
    engine.trade(at("10:00"), 10_000)
    before = engine.snapshot()
    with pytest.raises(InputError, match=message):
        call(engine)
    assert engine.snapshot() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tier": 3}, "listing.tier: got 3; allowed: 1, 2, or None"),
        ({"leverage": Decimal(2)}, "listing.leverage"),
        ({"quantum": Decimal(0)}, "listing.quantum: got Decimal"),
        ({"rounding": "nearest"}, "listing.rounding: got 'nearest'; allowed: half_up, outward"),
        ({"ring": 4}, "listing.ring: got 4; allowed: 8 or more"),
    ],
)
def test_a_wrong_listing_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Listing(**change)


def test_a_quantum_that_does_not_divide_a_cent_is_refused() -> None:
    with pytest.raises(InputError, match=r"listing.quantum: got .*; allowed: a whole number of 0.03"):
        RulesEngine(Listing(quantum=Decimal("0.03")))
    assert _rules.rules_next(RulesEngine()._r) == words.FAR


@pytest.mark.parametrize("price", ["abc", 0, -1.0, float("nan"), float("inf")])
def test_a_price_that_is_none_is_refused(price: Any) -> None:
    with pytest.raises(InputError, match=r"price: got .*; allowed: a positive number"):
        check_ssr_trigger(price, 10)


@pytest.mark.parametrize("seconds", [0, 23_401])
def test_a_time_outside_the_session_is_refused(seconds: int) -> None:
    with pytest.raises(InputError, match="until_close_s: got .*; allowed: 1 to 23400"):
        check_luld_bands(100, 100, until_close_s=seconds)
    with pytest.raises(InputError, match="date: got '2014-02-23'; the bands are not covered; allowed: 2014-02-24"):
        check_luld_bands(100, 100, date=dt.date(2014, 2, 23))
