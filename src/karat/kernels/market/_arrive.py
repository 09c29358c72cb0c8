"""An order meets a market with a book: it takes what it may, then expires or rests. One arrival for all matchers.

Invariants:
1. The best price comes first; own resting orders are met where they are better than the venue's, see `_own`.
2. All or nothing looks before it takes. What may not wait ends here, with its reason.
3. What a price sets off arrives as a new order, after all that were there.
"""

from __future__ import annotations

from karat.kernels._jit import exported
from karat.kernels._memory import load, store
from karat.kernels.market._book import best_shown
from karat.kernels.market._chance import begin_chance
from karat.kernels.market._execute import end, room
from karat.kernels.market._layout import (
    EXPIRED,
    EXPIRED_NEWS,
    FOK,
    I_ARRIVAL,
    I_HEAD,
    I_LAST,
    I_MATCHER,
    I_STATUS,
    IOC,
    LIVE,
    NONE,
    O_DISPLAY,
    O_FILLED,
    O_NEXT,
    O_PRICE,
    O_QTY,
    O_SEQUENCE,
    O_SHOWN,
    O_SIDE,
    O_STATE,
    O_STOP,
    O_STP,
    O_TIF,
    O_TRADED,
    O_TRIGGERED,
    O_TYPE,
    PARTIAL,
    QUOTES,
    R_ALL_OR_NONE,
    R_IMMEDIATE,
    STOP,
    STP_CANCEL_BOTH,
    STP_CANCEL_NEW,
    TAKE_PROFIT,
    TRAILING,
)
from karat.kernels.market._match_bars import as_market, trigger
from karat.kernels.market._offers import best_offer, enter_queue, offered, take
from karat.kernels.market._orders import order_at, trading, trail, words
from karat.kernels.market._own import hungry, limit_of, meet_own, own_best, prevent


@exported(words(4))
def walk(s: int, i: int, o: int, ts: int) -> int:
    """Let an order take the other side, best price first, own resting orders at a better price before the venue's."""
    side, limit = load(o, O_SIDE), limit_of(o)
    begin_chance(i, o)
    if load(i, I_MATCHER) != QUOTES:
        store(i, I_ARRIVAL, best_shown(s, i, -side))
    while hungry(o):
        best, slot = best_offer(s, i, side, limit), own_best(s, i, side, limit)
        if slot >= 0 and (best == NONE or side * (best - load(order_at(s, slot), O_PRICE)) > 0):
            if meet_own(s, i, o, order_at(s, slot), ts) <= 0:
                break
        elif best == NONE or take(s, i, o, best, ts) <= 0:
            break
    return 0


@exported(words(4))
def _may_walk(s: int, i: int, o: int, ts: int) -> int:
    """Return 1 unless the order asks for all or nothing and cannot have all; one that own orders forbid ends here."""
    if load(o, O_TIF) != FOK:
        return 1
    side, limit, mode = load(o, O_SIDE), limit_of(o), load(o, O_STP)
    rest = load(o, O_QTY) - load(o, O_FILLED)
    if min(offered(s, i, side, limit), room(s, i, o, rest)) < rest:
        return 0
    slot = own_best(s, i, side, limit) if mode == STP_CANCEL_NEW or mode == STP_CANCEL_BOTH else -1
    if slot >= 0 and offered(s, i, side, load(order_at(s, slot), O_PRICE)) < rest:
        prevent(s, i, o, order_at(s, slot), ts)
        return 0
    return 1


@exported(words(4))
def arrive(s: int, i: int, o: int, ts: int) -> int:
    """Match an order that has just become live, or whose price has changed; the impatient end here, the rest queues."""
    phase, tif, last = as_market(o), load(o, O_TIF), load(i, I_LAST)
    if load(o, O_TYPE) == TRAILING and load(o, O_STOP) == 0 and last != NONE:
        trail(o, last)
    if phase != 0 and trading(load(i, I_STATUS)) and _may_walk(s, i, o, ts):
        walk(s, i, o, ts)
    state = load(o, O_STATE)
    if phase == 0 or (state != LIVE and state != PARTIAL):
        return 0
    if tif >= IOC:
        return end(s, i, o, EXPIRED, EXPIRED_NEWS, R_ALL_OR_NONE if tif == FOK else R_IMMEDIATE, ts)
    if phase == 2:
        enter_queue(s, i, o)
        store(o, O_TRADED, 0)
        if load(i, I_MATCHER) != QUOTES:
            store(o, O_SHOWN, load(o, O_DISPLAY))
    return 0


@exported(words(4))
def set_off(s: int, i: int, price: int, ts: int) -> int:
    """Set off what waits for this price (NONE: the other side's best), the oldest first; it arrives as a new order."""
    given, done, slot = price, -1, load(i, I_HEAD)
    while slot >= 0:
        o = order_at(s, slot)
        slot, kind = load(o, O_NEXT), load(o, O_TYPE)
        if load(o, O_SEQUENCE) <= done or kind < STOP or kind > TAKE_PROFIT or load(o, O_TRIGGERED):
            continue
        done = load(o, O_SEQUENCE)
        if given == NONE:
            price = best_shown(s, i, -load(o, O_SIDE))
            if price == NONE:
                continue
        if kind == TRAILING:
            trail(o, price)
        beyond = load(o, O_SIDE) * (price - load(o, O_STOP))
        if beyond >= 0 if kind != TAKE_PROFIT else beyond <= 0:
            trigger(s, i, o, ts)
            arrive(s, i, o, ts)
            slot = load(i, I_HEAD)
    return 0
