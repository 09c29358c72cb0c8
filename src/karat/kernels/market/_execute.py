"""What an execution does: money, the order, its legs and children, and the record of it; and how orders end.

Invariants:
1. An order never executes more than its quantity; a reduce-only order never more than the position it reduces.
2. A fill of one leg takes the others away (GROUP_CANCEL) or as many of their lots as were filled (GROUP_REDUCE),
   before anything else can happen.
3. Children of an order live for as many lots as their parent has filled.
"""

from __future__ import annotations

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import call4, load, store
from karat.kernels.market._account import fee_of, money_at, pay_fee, stop_with, trade
from karat.kernels.market._assumptions import latency_ns
from karat.kernels.market._borrow import accrue
from karat.kernels.market._kinds import IMPACT_ALMGREN_CHRISS, PURPOSE_RESPONSE
from karat.kernels.market._layout import (
    ACTIVATED,
    ARRIVE,
    ARRIVING,
    CANCEL_DONE,
    CANCELLED,
    DOOMED,
    DROPPED,
    E_FILLS_FULL,
    E_NEWS_FULL,
    E_QUEUE_FULL,
    EXPIRE,
    EXPIRED,
    EXPIRED_NEWS,
    F_FEE,
    F_ID,
    F_INSTRUMENT,
    F_KNOWN,
    F_MAKER,
    F_POSITION,
    F_PRICE,
    F_QTY,
    F_REALISED,
    F_REFERENCE,
    F_ROW,
    F_SENT,
    F_SEQUENCE,
    F_SIDE,
    F_TS,
    F_TYPE,
    FILL,
    FILLED,
    GROUP_REDUCE,
    GTD,
    H_AT_FILLS,
    H_AT_NEWS,
    H_DISTURBED,
    H_FILL_SEQUENCE,
    H_FILLS,
    H_FILLS_LENGTH,
    H_HOOK_FILL,
    H_INTRABAR,
    H_NEWS,
    H_NEWS_LENGTH,
    H_NEWS_SEQUENCE,
    H_NOW,
    H_REFUSED,
    H_ROW,
    H_SEED,
    H_SEQUENCE,
    I_BAR_END,
    I_BAR_START,
    I_FILLED,
    I_IMPACT_KIND,
    I_LOCAL_POSITION,
    I_PLACE,
    I_POSITION,
    I_REALISED,
    I_RESERVED,
    I_RESPONSE_AT,
    I_RESPONSE_KIND,
    I_RULES,
    I_SLIPPAGE,
    I_UNIT,
    LIVE,
    M_BORROW,
    M_LAG,
    N_A,
    N_B,
    N_ID,
    N_KIND,
    N_KNOWN,
    N_REASON,
    N_SEQUENCE,
    N_TS,
    NEWS,
    O_ARRIVED,
    O_CHARGES,
    O_CHILDREN,
    O_EXPIRE,
    O_FILLED,
    O_FLAGS,
    O_FULL,
    O_GROUP_MODE,
    O_ID,
    O_INSTRUMENT,
    O_LOCAL,
    O_NOTIONAL,
    O_PARENT,
    O_PENDING,
    O_QTY,
    O_RESERVED,
    O_RESPONSES,
    O_RING,
    O_SENT,
    O_SEQUENCE,
    O_SIBLING,
    O_SIDE,
    O_STATE,
    O_TAKEN,
    O_TIF,
    O_TYPE,
    PARTIAL,
    PENDING_NEW,
    R_DATE_OVER,
    R_OTHER_LEG,
    R_PARENT,
    R_REDUCE_ONLY,
    REDUCE_ONLY,
    RESPOND,
    TRAILING,
    WAITING,
)
from karat.kernels.market._orders import (
    find,
    instrument_at,
    link,
    move,
    order_at,
    retire,
    slot_of,
    trail,
    unlink,
    words,
)
from karat.kernels.market._queue import push
from karat.kernels.market._settle import await_settlement
from karat.kernels.market._shift import move_prices


@exported(words(6))
def known_at(s: int, i: int, o: int, ts: int, state: int, lots: int) -> int:
    """Return when the strategy learns what happened to an order at the venue at ts, and see to it that it does."""
    kind = load(i, I_RESPONSE_KIND)
    if load(s, H_INTRABAR):
        ts = load(i, I_BAR_END)  # nobody hears of a bar before it is over
    if kind == 0:
        store(o, O_LOCAL, state)
        store(i, I_LOCAL_POSITION, load(i, I_LOCAL_POSITION) + load(o, O_SIDE) * lots)
        return ts
    known = ts + latency_ns(kind, s + 8 * load(i, I_RESPONSE_AT), load(s, H_SEED), load(o, O_ID), PURPOSE_RESPONSE, ts)
    store(o, O_RESPONSES, load(o, O_RESPONSES) + 1)
    if not push(s, known, RESPOND, slot_of(s, o), state, lots):
        stop_with(s, E_QUEUE_FULL, ts, 0)
    return known


@exported(words(5))
def learn(s: int, o: int, state: int, lots: int, ts: int) -> int:
    """Let a message reach the strategy: its view of the order and the position moves, and the order may retire."""
    i = instrument_at(s, load(o, O_INSTRUMENT))
    if state > load(o, O_LOCAL):  # messages may overtake each other where the delay is random
        store(o, O_LOCAL, state)
    store(i, I_LOCAL_POSITION, load(i, I_LOCAL_POSITION) + load(o, O_SIDE) * lots)
    store(o, O_RESPONSES, load(o, O_RESPONSES) - 1)
    return retire(s, o)


@exported(words(8))
def write_news(s: int, order_id: int, ts: int, known: int, kind: int, reason: int, a: int, b: int) -> int:
    """Append a message; `advance` sees to it before every step that there is room."""
    n, sequence = load(s, H_NEWS_LENGTH), load(s, H_NEWS_SEQUENCE)
    if n >= load(s, H_NEWS):
        return stop_with(s, E_NEWS_FULL, ts, n)
    at = s + 8 * (load(s, H_AT_NEWS) + n * NEWS)
    store(s, H_NEWS_LENGTH, n + 1)
    store(s, H_NEWS_SEQUENCE, sequence + 1)
    store(at, N_SEQUENCE, sequence)
    store(at, N_TS, ts)
    store(at, N_KNOWN, known)
    store(at, N_ID, order_id)
    store(at, N_KIND, kind)
    store(at, N_REASON, reason)
    store(at, N_A, a)
    store(at, N_B, b)
    return 1


@exported(words(7))
def tell(s: int, o: int, ts: int, kind: int, reason: int, a: int, b: int) -> int:
    """Write a message about an order for the strategy and the log."""
    known = known_at(s, instrument_at(s, load(o, O_INSTRUMENT)), o, ts, load(o, O_STATE), 0)
    return write_news(s, load(o, O_ID), ts, known, kind, reason, a, b)


@compiled(words(3))
def release(i: int, o: int, lots: int) -> int:
    """Free the part of an order's reserved margin that belongs to lots of its rest."""
    held, rest = load(o, O_RESERVED), load(o, O_QTY) - load(o, O_FILLED)
    part = held if lots >= rest else held // rest * lots
    store(o, O_RESERVED, held - part)
    store(i, I_RESERVED, load(i, I_RESERVED) - part)
    return part


@exported(words(7))
def _end(s: int, i: int, o: int, state: int, kind: int, reason: int, ts: int) -> int:
    """End one order without a fill, say why, and take it out of the book."""
    if load(o, O_STATE) == LIVE or load(o, O_STATE) == PARTIAL:
        unlink(s, i, o)
        store(s, H_DISTURBED, 1)
    release(i, o, load(o, O_QTY))
    move(o, state)
    tell(s, o, ts, kind, reason, load(o, O_FILLED), load(o, O_QTY))
    return retire(s, o)


@exported(words(4))
def settle_children(s: int, i: int, o: int, ts: int) -> int:
    """End as filled the children of an order that is over which have filled all the lots they will ever have."""
    child = load(o, O_CHILDREN) - 1
    while child >= 0:
        c = order_at(s, child)
        child = load(c, O_SIBLING) - 1
        if load(c, O_STATE) == LIVE and load(c, O_QTY) <= 0 and load(o, O_FILLED) > 0:
            _end(s, i, c, EXPIRED, EXPIRED_NEWS, R_OTHER_LEG, ts)
        if load(c, O_STATE) == PARTIAL and load(c, O_FILLED) >= load(c, O_QTY):
            release(i, c, load(c, O_QTY))
            unlink(s, i, c)
            store(s, H_DISTURBED, 1)
            move(c, FILLED)
            retire(s, c)
    return 0


@exported(words(2))
def living(s: int, order_id: int) -> int:
    """Return 1 where an order is known and not over."""
    slot = find(s, order_id)
    return 1 if slot >= 0 and load(order_at(s, slot), O_STATE) < FILLED else 0


@exported(words(7))
def end_one(s: int, i: int, o: int, state: int, kind: int, reason: int, ts: int) -> int:
    """End an order, and its children where it has filled nothing."""
    _end(s, i, o, state, kind, reason, ts)
    child = load(o, O_CHILDREN) - 1
    while child >= 0 and load(o, O_FILLED) == 0:
        c = order_at(s, child)
        if load(c, O_STATE) < FILLED:
            _end(s, i, c, CANCELLED, CANCEL_DONE, R_PARENT, ts)
        child = load(c, O_SIBLING) - 1
    return settle_children(s, i, o, ts)


@exported(words(7))
def end(s: int, i: int, o: int, state: int, kind: int, reason: int, ts: int) -> int:
    """End an order and with it every other leg of its list: what protected one position is not left half standing."""
    end_one(s, i, o, state, kind, reason, ts)
    slot = slot_of(s, o)
    leg = load(o, O_RING)
    while leg != slot:
        other = order_at(s, leg)
        if load(other, O_STATE) == PENDING_NEW:
            store(other, O_PENDING, load(other, O_PENDING) | DROPPED)
        elif load(other, O_STATE) < FILLED:
            end_one(s, i, other, CANCELLED, CANCEL_DONE, R_OTHER_LEG, ts)
        leg = load(other, O_RING)
    return 0


@compiled(words(4))
def room(s: int, i: int, o: int, qty: int) -> int:
    """Return how many of qty lots the order may still execute: its own rest, and what a reduce-only one can reduce."""
    left = min(qty, load(o, O_QTY) - load(o, O_FILLED))
    if load(o, O_FLAGS) & REDUCE_ONLY:
        left = min(left, max(0, -load(o, O_SIDE) * load(i, I_POSITION)))
    return left


@exported(words(8))
def _write_fill(s: int, i: int, o: int, lots: int, price: int, maker: int, reference: int, ts: int) -> int:
    n, sequence = load(s, H_FILLS_LENGTH), load(s, H_FILL_SEQUENCE)
    at = s + 8 * (load(s, H_AT_FILLS) + n * FILL)
    store(s, H_FILLS_LENGTH, n + 1)
    store(s, H_FILL_SEQUENCE, sequence + 1)
    store(at, F_SEQUENCE, sequence)
    store(at, F_TS, ts)
    store(at, F_KNOWN, known_at(s, i, o, ts, load(o, O_STATE), lots))
    store(at, F_ID, load(o, O_ID))
    store(at, F_INSTRUMENT, load(o, O_INSTRUMENT))
    store(at, F_SIDE, load(o, O_SIDE))
    store(at, F_PRICE, price)
    store(at, F_QTY, lots)
    store(at, F_MAKER, maker)
    store(at, F_REFERENCE, reference)
    store(at, F_POSITION, load(i, I_POSITION))
    store(at, F_ROW, load(s, H_ROW))
    store(at, F_SENT, load(o, O_SENT))
    store(at, F_TYPE, load(o, O_TYPE))
    return 1


@exported(words(6))
def enter(s: int, i: int, o: int, ts: int, kind: int, reason: int) -> int:
    """Make an order live: it gets its place in time and a message goes out."""
    move(o, LIVE)
    store(o, O_ARRIVED, ts)
    sequence = load(s, H_SEQUENCE)
    store(o, O_SEQUENCE, sequence)
    store(s, H_SEQUENCE, sequence + 1)
    link(s, i, o)
    store(s, H_DISTURBED, 1)
    if load(o, O_TIF) == GTD and not push(s, load(o, O_EXPIRE), EXPIRE, slot_of(s, o), 0, load(o, O_ID)):
        stop_with(s, E_QUEUE_FULL, ts, 0)
    return tell(s, o, ts, kind, reason, load(o, O_QTY), load(o, O_SENT))


@exported(words(5))
def _activate(s: int, i: int, c: int, lots: int, ts: int) -> int:
    """Let a child live for as many more lots as its parent has just filled."""
    if load(c, O_STATE) >= FILLED:
        return 0
    store(c, O_QTY, min(load(c, O_FULL), load(c, O_QTY) + lots))
    if load(c, O_STATE) != WAITING:
        return 0
    if load(s, H_INTRABAR):
        if load(c, O_TIF) == GTD and load(c, O_EXPIRE) <= load(i, I_BAR_END):
            return end(s, i, c, EXPIRED, EXPIRED_NEWS, R_DATE_OVER, ts)
        enter(s, i, c, ts, ACTIVATED, 0)
        store(c, O_ARRIVED, load(i, I_BAR_START))  # it sees the rest of the path that its parent saw
        if load(c, O_TYPE) == TRAILING:
            trail(c, load(i, I_PLACE))
        return 0
    if load(c, O_PENDING) & ARRIVING == 0:
        store(c, O_PENDING, load(c, O_PENDING) | ARRIVING)
        if not push(s, ts, ARRIVE, slot_of(s, c), 0, load(c, O_ID)):
            stop_with(s, E_QUEUE_FULL, ts, 0)
    return 0


@exported(words(5))
def _spread(s: int, i: int, o: int, lots: int, ts: int) -> int:
    """Let the other legs and the children of an order know that lots of it were filled."""
    slot, mode = slot_of(s, o), load(o, O_GROUP_MODE)
    leg = load(o, O_RING)
    while leg != slot and mode != 0:
        other = order_at(s, leg)
        leg = load(other, O_RING)
        if load(other, O_STATE) >= FILLED:
            continue
        left = 0
        if mode == GROUP_REDUCE:
            store(other, O_QTY, load(other, O_QTY) - lots)
            store(other, O_TAKEN, load(other, O_TAKEN) + lots)
            left = load(other, O_FULL) - lots
            store(other, O_FULL, left)
            if load(other, O_PARENT) == 0 or not living(s, load(other, O_PARENT)):
                left = load(other, O_QTY)
        if left > load(other, O_FILLED):
            continue
        if load(other, O_STATE) == PENDING_NEW:
            store(other, O_PENDING, load(other, O_PENDING) | DOOMED)
        else:
            end_one(s, i, other, EXPIRED, EXPIRED_NEWS, R_OTHER_LEG, ts)
    child = load(o, O_CHILDREN) - 1
    while child >= 0:
        c = order_at(s, child)
        child = load(c, O_SIBLING) - 1
        _activate(s, i, c, lots, ts)
    if load(o, O_STATE) == FILLED:
        settle_children(s, i, o, ts)
    return 0


@exported(words(8))
def execute(s: int, i: int, o: int, qty: int, price: int, maker: int, reference: int, ts: int) -> int:
    """Fill up to qty lots of an order at a price; return the lots filled, 0 where it may not or money overflows.

    reference: the price before slippage. A reduce-only order with nothing to reduce is cancelled. A child that has
    filled all the lots it has stays, without room, until its parent can give it no more.
    """
    lots = room(s, i, o, qty)
    if lots <= 0:
        if load(o, O_FLAGS) & REDUCE_ONLY and load(o, O_FILLED) < load(o, O_QTY):
            end(s, i, o, CANCELLED, CANCEL_DONE, R_REDUCE_ONLY, ts)
        return 0
    if load(s, H_FILLS_LENGTH) >= load(s, H_FILLS):
        return stop_with(s, E_FILLS_FULL, ts, load(s, H_FILLS))
    if load(i, I_RULES) and call4(load(s, H_HOOK_FILL), s, i, o, price):
        store(s, H_REFUSED, load(s, H_REFUSED) + 1)
        return 0
    side, unit, m = load(o, O_SIDE), load(i, I_UNIT), money_at(s, i)
    realised = load(i, I_REALISED)
    if load(m, M_BORROW):
        accrue(s, i, ts)
    if not trade(s, i, side, lots, price):
        return 0
    notional = price * lots * unit
    if side < 0 and load(m, M_LAG):
        await_settlement(s, i, notional)
    fee = fee_of(s, i, o, notional, lots, maker, load(s, H_NOW))
    pay_fee(s, i, fee, notional, load(s, H_NOW))
    store(i, I_SLIPPAGE, load(i, I_SLIPPAGE) + side * (price - reference) * lots * unit)
    store(i, I_FILLED, load(i, I_FILLED) + lots)
    release(i, o, lots)
    store(o, O_FILLED, load(o, O_FILLED) + lots)
    store(o, O_NOTIONAL, load(o, O_NOTIONAL) + notional)
    store(o, O_CHARGES, load(o, O_CHARGES) + fee)
    done = load(o, O_FILLED) >= load(o, O_QTY)
    if done and load(o, O_FILLED) < load(o, O_FULL) and load(o, O_PARENT) > 0:
        done = not living(s, load(o, O_PARENT))
    if done:
        unlink(s, i, o)
        store(s, H_DISTURBED, 1)
    move(o, FILLED if done else PARTIAL)
    _write_fill(s, i, o, lots, price, maker, reference, ts)
    at = s + 8 * (load(s, H_AT_FILLS) + (load(s, H_FILLS_LENGTH) - 1) * FILL)
    store(at, F_FEE, fee)
    store(at, F_REALISED, load(i, I_REALISED) - realised)
    if load(i, I_IMPACT_KIND) == IMPACT_ALMGREN_CHRISS:
        move_prices(s, i, side * lots)
    _spread(s, i, o, lots, ts)
    retire(s, o)
    return lots
