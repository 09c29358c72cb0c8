"""Matching on level 3: against a plain exchange with the own order in it, against the rebuilt book, behind the doors.

Numbers refer to the invariants of `karat.kernels.market._match_orders` and `_resize`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "oracles"))
from market_cases import BUY, ORDERS, SELL, limit
from market_cases_orders import QUEUES, ask, bid, executed
from market_parity import JIT_OFF, batch, compiled, noting
from market_scenarios import Scenario
from oracle_exchange import fills_of_extra

from karat.core import InputError, MarketStopped
from karat.data import Events, Instrument, Level3Book, OrderFlow, events_from_rows, merge_events, order_flow
from karat.kernels.market import _l3, _l3_layout, engine, table
from karat.kernels.market import layout as at
from karat.market import (
    Intents,
    LogNormalLatency,
    Market,
    MarketRun,
    Order,
    RuleTerms,
    TradingTerms,
    VenueSpec,
    _chunks,
    _venue,
    intents_on,
    simulate,
    simulate_chunks,
)

A = Instrument("A.X")
ROWS = 600 if JIT_OFF else 6_000


@pytest.fixture(scope="module")
def flow() -> OrderFlow:
    return order_flow(ROWS, seed=9, instrument=A)


def same(one: MarketRun, other: MarketRun, *, state: bool = True) -> None:
    assert one.fill_rows.tolist() == other.fill_rows.tolist()
    assert one.news_rows.tolist() == other.news_rows.tolist()
    assert one.money == other.money
    assert not state or one.state_hash == other.state_hash


def extras(flow: OrderFlow, count: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (rows before it, side, price, lots) of orders that rest near the best price, none of which takes."""
    chance = np.random.default_rng(3)
    for _ in range(count):
        after = int(chance.integers(200, ROWS * 3 // 4))
        while flow.level3.ts[after] == flow.level3.ts[after - 1]:
            after += 1
        book, side = Level3Book(flow.level3.head(after)), int(chance.choice([1, -1]))
        best, other = book.best("bid" if side > 0 else "ask"), book.best("ask" if side > 0 else "bid")
        assert best is not None
        assert other is not None
        price = best + side * int(chance.integers(-2, 2))
        yield after, side, price if side * (other - price) > 0 else best, int(chance.integers(1, 25))


@pytest.mark.req("SIM-09")
def test_an_own_order_fills_when_a_real_one_would_have(flow: OrderFlow) -> None:
    """2, 3, 4: time and lots of every fill are those of an order that was in the exchange's book.

    What others did after they met the order is not known: where it was taken by an incoming limit order that the venue
    then still has, only what came before is compared.
    """
    names = ("ts", "kind", "price", "qty", "a")
    columns = [getattr(flow.level3, name).tolist() for name in names]
    rows = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
    compared, filled, other = 0, 0, 0
    for after, side, price, qty in extras(flow, 15 if JIT_OFF else 60):
        real = fills_of_extra(rows, after, side, price, qty)
        order = Order(
            1,
            int(flow.level3.ts[after - 1]),
            "A.X",
            "buy" if side > 0 else "sell",
            qty,
            type="limit",
            price=price * A.tick,
            post_only=True,
        )
        run = simulate(flow.level3, intents_on(flow.level3, [order]))
        mine = by_time([(fill[at.F_TS], fill[at.F_QTY]) for fill in run.fill_rows.tolist()])
        assert {(fill[at.F_PRICE], fill[at.F_MAKER]) for fill in run.fill_rows.tolist()} <= {(price, 1)}
        known = next((n + 1 for n, one in enumerate(real) if one[2]), len(real))
        theirs = by_time([(ts, lots) for ts, lots, _ in real[:known]])
        assert list(mine.items())[: len(theirs)] == list(theirs.items())
        assert known < len(real) or len(mine) == len(theirs)
        compared += len(theirs)
        filled += sum(one[1] for one in real) == qty
        rough = simulate(flow.level2, intents_on(flow.level2, [order]), VenueSpec())
        other += by_time([(fill[at.F_TS], fill[at.F_QTY]) for fill in rough.fill_rows.tolist()]) != mine
    assert other > (2 if JIT_OFF else 20)  # level 2, which does not know the places, fills otherwise
    assert compared > (5 if JIT_OFF else 60)
    assert filled > (2 if JIT_OFF else 25)


def by_time(fills: list[tuple[int, int]]) -> dict[int, int]:
    """Return the lots of every moment, in the order of time."""
    lots: dict[int, int] = {}
    for ts, part in fills:
        lots[ts] = lots.get(ts, 0) + part
    return lots


def test_the_exchange_sees_a_place_that_is_one_order_off() -> None:
    """The planted fault: an own order that comes one order of its price later fills later, or less."""
    venue = [{"ts": 1, "kind": at.ADD_BID, "price": 99, "qty": 3, "a": 1}]
    later = [{"ts": 2, "kind": at.ADD_BID, "price": 99, "qty": 4, "a": 2}]
    hits = [{"ts": 3, "kind": at.EXECUTE, "price": 99, "qty": 3, "a": 1}]
    hits += [{"ts": 4, "kind": at.EXECUTE, "price": 99, "qty": 2, "a": 2}]
    assert fills_of_extra(venue + later + hits, 1, 1, 99, 5) == [(4, 2, False)]
    assert fills_of_extra(venue + later + hits, 2, 1, 99, 5) == []


@pytest.mark.req("SIM-09")
def test_2_the_place_in_the_queue_is_that_of_the_rebuilt_book(flow: OrderFlow) -> None:
    """What stands before the order, at every later look, are the orders that were there and have kept their places."""
    seen = set()
    for after, side, price, _ in extras(flow, 5 if JIT_OFF else 25):
        market = Market(flow.level3)
        now = int(flow.level3.ts[after - 1])
        market.send(Order(1, now, "A.X", "buy" if side > 0 else "sell", 10**6, type="limit", price=price * A.tick))
        before = set(queue_at(flow.level3.head(after), side, price))
        for rows in range(after, min(after + 400, ROWS), 40):
            market.advance(int(flow.level3.ts[rows - 1]))
            last = int(np.searchsorted(flow.level3.ts, flow.level3.ts[rows - 1], side="right"))
            left = {one: lots for one, lots in queue_at(flow.level3.head(last), side, price).items() if one in before}
            order = table(market.block, "orders")[0]
            assert order[at.O_ID] == 1
            if order[at.O_FILLED]:
                break  # whoever was filled stands first
            assert order.view(np.float64)[at.O_FRONT] == sum(left.values())
            seen.add(sum(left.values()))
    assert len(seen) > (2 if JIT_OFF else 15)


def queue_at(events: Events, side: int, price: int) -> dict[tuple[int, int], int]:
    """Return the lots of the orders at a price by (id, place) in the book rebuilt from the rows alone."""
    orders = Level3Book(events).orders()
    rows = orders.select("id", "place", "side", "price", "qty").rows()
    return {(id_, place): lots for id_, place, on, level, lots in rows if (on, level) == (side, price)}


def test_the_strategy_sees_the_levels_that_it_knows_of() -> None:
    """Its book is the one rebuilt from the rows known by then, whatever own orders took at the venue."""
    from karat.market import compiled as on

    events = order_flow(max(500, ROWS // 3), seed=4, instrument=A, feed_latency_ns=50_000_000).level3
    market = Market(events, VenueSpec(), intents_on(events, [Order(1, int(events.ts[300]), "A.X", "buy", 40)]))
    for row in range(250, len(events), 150):
        now = int(events.ts[row])
        market.advance(now)
        engine().follow(market.block.ctypes.data, market._v, now)
        known = events.take(events.known_at <= now)
        book, s = Level3Book(known), market.block.ctypes.data
        where = int(table(market.block, "instruments")[0, at.I_LOCAL_BOOK])
        low, slots = int(market.block[where + at.B_LOW]), int(market.block[where + at.B_SLOTS])
        for n, (side, name) in enumerate(((1, "bid"), (-1, "ask"))):
            assert on.best(s, 0, side) == book.best(name)
            levels = market.block[where + at.BOOK + n * slots :][:slots]
            shown = {low + int(k): int(levels[k]) for k in np.flatnonzero(levels)}
            assert shown == dict(book.depth(name).select("price", "qty").rows())
    assert market.position("A.X") == 40


# -- room


def makers(events: Events) -> Intents:
    """Return orders around the first prices, some of which take."""
    price, orders = 10_000, []
    for number, ts in enumerate(np.linspace(events.ts[200], events.ts[-1], 150, dtype=np.int64).tolist()):
        side = "buy" if number % 2 else "sell"
        level = price + (-1 if side == "buy" else 1) * (number % 6 - 1)
        orders.append(Order(number + 1, ts, "A.X", side, 4, type="limit", price=level * A.tick))
    return intents_on(events, orders)


DELAYED = VenueSpec(
    terms=TradingTerms(
        entry=LogNormalLatency(mu=0.0, sigma=0.5, unit_ns=1e7),
        response=LogNormalLatency(mu=0.0, sigma=0.5, unit_ns=1e7),
    ),
    open_orders=512,
)


def cut(events: Events, size: int) -> list[Events]:
    return [events.slice(first, first + size) for first in range(0, len(events), size)]


@pytest.mark.parametrize("room", [(8, 4), (512, 3)])
def test_a_full_book_is_enlarged_and_nothing_else_changes(
    flow: OrderFlow, monkeypatch: pytest.MonkeyPatch, room: tuple[int, int]
) -> None:
    """1 of _resize: fills, messages and money as with room from the start; the state too, however the run is cut."""
    events, intents = flow.level3, makers(flow.level3)
    roomy = simulate(events, intents, DELAYED)
    assert len(roomy.fill_rows) > (5 if JIT_OFF else 50)
    for module in (_venue, _chunks):
        monkeypatch.setattr(module, "ROOM", room)
    whole = simulate(events, intents, DELAYED)
    same(roomy, whole, state=False)
    market = Market(events, DELAYED, intents)
    first = len(market.block)
    market.advance(steps=5)
    early = market.snapshot()
    market.advance(steps=ROWS // 2)
    late = market.snapshot()
    assert len(late.block) > len(early.block) >= first
    for snapshot in (early, late, early):  # back to a smaller book, and to a larger one
        market.restore(snapshot)
        market.advance()
        same(whole, market.result())
    for size in (61, 1_000):
        same(whole, simulate_chunks(cut(events, size), intents, DELAYED))


@pytest.mark.parametrize("size", [1, 97, 10**6])
def test_chunks_are_the_stream(flow: OrderFlow, size: int) -> None:
    """Also where the first chunk only empties the book, and where the market is matched on trades before."""
    events = flow.level3.head(400 if size == 1 else ROWS)
    intents = makers(flow.level3.head(ROWS)) if size > 1 else intents_on(events, [])
    same(simulate(events, intents, DELAYED), simulate_chunks(cut(events, size), intents, DELAYED))
    trades = events_from_rows([{"ts": int(events.ts[0]) - 5, "kind": "trade", "price": 10_000, "qty": 1}], A)
    both = merge_events(trades, events)
    same(simulate(both, intents, DELAYED), simulate_chunks(cut(both, size), intents, DELAYED))


def test_chunks_without_rows_of_orders_first_must_be_told_what_comes(flow: OrderFlow) -> None:
    """An order that was sent before the first single order: its market must be known."""
    early = int(flow.level3.ts[0]) - 5
    status = events_from_rows([{"ts": early, "kind": "status", "a": at.OPEN, "b": early, "c": early + 10**15}], A)
    events = merge_events(status, flow.level3.head(300))
    intents = intents_on(events, [Order(1, early, "A.X", "buy", 5, type="limit", price=9_999 * A.tick)])
    parts = [events.head(1), events.slice(1)]
    with pytest.raises(InputError, match="terms.matching: got 'auto'; orders were sent before the first such row"):
        simulate_chunks(parts, intents)
    said = VenueSpec(terms=TradingTerms(matching="orders"))
    same(simulate(events, intents, said), simulate_chunks(parts, intents, said))


@pytest.mark.skipif(JIT_OFF, reason="nothing is compiled")
def test_other_markets_do_not_load_the_matcher() -> None:
    """What is not asked for is not compiled either."""
    code = "import sys; from karat.kernels.market import engine; engine(); print('{}' in sys.modules)"
    for module, loaded in (("karat.kernels.market._l3", "False"), ("karat.kernels.market._advance", "True")):
        ran = subprocess.run([sys.executable, "-c", code.format(module)], capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == loaded


def test_two_instruments_have_two_books() -> None:
    """Ids of one are not ids of the other, also where a full book of one moves the other."""
    b = Instrument("B.X")
    both = merge_events(
        *(order_flow(max(500, ROWS // 3), seed=n, instrument=item).level3 for n, item in ((1, A), (2, b)))
    )
    orders = []
    for n, ts in enumerate(np.linspace(both.ts[300], both.ts[-1], 60, dtype=np.int64).tolist()):
        name = "A.X" if n % 2 else "B.X"
        price = (10_000 + (n % 5 - 2)) * A.tick
        orders.append(Order(n + 1, ts, name, "buy" if n % 3 else "sell", 3, type="limit", price=price))
    together = simulate(both, intents_on(both, orders))
    assert len(together.fill_rows) > 10
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_venue, "ROOM", (4, 2))
        same(together, simulate(both, intents_on(both, orders)), state=False)
    for item in (A, b):
        events = both.take(both.instrument == both.instruments.index(item))
        alone = simulate(events, intents_on(events, [one for one in orders if one.instrument == item.id]))
        rows = together.fill_rows[together.fill_rows[:, at.F_INSTRUMENT] == both.instruments.index(item)]
        pick = [at.F_ID, at.F_TS, at.F_PRICE, at.F_QTY]
        assert alone.fill_rows[:, pick].tolist() == rows[:, pick].tolist()


# -- what level 2 has too


@pytest.mark.req("OMS-07")
def test_a_slice_of_an_iceberg_goes_to_the_end_of_the_queue() -> None:
    """6 lots, 2 shown, behind 15. The execution of order 4 meets the first slice; the next one stands behind order 4.

    Order 5 stands behind that slice, which has 2 of the 4 lots; the last slice stands behind order 5.
    """
    rows = [*QUEUES, bid(2, 4, 99, 5), executed(3, 1, 99, 10), executed(4, 2, 99, 5), executed(5, 4, 99, 3)]
    rows += [executed(6, 4, 99, 2), bid(7, 5, 99, 9), executed(8, 5, 99, 4), executed(9, 5, 99, 5)]
    rows += [bid(10, 6, 99, 1), executed(11, 6, 99, 1)]
    made = Scenario(({"matcher": ORDERS},), (0,), rows, [limit(1, 1, BUY, 6, 99, display=2)])
    assert [(one.ts, one.qty) for one in batch(made).fills] == [(5, 2), (8, 2), (11, 1)]
    slices = Scenario(({"matcher": ORDERS},), (0,), [*QUEUES, ask(2, 14, 99, 5)], [limit(1, 1, BUY, 6, 100, display=2)])
    assert [(one.ts, one.qty) for one in batch(slices).fills] == [
        (2, 2),
        (2, 2),
        (2, 1),
    ]  # an offer takes slice by slice


def test_own_orders_meet_as_elsewhere() -> None:
    """Better venue prices first, then the own order at its price; prevention cancels what rests."""
    intents = [limit(1, 1, SELL, 4, 102), limit(2, 2, BUY, 36, 102)]
    made = Scenario(({"matcher": ORDERS},), (0,), QUEUES, intents)
    wanted = [(2, 101, 14, False), (2, 102, 20, False), (2, 102, 2, False), (1, 102, 2, True)]
    assert [(one.id, one.price, one.qty, one.maker) for one in batch(made).fills] == wanted
    intents[1][at.T_STP] = at.STP_CANCEL_RESTING
    assert [(one.id, one.qty) for one in batch(replace(made, intents=intents)).fills] == [(2, 14), (2, 20)]


def test_rules_see_executions_and_the_best_orders() -> None:
    """A fall of ten percent, shown by executions alone: short sales at the bid are refused, above it they are not."""
    ts = 1_709_562_600 * 10**9  # 2024-03-04, 14:30 UTC
    minute = 60 * 10**9
    rows: list[dict[str, Any]] = [
        {"ts": ts, "kind": "reference", "price": 2000},
        {"ts": ts, "kind": "status", "a": at.OPEN, "b": ts, "c": ts + 390 * minute},
    ]
    now, price, id_ = ts + 1, 2000, 0
    while True:
        id_ += 2
        rows += [
            {"ts": now, "kind": "add_bid", "price": price, "qty": 50, "a": id_},
            {"ts": now + 1, "kind": "add_ask", "price": price + 2, "qty": 50, "a": id_ + 1},
            {"ts": now + 2, "kind": "execute", "price": price, "qty": 1, "a": id_},
        ]
        if price == 1799:
            break
        rows += [{"ts": now + 3, "kind": "delete", "a": id_}, {"ts": now + 3, "kind": "delete", "a": id_ + 1}]
        now, price = now + 6 * minute, max(1799, price - price * 4 // 100)
    stream = events_from_rows(rows, A)
    orders = [
        Order(1, now + 10, "A.X", "sell", 5, type="limit", price=1799 * A.tick),
        Order(2, now + 11, "A.X", "sell", 5, type="limit", price=1800 * A.tick),
    ]
    spec = VenueSpec(terms=TradingTerms(rules=RuleTerms(tier=1)))
    run = simulate(stream, intents_on(stream, orders), spec)
    said = {row["order"]: row["reason"] for row in run.messages.to_dicts() if row["event"].startswith(("rej", "acc"))}
    assert "short" in said[1]
    assert not said[2]
    assert not any("never saw a session" in note for note in run.notes)


FAULTS: dict[str, tuple[dict[str, int | str], str]] = {
    "unknown": ({"kind": "delete", "a": 99}, "events.order: got 99; no such order is in the book"),
    "known": ({"kind": "add_bid", "price": 98, "qty": 1, "a": 1}, "events.order: got 1; an order of this id is in"),
    "too much": ({"kind": "execute", "price": 99, "qty": 9, "a": 1}, "events.order: got 1; more lots are taken than"),
    "crossed": ({"kind": "add_bid", "price": 103, "qty": 1, "a": 3}, "events.book: got 2; the bid is at or above"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_row_stops_the_market_before_it(name: str) -> None:
    """A book that own orders have emptied is not less crossed: what is checked is the venue's."""
    row, message = FAULTS[name]
    rows: list[dict[str, Any]] = [
        {"ts": 1, "kind": "add_bid", "price": 99, "qty": 5, "a": 1},
        {"ts": 1, "kind": "add_ask", "price": 101, "qty": 5, "a": 2},
        {"ts": 3, **row},
    ]
    stream = events_from_rows(rows, A)
    with pytest.raises(MarketStopped, match=rf"{message}.*row 2, A.X") as found:
        simulate(stream, intents_on(stream, [Order(1, 2, "A.X", "buy", 5)]))
    assert isinstance(found.value.partial, MarketRun)
    assert found.value.partial.fills["price"].to_list() == [1.01]
    assert found.value.partial.rows == 2


def test_what_orders_are_matched_on_must_be_clear(flow: OrderFlow) -> None:
    depth, level3 = flow.level2.head(60), flow.level3.head(200)
    with pytest.raises(InputError, match=r"single orders and quotes or depth of A.X'; leave the others out"):
        Market(merge_events(depth, level3))
    with pytest.raises(InputError, match=r"terms.matching: got 'depth'; A.X has rows of single orders.*level2_from_l"):
        Market(level3, VenueSpec(terms=TradingTerms(matching="depth")))
    bar = events_from_rows([{"ts": 5, "kind": "bar", "price": 5, "qty": 1, "a": 5, "b": 5, "c": 5, "d": 4}], A)
    with pytest.raises(InputError, match="bars and single orders of A.X'; allowed: one kind of market data each"):
        Market(merge_events(bar, level3))
    later = level3.take(level3.kind != at.DEPTH_CLEAR)
    with pytest.raises(InputError, match="depth and single orders of A.X'; allowed: one kind of market data each"):
        simulate_chunks([depth, replace_ts(later, int(depth.ts[-1]) + 1)])


def replace_ts(events: Events, start: int) -> Events:
    shift = start - int(events.ts[0])
    return Events(events.ts + shift, events.known_at + shift, events.kind, events.price, events.qty, (A,), a=events.a)


def test_a_snapshot_in_the_middle_of_a_queue_resumes() -> None:
    made = Scenario(({"matcher": ORDERS},), (0,), [*QUEUES, executed(3, 1, 99, 4)], [limit(1, 1, BUY, 5, 99)])
    engine_, other = noting(made), compiled(made)
    engine_.advance(2)
    place = int(engine_.block[engine_.block[at.H_AT_INSTRUMENTS] + at.I_VENUE_ORDERS])
    assert _l3.l3_ahead(engine_.block.ctypes.data + 8 * place, 1, 99, 10**6) == 15
    other.block[:] = engine_.block
    other.advance()
    assert other.block[place + _l3_layout.LIVE_ORDERS] == 6
    assert table(other.block, "orders").view(np.float64)[0, at.O_FRONT] == 11
