"""What arrives at the venue: orders are judged and made live, cancels and amendments done, expiries carried out.

Invariants:
1. A check that fails rejects with a reason and numbers; nothing of the order is changed silently.
2. A change that loses an order its place is told to the caller, who lets it meet the market again.
"""

from __future__ import annotations

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import call4, load, store
from karat.kernels.market._account import money_at
from karat.kernels.market._borrow import refused_short, short_lots, unlocated
from karat.kernels.market._execute import end, end_one, enter, release, tell, write_news
from karat.kernels.market._layout import (
    ACCEPTED,
    ACTIVATED,
    AMEND_REJECTED,
    AMEND_SENT,
    AMENDED,
    B_ASK,
    B_BID,
    BARS,
    CANCEL_DONE,
    CANCEL_ONLY,
    CANCEL_REJECTED,
    CANCEL_SENT,
    CANCELLED,
    CLOSED,
    CLOSING,
    DAY,
    DOOMED,
    DROPPED,
    EXPIRED,
    EXPIRED_NEWS,
    FILLED,
    GTD,
    H_HOOK_ORDER,
    H_LAST_ID,
    H_SEQUENCE,
    I_ASK,
    I_BID,
    I_BOOK,
    I_FILTERS,
    I_HEAD,
    I_LAST,
    I_MATCHER,
    I_POSITION,
    I_RULES,
    I_STATUS,
    M_LOCATED,
    MARKET,
    MARKET_ON_CLOSE,
    MARKET_ON_OPEN,
    NONE,
    O_ARRIVED,
    O_EXPIRE,
    O_FILLED,
    O_FLAGS,
    O_FULL,
    O_ID,
    O_INSTRUMENT,
    O_NEXT,
    O_OFFSET,
    O_PARENT,
    O_PENDING,
    O_PRICE,
    O_QTY,
    O_SEQUENCE,
    O_SIDE,
    O_STATE,
    O_STOP,
    O_TIF,
    O_TYPE,
    OK,
    OPEN,
    PENDING_NEW,
    POST_ONLY,
    PRE_OPEN,
    R_CANCEL_ONLY,
    R_CLOSED,
    R_COMBINATION,
    R_DATE_OVER,
    R_DAY_OVER,
    R_HALTED,
    R_OTHER_LEG,
    R_PARENT,
    R_PENDING,
    R_POST_ONLY,
    R_PRICE,
    R_QUANTITY,
    R_REDUCE_ONLY,
    R_REQUESTED,
    R_TOO_LATE,
    R_UNKNOWN_ORDER,
    REDUCE_ONLY,
    REJECTED,
    REJECTED_VENUE,
    STOP,
    TAKE_PROFIT,
    TRAILING,
    WAITING,
)
from karat.kernels.market._margin import barred_by_call
from karat.kernels.market._orders import find, instrument_at, link, order_at, unlink, words
from karat.kernels.market._own import own_best


@exported(words(2))
def barred(i: int, kind: int) -> int:
    """Return the reason why the market takes no new order of this type now, or 0."""
    status = load(i, I_STATUS)
    if status == CANCEL_ONLY:
        return R_CANCEL_ONLY
    if status == OPEN or status == PRE_OPEN or kind >= MARKET_ON_OPEN:
        return OK
    if status == CLOSED:
        return R_CLOSED
    return OK if status == CLOSING else R_HALTED


@compiled(words(4))
def would_take(s: int, i: int, side: int, price: int) -> int:
    """Return 1 where a limit order would meet the other side at once, as far as the last prices show."""
    best = load(i, I_ASK) if side > 0 else load(i, I_BID)
    if load(i, I_MATCHER) == BARS:
        best = load(i, I_LAST)
    elif own_best(s, i, side, price) >= 0:
        return 1
    elif load(i, I_BOOK):
        best = load(s + 8 * load(i, I_BOOK), B_ASK if side > 0 else B_BID)
    return 1 if best != NONE and side * (price - best) >= 0 else 0


@exported(words(4))
def admit(s: int, i: int, o: int, ts: int) -> int:
    """Judge an order at the venue and make it live; return 1, or 0 where it was turned away."""
    waiting = load(o, O_STATE) == WAITING
    if load(o, O_PENDING) & DOOMED:
        end_one(s, i, o, EXPIRED, EXPIRED_NEWS, R_OTHER_LEG, ts)
        return 0
    if load(o, O_PENDING) & DROPPED:
        end_one(s, i, o, CANCELLED, CANCEL_DONE, R_OTHER_LEG, ts)
        return 0
    if waiting and (load(o, O_TIF) != GTD or load(o, O_EXPIRE) > ts):
        enter(s, i, o, ts, ACTIVATED, 0)
        return 1
    reason = barred(i, load(o, O_TYPE)) if not waiting else OK
    if reason == OK and not waiting and load(o, O_FLAGS) & REDUCE_ONLY:
        reason = R_REDUCE_ONLY if load(i, I_POSITION) * load(o, O_SIDE) >= 0 else OK
    if reason == OK and not waiting:
        reason = barred_by_call(s, i, load(o, O_SIDE), load(o, O_QTY) - load(o, O_FILLED), load(o, O_FLAGS))
    if reason == OK and load(o, O_TIF) == GTD and load(o, O_EXPIRE) <= ts:
        end(s, i, o, EXPIRED, EXPIRED_NEWS, R_DATE_OVER, ts)
        return 0
    if reason == OK and (load(i, I_RULES) or load(i, I_FILTERS)):
        reason = call4(load(s, H_HOOK_ORDER), s, i, o, ts)
    if reason == OK:
        reason = unlocated(s, i, o, ts)
    if reason == OK and load(o, O_FLAGS) & POST_ONLY and would_take(s, i, load(o, O_SIDE), load(o, O_PRICE)):
        reason = R_POST_ONLY
    if reason != OK:
        end(s, i, o, REJECTED, REJECTED_VENUE, reason, ts)
        return 0
    if load(o, O_TYPE) == TRAILING and load(o, O_STOP) == 0 and load(i, I_LAST) != NONE:
        store(o, O_STOP, load(i, I_LAST) + load(o, O_SIDE) * load(o, O_OFFSET))
    enter(s, i, o, ts, ACCEPTED, 0)
    return 1


@exported(words(3))
def cancel(s: int, order_id: int, ts: int) -> int:
    """Cancel an order at the venue, or say why not."""
    slot = find(s, order_id) if order_id > 0 else -1
    if slot < 0:
        reason = R_TOO_LATE if 0 < order_id <= load(s, H_LAST_ID) else R_UNKNOWN_ORDER
        return write_news(s, order_id, ts, ts, CANCEL_REJECTED, reason, 0, 0)
    o = order_at(s, slot)
    state = load(o, O_STATE)
    store(o, O_PENDING, load(o, O_PENDING) & ~CANCEL_SENT)
    if state == PENDING_NEW:
        return tell(s, o, ts, CANCEL_REJECTED, R_PENDING, 0, 0)
    if state >= FILLED:
        return tell(s, o, ts, CANCEL_REJECTED, R_TOO_LATE, state, 0)
    return end(s, instrument_at(s, load(o, O_INSTRUMENT)), o, CANCELLED, CANCEL_DONE, R_REQUESTED, ts)


@exported(words(5))
def _no_more(s: int, i: int, o: int, qty: int, ts: int) -> int:
    """Return the reason why an order may not be made larger now, or 0."""
    reason = barred_by_call(s, i, load(o, O_SIDE), qty - load(o, O_FILLED), load(o, O_FLAGS))
    if reason != OK or load(money_at(s, i), M_LOCATED) < 0 or load(o, O_SIDE) > 0:
        return reason
    held, before = load(o, O_QTY), short_lots(s, i, -1)
    store(o, O_QTY, qty)
    after = short_lots(s, i, -1)
    store(o, O_QTY, held)
    return refused_short(s, i, before, after, ts)


@exported(words(5))
def amend(s: int, order_id: int, price: int, qty: int, ts: int) -> int:
    """Amend a live order at the venue; return 1 where its place in the market changed and must be matched again."""
    slot = find(s, order_id) if order_id > 0 else -1
    if slot < 0:
        known = R_TOO_LATE if 0 < order_id <= load(s, H_LAST_ID) else R_UNKNOWN_ORDER
        write_news(s, order_id, ts, ts, AMEND_REJECTED, known, 0, 0)
        return 0
    o = order_at(s, slot)
    i, state, kind = instrument_at(s, load(o, O_INSTRUMENT)), load(o, O_STATE), load(o, O_TYPE)
    store(o, O_PENDING, load(o, O_PENDING) & ~AMEND_SENT)
    reason = OK
    if state == PENDING_NEW or state == WAITING:
        reason = R_PENDING
    elif state >= FILLED:
        reason = R_TOO_LATE
    elif qty > 0 and load(o, O_PARENT) > 0:
        reason = R_PARENT  # a child has its parent's lots
    elif price < 0 or qty < 0:
        reason = R_QUANTITY if qty < 0 else R_PRICE
    elif price > 0 and (kind == MARKET or kind == TRAILING or kind == MARKET_ON_OPEN or kind == MARKET_ON_CLOSE):
        reason = R_COMBINATION
    elif price > 0 and load(o, O_FLAGS) & POST_ONLY and would_take(s, i, load(o, O_SIDE), price):
        reason = R_POST_ONLY
    elif qty > load(o, O_QTY):
        reason = _no_more(s, i, o, qty, ts)
    if reason != OK:
        tell(s, o, ts, AMEND_REJECTED, reason, price, qty)
        return 0
    if 0 < qty <= load(o, O_FILLED):
        return end(s, i, o, CANCELLED, CANCEL_DONE, R_REQUESTED, ts)
    field = O_STOP if kind == STOP or kind == TAKE_PROFIT else O_PRICE
    later = (price > 0 and price != load(o, field)) or qty > load(o, O_QTY)
    if qty > 0:
        release(i, o, max(0, load(o, O_QTY) - qty))
        store(o, O_QTY, qty)
        store(o, O_FULL, qty)
    if price > 0:
        store(o, field, price)
    if later:
        unlink(s, i, o)
        store(o, O_SEQUENCE, load(s, H_SEQUENCE))
        store(o, O_ARRIVED, ts)
        store(s, H_SEQUENCE, load(s, H_SEQUENCE) + 1)
        link(s, i, o)
    tell(s, o, ts, AMENDED, 0, load(o, field), load(o, O_QTY))
    return 1 if later else 0


@exported(words(4))
def expire(s: int, slot: int, order_id: int, ts: int) -> int:
    """End an order whose date has come, if it is still there."""
    o = order_at(s, slot)
    if load(o, O_ID) == order_id and load(o, O_STATE) < FILLED:
        end(s, instrument_at(s, load(o, O_INSTRUMENT)), o, EXPIRED, EXPIRED_NEWS, R_DATE_OVER, ts)
    return 0


@exported(words(3))
def day_over(s: int, number: int, ts: int) -> int:
    """End the day orders of an instrument."""
    i = instrument_at(s, number)
    slot = load(i, I_HEAD)
    while slot >= 0:
        o = order_at(s, slot)
        slot = load(o, O_NEXT)
        if load(o, O_TIF) == DAY:
            end(s, i, o, EXPIRED, EXPIRED_NEWS, R_DAY_OVER, ts)
            slot = load(i, I_HEAD)  # other legs may have gone with it
    return 0
