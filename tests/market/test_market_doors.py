"""The doors of the event market: whatever way a run is driven, it is the same run.

Numbers refer to the invariants of `karat.market._market`, `_strategy` and `_chunks`.
"""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from market_doors import MATCHERS, Played, intent_of, played

from karat.core import InputError, LeakageError
from karat.data import Events, Instrument, events_from_bars
from karat.kernels.market import layout as at
from karat.market import (
    ConstantLatency,
    Context,
    Market,
    MarketRun,
    Order,
    TradingTerms,
    VenueSpec,
    intents_on,
    run_strategy,
    simulate,
    simulate_chunks,
)

ALL = pytest.mark.parametrize("matcher", MATCHERS, ids=MATCHERS.values())
SEEDS = range(40)
A = Instrument("A.X")


def same(one: MarketRun, other: MarketRun) -> None:
    assert one.fill_rows.tolist() == other.fill_rows.tolist()
    assert one.news_rows.tolist() == other.news_rows.tolist()
    assert one.money == other.money
    assert one.state_hash == other.state_hash


def sender(case: Played, *, look: random.Random | None = None) -> Any:
    """Return a strategy that sends the case's intents when their time comes, and sometimes only looks."""
    left = [intent_of(row, case.events) for row in case.rows]

    def strategy(context: Context, row: int) -> None:
        if look is not None and look.random() < 0.3:
            context.position()
        while left and left[0].ts_ns <= context.now_ns:
            context.send(left.pop(0))

    return strategy


@ALL
@pytest.mark.parametrize("delayed", [False, True], ids=["prompt", "delayed"])
@pytest.mark.req("SIM-21", "SIM-01")
def test_every_door_gives_the_same_run(matcher: int, delayed: bool) -> None:
    """1: intents beforehand, a strategy that is called, by hand in any steps, and chunks of any size."""
    fills = 0
    for seed in SEEDS:
        case, chance = played(seed, matcher, delayed=delayed), random.Random(seed)
        whole = simulate(case.events, case.intents, case.spec)
        same(whole, run_strategy(case.events, sender(case, look=chance), case.spec))
        same(whole, by_hand(case, chance))
        same(whole, simulate_chunks(cut(case.events, chance), case.intents, case.spec))
        same(whole, simulate_chunks(cut(case.events, chance), None, case.spec, strategy=sender(case, look=chance)))
        fills += len(whole.fill_rows)
    assert fills > 100


def by_hand(case: Played, chance: random.Random) -> MarketRun:
    """Send by hand, advancing to random times and by random numbers of steps in between."""
    market = Market(case.events, case.spec)
    for row in case.rows:
        intent = intent_of(row, case.events)
        if chance.random() < 0.5:
            market.advance(intent.ts_ns - chance.randrange(0, 9))
        if chance.random() < 0.5:
            market.advance(intent.ts_ns, steps=chance.randrange(0, 4))
        market.send(intent)
    while market.block[at.H_ROW] < case.events.rows:
        market.advance(steps=chance.randrange(1, 5))
    market.advance()
    return market.result()


def cut(events: Events, chance: random.Random) -> list[Events]:
    places = sorted(chance.randrange(len(events) + 1) for _ in range(chance.randrange(1, 9)))
    return [events.slice(first, last) for first, last in zip([0, *places], [*places, None], strict=True)]


@ALL
def test_a_snapshot_resumes_to_the_same_end(matcher: int) -> None:
    """2: also when another way was taken in between, in this market or in another one over the same events."""
    for seed in SEEDS:
        case, chance = played(seed, matcher, delayed=True), random.Random(seed)
        whole = simulate(case.events, case.intents, case.spec)
        market = Market(case.events, case.spec, case.intents)
        market.advance(steps=chance.randrange(0, 40))
        snapshot, equity = market.snapshot(), market.equity
        market.advance(steps=chance.randrange(0, 20))
        if chance.random() < 0.5:
            market.send(Order(10**6, max(market.now_ns, 0), case.events.instruments[0].id, "buy", 3))
            market.advance()
        market.restore(snapshot)
        assert market.equity == equity
        other = Market(case.events, case.spec, case.intents)
        other.restore(snapshot)
        for resumed in (market, other):
            resumed.advance()
            same(whole, resumed.result())
            assert resumed.result().equity.equals(whole.equity)


def test_a_snapshot_of_another_market_is_refused() -> None:
    small, large = VenueSpec(open_orders=4), VenueSpec(open_orders=8)
    with pytest.raises(InputError, match=r"snapshot: got '\d+ words'; allowed: \d+, of this market"):
        Market(line(3), large).restore(Market(line(3), small).snapshot())


def test_steps_are_counted_over_full_buffers() -> None:
    """1: steps=n is n steps, also where fills and messages had to be collected on the way."""
    events = line(4_000)
    orders = [Order(k, k, "A.X", "buy" if k % 2 else "sell", 1) for k in range(1, 3_900)]
    market = Market(events, VenueSpec(open_orders=4), intents_on(events, orders))
    market.advance(steps=0)
    assert market.block[at.H_STEPS] == 0
    for wanted in (7, 10_000):
        before = int(market.block[at.H_STEPS])
        market.advance(steps=wanted)
        assert market.block[at.H_STEPS] - before == wanted
    with pytest.raises(InputError, match="steps: got -1"):
        market.advance(steps=-1)


@pytest.mark.req("SIM-01")
def test_a_strategy_does_not_hear_of_a_fill_before_the_answer() -> None:
    """1 of _strategy: the fill happens at once, its message takes 3 ns; state and position follow the message."""
    spec = VenueSpec(terms=TradingTerms(response=ConstantLatency(latency_ns=3)))
    heard: list[tuple[int, int, str]] = []
    venue: list[int] = []

    def strategy(context: Context, row: int) -> None:
        if row == 0:
            context.buy(5)
        heard.append((context.now_ns, int(context.position()), context.state(1)))
        venue.append(int(context._market.position("A.X")))

    run = run_strategy(line(8), strategy, spec)
    assert (run.fill_rows[0, at.F_TS], run.fill_rows[0, at.F_KNOWN]) == (1, 5)  # at the open, told after the bar
    assert [position for _, position, _ in heard] == [0, 0, 0, 0, 5, 5, 5, 5]
    assert [state for _, _, state in heard] == ["pending"] * 3 + ["live"] + ["over"] * 4
    assert venue[1] == 5  # the planted fault: reading the venue's position would have seen the fill at 2
    assert [position for _, position, _ in heard] != venue


@pytest.mark.req("SIM-01")
def test_a_strategy_reads_known_rows_only() -> None:
    events = line(5, late=2)
    seen: list[int] = []

    def strategy(context: Context, row: int) -> None:
        assert context.row(row)["ts"] == context.now_ns - 2
        seen.append(context.now_ns)
        if row + 1 < len(events):
            context.row(row + 1)

    with pytest.raises(LeakageError, match="row 1 is known at 1970-01-01T00:00:00.000000004Z, later than now"):
        run_strategy(events, strategy)
    assert seen == [3]
    with pytest.raises(InputError, match="row: got 9; allowed: 0 to 4, those in memory"):
        run_strategy(events, lambda context, row: context.row(9))


def test_rows_come_in_the_order_in_which_they_become_known() -> None:
    """A late row is told when it is known, also where chunks end in between; rows in memory can be read."""
    ts = np.arange(1, 9)
    known = np.array([1, 2, 9, 4, 5, 6, 10, 8])
    kinds = np.array([at.QUOTE, at.QUOTE, at.TRADE, at.QUOTE] * 2, dtype=np.int8)
    ask = np.where(kinds == at.QUOTE, 11, 0)
    size = np.where(kinds == at.QUOTE, 5, 0)
    events = Events(ts, known, kinds, np.full(8, 10), np.full(8, 5), (A,), a=ask, b=size)
    calls: list[list[tuple[int, int]]] = []
    for width in (8, 1, 2, 3, 5):
        found: list[tuple[int, int]] = []

        def strategy(context: Context, row: int, found: list[tuple[int, int]] = found) -> None:
            assert context.row(row)["ts"] == ts[row]
            found.append((context.now_ns, row))

        parts = [events.slice(first, first + width) for first in range(0, 8, width)]
        simulate_chunks(parts, strategy=strategy)
        calls.append(found)
    assert calls[0] == [(1, 0), (2, 1), (4, 3), (5, 4), (6, 5), (8, 7), (9, 2), (10, 6)]
    assert all(found == calls[0] for found in calls)
    again: list[tuple[int, int]] = []
    run_strategy(events, lambda context, row: again.append((context.now_ns, row)))
    assert again == calls[0]


def test_equity_is_for_those_who_can_know_it() -> None:
    values: list[Decimal] = []
    run_strategy(line(3), lambda context, row: values.append(context.equity))
    assert values == [Decimal(1_000_000)] * 3
    for events, spec in (
        (line(3, late=1), VenueSpec()),
        (line(3), VenueSpec(terms=TradingTerms(response=ConstantLatency(latency_ns=1)))),
    ):
        with pytest.raises(InputError, match="what the venue counts is not known here yet"):
            run_strategy(events, lambda context, row: context.equity, spec)


def test_a_context_sends_now_with_ids_of_its_own() -> None:
    ids: list[int] = []

    def strategy(context: Context, row: int) -> None:
        if row == 0:
            ids.append(context.buy(4))
            ids.append(context.send(Order(10, context.now_ns, "A.X", "sell", 1)))
            ids.append(context.target(quantity=7))
            ids.append(context.sell(1, type="limit", price=99))

    run = run_strategy(line(4), strategy)
    assert ids == [1, 10, 11, 12]
    assert run.fills["quantity"].to_list() == [4.0, 1.0, 7.0]
    with pytest.raises(InputError, match="intent.ts_ns: got 0; allowed: 1, the time of this call"):
        run_strategy(line(2), lambda context, row: context.send(Order(1, 0, "A.X", "buy", 1)))
    with pytest.raises(InputError, match="instrument: got 'B.X'; allowed: A.X"):
        run_strategy(line(2), lambda context, row: context.position("B.X"))


def line(count: int, *, late: int = 0) -> Events:
    """Return bars of one ns that stay at 10, known `late` ns after they end."""
    ts = np.arange(1, count + 1)
    prices = {name: np.full(count, 10.0) for name in ("open", "high", "low", "close")}
    return events_from_bars({"ts": ts, "known_at": ts + late, "start": ts - 1, **prices}, A)
