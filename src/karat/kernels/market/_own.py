"""Own orders that meet each other: who would be met first, and what the arriving order's self-trade mode does.

Invariants:
1. An own order is met where its price is better than all that the venue shows, never before it at the same price.
2. The arriving order decides: prevented lots leave one order or both, without a trade; else both trade at the resting
   price.
"""

from __future__ import annotations

from karat.kernels._jit import exported
from karat.kernels._memory import load, store
from karat.kernels.market._chance import portion, take_chance
from karat.kernels.market._execute import end, execute, living, release, room, tell
from karat.kernels.market._layout import (
    FAR,
    H_SELF_TRADES,
    I_HEAD,
    LIMIT,
    LIVE,
    MARKET_ON_OPEN,
    NONE,
    O_FILLED,
    O_FULL,
    O_NEXT,
    O_PARENT,
    O_PRICE,
    O_QTY,
    O_SIDE,
    O_STATE,
    O_STP,
    O_TYPE,
    PARTIAL,
    PREVENTED,
    PREVENTED_NEWS,
    R_SELF_TRADE,
    STP_CANCEL_BOTH,
    STP_CANCEL_NEW,
    STP_CANCEL_RESTING,
    STP_DECREMENT,
    STP_NONE,
)
from karat.kernels.market._match_bars import as_market
from karat.kernels.market._orders import order_at, words


@exported(words(1))
def hungry(o: int) -> int:
    """Return 1 where an order is live and has lots to trade: a child may have none until its parent fills more."""
    live = load(o, O_STATE) == LIVE or load(o, O_STATE) == PARTIAL
    return 1 if live and load(o, O_FILLED) < load(o, O_QTY) else 0


@exported(words(1))
def limit_of(o: int) -> int:
    """Return the worst price the order takes now."""
    if as_market(o) == 2:
        return load(o, O_PRICE)
    return FAR if load(o, O_SIDE) > 0 else 0


@exported(words(4))
def own_best(s: int, i: int, side: int, limit: int) -> int:
    """Return the slot of the own resting order that an order of this side and limit would meet first, -1 for none."""
    best, where, slot = NONE, -1, load(i, I_HEAD)
    while slot >= 0:
        r = order_at(s, slot)
        rests = as_market(r) == 2 and load(r, O_TYPE) < MARKET_ON_OPEN and load(r, O_FILLED) < load(r, O_QTY)
        if rests and load(r, O_SIDE) == -side:
            price = load(r, O_PRICE)
            if side * (limit - price) >= 0 and (where < 0 or side * (best - price) > 0):
                best, where = price, slot
        slot = load(r, O_NEXT)
    return where


@exported(words(6))
def _shrink(s: int, i: int, o: int, lots: int, ts: int, whole: int) -> int:
    """Take prevented lots off an order; it ends when it must, or when nothing is left and no parent can give more."""
    store(s, H_SELF_TRADES, load(s, H_SELF_TRADES) + lots)
    left = load(o, O_QTY) - load(o, O_FILLED)
    if load(o, O_PARENT) > 0 and living(s, load(o, O_PARENT)):
        left = load(o, O_FULL) - load(o, O_FILLED)
    if whole or lots >= left:
        return end(s, i, o, PREVENTED, PREVENTED_NEWS, R_SELF_TRADE, ts)
    release(i, o, lots)
    store(o, O_QTY, load(o, O_QTY) - lots)
    store(o, O_FULL, load(o, O_FULL) - lots)
    return tell(s, o, ts, PREVENTED_NEWS, R_SELF_TRADE, lots, load(o, O_QTY))


@exported(words(5))
def prevent(s: int, i: int, o: int, r: int, ts: int) -> int:
    """Keep an order and the own resting order it meets from trading, as the arriving order's mode says."""
    mode = load(o, O_STP)
    mine, theirs = load(o, O_QTY) - load(o, O_FILLED), load(r, O_QTY) - load(r, O_FILLED)
    if mode == STP_CANCEL_RESTING or mode == STP_CANCEL_BOTH:
        _shrink(s, i, r, theirs, ts, 1)
    if mode == STP_CANCEL_NEW or mode == STP_CANCEL_BOTH:
        _shrink(s, i, o, mine, ts, 1)
    if mode == STP_DECREMENT:
        lots = min(mine, theirs)
        _shrink(s, i, r, lots, ts, 0)
        _shrink(s, i, o, lots, ts, 0)
    return 0


@exported(words(4))
def prevent_all(s: int, i: int, o: int, ts: int) -> int:
    """Apply self-trade prevention where there is no book to walk: against every own order the limit would meet."""
    while load(o, O_STP) != STP_NONE and hungry(o):
        slot = own_best(s, i, load(o, O_SIDE), load(o, O_PRICE)) if load(o, O_TYPE) == LIMIT else -1
        if slot < 0:
            break
        prevent(s, i, o, order_at(s, slot), ts)
    return 0


@exported(words(5))
def meet_own(s: int, i: int, o: int, r: int, ts: int) -> int:
    """Let an order meet an own resting one: prevented, or traded at the resting price; return 0 for neither."""
    price = load(r, O_PRICE)
    if load(o, O_STP) != STP_NONE:
        return prevent(s, i, o, r, ts) + 1
    rest = room(s, i, r, load(r, O_QTY))
    if rest <= 0:  # it has nothing left to reduce and ends
        return execute(s, i, r, 1, price, 1, price, ts) + 1
    lots = take_chance(s, i, o, portion(s, i, o, rest), price, 0, price, ts)
    if lots > 0:
        execute(s, i, r, lots, price, 1, price, ts)
    return lots
