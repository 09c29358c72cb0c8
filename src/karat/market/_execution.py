"""`simulate_execution`: what orders get from resting limit orders, the smallest way into the matching.

Invariants:
1. It is the event market: nothing here matches, charges or counts.
2. `batch` changes how often the kernel is called and nothing else: fills, money and state are the same for any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from karat.core import InputError
from karat.data import Events, Instrument, events_from_depth
from karat.kernels.market import layout as at
from karat.market._market import Market
from karat.market._orders import Intent, Intents, Number
from karat.market._record import MarketRun
from karat.market._simulate import checked
from karat.market._venue import VenueSpec

Level = tuple[Number, Number]


@dataclass(frozen=True)
class Ladder:
    """A depth fixture: the limit orders that rest in one instrument's book, as (price, size) of each level.

    They are there from ts_ns on, and what an order takes of them is gone.
    """

    instrument: Instrument
    bids: Sequence[Level] = ()
    asks: Sequence[Level] = ()
    ts_ns: int = 0

    def events(self) -> Events:
        """Return the ladder as level-2 rows of one instant.

        Raises:
            InputError: no level at all. DataError: prices off the tick, or sizes off the lot.
        """
        levels = [("bid", *level) for level in self.bids] + [("ask", *level) for level in self.asks]
        if not levels:
            raise InputError("ladder", "no level", allowed="one (price, size) or more in bids or asks")
        columns = {
            "ts": [self.ts_ns] * len(levels),
            "side": [side for side, _, _ in levels],
            "price": [_real("ladder price", price) for _, price, _ in levels],
            "size": [_real("ladder size", size) for _, _, size in levels],
        }
        return events_from_depth(columns, self.instrument)


def simulate_execution(
    depth: Ladder | Events,
    orders: Intents | Sequence[Intent],
    spec: VenueSpec | None = None,
    *,
    batch: int | None = None,
) -> MarketRun:
    """Return how the orders execute against a depth fixture, or against any events.

    batch: how many things (rows, orders sent, arrivals) one call of the kernel does; None for all of them.

    Raises:
        InputError: what `simulate` raises, or a batch below 1.
        MarketStopped: at a faulty row; `partial` is what came before.

    Example:
        >>> from karat.market import Order
        >>> ladder = Ladder(Instrument("A.X"), bids=[("9.99", 5)], asks=[("10.00", 3), ("10.02", 4)])
        >>> run = simulate_execution(ladder, [Order(1, 0, "A.X", "buy", 5)], batch=1)
        >>> run.fills.select("quantity", "price").rows()
        [(3.0, 10.0), (2.0, 10.02)]
    """
    if batch is not None and batch < 1:
        raise InputError("batch", batch, allowed="1 or more, or None for everything in one call")
    events = depth.events() if isinstance(depth, Ladder) else depth
    market, done = Market(*checked(events, orders, spec)), -1
    while batch is not None and done != market.block[at.H_STEPS]:
        done = int(market.block[at.H_STEPS])
        market.advance(steps=batch)
    market.advance()
    return market.result()


def _real(name: str, value: Number) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(name, value, allowed="a number") from None
