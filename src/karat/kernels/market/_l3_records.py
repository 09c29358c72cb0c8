"""The records of the level-3 book: where words lie, the two hash tables, levels on their side, orders in their queue.

The book's symbols and invariants are those of `_l3`; here is what holds it together. A hash table holds the number of a
record plus one, 0 where a place is free; removing an entry moves up what probing would no longer reach, so that no
grave stays behind and a search ends at the first free place.
"""

from __future__ import annotations

from typing import Final

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import load, mul_wrap, shift_right, store, xor
from karat.kernels.market._l3_layout import (
    AT_LEVEL_MAP,
    AT_LEVELS,
    AT_ORDER_MAP,
    AT_ORDERS,
    BEST_ASK,
    BEST_BID,
    FREE_LEVEL,
    L_BETTER,
    L_COUNT,
    L_FIRST,
    L_LAST,
    L_PRICE,
    L_QTY,
    L_SIDE,
    L_WORSE,
    LEVEL,
    LEVEL_MASK,
    LIVE_LEVELS,
    O_AFTER,
    O_BEFORE,
    O_ID,
    O_LEVEL,
    O_QTY,
    O_SEQUENCE,
    ORDER,
    ORDER_MASK,
    SEQUENCE,
)

_MIX: Final = -7046029254386353131  # 2**64 divided by the golden ratio, as an int64: Knuth's multiplicative hash


@compiled("int64(int64, int64)")
def order_at(at: int, order: int) -> int:
    """Return the address of an order's record."""
    return at + 8 * (load(at, AT_ORDERS) + ORDER * order)


@compiled("int64(int64, int64)")
def level_at(at: int, level: int) -> int:
    """Return the address of a level's record."""
    return at + 8 * (load(at, AT_LEVELS) + LEVEL * level)


@compiled("int64(int64)")
def mixed(key: int) -> int:
    """Return a key spread over all bits; the high half is what the multiplication mixes best."""
    return shift_right(mul_wrap(xor(key, shift_right(key, 32)), _MIX), 20)


@compiled("int64(int64, int64)")
def level_key(side: int, price: int) -> int:
    """Return the key of a level."""
    return 2 * price + (1 if side > 0 else 0)


@compiled("int64(int64, int64)")
def find_order(at: int, order_id: int) -> int:
    """Return the place of an id in the hash table: where it is, or the free place where it would go."""
    mask, table = load(at, ORDER_MASK), at + 8 * load(at, AT_ORDER_MAP)
    place = mixed(order_id) & mask
    while load(table, place) != 0:
        if load(order_at(at, load(table, place) - 1), O_ID) == order_id:
            return place
        place = (place + 1) & mask
    return place


@compiled("int64(int64, int64, int64)")
def find_level(at: int, side: int, price: int) -> int:
    """Return the place of a level in the hash table: where it is, or the free place where it would go."""
    mask, table = load(at, LEVEL_MASK), at + 8 * load(at, AT_LEVEL_MAP)
    place = mixed(level_key(side, price)) & mask
    while load(table, place) != 0:
        level = level_at(at, load(table, place) - 1)
        if load(level, L_PRICE) == price and load(level, L_SIDE) == side:
            return place
        place = (place + 1) & mask
    return place


@compiled("int64(int64, int64, int64)")
def home_of(at: int, orders: int, entry: int) -> int:
    """Return where an entry of a hash table would lie were there no other; orders: 1 for the orders' table."""
    if orders != 0:
        return mixed(load(order_at(at, entry - 1), O_ID)) & load(at, ORDER_MASK)
    level = level_at(at, entry - 1)
    return mixed(level_key(load(level, L_SIDE), load(level, L_PRICE))) & load(at, LEVEL_MASK)


@exported("int64(int64, int64, int64)")
def unmap(at: int, orders: int, place: int) -> int:
    """Empty a place of a hash table and move up what probing would no longer reach; return the last empty place."""
    table = at + 8 * (load(at, AT_ORDER_MAP) if orders != 0 else load(at, AT_LEVEL_MAP))
    mask = load(at, ORDER_MASK) if orders != 0 else load(at, LEVEL_MASK)
    probe = (place + 1) & mask
    while load(table, probe) != 0:
        home = home_of(at, orders, load(table, probe))
        if ((probe - home) & mask) >= ((probe - place) & mask):
            store(table, place, load(table, probe))
            place = probe
        probe = (probe + 1) & mask
    store(table, place, 0)
    return place


@compiled("int64(int64, int64)")
def l3_order(at: int, order_id: int) -> int:
    """Return the number of an order's record, -1 for an id that is not in the book."""
    return load(at + 8 * load(at, AT_ORDER_MAP), find_order(at, order_id)) - 1


@compiled("int64(int64, int64, int64)")
def l3_level(at: int, side: int, price: int) -> int:
    """Return the number of a level's record, -1 where nobody is."""
    return load(at + 8 * load(at, AT_LEVEL_MAP), find_level(at, side, price)) - 1


@exported("int64(int64, int64, int64)")
def new_level(at: int, side: int, price: int) -> int:
    """Return a new level in its place on its side, -1 where the book is full."""
    level = load(at, FREE_LEVEL)
    if level < 0:
        return -1
    store(at + 8 * load(at, AT_LEVEL_MAP), find_level(at, side, price), level + 1)
    record = level_at(at, level)
    store(at, FREE_LEVEL, load(record, L_WORSE))
    best = BEST_BID if side > 0 else BEST_ASK
    better, worse = -1, load(at, best)
    while worse >= 0 and side * (load(level_at(at, worse), L_PRICE) - price) > 0:
        better, worse = worse, load(level_at(at, worse), L_WORSE)
    store(record, L_PRICE, price)
    store(record, L_SIDE, side)
    store(record, L_QTY, 0)
    store(record, L_COUNT, 0)
    store(record, L_FIRST, -1)
    store(record, L_LAST, -1)
    store(record, L_BETTER, better)
    store(record, L_WORSE, worse)
    if worse >= 0:
        store(level_at(at, worse), L_BETTER, level)
    if better >= 0:
        store(level_at(at, better), L_WORSE, level)
    else:
        store(at, best, level)
    store(at, LIVE_LEVELS, load(at, LIVE_LEVELS) + 1)
    return level


@compiled("int64(int64, int64)")
def drop_level(at: int, level: int) -> int:
    """Take an empty level out of its side and give its record back."""
    record = level_at(at, level)
    side, price = load(record, L_SIDE), load(record, L_PRICE)
    better, worse = load(record, L_BETTER), load(record, L_WORSE)
    unmap(at, 0, find_level(at, side, price))
    if worse >= 0:
        store(level_at(at, worse), L_BETTER, better)
    if better >= 0:
        store(level_at(at, better), L_WORSE, worse)
    else:
        store(at, BEST_BID if side > 0 else BEST_ASK, worse)
    store(record, L_WORSE, load(at, FREE_LEVEL))
    store(at, FREE_LEVEL, level)
    store(at, LIVE_LEVELS, load(at, LIVE_LEVELS) - 1)
    return 0


@compiled("int64(int64, int64, int64)")
def join(at: int, order: int, level: int) -> int:
    """Put an order at the end of a level's queue; return the sequence number of its place."""
    record, own = level_at(at, level), order_at(at, order)
    last, sequence = load(record, L_LAST), load(at, SEQUENCE) + 1
    store(at, SEQUENCE, sequence)
    store(own, O_LEVEL, level)
    store(own, O_SEQUENCE, sequence)
    store(own, O_BEFORE, last)
    store(own, O_AFTER, -1)
    if last >= 0:
        store(order_at(at, last), O_AFTER, order)
    else:
        store(record, L_FIRST, order)
    store(record, L_LAST, order)
    store(record, L_COUNT, load(record, L_COUNT) + 1)
    store(record, L_QTY, load(record, L_QTY) + load(own, O_QTY))
    return sequence


@exported("int64(int64, int64)")
def leave(at: int, order: int) -> int:
    """Take an order out of its queue, and the level with it when it was the last."""
    own = order_at(at, order)
    level, before, after = load(own, O_LEVEL), load(own, O_BEFORE), load(own, O_AFTER)
    record = level_at(at, level)
    if before >= 0:
        store(order_at(at, before), O_AFTER, after)
    else:
        store(record, L_FIRST, after)
    if after >= 0:
        store(order_at(at, after), O_BEFORE, before)
    else:
        store(record, L_LAST, before)
    store(record, L_COUNT, load(record, L_COUNT) - 1)
    store(record, L_QTY, load(record, L_QTY) - load(own, O_QTY))
    return drop_level(at, level) if load(record, L_COUNT) == 0 else 0
