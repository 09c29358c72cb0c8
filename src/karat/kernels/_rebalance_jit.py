"""The compiled loop over bars of `_rebalance`: imported by the first call.

See `_rebalance` for the symbols, the order of events within a bar and the invariants, `_panel_jit` for the passes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from karat.kernels._jit import compiled
from karat.kernels._panel_jit import (
    AT_CLOSE,
    BAD_MONEY,
    BUYS,
    CAPITAL,
    CUT,
    FEES,
    FIXED,
    GOT,
    GROSS,
    LAG,
    MONEY_LIMIT,
    NEED,
    POLICY,
    RATE,
    REJECT,
    ROUND_DOWN,
    SELLS,
    SHIFT,
    SKIPPED,
    SLIP,
    SLIPPED,
    UNIT,
    VALUE,
    charge,
    make_orders,
    mark,
    refuse_buys,
    reprice,
    scale_buys,
    settle,
    ticks_of,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ACCOUNT = 9
"""Columns of the account: equity, cash, value traded, proportional, fixed, slippage, fills, skipped, cut."""
RUINED, WHERE, SUMS = 10, 11, 12
"""Places of the outcome behind a bar's sums, and how many there are."""


@compiled("int64(int64[::1], int64, int64[:, ::1], int64[::1])")
def within_cash(terms: Ints, cash: int, order: Ints, sums: Ints) -> int:
    """Cut or refuse the bar's buys, which `cash` and the money from its sales do not cover; return 0."""
    fixed = terms[FIXED]
    there = cash + sums[GOT] - fixed * sums[SELLS]
    if sums[NEED] + fixed * sums[BUYS] <= there:
        return 0
    if terms[POLICY] == REJECT:
        return int(refuse_buys(fixed, there, order, sums))
    # A scaled fee may round up by one quantum: one is kept back for every buy.
    there -= (fixed + 1) * sums[BUYS]
    ratio = float(there) / float(sums[NEED]) * ROUND_DOWN if there > 0 else 0.0
    return int(scale_buys(terms[RATE], ratio, order, sums))


@compiled(
    "int64(f8[:, ::1], int64[::1], f8[:, ::1], f8[:, ::1], int64[::1], f8[::1], int64[:, ::1], int64[:, ::1], "
    "int64[:, ::1], int64[::1], f8[:, ::1], int64[::1])"
)
def scan(
    targets: Floats,
    rows: Ints,
    fill: Floats,
    close: Floats,
    terms: Ints,
    per: Floats,
    order: Ints,
    positions: Ints,
    account: Ints,
    sized: Ints,
    nothing: Floats,
    sums: Ints,
) -> int:
    """Run all bars; return a code other than 0 when a number left its range.

    rows: bars of the rows of targets. per: ticks of a price of 1, lots of a quantity of 1, a place for the equity of a
    decision, the largest value of one fill. order: (5, N) zeros: lots, then money of a lot at the price of the fill, at
    its reference price, at the last price known, then fees. positions: (T + 1, N), the first row zeros. account:
    (T, ACCOUNT). sized: (T,) equity that decisions are sized with. nothing: (1, N) zeros. sums: (SUMS,) zeros, then the
    bar of ruin or -1 at RUINED, and at WHERE the bar in which a number left its range, or -1.
    """
    lag, fixed, cash, at_close = terms[LAG], terms[FIXED], terms[CAPITAL], terms[AT_CLOSE] != 0
    ruined, j = -1, 0
    for t in range(close.shape[0]):
        code, s, gross = 0, t - lag, 0
        if at_close:
            code |= mark(t, 0, close, per[0], terms[UNIT], positions, order, sums)
            sized[t], gross = cash + sums[0], sums[1]
        sums[NEED] = sums[GOT] = sums[VALUE] = sums[FEES] = sums[SLIPPED] = 0
        sums[BUYS] = sums[SELLS] = sums[SKIPPED] = sums[CUT] = sums[GROSS] = 0
        while j < rows.shape[0] and rows[j] < s:
            j += 1
        per[2] = float(sized[s]) if s >= 0 else 0.0
        # After ruin the only decision is to close everything; what was decided before it and not filled is withdrawn.
        if ruined >= 0 and s >= ruined:
            code |= make_orders(t, 0, nothing, fill, close, per, terms, positions, order, sums)
        elif ruined < 0 and s >= 0 and j < rows.shape[0] and rows[j] == s:
            code |= make_orders(t, j, targets, fill, close, per, terms, positions, order, sums)
            if terms[POLICY]:
                within_cash(terms, cash, order, sums)
        else:
            order[0] = 0
        settle(t, order, positions)
        fills = sums[BUYS] + sums[SELLS]
        cash += sums[GOT] - sums[NEED] - fixed * fills
        gross += sums[GROSS] + (abs(cash) >> SHIFT)
        account[t, 2], account[t, 3], account[t, 4] = sums[VALUE], sums[FEES], fixed * fills
        account[t, 5], account[t, 6] = sums[SLIPPED], fills
        account[t, 7], account[t, 8] = sums[SKIPPED], sums[CUT]
        if at_close:  # filled at the closes that the positions are valued at
            equity = sized[t] - sums[FEES] - sums[SLIPPED] - fixed * fills
        else:
            reprice(order)
            code |= mark(t, 1, close, per[0], terms[UNIT], positions, order, sums)
            gross += sums[1]
            equity = sized[t] = cash + sums[0]
        code |= BAD_MONEY if float(gross) * 2.0**SHIFT >= MONEY_LIMIT else 0
        account[t, 0], account[t, 1] = equity, cash
        if code:
            sums[RUINED], sums[WHERE] = ruined, t
            return code
        if ruined < 0 and equity <= 0:
            ruined = t
    sums[RUINED], sums[WHERE] = ruined, -1
    return 0


@compiled("int64(int64[:, ::1], f8[:, ::1], int64[::1], f8[::1], int64[:, ::1])")
def write_fills(positions: Ints, fill: Floats, terms: Ints, per: Floats, out: Ints) -> int:
    """Write bar, column, lots, price, reference, fee and slippage of every fill to the rows of `out`; return how many.

    positions: (T + 1, N), the first row before the first bar. out: (7, fills + 1), with room for one more than there
    are: each place is written whether it is a fill or not, because which is one cannot be guessed.
    """
    unit, rate, slip, n = terms[UNIT], terms[RATE], terms[SLIP], 0
    for t in range(fill.shape[0]):
        for i in range(fill.shape[1]):
            change = positions[t + 1, i] - positions[t, i]
            reference = ticks_of(fill[t, i], per[0])
            moved = charge(reference, slip) if slip > 0 else 0
            price, size = reference + moved if change > 0 else reference - moved, abs(change) * unit
            out[0, n], out[1, n], out[2, n], out[3, n], out[4, n] = t, i, change, price, reference
            out[5, n], out[6, n] = charge(size * price, rate), size * moved
            n += 1 if change != 0 else 0
    return n
