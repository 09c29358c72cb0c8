"""A level-3 book: every order by its id, in the queue of its price, inside a block of int64 words.

Orders hang in the queue of their price level, oldest first; levels hang in a list for each side, best first. Two hash
tables with linear probing find an order by its id and a level by side and price. Prices may lie anywhere.

| symbol | meaning | unit |
|---|---|---|
| at | address of the book's first word | bytes |
| order | number of an order record | index |
| level | number of a level record | index |
| side | +1 buy (bid), -1 sell (ask) | 1 |
| price, qty | ticks, lots | 1 |

Invariants:
1. A level's quantity and count are those of its queue; a level without orders does not exist.
2. Levels of a side are ordered by price, best first; orders of a level by the moment they took their place.
3. Nothing is allocated; a full book answers `FULL` and is unchanged. An action whose code is not 0 changes nothing.
4. A changed order keeps its place only at the same price with a quantity that is not larger.
5. `sequence` numbers the places taken, so that "ahead of a moment" has a meaning for an order outside the book.

What it does not do: match. An incoming order that crosses is the exchange's business; `l3_replay` stops
with `CROSSED` where the rows of a stream leave the best bid at or above the best ask.
"""

from __future__ import annotations

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import load, load_byte, store
from karat.kernels.market._l3_layout import (
    AT_LEVEL_MAP,
    AT_LEVELS,
    AT_ORDER_MAP,
    AT_ORDERS,
    BAD_SIZE,
    BEST_ASK,
    BEST_BID,
    CROSSED,
    DUPLICATE,
    FREE_LEVEL,
    FREE_ORDER,
    FULL,
    HEADER,
    L_COUNT,
    L_FIRST,
    L_PRICE,
    L_QTY,
    L_SIDE,
    L_WORSE,
    LEVEL,
    LEVEL_MASK,
    LEVELS,
    LIVE_LEVELS,
    LIVE_ORDERS,
    NOT_LEVEL3,
    O_AFTER,
    O_ID,
    O_LEVEL,
    O_QTY,
    O_SEQUENCE,
    O_USER,
    ORDER,
    ORDER_MASK,
    ORDERS,
    SEQUENCE,
    TOO_MUCH,
    UNKNOWN,
)
from karat.kernels.market._l3_records import (
    find_order,
    join,
    l3_level,
    l3_order,
    leave,
    level_at,
    new_level,
    order_at,
    unmap,
)
from karat.kernels.market._layout import (
    ADD_ASK,
    ADD_BID,
    DELETE,
    DEPTH_CLEAR,
    EXECUTE,
    MODIFY,
    NONE,
    REDUCE,
    V_A,
    V_KIND,
    V_PRICE,
    V_QTY,
)


@exported("int64(int64)")
def l3_clear(at: int) -> int:
    """Remove every order; return the book's number of words. The sequence goes on."""
    orders, levels = load(at, ORDERS), load(at, LEVELS)
    at_orders, at_levels = load(at, AT_ORDERS), load(at, AT_LEVELS)
    for i in range(HEADER, at_orders):
        store(at, i, 0)
    for i in range(at_orders, at_levels + LEVEL * levels):
        store(at, i, 0)
    for i in range(orders):
        store(at, at_orders + ORDER * i + O_AFTER, i + 1 if i + 1 < orders else -1)
    for i in range(levels):
        store(at, at_levels + LEVEL * i + L_WORSE, i + 1 if i + 1 < levels else -1)
    store(at, FREE_ORDER, 0 if orders > 0 else -1)
    store(at, FREE_LEVEL, 0 if levels > 0 else -1)
    store(at, LIVE_ORDERS, 0)
    store(at, LIVE_LEVELS, 0)
    store(at, BEST_BID, -1)
    store(at, BEST_ASK, -1)
    return at_levels + LEVEL * levels


@exported("int64(int64, int64, int64)")
def l3_init(at: int, orders: int, levels: int) -> int:
    """Write an empty book for at most `orders` orders at `levels` prices; return its number of words."""
    order_map, level_map = 16, 16
    while order_map < 2 * orders:
        order_map *= 2
    while level_map < 2 * levels:
        level_map *= 2
    store(at, ORDERS, orders)
    store(at, LEVELS, levels)
    store(at, ORDER_MASK, order_map - 1)
    store(at, LEVEL_MASK, level_map - 1)
    store(at, SEQUENCE, 0)
    store(at, AT_ORDER_MAP, HEADER)
    store(at, AT_LEVEL_MAP, HEADER + order_map)
    store(at, AT_ORDERS, HEADER + order_map + level_map)
    store(at, AT_LEVELS, HEADER + order_map + level_map + ORDER * orders)
    store(at, HEADER - 1, 0)
    return l3_clear(at)


@exported("int64(int64, int64, int64, int64, int64)")
def l3_add(at: int, order_id: int, side: int, price: int, qty: int) -> int:
    """Add an order at the end of its price's queue. Codes: DUPLICATE, FULL, BAD_SIZE."""
    if qty <= 0:
        return BAD_SIZE
    place = find_order(at, order_id)
    table = at + 8 * load(at, AT_ORDER_MAP)
    if load(table, place) != 0:
        return DUPLICATE
    order = load(at, FREE_ORDER)
    if order < 0:
        return FULL
    level = l3_level(at, side, price)
    if level < 0:
        level = new_level(at, side, price)
        if level < 0:
            return FULL
    own = order_at(at, order)
    store(at, FREE_ORDER, load(own, O_AFTER))
    store(table, place, order + 1)
    store(own, O_ID, order_id)
    store(own, O_QTY, qty)
    store(own, O_USER, 0)
    store(at, LIVE_ORDERS, load(at, LIVE_ORDERS) + 1)
    join(at, order, level)
    return 0


@exported("int64(int64, int64)")
def l3_delete(at: int, order_id: int) -> int:
    """Remove an order. Code: UNKNOWN."""
    place = find_order(at, order_id)
    order = load(at + 8 * load(at, AT_ORDER_MAP), place) - 1
    if order < 0:
        return UNKNOWN
    leave(at, order)
    unmap(at, 1, place)
    store(order_at(at, order), O_AFTER, load(at, FREE_ORDER))
    store(at, FREE_ORDER, order)
    store(at, LIVE_ORDERS, load(at, LIVE_ORDERS) - 1)
    return 0


@exported("int64(int64, int64, int64)")
def l3_reduce(at: int, order_id: int, qty: int) -> int:
    """Take lots from an order, which keeps its place; the last lot removes it. Codes: UNKNOWN, BAD_SIZE, TOO_MUCH."""
    order = l3_order(at, order_id)
    if order < 0:
        return UNKNOWN
    if qty <= 0:
        return BAD_SIZE
    own = order_at(at, order)
    left = load(own, O_QTY) - qty
    if left < 0:
        return TOO_MUCH
    if left == 0:
        return l3_delete(at, order_id)
    store(own, O_QTY, left)
    record = level_at(at, load(own, O_LEVEL))
    store(record, L_QTY, load(record, L_QTY) - qty)
    return 0


@exported("int64(int64, int64, int64, int64)")
def l3_modify(at: int, order_id: int, price: int, qty: int) -> int:
    """Give an order a new price and quantity (invariant 4). Codes: UNKNOWN, BAD_SIZE, FULL."""
    order = l3_order(at, order_id)
    if order < 0:
        return UNKNOWN
    if qty <= 0:
        return BAD_SIZE
    own = order_at(at, order)
    record = level_at(at, load(own, O_LEVEL))
    old, side = load(own, O_QTY), load(record, L_SIDE)
    if load(record, L_PRICE) == price and qty <= old:
        store(own, O_QTY, qty)
        store(record, L_QTY, load(record, L_QTY) - (old - qty))
        return 0
    if l3_level(at, side, price) < 0 and load(at, FREE_LEVEL) < 0 and load(record, L_COUNT) > 1:
        return FULL
    leave(at, order)
    store(own, O_QTY, qty)
    level = l3_level(at, side, price)
    join(at, order, level if level >= 0 else new_level(at, side, price))
    return 0


@compiled("int64(int64, int64)")
def l3_best(at: int, side: int) -> int:
    """Return the best price of a side, NONE where it is empty."""
    level = load(at, BEST_BID if side > 0 else BEST_ASK)
    return load(level_at(at, level), L_PRICE) if level >= 0 else NONE


@compiled("int64(int64, int64, int64)")
def l3_quantity(at: int, side: int, price: int) -> int:
    """Return the lots at a price, 0 where nobody is."""
    level = l3_level(at, side, price)
    return load(level_at(at, level), L_QTY) if level >= 0 else 0


@exported("int64(int64, int64, int64, int64)")
def l3_ahead(at: int, side: int, price: int, sequence: int) -> int:
    """Return the lots at a price whose places were taken before place number `sequence`.

    An order in the book has its own number in `O_SEQUENCE`; one that is only imagined takes `SEQUENCE + 1` when it
    arrives, and everything that is there is ahead of it.
    """
    level = l3_level(at, side, price)
    order, lots = (load(level_at(at, level), L_FIRST), 0) if level >= 0 else (-1, 0)
    while order >= 0:
        own = order_at(at, order)
        if load(own, O_SEQUENCE) >= sequence:
            break
        lots += load(own, O_QTY)
        order = load(own, O_AFTER)
    return lots


@compiled("int64(int64, int64)")
def l3_ahead_of(at: int, order_id: int) -> int:
    """Return the lots that are ahead of an order of the book, -1 for an id that is not in it."""
    order = l3_order(at, order_id)
    if order < 0:
        return -1
    own = order_at(at, order)
    record = level_at(at, load(own, O_LEVEL))
    return l3_ahead(at, load(record, L_SIDE), load(record, L_PRICE), load(own, O_SEQUENCE))


@exported("int64(int64, int64, int64, int64)")
def l3_depth(at: int, side: int, out: int, most: int) -> int:
    """Write price, quantity and count of the best `most` levels to `out`, three words each; return how many."""
    level, n = load(at, BEST_BID if side > 0 else BEST_ASK), 0
    while level >= 0 and n < most:
        record = level_at(at, level)
        store(out, 3 * n, load(record, L_PRICE))
        store(out, 3 * n + 1, load(record, L_QTY))
        store(out, 3 * n + 2, load(record, L_COUNT))
        level = load(record, L_WORSE)
        n += 1
    return n


@compiled("int64(int64)")
def l3_crossed(at: int) -> int:
    """Return 1 where the best bid is at or above the best ask, else 0."""
    bid, ask = load(at, BEST_BID), load(at, BEST_ASK)
    if bid < 0 or ask < 0:
        return 0
    return 1 if load(level_at(at, bid), L_PRICE) >= load(level_at(at, ask), L_PRICE) else 0


@compiled("int64(int64, int64, int64, int64, int64)")
def l3_apply(at: int, kind: int, price: int, qty: int, order_id: int) -> int:
    """Apply one level-3 event; return its code, NOT_LEVEL3 for kinds that change no level-3 book."""
    if kind == ADD_BID:
        return l3_add(at, order_id, 1, price, qty)
    if kind == ADD_ASK:
        return l3_add(at, order_id, -1, price, qty)
    if kind in (REDUCE, EXECUTE):
        return l3_reduce(at, order_id, qty)
    if kind == DELETE:
        return l3_delete(at, order_id)
    if kind == MODIFY:
        return l3_modify(at, order_id, price, qty)
    if kind == DEPTH_CLEAR:
        l3_clear(at)
        return 0
    return NOT_LEVEL3


@compiled("int64(int64, int64, int64, int64)")
def l3_replay(at: int, table: int, first: int, last: int) -> int:
    """Apply rows first to last (exclusive) of event columns; return the row that failed, `last` where none did.

    Rows that are not level 3 are passed over. The code of the failure lies in the header's last word.
    """
    kinds, prices, sizes, ids = load(table, V_KIND), load(table, V_PRICE), load(table, V_QTY), load(table, V_A)
    for i in range(first, last):
        code = l3_apply(at, load_byte(kinds, i), load(prices, i), load(sizes, i), load(ids, i))
        if code == NOT_LEVEL3:
            continue
        if code == 0 and l3_crossed(at) != 0:
            code = CROSSED
        if code != 0:
            store(at, HEADER - 1, code)
            return i
    return last
