"""Random scenarios of the market: small prices and short bars, so that ties, touches, gaps and races are frequent.

`scenario(choose, options)` makes one from a source of choices: `Seeded(seed)` for loops, `Drawn(draw)` for Hypothesis;
`scenarios(options)` is the strategy. A scenario is valid input: rows in order, ids that increase. Intents that must be
refused are among them, each with one fault only, so that the order of the checks does not matter.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st
from market_scenario_events import bars_of, depth_of, quotes_of
from market_scenario_orders import orders_of

from karat.kernels.market import _layout as k

Item = TypeVar("Item")
BARS, QUOTES, DEPTH, ORDERS = 1, 2, 3, 4
WITH_PRICE = (k.LIMIT, k.STOP_LIMIT, k.TAKE_PROFIT, k.LIMIT_ON_OPEN, k.LIMIT_ON_CLOSE)
ON_BARS = (*range(k.MARKET, k.LIMIT_ON_CLOSE + 1), k.LIMIT, k.LIMIT, k.LIMIT, k.MARKET)
ON_BOOKS = (k.MARKET, k.LIMIT, k.LIMIT, k.LIMIT, k.STOP, k.STOP_LIMIT, k.TRAILING, k.TAKE_PROFIT)
AUCTION = (k.MARKET_ON_OPEN, k.MARKET_ON_CLOSE, k.LIMIT_ON_OPEN, k.LIMIT_ON_CLOSE)


class Choose(Protocol):
    """A source of choices."""

    def pick(self, low: int, high: int) -> int:
        """Return a whole number between both, ends included."""
        ...


class Seeded:
    """Choices of a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def pick(self, low: int, high: int) -> int:
        return self.random.randint(low, high)


class Drawn:
    """Choices that Hypothesis draws, and makes smaller when a test fails."""

    def __init__(self, draw: Callable[[Any], Any]) -> None:
        self.draw = draw

    def pick(self, low: int, high: int) -> int:
        value: int = self.draw(st.integers(low, high))
        return value


@dataclass(frozen=True)
class Options:
    """What scenarios may contain."""

    matcher: int = BARS
    instruments: int = 3  # at most
    steps: int = 14  # bars of an instrument, or rows of a book divided by three
    intents: int = 30
    sessions: bool = True
    actions: bool = True  # dividends and funding
    splits: bool = False
    lists: bool = True
    children: bool = True
    targets: bool = True
    faults: bool = True
    self_trades: bool = True


@dataclass(frozen=True)
class Scenario:
    """Terms of the instruments (keywords of the oracle's record), cash, rows and intents."""

    terms: tuple[dict[str, Any], ...]
    cash: tuple[int, ...]
    events: list[dict[str, int]]
    intents: list[list[int]]
    margin: int = 0  # codes of the layout
    account: int = 0

    def columns(self) -> dict[str, list[int]]:
        """Return the events as columns."""
        names = ("ts", "kind", "instrument", "price", "qty", "a", "b", "c", "d")
        return {name: [row.get(name, 0) for row in self.events] for name in names}


@dataclass
class _Sent:
    id: int
    instrument: int
    side: int
    type: int
    qty: int
    child: bool


@dataclass
class _Maker:
    choose: Choose
    options: Options
    n: int
    delay: int
    prices: dict[int, list[tuple[int, int]]]  # instrument: (ts, price) in order
    last_id: int = 0
    sent: list[_Sent] = field(default_factory=list)

    def one(self, items: Sequence[Item]) -> Item:
        return items[self.choose.pick(0, len(items) - 1)]

    def chance(self, of: int) -> bool:
        return self.choose.pick(1, of) == of

    def price(self, ts: int, i: int) -> int:
        """Return a price near the one of that time."""
        known = [price for at, price in self.prices[i] if at <= ts] or [self.prices[i][0][1]]
        return max(1, known[-1] + self.choose.pick(-6, 6))

    def new_id(self) -> int:
        self.last_id += self.choose.pick(1, 2)
        return self.last_id

    def row(self, ts: int, action: int, id_: int, **more: int) -> list[int]:
        out = [0] * k.INTENT
        out[k.T_TS], out[k.T_ACTION], out[k.T_ID], out[k.T_DELAY] = ts, action, id_, self.delay
        for name, value in more.items():
            out[getattr(k, f"T_{name.upper()}")] = value
        return out

    # -- orders
    def order(self, ts: int, i: int, side: int, type_: int, child: bool = False) -> list[int]:
        price, id_, qty = self.price(ts, i), self.new_id(), self.choose.pick(1, 12)
        out = self.row(ts, k.SEND, id_, instrument=i, side=side, type=type_, tif=self.tif(type_, child), qty=qty)
        if type_ in WITH_PRICE:
            out[k.T_PRICE] = price
        if type_ == k.LIMIT and not self.chance(3):
            out[k.T_PRICE] = max(1, price - side * self.choose.pick(1, 6))
        if type_ in (k.STOP, k.STOP_LIMIT):
            out[k.T_STOP] = price
            out[k.T_PRICE] = max(1, price + self.choose.pick(-2, 2)) if type_ == k.STOP_LIMIT else 0
        if type_ == k.TRAILING:
            out[k.T_OFFSET] = self.choose.pick(1, 6)
            out[k.T_STOP] = max(1, price - side * 4) if self.chance(4) else 0
        if out[k.T_TIF] == k.GTD:
            out[k.T_EXPIRE] = ts + self.choose.pick(1, 60)
        out[k.T_FLAGS] = self.flags(out, child)
        if self.options.self_trades and type_ in (k.LIMIT, k.MARKET) and not child and self.chance(2):
            out[k.T_STP] = self.choose.pick(0, 4)
        self.sent.append(_Sent(id_, i, side, type_, qty, child))
        return out

    def tif(self, type_: int, child: bool) -> int:
        if type_ in (k.MARKET, k.LIMIT) and not child and self.chance(5):
            return self.one((k.IOC, k.FOK))
        return self.one((*(k.GTC,) * 6, k.DAY, k.GTD))

    def flags(self, out: list[int], child: bool) -> int:
        flags = k.TOUCH if out[k.T_TYPE] in (k.LIMIT, k.STOP_LIMIT) and self.chance(4) else 0
        if out[k.T_TYPE] == k.LIMIT and not child and out[k.T_TIF] < k.IOC and self.chance(6):
            flags |= k.POST_ONLY
        if not child and self.chance(10):
            flags |= k.REDUCE_ONLY
        return flags

    def types(self) -> tuple[int, ...]:
        return ON_BARS if self.options.matcher == BARS else ON_BOOKS

    def single(self, ts: int) -> list[list[int]]:
        i, side = self.choose.pick(0, self.n - 1), self.one((1, -1))
        return [self.order(ts, i, side, self.one(self.types()))]

    def pair(self, ts: int) -> list[list[int]]:
        """A list of two legs around the price, or three."""
        i, side, mode = self.choose.pick(0, self.n - 1), self.one((1, -1)), self.one((k.GROUP_CANCEL, k.GROUP_REDUCE))
        gain = self.order(ts, i, side, self.one((k.LIMIT, k.TAKE_PROFIT)))
        loss = self.order(ts, i, side, self.one((k.STOP, k.STOP, k.STOP_LIMIT, k.TRAILING)))
        legs = [gain, loss]
        if self.chance(5):
            legs.append(self.order(ts, i, side, self.one((k.LIMIT, k.STOP))))
        self._spread(ts, gain, loss)
        for leg in legs:
            leg[k.T_GROUP_MODE] = mode
            leg[k.T_TIF] = k.GTC if leg[k.T_TIF] in (k.IOC, k.FOK) else leg[k.T_TIF]
            leg[k.T_FLAGS] &= ~k.REDUCE_ONLY
        for leg in legs[1:]:
            leg[k.T_GROUP] = self.one([first for first in legs if first[k.T_ID] < leg[k.T_ID]])[k.T_ID]
        return legs

    def _spread(self, ts: int, gain: list[int], loss: list[int]) -> None:
        """Put the legs on both sides of the price, most of the time."""
        if self.chance(5):
            return
        side, i = gain[k.T_SIDE], gain[k.T_INSTRUMENT]
        middle = self.price(ts, i)
        gain[k.T_PRICE] = max(1, middle - side * self.choose.pick(1, 6))
        if loss[k.T_TYPE] != k.TRAILING:
            loss[k.T_STOP] = max(1, middle + side * self.choose.pick(1, 6))
            if loss[k.T_TYPE] == k.STOP_LIMIT:
                loss[k.T_PRICE] = loss[k.T_STOP] + side * self.choose.pick(-1, 2)

    def bracket(self, ts: int) -> list[list[int]]:
        """A parent with one or two children; the two are one list."""
        i, side = self.choose.pick(0, self.n - 1), self.one((1, -1))
        parent = self.order(ts, i, side, self.one((k.LIMIT, k.LIMIT, k.MARKET, k.STOP)))
        gain = self.order(ts, i, -side, self.one((k.LIMIT, k.TAKE_PROFIT)), child=True)
        loss = self.order(ts, i, -side, self.one((k.STOP, k.TRAILING, k.STOP_LIMIT)), child=True)
        self._spread(ts, gain, loss)
        gain[k.T_PARENT] = loss[k.T_PARENT] = parent[k.T_ID]
        if self.chance(3):
            return [parent, gain]
        gain[k.T_GROUP_MODE] = loss[k.T_GROUP_MODE] = self.one((k.GROUP_CANCEL, k.GROUP_REDUCE))
        loss[k.T_GROUP] = gain[k.T_ID]
        return [parent, gain, loss]

    # -- commands
    def command(self, ts: int) -> list[list[int]]:
        if not self.sent or self.chance(15):
            return [self.row(ts, self.one((k.CANCEL, k.AMEND)), self.last_id + 1000, qty=1)]
        order = self.one(self.sent[-6:])
        if self.chance(2):
            return [self.row(ts, k.CANCEL, order.id, instrument=order.instrument)]
        out = self.row(ts, k.AMEND, order.id, instrument=order.instrument)
        if order.type in WITH_PRICE and self.chance(2):
            out[k.T_PRICE] = self.price(ts, order.instrument)
        if out[k.T_PRICE] == 0 or self.chance(3):
            out[k.T_QTY] = max(1, order.qty + self.one((-4, -3, -2, -1, 1, 2, 3)))
        return [out]

    def target(self, ts: int) -> list[list[int]]:
        """Targets of some instruments at one time."""
        out = []
        for i in range(self.n):
            if i == 0 or self.chance(2):
                if self.chance(2):
                    out.append(self.row(ts, k.TARGET_QTY, self.new_id(), instrument=i, qty=self.choose.pick(-8, 8)))
                else:
                    weight = self.choose.pick(-10, 10) * 30_000_000 + self.choose.pick(0, 999)
                    out.append(self.row(ts, k.TARGET_WEIGHT, self.new_id(), instrument=i, qty=weight))
        return out

    def fault(self, ts: int) -> list[list[int]]:
        """One order with one fault."""
        out = self.order(ts, self.choose.pick(0, self.n - 1), self.one((1, -1)), k.LIMIT)
        out[k.T_FLAGS], out[k.T_TIF], out[k.T_EXPIRE] = 0, k.GTC, 0
        sort = self.choose.pick(0, 8)
        column, value = (
            (k.T_INSTRUMENT, self.n),
            (k.T_SIDE, 2),
            (k.T_TYPE, 11),
            (k.T_TIF, 0),
            (k.T_QTY, self.choose.pick(-1, 0)),
            (k.T_PRICE, self.one((0, k.NONE, -5))),
            (k.T_ID, max(1, out[k.T_ID] - self.choose.pick(2, 4))),
            (k.T_GROUP, out[k.T_ID] + 1000),
            (k.T_PARENT, out[k.T_ID] + 1000),
        )[sort]
        self.sent.pop()
        if column == k.T_ID and out[k.T_ID] == 1:
            return []
        out[column] = value
        return [out]


def scenario(choose: Choose, options: Options = Options()) -> Scenario:
    """Make one scenario from a source of choices."""
    n = choose.pick(1, options.instruments)
    make = {BARS: bars_of, QUOTES: quotes_of, DEPTH: depth_of, ORDERS: orders_of}[options.matcher]
    events, prices = make(choose, n, options)
    maker = _Maker(choose, options, n, (0, 0, 3, 10, 13)[choose.pick(0, 4)], prices)
    sorts = [maker.single] * 8 + [maker.command] * 4
    sorts += [maker.pair] * (3 * options.lists) + [maker.bracket] * (3 * options.children)
    sorts += [maker.target] * (2 * options.targets) + [maker.fault] * options.faults
    end = events[-1]["ts"]
    times = sorted(
        choose.pick(0, end // 5) * 5 + (choose.pick(0, 4) if choose.pick(0, 2) == 0 else 0)
        for _ in range(choose.pick(1, options.intents))
    )
    intents = [row for ts in times for row in maker.one(sorts)(ts)]
    return Scenario(tuple(_terms(choose, options) for _ in range(n)), (100_000,), events, intents)


def _terms(choose: Choose, options: Options) -> dict[str, Any]:
    rebate = choose.pick(0, 2) == 0
    terms: dict[str, Any] = {
        "matcher": options.matcher,
        "unit": (1, 7)[choose.pick(0, 1)],
        "taker": (0, 500_000, 1_234_567)[choose.pick(0, 2)],
        "maker": -100_000 if rebate else 200_000,
        "per_lot": choose.pick(0, 1),
        "min_fee": 0 if rebate else (0, 3)[choose.pick(0, 1)],
        "mark_mid": options.matcher != BARS,
    }
    if options.matcher == BARS:
        terms["participation"] = (None, 100_000_000, 333_333_333)[choose.pick(0, 2)]
        terms["slip_kind"] = choose.pick(0, 2)
        terms["slip_value"] = (0, choose.pick(0, 2), choose.pick(1, 3) * 7_000_000)[terms["slip_kind"]]
        terms["cutoff"] = (0, 0, 5)[choose.pick(0, 2)]
    return terms


@st.composite
def scenarios(draw: Callable[[Any], Any], options: Options = Options()) -> Scenario:
    """Hypothesis strategy of scenarios."""
    return scenario(Drawn(draw), options)
