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
from karat.kernels.market._assumptions import queue_change, queue_enter, queue_lots, queue_reached, queue_trade
from karat.kernels.market._chance import begin_chance, portion, take_chance
from karat.kernels.market._execute import end, room
from karat.kernels.market._layout import (
    E_CROSSED,
    E_PRICE,
    E_SIZE,
    EXPIRED,
    EXPIRED_NEWS,
    FOK,
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
    IOC,
    LIVE,
    MARK_MID,
    NONE,
    O_FILLED,
    O_FRONT,
    O_NEXT,
    O_PRICE,
    O_QTY,
    O_SEQUENCE,
    O_SIDE,
    O_STATE,
    O_STOP,
    O_STP,
    O_TIF,
    O_TRADED,
    O_TRIGGERED,
    O_TYPE,
    PARTIAL,
    R_ALL_OR_NONE,
    R_IMMEDIATE,
    STOP,
    STP_CANCEL_BOTH,
    STP_CANCEL_NEW,
    TAKE_PROFIT,
    TRADE_BUY,
    TRADE_SELL,
    TRAILING,
    UNSEEN,
    V_A,
    V_B,
    V_PRICE,
    V_QTY,
    V_TS,
)
from karat.kernels.market._match_bars import as_market, slipped, trigger
from karat.kernels.market._match_depth import hungry, limit_of, meet_own, own_best, prevent
from karat.kernels.market._orders import order_at, trading, trail, words
from karat.kernels.market._shift import shift_ticks


@exported(words(2))
def _left(i: int, side: int) -> int:
    """Return what the bid (+1) or the ask (-1) still shows."""
    if side > 0:
        return max(0, load(i, I_BID_QTY) - load(i, I_BID_USED))
    return max(0, load(i, I_ASK_QTY) - load(i, I_ASK_USED))


@exported(words(3))
def _offered(i: int, side: int, limit: int) -> int:
    """Return the lots that an order of this side and limit can take from the opposite quote."""
    best = load(i, I_ASK) if side > 0 else load(i, I_BID)
    return _left(i, -side) if best != NONE and side * (limit - best) >= 0 else 0


@exported(words(7))
def _take(s: int, i: int, o: int, qty: int, price: int, maker: int, ts: int) -> int:
    """Fill an order from the opposite quote at a price; return the lots, which the quote then no longer shows."""
    side = load(o, O_SIDE)
    used, best = (I_ASK_USED, load(i, I_ASK)) if side > 0 else (I_BID_USED, load(i, I_BID))
    lots = take_chance(s, i, o, qty, price, maker, price if maker else best, ts)
    store(i, used, load(i, used) + lots)
    return lots


@exported(words(4))
def _walk(s: int, i: int, o: int, ts: int) -> int:
    """Let an order take the opposite quote, and before it own resting orders at a better price."""
    side, limit = load(o, O_SIDE), limit_of(o)
    begin_chance(i, o)
    while hungry(o):
        lots, best = _offered(i, side, limit), load(i, I_ASK) if side > 0 else load(i, I_BID)
        slot = own_best(s, i, side, limit)
        if slot >= 0 and (lots == 0 or side * (best - load(order_at(s, slot), O_PRICE)) > 0):
            if meet_own(s, i, o, order_at(s, slot), ts) <= 0:
                break
        elif lots == 0:
            break
        else:
            wanted = portion(s, i, o, min(lots, load(o, O_QTY) - load(o, O_FILLED)))
            price = slipped(s, i, o, best, wanted, 0) if as_market(o) == 1 else best
            if wanted <= 0 or _take(s, i, o, wanted, price, 0, ts) <= 0:
                break
    return 0


@exported(words(4))
def _may_walk(s: int, i: int, o: int, ts: int) -> int:
    """Return 1 unless the order asks for all or nothing and cannot have all; one that own orders forbid ends here."""
    if load(o, O_TIF) != FOK:
        return 1
    side, limit, mode = load(o, O_SIDE), limit_of(o), load(o, O_STP)
    rest = load(o, O_QTY) - load(o, O_FILLED)
    if min(_offered(i, side, limit), room(s, i, o, rest)) < rest:
        return 0
    slot = own_best(s, i, side, limit) if mode == STP_CANCEL_NEW or mode == STP_CANCEL_BOTH else -1
    if slot >= 0 and _offered(i, side, load(order_at(s, slot), O_PRICE)) < rest:
        prevent(s, i, o, order_at(s, slot), ts)
        return 0
    return 1


@exported(words(3))
def _queue_up(s: int, i: int, o: int) -> int:
    """Note the lots before an order that has come to rest: unknown below the best price, none above it."""
    side = load(o, O_SIDE)
    best, front = load(i, I_BID) if side > 0 else load(i, I_ASK), float(UNSEEN)
    ahead = side * (load(o, O_PRICE) - best)
    if best != NONE and ahead == 0:
        front = queue_enter(load(i, I_QUEUE_KIND), s + 8 * load(i, I_QUEUE_AT), _left(i, side))
    elif best != NONE and ahead > 0:
        front = 0.0
    store_real(o, O_FRONT, front)
    store(o, O_TRADED, 0)
    return 0


@exported(words(4))
def arrive_quotes(s: int, i: int, o: int, ts: int) -> int:
    """Match an order that has just become live, or whose price has changed; the impatient end here."""
    phase, tif, last = as_market(o), load(o, O_TIF), load(i, I_LAST)
    if load(o, O_TYPE) == TRAILING and load(o, O_STOP) == 0 and last != NONE:
        trail(o, last)
    if phase != 0 and trading(load(i, I_STATUS)) and _may_walk(s, i, o, ts):
        _walk(s, i, o, ts)
    state = load(o, O_STATE)
    if phase == 0 or (state != LIVE and state != PARTIAL):
        return 0
    if tif >= IOC:
        return end(s, i, o, EXPIRED, EXPIRED_NEWS, R_ALL_OR_NONE if tif == FOK else R_IMMEDIATE, ts)
    return _queue_up(s, i, o) if phase == 2 else 0


@exported(words(4))
def _set_off(s: int, i: int, price: int, ts: int) -> int:
    """Set off what waits for this price (NONE: for the opposite quote), the oldest first; it arrives as a new order."""
    given, done, slot = price, -1, load(i, I_HEAD)
    while slot >= 0:
        o = order_at(s, slot)
        slot, kind = load(o, O_NEXT), load(o, O_TYPE)
        if load(o, O_SEQUENCE) <= done or kind < STOP or kind > TAKE_PROFIT or load(o, O_TRIGGERED):
            continue
        done = load(o, O_SEQUENCE)
        if given == NONE:
            price = load(i, I_ASK) if load(o, O_SIDE) > 0 else load(i, I_BID)
        if kind == TRAILING:
            trail(o, price)
        beyond = load(o, O_SIDE) * (price - load(o, O_STOP))
        if beyond >= 0 if kind != TAKE_PROFIT else beyond <= 0:
            trigger(s, i, o, ts)
            arrive_quotes(s, i, o, ts)
            slot = load(i, I_HEAD)
    return 0


@exported(words(1))
def _rank(o: int) -> int:
    """Return where an order stands in line: 1 any price, 2 bids, 3 offers; 0 not in line."""
    phase = as_market(o)
    if phase < 2:
        return phase
    return 2 if load(o, O_SIDE) > 0 else 3


@exported(words(6))
def _earlier(rank: int, value: int, age: int, rank_2: int, value_2: int, age_2: int) -> int:
    """Return 1 where the first of two places in line comes before the second."""
    if rank != rank_2:
        return 1 if rank < rank_2 else 0
    if value != value_2:
        return 1 if value < value_2 else 0
    return 1 if age < age_2 else 0


@exported(words(5))
def _next_in_line(s: int, i: int, rank: int, value: int, age: int) -> int:
    """Return the slot of the live order that is served next after a place in line, -1 for none.

    A place is (rank, value, age): value is the price of a limit such that the better one is smaller, age its sequence.
    """
    best, best_rank, best_value, best_age = -1, 9, 0, 0
    slot = load(i, I_HEAD)
    while slot >= 0:
        o = order_at(s, slot)
        r, v, a = _rank(o), 0, load(o, O_SEQUENCE)
        if r >= 2:
            v = -load(o, O_SIDE) * load(o, O_PRICE)
        if r > 0 and _earlier(rank, value, age, r, v, a) and _earlier(r, v, a, best_rank, best_value, best_age):
            best, best_rank, best_value, best_age = slot, r, v, a
        slot = load(o, O_NEXT)
    return best


@exported(words(3))
def _serve(s: int, i: int, ts: int) -> int:
    """Let every live order have what the quotes still show: a resting limit at its own price, once they come to it."""
    rank, value, age = 1, 0, -1
    while True:
        slot = _next_in_line(s, i, rank, value, age)
        if slot < 0:
            break
        o = order_at(s, slot)
        rank, age, price = _rank(o), load(o, O_SEQUENCE), load(o, O_PRICE)
        side = load(o, O_SIDE)
        value = -side * price if rank >= 2 else 0
        if rank == 1:
            _walk(s, i, o, ts)
        elif _offered(i, side, price) > 0:
            begin_chance(i, o)
            _take(s, i, o, _left(i, -side), price, 1, ts)
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
    old_bid = _left(i, 1) if load(i, I_BID) == bid else -1
    old_ask = _left(i, -1) if load(i, I_ASK) == ask else -1
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
            _set_off(s, i, NONE, ts)
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
        slot = _next_in_line(s, i, mine, value, age)
        if slot < 0:
            break
        o = order_at(s, slot)
        value, age = -side * load(o, O_PRICE), load(o, O_SEQUENCE)
        beyond, lots = side * (load(o, O_PRICE) - price), 0
        if _rank(o) != mine or beyond < 0:
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
        _set_off(s, i, price, ts)
    if load(i, I_FLAGS) & MARK_MID:
        return 1
    return mark(s, i, load(i, I_LAST))
