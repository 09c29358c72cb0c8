"""Records of the market oracle: instruments, orders, fills, news, the result; and the exact arithmetic of money.

The oracle is slow and plain on purpose: Python's whole numbers, lists and dictionaries, written from the rules of the
market in words. Codes come from `karat.kernels.market._layout`; no code is shared with the kernel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from karat.kernels.market import _layout as k

ON_OPEN = (k.MARKET_ON_OPEN, k.LIMIT_ON_OPEN)
ON_CLOSE = (k.MARKET_ON_CLOSE, k.LIMIT_ON_CLOSE)
AUCTION = ON_OPEN + ON_CLOSE
STOP_LIKE = (k.STOP, k.STOP_LIMIT, k.TRAILING)
TRIGGERED_TYPES = (*STOP_LIKE, k.TAKE_PROFIT)
NEEDS_PRICE = (k.LIMIT, k.STOP_LIMIT, k.TAKE_PROFIT, k.LIMIT_ON_OPEN, k.LIMIT_ON_CLOSE)
NEEDS_STOP = (k.STOP, k.STOP_LIMIT)
CHILD_TYPES = (k.LIMIT, k.STOP, k.STOP_LIMIT, k.TRAILING, k.TAKE_PROFIT)
OVER = (k.FILLED, k.CANCELLED, k.REJECTED, k.EXPIRED, k.PREVENTED)
RESTING = (k.LIVE, k.PARTIAL)
SILENT = (k.CLOSED, k.PRE_OPEN, k.HALTED, k.PAUSED)  # nothing matches
BARS, QUOTES, DEPTH, ORDERS = 1, 2, 3, 4
NEWS_OF_STATE = {
    k.CANCELLED: k.CANCEL_DONE,
    k.REJECTED: k.REJECTED_VENUE,
    k.EXPIRED: k.EXPIRED_NEWS,
    k.PREVENTED: k.PREVENTED_NEWS,
}
COLUMN_DEFAULTS = {"instrument": 0, "price": 0, "qty": 0, "a": 0, "b": 0, "c": 0, "d": 0}


@dataclass
class OracleInstrument:
    """Terms of one instrument; `unit` is money quanta for one tick of one lot, rates are units of 1e-9."""

    matcher: int = BARS
    unit: int = 1
    currency: int = 0
    participation: int | None = None
    maker: int = 0
    taker: int = 0
    per_lot: int = 0
    min_fee: int = 0
    slip_kind: int = 0
    slip_value: int = 0
    cutoff: int = 0
    response: int = 0
    mark_mid: bool = False
    whole_only: bool = False
    initial: int = k.RATE_ONE
    maintenance: int | None = None
    settlement_days: int = 0
    borrow: int = 0
    locate: tuple[int, int, int] | None = None  # lots, expiry, recall
    fills: tuple[int, tuple[float, ...]] = (0, ())  # model of partial fills, none: all at once
    gamma: float = 0.0  # ticks by which a lot moves all later prices


@dataclass(eq=False)
class Order:
    """One order; `taken` are lots another leg of its list used up, `prevented` lots lost to self-trade prevention."""

    id: int
    instrument: int
    side: int
    type: int
    tif: int
    flags: int
    qty: int
    price: int
    stop: int
    offset: int
    expire: int
    stp: int
    group_mode: int
    state: int = k.PENDING_NEW
    filled: int = 0
    taken: int = 0
    prevented: int = 0
    arrived: int = 0
    sequence: int = 0
    triggered: bool = False
    doomed: int = 0
    front: int | None = 0
    reserved: int = 0
    place: int = 0  # among the venue's orders of its price, on level 3
    parent: Order | None = None
    children: list[Order] = field(default_factory=list)
    ring: list[Order] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return self.state in OVER

    @property
    def resting(self) -> bool:
        return self.state in RESTING

    @property
    def nominal(self) -> int:
        """Lots of the order when all that it waits for comes."""
        final = self.qty if self.parent is None or not self.parent.over else min(self.qty, self.parent.filled)
        return final - self.taken - self.prevented

    @property
    def rest(self) -> int:
        """Lots that may trade now: a child has at most the lots that its parent filled."""
        active = self.qty if self.parent is None else min(self.qty, self.parent.filled)
        return max(0, active - self.taken - self.prevented - self.filled)

    def release(self, lots: int) -> None:
        """Give back the part of the reserved margin that belongs to so many lots of the rest."""
        self.reserved = 0 if lots >= self.rest else self.reserved - self.reserved // self.rest * lots

    @property
    def market_like(self) -> bool:
        plain = self.type in (k.MARKET, k.MARKET_ON_OPEN, k.MARKET_ON_CLOSE)
        return plain or (self.triggered and self.type != k.STOP_LIMIT)

    @property
    def limit_now(self) -> bool:
        return self.type == k.LIMIT or (self.type == k.STOP_LIMIT and self.triggered)

    @property
    def touch(self) -> bool:
        return bool(self.flags & k.TOUCH) or self.type in AUCTION

    def limit_reached(self, at: int) -> bool:
        """A buy below its limit, a sale above; at the limit itself only by touch."""
        gain = self.side * (self.price - at)
        return gain > 0 or (gain == 0 and self.touch)

    def trigger_reached(self, at: int) -> bool:
        if self.type == k.TAKE_PROFIT:
            return self.side * (self.price - at) >= 0
        return self.stop != 0 and self.side * (at - self.stop) >= 0

    def trail(self, at: int) -> None:
        """Move a trailing stop after the price; it never loosens."""
        if self.type != k.TRAILING or self.triggered:
            return
        wish = at + self.side * self.offset
        if self.stop == 0 or self.side * (wish - self.stop) < 0:
            self.stop = wish

    def key(self) -> tuple[int, ...]:
        left = self.qty - self.taken - self.prevented - self.filled
        return (self.id, self.state, self.filled, left, self.price, self.stop, int(self.triggered))


@dataclass(frozen=True)
class Fill:
    ts: int
    id: int
    instrument: int
    side: int
    price: int
    qty: int
    maker: bool
    fee: int
    reference: int
    position: int


@dataclass(frozen=True)
class News:
    ts: int
    id: int
    kind: int
    reason: int


@dataclass
class OracleResult:
    """What a run left behind. `states` has one entry for each thing processed: (what, number, ts, key of the state)."""

    fills: list[Fill]
    news: list[News]
    cash: list[int]
    income: list[int]
    charges: list[int]
    realised: list[int]
    marked: list[int]
    positions: list[int]
    basis: list[int]
    ambiguous: int
    ambiguous_money: int
    unsettled: list[int]
    borrowed: list[int]
    short: list[int]  # lots short at worst: held and under way
    orders: dict[int, Order]
    states: list[tuple[str, int, int, Any]]
    error: int = k.NO_ERROR
    error_row: int = -1


def half_away(value: Fraction) -> int:
    """Round to the nearest whole number, halves away from zero."""
    size = abs(value)
    whole = (2 * size.numerator + size.denominator) // (2 * size.denominator)
    return whole if value >= 0 else -whole


def share(amount: int, rate: int) -> int:
    """Return amount * rate with the rate in units of 1e-9, rounded half away from zero."""
    return half_away(Fraction(amount * rate, k.RATE_ONE))


def fee_of(terms: OracleInstrument, notional: int, lots: int, maker: bool) -> int:
    fee = share(notional, terms.maker if maker else terms.taker) + terms.per_lot * lots
    return max(fee, terms.min_fee) if terms.min_fee > 0 else fee


def slipped(terms: OracleInstrument, price: int, side: int) -> int:
    """Return the price moved against the trader; a sale never below one tick."""
    ticks = 0
    if terms.slip_kind == 1:
        ticks = terms.slip_value
    elif terms.slip_kind == 2:
        ticks = -((-price * terms.slip_value) // k.RATE_ONE)
    return max(1, price + side * ticks) if side < 0 else price + ticks


def rows_of(events: Any) -> list[dict[str, int]]:
    """Accept a list of dictionaries or a dictionary of columns (a column may be None)."""
    if isinstance(events, dict):
        columns = {name: list(values) for name, values in events.items() if values is not None}
        n = len(columns["ts"])
        events = [{name: int(values[i]) for name, values in columns.items()} for i in range(n)]
    return [{**COLUMN_DEFAULTS, **row} for row in events]
