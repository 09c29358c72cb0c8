"""Rules of the market against the texts' own cases: short sales, bands, states, market-wide halts, filters, tables."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from karat.core import InputError
from karat.data import MARKET_RULES, VENUE_FILTERS, MarketRules, VenueFilters
from karat.kernels.market import _filters, _rules
from karat.kernels.market import _rules_layout as words
from karat.market import REASONS, Listing, RulesEngine, check_filters, check_luld_bands, check_ssr_trigger
from karat.market._rulebook import breaker_words, filter_words, rule_schedule

GOLDEN = Path(__file__).parents[1] / "golden" / "market_rules"
S = 10**9
MIDNIGHT = {2016: 1_464_926_400, 2024: 1_717_387_200}
"""Midnight in New York of 2016-06-03 and 2024-06-03 (a Monday), in s UTC."""


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text())


def at(text: str, day: int = 0, year: int = 2024) -> int:
    hours, minutes, seconds = (*text.split(":"), "0")[:3]
    second = Fraction(seconds) + 60 * int(minutes) + 3600 * int(hours) + 86_400 * day
    return int((MIDNIGHT[year] + second) * S)


def session(engine: RulesEngine, prior: int, day: int = 0, close: str = "16:00", year: int = 2024) -> tuple[str, ...]:
    return engine.start(at("9:30", day, year), at(close, day, year), prior, index_prior=268_166)


def short(engine: RulesEngine, ts: int, price: int, bid: int, ask: int, **facts: bool) -> str:
    """Names of the verdicts on sending and on executing a short sale: one word where they agree."""
    sent = engine.order(ts, -1, price, short=True, exempt=facts.get("exempt", False), bid=bid, ask=ask)
    done = engine.execution(ts, -1, price, short=True, bid=bid, ask=ask, **facts)
    return sent.reason.name if sent == done else f"{sent.reason.name}, {done.reason.name}"


# Short sales


@pytest.mark.req("SIM-16")
def test_the_trigger_is_ten_per_cent_or_more() -> None:
    case = golden("ssr")["cases"][0]
    assert check_ssr_trigger(case["trade"], case["prior_close"]) is case["trigger"]
    assert not check_ssr_trigger("90.01", "100.00")  # 9.99 %
    assert check_ssr_trigger("90.00", "100.00")  # 10.00 %
    assert check_ssr_trigger("20.97", "23.30")  # in floats 23.30 x 0.9 is below 20.97
    assert not check_ssr_trigger("20.9701", "23.30")


@pytest.mark.req("SIM-16")
def test_every_cent_around_the_trigger_is_exact() -> None:
    for prior in range(100, 4000, 7):
        line = prior * 9 // 10
        for price in (line - 1, line, line + 1):
            engine = RulesEngine(Listing(ring=8, tier=None))
            session(engine, prior)
            engine.trade(at("10:00"), price)
            assert engine.short_restricted(at("10:00")) == (10 * price <= 9 * prior)


@pytest.mark.req("SIM-16")
def test_a_trigger_needs_a_regular_trade() -> None:
    engine = RulesEngine()
    session(engine, 2000)
    engine.trade(at("9:29:59.999999999"), 1700)
    engine.quote(at("10:00"), 1750, 1760)
    assert not engine.short_restricted(at("10:00"))
    engine.trade(at("16:00"), 1800)
    assert engine.short_restricted(at("16:00"))
    after = RulesEngine()
    session(after, 2000)
    after.trade(at("16:00:00.000000001"), 1700)
    assert not after.short_restricted(at("17:00"))


@pytest.mark.req("SIM-16")
def test_it_holds_for_the_rest_of_the_day_and_all_of_the_next_one() -> None:
    engine = RulesEngine()
    session(engine, 2000)
    engine.trade(at("10:59"), 1801)
    assert not engine.short_restricted(at("10:59"))
    engine.trade(at("11:00"), 1800)
    for hour in ("11:00", "15:59", "19:59"):
        assert engine.short_restricted(at(hour))
    assert engine.short_restricted(at("4:00", 1))
    session(engine, 1790, day=1)
    engine.trade(at("9:30", 1), 1790)
    for hour in ("9:30", "15:59", "19:59", "23:59:59"):
        assert engine.short_restricted(at(hour, 1))
    assert not engine.short_restricted(at("4:00", 2))
    session(engine, 1795, day=2)
    assert not engine.short_restricted(at("9:30", 2))


@pytest.mark.req("SIM-16")
def test_a_new_trigger_on_the_next_day_extends_it() -> None:
    engine = RulesEngine()
    session(engine, 2000)
    engine.trade(at("11:00"), 1800)
    session(engine, 1800, day=1)
    engine.trade(at("12:00", 1), 1620)
    session(engine, 1620, day=2)
    assert engine.short_restricted(at("19:59", 2))
    session(engine, 1620, day=3)
    assert not engine.short_restricted(at("9:30", 3))


@pytest.mark.req("SIM-16")
def test_a_second_start_of_the_same_session_changes_nothing() -> None:
    engine = RulesEngine()
    session(engine, 2000)
    engine.trade(at("11:00"), 1800)
    before = engine.snapshot()
    session(engine, 2000)
    assert engine.snapshot() == before


@pytest.mark.req("SIM-16")
def test_short_sales_must_be_above_the_bid() -> None:
    engine = RulesEngine(Listing(tier=None))
    session(engine, 2000)
    engine.trade(at("11:00"), 1800)
    now = at("11:01")
    assert short(engine, now, 1800, 1800, 1802) == "short_at_bid"
    assert short(engine, now, 1799, 1800, 1802) == "short_at_bid"
    assert short(engine, now, 1801, 1800, 1802) == "ok"
    assert short(engine, now, 1800, 1800, 1802, exempt=True) == "ok"
    assert short(engine, now, 1800, 1800, 1799) == "ok"  # crossed market
    assert short(engine, now, 1800, 1800, 1800) == "short_at_bid"  # locked, not crossed
    case = golden("ssr")["cases"][4]
    bid, price = round(case["nbb_later"] * 100), round(case["execute_at"] * 100)
    assert engine.execution(now, -1, price, short=True, displayed_above=True, bid=bid, ask=1805).allowed
    assert not engine.execution(now, -1, price, short=True, bid=bid, ask=1805).allowed
    assert engine.order(now, -1, 1800, bid=1800, ask=1802).allowed  # a long sale
    assert engine.order(now, 1, 1802, bid=1800, ask=1802).allowed
    assert engine.order(now, -1, None, short=True, bid=1800, ask=1802).allowed  # held to the rule when it executes


@pytest.mark.req("SIM-16", "SIM-18")
def test_before_the_rule_there_is_none() -> None:
    with pytest.raises(InputError, match="date: got '2009-03-09'; Rule 201 is not in force; allowed: 2011-02-28"):
        check_ssr_trigger(5, 10, date=dt.date(2009, 3, 9))
    assert check_ssr_trigger(5, 10, date=dt.date(2011, 2, 28))


# Price bands


@pytest.mark.req("SIM-17")
@pytest.mark.parametrize("case", golden("luld_bands")["cases"])
def test_bands_are_those_of_the_plan(case: dict[str, Any]) -> None:
    found = check_luld_bands(
        case["reference_price"],
        case["reference_price"],
        tier=case["tier"],
        prior_close=case["prev_close_primary"],
        until_close_s=1500 if case["last_25_min"] else 3600,
    )
    assert (float(found.lower), float(found.upper)) == (case["lower"], case["upper"])
    assert found.inside


@pytest.mark.req("SIM-17")
def test_five_and_ten_per_cent_to_the_cent() -> None:
    for price, inside in (("94.99", False), ("95.00", True), ("105.00", True), ("105.01", False)):
        assert check_luld_bands(price, "100").inside is inside
        assert check_luld_bands(price, "100", until_close_s=1501).inside is inside
    for price, inside in (("89.99", False), ("90.00", True), ("110.00", True), ("110.01", False)):
        assert check_luld_bands(price, "100", until_close_s=1500).inside is inside


@pytest.mark.req("SIM-17")
@pytest.mark.parametrize(
    ("year", "tier", "prior", "first", "middle", "last"),
    [
        (2016, 1, 10_000, 1000, 500, 1000),
        (2016, 2, 10_000, 2000, 1000, 2000),
        (2016, 2, 300, 4000, 2000, 4000),
        (2024, 1, 10_000, 500, 500, 1000),
        (2024, 1, 300, 2000, 2000, 4000),
        (2024, 2, 10_000, 1000, 1000, 1000),
        (2024, 2, 301, 1000, 1000, 1000),
        (2024, 2, 300, 2000, 2000, 4000),
    ],
)
def test_doubling_only_where_it_applies(year: int, tier: int, prior: int, first: int, middle: int, last: int) -> None:
    for close in ("16:00", "13:00"):
        engine = RulesEngine(Listing(tier=tier))
        session(engine, prior, close=close, year=year)
        engine.trade(at("9:30", year=year), 10_000)
        seen = []
        hour = 15 if close == "16:00" else 12
        for text in ("9:44:59", "9:45:00", f"{hour}:34:59", f"{hour}:35:00", f"{hour}:59:59"):
            engine.trade(at(text, year=year), 10_000)
            engine.clock(at(text, year=year))
            assert engine.bands is not None
            seen.append(10_000 - engine.bands[0])
        assert seen == [first, middle, middle, last, last]


@pytest.mark.req("SIM-17")
def test_cheap_stocks_have_the_smaller_of_fifteen_cents_and_75_per_cent() -> None:
    for reference, last, lower, upper in (("0.10", False, "0.03", "0.18"), ("0.50", False, "0.35", "0.65")):
        found = check_luld_bands(reference, reference, prior_close="0.74", until_close_s=1500 if last else 3600)
        assert (str(found.lower), str(found.upper)) == (lower, upper)
    found = check_luld_bands("0.50", "0.50", prior_close="0.74", until_close_s=1500)
    assert (found.lower, found.upper) == (Decimal("0.20"), Decimal("0.80"))
    found = check_luld_bands("0.10", "0.10", prior_close="0.74", until_close_s=1500)
    assert (found.lower, found.upper) == (Decimal("0.00"), Decimal("0.25"))


@pytest.mark.req("SIM-17")
def test_leverage_multiplies_and_rounding_is_a_choice() -> None:
    engine = RulesEngine(Listing(tier=2, leverage=Decimal(3)))
    session(engine, 10_000)
    engine.trade(at("9:30"), 10_000)
    assert engine.bands == (7_000, 13_000)
    half, out = (
        check_luld_bands("37.415", "37.415", tier=2, prior_close=50, rounding=r) for r in ("half_up", "outward")
    )
    assert (str(half.lower), str(half.upper)) == ("33.670", "41.160")
    assert (str(out.lower), str(out.upper)) == ("33.670", "41.160")
    half, out = (check_luld_bands("37.45", "37.45", tier=2, prior_close=50, rounding=r) for r in ("half_up", "outward"))
    assert (str(half.lower), str(half.upper)) == ("33.71", "41.20")  # 33.705 and 41.195, a half upwards
    assert (str(out.lower), str(out.upper)) == ("33.70", "41.20")


@pytest.mark.req("SIM-17")
def test_the_opening_sets_the_reference_price_and_one_per_cent_moves_it() -> None:
    case = golden("luld_reference_price")["scenarios"][0]
    engine = RulesEngine()
    session(engine, 5_000)
    engine.opening(at(case["open"]["t"]), round(case["open"]["px"] * 100))
    assert engine.reference_price == 5_000
    for (when, price), event in zip(case["trades"], case["events"][1:], strict=True):
        engine.trade(at(when), round(price * 100))
        mean = Fraction(int(engine._block[words.SUM]), int(engine._block[words.COUNT]))
        assert float(mean) == pytest.approx(event["pro_forma"] * 100, abs=1e-4)
        assert engine.reference_price == round(event["ref"] * 100)


@pytest.mark.req("SIM-17")
def test_one_per_cent_and_thirty_seconds() -> None:
    """The means of the golden scenario, each made by trades that replace the window."""
    case = golden("luld_reference_price")["scenarios"][1]
    engine = RulesEngine()
    session(engine, 10_000)
    engine.opening(at("9:34:59"), 10_000)  # leaves the window at 9:39:59
    engine.trade(at("9:59:30"), 11_000)
    assert engine.reference_price == 11_000
    engine.trade(at("10:00:00"), 9_000)
    assert engine.reference_price == 10_000
    total, count = 20_000, 2
    for (when, mean), extra in zip(case["proforma"], (10_360, 10_160, 10_105), strict=True):
        engine.trade(at(when), extra)
        total, count = total + extra, count + 1
        assert total == round(mean * 100 * count)
        assert engine.reference_price == (10_125 if when == case["ref_changes"][0]["t"] else 10_000)


@pytest.mark.req("SIM-17")
@pytest.mark.parametrize(
    ("price", "moves"), [(10_202, True), (10_200, True), (10_199, False), (9_800, True), (9_801, False)]
)
def test_one_per_cent_is_exact(price: int, moves: bool) -> None:
    engine = RulesEngine()
    session(engine, 10_000)
    engine.trade(at("9:30"), 10_000)
    engine.trade(at("9:30:30"), price)
    assert engine.reference_price == (Fraction(10_000 + price, 2) if moves else 10_000)


@pytest.mark.req("SIM-17")
def test_without_an_opening_trade_the_prior_close_counts_after_five_minutes() -> None:
    engine = RulesEngine(Listing(first_trade_opens=False))
    session(engine, 10_000)
    engine.clock(at("9:34:59.999999999"))
    assert engine.bands is None
    engine.clock(at("9:35"))
    assert engine.bands == (9_500, 10_500)
    engine = RulesEngine(Listing(first_trade_opens=False))
    session(engine, 10_000)
    engine.trade(at("9:31"), 10_100)
    engine.trade(at("9:32"), 10_200)
    assert engine.bands is None
    engine.clock(at("9:35"))
    assert engine.reference_price == 10_150


@pytest.mark.req("SIM-17")
def test_no_trades_keep_the_reference_price() -> None:
    engine = RulesEngine()
    session(engine, 10_000)
    engine.trade(at("9:30"), 10_000)
    engine.clock(at("12:00"))
    assert engine.reference_price == 10_000


@pytest.mark.req("SIM-17")
@pytest.mark.parametrize("case", golden("luld_states")["cases"][:3])
def test_states_are_those_of_the_plan(case: dict[str, Any]) -> None:
    engine = RulesEngine()
    session(engine, 10_000)
    engine.trade(at("9:30"), 10_000)
    assert engine.bands == (round(case["lower"] * 100), round(case["upper"] * 100))
    state = engine.quote(at("10:00"), round(case["nbb"] * 100), round(case["nbo"] * 100))
    assert state.upper() == case["state"]


@pytest.mark.req("SIM-17")
def test_the_upper_band_mirrors_the_lower_one_and_a_crossed_quote_is_no_limit_state() -> None:
    engine = RulesEngine()
    session(engine, 10_000)
    engine.trade(at("9:30"), 10_000)
    for bid, ask, state in (
        (10_500, 10_510, "limit"),
        (10_500, 10_500, "limit"),
        (10_490, 10_500, "normal"),
        (10_490, 10_501, "straddle"),
        (9_510, 9_500, "normal"),
        (None, 9_500, "limit"),
        (9_400, None, "straddle"),
    ):
        assert engine.quote(at("10:00"), bid, ask) == state, (bid, ask)


@pytest.mark.req("SIM-17")
def test_fifteen_seconds_in_a_limit_state_pause_trading_for_five_minutes() -> None:
    engine = RulesEngine()
    session(engine, 10_000)
    engine.trade(at("9:30"), 10_000)
    assert engine.quote(at("10:00"), 9_490, 9_500) == "limit"
    assert engine.execution(at("10:00:14"), 1, 9_500).allowed
    assert engine.clock(at("10:00:14.999999999")) == "limit"
    assert engine.clock(at("10:00:15")) == "pause"
    refused = engine.execution(at("10:05:14"), 1, 9_500)
    assert (refused.reason.name, refused.allowed) == ("band_pause", False)
    assert engine.order(at("10:05:14"), 1, 9_500).reason.name == "band_pause"
    assert engine.clock(at("10:05:15")) == "normal"
    engine.quote(at("10:05:16"), 9_300, 9_310)
    engine.opening(at("10:05:17"), 9_300)
    assert engine.bands == (8_835, 9_765)


@pytest.mark.req("SIM-17")
def test_orders_and_executions_outside_the_bands_are_refused() -> None:
    engine = RulesEngine()
    session(engine, 10_000)
    engine.trade(at("9:30"), 10_000)
    now = at("10:00")
    assert engine.order(now, 1, 10_501).reason.name == "above_upper_band"
    assert engine.order(now, -1, 9_499).reason.name == "below_lower_band"
    assert engine.order(now, -1, 10_501).allowed  # may be displayed, cannot execute
    assert engine.execution(now, -1, 10_501).reason.name == "above_upper_band"
    assert engine.execution(now, 1, 9_499).reason.name == "below_lower_band"
    assert engine.execution(now, 1, 9_500).allowed
    assert engine.execution(at("16:30"), 1, 9_000).allowed  # no bands after the close
    uncovered = RulesEngine()
    assert "price_bands" not in session(uncovered, 10_000, year=2016, day=-1000)


# Market-wide halts, statuses, limits


@pytest.mark.req("SIM-20")
def test_market_wide_halts() -> None:
    level = golden("mwcb")["levels"][0]
    prior, first, second = (round(level[name] * 100) for name in ("prior_close", "L1", "L2"))
    engine = RulesEngine()
    assert session(engine, 10_000)[-1] == "circuit_breakers"
    assert prior == 268_166
    assert engine.index(at("9:25"), 246_000) == 0
    assert engine.index(at("10:00"), first + 1) == 0
    assert engine.index(at("10:00:01"), first) == 1
    assert engine.execution(at("10:15:01"), 1, 10_000).reason.name == "breaker_level_1"
    assert engine.order(at("10:15:01") + 1, 1, 10_000).allowed
    assert engine.index(at("10:16"), first) == 0  # once a day
    assert engine.index(at("10:17"), second) == 2
    assert engine.order(at("10:18"), 1, 10_000).reason.name == "breaker_level_2"
    assert engine.index(at("15:59"), 214_532) == 3
    assert engine.order(at("15:59"), 1, 10_000).reason.name == "breaker_level_3"
    assert engine.execution(at("19:00"), 1, 10_000).reason.name == "breaker_level_3"
    session(engine, 10_000, day=1)
    assert engine.order(at("9:30", 1), 1, 10_000).allowed


@pytest.mark.parametrize(("close", "cutoff"), [("16:00", "15:25:00"), ("13:00", "12:25:00")])
def test_levels_one_and_two_end_at_the_cutoff(close: str, cutoff: str) -> None:
    late = RulesEngine()
    session(late, 10_000, close=close)
    assert late.index(at(cutoff), 248_053) == 0
    assert late.index(at(cutoff) + S, 214_532) == 3
    early = RulesEngine()
    session(early, 10_000, close=close)
    assert early.index(at(cutoff) - 1, 248_053) == 1


def test_a_market_wide_halt_starts_the_reference_price_anew() -> None:
    engine = RulesEngine()
    session(engine, 10_000)
    engine.trade(at("9:30"), 10_000)
    engine.quote(at("10:00"), 9_490, 9_500)
    engine.index(at("10:00:05"), 249_394)
    engine.trade(at("10:00:06"), 9_000)
    assert engine.clock(at("10:14:59")) == "pause"
    assert engine.clock(at("10:15:05")) == "normal"
    engine.trade(at("10:15:06"), 9_000)
    assert engine.bands == (8_550, 9_450)


def test_before_2013_the_breaker_is_not_covered() -> None:
    engine = RulesEngine()
    assert "circuit_breakers" not in session(engine, 10_000, year=2016, day=-1400)
    assert not engine.breaker_covered


@pytest.mark.parametrize(
    ("status", "order", "execution"),
    [
        (0, "ok", "closed"),
        (1, "ok", "pre_open"),
        (2, "ok", "ok"),
        (3, "ok", "ok"),
        (4, "halted", "halted"),
        (5, "paused", "paused"),
        (6, "cancel_only", "cancel_only"),
    ],
)
def test_statuses(status: int, order: str, execution: str) -> None:
    engine = RulesEngine()
    session(engine, 10_000)
    engine.status(at("10:00"), status)
    assert engine.order(at("10:00"), 1, 10_000).reason.name == order
    assert engine.execution(at("10:00"), 1, 10_000).reason.name == execution


def test_daily_limits() -> None:
    engine = RulesEngine(Listing(tier=None, short_sale=False, ticks=False, daily_limit="CN main"))
    assert session(engine, 1_005)[:1] == ("daily_limits",)
    for price, name in ((905, "ok"), (904, "below_daily_limit"), (1_106, "ok"), (1_107, "above_daily_limit")):
        assert engine.order(at("10:00"), 1, price).reason.name == name  # 904.5 and 1105.5 cents, a half upwards
        assert engine.execution(at("10:00"), 1, price).reason.name == name


# Filters


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


# Tables


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


# Bad input


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
