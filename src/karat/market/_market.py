"""`Market`: an event market by hand. Send, cancel, amend, advance to a time, look, snapshot and go back.

Invariants:
1. The same orders at the same times give the same state however `advance` is cut: to the end, to times, in steps.
2. `snapshot()` is a copy of the whole state; `restore` takes the market back to it.
3. A faulty row raises `MarketStopped`; what came before stays readable, in the market and in the error's `partial`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from karat._words import counted
from karat.core import InputError, MarketStopped
from karat.data import Events
from karat.kernels.market import Block, engine, enlarge, mark_read, more_room, table
from karat.kernels.market import layout as at
from karat.market._faults import fault_of
from karat.market._kept import Kept
from karat.market._orders import Intent, Intents, Ints, Steps
from karat.market._record import MarketRun
from karat.market._venue import VenueSpec, first_block

_STEPS = 1 << 60
_ROW = struct.Struct(f"={at.INTENT}q")
_SPARE = 8
_SHAPE = slice(at.H_CURRENCIES, at.H_NEWS + 1)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A market's whole state at a moment, with what it had recorded."""

    block: Block
    fills: Ints
    news: Ints
    equity: Ints | None


class Market:
    """A market over events; orders are sent to it while it is advanced, or given beforehand as intents.

    Raises:
        InputError: instruments, currencies or quanta that do not fit; see `VenueSpec`.

    Example:
        >>> from karat.data import Instrument, events_from_bars
        >>> from karat.market import Order
        >>> prices = {"open": [10.0, 10.0], "high": [10.0, 11.0], "low": [10.0, 10.0], "close": [10.0, 11.0]}
        >>> market = Market(events_from_bars({"ts": [1, 2]} | prices, Instrument("A.X")))
        >>> market.send(Order(1, 1, "A.X", "buy", 5))
        >>> market.advance()
        >>> market.position("A.X"), market.equity
        (Decimal('5'), Decimal('1000005.00000000'))
    """

    def __init__(self, events: Events, spec: VenueSpec | None = None, intents: Intents | None = None) -> None:
        self.spec = spec or VenueSpec()
        self._engine = engine()
        self._fills, self._news = Kept(at.FILL), Kept(at.NEWS)
        self._intents = np.zeros((0, at.INTENT), np.int64) if intents is None else np.ascontiguousarray(intents.rows)
        self._base = 0  # rows of a stream that came before these events
        row = np.zeros(at.INTENT, dtype=np.int64)
        self._scratch, self._t = row.data, row.ctypes.data
        self._steps = Steps(events)
        self._turn_to(events)
        self._stand_on(first_block(self.spec, events))

    def advance(self, until_ns: int | None = None, *, steps: int | None = None) -> None:
        """Do everything with ts <= until_ns (all there is by default), or at most so many steps.

        Raises:
            InputError: a negative number of steps. MarketStopped: at a faulty row, which is not applied.
        """
        if steps is not None and steps < 0:
            raise InputError("steps", steps, allowed="0 or more")
        until, left = at.FAR if until_ns is None else until_ns, _STEPS if steps is None else steps
        end = self._words[at.H_STEPS] + left
        while True:
            code = self._engine.advance(self._s, self._v, until, left)
            if code == at.DONE:
                return
            if code == at.FAILED:
                self._make_room()
            else:
                self._collect()
            left = end - self._words[at.H_STEPS]

    def send(self, intent: Intent) -> None:
        """Send an order, cancel, amendment or target now; ts_ns must not be before the market's time.

        A refusal is not an error: it is among the messages, with its reason.

        Raises:
            InputError: what `intents_on` raises, or a time that is over. MarketStopped: see `advance`.
        """
        if intent.ts_ns < self._words[at.H_NOW]:
            why = "the market is there already"
            raise InputError("ts_ns", intent.ts_ns, allowed=f"{self.now_ns} or later", why=why)
        row = self._steps.row(intent)
        self.advance(intent.ts_ns)
        if self._words[at.H_NEWS] - self._words[at.H_NEWS_LENGTH] < _SPARE:  # a refusal is written at once
            self._collect()
        _ROW.pack_into(self._scratch, 0, *row)
        self._engine.submit(self._s, self._t, intent.ts_ns)
        if self._words[at.H_ERROR]:
            raise self._stopped()

    @property
    def now_ns(self) -> int:
        """The time of the last thing done, or that the market was taken to."""
        return int(self.block[at.H_NOW])

    @property
    def equity(self) -> Decimal:
        """Cash and positions in the account's currency."""
        return int(self._engine.equity(self._s)) * self.spec.money_quantum

    @property
    def state_hash(self) -> int:
        """A hash of everything that decides what happens next."""
        return int(self._engine.state_hash(self._s))

    def position(self, instrument: str) -> Decimal:
        """Return the units held of an instrument at the venue, negative when short."""
        number = self._steps.place(instrument)
        return int(table(self.block, "instruments")[number, at.I_POSITION]) * self.events.lot_quanta[number]

    def snapshot(self) -> Snapshot:
        """Return a copy of the state."""
        self._collect()
        equity = None if self.equity_rows is None else self.equity_rows[: int(self.block[at.H_ROW])].copy()
        return Snapshot(self.block.copy(), self._fills.rows, self._news.rows, equity)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot of this market, or of one over the same events and spec.

        Raises:
            InputError: a snapshot of a market of another shape.
        """
        if snapshot.block[_SHAPE].tolist() != self.block[_SHAPE].tolist():
            raise InputError(
                "snapshot", counted(len(snapshot.block), "word"), allowed=f"{len(self.block)}, of this market"
            )
        if snapshot.block.shape == self.block.shape:
            self.block[:] = snapshot.block
        else:  # its books of single orders had less room, or more
            self._stand_on(snapshot.block.copy())
        self._fills.back_to(snapshot.fills)
        self._news.back_to(snapshot.news)
        if self.equity_rows is not None and snapshot.equity is not None:
            self.equity_rows[: len(snapshot.equity)] = snapshot.equity

    def result(self) -> MarketRun:
        """Return what has happened so far."""
        self._collect()
        done = int(self.block[at.H_ROW])
        equity = None if self.equity_rows is None else self.equity_rows[:done].copy()
        return MarketRun(
            self.events,
            self.spec,
            self.block.copy(),
            self._fills.rows,
            self._news.rows,
            equity,
            self.events.ts[:done],
            done,
        )

    def _turn_to(self, events: Events) -> None:
        """Let the market read these rows from now on, from the first."""
        self.events = events
        self._columns = events.table.copy()
        self._columns[at.V_INTENTS], self._columns[at.V_INTENT_ROWS] = len(self._intents), self._intents.ctypes.data
        self.equity_rows: Ints | None = None
        if self.spec.keep_equity:
            self.equity_rows = np.zeros(events.rows, dtype=np.int64)
            self._columns[at.V_EQUITY] = self.equity_rows.ctypes.data
        self._v = self._columns.ctypes.data

    def _stand_on(self, block: Block) -> None:
        """Let the market's state be this block from now on."""
        self.block, self._s = block, block.ctypes.data
        self._words = memoryview(block.data)  # four times faster than numpy to index

    def _make_room(self) -> None:
        """Give the book of single orders that a row has found full more room; the row is taken again.

        Raises:
            MarketStopped: the market stopped for another reason.
        """
        if self._words[at.H_ERROR] != at.E_BOOK_FULL:
            raise self._stopped()
        row = int(self.block[at.H_ERROR_A])
        number = 0 if self.events.instrument is None else int(self.events.instrument[row])
        self.block[[at.H_ERROR, at.H_ERROR_A, at.H_ERROR_B]] = 0
        self._stand_on(enlarge(self.block, {}, {number: more_room(self.block, number)}))

    def _collect(self) -> None:
        for name, kept in (("fills", self._fills), ("news", self._news)):
            rows = kept.add(table(self.block, name))
            mark_read(self.block, name)
            if name == "fills" and self._base:
                rows[:, at.F_ROW] += self._base

    def _stopped(self) -> MarketStopped:
        field, seen, why, fix = fault_of(self.block, self.events, self._base)
        return MarketStopped(field, seen, partial=self.result(), why=why, fix=fix)
