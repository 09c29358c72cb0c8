"""Short sales against the text of Rule 201: trigger, duration, price test."""

from __future__ import annotations

import datetime as dt

import pytest
from market_rules_cases import at, golden, session

from karat.core import InputError
from karat.market import Listing, RulesEngine, check_ssr_trigger


def short(engine: RulesEngine, ts: int, price: int, bid: int, ask: int, **facts: bool) -> str:
    """Names of the verdicts on sending and on executing a short sale: one word where they agree."""
    sent = engine.order(ts, -1, price, short=True, exempt=facts.get("exempt", False), bid=bid, ask=ask)
    done = engine.execution(ts, -1, price, short=True, bid=bid, ask=ask, **facts)
    return sent.reason.name if sent == done else f"{sent.reason.name}, {done.reason.name}"


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
