"""Level-3 books from event streams: rebuild, look, and aggregate to level 2.

Invariants:
1. Every row is applied by the compiled book; a row that does not fit (an unknown or known id, more lots taken than
   there are, a crossed book) is a `DataError` with the row.
2. `level2_from_level3` gives, after every row of the level-3 stream, a level-2 book with the same prices and lots.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from karat.core import DataError, InputError
from karat.data._event_rules import row_text
from karat.data._events import Events
from karat.kernels.market import _layout as layout

Ints = NDArray[np.int64]

_SIDES: Final = {"bid": 1, "ask": -1}
_SMALL: Final = 4096
_CODES: Final = {
    1: ("the order is in the book", "the stream misses the row that added it"),
    2: ("order ids are used once at a time", "the stream misses the row that removed it"),
    4: ("no more lots are taken than there are", "correct the size"),
    5: ("sizes are above zero", "correct the size"),
    6: ("the book is not crossed", "the stream misses an execution or a removal"),
}


class Level3Book:
    """The book of one instrument, rebuilt from the level-3 rows of a stream.

    Raises:
        DataError: a row that does not fit the book. InputError: an instrument that the stream does not have.

    Example:
        >>> from karat.data import order_flow
        >>> book = Level3Book(order_flow(100, seed=1).level3)
        >>> book.best("bid") < book.best("ask")
        True
    """

    def __init__(self, events: Events, instrument: int = 0) -> None:
        from karat.kernels.market import _l3, _l3_layout

        self._l3, self._records = _l3, _l3_layout
        self.events = _one(events, instrument)
        capacity = _SMALL
        while True:
            self._words = np.zeros(_l3_layout.l3_words(capacity, capacity), np.int64)
            self._at = self._words.ctypes.data
            _l3.l3_init(self._at, capacity, capacity)
            rows = len(self.events)
            stopped = _l3.l3_replay(self._at, self.events.table.ctypes.data, 0, rows) if rows else 0
            if stopped == rows:
                return
            code = int(self._words[_l3_layout.HEADER - 1])
            if code != _l3_layout.FULL:
                raise refused(self.events, stopped, code)
            capacity *= 4

    def best(self, side: str) -> int | None:
        """Return the best price of `bid` or `ask` in ticks, None where nobody is."""
        price = int(self._l3.l3_best(self._at, _side(side)))
        return None if price == layout.NONE else price

    def depth(self, side: str, levels: int = 1_000_000) -> pl.DataFrame:
        """Return the levels of a side, best first: price (ticks), qty (lots), count (orders)."""
        most = min(levels, int(self._words[self._records.LIVE_LEVELS]))
        out = np.zeros((most, 3), np.int64)
        there = self._l3.l3_depth(self._at, _side(side), out.ctypes.data, most)
        return pl.DataFrame(out[:there], schema=["price", "qty", "count"])

    def walk(self, side: str, qty: int) -> tuple[int, int, int | None]:
        """Return what a market order against a side would take: lots, sum of price times lots, and the last price.

        side: of the resting orders that are taken, `ask` for a buyer. Fewer lots than asked for: the side is used up.

        Raises:
            InputError: a quantity below one.
        """
        if qty < 1:
            raise InputError("qty", qty, allowed="1 or more")
        price, lots = self.depth(side).select("price", "qty").to_numpy().T
        taken = np.clip(qty - (np.cumsum(lots) - lots), 0, lots)
        reached = np.flatnonzero(taken)
        last = int(price[reached[-1]]) if len(reached) else None
        return int(taken.sum()), int((taken * price).sum()), last

    def ahead(self, order_id: int) -> int:
        """Return the lots that stand before an order in its queue.

        Raises:
            InputError: an id that is not in the book.
        """
        lots = int(self._l3.l3_ahead_of(self._at, order_id))
        if lots < 0:
            raise InputError("order_id", order_id, why="it is not in the book", allowed="the id of a resting order")
        return lots

    def orders(self) -> pl.DataFrame:
        """Return every order: id, side (1 bid, -1 ask), price, qty, place; by side, price from the best, place."""
        l3, words = self._records, self._words
        first_order, first_level = int(words[l3.AT_ORDERS]), int(words[l3.AT_LEVELS])
        table = words[l3.HEADER : first_order]
        numbers = table[: int(words[l3.ORDER_MASK]) + 1]
        live = numbers[numbers > 0] - 1
        records = words[first_order:first_level].reshape(-1, l3.ORDER)[live]
        levels = words[first_level:].reshape(-1, l3.LEVEL)[records[:, l3.O_LEVEL]]
        side, price = levels[:, l3.L_SIDE], levels[:, l3.L_PRICE]
        frame = pl.DataFrame(
            {
                "id": records[:, l3.O_ID],
                "side": side,
                "price": price,
                "qty": records[:, l3.O_QTY],
                "place": records[:, l3.O_SEQUENCE],
            }
        )
        return frame.sort(pl.col("side"), pl.col("price") * pl.col("side"), -pl.col("place"), descending=True)


def level2_from_level3(events: Events) -> Events:
    """Return the level-2 stream of a level-3 stream: depth rows with whole sizes, and a trade for every execution.

    Rows that are not level 3 stay as they are.

    Raises:
        DataError: a row that does not fit the book.
    """
    parts = [_aggregated(events, k) for k in range(len(events.instruments))]
    joined = [np.concatenate([part[i] for part in parts]) for i in range(4)]
    order = np.argsort(joined[3], kind="stable")
    kind, price, qty, origin = (column[order] for column in joined)
    names = ("instruments", "basis", "price_quanta", "lot_quanta", "locked")
    declared: dict[str, Any] = {name: getattr(events, name) for name in names}
    other = (kind < layout.TRADE) | (kind > layout.DEPTH_CLEAR)
    columns: dict[str, Any] = {
        name: np.where(other, column[origin], 0)
        for name in ("a", "b", "c", "d")
        if (column := getattr(events, name)) is not None and bool(other.any())
    }
    return Events(
        ts=events.ts[origin],
        known_at=events.known_at[origin],
        kind=kind.astype(np.int8),
        instrument=None if events.instrument is None else events.instrument[origin],
        price=price,
        qty=qty,
        **columns,
        **declared,
        metadata={**events.metadata, "aggregated": "level 3 to level 2"},
    )


def refused(events: Events, row: int, code: int) -> DataError:
    """Return the error of a row that the book did not take."""
    rule, fix = _CODES[code]
    order_id = int(events.a[row]) if events.a is not None else 0
    seen = f"order {order_id}, price {int(events.price[row])}, size {int(events.qty[row])}"
    return DataError("level 3", rule, rows=[row_text(events, row)], seen=seen, fix=fix)


def _aggregated(events: Events, instrument: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Return kind, price, qty and row of origin of one instrument's level-2 rows."""
    from karat.kernels.market import _flow, _l3, _l3_layout

    mine = np.arange(len(events)) if events.instrument is None else np.flatnonzero(events.instrument == instrument)
    own = _one(events, instrument)
    kind = own.kind.astype(np.int64)
    table = own.table.copy()
    table[layout.V_KIND] = kind.ctypes.data
    ids = np.zeros(len(own), np.int64) if own.a is None else own.a
    table[layout.V_A] = ids.ctypes.data
    out = np.zeros(layout.COLUMNS, np.int64)
    columns = np.zeros((4, 2 * len(own)), np.int64)
    for place, column in zip((layout.V_KIND, layout.V_PRICE, layout.V_QTY, layout.V_A), columns):
        out[place] = column.ctypes.data
    capacity = _SMALL
    while True:
        words = np.zeros(_l3_layout.l3_words(capacity, capacity), np.int64)
        _l3.l3_init(words.ctypes.data, capacity, capacity)
        out[0] = 0
        stopped = _flow.aggregate_rows(words.ctypes.data, table.ctypes.data, out.ctypes.data, 0, len(own))
        if stopped == len(own):
            rows = int(out[0])
            return columns[0, :rows], columns[1, :rows], columns[2, :rows], mine[columns[3, :rows]]
        code = int(words[_l3_layout.HEADER - 1])
        if code != _l3_layout.FULL:
            raise refused(own, stopped, code)
        capacity *= 4


def _one(events: Events, instrument: int) -> Events:
    if not 0 <= instrument < len(events.instruments):
        raise InputError("instrument", instrument, allowed=f"0 to {len(events.instruments) - 1}")
    return events if events.instrument is None else events.take(events.instrument == instrument)


def _side(side: str) -> int:
    if side not in _SIDES:
        raise InputError("side", side, allowed=tuple(_SIDES))
    return _SIDES[side]
