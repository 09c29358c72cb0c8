"""The compiled market against the oracle, and against itself however it is driven."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

sys.path.insert(0, str(Path(__file__).parents[1] / "oracles"))
import market_oracle_account
from market_cases import BUY, SELL, event, limit, market, quote, status
from market_cases_books import LADDER, ask, bid
from market_cases_orders import QUEUES, deleted, executed, modified
from market_cases_orders import ask as offer
from market_oracle_books import Book
from market_oracle_level3 import OrderBook
from market_oracle_orders import Venue
from market_oracle_types import BARS, DEPTH, ORDERS, QUOTES, Order
from market_parity import (
    JIT_OFF,
    MANY,
    SHARE,
    batch,
    by_hand,
    compiled,
    difference,
    in_chunks,
    noting,
    oracle,
    resumed,
    run_of,
    variations,
    varied,
)
from market_scenarios import Options, Scenario, Seeded, scenario

from karat.kernels.market import _layout as k
from karat.kernels.market._kinds import (
    LATENCY_CONSTANT,
    LATENCY_LOGNORMAL,
    QUEUE_LOG,
    QUEUE_POWER,
)

MATCHERS = pytest.mark.parametrize("matcher", [BARS, QUOTES, DEPTH, ORDERS], ids=["bars", "quotes", "depth", "orders"])
CONSTANT = {"entry": (LATENCY_CONSTANT, (3,)), "response": (LATENCY_CONSTANT, (4,))}
RANDOM = {"entry": (LATENCY_LOGNORMAL, (1.0, 0.7, 2.0)), "response": (LATENCY_LOGNORMAL, (1.2, 0.9, 2.0))}
MODELS: list[dict[str, Any]] = [
    {},
    CONSTANT,
    RANDOM,
    {**RANDOM, "queue": (QUEUE_POWER, (3.0,))},
    {**CONSTANT, "queue": (QUEUE_LOG, ())},
]


def drawn(matcher: int, examples: int, check: Callable[[Scenario], None], **options: Any) -> None:
    """Run a check on scenarios that Hypothesis draws, always the same ones."""

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(variations(Options(matcher=matcher, **options)))
    def run_one(made: Scenario) -> None:
        check(made)

    run_one()


def agree(made: Scenario) -> None:
    assert difference(made) == ""


@MATCHERS
@pytest.mark.req("OMS-03", "OMS-04", "OMS-05", "OMS-08", "SIM-01")
def test_both_markets_agree(matcher: int) -> None:
    """Fills, messages (time, order, kind, reason), money, ambiguity, errors, live orders: all the same."""
    drawn(matcher, 60 // SHARE, agree)
    for seed in range(60 // SHARE):
        agree(varied(Seeded(seed), Options(matcher=matcher)))


@MANY
@MATCHERS
def test_both_markets_agree_on_many(matcher: int, part: int) -> None:
    drawn(matcher, 1_000 // part, agree)
    for seed in range(3_000 // part):
        agree(varied(Seeded(seed), Options(matcher=matcher)))
    for seed in range(500 // part):
        agree(varied(Seeded(seed), Options(matcher=matcher, instruments=1, steps=25, intents=60)))


def test_the_scenarios_reach_what_they_are_to_compare() -> None:
    """On books: both liquidities, every kind of message, self-trades of every mode, waiting in a halt, rejections."""
    for matcher in (QUOTES, DEPTH, ORDERS):
        results = [oracle(varied(Seeded(seed), Options(matcher=matcher))) for seed in range(180)]
        news = {(one.kind, one.reason) for result in results for one in result.news}
        assert {kind for kind, _ in news} == set(range(k.ACCEPTED, k.ACTIVATED + 1))
        reasons = {reason for _, reason in news}
        assert {k.R_HALTED, k.R_CLOSED, k.R_CANCEL_ONLY, k.R_POST_ONLY, k.R_REDUCE_ONLY, k.R_SELF_TRADE} <= reasons
        assert {k.R_IMMEDIATE, k.R_ALL_OR_NONE, k.R_DAY_OVER, k.R_DATE_OVER, k.R_OTHER_LEG, k.R_PARENT} <= reasons
        assert {one.maker for result in results for one in result.fills} == {False, True}
        ended = {order.stp for result in results for order in result.orders.values() if order.prevented}
        assert ended >= {k.STP_CANCEL_NEW, k.STP_CANCEL_BOTH, k.STP_DECREMENT}


FAULTS: list[tuple[Any, str, Any, int]] = [
    (Venue, "end_legs", lambda *_: None, BARS),
    (Order, "touch", property(lambda _: True), BARS),
    (market_oracle_account, "fee_of", lambda terms, notional, lots, maker: 0, BARS),
    (Book, "_use", lambda *_: None, QUOTES),
    (Book, "_by_price", lambda book, side: [o for o in book._by_age() if o.limit_now and o.side == side], QUOTES),
    (Book, "_own_opposite", lambda *_: [], DEPTH),
    (Book, "_set_off", lambda *_: None, DEPTH),
    (OrderBook, "_executed", lambda *_: None, ORDERS),
    (OrderBook, "_serve", lambda *_: None, ORDERS),
    (OrderBook, "_give", lambda *_: None, ORDERS),
    (OrderBook, "ahead", lambda book, order: book.plain.quantity(order.side, order.price), ORDERS),
    (OrderBook, "_use", lambda *_: None, ORDERS),
]


@pytest.mark.parametrize(("owner", "name", "fault", "matcher"), FAULTS, ids=[fault[1] for fault in FAULTS])
def test_the_comparison_sees_a_planted_fault(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, fault: Any, matcher: int
) -> None:
    made = [varied(Seeded(seed), Options(matcher=matcher)) for seed in range(60)]
    monkeypatch.setattr(owner, name, fault)
    assert any(difference(one) for one in made)


def same_however_driven(made: Scenario, seed: int, **more: Any) -> None:
    """One call, chunks of time, chunks of steps, single steps, intents by hand, a snapshot: one market."""
    whole = batch(made, **more)
    assert len(whole.hashes) > len(made.events)
    choose = Seeded(seed)
    assert in_chunks(made, choose, False, **more) == whole
    assert in_chunks(made, choose, True, **more) == whole
    engine = noting(made, **more)
    for _ in whole.hashes:
        engine.advance(steps=1)
    assert run_of(engine) == whole
    assert by_hand(made, **more) == whole
    assert resumed(made, choose.pick(0, len(whole.hashes)), **more) == whole


@MATCHERS
@pytest.mark.parametrize("models", range(len(MODELS)))
@pytest.mark.req("SIM-04", "SIM-21")
def test_the_way_of_driving_changes_nothing(matcher: int, models: int) -> None:
    """The state has the same hash after every step, with every model of latency and queue."""
    for seed in range(1 if JIT_OFF else 8):
        made = varied(Seeded(1_000 * models + seed), Options(matcher=matcher))
        same_however_driven(made, seed, **MODELS[models])


@MANY
@MATCHERS
def test_the_way_of_driving_changes_nothing_on_many(matcher: int, part: int) -> None:
    count = 350 // part
    drawn(matcher, count, lambda made: same_however_driven(made, len(made.events), **MODELS[len(made.intents) % 5]))
    for seed in range(count):
        same_however_driven(varied(Seeded(seed), Options(matcher=matcher)), seed, **MODELS[seed % 5])


def test_models_change_the_run() -> None:
    """Models that did nothing would be compared with themselves. 10 in front; 10 more join, then 10 of 20 leave."""
    made = [varied(Seeded(seed), Options(matcher=DEPTH)) for seed in range(20)]
    for more in MODELS[1:3]:
        assert any(batch(one, **more).fills != batch(one).fills for one in made)
    events = [*LADDER, bid(2, 99, 20), bid(3, 99, 10), event(4, k.TRADE_SELL, 99, 7)]
    queue = Scenario(({"matcher": DEPTH},), (0,), events, [limit(1, 1, BUY, 9, 99)])
    filled = [sum(fill.qty for fill in batch(queue, queue=kind).fills) for kind in ((1, ()), (QUEUE_POWER, (3.0,)))]
    assert filled == [0, 2]  # half of those who left were in front: 5 remain, 7 are printed


def test_the_hash_sees_a_planted_change() -> None:
    """One word of an order changed in the middle of a run: the hashes differ from there on, and not before."""
    made = Scenario(({"matcher": DEPTH},), (0,), [*LADDER, bid(9, 97, 1)], [limit(1, 1, BUY, 5, 99)])
    whole, engine = batch(made), noting(made)
    engine.advance(1)
    before = run_of(engine)
    assert before.hashes == whole.hashes[: len(before.hashes)]
    place = int(engine.block[k.H_AT_ORDERS]) + k.O_PRICE
    assert engine.block[place] == 99
    engine.block[place] = 98
    engine.advance()
    assert run_of(engine).hashes[-1] != whole.hashes[-1]


BAD_ROWS = [
    ("crossed", QUOTES, quote(5, 101, 1, 100, 1), k.E_CROSSED, {}),
    ("locked", QUOTES, quote(5, 101, 1, 101, 1), k.E_CROSSED, {}),
    ("size", QUOTES, quote(5, 99, -1, 101, 1), k.E_SIZE, {}),
    ("other size", QUOTES, quote(5, 99, 1, 101, -1), k.E_SIZE, {}),
    ("price", QUOTES, quote(5, 0, 1, 101, 1), k.E_PRICE, {}),
    ("print of nothing", QUOTES, event(5, k.TRADE, 0, 1), k.E_PRICE, {}),
    ("negative print", QUOTES, event(5, k.TRADE, 100, -1), k.E_SIZE, {}),
    ("print below zero", DEPTH, event(5, k.TRADE_BUY, -3, 1), k.E_PRICE, {}),
    ("depth below zero", DEPTH, bid(5, 99, -1), k.E_SIZE, {}),
    ("bar in a book", DEPTH, event(5, k.BAR, 1, 1, a=1, b=1, c=1, d=1), k.E_KIND, {}),
    ("depth in quotes", QUOTES, bid(5, 99, 1), k.E_KIND, {}),
    ("instrument", QUOTES, {**quote(5, 99, 1, 101, 1), "instrument": 1}, k.E_INSTRUMENT, {}),
    ("back in time", QUOTES, quote(3, 99, 1, 101, 1), k.E_TIME, {}),
    ("outside the window", DEPTH, bid(5, 600, 1), k.E_WINDOW, None),
    ("crossed depth", DEPTH, bid(5, 101, 1), k.E_CROSSED, {"flags": 0}),
    ("locked by an offer", DEPTH, ask(5, 99, 1), k.E_CROSSED, {"flags": 0}),
    ("order of no lots", ORDERS, offer(5, 20, 102, 0), k.E_SIZE, {}),
    ("order at no price", ORDERS, modified(5, 11, 0, 4), k.E_PRICE, {}),
    ("order twice", ORDERS, offer(5, 11, 102, 1), k.E_KNOWN_ORDER, {}),
    ("order from nowhere", ORDERS, deleted(5, 20), k.E_UNKNOWN_ORDER, {}),
    ("more than it has", ORDERS, executed(5, 2, 99, 6), k.E_TOO_MUCH, {}),
    ("depth among orders", ORDERS, ask(5, 102, 1), k.E_KIND, {}),
    ("order outside", ORDERS, offer(5, 20, 600, 1), k.E_WINDOW, None),
    ("crossed by an order", ORDERS, offer(5, 20, 98, 1), k.E_CROSSED, {"flags": 0}),
    ("locked by a move", ORDERS, modified(5, 13, 99, 20), k.E_CROSSED, {"flags": 0}),
    ("no room for an order", ORDERS, offer(5, 20, 101, 1), k.E_BOOK_FULL, {"room": (6, 9)}),
    ("no room for a price", ORDERS, offer(5, 20, 103, 1), k.E_BOOK_FULL, {"room": (9, 4)}),
]


@pytest.mark.parametrize(("name", "matcher", "row", "error", "more"), BAD_ROWS, ids=[bad[0] for bad in BAD_ROWS])
def test_a_bad_row_stops_the_run_before_it(
    name: str, matcher: int, row: dict[str, int], error: int, more: dict[str, Any] | None
) -> None:
    """Only the words that tell the error differ from a run that ends before the row; both markets name it alike."""
    start = {QUOTES: [quote(0, 99, 10, 101, 10)], DEPTH: LADDER, ORDERS: QUEUES}[matcher]
    intents = [market(1, 1, BUY, 4), limit(2, 2, BUY, 5, 99), limit(3, 3, SELL, 5, 103), market(9, 4, BUY, 1)]
    good = Scenario(({"matcher": matcher},), (0,), [*start, event(4, k.TRADE_SELL, 99, 2)], intents)
    bad = replace(good, events=[*good.events, row, event(8, k.TRADE_SELL, 90, 99)])
    one, other = compiled(good, **(more or {})), compiled(bad, **(more or {}))
    one.advance(4)
    assert other.advance() == k.FAILED
    assert other.advance() == k.FAILED
    assert other.block[k.H_ERROR] == error
    assert other.block[k.H_ERROR_A] == len(start) + 1 or error in (k.E_SIZE, k.E_PRICE)
    differ = set(np.flatnonzero(one.block != other.block).tolist())
    assert differ <= {k.H_ERROR, k.H_ERROR_A, k.H_ERROR_B}
    assert one.fills() == other.fills() != []
    if more == {}:
        assert oracle(bad).error == error
        assert oracle(bad).error_row == len(good.events)


def test_a_crossed_book_may_pass_where_it_is_declared() -> None:
    made = Scenario(({"matcher": DEPTH},), (0,), [*LADDER, bid(5, 101, 1)], [])
    assert compiled(made).advance() == k.DONE
    within = replace(made, events=[*LADDER, bid(5, 101, 1), ask(5, 101, 0)])  # crossed for a moment only
    assert compiled(within, flags=0).advance() == k.DONE


def test_trading_stops_and_goes_on() -> None:
    """In a halt queues stand still, orders are refused, and what rests is served by the first row after it."""
    events = [quote(0, 99, 10, 101, 10), status(2, k.HALTED), quote(3, 97, 10, 98, 10), status(6, k.OPEN)]
    events.append(quote(7, 97, 10, 98, 10))
    made = Scenario(
        ({"matcher": QUOTES},), (0,), events, [limit(1, 1, BUY, 4, 99), market(4, 2, BUY, 1), limit(5, 3, SELL, 2, 99)]
    )
    run = batch(made)
    assert [(one.id, one.ts, one.price, one.qty) for one in run.fills] == [(1, 7, 99, 4)]
    assert (4, 2, k.REJECTED_VENUE, k.R_HALTED) in [(one.ts, one.id, one.kind, one.reason) for one in run.news]
    assert difference(made) == ""


def test_the_scenario_module_makes_the_same_again() -> None:
    assert scenario(Seeded(3)) == scenario(Seeded(3))
    assert varied(Seeded(3), Options(matcher=DEPTH)) == varied(Seeded(3), Options(matcher=DEPTH))


def test_a_child_without_lots_meets_nobody() -> None:
    """A child that prevention took its lots from, whose parent may still give more: it waits, the market goes on."""
    agree(varied(Seeded(112), Options(matcher=QUOTES, instruments=1, steps=25, intents=60)))
