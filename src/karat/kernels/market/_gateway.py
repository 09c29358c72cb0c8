"""The order gateway: what is checked when an order is sent and again when it arrives, cancels, amendments, expiries.

Invariants:
1. Ids rise: an id that is not above the last one is a duplicate, whatever became of the earlier order.
2. A check that fails rejects with a reason and numbers; nothing of the order is changed silently.
3. What the market does with an arriving order is the matcher's business, not the gateway's.
"""

from __future__ import annotations

from karat.kernels._jit import exported
from karat.kernels._memory import call4, load, store
from karat.kernels.market._account import stop_with
from karat.kernels.market._assumptions import latency_ns
from karat.kernels.market._borrow import unlocated
from karat.kernels.market._execute import release, write_news
from karat.kernels.market._kinds import PURPOSE_AMEND, PURPOSE_CANCEL, PURPOSE_SEND
from karat.kernels.market._layout import (
    AMEND_SENT,
    ARRIVE,
    ARRIVE_AMEND,
    ARRIVING,
    BARS,
    CANCEL_SENT,
    DOOMED,
    E_QUEUE_FULL,
    FILLED,
    FOK,
    GROUP_CANCEL,
    GROUP_REDUCE,
    GTC,
    GTD,
    H_HOOK_ORDER,
    H_INSTRUMENTS,
    H_LAST_ID,
    H_MARGIN_POLICY,
    H_ORDERS,
    H_SEED,
    I_ENTRY_AT,
    I_ENTRY_KIND,
    I_FILTERS,
    I_MATCHER,
    I_POSITION,
    I_RESERVED,
    I_RULES,
    IOC,
    LIMIT,
    LIMIT_ON_CLOSE,
    LIMIT_ON_OPEN,
    MARKET,
    MARKET_ON_OPEN,
    O_CHILDREN,
    O_FILLED,
    O_FULL,
    O_GROUP_MODE,
    O_ID,
    O_INSTRUMENT,
    O_LOCAL,
    O_PARENT,
    O_PENDING,
    O_PRICE,
    O_QTY,
    O_RESERVED,
    O_SENT,
    O_SIBLING,
    O_SIDE,
    O_STATE,
    O_STOP,
    O_TAKEN,
    O_TRIGGERED,
    O_TYPE,
    OK,
    PENDING_NEW,
    POST_ONLY,
    R_COMBINATION,
    R_DUPLICATE,
    R_FUNDS,
    R_INSTRUMENT,
    R_NO_MARKET,
    R_PARENT,
    R_PRICE,
    R_QUANTITY,
    R_REDUCE_ONLY,
    R_TABLE_FULL,
    REDUCE_ONLY,
    REJECTED,
    REJECTED_GATEWAY,
    STOP,
    STOP_LIMIT,
    T_DELAY,
    T_DISPLAY,
    T_EXPIRE,
    T_FLAGS,
    T_GROUP,
    T_GROUP_MODE,
    T_ID,
    T_INSTRUMENT,
    T_OFFSET,
    T_PARENT,
    T_PRICE,
    T_QTY,
    T_SIDE,
    T_STOP,
    T_TIF,
    T_TYPE,
    TAKE_PROFIT,
    TRAILING,
    WAITING,
)
from karat.kernels.market._margin import barred_by_call, buying_power, need_of
from karat.kernels.market._orders import (
    find,
    instrument_at,
    join_ring,
    move,
    order_at,
    retire,
    take_slot,
    words,
)
from karat.kernels.market._queue import push


@exported(words(5))
def _refuse(s: int, order_id: int, ts: int, reason: int, number: int) -> int:
    write_news(s, order_id, ts, ts, REJECTED_GATEWAY, reason, number, 0)
    return -1


@exported(words(1))
def _form(t: int) -> int:
    """Return the reason why side, type, time in force and flags do not go together, or 0."""
    side, kind, tif, flags = load(t, T_SIDE), load(t, T_TYPE), load(t, T_TIF), load(t, T_FLAGS)
    if (side != 1 and side != -1) or kind < MARKET or kind > LIMIT_ON_CLOSE or tif < GTC or tif > FOK:
        return R_COMBINATION
    if flags & POST_ONLY and (kind != LIMIT or tif >= IOC):
        return R_COMBINATION
    if (kind >= MARKET_ON_OPEN and tif >= IOC) or (tif == GTD and load(t, T_EXPIRE) <= 0):
        return R_COMBINATION
    return OK


@exported(words(1))
def _amounts(t: int) -> int:
    """Return the reason why quantity or prices of an order cannot be, or 0."""
    kind = load(t, T_TYPE)
    if load(t, T_QTY) <= 0 or load(t, T_DISPLAY) < 0 or load(t, T_DISPLAY) > load(t, T_QTY):
        return R_QUANTITY
    limited = kind == LIMIT or kind == STOP_LIMIT or kind >= LIMIT_ON_OPEN
    if limited and load(t, T_PRICE) <= 0:
        return R_PRICE
    if (kind == STOP or kind == STOP_LIMIT) and load(t, T_STOP) <= 0:
        return R_PRICE
    if kind == TAKE_PROFIT and load(t, T_STOP) <= 0 and load(t, T_PRICE) <= 0:
        return R_PRICE
    if kind == TRAILING and load(t, T_OFFSET) <= 0:
        return R_PRICE
    return OK


@exported(words(2))
def _kin(s: int, t: int) -> int:
    """Return the reason why an order cannot be a leg or a child of the order it names, or 0."""
    parent, group, kind = load(t, T_PARENT), load(t, T_GROUP), load(t, T_TYPE)
    if parent > 0:
        slot = find(s, parent)
        if slot < 0 or kind < LIMIT or kind > TAKE_PROFIT:
            return R_PARENT
        p = order_at(s, slot)
        other = load(p, O_INSTRUMENT) != load(t, T_INSTRUMENT)
        if other or load(p, O_PARENT) > 0 or load(p, O_STATE) >= FILLED:
            return R_PARENT
    if group > 0 and group != load(t, T_ID):
        slot = find(s, group)
        if slot < 0:
            return R_COMBINATION
        leg = order_at(s, slot)
        same = load(leg, O_INSTRUMENT) == load(t, T_INSTRUMENT) and load(leg, O_SIDE) == load(t, T_SIDE)
        same = same and load(leg, O_PARENT) == parent
        if not same or load(leg, O_STATE) >= FILLED:
            return R_COMBINATION
    return OK


@exported(words(5))
def _adopt(s: int, o: int, slot: int, parent: int, ts: int) -> int:
    """Hang a child on its parent: it waits without lots until the parent fills."""
    p = order_at(s, parent)
    store(o, O_PARENT, load(p, O_ID))
    if load(p, O_CHILDREN) == 0:
        store(p, O_CHILDREN, slot + 1)
    else:
        last = order_at(s, load(p, O_CHILDREN) - 1)
        while load(last, O_SIBLING):
            last = order_at(s, load(last, O_SIBLING) - 1)
        store(last, O_SIBLING, slot + 1)
    store(o, O_QTY, load(p, O_FILLED))
    move(o, WAITING)
    if load(p, O_FILLED) > 0:
        store(o, O_QTY, min(load(o, O_FULL), load(p, O_FILLED) - load(o, O_TAKEN)))
        store(o, O_PENDING, load(o, O_PENDING) | ARRIVING)
        if not push(s, ts, ARRIVE, slot, 0, load(o, O_ID)):
            stop_with(s, E_QUEUE_FULL, ts, 0)
    return slot


@exported(words(3))
def _inherit(i: int, o: int, leg: int) -> int:
    """Let a leg that joins a list take over what the list has already done, as if it had been on its way."""
    done, mode = load(leg, O_FILLED) + load(leg, O_TAKEN), load(leg, O_GROUP_MODE)
    set_off = load(leg, O_TRIGGERED) and load(leg, O_TYPE) != TAKE_PROFIT
    if mode == GROUP_REDUCE and done > 0:
        release(i, o, done)
        store(o, O_TAKEN, done)
        store(o, O_QTY, load(o, O_QTY) - done)
        store(o, O_FULL, load(o, O_FULL) - done)
    if (mode == GROUP_CANCEL and (done > 0 or set_off)) or load(o, O_FULL) <= 0:
        store(o, O_PENDING, load(o, O_PENDING) | DOOMED)
    return 0


@exported(words(3))
def send(s: int, t: int, ts: int) -> int:
    """Check a row of intents and send it as an order; return its slot, or -1 where it is refused at once."""
    order_id, number = load(t, T_ID), load(t, T_INSTRUMENT)
    if order_id <= load(s, H_LAST_ID):
        return _refuse(s, order_id, ts, R_DUPLICATE, load(s, H_LAST_ID))
    store(s, H_LAST_ID, order_id)
    if number < 0 or number >= load(s, H_INSTRUMENTS):
        return _refuse(s, order_id, ts, R_INSTRUMENT, number)
    reason = _form(t)
    if reason == OK:
        reason = _kin(s, t)
    if reason == OK:
        reason = _amounts(t)
    if reason != OK:
        return _refuse(s, order_id, ts, reason, 0)
    i = instrument_at(s, number)
    position = load(i, I_POSITION)
    if load(t, T_TYPE) >= MARKET_ON_OPEN and load(i, I_MATCHER) != BARS:  # quotes and depth show no auctions
        return _refuse(s, order_id, ts, R_COMBINATION, load(t, T_TYPE))
    if load(t, T_FLAGS) & REDUCE_ONLY and load(t, T_PARENT) == 0 and position * load(t, T_SIDE) >= 0:
        return _refuse(s, order_id, ts, R_REDUCE_ONLY, position)
    need, reason = 0, barred_by_call(s, i, load(t, T_SIDE), load(t, T_QTY), load(t, T_FLAGS))
    if reason != OK:
        return _refuse(s, order_id, ts, reason, position)
    if load(s, H_MARGIN_POLICY):
        need = need_of(s, i, t)
        free = buying_power(s)
        if need < 0:
            return _refuse(s, order_id, ts, R_NO_MARKET, 0)
        if need > max(free, 0):  # what opens nothing needs nothing, however deep the account is below
            return _refuse(s, order_id, ts, R_FUNDS, need - free)
    slot = take_slot(s, order_id)
    if slot < 0:
        return _refuse(s, order_id, ts, R_TABLE_FULL, load(s, H_ORDERS))
    o = order_at(s, slot)
    for k in range(5):  # instrument, side, type, time in force, flags
        store(o, O_INSTRUMENT + k, load(t, T_INSTRUMENT + k))
    for k in range(6):  # price, stop, offset, display, expiry, self-trade mode
        store(o, O_PRICE + k, load(t, T_PRICE + k))
    store(o, O_QTY, load(t, T_QTY))
    if load(o, O_TYPE) == TAKE_PROFIT and load(o, O_STOP) <= 0:
        store(o, O_STOP, load(t, T_PRICE))
    store(o, O_SENT, ts)
    if load(i, I_RULES) or load(i, I_FILTERS):
        reason = call4(load(s, H_HOOK_ORDER), s, i, o, ts)
        if reason != OK:
            store(o, O_STATE, REJECTED)
            retire(s, o)
            return _refuse(s, order_id, ts, reason, load(o, O_PRICE))
    store(o, O_RESERVED, need)
    store(i, I_RESERVED, load(i, I_RESERVED) + need)
    store(o, O_GROUP_MODE, load(t, T_GROUP_MODE))
    store(o, O_FULL, load(t, T_QTY))
    store(o, O_STATE, PENDING_NEW)
    store(o, O_LOCAL, PENDING_NEW)
    if load(t, T_GROUP) > 0 and load(t, T_GROUP) != order_id:
        join_ring(s, slot, find(s, load(t, T_GROUP)))
        _inherit(i, o, order_at(s, find(s, load(t, T_GROUP))))
    if load(t, T_PARENT) > 0:
        _adopt(s, o, slot, find(s, load(t, T_PARENT)), ts)
    reason = unlocated(s, i, o, ts)
    if reason != OK:
        release(i, o, load(o, O_QTY))
        move(o, REJECTED)
        retire(s, o)
        return _refuse(s, order_id, ts, reason, load(t, T_QTY))
    if load(t, T_PARENT) > 0:
        return slot
    kind = load(i, I_ENTRY_KIND)
    at = ts + load(t, T_DELAY)
    if kind != 0:
        at += latency_ns(kind, s + 8 * load(i, I_ENTRY_AT), load(s, H_SEED), order_id, PURPOSE_SEND, ts)
    if not push(s, at, ARRIVE, slot, 0, order_id):
        return stop_with(s, E_QUEUE_FULL, ts, 0) - 1
    return slot


@exported(words(4))
def ask(s: int, t: int, ts: int, action: int) -> int:
    """Send a cancel or an amendment (of quantity or price, 0 keeps); what it meets is decided when it arrives."""
    order_id, at = load(t, T_ID), ts + load(t, T_DELAY)
    slot = find(s, order_id) if order_id > 0 else -1
    if slot >= 0:
        o = order_at(s, slot)
        i = instrument_at(s, load(o, O_INSTRUMENT))
        amending = action == ARRIVE_AMEND
        store(o, O_PENDING, load(o, O_PENDING) | (AMEND_SENT if amending else CANCEL_SENT))
        purpose = PURPOSE_AMEND if amending else PURPOSE_CANCEL
        kind, p = load(i, I_ENTRY_KIND), s + 8 * load(i, I_ENTRY_AT)
        at += latency_ns(kind, p, load(s, H_SEED), order_id, purpose, ts)
    if not push(s, at, action, load(t, T_PRICE), load(t, T_QTY), order_id):
        stop_with(s, E_QUEUE_FULL, ts, 0)
    return 0
