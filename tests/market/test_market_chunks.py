"""Streams in chunks are the stream at once: fills, messages, money and state, whatever the chunks' sizes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from karat.core import InputError, MarketStopped
from karat.data import (
    Events,
    Instrument,
    events_from_bars,
    events_from_depth,
    events_from_trades,
    merge_events,
    order_flow,
    write_events,
)
from karat.kernels.market import Sizes, Terms, enlarge, new_block, table
from karat.kernels.market import layout as at
from karat.market import (
    Context,
    Intents,
    LogNormalLatency,
    Market,
    MarketRun,
    Order,
    PowerQueue,
    RateFee,
    TradingTerms,
    VenueSpec,
    intents_on,
    simulate,
    simulate_chunks,
)

A = Instrument("A.X")
DELAYED = TradingTerms(
    fee=RateFee(maker_bps=-1, taker_bps=4),
    queue=PowerQueue(),
    entry=LogNormalLatency(mu=0.0, sigma=0.5, unit_ns=1e7),
    response=LogNormalLatency(mu=0.0, sigma=0.5, unit_ns=1e7),
)


def same(one: MarketRun, other: MarketRun) -> None:
    assert one.fill_rows.tolist() == other.fill_rows.tolist()
    assert one.news_rows.tolist() == other.news_rows.tolist()
    assert one.money == other.money
    assert one.state_hash == other.state_hash
    assert one.rows == other.rows


def flow(rows: int) -> Events:
    return order_flow(rows, seed=5, instrument=A).level2


def maker(events: Events) -> Intents:
    """Return orders that rest around the first price, and some that take."""
    price, orders = int(events.price[events.price > 0][0]), []
    for number, ts in enumerate(np.linspace(events.ts[0], events.ts[-1], 200, dtype=np.int64).tolist()):
        side = "buy" if number % 2 else "sell"
        away = -1 if side == "buy" else 1
        level = (price + away * (number % 7)) / 100
        orders.append(Order(number + 1, ts, "A.X", side, 3, type="limit", price=round(level, 2), force="gtc"))
    return intents_on(events, orders)


def chunks(events: Events, size: int) -> list[Events]:
    return [events.slice(first, first + size) for first in range(0, len(events), size)]


@pytest.mark.parametrize("size", [7, 100, 1_111, 10**6])
def test_depth_in_chunks_with_books_that_grow(size: int) -> None:
    """The window of the book follows the prices: what is not known of the stream is made room for when it comes."""
    events = flow(4_000)
    intents, spec = maker(events), VenueSpec(terms=DELAYED, open_orders=512)
    whole = simulate(events, intents, spec)
    assert len(whole.fill_rows) > 20
    drifted = VenueSpec(terms=DELAYED.model_copy(update={"matching": "depth"}), open_orders=512)
    same(whole, simulate_chunks(chunks(events, size), intents, drifted))


@pytest.mark.req("SIM-21")
def test_prices_that_leave_the_first_window() -> None:
    """The book moves by 5,000 ticks in every chunk, further than the room around its first prices."""
    ts = np.arange(1, 401)
    step = (ts - 1) // 40
    price = 100.0 + 50.0 * step
    sides = np.array(["bid", "ask"] * 200)
    price = np.round(np.where(sides == "bid", price, price + 0.02), 2)
    size = np.full(400, 5)
    size[39::40] = 0  # the old ask goes before the new bid comes
    events = events_from_depth({"ts": ts, "side": sides, "price": price, "size": size}, A)
    orders = [
        Order(k + 1, 40 * k + 5, "A.X", "buy", 2, type="limit", price=float(price[40 * k] + 5)) for k in range(10)
    ]
    intents = intents_on(events, orders)
    whole = simulate(events, intents)
    assert len(whole.fill_rows) == 10
    for length in (40, 13, 97):
        same(whole, simulate_chunks(chunks(events, length), intents))


def test_enlarging_keeps_everything() -> None:
    """2 of _resize: also where the market is in the middle of things, and for one of several instruments."""
    events = flow(3_000)
    intents, spec = maker(events), VenueSpec(terms=DELAYED, open_orders=512)
    whole = simulate(events, intents, spec)
    market = Market(events, spec, intents)
    market.advance(steps=1_500)
    book = table(market.block, "instruments")[0, at.I_BOOK]
    low, slots = (int(market.block[book + place]) for place in (at.B_LOW, at.B_SLOTS))
    before = market.block.copy()
    market._stand_on(enlarge(market.block, {0: (low - 300, slots + 1_000)}))
    assert len(market.block) == len(before) + 4 * 1_000
    narrow = enlarge(market.block, {0: (low, slots)})
    assert narrow.tolist() == before.tolist()
    market.advance()
    run = market.result()
    assert run.fill_rows.tolist() == whole.fill_rows.tolist()
    assert run.money == whole.money
    with pytest.raises(ValueError, match="the book of instrument 0 shows prices outside it"):
        enlarge(before, {0: (low, 3)})


def test_a_new_book_lies_where_it_would_have_lain() -> None:
    """Blocks made with the books and blocks that got them later are the same words."""
    fee = (1, (7, 8, 9))

    def block(*books: tuple[int, int] | None) -> list[int]:
        terms = [Terms(matcher=at.DEPTH, fee=fee, book=book) for book in books]
        return new_block(terms, [5], sizes=Sizes(orders=4, queue=4, fills=4, news=4)).tolist()

    def grown(windows: dict[int, tuple[int, int]], *books: tuple[int, int] | None) -> list[int]:
        return enlarge(np.array(block(*books), dtype=np.int64), windows).tolist()

    full = block((3, 4), (5, 6), (7, 8))
    assert grown({0: (3, 4), 1: (5, 6), 2: (7, 8)}, None, None, None) == full
    assert grown({1: (5, 6)}, (3, 4), None, (7, 8)) == full
    assert grown({0: (3, 4), 2: (7, 8)}, (3, 1), (5, 6), None) == full


def test_several_instruments_come_one_after_the_other() -> None:
    """Quotes of nothing, depth of B from the middle on: matched as at once, or the terms must say it."""
    b = Instrument("B.X")
    first = events_from_bars(
        {name: [10.0] * 6 for name in ("open", "high", "low", "close")} | {"ts": range(1, 7), "start": range(6)}, A
    )
    depth = events_from_depth(
        {"ts": [4, 4, 5], "side": ["bid", "ask", "bid"], "price": [5.0, 5.02, 5.01], "size": [9, 9, 9]}, b
    )
    events = merge_events(first, depth)
    late = intents_on(events, [Order(1, 4, "B.X", "buy", 2), Order(2, 5, "A.X", "buy", 2)])
    same(simulate(events, late), simulate_chunks(chunks(events, 2), late))
    early = intents_on(events, [Order(1, 1, "A.X", "buy", 2)])
    with pytest.raises(
        InputError, match="terms.matching: got 'auto'; orders were sent before the first such row of B.X"
    ):
        simulate_chunks(chunks(events, 2), early)
    said = VenueSpec(terms_of={"B.X": TradingTerms(matching="depth")})
    same(simulate(events, early, said), simulate_chunks(chunks(events, 2), early, said))


def test_trades_before_the_first_depth() -> None:
    trades = events_from_trades({"ts": [1, 2, 7], "price": [5.0, 5.01, 5.03], "size": [3, 3, 3]}, A)
    depth = events_from_depth(
        {"ts": [4, 4, 5], "side": ["bid", "ask", "bid"], "price": [5.0, 5.02, 5.01], "size": [9, 9, 9]}, A
    )
    events = merge_events(trades, depth)
    orders = intents_on(events, [Order(1, 5, "A.X", "buy", 2)])
    same(simulate(events, orders), simulate_chunks(chunks(events, 1), orders))


def test_equity_is_kept_where_a_chunk_ends() -> None:
    columns = {name: [10.0, 11.0, 12.0, 13.0] for name in ("open", "high", "low", "close")}
    events = events_from_bars(columns | {"ts": [1, 2, 3, 4], "start": [0, 1, 2, 3]}, A)
    run = simulate_chunks(chunks(events, 2), intents_on(events, [Order(1, 1, "A.X", "buy", 1)]))
    assert run.equity.rows() == [(1, 1_000_000.0), (2, 1_000_000.0), (3, 1_000_001.0), (4, 1_000_002.0)]
    assert len(run.events) == 0
    assert run.fills["row"].to_list() == [1]


def test_what_is_wrong_with_chunks_is_told() -> None:
    columns = {name: [10.0, 11.0] for name in ("open", "high", "low", "close")}
    events = events_from_bars(columns | {"ts": [1, 2], "start": [0, 1]}, A)
    other = events_from_bars(columns | {"ts": [3, 4], "start": [2, 3]}, Instrument("B.X"))
    with pytest.raises(InputError, match="chunks: got 'no row'"):
        simulate_chunks([events.head(0)])
    with pytest.raises(
        InputError, match="chunks.instruments: .*declares it differently from the first; make them equal"
    ):
        simulate_chunks([events, other])
    with pytest.raises(InputError, match="chunks.ts: .*the chunk before ends at 1970-01-01T00:00:00.000000002Z"):
        simulate_chunks([events, events])
    crossing = {
        "ts": [1, 1, 2, 3],
        "side": ["bid", "ask", "bid", "bid"],
        "price": [9.9, 10.0, 9.8, 10.02],
        "size": [5] * 4,
    }
    with pytest.raises(MarketStopped, match=r"row 3, A.X") as found:
        simulate_chunks(chunks(events_from_depth(crossing, A), 1))
    partial = found.value.partial
    assert isinstance(partial, MarketRun)
    assert partial.rows == 3


def test_chunks_on_disk_with_a_strategy(tmp_path: Path) -> None:
    """A stored stream, and a strategy that looks at every row as it becomes known."""
    events = flow(3_000)
    calls: list[int] = []

    def strategy(context: Context, row: int) -> None:
        assert context.row(row)["ts"] <= context.now_ns
        if row % 500 == 400:
            context.target(quantity=row % 7)
        calls.append(row)

    spec = VenueSpec(terms=DELAYED.model_copy(update={"matching": "depth"}))
    stored = write_events(tmp_path / "flow", events, chunk_rows=700)
    run = simulate_chunks(stored, spec=spec, strategy=strategy)
    assert calls == list(range(len(events)))
    again = simulate_chunks([events], spec=spec, strategy=strategy)
    same(run, again)
    assert len(run.fill_rows) > 5


_STREAM = """
import sys
from karat.data import EventChunks
from karat.market import Order, TradingTerms, VenueSpec, intents_on, simulate_chunks

chunks = EventChunks(sys.argv[1])
first = next(iter(chunks))
price = int(first.price[first.price > 0][0])
span = int(sys.argv[2])
orders = [
    Order(k + 1, int(first.ts[0]) + k * span // 500, "A.X", "buy" if k % 2 else "sell", 3, type="limit",
          price=(price + (-1 if k % 2 else 1) * (k % 5)) / 100)
    for k in range(500)
]
intents = intents_on(first, orders)
del first
run = simulate_chunks(chunks, intents, VenueSpec(terms=TradingTerms(matching="depth")))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(run.rows, len(run.fill_rows), int(peak.split()[1]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_fifty_million_rows_stream_in_bounded_memory(tmp_path: Path) -> None:
    """A million generated rows fifty times, each time later, from Parquet: under 1.5 GB in a process of its own."""
    piece, repeats = flow(950_000).head(1_000_000), 50
    rows, span = len(piece), int(piece.ts[-1] - piece.ts[0]) + 10**9

    def later(number: int) -> Events:
        columns: dict[str, Any] = {name: getattr(piece, name) for name in ("kind", "price", "qty", "a")}
        shift = number * span
        return Events(piece.ts + shift, piece.known_at + shift, **columns, instruments=(A,))

    write_events(tmp_path / "stream", (later(number) for number in range(repeats)), chunk_rows=1_000_000)
    command = [sys.executable, "-c", _STREAM, str(tmp_path / "stream"), str(span * repeats)]
    made = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
    done, fills, peak_kib = map(int, made.stdout.split())
    assert done == rows * repeats == 50_000_000
    assert fills > 100
    assert peak_kib < 1_500_000


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_rows_of_one_time_are_taken_together(size: int) -> None:
    """The new bid comes before the old ask goes, at one time: the book is not crossed, wherever a chunk ends."""
    sides, price = ["bid", "ask", "bid", "ask", "ask"], [9.9, 10.0, 10.0, 10.0, 10.1]
    events = events_from_depth({"ts": [1, 1, 2, 2, 2], "side": sides, "price": price, "size": [5, 5, 5, 0, 5]}, A)
    orders = intents_on(events, [Order(1, 1, "A.X", "buy", 1), Order(2, 2, "A.X", "buy", 1)])
    run = simulate_chunks(chunks(events, size), orders)
    assert run.fills["price"].to_list() == [10.0, 10.1]
    same(simulate(events, orders), run)
