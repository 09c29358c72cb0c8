"""A strategy in Python, called for each row of the market as it becomes known, and the context it is given.

Invariants:
1. A call at a time may read rows with known_at up to that time; `Context.row` refuses any other. What it knows of its
   own orders and position is what the venue's answers have told by then. What it sends leaves at that time.
2. The market is advanced only when the strategy looks at it or sends something, and that changes no result: how a run
   is cut never does.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np

from karat.core import InputError, LeakageError, iso
from karat.data import Events
from karat.kernels.market import layout as at
from karat.kernels.market import table
from karat.market._latency import NoLatency
from karat.market._market import Market
from karat.market._orders import Intent, Number, Order, Target
from karat.market._record import MarketRun
from karat.market._venue import VenueSpec

Strategy = Callable[["Context", int], object]
STATES = {
    at.PENDING_NEW: "pending",
    at.WAITING: "waiting",
    at.LIVE: "live",
    at.PARTIAL: "partly_filled",
}
_COLUMNS = ("ts", "kind", "instrument", "price", "qty", "a", "b", "c", "d")


class Context:
    """What a strategy may see and do at `now_ns`; one object, reused for every call.

    Quantities are units, prices currency. Orders get rising ids of their own unless one is given.
    """

    __slots__ = ("_exact", "_market", "_names", "_next", "_only", "_parts", "now_ns")

    def __init__(self, market: Market) -> None:
        self._market = market
        self.now_ns = 0
        self._next = 1
        self._parts = [(0, market.events)]
        self._names = {item.id: number for number, item in enumerate(market.events.instruments)}
        self._only = market.events.instruments[0].id
        self._exact: bool | None = None

    def row(self, number: int) -> dict[str, int]:
        """Return a row of the events, in ticks and lots.

        Raises:
            LeakageError: a row that is not known yet. InputError: a row of a chunk that is over.
        """
        base, events = next((part for part in reversed(self._parts) if part[0] <= number), self._parts[0])
        place = number - base
        if not 0 <= place < len(events):
            first, last = self._parts[0][0], self._parts[-1][0] + len(self._parts[-1][1]) - 1
            raise InputError("row", number, allowed=f"{first} to {last}, those in memory")
        if events.known_at[place] > self.now_ns:
            raise LeakageError(
                "strategy", f"row {number} is known at {iso(int(events.known_at[place]))}, later than now"
            )
        found = {name: col for name in _COLUMNS if (col := getattr(events, name)) is not None}
        return {name: int(column[place]) for name, column in found.items()}

    def position(self, instrument: str | None = None) -> Decimal:
        """Return the units held as far as the strategy has heard; without a name, of the first instrument."""
        market, number = self._market, self._number(instrument)
        market.advance(self.now_ns)
        lots = int(table(market.block, "instruments")[number, at.I_LOCAL_POSITION])
        return lots * market.events.lot_quanta[number]

    def state(self, order: int) -> str:
        """Return what the strategy has heard of an order: pending, waiting, live, partly_filled, or over.

        An order that was refused, or never sent, is over.
        """
        self._market.advance(self.now_ns)
        orders = table(self._market.block, "orders")
        found = np.flatnonzero(orders[:, at.O_ID] == order)
        return STATES.get(int(orders[found[0], at.O_LOCAL]), "over") if len(found) else "over"

    @property
    def equity(self) -> Decimal:
        """Cash and positions at the venue now, in the account's currency.

        Raises:
            InputError: when answers or rows are delayed: then the strategy could not know it.
        """
        if self._exact is None:
            self._exact = _prompt(self._market)
        if not self._exact:
            fix = "keep your own account from position() and the rows you know"
            raise InputError("equity", iso(self.now_ns), why="what the venue counts is not known here yet", fix=fix)
        self._market.advance(self.now_ns)
        return self._market.equity

    def send(self, intent: Intent) -> int:
        """Send an order, cancel, amendment or target whose ts_ns is now; return its id.

        Raises:
            InputError: another time, or what `Market.send` raises.
        """
        if intent.ts_ns != self.now_ns:
            raise InputError("intent.ts_ns", intent.ts_ns, allowed=f"{self.now_ns}, the time of this call")
        self._market.send(intent)
        self._next = max(self._next, intent.id + 1)
        return intent.id

    def buy(self, quantity: Number, instrument: str | None = None, **terms: Any) -> int:
        """Send a buy order, at the market unless `terms` say otherwise (see `Order`); return its id."""
        return self.send(Order(self._next, self.now_ns, instrument or self._only, "buy", quantity, **terms))

    def sell(self, quantity: Number, instrument: str | None = None, **terms: Any) -> int:
        """Send a sell order, at the market unless `terms` say otherwise (see `Order`); return its id."""
        return self.send(Order(self._next, self.now_ns, instrument or self._only, "sell", quantity, **terms))

    def target(
        self, instrument: str | None = None, *, quantity: Number | None = None, weight: float | None = None
    ) -> int:
        """Ask for a position of this quantity, or of this share of the equity; return the order's id."""
        return self.send(Target(self._next, self.now_ns, instrument or self._only, quantity, weight))

    def remember(self, events: Events, base: int, oldest: int) -> None:
        """Go on to the next chunk, whose first row is number `base`; rows before `oldest` are not needed any more."""
        kept = [part for part in self._parts if part[0] + len(part[1]) > oldest and part[0] < base]
        self._parts, self._exact = [*kept, (base, events)], None

    def _number(self, instrument: str | None) -> int:
        number = self._names.get(instrument or self._only)
        if number is None:
            raise InputError("instrument", instrument, allowed=list(self._names))
        return number


def run_strategy(events: Events, strategy: Strategy, spec: VenueSpec | None = None) -> MarketRun:
    """Call `strategy(context, row)` for every row when it becomes known, then run the market to its end.

    row: number of the row in `events`; indicators computed beforehand are read by it. A row is known at its known_at;
    rows of one time come in the events' order.

    Raises:
        InputError: see `VenueSpec` and `Context`. MarketStopped: at a faulty row; `partial` is what came before.

    Example:
        >>> from karat.data import Instrument, events_from_bars
        >>> prices = {"open": [10.0, 10.0], "high": [10.0, 11.0], "low": [10.0, 10.0], "close": [10.0, 11.0]}
        >>> events = events_from_bars({"ts": [1, 2]} | prices, Instrument("A.X"))
        >>> run = run_strategy(events, lambda ctx, row: ctx.buy(1) if row == 0 else None)
        >>> run.fills["price"].to_list()
        [10.0]
    """
    market = Market(events, spec)
    context = Context(market)
    order = events.known_order
    if order is None:
        for row, context.now_ns in enumerate(events.known_at.tolist()):
            strategy(context, row)
    else:
        for row, context.now_ns in zip(order.tolist(), events.known_at[order].tolist(), strict=True):
            strategy(context, row)
    market.advance()
    return market.result()


def _prompt(market: Market) -> bool:
    """Return whether every row and every answer of the venue is known at once."""
    answers = all(isinstance(market.spec.of(item).response, NoLatency) for item in market.events.instruments)
    return answers and bool(np.array_equal(market.events.known_at, market.events.ts))
