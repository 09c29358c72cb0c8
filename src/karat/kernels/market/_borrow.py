"""Short sales: what a short position costs, how many lots are located for it, and the day's turn of both accounts.

| symbol | meaning | unit |
|---|---|---|
| P | position, negative when short | lots |
| S | lots that the instrument's own sales under way may still sell | lots |
| R | the same of reduce-only sales: they end at a position of zero | lots |
| used | located lots in use: S - P when P <= 0, else S - max(0, P - R), at least 0 | lots |

Invariants:
1. A short pays its value at the last mark for every span that ends: at a fill, a split, and the first row of a day.
2. `used` is counted from the orders and the position each time, so that no way in which an order ends can lose a lot:
   it is what would be short if every sale filled and nothing were bought.
3. Legs of a list that take lots from each other count once, the largest. A child of a purchase counts the lots that
   its parent has bought, a child of a sale all of its own.
"""

from __future__ import annotations

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import load, store
from karat.kernels.market._account import charge, money_at, stop_with
from karat.kernels.market._charges import borrow_accrue
from karat.kernels.market._kinds import OVERFLOW
from karat.kernels.market._layout import (
    DOOMED,
    DROPPED,
    E_OVERFLOW,
    FILLED,
    H_ORDERS,
    I_MARK,
    I_NUMBER,
    I_POSITION,
    I_UNIT,
    M_BORROW,
    M_BORROWED,
    M_EXPIRES,
    M_LOCATED,
    M_RECALLED,
    O_FILLED,
    O_FLAGS,
    O_FULL,
    O_GROUP_MODE,
    O_INSTRUMENT,
    O_PARENT,
    O_PENDING,
    O_QTY,
    O_RING,
    O_SIDE,
    O_STATE,
    OK,
    PENDING_NEW,
    R_LOCATE,
    R_LOCATE_EXPIRED,
    R_NO_SHORT,
    R_RECALLED,
    REDUCE_ONLY,
)
from karat.kernels.market._orders import find, order_at, slot_of, words


@exported(words(3))
def accrue(s: int, i: int, ts: int) -> int:
    """Charge what the short position has cost since the last span ended, at the mark of now; 0 where there is none."""
    m, short = money_at(s, i), max(0, -load(i, I_POSITION))
    value = short * load(i, I_MARK) * load(i, I_UNIT) if short > 0 else 0
    fee = borrow_accrue(m + 8 * M_BORROW, ts, value)
    if fee == OVERFLOW:
        return stop_with(s, E_OVERFLOW, ts, value)
    if fee > 0:
        charge(s, i, fee)
        store(m, M_BORROWED, load(m, M_BORROWED) + fee)
    return fee


@compiled(words(2))
def _sellable(s: int, o: int) -> int:
    """Return the lots that an order may still sell, 0 for one that buys, is over, or will end when it arrives."""
    state = load(o, O_STATE)
    if load(o, O_SIDE) > 0 or state < PENDING_NEW or state >= FILLED or load(o, O_PENDING) & (DOOMED | DROPPED):
        return 0
    whole = load(o, O_QTY)
    if load(o, O_PARENT) > 0:
        parent = find(s, load(o, O_PARENT))
        if parent >= 0 and load(order_at(s, parent), O_SIDE) < 0:
            whole = load(o, O_FULL)
    return max(0, whole - load(o, O_FILLED))


@compiled(words(3))
def _outdone(s: int, slot: int, without: int) -> int:
    """Return 1 where another leg of the order's list counts in its place."""
    o, leg = order_at(s, slot), load(order_at(s, slot), O_RING)
    lots = _sellable(s, o)
    while leg != slot:
        other = order_at(s, leg)
        if leg != without and load(other, O_GROUP_MODE) != 0 and load(other, O_FLAGS) & REDUCE_ONLY == 0:
            theirs = _sellable(s, other)
            if theirs > lots or (theirs == lots and leg < slot):
                return 1
        leg = load(other, O_RING)
    return 0


@exported(words(3))
def short_lots(s: int, i: int, without: int) -> int:
    """Return the located lots in use, without the order in a slot (-1: with all of them)."""
    position, number, plain, reducing = load(i, I_POSITION), load(i, I_NUMBER), 0, 0
    for slot in range(load(s, H_ORDERS)):
        o = order_at(s, slot)
        if slot == without or load(o, O_INSTRUMENT) != number:
            continue
        lots = _sellable(s, o)
        if lots == 0:
            continue
        if load(o, O_FLAGS) & REDUCE_ONLY:
            reducing += lots
        elif load(o, O_GROUP_MODE) == 0 or not _outdone(s, slot, without):
            plain += lots
    held = position if position <= 0 else max(0, position - reducing)
    return max(0, plain - held)


@exported(words(5))
def refused_short(s: int, i: int, before: int, after: int, ts: int) -> int:
    """Return why no short sale may bring the lots in use from `before` to `after`, or 0."""
    m = money_at(s, i)
    if after <= before or load(m, M_LOCATED) < 0:
        return OK
    if ts >= load(m, M_RECALLED):
        return R_RECALLED
    if load(m, M_LOCATED) == 0:
        return R_NO_SHORT
    if ts >= load(m, M_EXPIRES):
        return R_LOCATE_EXPIRED
    return R_LOCATE if after > load(m, M_LOCATED) else OK


@exported(words(4))
def unlocated(s: int, i: int, o: int, ts: int) -> int:
    """Return why an order is no short sale that may be made now, or 0; it is one where it adds to the lots in use."""
    if load(money_at(s, i), M_LOCATED) < 0 or load(o, O_SIDE) > 0:
        return OK
    return refused_short(s, i, short_lots(s, i, slot_of(s, o)), short_lots(s, i, -1), ts)


@exported(words(4))
def split_locate(s: int, i: int, numerator: int, denominator: int) -> int:
    """Let a split change the lots that are located as it changes positions: rounded down to whole ones."""
    m = money_at(s, i)
    if load(m, M_LOCATED) > 0:
        store(m, M_LOCATED, load(m, M_LOCATED) * numerator // denominator)
    return load(m, M_LOCATED)
