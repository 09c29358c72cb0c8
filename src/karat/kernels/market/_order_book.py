"""Single orders of a level-3 market in the block: the book, the levels it shows, and what own orders took of it.

| symbol | meaning |
|---|---|
| at | address of a level-3 book, see `_l3` |
| b | address of the dense book beside it, see `_book` |
| taken | lots that own orders took of a venue order: word `O_USER` of its record |

Invariants:
1. The dense book shows at every price the lots of the venue's orders less what is taken of them.
2. A row of an order shows it again: nothing of it is taken any more.
3. A row that the book does not take changes neither of both.
"""

from __future__ import annotations

from karat.kernels._jit import exported
from karat.kernels._memory import load, store
from karat.kernels.market._book import clear, put, shown
from karat.kernels.market._l3 import l3_apply, l3_clear
from karat.kernels.market._l3_layout import (
    BEST_ASK,
    BEST_BID,
    L_COUNT,
    L_FIRST,
    L_PRICE,
    L_SIDE,
    L_WORSE,
    O_AFTER,
    O_LEVEL,
    O_QTY,
    O_USER,
    UNKNOWN,
)
from karat.kernels.market._l3_records import l3_level, l3_order, level_at, order_at
from karat.kernels.market._layout import ADD_ASK, ADD_BID, B_LOW, B_SLOTS, DELETE, DEPTH_CLEAR, MODIFY, NONE
from karat.kernels.market._orders import words


@exported(words(4))
def _show(b: int, side: int, price: int, more: int) -> int:
    """Let a level show so many lots more, or fewer; return what it shows then."""
    lots = shown(b, side, price) + more
    put(b, load(b, B_LOW), load(b, B_SLOTS), 0 if side > 0 else 1, price, lots)
    return lots


@exported(words(6))
def apply_row(at: int, b: int, kind: int, price: int, qty: int, order_id: int) -> int:
    """Apply a level-3 row to the book and to the levels beside it; return the book's code."""
    if kind == DEPTH_CLEAR:
        l3_clear(at)
        return clear(b)
    side, old, left, after = (1 if kind == ADD_BID else -1), price, 0, qty
    if kind != ADD_BID and kind != ADD_ASK:
        order = l3_order(at, order_id)
        if order < 0:
            return UNKNOWN
        own = order_at(at, order)
        level = level_at(at, load(own, O_LEVEL))
        side, old, left = load(level, L_SIDE), load(level, L_PRICE), load(own, O_QTY) - load(own, O_USER)
        if kind != MODIFY:
            after = 0 if kind == DELETE else load(own, O_QTY) - qty
    code = l3_apply(at, kind, price, qty, order_id)
    if code != 0:
        return code
    if after > 0:
        store(order_at(at, l3_order(at, order_id)), O_USER, 0)
    if kind == MODIFY and price != old:
        _show(b, side, old, -left)
        _show(b, side, price, after)
    else:
        _show(b, side, old, after - left)
    return 0


@exported(words(4))
def take_orders(at: int, side: int, price: int, lots: int) -> int:
    """Note lots of a level as taken, of its oldest orders first; return what the level did not have."""
    level = l3_level(at, side, price)
    order = load(level_at(at, level), L_FIRST) if level >= 0 else -1
    while order >= 0 and lots > 0:
        own = order_at(at, order)
        part = min(lots, load(own, O_QTY) - load(own, O_USER))
        store(own, O_USER, load(own, O_USER) + part)
        lots -= part
        order = load(own, O_AFTER)
    return lots


@exported(words(5))
def take_best(at: int, b: int, side: int, best: int, lots: int) -> int:
    """Take lots of the best level of a side, and no more than it shows; return how many."""
    part = min(lots, shown(b, side, best))
    _show(b, side, best, -part)
    take_orders(at, side, best, part)
    return part


@exported(words(6))
def best_after(at: int, side: int, kind: int, price: int, qty: int, order_id: int) -> int:
    """Return the venue's best price of a side after a row that the book takes, NONE for an empty side."""
    level = load(at, BEST_BID if side > 0 else BEST_ASK)
    best, comes = load(level_at(at, level), L_PRICE) if level >= 0 else NONE, kind == MODIFY
    if kind == ADD_BID or kind == ADD_ASK:
        comes = side == (1 if kind == ADD_BID else -1)
    else:
        own = order_at(at, l3_order(at, order_id))
        record = level_at(at, load(own, O_LEVEL))
        if load(record, L_SIDE) != side:
            return best
        leaves = kind == DELETE or kind == MODIFY or qty == load(own, O_QTY)
        if leaves and load(own, O_LEVEL) == level and load(record, L_COUNT) == 1:
            worse = load(record, L_WORSE)
            best = load(level_at(at, worse), L_PRICE) if worse >= 0 else NONE
    return price if comes and (best == NONE or side * (price - best) > 0) else best
