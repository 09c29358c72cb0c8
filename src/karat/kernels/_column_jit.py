"""The compiled market of one instrument: first its trades, decision by decision, then the value of every bar.

The same rules, rounding and results as the panel of `_rebalance_jit`, for a series of one column: decisions are few,
bars are many, so that only the valuing touches them all, and it has no branches. See `_rebalance` for symbols.

Invariants: as in `_panel_jit`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from karat.kernels._jit import compiled
from karat.kernels._panel_jit import (
    AT_CLOSE,
    BAD_LOTS,
    BAD_MONEY,
    BAD_PRICE,
    BY_WEIGHT,
    CAPITAL,
    FIXED,
    LAG,
    LOTS_LIMIT,
    MONEY_LIMIT,
    POLICY,
    RATE,
    REJECT,
    ROUND_DOWN,
    SLIP,
    TICKS_LIMIT,
    UNIT,
    charge,
    quotient,
    ticks_of,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.int8]

FILL = 8
AT, LOTS, PRICE, REFERENCE, FEE, SLIPPED, LIMITED, CASH_AFTER = range(FILL)
"""Columns of a fill: bar, lots, price and reference price in ticks, fee, slippage, whether cash cut it, cash after."""
NOTHING, FILLED, BLIND, REFUSED = 0, 1, 2, 3
"""What became of a decision: no order, filled, no price to size or fill it, no cash for it."""
PLACES = 6
CASH, HELD, N_FILLS, RUINED, CODE, WHERE = range(PLACES)
"""Places of the account: cash, lots held, fills, bar of ruin or -1, code of a number out of range and its bar."""


@compiled("int64(int64, f8[::1], f8, int64[::1], int64[::1], int64[:, ::1])")
def equity_before(s: int, close: Floats, per_tick: float, terms: Ints, account: Ints, fills: Ints) -> int:
    """Return the equity that sizes a decision after bar s: with `at_close`, before the trade of that bar."""
    k, unit = account[N_FILLS] - 1, terms[UNIT]
    before = s - terms[AT_CLOSE]
    held, cash, last = account[HELD], account[CASH], -1
    while k >= 0 and fills[k, AT] > before:  # fills that the decision does not know of
        held -= fills[k, LOTS]
        cash = fills[k - 1, CASH_AFTER] if k > 0 else terms[CAPITAL]
        k -= 1
    last = fills[k, AT] if k >= 0 else -1
    while s > last and close[s] != close[s]:
        s -= 1
    if s > last or (s >= 0 and close[s] == close[s]):
        return int(cash + held * (ticks_of(close[s], per_tick) * unit))
    return int(cash + held * ((fills[k, REFERENCE] if k >= 0 else 0) * unit))


@compiled("int64(f8, f8, int64, f8[::1], int64[::1], int64[::1])")
def wanted_lots(target: float, seen: float, equity: int, per: Floats, terms: Ints, account: Ints) -> int:
    """Return the lots that a target asks for; 0 with a code when they are too many."""
    if terms[BY_WEIGHT]:
        scale, rounding, worth = float(equity), 0.0, ticks_of(seen, per[0]) * terms[UNIT]
    else:
        scale, rounding, worth = per[1], 0.5, 1
    size = abs(target * scale) + rounding
    if target == 0.0:
        return 0
    if size >= min(LOTS_LIMIT * float(worth), MONEY_LIMIT):
        account[CODE] |= BAD_LOTS
        return 0
    lots = quotient(int(size), worth)
    return int(-lots if target * scale < 0.0 else lots)


@compiled("int64(int64, int64, int64, f8, f8[::1], int64[::1], int64[::1], int64[:, ::1])")
def fill_order(
    t: int, lots: int, limited: int, fill: float, per: Floats, terms: Ints, account: Ints, fills: Ints
) -> int:
    """Trade `lots` at bar t, cut to the cash when `limited`; write the fill and return what became of it."""
    ticks = ticks_of(fill, per[0])
    if lots == 0 or ticks == 0:
        return NOTHING if lots == 0 else BLIND
    moved = charge(ticks, terms[SLIP])
    price = ticks + moved if lots > 0 else ticks - moved
    if float(abs(lots)) * float(price * terms[UNIT]) >= per[3]:
        account[CODE] |= BAD_MONEY
        return NOTHING
    worth = abs(lots) * price * terms[UNIT]
    fee = charge(worth, terms[RATE])
    cut = limited != 0 and lots > 0 and worth + fee + terms[FIXED] > account[CASH]
    if cut:
        there = 0 if terms[POLICY] == REJECT else account[CASH] - terms[FIXED] - 1
        lots = int(float(lots) * (float(there) / float(worth + fee) * ROUND_DOWN)) if there > 0 else 0
        if lots == 0:
            return REFUSED
        worth = lots * price * terms[UNIT]
        fee = charge(worth, terms[RATE])
    k = account[N_FILLS]
    account[N_FILLS] = k + 1
    account[CASH] -= (worth if lots > 0 else -worth) + fee + terms[FIXED]
    account[HELD] += lots
    account[CODE] |= BAD_MONEY if abs(account[CASH]) >= MONEY_LIMIT / 2 else 0
    fills[k, AT], fills[k, LOTS], fills[k, PRICE], fills[k, REFERENCE] = t, lots, price, ticks
    fills[k, FEE], fills[k, SLIPPED] = fee, abs(lots) * moved * terms[UNIT]
    fills[k, LIMITED], fills[k, CASH_AFTER] = 1 if cut else 0, account[CASH]
    return FILLED


@compiled("int64(f8[::1], int64[::1], f8[::1], f8[::1], f8[::1], int64[::1], int64[::1], int64[:, ::1], int8[::1])")
def trade_column(
    targets: Floats,
    rows: Ints,
    fill: Floats,
    close: Floats,
    per: Floats,
    terms: Ints,
    account: Ints,
    fills: Ints,
    outcomes: Bytes,
) -> int:
    """Carry out the decisions in order, without regard to ruin; stop at a number out of range; return 0."""
    account[CASH], lag, by_weight = terms[CAPITAL], terms[LAG], terms[BY_WEIGHT]
    for j in range(rows.shape[0]):
        t, target, equity = rows[j] + lag, targets[j], 0
        if t >= close.shape[0]:
            break
        if target != target:
            continue
        seen = close[rows[j]]
        if by_weight and target != 0.0:
            if seen != seen:
                outcomes[j] = BLIND
                continue
            equity = equity_before(rows[j], close, per[0], terms, account, fills)
        lots = wanted_lots(target, seen, equity, per, terms, account) - account[HELD]
        outcomes[j] = fill_order(t, lots, terms[POLICY], fill[t], per, terms, account, fills)
        if account[CODE]:
            account[WHERE] = t
            break
    return 0


@compiled("int64(int64, int64, f8[::1], f8, int64[::1], int64[::1], int64[:, ::1], int64[::1])")
def value_bars(
    start: int, end: int, close: Floats, per_tick: float, terms: Ints, account: Ints, fills: Ints, equity: Ints
) -> int:
    """Write the equity of the bars from start to end, all of them with a close; return 1 where that cannot be done.

    That is where a close is missing, a number is out of range or equity falls to zero: `value_slowly` tells which.
    """
    unit, held, cash, k, t = terms[UNIT], 0, terms[CAPITAL], 0, 0
    odd, n = 0, account[N_FILLS]
    while t < end:
        until = min(fills[k, AT], end) if k < n else end
        size = float(abs(held)) * float(unit)
        for i in range(max(t, start), until):
            ticks = close[i] * per_tick + 0.5
            usable = (ticks >= 1.0) & (ticks < TICKS_LIMIT) & (size * ticks < MONEY_LIMIT)
            whole = cash + held * (int(ticks if usable else 0.0) * unit)
            odd += 1 if (not usable) | (whole <= 0) else 0
            equity[i] = whole
        t = until
        if k < n and t < end:
            held += fills[k, LOTS]
            cash = fills[k, CASH_AFTER]
            k += 1
    return 1 if odd else 0


@compiled("int64(f8[::1], f8, int64[::1], int64[::1], int64[:, ::1], int64[::1])")
def value_slowly(close: Floats, per_tick: float, terms: Ints, account: Ints, fills: Ints, equity: Ints) -> int:
    """Write the equity of all bars one by one, with missing closes; stop after ruin; return the bar after the last."""
    held, cash, k, last = 0, terms[CAPITAL], 0, 0
    for t in range(close.shape[0]):
        if k < account[N_FILLS] and fills[k, AT] == t:
            held += fills[k, LOTS]
            cash, last = fills[k, CASH_AFTER], fills[k, REFERENCE] * terms[UNIT]
            k += 1
        if close[t] == close[t]:
            ticks = close[t] * per_tick + 0.5
            if ticks < 1.0 or ticks >= TICKS_LIMIT:
                account[CODE], account[WHERE] = BAD_PRICE, t
                return t
            last = int(ticks) * terms[UNIT]
        if float(abs(held)) * float(last) >= MONEY_LIMIT:
            account[CODE], account[WHERE] = BAD_MONEY, t
            return t
        equity[t] = cash + held * last
        if account[CODE] and t >= account[WHERE]:
            return t
        if equity[t] <= 0 and account[RUINED] < 0:
            account[RUINED], account[N_FILLS], account[CODE] = t, k, 0
            account[CASH], account[HELD] = cash, held
            return t + 1
    return int(close.shape[0])


@compiled("int64(f8[::1], f8[::1], f8[::1], int64[::1], int64[::1], int64[:, ::1], int64[::1])")
def finish_column(
    fill: Floats, close: Floats, per: Floats, terms: Ints, account: Ints, fills: Ints, equity: Ints
) -> int:
    """Value every bar; from ruin on, close the position at the first price; return bars that had none to close at."""
    account[RUINED] = -1
    if account[CODE] == 0 and value_bars(0, close.shape[0], close, per[0], terms, account, fills, equity) == 0:
        return 0
    value_slowly(close, per[0], terms, account, fills, equity)
    t, blind = account[RUINED] + max(terms[LAG], 1), 0
    if account[CODE] or account[RUINED] < 0:
        return 0
    while t < close.shape[0] and account[HELD] != 0 and account[CODE] == 0:
        if fill_order(t, -account[HELD], 0, fill[t], per, terms, account, fills) == BLIND:
            blind += 1
        account[WHERE] = t
        t += 1
    value_slowly(close, per[0], terms, account, fills, equity)
    return blind


@compiled(
    "int64(int64[::1], int64[::1], f8[::1], f8[::1], f8[::1], f8[::1], int64[::1], int64[:, ::1], int8[::1], "
    "int64[:, ::1], int64[:, ::1])"
)
def many_columns(
    starts: Ints,
    rows: Ints,
    targets: Floats,
    fill: Floats,
    close: Floats,
    per: Floats,
    terms: Ints,
    fills: Ints,
    outcomes: Bytes,
    equity: Ints,
    accounts: Ints,
) -> int:
    """Run one market for each of K settings; return 0.

    Decisions of setting k are rows and targets from starts[k] to starts[k + 1]. fills, outcomes: room for the fills of
    the largest of them and one more. equity: (K, T). accounts: (K, PLACES), cash, lots, fills, ruin and code of each.
    """
    for k in range(equity.shape[0]):
        a, b = starts[k], starts[k + 1]
        accounts[k] = 0
        outcomes[: b - a] = 0
        trade_column(targets[a:b], rows[a:b], fill, close, per, terms, accounts[k], fills, outcomes)
        finish_column(fill, close, per, terms, accounts[k], fills, equity[k])
    return 0
