"""Matching on level-2 depth: displayed quantities by price, trades, and a model of the queue before own orders.

Invariants:
1. Own orders are not part of the book; what an own order takes is gone from it until the venue shows the level again.
2. A resting order fills when a trade goes past its queue or its price, or when the opposite best comes to its price.
3. With WHOLE_ONLY a resting order fills wholly or not at all, as some simulators assume.
4. Own orders that meet are handled as the arriving order's self-trade mode says.
"""

from __future__ import annotations

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import load, load_real, store, store_real
from karat.kernels.market._account import mark, stop_with
from karat.kernels.market._assumptions import queue_change, queue_enter, queue_lots, queue_reached, queue_trade
from karat.kernels.market._book import OUTSIDE, clear, put, shown, within
from karat.kernels.market._chance import begin_chance, portion, take_chance
from karat.kernels.market._execute import end, execute, living, release, room, tell
from karat.kernels.market._layout import (
    B_ASK,
    B_BID,
    B_LOW,
    B_SLOTS,
    DEPTH_BID,
    DEPTH_CLEAR,
    E_CROSSED,
    E_PRICE,
    E_SIZE,
    E_WINDOW,
    EXPIRED,
    EXPIRED_NEWS,
    FAR,
    FOK,
    H_DISTURBED,
    H_SELF_TRADES,
    I_ARRIVAL,
    I_BOOK,
    I_FLAGS,
    I_HEAD,
    I_LAST,
    I_LIVE,
    I_MARK,
    I_QUEUE_AT,
    I_QUEUE_KIND,
    I_STATUS,
    IOC,
    LIMIT,
    LIVE,
    MARK_MID,
    MARKET_ON_OPEN,
    MAY_CROSS,
    NONE,
    O_DISPLAY,
    O_FILLED,
    O_FRONT,
    O_FULL,
    O_NEXT,
    O_PARENT,
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
    PREVENTED,
    PREVENTED_NEWS,
    R_ALL_OR_NONE,
    R_IMMEDIATE,
    R_SELF_TRADE,
    STOP,
    STP_CANCEL_BOTH,
    STP_CANCEL_NEW,
    STP_CANCEL_RESTING,
    STP_DECREMENT,
    STP_NONE,
    TAKE_PROFIT,
    TRADE_BUY,
    TRADE_SELL,
    TRAILING,
    V_PRICE,
    V_QTY,
    V_ROWS,
    V_TS,
    WHOLE_ONLY,
)
from karat.kernels.market._match_bars import as_market, trigger
from karat.kernels.market._orders import order_at, trading, trail, words


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
def _take_level(s: int, i: int, o: int, price: int, ts: int) -> int:
    """Take what one level shows."""
    b, side = s + 8 * load(i, I_BOOK), load(o, O_SIDE)
    level = shown(b, -side, price)
    wanted = portion(s, i, o, min(level, load(o, O_QTY)))  # a piece at a time: each may meet another order first
    lots = take_chance(s, i, o, wanted, price, 0, load(i, I_ARRIVAL), ts)
    if lots > 0:
        put(b, load(b, B_LOW), load(b, B_SLOTS), 1 if side > 0 else 0, price, level - lots)
    return lots


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


@exported(words(4))
def walk_book(s: int, i: int, o: int, ts: int) -> int:
    """Let an order take the other side, best price first, own resting orders at a better price before the venue's."""
    b, side, limit = s + 8 * load(i, I_BOOK), load(o, O_SIDE), limit_of(o)
    store(i, I_ARRIVAL, load(b, B_ASK) if side > 0 else load(b, B_BID))
    begin_chance(i, o)
    while hungry(o):
        best = load(b, B_ASK) if side > 0 else load(b, B_BID)
        if best != NONE and side * (limit - best) < 0:
            best = NONE
        slot = own_best(s, i, side, limit)
        if slot >= 0 and (best == NONE or side * (best - load(order_at(s, slot), O_PRICE)) > 0):
            if meet_own(s, i, o, order_at(s, slot), ts) <= 0:
                break
        elif best == NONE or _take_level(s, i, o, best, ts) <= 0:
            break
    return 0


@exported(words(4))
def _may_walk(s: int, i: int, o: int, ts: int) -> int:
    """Return 1 unless the order asks for all or nothing and cannot have all; one that own orders forbid ends here."""
    if load(o, O_TIF) != FOK:
        return 1
    b, side, limit, mode = s + 8 * load(i, I_BOOK), load(o, O_SIDE), limit_of(o), load(o, O_STP)
    rest = load(o, O_QTY) - load(o, O_FILLED)
    if min(within(b, -side, limit), room(s, i, o, rest)) < rest:
        return 0
    slot = own_best(s, i, side, limit) if mode == STP_CANCEL_NEW or mode == STP_CANCEL_BOTH else -1
    if slot >= 0 and within(b, -side, load(order_at(s, slot), O_PRICE)) < rest:
        prevent(s, i, o, order_at(s, slot), ts)
        return 0
    return 1


@exported(words(4))
def arrive_depth(s: int, i: int, o: int, ts: int) -> int:
    """Match an order that has just become live, or whose price has changed; what rests enters the queue."""
    phase, tif, last = as_market(o), load(o, O_TIF), load(i, I_LAST)
    if load(o, O_TYPE) == TRAILING and load(o, O_STOP) == 0 and last != NONE:
        trail(o, last)
    if phase != 0 and trading(load(i, I_STATUS)) and _may_walk(s, i, o, ts):
        walk_book(s, i, o, ts)
    state = load(o, O_STATE)
    if phase == 0 or (state != LIVE and state != PARTIAL):
        return 0
    if tif >= IOC:
        return end(s, i, o, EXPIRED, EXPIRED_NEWS, R_ALL_OR_NONE if tif == FOK else R_IMMEDIATE, ts)
    if phase == 2:
        level = shown(s + 8 * load(i, I_BOOK), load(o, O_SIDE), load(o, O_PRICE))
        store_real(o, O_FRONT, queue_enter(load(i, I_QUEUE_KIND), s + 8 * load(i, I_QUEUE_AT), level))
        store(o, O_TRADED, 0)
        store(o, O_SHOWN, load(o, O_DISPLAY))
    return 0


@exported(words(5))
def _rest(s: int, i: int, o: int, lots: int, ts: int) -> int:
    """Fill a resting order at its price; a part leaves it at the front, a used-up iceberg slice at the back."""
    display = load(o, O_DISPLAY)
    if display > 0:
        lots = min(lots, load(o, O_SHOWN))
    if load(i, I_FLAGS) & WHOLE_ONLY:
        lots = load(o, O_QTY)
    price = load(o, O_PRICE)
    begin_chance(i, o)
    done = take_chance(s, i, o, lots, price, 1, price, ts)
    store_real(o, O_FRONT, 0.0)
    if display > 0 and done > 0:
        left = load(o, O_SHOWN) - done
        if left <= 0:
            left = display
            level = shown(s + 8 * load(i, I_BOOK), load(o, O_SIDE), price)
            store_real(o, O_FRONT, queue_enter(load(i, I_QUEUE_KIND), s + 8 * load(i, I_QUEUE_AT), level))
        store(o, O_SHOWN, left)
    return done


@exported(words(7))
def touch(s: int, i: int, side: int, price: int, before: int, qty: int, ts: int) -> int:
    """Let a new quantity at a price move own queues on its side and fill own orders it has come to on the other.

    Return 1 where an order traded or tried to, 0 where at most queues moved.
    """
    b = s + 8 * load(i, I_BOOK)
    best = load(b, B_BID) if side > 0 else load(b, B_ASK)
    done, slot, met = -1, load(i, I_HEAD), 0
    store(s, H_DISTURBED, 0)
    while slot >= 0:
        o = order_at(s, slot)
        slot = load(o, O_NEXT)
        if load(o, O_SEQUENCE) <= done:
            continue
        done = load(o, O_SEQUENCE)
        kind, phase = load(o, O_TYPE), 2
        if kind != LIMIT:
            phase = as_market(o)
        if phase == 2 and load(o, O_SIDE) == side:
            if load(o, O_PRICE) == price:
                p, front = s + 8 * load(i, I_QUEUE_AT), load_real(o, O_FRONT)
                moved = queue_change(load(i, I_QUEUE_KIND), p, front, before, qty, load(o, O_TRADED))
                store_real(o, O_FRONT, moved)
                store(o, O_TRADED, 0)
        elif phase == 2 and best != NONE and side * (best - load(o, O_PRICE)) >= 0:
            _rest(s, i, o, load(o, O_QTY), ts)
            met = 1
        elif phase == 1 and load(o, O_SIDE) != side:
            walk_book(s, i, o, ts)
            met = 1
        if load(s, H_DISTURBED):
            slot = load(i, I_HEAD)
            store(s, H_DISTURBED, 0)
    return met


@exported(words(4))
def _set_off(s: int, i: int, price: int, ts: int) -> int:
    """Set off what waits for this price (NONE: for the other side's best), oldest first; it takes the book."""
    done, slot, b, given = -1, load(i, I_HEAD), s + 8 * load(i, I_BOOK), price
    while slot >= 0:
        o = order_at(s, slot)
        slot = load(o, O_NEXT)
        kind = load(o, O_TYPE)
        if load(o, O_SEQUENCE) <= done or kind < STOP or kind > TAKE_PROFIT or load(o, O_TRIGGERED):
            continue
        done = load(o, O_SEQUENCE)
        if given == NONE:
            price = load(b, B_ASK) if load(o, O_SIDE) > 0 else load(b, B_BID)
            if price == NONE:
                continue
        if kind == TRAILING:
            trail(o, price)
        beyond = load(o, O_SIDE) * (price - load(o, O_STOP))
        if beyond >= 0 if kind != TAKE_PROFIT else beyond <= 0:
            trigger(s, i, o, ts)
            arrive_depth(s, i, o, ts)
            slot = load(i, I_HEAD)
    return 0


@compiled(words(5))
def depth_row(s: int, i: int, v: int, row: int, kind: int) -> int:
    """Take a depth row; return 1, or 0 with the error noted and nothing changed."""
    b = s + 8 * load(i, I_BOOK)
    price, qty = load(load(v, V_PRICE), row), load(load(v, V_QTY), row)
    if kind == DEPTH_CLEAR:
        clear(b)
        return 1
    if qty < 0:
        return stop_with(s, E_SIZE, row, qty)
    side = 1 if kind == DEPTH_BID else -1
    low, slots, ask_side = load(b, B_LOW), load(b, B_SLOTS), kind - DEPTH_BID
    before = put(b, low, slots, ask_side, price, qty)
    if before == OUTSIDE:
        return stop_with(s, E_WINDOW, row, price)
    bid, ask = load(b, B_BID), load(b, B_ASK)
    if bid >= ask and ask != NONE and load(i, I_FLAGS) & MAY_CROSS == 0:
        if row + 1 >= load(v, V_ROWS) or load(load(v, V_TS), row + 1) > load(load(v, V_TS), row):
            put(b, low, slots, ask_side, price, before)
            return stop_with(s, E_CROSSED, row, bid - ask)
    if load(i, I_LIVE) > 0:
        status = load(i, I_STATUS)
        if trading(status):
            touch(s, i, side, price, before, qty, load(load(v, V_TS), row))
            if load(i, I_LAST) == NONE:
                _set_off(s, i, NONE, load(load(v, V_TS), row))
            bid, ask = load(b, B_BID), load(b, B_ASK)
    if (load(i, I_FLAGS) & MARK_MID or load(i, I_LAST) == NONE) and bid != NONE and ask != NONE:
        middle = (bid + ask) // 2
        if middle != load(i, I_MARK):
            return mark(s, i, middle)
    return 1


@exported(words(6))
def printed(s: int, i: int, side: int, price: int, qty: int, ts: int) -> int:
    """Let a trade work on own resting orders of one side: beyond their price it fills, at it the queue moves.

    Return 1 where an order traded or tried to, 0 where at most queues moved.
    """
    done, slot, met = -1, load(i, I_HEAD), 0
    store(s, H_DISTURBED, 0)
    while slot >= 0:
        o = order_at(s, slot)
        slot = load(o, O_NEXT)
        if load(o, O_SEQUENCE) <= done:
            continue
        done = load(o, O_SEQUENCE)
        if load(o, O_SIDE) != side or (load(o, O_TYPE) != LIMIT and as_market(o) != 2):
            continue
        beyond = side * (load(o, O_PRICE) - price)
        if beyond > 0:
            _rest(s, i, o, load(o, O_QTY), ts)
            met = 1
        elif beyond == 0:
            front = queue_trade(load_real(o, O_FRONT), qty)
            store(o, O_TRADED, load(o, O_TRADED) + qty)
            store_real(o, O_FRONT, front)
            if queue_reached(front):
                _rest(s, i, o, max(1, queue_lots(front)), ts)
                met = 1
        if load(s, H_DISTURBED):
            slot = load(i, I_HEAD)
            store(s, H_DISTURBED, 0)
    return met


@exported(words(5))
def depth_trade(s: int, i: int, v: int, row: int, kind: int) -> int:
    """Take a trade on a market with depth; return 1, or 0 with the error noted."""
    price, qty, ts = load(load(v, V_PRICE), row), load(load(v, V_QTY), row), load(load(v, V_TS), row)
    if price <= 0 or qty < 0:
        return stop_with(s, E_PRICE if price <= 0 else E_SIZE, row, min(price, qty))
    store(i, I_LAST, price)
    status = load(i, I_STATUS)
    if load(i, I_LIVE) > 0 and trading(status):
        if kind != TRADE_BUY:
            printed(s, i, 1, price, qty, ts)
        if kind != TRADE_SELL:
            printed(s, i, -1, price, qty, ts)
        _set_off(s, i, price, ts)
    if load(i, I_FLAGS) & MARK_MID:
        return 1
    return mark(s, i, price)
