"""A raw capture of a crypto venue's feed: every line a receipt time and a message, as it came over the wire.

    1723161255088169167 {"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":…,"b":"61800.20",…}}

Messages: depthUpdate, bookTicker, trade, and snapshots of the book (`lastUpdateId`). `ts` is the venue's transaction
time `T`; `known_at` is the receipt on the venue's clock, by the estimated offset of the two clocks.

Invariants:
1. `known_at >= ts` for every row; the clock offset is in `Capture.clock` and in the events' metadata.
2. Depth begins with the snapshot and the updates that fit it (`sync_rows`); a gap is an error. What arrived before the
   snapshot becomes known with it: nobody had a book earlier.
3. Nothing is dropped but the depth updates that the snapshot already holds; `Capture.dropped` counts them.
4. `check_capture` rebuilds the book with plain code: gaps, crossed books, and agreement with the best quotes.
"""

from __future__ import annotations

import gzip
import zlib
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Annotated, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from karat.core import DataError, InputError, file_digests
from karat.data._clocks import ClockOffset, estimate_clock
from karat.data._depth_sync import sync_rows
from karat.data._event_builders import merge_events
from karat.data._event_tables import EventTable
from karat.data._events import KINDS, Events
from karat.data._files import check_file
from karat.data._instruments import Instrument
from karat.kernels.market import _layout as layout

Ints = NDArray[np.int64]

STREAMS: Final = ("depth", "quotes", "trades")
_NS_PER_MS: Final = 1_000_000
_KNOWN: Final = ("depthUpdate", "bookTicker", "trade", "a snapshot")


@dataclass(frozen=True)
class BookCheck:
    """What rebuilding a capture showed: gaps in the numbers, crossed books, comparisons with the best quote."""

    gaps: int
    crossed: int
    compared: int
    agreed: int

    @property
    def passed(self) -> bool:
        """Whether there is no gap, no crossed book, and every comparison agrees."""
        return self.gaps == self.crossed == 0 and self.compared == self.agreed > 0


@dataclass(frozen=True, eq=False)
class Capture:
    """A capture as events, with its clock and the venue's update numbers.

    update_rows: for each applied depth message the row after its last in `depth`; update_ids: its last number;
    update_before: the number it follows.
    quote_ids: the update number of each row of `quotes`. messages: counts as they came. dropped: depth updates that the
    snapshot already held.
    """

    events: Events
    depth: Events
    quotes: Events
    clock: ClockOffset
    update_rows: Ints
    update_ids: Ints
    update_before: Ints
    quote_ids: Ints
    messages: dict[str, int]
    dropped: int


_Stamp = Annotated[int, msgspec.Meta(ge=0, le=9_000_000_000_000)]  # ms; in ns it still fits an int64
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
_Level = tuple[str, str]
_Block = tuple[int, list[_Level]]  # kind and levels


class _Message(msgspec.Struct, tag_field="e", frozen=True):
    """What all messages of a feed carry: E when the venue sent it, T when it happened."""

    E: _Stamp
    T: _Stamp


class _Depth(_Message, tag="depthUpdate", frozen=True):
    U: _Number
    u: _Number
    b: list[_Level]
    a: list[_Level]
    pu: _Number | None = None


class _Quote(_Message, tag="bookTicker", frozen=True):
    u: _Number
    b: str
    B: str
    a: str
    A: str


class _Trade(_Message, tag="trade", frozen=True):
    p: str
    q: str
    m: bool


class _Envelope(msgspec.Struct, frozen=True):
    data: _Depth | _Quote | _Trade


class _Snapshot(msgspec.Struct, frozen=True):
    lastUpdateId: _Number
    E: _Stamp
    T: _Stamp
    bids: list[_Level]
    asks: list[_Level]


@dataclass(frozen=True)
class _Raw:
    """Decoded messages of each stream with their receipts."""

    depth: list[tuple[int, _Depth]]
    quotes: list[tuple[int, _Quote]]
    trades: list[tuple[int, _Trade]]
    snapshots: list[tuple[int, _Snapshot]]
    clock: ClockOffset


def read_capture(
    path: str | Path,
    instrument: Instrument,
    *,
    venue: str = "futures",
    streams: Sequence[str] = STREAMS,
    margin_ns: int = 0,
    remove_skew: bool = False,
) -> Capture:
    """Return a capture as events.

    venue: whose rules join snapshot and updates. margin_ns: smallest true delay of the feed, added to the clock's
    offset. remove_skew: whether the drift of the clocks is taken off too.

    Raises:
        InputError: no such file, or a stream or option that does not exist. DataError: a line that is no message, a
        gap, no snapshot, or a row that breaks a rule.
    """
    for name in streams:
        if name not in STREAMS:
            raise InputError("streams", name, allowed=STREAMS)
    check_file(Path(path))
    raw = _decode(Path(path), margin_ns, remove_skew)
    facts = {
        "source": "capture",
        "origin": f"{Path(path).name} sha256:{file_digests(Path(path))[0]}",
        "clock": asdict(raw.clock),
    }
    depth, update_rows, numbers, dropped = _depth(raw, instrument, venue, facts)
    quotes = _quotes(raw, instrument, facts)
    made = {"depth": depth, "quotes": quotes, "trades": _trades(raw, instrument, facts)}
    chosen = [made[name] for name in STREAMS if name in streams]
    return Capture(
        events=_marked(merge_events(*chosen), facts),
        depth=depth,
        quotes=quotes,
        clock=raw.clock,
        update_rows=update_rows,
        update_ids=numbers[:, 1],
        update_before=numbers[:, 0],
        quote_ids=np.array([data.u for _, data in raw.quotes], np.int64),
        messages={name: len(getattr(raw, name)) for name in (*STREAMS, "snapshots")},
        dropped=dropped,
    )


def check_capture(capture: Capture) -> BookCheck:
    """Rebuild the book of a capture with plain code and compare it with the best quotes.

    After every applied depth message the best prices and sizes are compared with the last quote whose update number is
    not larger.
    """
    levels: list[dict[int, int]] = [{}, {}]
    prices: list[list[int]] = [[], []]
    quote = np.searchsorted(capture.quote_ids, capture.update_ids, side="right") - 1
    kind, price, qty = (column.tolist() for column in (capture.depth.kind, capture.depth.price, capture.depth.qty))
    quotes = capture.quotes.to_frame()
    best = [list(row) for row in quotes.select("price", "qty", "a", "b").iter_rows()]
    crossed = compared = agreed = row = 0
    for end, last in zip(capture.update_rows.tolist(), quote.tolist()):
        for i in range(row, end):
            _apply(levels, prices, kind[i], price[i], qty[i])
        row = end
        bid, ask = prices[0][-1] if prices[0] else 0, prices[1][0] if prices[1] else 2**62
        crossed += bid >= ask
        if last >= 0:
            compared += 1
            agreed += best[last] == [bid, levels[0].get(bid, 0), ask, levels[1].get(ask, 0)]
    gaps = int(np.count_nonzero(capture.update_before[1:] != capture.update_ids[:-1]))
    return BookCheck(gaps, crossed, compared, agreed)


def _apply(levels: list[dict[int, int]], prices: list[list[int]], kind: int, price: int, qty: int) -> None:
    if kind == layout.DEPTH_CLEAR:
        for k in (0, 1):
            levels[k].clear()
            prices[k].clear()
        return
    k = kind - layout.DEPTH_BID
    if qty and price not in levels[k]:
        insort(prices[k], price)
    if qty:
        levels[k][price] = qty
    elif levels[k].pop(price, None) is not None:
        del prices[k][bisect_left(prices[k], price)]


def _decode(path: Path, margin_ns: int, remove_skew: bool) -> _Raw:
    """Return the messages of a file by stream, and the clock from all that the venue pushed."""
    depth: list[tuple[int, _Depth]] = []
    quotes: list[tuple[int, _Quote]] = []
    trades: list[tuple[int, _Trade]] = []
    snapshots: list[tuple[int, _Snapshot]] = []
    stamps: list[tuple[int, int]] = []
    for at, message in _messages(path):
        if isinstance(message, _Snapshot):
            snapshots.append((at, message))
            continue
        stamps.append((max(message.E, message.T) * _NS_PER_MS, at))
        if isinstance(message, _Depth):
            depth.append((at, message))
        elif isinstance(message, _Quote):
            quotes.append((at, message))
        else:
            trades.append((at, message))
    if not stamps:
        raise DataError(path.name, "there are messages", seen="0 messages", fix="the file is empty: check it")
    sent, received = np.array(stamps, np.int64).T
    clock = estimate_clock(sent, received, margin_ns=margin_ns, remove_skew=remove_skew)
    return _Raw(depth, quotes, trades, snapshots, clock)


def _messages(path: Path) -> Iterator[tuple[int, _Depth | _Quote | _Trade | _Snapshot]]:
    """Yield receipt in ns and message; empty lines separate messages."""
    pushed = msgspec.json.Decoder(_Envelope).decode
    asked = msgspec.json.Decoder(_Snapshot).decode
    number = before = 0
    try:
        with _open(path) as stream:
            for line in stream:
                number += 1
                stamp, _, text = line.partition(b" ")
                if not line.strip():
                    continue
                at = int(stamp)
                if not before <= at < 2**63:
                    raise ValueError(f"receipt {at} after {before}")
                before = at
                yield at, asked(text) if text.startswith(b'{"lastUpdateId"') else pushed(text).data
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        fix = f"a line is a receipt time in ns that does not run back, a space, and a message: {', '.join(_KNOWN)}"
        where = f"line {number + (not isinstance(error, ValueError))}"
        raise DataError(path.name, "readable as a capture", rows=[where], seen=str(error), fix=fix) from None


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _depth(raw: _Raw, instrument: Instrument, venue: str, facts: dict[str, Any]) -> tuple[Events, Ints, Ints, int]:
    """Return depth rows from the first snapshot on, and where each applied message ends."""
    if not raw.snapshots:
        raise DataError(
            "capture", "there is a snapshot", seen="none", fix="begin the capture with a snapshot of the book"
        )
    at, snapshot = raw.snapshots[0]
    numbers = [{"U": data.U, "u": data.u, "pu": data.pu} for _, data in raw.depth]
    dropped, applied = sync_rows(snapshot.lastUpdateId, numbers, venue)
    begin_ts, begin_known = snapshot.T * _NS_PER_MS, at
    stamps, receipts = [begin_ts], [begin_known]
    blocks: list[_Block] = [(layout.DEPTH_CLEAR, [("1", "0")])]
    blocks += [(layout.DEPTH_BID, snapshot.bids), (layout.DEPTH_ASK, snapshot.asks)]
    counts = [1 + len(snapshot.bids) + len(snapshot.asks)]
    for k in applied:
        received, data = raw.depth[k]
        stamps.append(max(data.T * _NS_PER_MS, begin_ts))
        receipts.append(max(received, begin_known))
        blocks += [(layout.DEPTH_BID, data.b), (layout.DEPTH_ASK, data.a)]
        counts.append(len(data.b) + len(data.a))
    events = _rows(raw, instrument, facts, np.repeat(stamps, counts), np.repeat(receipts, counts), blocks)
    ends = np.cumsum(counts)[1:]
    messages = [raw.depth[k][1] for k in applied]
    ids = [(item.pu if item.pu is not None and venue == "futures" else item.U - 1, item.u) for item in messages]
    return events, ends, np.array(ids, np.int64).reshape(-1, 2), len(dropped)


def _rows(
    raw: _Raw, instrument: Instrument, facts: dict[str, Any], ts: Ints, received: Ints, blocks: list[_Block]
) -> Events:
    """Return depth rows of blocks of levels, each of one kind."""
    kind = np.repeat(np.array([kind for kind, _ in blocks], np.int8), [len(levels) for _, levels in blocks])
    pairs = [pair for _, levels in blocks for pair in levels]
    clear = kind == layout.DEPTH_CLEAR
    table = _table(instrument, ts, {"price": [p for p, _ in pairs], "size": [q for _, q in pairs]})
    price = table.prices("price")
    price[clear] = 0
    known = np.asarray(raw.clock.corrected(received))
    return Events(ts, known, kind, price, table.sizes("size"), (instrument,), metadata=facts)


def _quotes(raw: _Raw, instrument: Instrument, facts: dict[str, Any]) -> Events:
    ts, known, columns = _columns(raw, raw.quotes, {"bid": "b", "bid_size": "B", "ask": "a", "ask_size": "A"})
    table = _table(instrument, ts, columns)
    bid, ask = table.prices("bid"), table.prices("ask")
    kind = np.full(len(ts), KINDS["quote"], np.int8)
    sizes: dict[str, Any] = {"qty": table.sizes("bid_size"), "b": table.sizes("ask_size")}
    return Events(ts, known, kind, bid, instruments=(instrument,), a=ask, metadata=facts, **sizes)


def _trades(raw: _Raw, instrument: Instrument, facts: dict[str, Any]) -> Events:
    """`m` says that the buyer was the maker, so the seller aggressed."""
    ts, known, columns = _columns(raw, raw.trades, {"price": "p", "size": "q"})
    table = _table(instrument, ts, columns)
    sold = np.array([data.m for _, data in raw.trades], np.bool_)
    kind = np.where(sold, KINDS["trade_sell"], KINDS["trade_buy"]).astype(np.int8)
    return Events(ts, known, kind, table.prices("price"), table.sizes("size"), (instrument,), metadata=facts)


def _columns(
    raw: _Raw, messages: Sequence[tuple[int, _Quote | _Trade]], names: dict[str, str]
) -> tuple[Ints, Ints, dict[str, list[str]]]:
    ts = np.array([data.T for _, data in messages], np.int64) * _NS_PER_MS
    known = raw.clock.corrected([at for at, _ in messages])
    return ts, known, {name: [getattr(data, key) for _, data in messages] for name, key in names.items()}


def _table(instrument: Instrument, ts: Ints, columns: dict[str, list[str]]) -> EventTable:
    """Return a table of texts as numbers: each is the float64 nearest to its decimal, far closer than a tick."""
    numbers = {name: _numbers(values) for name, values in columns.items()}
    return EventTable("capture", {"ts": ts, **numbers}, instrument)


def _numbers(values: list[str]) -> NDArray[np.float64]:
    try:
        return np.array(values, np.str_).astype(np.float64)
    except ValueError as error:
        raise DataError("capture", "prices and sizes are numbers", seen=str(error), fix="correct the message") from None


def _marked(events: Events, facts: dict[str, Any]) -> Events:
    columns: dict[str, Any] = {
        item: getattr(events, item) for item in ("ts", "known_at", "kind", "price", "qty", "a", "b")
    }
    return Events(**columns, instruments=events.instruments, metadata=facts)
