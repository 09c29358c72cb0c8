"""Buying power and margin: what an account is worth, what it may open, and when it is called.

| symbol | meaning | unit |
|---|---|---|
| equity | cash and positions of every currency | quanta of the account's currency |
| initial | share of a position's value that opening it needs | 1e-9 |
| maintenance | share of it that holding it needs | 1e-9 |
| requirement | sum of the maintenance margins of all positions | quanta of the account's currency |

Invariants:
1. A margin account may open what equity less initial margins of positions and orders under way covers; a cash account
   what settled cash less orders under way covers.
2. The account is called when equity is below the requirement after the last row of an instant or after something at the
   venue; the call stands until equity is at or above it. Tests change nothing else unless the policy says so.
"""

from __future__ import annotations

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import load, store
from karat.kernels.market._account import currency_of, fits, money_at, stop_with
from karat.kernels.market._charges import share
from karat.kernels.market._execute import write_news
from karat.kernels.market._forced import cancel_all, force
from karat.kernels.market._kinds import OVERFLOW
from karat.kernels.market._layout import (
    C_CASH,
    C_MARKED,
    C_RATE,
    C_UNSETTLED,
    CASH_ACCOUNT,
    CURRENCY,
    E_MARGIN_CALL,
    E_OVERFLOW,
    H_ACCOUNT,
    H_AT_CURRENCIES,
    H_CALLED,
    H_CALLS,
    H_CURRENCIES,
    H_EXPOSED,
    H_INSTRUMENTS,
    H_MARGIN_POLICY,
    H_NOW,
    I_CURRENCY,
    I_INITIAL,
    I_MARK,
    I_POSITION,
    I_RESERVED,
    I_UNIT,
    M_MAINTENANCE,
    MARGIN_CALL,
    MARGIN_LIQUIDATE,
    MARGIN_MET,
    MARGIN_STOP,
    NONE,
    R_LIQUIDATION,
    R_MARGIN_CALL,
    REDUCE_ONLY,
    T_PRICE,
    T_QTY,
    T_SIDE,
    V_ROWS,
    V_TS,
)
from karat.kernels.market._orders import instrument_at, words


@compiled(words(3))
def _in_account(s: int, i: int, money: int) -> int:
    """Return money of an instrument's currency in quanta of the account's currency."""
    return money if load(i, I_CURRENCY) == 0 else share(money, load(currency_of(s, i), C_RATE))


@exported(words(3))
def need_of(s: int, i: int, t: int) -> int:
    """Return the initial margin that the opening part of an order needs, -1 where there is no price to say.

    In quanta of the account's currency, at the rate of the moment.
    """
    position, signed = load(i, I_POSITION), load(t, T_SIDE) * load(t, T_QTY)
    opening = max(0, abs(position + signed) - abs(position))
    price = load(t, T_PRICE) if load(t, T_PRICE) > 0 else load(i, I_MARK)
    if opening == 0:
        return 0
    if price == NONE or not fits(s, i, price, opening):
        return -1
    return _in_account(s, i, share(price * opening * load(i, I_UNIT), load(i, I_INITIAL)))


@exported(words(2))
def _total(s: int, settled: int) -> int:
    """Return cash and positions of every currency, or settled cash alone, in quanta of the account's currency."""
    total = 0
    for k in range(load(s, H_CURRENCIES)):
        c = s + 8 * (load(s, H_AT_CURRENCIES) + k * CURRENCY)
        value = load(c, C_CASH) + (-load(c, C_UNSETTLED) if settled else load(c, C_MARKED))
        worth = value if k == 0 else share(value, load(c, C_RATE))
        if worth == OVERFLOW:
            return stop_with(s, E_OVERFLOW, load(c, C_RATE), value)
        total += worth
    return total


@exported(words(1))
def equity(s: int) -> int:
    """Return cash and positions of every currency in quanta of the account's currency, the first one."""
    return _total(s, 0)


@compiled(words(3))
def _held(s: int, i: int, rate: int) -> int:
    """Return a share of the value of a position."""
    return _in_account(s, i, share(abs(load(i, I_POSITION)) * load(i, I_MARK) * load(i, I_UNIT), rate))


@exported(words(1))
def buying_power(s: int) -> int:
    """Return what orders may still open: free margin, or in a cash account the settled cash nobody has reserved."""
    cash_only = load(s, H_ACCOUNT) == CASH_ACCOUNT
    free = _total(s, 1 if cash_only else 0)
    for k in range(load(s, H_INSTRUMENTS)):
        i = instrument_at(s, k)
        if load(i, I_POSITION) != 0 and not cash_only:
            free -= _held(s, i, load(i, I_INITIAL))
        free -= load(i, I_RESERVED)
    return free


@compiled(words(5))
def barred_by_call(s: int, i: int, side: int, lots: int, flags: int) -> int:
    """Return R_MARGIN_CALL where a call stands and the lots would do anything but reduce the position, else 0."""
    if load(s, H_CALLED) == 0 or flags & REDUCE_ONLY:
        return 0
    position = load(i, I_POSITION)
    return 0 if position * side < 0 and lots <= abs(position) else R_MARGIN_CALL


@exported(words(1))
def judge(s: int) -> int:
    """Call the account, or end the call; do what the policy says. Return 1 while it is called."""
    required, exposed, policy, ts = 0, 0, load(s, H_MARGIN_POLICY), load(s, H_NOW)
    for k in range(load(s, H_INSTRUMENTS)):
        i = instrument_at(s, k)
        if load(i, I_POSITION) != 0:
            exposed = 1
            required += _held(s, i, load(money_at(s, i), M_MAINTENANCE))
    store(s, H_EXPOSED, exposed)
    have, called = equity(s), load(s, H_CALLED)
    if have >= required:
        if called:
            store(s, H_CALLED, 0)
            write_news(s, 0, ts, ts, MARGIN_MET, R_MARGIN_CALL, have, required)
        return 0
    if called == 0:
        store(s, H_CALLED, 1)
        store(s, H_CALLS, load(s, H_CALLS) + 1)
        write_news(s, 0, ts, ts, MARGIN_CALL, R_MARGIN_CALL, have, required)
        if policy == MARGIN_STOP:
            stop_with(s, E_MARGIN_CALL, have, required)
        if policy == MARGIN_LIQUIDATE:
            cancel_all(s, -1, R_LIQUIDATION, ts)
    if policy == MARGIN_LIQUIDATE:
        for k in range(load(s, H_INSTRUMENTS)):
            i = instrument_at(s, k)
            if load(i, I_POSITION) != 0:
                force(s, i, R_LIQUIDATION, ts)
    return 1


@exported(words(3))
def watch(s: int, v: int, row: int) -> int:
    """Test the margin after a row, once every row of its instant has been taken."""
    if row + 1 < load(v, V_ROWS) and load(load(v, V_TS), row + 1) == load(load(v, V_TS), row):
        store(s, H_EXPOSED, 1)
        return 0
    return judge(s)
