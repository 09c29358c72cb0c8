"""More room for a level-3 book: everything in it goes into a larger one. Symbols are those of `_l3`.

Invariants:
1. Records keep their numbers, so that queues, levels and free records are linked as they were; new records come after
   the free ones. Only the hash tables are filled anew.
2. What follows is the same as if the book had had the room from the start.
"""

from __future__ import annotations

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import load, store
from karat.kernels.market._l3_layout import (
    AT_LEVEL_MAP,
    AT_LEVELS,
    AT_ORDER_MAP,
    AT_ORDERS,
    BEST_ASK,
    BEST_BID,
    FREE_LEVEL,
    FREE_ORDER,
    L_FIRST,
    L_PRICE,
    L_SIDE,
    L_WORSE,
    LEVEL,
    LEVELS,
    LIVE_LEVELS,
    LIVE_ORDERS,
    O_AFTER,
    O_ID,
    ORDER,
    ORDERS,
    SEQUENCE,
)
from karat.kernels.market._l3_records import find_level, find_order, level_at, order_at


@compiled("int64(int64, int64, int64, int64, int64)")
def _append_free(first: int, records: int, width: int, link: int, new: int) -> int:
    """Hang record `new` behind the last of a chain of free records; return the first of the chain."""
    if first < 0:
        return new
    last = first
    while load(records, width * last + link) >= 0:
        last = load(records, width * last + link)
    store(records, width * last + link, new)
    return first


@compiled("int64(int64, int64)")
def _map_level(to: int, level: int) -> int:
    """Enter a level and its orders in the hash tables; return the next level of its side."""
    record = level_at(to, level)
    store(to + 8 * load(to, AT_LEVEL_MAP), find_level(to, load(record, L_SIDE), load(record, L_PRICE)), level + 1)
    order = load(record, L_FIRST)
    while order >= 0:
        own = order_at(to, order)
        store(to + 8 * load(to, AT_ORDER_MAP), find_order(to, load(own, O_ID)), order + 1)
        order = load(own, O_AFTER)
    return load(record, L_WORSE)


@exported("int64(int64, int64)")
def l3_copy(at: int, to: int) -> int:
    """Put a book into an empty one that has at least its room; return how many orders it holds."""
    orders, levels = load(at, ORDERS), load(at, LEVELS)
    old, new = at + 8 * load(at, AT_ORDERS), to + 8 * load(to, AT_ORDERS)
    for k in range(ORDER * orders):
        store(new, k, load(old, k))
    free = orders if load(to, ORDERS) > orders else -1
    store(to, FREE_ORDER, _append_free(load(at, FREE_ORDER), new, ORDER, O_AFTER, free))
    old, new = at + 8 * load(at, AT_LEVELS), to + 8 * load(to, AT_LEVELS)
    for k in range(LEVEL * levels):
        store(new, k, load(old, k))
    free = levels if load(to, LEVELS) > levels else -1
    store(to, FREE_LEVEL, _append_free(load(at, FREE_LEVEL), new, LEVEL, L_WORSE, free))
    for word in (LIVE_ORDERS, LIVE_LEVELS, BEST_BID, BEST_ASK, SEQUENCE):
        store(to, word, load(at, word))
    for best in (BEST_BID, BEST_ASK):
        level = load(to, best)
        while level >= 0:
            level = _map_level(to, level)
    return load(to, LIVE_ORDERS)
