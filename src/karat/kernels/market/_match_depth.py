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
from karat.kernels.market._arrive import set_off, walk
from karat.kernels.market._assumptions import queue_change, queue_lots, queue_reached, queue_trade
from karat.kernels.market._book import OUTSIDE, clear, put
from karat.kernels.market._chance import begin_chance, take_chance
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
    H_DISTURBED,
    I_BOOK,
    I_FLAGS,
    I_HEAD,
    I_LAST,
    I_LIVE,
    I_MARK,
    I_QUEUE_AT,
    I_QUEUE_KIND,
    I_STATUS,
    LIMIT,
    MARK_MID,
    MAY_CROSS,
    NONE,
    O_DISPLAY,
    O_FRONT,
    O_NEXT,
    O_PRICE,
    O_QTY,
    O_SEQUENCE,
    O_SHOWN,
    O_SIDE,
    O_TRADED,
    O_TYPE,
    TRADE_BUY,
    TRADE_SELL,
    V_PRICE,
    V_QTY,
    V_ROWS,
    V_TS,
    WHOLE_ONLY,
)
from karat.kernels.market._match_bars import as_market
from karat.kernels.market._offers import enter_queue
from karat.kernels.market._orders import order_at, trading, words


@exported(words(5))
def fill_resting(s: int, i: int, o: int, lots: int, ts: int) -> int:
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
            enter_queue(s, i, o)
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
            fill_resting(s, i, o, load(o, O_QTY), ts)
            met = 1
        elif phase == 1 and load(o, O_SIDE) != side:
            walk(s, i, o, ts)
            met = 1
        if load(s, H_DISTURBED):
            slot = load(i, I_HEAD)
            store(s, H_DISTURBED, 0)
    return met


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
                set_off(s, i, NONE, load(load(v, V_TS), row))
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
            fill_resting(s, i, o, load(o, O_QTY), ts)
            met = 1
        elif beyond == 0:
            front = queue_trade(load_real(o, O_FRONT), qty)
            store(o, O_TRADED, load(o, O_TRADED) + qty)
            store_real(o, O_FRONT, front)
            if queue_reached(front):
                fill_resting(s, i, o, max(1, queue_lots(front)), ts)
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
        set_off(s, i, price, ts)
    if load(i, I_FLAGS) & MARK_MID:
        return 1
    return mark(s, i, price)
