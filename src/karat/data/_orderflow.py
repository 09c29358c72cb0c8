"""`order_flow`: a seeded market of orders that arrive by chance, as level-3 and level-2 events, for tests and demos.

The model is that of Cont, Stoikov and Talreja (2010), "A stochastic model for order book dynamics", Operations Research
58(3): independent Poisson arrivals of limit orders by distance from the opposite best price, of market orders, and of
cancellations in proportion to the orders that are there. The default rates are their estimates for Sky Perfect
Communications (Tokyo, section 3): limit orders 1.85, 1.51, 1.09, 0.88, 0.77 per second at 1 to 5 ticks and the power
law 1.92 / i**0.52 beyond; cancellations 0.71, 0.81, 0.68, 0.56, 0.47 per second and order, the last one beyond; market
orders 0.94 per second, each on either side.

Invariants:
1. The same arguments give the same bytes in every process; a longer stream begins with the shorter one.
2. The level-3 stream rebuilds to exactly the generator's own book; the book never crosses, no side is ever empty.
3. There is no edge: nothing in the rates depends on the past but through the book.

It has no news, no memory in the signs of trades and no volatility clusters: those of real markets are stronger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from karat.core import NS_PER_SECOND, InputError, generator
from karat.data._events import Events
from karat.data._instruments import Instrument
from karat.data._level3 import Level3Book, level2_from_level3
from karat.kernels.market import _layout as layout

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

DISTANCES: Final = 30
_LIMIT_NEAR: Final = (1.85, 1.51, 1.09, 0.88, 0.77)
_CANCEL_NEAR: Final = (0.71, 0.81, 0.68, 0.56, 0.47)
_POWER: Final = (1.92, 0.52)
_MARKET: Final = 0.94
_START: Final = 1_704_205_800 * NS_PER_SECOND  # 2024-01-02T14:30:00Z, an opening of the New York exchanges
_DRAWS: Final = 1 << 16
_CAPACITY: Final = 1 << 16
_DEMO: Final = Instrument("DEMO.SYNTH", asset_class="synthetic", calendar="24/7")


@dataclass(frozen=True)
class FlowRates:
    """Rates of the order flow, per second; entry i - 1 of a sequence belongs to a distance of i ticks.

    limit: arrivals of limit orders, each side. cancel: of each resting order. market: of market orders, each side.
    mean_lots: mean size, geometric. reduce_share, modify_share: of the cancellations, those that only take a part away
    and those that move the order to another price with a new size. intensity: factor on all rates.
    """

    limit: Sequence[float] = field(
        default_factory=lambda: (*_LIMIT_NEAR, *(_POWER[0] / i ** _POWER[1] for i in range(6, DISTANCES + 1)))
    )
    cancel: Sequence[float] = field(default_factory=lambda: (*_CANCEL_NEAR, *([_CANCEL_NEAR[-1]] * (DISTANCES - 5))))
    market: float = _MARKET
    mean_lots: float = 5.0
    reduce_share: float = 0.1
    modify_share: float = 0.1
    intensity: float = 1.0

    def __post_init__(self) -> None:
        for name in ("limit", "cancel"):
            values = np.asarray(getattr(self, name), np.float64)
            if values.ndim != 1 or not 1 <= len(values) <= 1000 or not np.all(np.isfinite(values) & (values > 0)):
                raise InputError(f"rates.{name}", getattr(self, name), allowed="1 to 1000 rates above zero")
        if len(self.limit) != len(self.cancel):
            raise InputError("rates.cancel", len(self.cancel), allowed=f"as many as limit: {len(self.limit)}")
        for name, low in (("market", 0.0), ("intensity", 0.0), ("mean_lots", 1.0)):
            value = getattr(self, name)
            if not np.isfinite(value) or value <= low or value > 1e9:
                raise InputError(f"rates.{name}", value, allowed=f"above {low:g}, at most 1e9")
        shares = (self.reduce_share, self.modify_share)
        if min(shares) < 0 or not sum(shares) <= 1:
            raise InputError("rates.reduce_share", shares, allowed="shares from 0 that add up to at most 1")


@dataclass(frozen=True, eq=False)
class OrderFlow:
    """A generated market: `level3` rows, their `level2` aggregation, and the generator's final depth."""

    level3: Events
    final_depth: dict[str, Ints]
    rates: FlowRates

    @cached_property
    def level2(self) -> Events:
        """The same market as depth and trades."""
        return level2_from_level3(self.level3)

    def book(self) -> Level3Book:
        """Return the book rebuilt from the level-3 rows alone."""
        return Level3Book(self.level3)


def order_flow(
    n_events: int,
    *,
    seed: int = 42,
    instrument: Instrument = _DEMO,
    rates: FlowRates | None = None,
    start_price: int = 10_000,
    feed_latency_ns: int = 0,
) -> OrderFlow:
    """Return a market of `n_events` level-3 rows; the first empty the book and add what rests at the start.

    start_price: the first best bid, in ticks. feed_latency_ns: known_at - ts of every row.

    Raises:
        InputError: a number out of range.

    Example:
        >>> order_flow(1000, seed=7).level3.content_hash == order_flow(1000, seed=7).level3.content_hash
        True
    """
    rates = rates or FlowRates()
    _whole("n_events", n_events, 1, 2**31)
    _whole("seed", seed, 0, 2**32 - 1)
    _whole("start_price", start_price, len(rates.limit) + 1, 2**50)
    _whole("feed_latency_ns", feed_latency_ns, 0, 2**50)
    columns, depth = _generate(n_events, seed, rates, start_price)
    events = Events(
        ts=columns["ts"],
        known_at=columns["ts"] + feed_latency_ns,
        kind=columns["kind"].astype(np.int8),
        price=columns["price"],
        qty=columns["qty"],
        a=columns["a"],
        instruments=(instrument,),
        metadata={"source": "order_flow", "seed": seed, "rates": rates, "licence": "generated"},
    )
    return OrderFlow(events, depth, rates)


def _generate(n: int, seed: int, rates: FlowRates, price: int) -> tuple[dict[str, Ints], dict[str, Ints]]:
    """Run the compiled generator with blocks of uniform numbers from one stream."""
    from karat.kernels.market import _flow, _l3, _l3_layout

    rng = generator(seed, "order_flow")
    book = np.zeros(_l3_layout.l3_words(_CAPACITY, _CAPACITY), np.int64)
    _l3.l3_init(book.ctypes.data, _CAPACITY, _CAPACITY)
    columns, table = _columns(n)
    g = _words(rates, n)
    _first_rows(g, book, table, rates, price, rng.random(4 * _resting(rates).sum()))
    while True:
        draws = rng.random(_DRAWS)
        g[_flow.G_DRAW], g[_flow.G_DRAWS] = 0, len(draws)
        if _flow.flow(g.ctypes.data, book.ctypes.data, table.ctypes.data, draws.ctypes.data) == _flow.ROWS_FULL:
            break
    depth = {}
    for name, side in (("bid", 1), ("ask", -1)):
        out = np.zeros((int(book[_l3_layout.LIVE_LEVELS]), 3), np.int64)
        depth[name] = out[: _l3.l3_depth(book.ctypes.data, side, out.ctypes.data, len(out))]
    return columns, depth


def _columns(n: int) -> tuple[dict[str, Ints], Ints]:
    columns = {name: np.zeros(n, np.int64) for name in ("ts", "kind", "price", "qty", "a")}
    table = np.zeros(layout.COLUMNS, np.int64)
    places = (layout.V_TS, layout.V_KIND, layout.V_PRICE, layout.V_QTY, layout.V_A)
    table[list(places)] = [column.ctypes.data for column in columns.values()]
    return columns, table


def _words(rates: FlowRates, n: int) -> Ints:
    """Return the generator's words, see `_flow`."""
    from karat.kernels.market import _flow

    limit = np.asarray(rates.limit, np.float64) * rates.intensity
    cancel = np.asarray(rates.cancel, np.float64) * rates.intensity
    g = np.zeros(_flow.G_HEADER + 2 * len(limit) + _CAPACITY, np.int64)
    real = g.view(np.float64)
    g[_flow.G_TS], g[_flow.G_NEXT_ID], g[_flow.G_ROWS] = _START, 1, n
    g[_flow.G_CAPACITY], g[_flow.G_DISTANCES] = _CAPACITY, len(limit)
    real[_flow.G_HEADER : _flow.G_HEADER + len(limit)] = np.cumsum(limit)
    real[_flow.G_HEADER + len(limit) : _flow.G_HEADER + 2 * len(limit)] = cancel
    real[_flow.G_LIMIT], real[_flow.G_CANCEL] = np.cumsum(limit)[-1], cancel.max()
    real[_flow.G_MARKET] = rates.market * rates.intensity
    real[_flow.G_LOG_MISS] = np.log1p(-1 / rates.mean_lots)
    real[_flow.G_REDUCE], real[_flow.G_MODIFY] = rates.reduce_share, rates.modify_share
    return g


def _resting(rates: FlowRates) -> Ints:
    """Return how many orders rest at each distance at the start: what arrivals and cancellations balance at."""
    counts: Ints = np.ceil(np.asarray(rates.limit) / np.asarray(rates.cancel)).astype(np.int64)
    return np.minimum(counts, _CAPACITY // (4 * len(counts)))


def _first_rows(g: Ints, book: Ints, table: Ints, rates: FlowRates, price: int, draws: Floats) -> None:
    from karat.kernels.market import _flow

    at, at_book, at_table = g.ctypes.data, book.ctypes.data, table.ctypes.data
    _flow.write(at, at_table, layout.DEPTH_CLEAR, 0, 0, 0)
    sizes = iter(draws)
    for i, count in enumerate(_resting(rates).tolist()):
        for side, level in ((1, price - i), (-1, price + 1 + i)):
            for _ in range(count):
                if g[_flow.G_ROW] >= g[_flow.G_ROWS]:
                    return
                _flow.place(at, at_book, at_table, side, level, _flow.size_of(at, float(next(sizes))))


def _whole(name: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(name, value, allowed=f"a whole number from {low} to {high}")
