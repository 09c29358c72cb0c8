"""Market-wide halts, statuses and daily limits against the texts' own cases."""

from __future__ import annotations

import pytest
from market_rules_cases import S, at, golden, session

from karat.market import Listing, RulesEngine


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
