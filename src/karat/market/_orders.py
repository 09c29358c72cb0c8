"""`Order` and what else a strategy can say: cancel, amend, wanted quantity, wanted weight; and their rows of words.

Invariants:
1. Prices are multiples of the instrument's price step and quantities of its lot: another one is an error that names
   the nearest ones, never rounded in silence.
2. Ids are positive and rise: the market refuses an id that is not above the last one.
3. What a rule of the market forbids is not judged here: the gateway and the venue reject it with a reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from karat.core import InputError
from karat.data import Events
from karat.kernels.market import layout as at

Number = int | float | str | Decimal
Ints = NDArray[np.int64]
SIDES: Final = {"buy": 1, "sell": -1}
TYPES: Final[Mapping[str, int]] = {
    "market": at.MARKET,
    "limit": at.LIMIT,
    "stop": at.STOP,
    "stop_limit": at.STOP_LIMIT,
    "trailing_stop": at.TRAILING,
    "take_profit": at.TAKE_PROFIT,
    "market_on_open": at.MARKET_ON_OPEN,
    "market_on_close": at.MARKET_ON_CLOSE,
    "limit_on_open": at.LIMIT_ON_OPEN,
    "limit_on_close": at.LIMIT_ON_CLOSE,
}
FORCES: Final[Mapping[str, int]] = {"gtc": at.GTC, "day": at.DAY, "gtd": at.GTD, "ioc": at.IOC, "fok": at.FOK}
SELF_TRADES: Final[Mapping[str, int]] = {
    "allow": at.STP_NONE,
    "cancel_new": at.STP_CANCEL_NEW,
    "cancel_resting": at.STP_CANCEL_RESTING,
    "cancel_both": at.STP_CANCEL_BOTH,
    "decrement": at.STP_DECREMENT,
}
LISTS: Final[Mapping[str, int]] = {"none": 0, "cancel": at.GROUP_CANCEL, "reduce": at.GROUP_REDUCE}
_FLAGS: Final[Mapping[str, int]] = {
    "post_only": at.POST_ONLY,
    "reduce_only": at.REDUCE_ONLY,
    "touch": at.TOUCH,
    "short_exempt": at.SHORT_EXEMPT,
}
_WORDS: Final[Mapping[str, Mapping[str, int]]] = {
    "side": SIDES,
    "type": TYPES,
    "force": FORCES,
    "self_trades": SELF_TRADES,
    "on_fill": LISTS,
}
_ROOM: Final = 2**62
_MOST: Final = 2**52  # lots or ticks: what events may hold
_LEVERAGE: Final = 9  # times the equity that a target weight may ask for: more does not fit the kernel's rates


@dataclass(frozen=True)
class Order:
    """An order decided at ts_ns.

    quantity: units. price: limit; stop: trigger of stops and take-profits; offset: distance of a trailing stop from
    the best price since it came, all in currency. force: how long it stands (`gtd` until expires_ns). touch: a limit
    fills where the price only touches it. display: units shown of an iceberg. self_trades: what happens when it would
    meet an own order. parent: id of the order whose fills bring it to life, for as many lots as they are. list_with: id
    of another leg; on_fill says what a fill of one leg does to the others: `cancel` them or `reduce` them.
    """

    id: int
    ts_ns: int
    instrument: str
    side: Literal["buy", "sell"]
    quantity: Number
    type: str = "market"
    price: Number | None = None
    stop: Number | None = None
    offset: Number | None = None
    force: str = "gtc"
    expires_ns: int = 0
    post_only: bool = False
    reduce_only: bool = False
    touch: bool = False
    short_exempt: bool = False
    display: Number | None = None
    self_trades: str = "allow"
    parent: int = 0
    list_with: int = 0
    on_fill: Literal["none", "cancel", "reduce"] = "none"


@dataclass(frozen=True)
class Cancel:
    """Cancel an order, decided at ts_ns."""

    id: int
    ts_ns: int


@dataclass(frozen=True)
class Amend:
    """Change the quantity or the price of an order, decided at ts_ns; None leaves it. A stop's price is its trigger."""

    id: int
    ts_ns: int
    instrument: str
    quantity: Number | None = None
    price: Number | None = None


@dataclass(frozen=True)
class Target:
    """Hold this quantity (units), or this weight (share of equity), decided at ts_ns; the rest is bought or sold.

    A weight is taken to the nearest 1e-9, and its quantity is whole lots toward zero.
    """

    id: int
    ts_ns: int
    instrument: str
    quantity: Number | None = None
    weight: float | None = None


Intent = Order | Cancel | Amend | Target


@dataclass(frozen=True, eq=False)
class Intents:
    """Rows of words for the market, ordered by ts; made by `intents_on`."""

    rows: Ints = field(default_factory=lambda: np.zeros((0, at.INTENT), dtype=np.int64))

    def __len__(self) -> int:
        return len(self.rows)


class Steps:
    """Turns intents into rows of words for one stream: names into numbers, prices and quantities into steps."""

    def __init__(self, events: Events) -> None:
        self.closed = {item.id for item in events.instruments if not item.tradable}
        self.names = {item.id: number for number, item in enumerate(events.instruments)}
        self.prices = [value.as_integer_ratio() for value in events.price_quanta]
        self.lots = [value.as_integer_ratio() for value in events.lot_quanta]

    def row(self, intent: Intent) -> list[int]:
        """Return one intent as a row of words."""
        row = [0] * at.INTENT
        row[at.T_TS], row[at.T_ID] = _whole("ts_ns", intent.ts_ns), _whole("id", intent.id)
        if isinstance(intent, Cancel):
            row[at.T_ACTION] = at.CANCEL
            return row
        number = row[at.T_INSTRUMENT] = self.place(intent.instrument)
        if isinstance(intent, Order):
            self._order(row, number, intent)
        elif isinstance(intent, Amend):
            self._amend(row, number, intent)
        elif (intent.weight is None) == (intent.quantity is None):
            raise InputError("target", intent, allowed="either quantity or weight")
        elif intent.weight is not None:
            row[at.T_ACTION] = at.TARGET_WEIGHT
            row[at.T_QTY] = _billionths(intent.weight)
        else:
            row[at.T_ACTION] = at.TARGET_QTY
            row[at.T_QTY] = _steps("target.quantity", intent.quantity, self.lots[number], intent.instrument)
        return row

    def place(self, name: str) -> int:
        """Return the number of an instrument."""
        number = self.names.get(name)
        if number is None:
            raise InputError("instrument", name, allowed=list(self.names))
        if name in self.closed:
            raise InputError("instrument", name, why="it is not tradable", fix="send the order for another one")
        return number

    def _amend(self, row: list[int], number: int, amend: Amend) -> None:
        row[at.T_ACTION] = at.AMEND
        if amend.quantity is None and amend.price is None:
            raise InputError("amend", amend, allowed="a quantity, a price, or both")
        for place, name, step in ((at.T_QTY, "quantity", self.lots), (at.T_PRICE, "price", self.prices)):
            value = getattr(amend, name)
            if value is None:
                continue
            row[place] = _steps(f"amend.{name}", value, step[number], amend.instrument)
            if row[place] <= 0:
                raise InputError(f"amend.{name}", value, allowed="above 0; None leaves it, Cancel takes the order back")

    def _order(self, row: list[int], number: int, order: Order) -> None:
        name, price, lot = order.instrument, self.prices[number], self.lots[number]
        row[at.T_ACTION] = at.SEND
        try:
            row[at.T_SIDE], row[at.T_TYPE], row[at.T_TIF] = SIDES[order.side], TYPES[order.type], FORCES[order.force]
            row[at.T_STP], row[at.T_GROUP_MODE] = SELF_TRADES[order.self_trades], LISTS[order.on_fill]
        except (KeyError, TypeError):
            raise _wrong_word(order) from None
        if order.post_only or order.reduce_only or order.touch or order.short_exempt:
            row[at.T_FLAGS] = _flags(order)
        row[at.T_QTY] = _steps("order.quantity", order.quantity, lot, name)
        if not (order.expires_ns == order.parent == order.list_with == 0):
            for place, field_ in ((at.T_EXPIRE, "expires_ns"), (at.T_PARENT, "parent"), (at.T_GROUP, "list_with")):
                row[place] = _whole(field_, getattr(order, field_))
        if order.display is not None:
            row[at.T_DISPLAY] = _steps("order.display", order.display, lot, name)
        if order.price is not None:
            row[at.T_PRICE] = _steps("order.price", order.price, price, name)
        if order.stop is not None:
            row[at.T_STOP] = _steps("order.stop", order.stop, price, name)
        if order.offset is not None:
            row[at.T_OFFSET] = _steps("order.offset", order.offset, price, name)


def intents_on(events: Events, intents: Sequence[Intent]) -> Intents:
    """Return the intents as rows for a market over these events.

    Raises:
        InputError: an unknown instrument, type or word, a price off the step, a time that runs back.
    """
    rows = np.zeros((len(intents), at.INTENT), dtype=np.int64)
    steps = Steps(events)
    for number, intent in enumerate(intents):
        if not isinstance(intent, Intent):
            allowed = "an Order, Cancel, Amend or Target"
            raise InputError(f"intents[{number}]", type(intent).__name__, allowed=allowed)
        rows[number] = steps.row(intent)
    late = np.flatnonzero(np.diff(rows[:, at.T_TS]) < 0)
    if len(late):
        why = "its ts_ns is before the row's above"
        raise InputError("intents", f"row {int(late[0]) + 1}", why=why, fix="sort by ts_ns")
    return Intents(rows)


def _wrong_word(order: Order) -> InputError:
    """Return the error of the first field whose word there is not."""
    for field_, allowed in _WORDS.items():
        value = getattr(order, field_)
        if not isinstance(value, str) or value not in allowed:
            return InputError(f"order.{field_}", value, allowed=list(allowed))
    raise AssertionError(order)


def _flags(order: Order) -> int:
    bits = 0
    for flag, bit in _FLAGS.items():
        value = getattr(order, flag)
        if value is not True and value is not False:
            raise InputError(f"order.{flag}", value, allowed="True or False")
        bits |= bit * value
    return bits


def _whole(field_: str, value: Any) -> int:
    if type(value) is int and -_ROOM < value < _ROOM:
        return value
    if isinstance(value, np.integer) and -_ROOM < int(value) < _ROOM:
        return int(value)
    raise InputError(f"intent.{field_}", value, allowed="a whole number below 2**62")


def _billionths(weight: Any) -> int:
    """Return a weight in 1e-9, the nearest."""
    try:
        exact = Decimal(repr(float(weight)))
    except (ArithmeticError, TypeError, ValueError):
        exact = Decimal("nan")
    if not exact.is_finite() or abs(exact) > _LEVERAGE:
        raise InputError("target.weight", weight, allowed=f"a number from -{_LEVERAGE} to {_LEVERAGE}")
    return round(exact * at.RATE_ONE)


def _steps(name: str, value: Number | None, step: tuple[int, int], owner: str) -> int:
    """Return a number as whole steps of numerator/denominator; None is 0."""
    numerator, denominator = step
    if value is None:
        return 0
    if isinstance(value, bool):
        raise InputError(name, value, allowed="a number")
    if type(value) is int:
        count, left = divmod(value * denominator, numerator)
    else:
        try:
            exact = value if isinstance(value, Decimal) else Decimal(str(value))
            top, bottom = exact.as_integer_ratio()
        except (ArithmeticError, ValueError):
            raise InputError(name, value, allowed="a finite number") from None
        count, left = divmod(top * denominator, bottom * numerator)
    if left:
        size = Decimal(numerator) / Decimal(denominator)
        why, fix = "it is off the step", f"the nearest are {count * size} and {(count + 1) * size}"
        raise InputError(name, value, allowed=f"multiples of {size} for {owner}", why=why, fix=fix)
    if abs(count) >= _MOST:
        raise InputError(name, value, allowed=f"below 2**52 steps of {Decimal(numerator) / Decimal(denominator)}")
    return count
