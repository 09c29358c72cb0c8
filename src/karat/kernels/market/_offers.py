"""What the other side of a market with a book offers, what taking it does, and the queue that a resting order enters.

This is all of an arrival that differs between quotes, depth and single orders.

Invariants:
1. What an own order took is no longer offered until the venue shows it again.
"""

from __future__ import annotations

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import call4, load, store, store_real
from karat.kernels.market._assumptions import queue_enter
from karat.kernels.market._book import best_shown, put, shown, within
from karat.kernels.market._chance import portion, take_chance
from karat.kernels.market._layout import (
    B_LOW,
    B_SLOTS,
    H_ORDERS_ENTER,
    H_ORDERS_TAKE,
    I_ARRIVAL,
    I_ASK,
    I_ASK_QTY,
    I_ASK_USED,
    I_BID,
    I_BID_QTY,
    I_BID_USED,
    I_BOOK,
    I_MATCHER,
    I_QUEUE_AT,
    I_QUEUE_KIND,
    I_VENUE_ORDERS,
    NONE,
    O_FILLED,
    O_FRONT,
    O_PRICE,
    O_QTY,
    O_SIDE,
    ORDERS,
    QUOTES,
    UNSEEN,
)
from karat.kernels.market._match_bars import as_market, slipped
from karat.kernels.market._orders import words


@exported(words(2))
def left_of_quote(i: int, side: int) -> int:
    """Return what the bid (+1) or the ask (-1) still shows."""
    if side > 0:
        return max(0, load(i, I_BID_QTY) - load(i, I_BID_USED))
    return max(0, load(i, I_ASK_QTY) - load(i, I_ASK_USED))


@exported(words(3))
def _offered_quote(i: int, side: int, limit: int) -> int:
    """Return the lots that an order of this side and limit can take from the opposite quote."""
    best = load(i, I_ASK) if side > 0 else load(i, I_BID)
    return left_of_quote(i, -side) if best != NONE and side * (limit - best) >= 0 else 0


@exported(words(7))
def take_quote(s: int, i: int, o: int, qty: int, price: int, maker: int, ts: int) -> int:
    """Fill an order from the opposite quote at a price; return the lots, which the quote then no longer shows."""
    side = load(o, O_SIDE)
    used, best = (I_ASK_USED, load(i, I_ASK)) if side > 0 else (I_BID_USED, load(i, I_BID))
    lots = take_chance(s, i, o, qty, price, maker, price if maker else best, ts)
    store(i, used, load(i, used) + lots)
    return lots


@exported(words(4))
def offered(s: int, i: int, side: int, limit: int) -> int:
    """Return the lots that an order of this side and limit finds on the other side."""
    if load(i, I_MATCHER) == QUOTES:
        return _offered_quote(i, side, limit)
    return within(s + 8 * load(i, I_BOOK), -side, limit)


@compiled(words(4))
def best_offer(s: int, i: int, side: int, limit: int) -> int:
    """Return the best price at which an order of this side and limit finds something, NONE for none."""
    if load(i, I_MATCHER) == QUOTES and _offered_quote(i, side, limit) == 0:
        return NONE
    best = best_shown(s, i, -side)
    return best if best != NONE and side * (limit - best) >= 0 else NONE


@exported(words(5))
def _take_level(s: int, i: int, o: int, price: int, ts: int) -> int:
    """Take what one level shows."""
    b, side = s + 8 * load(i, I_BOOK), load(o, O_SIDE)
    level = shown(b, -side, price)
    wanted = portion(s, i, o, min(level, load(o, O_QTY)))  # a piece at a time: each may meet another order first
    lots = take_chance(s, i, o, wanted, price, 0, load(i, I_ARRIVAL), ts)
    if lots > 0:
        put(b, load(b, B_LOW), load(b, B_SLOTS), 1 if side > 0 else 0, price, level - lots)
        if load(i, I_MATCHER) == ORDERS:
            call4(load(s, H_ORDERS_TAKE), s + 8 * load(i, I_VENUE_ORDERS), -side, price, lots)
    return lots


@exported(words(5))
def take(s: int, i: int, o: int, best: int, ts: int) -> int:
    """Let an order take what is offered at the best price; return the lots, which are then no longer shown."""
    if load(i, I_MATCHER) != QUOTES:
        return _take_level(s, i, o, best, ts)
    wanted = portion(s, i, o, min(left_of_quote(i, -load(o, O_SIDE)), load(o, O_QTY) - load(o, O_FILLED)))
    price = slipped(s, i, o, best, wanted, 0) if as_market(o) == 1 else best
    return take_quote(s, i, o, wanted, price, 0, ts) if wanted > 0 else 0


@exported(words(3))
def _enter_quote(s: int, i: int, o: int) -> int:
    """Note the lots before an order that has come to rest: unknown below the best price, none above it."""
    side = load(o, O_SIDE)
    best, front = load(i, I_BID) if side > 0 else load(i, I_ASK), float(UNSEEN)
    ahead = side * (load(o, O_PRICE) - best)
    if best != NONE and ahead == 0:
        front = queue_enter(load(i, I_QUEUE_KIND), s + 8 * load(i, I_QUEUE_AT), left_of_quote(i, side))
    elif best != NONE and ahead > 0:
        front = 0.0
    store_real(o, O_FRONT, front)
    return 0


@compiled(words(3))
def enter_queue(s: int, i: int, o: int) -> int:
    """Note what stands before an order that takes its place in the queue of its price."""
    if load(i, I_MATCHER) == QUOTES:
        return _enter_quote(s, i, o)
    if load(i, I_MATCHER) == ORDERS:
        return call4(load(s, H_ORDERS_ENTER), s, i, o, 0)
    level = shown(s + 8 * load(i, I_BOOK), load(o, O_SIDE), load(o, O_PRICE))
    store_real(o, O_FRONT, queue_enter(load(i, I_QUEUE_KIND), s + 8 * load(i, I_QUEUE_AT), level))
    return 0
