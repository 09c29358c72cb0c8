"""Matching on level 3: the venue's single orders, and the exact place of own orders among them.

The loop calls these functions by the addresses in the header, so that it does not have to name them.

Invariants:
1. Own orders are not part of the book; what an own order takes of a venue order is gone until a row of that order.
2. A resting own order stands behind exactly the orders that were at its price when it took its place.
3. An execution of an order that stands behind an own order, or at a worse price, has met the own order first. What one
   own order had of it the next cannot have.
4. Own resting orders take what comes to their price from the other side, at their own price.
5. Queues move also while the market does not match: they are the venue's.
"""

from __future__ import annotations

from karat.kernels._jit import exported
from karat.kernels._memory import load, load_byte, load_real, store, store_real
from karat.kernels.market._account import mark, stop_with
from karat.kernels.market._arrive import set_off, walk
from karat.kernels.market._book import best_shown
from karat.kernels.market._l3 import l3_ahead
from karat.kernels.market._l3_layout import L_PRICE, L_SIDE, O_LEVEL, SEQUENCE
from karat.kernels.market._l3_layout import O_QTY as L3_QTY
from karat.kernels.market._l3_layout import O_SEQUENCE as L3_SEQUENCE
from karat.kernels.market._l3_records import l3_order, level_at
from karat.kernels.market._l3_records import order_at as venue_order
from karat.kernels.market._layout import (
    ADD_ASK,
    ADD_BID,
    B_ASK,
    B_BID,
    B_LOW,
    B_SLOTS,
    DELETE,
    DEPTH_CLEAR,
    E_BOOK_FULL,
    E_CROSSED,
    E_KNOWN_ORDER,
    E_PRICE,
    E_SIZE,
    E_TOO_MUCH,
    E_UNKNOWN_ORDER,
    E_WINDOW,
    EXECUTE,
    I_BOOK,
    I_BUY_HIGH,
    I_FLAGS,
    I_HEAD,
    I_LAST,
    I_LIVE,
    I_LOCAL_BOOK,
    I_LOCAL_ORDERS,
    I_MARK,
    I_SELL_LOW,
    I_STATUS,
    I_UNPLAIN,
    I_VENUE_ORDERS,
    MARK_MID,
    MAY_CROSS,
    MODIFY,
    NONE,
    O_FRONT,
    O_NEXT,
    O_PLACE,
    O_PRICE,
    O_SIDE,
    REDUCE,
    V_A,
    V_KIND,
    V_PRICE,
    V_QTY,
    V_ROWS,
    V_TS,
)
from karat.kernels.market._line import age_of, next_in_line, rank_of
from karat.kernels.market._match_bars import as_market
from karat.kernels.market._match_depth import fill_resting
from karat.kernels.market._offers import offered
from karat.kernels.market._order_book import apply_row, best_after, take_best
from karat.kernels.market._orders import order_at, trading, words


@exported(words(4))
def enter_orders(s: int, i: int, o: int, _: int) -> int:
    """Give an own order the next place of the book's sequence, and note what stands before it."""
    at = s + 8 * load(i, I_VENUE_ORDERS)
    place = load(at, SEQUENCE) + 1
    store(at, SEQUENCE, place)
    store(o, O_PLACE, place)
    store_real(o, O_FRONT, float(l3_ahead(at, load(o, O_SIDE), load(o, O_PRICE), place)))
    return place


@exported(words(4))
def follow_orders(s: int, i: int, v: int, row: int) -> int:
    """Apply a row to the book that the strategy sees."""
    at, b = s + 8 * load(i, I_LOCAL_ORDERS), s + 8 * load(i, I_LOCAL_BOOK)
    order_id = load(load(v, V_A), row) if load(v, V_A) else 0
    return apply_row(
        at, b, load_byte(load(v, V_KIND), row), load(load(v, V_PRICE), row), load(load(v, V_QTY), row), order_id
    )


@exported(words(4))
def _move_queues(s: int, i: int, side: int, price: int) -> int:
    """Let the orders that are left before own orders of a side and price shorten their queues; side 0: of all."""
    at, slot = s + 8 * load(i, I_VENUE_ORDERS), load(i, I_HEAD)
    while slot >= 0:
        o = order_at(s, slot)
        mine = side == 0 or (load(o, O_SIDE) == side and load(o, O_PRICE) == price)
        if mine and as_market(o) == 2:
            ahead = l3_ahead(at, load(o, O_SIDE), load(o, O_PRICE), load(o, O_PLACE))
            store_real(o, O_FRONT, min(load_real(o, O_FRONT), float(ahead)))
        slot = load(o, O_NEXT)
    return 0


@exported(words(7))
def _executed(s: int, i: int, side: int, price: int, place: int, qty: int, ts: int) -> int:
    """Fill the own orders that an execution of a venue order at a price and place has met before it."""
    mine, left, value, age = 2 if side > 0 else 3, qty, NONE, -1
    while left > 0:
        slot = next_in_line(s, i, mine, value, age)
        if slot < 0:
            break
        o = order_at(s, slot)
        value, age = -side * load(o, O_PRICE), age_of(i, o)
        beyond = side * (load(o, O_PRICE) - price)
        if rank_of(o) != mine or beyond < 0:
            break
        if beyond > 0 or load(o, O_PLACE) < place:
            left -= fill_resting(s, i, o, left, ts)
    return left


@exported(words(3))
def _serve(s: int, i: int, ts: int) -> int:
    """Let every live order have what the other side offers: a resting limit at its own price, once it comes to it."""
    at, b = s + 8 * load(i, I_VENUE_ORDERS), s + 8 * load(i, I_BOOK)
    rank, value, age = 1, 0, -1
    while True:
        slot = next_in_line(s, i, rank, value, age)
        if slot < 0:
            break
        o = order_at(s, slot)
        rank, age, side, price = rank_of(o), age_of(i, o), load(o, O_SIDE), load(o, O_PRICE)
        value = -side * price if rank >= 2 else 0
        if rank == 1:
            walk(s, i, o, ts)
            continue
        lots = offered(s, i, side, price)
        if lots > 0:
            lots = min(lots, fill_resting(s, i, o, lots, ts))
        while lots > 0:
            lots -= take_best(at, b, -side, best_shown(s, i, -side), lots)
    return 0


@exported(words(6))
def _fault(at: int, b: int, kind: int, price: int, qty: int, order_id: int) -> int:
    """Return the error of a row that the book cannot take, or 0."""
    adds, order, k = kind == ADD_BID or kind == ADD_ASK, l3_order(at, order_id), price - load(b, B_LOW)
    if kind != DELETE and qty <= 0:
        return E_SIZE
    if kind != DELETE and kind != REDUCE and price <= 0:
        return E_PRICE
    if adds and order >= 0:
        return E_KNOWN_ORDER
    if not adds and order < 0:
        return E_UNKNOWN_ORDER
    if (kind == REDUCE or kind == EXECUTE) and qty > load(venue_order(at, order), L3_QTY):
        return E_TOO_MUCH
    return E_WINDOW if (adds or kind == MODIFY) and (k < 0 or k >= load(b, B_SLOTS)) else 0


@exported(words(6))
def _crossing(s: int, i: int, v: int, row: int, bid: int, ask: int) -> int:
    """Return 1 where the venue's book would stay crossed after the last row of its instant, and may not."""
    if bid == NONE or ask == NONE or bid < ask or load(i, I_FLAGS) & MAY_CROSS:
        return 0
    times = load(v, V_TS)
    return 1 if row + 1 >= load(v, V_ROWS) or load(times, row + 1) > load(times, row) else 0


@exported(words(3))
def _beside(i: int, side: int, price: int) -> int:
    """Return 0 where no own resting order of a side can be at a price, or at a better one."""
    if load(i, I_UNPLAIN) > 0:
        return 1
    return 1 if (load(i, I_BUY_HIGH) >= price if side > 0 else load(i, I_SELL_LOW) <= price) else 0


@exported(words(2))
def _wanted(i: int, b: int) -> int:
    """Return 0 where no own order can want what the book offers."""
    bid, ask = load(b, B_BID), load(b, B_ASK)
    if load(i, I_UNPLAIN) > 0 or (ask != NONE and ask <= load(i, I_BUY_HIGH)):
        return 1
    return 1 if bid != NONE and bid >= load(i, I_SELL_LOW) else 0


@exported(words(4))
def _value(s: int, i: int, b: int, traded: int) -> int:
    """Value the position after a row that traded at a price (NONE: it did not); return 0 where it cannot be held."""
    bid, ask = load(b, B_BID), load(b, B_ASK)
    if load(i, I_FLAGS) & MARK_MID or load(i, I_LAST) == NONE:
        if bid == NONE or ask == NONE or (bid + ask) // 2 == load(i, I_MARK):
            return 1
        return mark(s, i, (bid + ask) // 2)
    return mark(s, i, traded) if traded != NONE else 1


@exported(words(4))
def orders_row(s: int, i: int, v: int, row: int) -> int:
    """Take a level-3 row; return 1, or 0 with the error noted and nothing changed."""
    at, b, ts = s + 8 * load(i, I_VENUE_ORDERS), s + 8 * load(i, I_BOOK), load(load(v, V_TS), row)
    kind, price, qty = load_byte(load(v, V_KIND), row), load(load(v, V_PRICE), row), load(load(v, V_QTY), row)
    order_id = load(load(v, V_A), row) if load(v, V_A) else 0
    if kind == DEPTH_CLEAR:
        apply_row(at, b, kind, price, qty, order_id)
        return _move_queues(s, i, 0, 0) + 1
    error = _fault(at, b, kind, price, qty, order_id)
    if error:
        seen = order_id if error >= E_UNKNOWN_ORDER else (qty if error == E_SIZE else price)
        return stop_with(s, error, row, seen)
    bid = best_after(at, 1, kind, price, qty, order_id)
    ask = best_after(at, -1, kind, price, qty, order_id)
    if _crossing(s, i, v, row, bid, ask):
        return stop_with(s, E_CROSSED, row, bid - ask)
    side, old, place, traded = (1 if kind == ADD_BID else -1), price, 0, price if kind == EXECUTE else NONE
    if kind != ADD_BID and kind != ADD_ASK:
        own = venue_order(at, l3_order(at, order_id))
        level = level_at(at, load(own, O_LEVEL))
        side, old, place = load(level, L_SIDE), load(level, L_PRICE), load(own, L3_SEQUENCE)
    if apply_row(at, b, kind, price, qty, order_id):
        return stop_with(s, E_BOOK_FULL, row, order_id)
    if traded != NONE:
        store(i, I_LAST, traded)
    if place > 0 and _beside(i, side, old):  # an order that comes is behind all that are there
        _move_queues(s, i, side, old)
        if traded != NONE and trading(load(i, I_STATUS)):
            _executed(s, i, side, old, place, qty, ts)
    if load(i, I_LIVE) > 0 and trading(load(i, I_STATUS)):
        if _wanted(i, b):
            _serve(s, i, ts)
        if load(i, I_UNPLAIN) > 0 and (traded != NONE or load(i, I_LAST) == NONE):
            set_off(s, i, traded, ts)
    return _value(s, i, b, traded)
