"""`run_compiled`: a compiled strategy is the same run as the same strategy in Python.

Numbers refer to the invariants of `karat.market._compiled`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
from market_doors import MATCHERS, played

from karat.core import InputError, MarketStopped
from karat.data import KINDS, Events, Instrument, events_from_bars, order_flow
from karat.kernels.market import layout as at
from karat.market import (
    Amend,
    Cancel,
    ConstantLatency,
    Context,
    Market,
    MarketRun,
    Order,
    TradingTerms,
    VenueSpec,
    run_compiled,
    run_strategy,
)
from karat.market import compiled as on

ALL = pytest.mark.parametrize("matcher", MATCHERS, ids=MATCHERS.values())
NAMED = {"pending": on.PENDING, "waiting": on.WAITING, "live": on.LIVE, "partly_filled": on.PARTIAL, "over": 0}
JIT_OFF = bool(numba.config.DISABLE_JIT)
ONLY_COMPILED = pytest.mark.skipif(JIT_OFF, reason="nothing is compiled")
SEEDS = 3 if JIT_OFF else 25  # as plain Python, a hash of a level-3 market alone takes a second


def same(one: MarketRun, other: MarketRun) -> None:
    assert one.fill_rows.tolist() == other.fill_rows.tolist()
    assert one.news_rows.tolist() == other.news_rows.tolist()
    assert one.money == other.money
    assert one.state_hash == other.state_hash


@numba.njit
def compiled(market, now, row, memory):  # type: ignore[no-untyped-def]
    """Trade by the number of the row, the position and the state of the last order; memory: its id, and prices."""
    own, prices = memory
    held, state = on.position(market, 0), on.state(market, own[0]) % on.CHANGING
    if state == 0:
        side, price = on.SELL if held > 0 else on.BUY, max(1, prices[row])
        if row % 3 == 0:
            own[0] = on.send_market(market, 0, side, 1 + row % 4)
        elif row % 3 == 1:
            own[0] = on.send_limit(market, 0, side, 1 + row % 4, price, on.GTC, 0)
        else:
            own[0] = on.send_limit(market, 0, -side, 2, price + 3 * side, on.DAY, on.REDUCE_ONLY)
    elif state == on.LIVE and row % 4 == 0:
        on.send_cancel(market, own[0])
    elif state == on.PARTIAL and row % 4 == 1:
        on.send_amend(market, own[0], 5, 0)


def in_python(events: Events) -> Callable[[Context, int], None]:
    """The same for `run_strategy`."""
    last, name = 0, events.instruments[0].id

    def strategy(context: Context, row: int) -> None:
        nonlocal last
        held, state = context.position(), NAMED[context.state(last)]
        now = context.now_ns
        if state == 0:
            send, back = (context.sell, context.buy) if held > 0 else (context.buy, context.sell)
            price = max(1, int(events.price[row]))
            if row % 3 == 0:
                last = send(1 + row % 4)
            elif row % 3 == 1:
                last = send(1 + row % 4, type="limit", price=price)
            else:
                beyond = price + 3 * (-1 if held > 0 else 1)
                last = back(2, type="limit", price=beyond, force="day", reduce_only=True)
        elif state == on.LIVE and row % 4 == 0:
            context.send(Cancel(last, now))
        elif state == on.PARTIAL and row % 4 == 1:
            context.send(Amend(last, now, name, quantity=5))

    return strategy


@ALL
@pytest.mark.parametrize("delayed", [False, True], ids=["prompt", "delayed"])
@pytest.mark.req("SIM-21")
def test_it_is_the_run_of_the_same_strategy_in_python(matcher: int, delayed: bool) -> None:
    """1 and 2: on every matcher, with rows and answers that come late, in another order than they happened."""
    fills = 0
    for seed in range(SEEDS):
        case = played(seed, matcher, delayed=delayed)
        memory = np.zeros(1, dtype=np.int64), case.events.price
        run = run_compiled(case.events, compiled, case.spec, memory=memory)
        same(run, run_strategy(case.events, in_python(case.events), case.spec))
        fills += len(run.fill_rows)
    assert fills > 2 * SEEDS


def test_another_strategy_is_noticed() -> None:
    """The planted fault: the compiled strategy sees prices that are a tick higher."""
    different = 0
    for seed in range(10):
        case = played(seed, at.QUOTES)
        run = run_compiled(case.events, compiled, case.spec, memory=(np.zeros(1, np.int64), case.events.price + 1))
        other = run_strategy(case.events, in_python(case.events), case.spec)
        different += run.state_hash != other.state_hash
    assert different > 5


FLOW = order_flow(6_000, seed=11).level2
SECOND = 10**9


@numba.njit
def quoting(market, now, row, memory):  # type: ignore[no-untyped-def]
    """Take back both quotes and quote one lot at the best prices; memory: calls so far, then what it saw."""
    n = memory[0, 0]
    if n > 0:
        on.send_cancel(market, 2 * n - 1)
        on.send_cancel(market, 2 * n)
    bid, ask = on.best(market, 0, on.BUY), on.best(market, 0, on.SELL)
    on.send_limit(market, 0, on.BUY, 1, bid, on.GTC, on.POST_ONLY)
    on.send_limit(market, 0, on.SELL, 1, ask, on.GTC, on.POST_ONLY)
    memory[0, 0] = n + 1
    memory[n + 1, 0], memory[n + 1, 1], memory[n + 1, 2] = row, bid, ask
    memory[n + 1, 3] = on.size_at(market, 0, on.BUY, bid)


def seen_books(events: Events) -> list[tuple[int, int, int]]:
    """Return best bid, best ask and the size at the bid after every row, from two dictionaries."""
    books: dict[int, dict[int, int]] = {KINDS["depth_bid"]: {}, KINDS["depth_ask"]: {}}
    bids, asks = books.values()
    found = []
    for kind, price, size in zip(events.kind.tolist(), events.price.tolist(), events.qty.tolist(), strict=True):
        if kind == KINDS["depth_clear"]:
            bids.clear()
            asks.clear()
        elif kind in books:
            books[kind].pop(price, None)
            if size:
                books[kind][price] = size
        best = max(bids, default=on.NONE)
        found.append((best, min(asks, default=on.NONE), bids.get(best, 0)))
    return found


@pytest.mark.req("SIM-21")
def test_at_times_it_is_the_market_driven_by_hand() -> None:
    """1 and 2: every second, from the best prices and sizes seen; the reference keeps its book in dictionaries."""
    terms = TradingTerms(entry=ConstantLatency(latency_ns=10**7), response=ConstantLatency(latency_ns=10**7))
    spec = VenueSpec(terms=terms)
    memory = np.zeros((200, 4), dtype=np.int64)
    run = run_compiled(FLOW, quoting, spec, every_ns=SECOND, memory=memory)
    market, best, name = Market(FLOW, spec), seen_books(FLOW), FLOW.instruments[0].id
    tick = FLOW.price_quanta[0]
    times = range(int(FLOW.ts[0]) + SECOND, int(FLOW.known_at[-1]), SECOND)
    assert memory[0, 0] == len(times) > 50
    for n, now in enumerate(times):
        row = int(np.searchsorted(FLOW.known_at, now, side="right")) - 1
        bid, ask, size = best[row]
        assert memory[n + 1].tolist() == [row, bid, ask, size]
        for order in (2 * n - 1, 2 * n) if n else ():
            market.send(Cancel(order, now))
        market.send(Order(2 * n + 1, now, name, "buy", 1, "limit", bid * tick, post_only=True))
        market.send(Order(2 * n + 2, now, name, "sell", 1, "limit", ask * tick, post_only=True))
    market.advance()
    same(run, market.result())
    assert len(run.fill_rows) > 20


@numba.njit
def every_row(market, now, row, memory):  # type: ignore[no-untyped-def]
    on.send_market(market, 0, on.BUY if row % 2 else on.SELL, 1)
    on.send_market(market, 7, on.BUY, 1)


def test_full_records_are_read_out_on_the_way() -> None:
    """3: more fills and more refusals than the block has room for; an unknown instrument is refused with its reason."""
    events, spec = line(9_000), VenueSpec(open_orders=4)
    run = run_compiled(events, every_row, spec)
    assert len(run.fill_rows) == 8_999
    refused = run.messages.filter(run.messages["reason"] == "unknown_instrument")
    assert len(refused) == 9_000


@numba.njit
def looking(market, now, row, memory):  # type: ignore[no-untyped-def]
    memory[0] = on.best(market, 0, on.BUY)
    memory[1] = on.best(market, 9, on.BUY)
    memory[2] = on.size_at(market, 0, on.SELL, 1_000)
    memory[3] = on.position(market, -1)
    memory[4] = on.state(market, 55)
    memory[5] = on.next_id(market)


def test_what_is_not_there_is_told_as_nothing() -> None:
    memory = np.full(6, 9, dtype=np.int64)
    run_compiled(line(2), looking, memory=memory)
    assert memory.tolist() == [on.NONE, on.NONE, 0, 0, 0, 1]


def test_no_rows_call_nothing() -> None:
    assert run_compiled(line(2).head(0), every_row).rows == 0


def test_a_faulty_row_leaves_what_came_before() -> None:
    crossed = FLOW.take(np.arange(400))
    price = crossed.price.copy()
    price[300] = crossed.price[:300].max() + 500 if crossed.kind[300] == KINDS["depth_bid"] else 1
    kind = crossed.kind.copy()
    kind[300] = KINDS["depth_bid"] if price[300] > 1 else KINDS["depth_ask"]
    qty = np.where(np.arange(400) == 300, 5, crossed.qty)
    broken = Events(crossed.ts, crossed.known_at, kind, price, qty, crossed.instruments)
    calls = np.zeros((400, 4), dtype=np.int64)
    with pytest.raises(MarketStopped, match="the bid is at or above the ask") as caught:
        run_compiled(broken, quoting, every_ns=10**8, memory=calls)
    assert caught.value.partial.rows == 300


def test_what_cannot_be_run_is_said() -> None:
    with pytest.raises(InputError, match="every_ns: got 0; allowed: 1 or more, or None for every row"):
        run_compiled(line(2), every_row, every_ns=0)
    with pytest.raises(InputError, match="strategy: got 'str'; allowed: a function of market, now, row and memory"):
        run_compiled(line(2), "every_row")  # type: ignore[arg-type]


@ONLY_COMPILED
@pytest.mark.parametrize("memory", [None, [1, "a"]])
def test_what_numba_cannot_compile_is_said(memory: Any) -> None:
    def slow(market: int, now: int, row: int, memory: Any) -> None:
        memory.nothing(row)

    with pytest.raises(InputError) as caught:
        run_compiled(line(2), slow, memory=memory)
    assert str(caught.value).startswith("strategy: got 'slow'; numba cannot compile it: ")
    assert str(caught.value).endswith("use numbers and arrays only, and the functions of karat.market.compiled")


@ONLY_COMPILED
def test_a_plain_function_is_compiled_once() -> None:
    from karat.market._compiled import _compilable

    assert _compilable(in_python) is _compilable(in_python)
    assert _compilable(every_row) is every_row


def line(count: int) -> Events:
    """Return bars of one ns that stay at 10."""
    ts = np.arange(1, count + 1)
    prices = {name: np.full(count, 10.0) for name in ("open", "high", "low", "close")}
    return events_from_bars({"ts": ts, "start": ts - 1, **prices}, Instrument("A.X"))
