"""Rows that are no prices: status, corporate actions, funding, rates of exchange, reference prices.

Invariants:
1. A split changes positions and open orders alike; what cannot be held is paid in cash; an order without lots ends.
2. Who is short pays the dividend; who is long pays funding at a positive rate.
"""

from __future__ import annotations

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import load, store
from karat.kernels.market._account import income, money_at, split, stop_with
from karat.kernels.market._borrow import accrue, split_locate
from karat.kernels.market._charges import funding_quanta, per_share
from karat.kernels.market._execute import end, tell
from karat.kernels.market._layout import (
    AMENDED,
    C_RATE,
    CANCEL_DONE,
    CANCELLED,
    CLOSED,
    CURRENCY,
    DAY_OVER,
    DIVIDEND,
    E_KIND,
    E_OVERFLOW,
    E_PRICE,
    E_QUEUE_FULL,
    FUNDING,
    FX,
    H_AT_CURRENCIES,
    H_AT_QUEUE,
    H_CURRENCIES,
    H_ORDERS,
    H_QUEUE_LENGTH,
    HAS_STATUS,
    I_CLOSE_NS,
    I_DIVIDEND,
    I_FLAGS,
    I_FUNDING,
    I_HEAD,
    I_LAST,
    I_LOCAL_POSITION,
    I_MARK,
    I_NUMBER,
    I_OPEN_NS,
    I_POSITION,
    I_PRIOR_CLOSE,
    I_RING,
    I_STATUS,
    I_STATUSES,
    I_UNIT,
    LARGE,
    M_BORROW,
    NONE,
    O_DISPLAY,
    O_FILLED,
    O_FULL,
    O_INSTRUMENT,
    O_NEXT,
    O_OFFSET,
    O_PRICE,
    O_QTY,
    O_SEQUENCE,
    O_SHOWN,
    O_SIDE,
    O_STATE,
    O_TAKEN,
    Q_ACTION,
    Q_LOTS,
    Q_SUBJECT,
    QUEUED,
    R_SPLIT,
    REFERENCE,
    RESPOND,
    SPLIT,
    STATUS,
    STATUSES,
    V_A,
    V_B,
    V_C,
    V_PRICE,
    V_TS,
    WAITING,
)
from karat.kernels.market._orders import order_at, set_bounds, words
from karat.kernels.market._queue import push
from karat.kernels.market._shift import shift_ticks, split_shift


@compiled(words(4))
def _scaled(price: int, numerator: int, denominator: int, side: int) -> int:
    """Return a price over a split ratio, rounded so that the order asks for no more: a bid down, an offer up."""
    if price <= 0:
        return price
    value = price * denominator
    return max(1, value // numerator if side > 0 else -(-value // numerator))


@exported(words(4))
def _split_order(s: int, o: int, numerator: int, denominator: int) -> int:
    """Adjust the lots and prices of one order; return the lots that it may still fill."""
    side, filled = load(o, O_SIDE), load(o, O_FILLED)
    rest, whole = load(o, O_QTY) - filled, load(o, O_FULL) - filled
    for k in range(2):  # price and stop lie side by side
        store(o, O_PRICE + k, _scaled(load(o, O_PRICE + k), numerator, denominator, side))
    store(o, O_OFFSET, _scaled(load(o, O_OFFSET), numerator, denominator, 1))
    filled = filled * numerator // denominator
    store(o, O_FILLED, filled)
    store(o, O_QTY, filled + rest * numerator // denominator)
    store(o, O_FULL, filled + whole * numerator // denominator)
    store(o, O_TAKEN, load(o, O_TAKEN) * numerator // denominator)
    store(o, O_DISPLAY, load(o, O_DISPLAY) * numerator // denominator)
    store(o, O_SHOWN, load(o, O_SHOWN) * numerator // denominator)
    return whole * numerator // denominator


@exported(words(5))
def _split_orders(s: int, i: int, numerator: int, denominator: int, ts: int) -> int:
    """Adjust an instrument's live orders and waiting children; those on their way are not the venue's yet."""
    for slot in range(load(s, H_ORDERS)):
        o = order_at(s, slot)
        if load(o, O_STATE) == WAITING and load(o, O_INSTRUMENT) == load(i, I_NUMBER):
            _split_order(s, o, numerator, denominator)
    done, slot = -1, load(i, I_HEAD)
    while slot >= 0:
        o = order_at(s, slot)
        slot = load(o, O_NEXT)
        if load(o, O_SEQUENCE) <= done:
            continue
        done = load(o, O_SEQUENCE)
        left = _split_order(s, o, numerator, denominator)
        tell(s, o, ts, AMENDED, R_SPLIT, load(o, O_PRICE), load(o, O_QTY))
        if left == 0:
            end(s, i, o, CANCELLED, CANCEL_DONE, R_SPLIT, ts)
            slot = load(i, I_HEAD)  # other legs may have gone with it
    set_bounds(s, i)
    return 1


@exported(words(4))
def _split_heard(s: int, i: int, numerator: int, denominator: int) -> int:
    """Adjust what the strategy has heard: the position less the fills it has not heard of yet."""
    heard, at = load(i, I_POSITION), s + 8 * load(s, H_AT_QUEUE)
    for k in range(load(s, H_QUEUE_LENGTH)):
        q = at + 8 * k * QUEUED
        if load(q, Q_ACTION) == RESPOND:
            o = order_at(s, load(q, Q_SUBJECT))
            if load(o, O_INSTRUMENT) == load(i, I_NUMBER):
                store(q, Q_LOTS, load(q, Q_LOTS) * numerator // denominator)
                heard -= load(o, O_SIDE) * load(q, Q_LOTS)
    store(i, I_LOCAL_POSITION, heard)
    return 1


@exported(words(5))
def special(s: int, i: int, v: int, row: int, kind: int) -> int:
    """Take a row of a kind from STATUS on; return 1, or 0 with the error noted."""
    a, b = load(load(v, V_A), row), load(load(v, V_B), row)
    ts, position = load(load(v, V_TS), row), load(i, I_POSITION)
    if kind == STATUS:
        count = load(i, I_STATUSES)
        at = I_RING + 4 * (count % STATUSES)
        store(i, I_STATUSES, count + 1)
        store(i, at, ts)
        store(i, at + 1, a)
        store(i, at + 2, b)
        store(i, at + 3, load(load(v, V_C), row))
        store(i, I_STATUS, a)
        store(i, I_FLAGS, load(i, I_FLAGS) | HAS_STATUS)
        store(i, I_OPEN_NS, b)
        store(i, I_CLOSE_NS, load(load(v, V_C), row))
        if a == CLOSED and not push(s, ts, DAY_OVER, load(i, I_NUMBER), 0, 0):
            return stop_with(s, E_QUEUE_FULL, row, ts)
        return 1
    if kind == SPLIT:
        if a <= 0 or b <= 0:
            return stop_with(s, E_PRICE, row, min(a, b))
        last = load(i, I_LAST)
        if load(money_at(s, i), M_BORROW):
            accrue(s, i, ts)
        split_locate(s, i, a, b)
        split(s, i, a, b, load(load(v, V_PRICE), row))
        split_shift(i, a, b)
        store(i, I_LAST, last if last == NONE else max(1, last * b // a))
        _split_heard(s, i, a, b)
        return _split_orders(s, i, a, b, ts)
    if kind == DIVIDEND:
        money, sign = per_share(position, a), 1 if position > 0 else -1
        if abs(float(money)) > LARGE:
            return stop_with(s, E_OVERFLOW, a, position)
        store(i, I_DIVIDEND, load(i, I_DIVIDEND) + sign * money)
        return income(s, i, sign * money) + 1
    if kind == FUNDING:
        price = load(load(v, V_PRICE), row)
        if price == NONE:
            price = load(i, I_MARK)
        if position == 0:
            return 1
        money = funding_quanta(position, price, load(i, I_UNIT), a)
        if abs(float(money)) > LARGE:  # OVERFLOW too
            return stop_with(s, E_OVERFLOW, price, position)
        store(i, I_FUNDING, load(i, I_FUNDING) - money)
        return income(s, i, -money) + 1
    if kind == FX:
        if a < 1 or a >= load(s, H_CURRENCIES) or b <= 0:
            return stop_with(s, E_PRICE, row, b)
        store(s + 8 * (load(s, H_AT_CURRENCIES) + a * CURRENCY), C_RATE, b)
        return 1
    if kind == REFERENCE:
        price = load(load(v, V_PRICE), row)
        store(i, I_PRIOR_CLOSE, price if price == NONE else price + shift_ticks(i, price))
        return 1
    return stop_with(s, E_KIND, row, kind)
