"""The table of orders: slots, the map from ids to slots, the list of live orders of an instrument, and legal states.

| symbol | meaning |
|---|---|
| s | address of the block |
| i | address of an instrument's record |
| o | address of an order's record |
| slot | number of an order's record, -1 for none |

Invariants:
1. An order changes its state by `move` alone, and `move` refuses what `ALLOWED` does not list.
2. The live orders of an instrument are linked in the order of their sequence: who came first is first.
3. A slot is free again once the order is over and every message about it has reached the strategy.
"""

from __future__ import annotations

from typing import Final

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import load, mul_wrap, shift_right, store
from karat.kernels.market._layout import (
    CANCEL_ONLY,
    CANCELLED,
    CLOSING,
    EXPIRED,
    FAR,
    FILLED,
    H_AT_INSTRUMENTS,
    H_AT_MAP,
    H_AT_ORDERS,
    H_FREE_ORDER,
    H_GRAVE,
    H_MAP_MASK,
    H_OPEN_ORDERS,
    I_BUY_LOW,
    I_HEAD,
    I_LIVE,
    I_SELL_LOW,
    I_TAIL,
    I_UNPLAIN,
    INSTRUMENT,
    LIMIT,
    LIVE,
    NONE,
    O_CHILDREN,
    O_ID,
    O_NEXT,
    O_OFFSET,
    O_PARENT,
    O_PREVIOUS,
    O_PRICE,
    O_RESPONSES,
    O_RETIRED,
    O_RING,
    O_SIBLING,
    O_SIDE,
    O_STATE,
    O_STOP,
    O_TYPE,
    OPEN,
    ORDER,
    PARTIAL,
    PENDING_NEW,
    PREVENTED,
    REJECTED,
    WAITING,
)


def words(count: int) -> str:
    """Return the signature of a function of `count` words to a word."""
    return f"int64({', '.join(['int64'] * count)})"


def _bits(*states: int) -> int:
    return sum(1 << state for state in states)


ALLOWED: Final = (  # bit b of entry a: an order in state a may go to state b
    _bits(PENDING_NEW, WAITING),
    _bits(LIVE, WAITING, REJECTED, EXPIRED, CANCELLED),
    _bits(LIVE, CANCELLED, EXPIRED, REJECTED),
    _bits(PARTIAL, FILLED, CANCELLED, EXPIRED, PREVENTED),
    _bits(PARTIAL, FILLED, CANCELLED, EXPIRED, PREVENTED),
    0,
    0,
    0,
    0,
    0,
)


@exported(words(2))
def may_move(before: int, after: int) -> int:
    """Return 1 where an order may go from one state to the other, else 0."""
    return (ALLOWED[before] >> after) & 1


@compiled(words(2))
def move(o: int, state: int) -> int:
    """Set the order's state; return 1, or 0 where the step is illegal and nothing was changed."""
    if (ALLOWED[load(o, O_STATE)] >> state) & 1 == 0:
        return 0
    store(o, O_STATE, state)
    return 1


@compiled(words(2))
def instrument_at(s: int, number: int) -> int:
    """Return the address of an instrument's record."""
    return s + 8 * (load(s, H_AT_INSTRUMENTS) + number * INSTRUMENT)


@compiled(words(2))
def order_at(s: int, slot: int) -> int:
    """Return the address of an order's record."""
    return s + 8 * (load(s, H_AT_ORDERS) + slot * ORDER)


@compiled(words(2))
def slot_of(s: int, o: int) -> int:
    """Return the slot of the record at an address."""
    return (o - s - 8 * load(s, H_AT_ORDERS)) // (8 * ORDER)


@compiled(words(1))
def _mixed(key: int) -> int:
    """Return the upper half of the key times 2**64 over the golden ratio: ids at any distance spread (Knuth, 6.4)."""
    return shift_right(mul_wrap(key, -7046029254386353131), 32)


@exported(words(2))
def find(s: int, order_id: int) -> int:
    """Return the slot of an id, or -1. The map probes linearly; an entry is a slot plus one, 0 for empty."""
    table, mask = s + 8 * load(s, H_AT_MAP), load(s, H_MAP_MASK)
    k = _mixed(order_id) & mask
    while True:
        entry = load(table, k)
        if entry == 0:
            return -1
        if load(order_at(s, entry - 1), O_ID) == order_id:
            return entry - 1
        k = (k + 1) & mask


@exported(words(2))
def take_slot(s: int, order_id: int) -> int:
    """Return a cleared slot entered in the map under the id, or -1 where the table is full."""
    slot = load(s, H_FREE_ORDER)
    if slot < 0:
        return -1
    o = order_at(s, slot)
    store(s, H_FREE_ORDER, load(o, O_NEXT))
    for k in range(ORDER):
        store(o, k, 0)
    store(o, O_ID, order_id)
    store(o, O_NEXT, -1)
    store(o, O_PREVIOUS, -1)
    store(o, O_RING, slot)
    table, mask = s + 8 * load(s, H_AT_MAP), load(s, H_MAP_MASK)
    k = _mixed(order_id) & mask
    while load(table, k) != 0:
        k = (k + 1) & mask
    store(table, k, slot + 1)
    store(s, H_OPEN_ORDERS, load(s, H_OPEN_ORDERS) + 1)
    return slot


@compiled(words(2))
def retire(s: int, o: int) -> int:
    """Give an order to the grave once it is over and no message about it is under way; return 1 if it went there."""
    if load(o, O_STATE) < FILLED or load(o, O_RESPONSES) > 0 or load(o, O_RETIRED) == 1:
        return 0
    store(o, O_RETIRED, 1)
    store(o, O_NEXT, load(s, H_GRAVE))
    store(s, H_GRAVE, slot_of(s, o))
    return 1


@exported(words(2))
def _unmap(s: int, order_id: int) -> int:
    """Take an id out of the map; later entries of its run move up so that every search still ends at a hole."""
    table, mask = s + 8 * load(s, H_AT_MAP), load(s, H_MAP_MASK)
    k = _mixed(order_id) & mask
    while load(order_at(s, load(table, k) - 1), O_ID) != order_id:
        k = (k + 1) & mask
    hole = k
    while True:
        k = (k + 1) & mask
        entry = load(table, k)
        if entry == 0:
            break
        home = _mixed(load(order_at(s, entry - 1), O_ID)) & mask
        if (k - home) & mask >= (k - hole) & mask:
            store(table, hole, entry)
            hole = k
    store(table, hole, 0)
    return 0


@exported(words(2))
def leave_ring(s: int, slot: int) -> int:
    """Take an order out of its ring of legs."""
    before = slot
    while load(order_at(s, before), O_RING) != slot:
        before = load(order_at(s, before), O_RING)
    store(order_at(s, before), O_RING, load(order_at(s, slot), O_RING))
    store(order_at(s, slot), O_RING, slot)
    return 0


@exported(words(3))
def disown(s: int, slot: int, parent: int) -> int:
    """Take a child out of its parent's chain, where the parent is still known: its slot will be another order's."""
    if parent < 0:
        return 0
    before, field = order_at(s, parent), O_CHILDREN
    while load(before, field) and load(before, field) - 1 != slot:
        before, field = order_at(s, load(before, field) - 1), O_SIBLING
    if load(before, field):
        store(before, field, load(order_at(s, slot), O_SIBLING))
    return 1


@exported(words(1))
def bury(s: int) -> int:
    """Free the slots of retired orders; called between events, when nobody walks a list any more."""
    slot = load(s, H_GRAVE)
    while slot >= 0:
        o = order_at(s, slot)
        after = load(o, O_NEXT)
        leave_ring(s, slot)
        if load(o, O_PARENT) > 0:
            disown(s, slot, find(s, load(o, O_PARENT)))
        _unmap(s, load(o, O_ID))
        store(o, O_NEXT, load(s, H_FREE_ORDER))
        store(s, H_FREE_ORDER, slot)
        store(s, H_OPEN_ORDERS, load(s, H_OPEN_ORDERS) - 1)
        slot = after
    store(s, H_GRAVE, -1)
    return 0


@compiled(words(2))
def trail(o: int, price: int) -> int:
    """Move a trailing stop after the price, never away from it; set it where it was not set."""
    side, stop = load(o, O_SIDE), load(o, O_STOP)
    wanted = price + side * load(o, O_OFFSET)
    if stop == 0 or side * (wanted - stop) < 0:
        store(o, O_STOP, wanted)
    return 0


@compiled(words(1))
def trading(status: int) -> int:
    """Return 1 where a market in this status matches orders."""
    return 1 if status == OPEN or status == CLOSING or status == CANCEL_ONLY else 0


@compiled(words(2))
def _widen(i: int, o: int) -> int:
    """Let the bounds of an instrument's live orders take in one more order."""
    if load(o, O_TYPE) != LIMIT:
        store(i, I_UNPLAIN, load(i, I_UNPLAIN) + 1)
        return 0
    price, low = load(o, O_PRICE), I_BUY_LOW if load(o, O_SIDE) > 0 else I_SELL_LOW
    store(i, low, min(price, load(i, low)))
    store(i, low + 1, max(price, load(i, low + 1)))
    return 0


@exported(words(2))
def set_bounds(s: int, i: int) -> int:
    """Note between which prices the live limit orders of each side lie, and how many orders are of other types.

    A row of the market beyond these bounds cannot concern an own order: that is what makes long runs of rows cheap.
    """
    for low in (I_BUY_LOW, I_SELL_LOW):
        store(i, low, FAR)
        store(i, low + 1, NONE)
    store(i, I_UNPLAIN, 0)
    slot = load(i, I_HEAD)
    while slot >= 0:
        o = order_at(s, slot)
        _widen(i, o)
        slot = load(o, O_NEXT)
    return 0


@exported(words(3))
def link(s: int, i: int, o: int) -> int:
    """Append an order to its instrument's live orders."""
    slot, tail = slot_of(s, o), load(i, I_TAIL)
    store(o, O_PREVIOUS, tail)
    store(o, O_NEXT, -1)
    if tail < 0:
        store(i, I_HEAD, slot)
    else:
        store(order_at(s, tail), O_NEXT, slot)
    store(i, I_TAIL, slot)
    store(i, I_LIVE, load(i, I_LIVE) + 1)
    return _widen(i, o)


@exported(words(3))
def unlink(s: int, i: int, o: int) -> int:
    """Take an order out of its instrument's live orders."""
    before, after = load(o, O_PREVIOUS), load(o, O_NEXT)
    if before < 0:
        store(i, I_HEAD, after)
    else:
        store(order_at(s, before), O_NEXT, after)
    if after < 0:
        store(i, I_TAIL, before)
    else:
        store(order_at(s, after), O_PREVIOUS, before)
    store(o, O_NEXT, -1)
    store(o, O_PREVIOUS, -1)
    store(i, I_LIVE, load(i, I_LIVE) - 1)
    return set_bounds(s, i)


@exported(words(3))
def join_ring(s: int, slot: int, leg: int) -> int:
    """Put an order at the end of the ring of legs that `leg` belongs to: before the oldest of them."""
    last = leg
    while load(order_at(s, load(order_at(s, last), O_RING)), O_ID) > load(order_at(s, last), O_ID):
        last = load(order_at(s, last), O_RING)
    store(order_at(s, slot), O_RING, load(order_at(s, last), O_RING))
    store(order_at(s, last), O_RING, slot)
    return 0
