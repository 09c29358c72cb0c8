"""The compiled rules against their plain oracle and the rules' texts. Numbers are the module's invariants."""

from __future__ import annotations

import random
import runpy
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from karat.data import MARKET_RULES
from karat.kernels.market import _rules_layout as words
from karat.market import Listing, RulesEngine

PLAIN = runpy.run_path(str(Path(__file__).parents[1] / "oracles" / "oracle_rules.py"))
S = 10**9
NIGHT = {2016: 1_464_926_400, 2024: 1_717_387_200}
"""Midnight in New York, in s UTC: 2016-06-03 and 2024-06-03."""


def ns(at: int | Fraction, year: int = 2024) -> int:
    return int((NIGHT[year] + at) * S)


def started(listing: Listing | None = None, prior: int = 10_000, year: int = 2024, day: int = 0) -> RulesEngine:
    engine = RulesEngine(listing or Listing())
    open_s = PLAIN["NINE_THIRTY"] + day * 86_400
    engine.start(ns(open_s, year), ns(open_s + 23_400, year), prior)
    return engine


def at(text: str, year: int = 2024) -> int:
    hours, minutes, seconds = text.split(":")
    return ns(Fraction(seconds) + 60 * int(minutes) + 3600 * int(hours), year)


def run_both(seed: int, year: int, tier: int, prior: int, ring: int) -> dict[str, int]:
    """Feed one violent day to engine and oracle; return counts of orders and executions by (oracle, engine)."""
    rng = random.Random(seed)
    engine = started(Listing(tier=tier, ring=ring), prior, year)
    plain = PLAIN["Day"](tier, Fraction(prior, 100), PLAIN["NINE_THIRTY"], PLAIN["NINE_THIRTY"] + 23_400, year)
    counts: dict[str, int] = {}
    for event in PLAIN["wild_day"](rng, 0, prior, 250, year):
        when, price = event["at"], event["price"]
        money, ts = Fraction(price, 100), ns(when, year)
        side, flags = event.get("side"), (event.get("short"), event.get("exempt"))
        if event["kind"] == "trade":
            plain.take_trade(Fraction(when), money)
            engine.trade(ts, price)
        elif event["kind"] in ("quote", "pin"):
            bid, ask = event.get("bid"), event.get("ask")
            if event["kind"] == "pin":
                plain.up_to(Fraction(when))
                low, high = (None, None) if plain.bands is None else (int(edge * 100) for edge in plain.bands)
                bid, ask = (None, low) if side > 0 else (high, None)
            plain.take_quote(Fraction(when), *(None if x is None else Fraction(x, 100) for x in (bid, ask)))
            engine.quote(ts, bid, ask)
        else:
            facts: dict[str, Any] = dict(zip(("short", "exempt"), flags, strict=True))
            if event["kind"] == "order":
                legal = plain.may_send(Fraction(when), side, *flags, money)
                verdict = engine.order(ts, side, price, **facts)
            else:
                legal = plain.may_execute(Fraction(when), side, *flags, event["above"], money)
                verdict = engine.execution(ts, side, price, displayed_above=event["above"], **facts)
            name = f"{'legal' if legal else 'illegal'} {'accepted' if verdict.allowed else 'refused'}"
            counts[name] = counts.get(name, 0) + 1
            if not legal:
                counts[verdict.reason.name] = counts.get(verdict.reason.name, 0) + 1
        plain.up_to(Fraction(when))
        bands = None if plain.bands is None else tuple(int(edge * 100) for edge in plain.bands)
        assert engine.bands == bands, (seed, event)
        assert engine.short_restricted(ts) == plain.restricted
    return counts


@pytest.mark.req("SIM-19", "SIM-20")
@pytest.mark.parametrize("year", [2016, 2024])
def test_1_2_every_answer_is_the_oracles_on_violent_days(year: int) -> None:
    """Legal and illegal orders come from a generator that knows nothing of the tables."""
    total: dict[str, int] = {}
    for seed in range(60):
        prior = (10_000, 250, 60, 301, 300, 75, 74, 40_000)[seed % 8]
        for name, count in run_both(seed, year, 1 + seed % 2, prior, 1024).items():
            total[name] = total.get(name, 0) + count
    assert total.get("illegal accepted", 0) == 0
    assert total["illegal refused"] > 400
    legal = total["legal accepted"] + total.get("legal refused", 0)
    assert total["legal accepted"] >= 0.95 * legal
    assert total.get("legal refused", 0) == 0
    reasons = {"short_at_bid", "above_upper_band", "below_lower_band", "band_pause"}
    assert all(total.get(reason, 0) > 10 for reason in reasons), total


def test_1_the_answer_does_not_depend_on_when_time_is_asked() -> None:
    for seed in range(10):
        events = PLAIN["wild_day"](random.Random(seed), 0, 10_000, 200, 2024)
        lazy, eager = started(), started()
        for event in events:
            ts = ns(event["at"])
            for t in range(max(eager._now, ns(34_200)), ts, 7 * S):
                eager.clock(t)
            for engine in (lazy, eager):
                if event["kind"] == "trade":
                    engine.trade(ts, event["price"])
                else:
                    engine.quote(ts, event.get("bid"), event.get("ask"))
            assert lazy.bands == eager.bands
            used = [bytes(engine._block[: words.RING]) for engine in (lazy, eager)]
            assert used[0] == used[1]


@pytest.mark.parametrize("ring", [8, 64])
def test_a_full_ring_merges_neighbours_and_keeps_the_mean_close(ring: int) -> None:
    rng = random.Random(3)
    small, large = started(Listing(ring=ring)), started(Listing(ring=8192))
    price = 10_000
    for k in range(4000):
        price = max(100, price + rng.choice([-3, 0, 3]))
        ts = ns(PLAIN["NINE_THIRTY"] + Fraction(k, 8))
        small.trade(ts, price)
        large.trade(ts, price)
        assert small._block[words.USED] <= ring
    assert small.merged_trades > 0
    assert large.merged_trades == 0
    sums = [(int(e._block[words.SUM]), int(e._block[words.COUNT])) for e in (small, large)]
    assert sums[1][1] == 2400
    assert abs(sums[0][0] / sums[0][1] - sums[1][0] / sums[1][1]) < 30


def test_2_deadlines_come_after_the_market_data_of_their_instant() -> None:
    engine = started()
    engine.trade(at("9:30:00"), 10_000)
    assert engine.quote(at("10:00:00"), 9_490, 9_500) == "limit"
    assert engine.quote(at("10:00:15"), 9_490, 9_501) == "straddle"
    assert engine.quote(at("10:00:16"), 9_490, 9_500) == "limit"
    assert engine.clock(at("10:00:30.999999999")) == "limit"
    assert engine.clock(at("10:00:31")) == "pause"


@pytest.mark.parametrize(("window_end", "pauses"), [("15:44:45", "normal"), ("15:44:46", "pause")])
def test_a_pause_that_reaches_the_last_ten_minutes_does_not_reopen(window_end: str, pauses: str) -> None:
    engine = started(Listing(tier=2))
    engine.trade(at("9:30:00"), 10_000)
    engine.quote(at(window_end), 8_990, 9_000)
    assert engine.clock(at("15:50:01")) == pauses
    assert engine.order(at("15:50:01"), 1, 10_000).allowed == (pauses == "normal")
    engine.status(at("16:00:00"), words.CLOSING_AUCTION)
    assert engine.execution(at("16:00:00"), 1, 8_000).allowed


def test_3_the_reference_price_is_frozen_in_a_limit_state() -> None:
    engine = started()
    engine.trade(at("9:30:00"), 10_000)
    engine.quote(at("10:00:00"), 9_490, 9_500)
    engine.trade(at("10:00:05"), 9_500)
    assert engine.bands == (9_500, 10_500)
    engine.quote(at("10:00:06"), 9_490, 9_520)
    assert engine.bands == (9_025, 9_975)


def test_next_names_the_instant_at_which_time_changes_something() -> None:
    engine = started()
    engine.trade(at("9:30:00"), 10_000)
    engine.quote(at("10:00:00"), 9_490, 9_500)
    assert engine._kernel.rules_next(engine._r) == at("10:00:15")
    engine.clock(at("10:00:15"))
    assert engine._kernel.rules_next(engine._r) == at("10:05:15")
    engine.clock(at("10:05:15"))
    assert engine.bands is None
    engine.trade(at("10:05:20"), 9_300)
    assert engine.bands == (8_835, 9_765)


def test_an_unknown_prior_close_leaves_only_the_tick_rule() -> None:
    engine = RulesEngine(Listing(quantum=MARKET_RULES.ticks[0].low_step))
    assert engine.start(at("9:30:00"), at("16:00:00"), None) == ("ticks",)
    engine.trade(at("9:31:00"), 1)
    assert not engine.short_restricted(at("9:31:00"))
    assert engine.order(at("9:31:00"), 1, 10_050).reason.name == "off_tick"
    assert engine.order(at("9:31:00"), 1, 9_950).allowed
    assert engine.order(at("9:31:00"), 1, 0).reason.name == "price_not_positive"
