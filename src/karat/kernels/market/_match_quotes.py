"""Matching on best quotes and trades: displayed sizes are consumed by own fills until the quote is refreshed.

Invariants:
1. What an own order took from a displayed size is gone until the venue shows a size again.
2. A resting order waits for its place in the queue: it fills by trades beyond what was shown before it, by a trade or
   a quote through its price, never by a touch alone.
3. Own orders are served in one line: those that take any price, then the better price, then the older. What one of
   them took of a quote or of a trade, the next one cannot have.
4. Trades set stops off; as long as none was seen, the opposite quote does. What is set off arrives as a new order
   after all that were there.
5. Own orders that meet are handled as the arriving order's self-trade mode says.
"""

from __future__ import annotations

from karat.kernels._jit import exported
from karat.kernels._memory import load, load_real, store, store_real
from karat.kernels.market._account import mark, stop_with
from karat.kernels.market._arrive import set_off, walk
from karat.kernels.market._assumptions import queue_change, queue_enter, queue_lots, queue_reached, queue_trade
from karat.kernels.market._chance import begin_chance, take_chance
from karat.kernels.market._layout import (
    E_CROSSED,
    E_PRICE,
    E_SIZE,
    I_ASK,
    I_ASK_QTY,
    I_ASK_USED,
    I_BID,
    I_BID_QTY,
    I_BID_USED,
    I_FLAGS,
    I_HEAD,
    I_LAST,
    I_LIVE,
    I_QUEUE_AT,
    I_QUEUE_KIND,
    I_STATUS,
    MARK_MID,
    NONE,
    O_FRONT,
    O_NEXT,
    O_PRICE,
    O_SEQUENCE,
    O_SIDE,
    O_TRADED,
    TRADE_BUY,
    TRADE_SELL,
    UNSEEN,
    V_A,
    V_B,
    V_PRICE,
    V_QTY,
    V_TS,
)
from karat.kernels.market._line import next_in_line, rank_of
from karat.kernels.market._match_bars import as_market
from karat.kernels.market._offers import left_of_quote, offered, take_quote
from karat.kernels.market._orders import order_at, trading, words
from karat.kernels.market._shift import shift_ticks


@exported(words(3))
def _serve(s: int, i: int, ts: int) -> int:
    """Let every live order have what the quotes still show: a resting limit at its own price, once they come to it."""
    rank, value, age = 1, 0, -1
    while True:
        slot = next_in_line(s, i, rank, value, age)
        if slot < 0:
            break
        o = order_at(s, slot)
        rank, age, price = rank_of(o), load(o, O_SEQUENCE), load(o, O_PRICE)
        side = load(o, O_SIDE)
        value = -side * price if rank >= 2 else 0
        if rank == 1:
            walk(s, i, o, ts)
        elif offered(s, i, side, price) > 0:
            begin_chance(i, o)
            take_quote(s, i, o, left_of_quote(i, -side), price, 1, ts)
    return 0


@exported(words(6))
def _requeue(s: int, i: int, side: int, best: int, before: int, qty: int) -> int:
    """Let the size shown at one side's best price (before: -1 if not known) move the queues of own orders."""
    slot, kind, p = load(i, I_HEAD), load(i, I_QUEUE_KIND), s + 8 * load(i, I_QUEUE_AT)
    while slot >= 0:
        o = order_at(s, slot)
        ahead = side * (load(o, O_PRICE) - best)
        if load(o, O_SIDE) == side and as_market(o) == 2 and ahead >= 0:
            front = load_real(o, O_FRONT)
            if ahead > 0:
                front = 0.0
            elif front >= float(UNSEEN):
                front = queue_enter(kind, p, qty)
            elif before >= 0:
                front = queue_change(kind, p, front, before, qty, load(o, O_TRADED))
            store_real(o, O_FRONT, min(front, float(qty)))
            store(o, O_TRADED, 0)
        slot = load(o, O_NEXT)
    return 0


@exported(words(4))
def quote(s: int, i: int, v: int, row: int) -> int:
    """Take a new best quote; return 1, or 0 with the error noted."""
    bid, bid_qty = load(load(v, V_PRICE), row), load(load(v, V_QTY), row)
    ask, ask_qty = load(load(v, V_A), row), load(load(v, V_B), row)
    ts = load(load(v, V_TS), row)
    if bid_qty < 0 or ask_qty < 0:
        return stop_with(s, E_SIZE, row, min(bid_qty, ask_qty))
    if bid <= 0 or ask <= 0:
        return stop_with(s, E_PRICE, row, min(bid, ask))
    if bid >= ask:
        return stop_with(s, E_CROSSED, row, bid - ask)
    moved = shift_ticks(i, bid)
    bid, ask = bid + moved, ask + moved
    old_bid = left_of_quote(i, 1) if load(i, I_BID) == bid else -1
    old_ask = left_of_quote(i, -1) if load(i, I_ASK) == ask else -1
    store(i, I_BID, bid)
    store(i, I_BID_QTY, bid_qty)
    store(i, I_ASK, ask)
    store(i, I_ASK_QTY, ask_qty)
    store(i, I_BID_USED, 0)
    store(i, I_ASK_USED, 0)
    if load(i, I_LIVE) > 0 and trading(load(i, I_STATUS)):
        _requeue(s, i, 1, bid, old_bid, bid_qty)
        _requeue(s, i, -1, ask, old_ask, ask_qty)
        _serve(s, i, ts)
        if load(i, I_LAST) == NONE:
            set_off(s, i, NONE, ts)
    if load(i, I_LAST) == NONE or load(i, I_FLAGS) & MARK_MID:
        return mark(s, i, (load(i, I_BID) + load(i, I_ASK)) // 2)
    return 1


@exported(words(7))
def _printed(s: int, i: int, side: int, price: int, qty: int, left: int, ts: int) -> int:
    """Fill own resting orders of one side by a trade: beyond its price wholly, at its price behind the queue.

    left: lots of the trade that own orders have not had yet; return what is left then.
    """
    mine = 2 if side > 0 else 3
    value, age = NONE, -1
    while True:
        slot = next_in_line(s, i, mine, value, age)
        if slot < 0:
            break
        o = order_at(s, slot)
        value, age = -side * load(o, O_PRICE), load(o, O_SEQUENCE)
        beyond, lots = side * (load(o, O_PRICE) - price), 0
        if rank_of(o) != mine or beyond < 0:
            break
        if beyond > 0:
            lots = left
            store_real(o, O_FRONT, 0.0)
        elif load_real(o, O_FRONT) < float(UNSEEN):
            front = queue_trade(load_real(o, O_FRONT), qty)
            store(o, O_TRADED, load(o, O_TRADED) + qty)
            store_real(o, O_FRONT, max(front, 0.0))
            if queue_reached(front):
                lots = min(left, max(1, queue_lots(front)))
        if lots > 0:
            begin_chance(i, o)
            left -= take_chance(s, i, o, lots, load(o, O_PRICE), 1, load(o, O_PRICE), ts)
    return left


@exported(words(5))
def trade_print(s: int, i: int, v: int, row: int, kind: int) -> int:
    """Take a trade of the tape: it fills resting orders on the side that was hit, then sets stops off."""
    price, qty, ts = load(load(v, V_PRICE), row), load(load(v, V_QTY), row), load(load(v, V_TS), row)
    if price <= 0:
        return stop_with(s, E_PRICE, row, price)
    if qty < 0:
        return stop_with(s, E_SIZE, row, qty)
    price += shift_ticks(i, price)
    store(i, I_LAST, price)
    if load(i, I_LIVE) > 0 and trading(load(i, I_STATUS)):
        left = qty
        if kind != TRADE_BUY:
            left = _printed(s, i, 1, price, qty, left, ts)
        if kind != TRADE_SELL:
            _printed(s, i, -1, price, qty, left, ts)
        _serve(s, i, ts)
        set_off(s, i, price, ts)
    if load(i, I_FLAGS) & MARK_MID:
        return 1
    return mark(s, i, load(i, I_LAST))
