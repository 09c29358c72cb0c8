"""`simulate_chunks`: an event market over a stream that does not fit into memory, chunk by chunk.

Invariants:
1. Fills, messages, money and the state's hash are those of the whole stream at once, whatever the chunks' sizes.
2. Rows of one ts are taken together, also where a chunk ends between them.
3. Two chunks are in memory at a time, and everything the market recorded.

The equity is kept only where a chunk ends: after everything before the first ts of the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np

from karat.core import InputError, iso
from karat.data import EventChunks, Events
from karat.kernels.market import bind_orders, enlarge, table
from karat.kernels.market import layout as at
from karat.market._market import Market
from karat.market._orders import Intents
from karat.market._record import MarketRun
from karat.market._strategy import Context, Strategy
from karat.market._venue import ROOM, Range, VenueSpec, check_impact, matcher_of, takes, window_of

_DECLARED: Final = ("instruments", "basis", "price_quanta", "lot_quanta", "locked")
_COLUMNS: Final = ("ts", "known_at", "kind", "price", "qty", "instrument", "a", "b", "c", "d")


def simulate_chunks(
    chunks: EventChunks | Iterable[Events],
    intents: Intents | None = None,
    spec: VenueSpec | None = None,
    *,
    strategy: Strategy | None = None,
) -> MarketRun:
    """Return what intents, a strategy, or both would have done in the market of the chunks, read one after the other.

    intents: made with `intents_on` for any of the chunks. strategy: as in `run_strategy`; rows are numbered from the
    first chunk on. What an instrument is matched on shows in its first rows; where these come after the first order, or
    trades come before depth, its terms must say it (`matching`).

    Raises:
        InputError: no row, chunks that declare different things or run backwards, and what `VenueSpec` says.
        MarketStopped: at a faulty row; `partial` is what came before.

    Example:
        >>> from karat.data import Instrument, events_from_bars
        >>> from karat.market import Order, intents_on
        >>> prices = {"open": [10.0, 10.0], "high": [10.0, 11.0], "low": [10.0, 10.0], "close": [10.0, 11.0]}
        >>> events = events_from_bars({"ts": [1, 2]} | prices, Instrument("A.X"))
        >>> orders = intents_on(events, [Order(1, 1, "A.X", "buy", 5)])
        >>> simulate_chunks([events.head(1), events.slice(1)], orders).fills["quantity"].to_list()
        [5.0]
    """
    market: _ChunkMarket | None = None
    calls: _Calls | None = None
    for events, begins in _with_next(_pieces(chunks)):
        if market is None:
            market = _ChunkMarket(events, (spec or VenueSpec()).model_copy(update={"keep_equity": False}), intents)
            calls = None if strategy is None else _Calls(strategy, market)
        else:
            market.go_on(events)
        if calls is not None:
            calls.run(events, market.base, begins)
        market.finish(begins)
    if market is None:
        raise InputError("chunks", "no row", allowed="one row or more")
    return market.result()


class _ChunkMarket(Market):
    """A market that goes from one piece of a stream to the next; a subclass, because it moves what Market keeps."""

    def __init__(self, events: Events, spec: VenueSpec, intents: Intents | None) -> None:
        self._equity: list[tuple[int, int]] = []
        super().__init__(events, spec, intents)
        seen = events.contents
        self._shown: list[Range | None] = [shown for _, shown in seen]
        self._matched = [
            matcher_of(events, number, kinds, self.spec.of(events.instruments[number]).matching)
            for number, (kinds, _) in enumerate(seen)
        ]

    @property
    def base(self) -> int:
        """The number of the first row in memory."""
        return self._base

    def go_on(self, events: Events) -> None:
        """Take the next rows, with books that hold their prices."""
        self._collect()
        self._base += len(self.events)
        self._turn_to(events)
        self.block[at.H_ROW] = 0
        self._fit(events)

    def finish(self, begins: int | None) -> None:
        """Do everything before `begins`, the ts of the first row that is not in memory, or everything."""
        self.advance(None if begins is None else begins - 1)
        self._equity.append((int(self.events.ts[-1]), int(self._engine.equity(self._s))))

    def result(self) -> MarketRun:
        """Return what has happened so far; its events hold the declarations, no rows."""
        self._collect()
        none = self.events.take(np.zeros(0, dtype=np.int64))
        ends = np.array(self._equity, dtype=np.int64).reshape(-1, 2)
        rows = self._base + int(self.block[at.H_ROW])
        return MarketRun(
            none, self.spec, self.block.copy(), self._fills.rows, self._news.rows, ends[:, 1], ends[:, 0], rows
        )

    def _fit(self, events: Events) -> None:
        """Let matchers and books fit the rows to come."""
        windows: dict[int, Range] = {}
        rooms: dict[int, Range] = {}
        for number, (kinds, shown) in enumerate(events.contents):
            item = events.instruments[number]
            found = matcher_of(events, number, kinds, self.spec.of(item).matching)
            before = self._matched[number]
            if found not in (None, before) and not takes(before, kinds):
                self._rematch(number, item.id, found)
                rooms |= {number: ROOM} if found == at.ORDERS else {}
            grown = _union(self._shown[number], shown)
            if grown != self._shown[number] or number in rooms:
                windows[number] = window_of(grown, item.id)
                self._shown[number] = grown
        if windows or rooms:
            self._stand_on(enlarge(self.block, windows, rooms))
            bind_orders(self.block, new=False)

    def _rematch(self, number: int, name: str, found: int | None) -> None:
        row, before = table(self.block, "instruments")[number], self._matched[number]
        if before == at.BARS or (found == at.BARS and before is not None):
            raise InputError("events", f"bars and quotes or depth of {name}", allowed="one kind of market data each")
        if at.ORDERS in (before, found) and self._shown[number] is not None:  # an emptied book says nothing
            raise InputError("events", f"depth and single orders of {name}", allowed="one kind of market data each")
        if int(row[at.I_MATCHER]) != found and self.block[at.H_LAST_ID]:
            words = "'bars', 'quotes', 'depth' or 'orders'"
            why, fix = f"orders were sent before the first such row of {name} came", "say what it will be matched on"
            raise InputError("terms.matching", "auto", allowed=words, why=why, fix=fix)
        check_impact(self.spec.of(self.events.instruments[number]), name, found or before or at.BARS)
        row[at.I_MATCHER] = self._matched[number] = found


class _Calls:
    """Calls a strategy for each row when it becomes known, which may be after later rows have happened."""

    def __init__(self, strategy: Strategy, market: Market) -> None:
        self.strategy, self.context = strategy, Context(market)
        self.rows = np.zeros(0, dtype=np.int64)
        self.known = np.zeros(0, dtype=np.int64)

    def run(self, events: Events, base: int, begins: int | None) -> None:
        """Call for everything known before `begins`; the rest waits, with the rows it is about."""
        self.context.remember(events, base, int(self.rows[0]) if len(self.rows) else base)
        rows = np.concatenate([self.rows, np.arange(base, base + len(events))])
        known = np.concatenate([self.known, events.known_at])
        due = np.ones(len(rows), dtype=bool) if begins is None else known < begins
        self.rows, self.known = rows[~due], known[~due]
        order = np.argsort(known[due], kind="stable")
        context, strategy = self.context, self.strategy
        for row, context.now_ns in zip(rows[due][order].tolist(), known[due][order].tolist(), strict=True):
            strategy(context, row)


def _pieces(chunks: Iterable[Events]) -> Iterator[Events]:
    """Yield the rows of the chunks so that no ts is in two pieces.

    Raises:
        InputError: chunks that declare different things or run backwards.
    """
    held: list[Events] = []
    declared: Events | None = None
    for chunk in chunks:
        events, declared = chunk, declared or chunk
        for name in _DECLARED:
            if getattr(events, name) != getattr(declared, name):
                why = "a chunk declares it differently from the first"
                raise InputError(f"chunks.{name}", getattr(events, name), why=why, fix="make them equal")
        if not len(events):
            continue
        if held:
            last = int(held[0].ts[0])
            if events.ts[0] < last:
                raise InputError("chunks.ts", iso(int(events.ts[0])), why=f"the chunk before ends at {iso(last)}")
            cut = int(np.searchsorted(events.ts, last, side="right"))
            if cut:
                held.append(events.head(cut))
            if cut == len(events):
                continue
            yield _joined(held)
            events = events.slice(cut)
        start = int(np.searchsorted(events.ts, events.ts[-1]))
        if start:
            yield events.head(start)
        held = [events.take(np.arange(start, len(events)))]  # a copy: a view would keep the chunk alive
    if held:
        yield _joined(held)


def _joined(parts: list[Events]) -> Events:
    if len(parts) == 1:
        return parts[0]
    columns: dict[str, Any] = {}
    for name in _COLUMNS:
        own = [getattr(part, name) for part in parts]
        dtype = next((column.dtype for column in own if column is not None), None)
        if dtype is not None:
            filled = [np.zeros(len(part), dtype) if col is None else col for part, col in zip(parts, own, strict=True)]
            columns[name] = np.concatenate(filled)
    facts: dict[str, Any] = {name: getattr(parts[0], name) for name in _DECLARED}
    return Events(**columns, **facts, metadata=parts[0].metadata)


def _with_next(pieces: Iterator[Events]) -> Iterator[tuple[Events, int | None]]:
    """Yield each piece with the first ts of the next one, None for the last."""
    before: Events | None = None
    for piece in pieces:
        if before is not None:
            yield before, int(piece.ts[0])
        before = piece
    if before is not None:
        yield before, None


def _union(one: Range | None, other: Range | None) -> Range | None:
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])
