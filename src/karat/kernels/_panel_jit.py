"""The compiled parts of a bar of the target panel: quantise, size, price, limit to cash, settle, all in integers.

Each function is one pass over the instruments of a bar without branches, so that it compiles to vector code: integer
sums may be reordered, float sums may not. See `_rebalance` for symbols, order of events, units and rounding.

Invariants:
1. An integer result is exact: quotients and charges are guessed in float64 and corrected by their integer remainder.
2. What would leave the exact range sets a bit of the returned code; nothing wraps unseen.
3. A price of 0 ticks means that there is none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from karat.kernels._jit import compiled
from karat.kernels._memory import add_wrap, mul_wrap

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UNIT, RATE, SLIP, FIXED, CAPITAL, LAG, AT_CLOSE, BY_WEIGHT, POLICY = range(9)
"""Places of the terms."""
BORROW, SCALE, REJECT = 0, 1, 2
RATE_ONE = 1_000_000_000
HALF = 500_000_000
BAD_PRICE, BAD_LOTS, BAD_MONEY = 1, 2, 4
LOTS_LIMIT = 2.0**50
TICKS_LIMIT = 2.0**50
MONEY_LIMIT = 2.0**62
ROUND_DOWN = 1.0 - 2.0**-50
"""A ratio of money is lowered by more than its rounding error, so that what it buys never costs more than there is."""
SHIFT = 20  # sums of magnitudes are kept in units of 2**20 quanta: they cannot overflow
NEED, GOT, VALUE, FEES, SLIPPED, BUYS, SELLS, SKIPPED, CUT, GROSS = range(10)
"""Places of a bar's sums: money that buys need and sells bring, value traded, fees, slippage, counts, magnitude."""


@compiled("int64(f8, f8)")
def ticks_of(price: float, per_tick: float) -> int:
    """Return the price in ticks, to the nearest; 0 when it is NaN."""
    return int(price * per_tick + 0.5) if price == price else 0


@compiled("int64(int64, int64)")
def charge(amount: int, rate: int) -> int:
    """Return amount * rate / RATE_ONE, half rounded up; amount >= 0, rate >= 0 and a result below 2**51."""
    guess = int(float(amount) * (float(rate) * 1e-9))
    rest = add_wrap(add_wrap(mul_wrap(int(amount), int(rate)), HALF), -mul_wrap(guess, RATE_ONE))
    return guess + (1 if rest >= RATE_ONE else 0) - (1 if rest < 0 else 0)


@compiled("int64(int64, int64)")
def quotient(amount: int, divisor: int) -> int:
    """Return floor(amount / divisor) for 0 <= amount < 2**62, divisor > 0 and a result of at most 2**51."""
    guess = int(float(amount) / float(divisor))
    rest = add_wrap(int(amount), -mul_wrap(guess, int(divisor)))
    return guess + (1 if rest >= divisor else 0) - (1 if rest < 0 else 0)


@compiled(
    "int64(int64, int64, f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[::1], int64[::1], int64[:, ::1], int64[:, ::1], "
    "int64[::1])"
)
def make_orders(
    t: int,
    j: int,
    targets: Floats,
    prices: Floats,
    close: Floats,
    per: Floats,
    terms: Ints,
    positions: Ints,
    order: Ints,
    sums: Ints,
) -> int:
    """Turn row j of the targets into the lots that bar t trades, order[0], with fees, prices and the bar's sums.

    prices: at which bar t fills. close: bar t - lag sizes. positions[t]: held before. order[1], order[2]: money of one
    lot at the price of the fill and at the reference price, 0 where there is none; order[4]: fees. Nothing is traded
    without a price.
    """
    s = t - terms[LAG]
    by_weight, unit, rate, slip = terms[BY_WEIGHT] != 0, terms[UNIT], terms[RATE], terms[SLIP]
    per_tick, limit, scale, rounding = per[0], per[3], per[2] if by_weight else per[1], 0.0 if by_weight else 0.5
    bought, value, buy_fees, paid, slipped, buys, fills, missing, gross, far, huge = 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
    lots, fill, reference, fees = order[0], order[1], order[2], order[4]
    for i in range(close.shape[1]):
        target = targets[j, i] if targets[j, i] == targets[j, i] else 0.0
        worth = ticks_of(close[s, i], per_tick) * unit if by_weight else 1
        blind = (target != 0.0) & (worth == 0)
        worth = worth if worth > 0 else 1
        size = abs(target * scale) + rounding
        beyond = size >= min(LOTS_LIMIT * float(worth), MONEY_LIMIT)
        huge += 1 if beyond & (not blind) else 0
        wanted = quotient(int(0.0 if beyond else size), worth)
        wanted = -wanted if target * scale < 0.0 else wanted
        wanted = positions[t, i] if blind | (targets[j, i] != targets[j, i]) else wanted
        ticks = ticks_of(prices[t, i], per_tick)
        change = wanted - positions[t, i]
        missing += 1 if blind | ((change != 0) & (ticks == 0)) else 0
        moved = charge(ticks, slip) if slip > 0 else 0
        buy = change > 0
        at = (ticks + moved if buy else ticks - moved) * unit
        beyond = float(abs(change)) * float(at) >= limit
        far += 1 if beyond else 0
        change = 0 if beyond | (ticks == 0) else change
        worth = abs(change) * at
        fee = charge(worth, rate)
        lots[i], fill[i], reference[i], fees[i] = change, at, ticks * unit, fee
        bought += worth if buy else 0
        buy_fees += fee if buy else 0
        value += worth
        paid += fee
        slipped += abs(worth - abs(change) * ticks * unit) if slip > 0 else 0
        buys += 1 if change > 0 else 0
        fills += 1 if change != 0 else 0
        gross += worth >> SHIFT
    sums[NEED], sums[GOT], sums[VALUE] = bought + buy_fees, value - bought - (paid - buy_fees), value
    sums[FEES], sums[SLIPPED], sums[BUYS], sums[SELLS], sums[GROSS] = paid, slipped, buys, fills - buys, gross
    sums[SKIPPED] = missing
    return (BAD_MONEY if far else 0) | (BAD_LOTS if huge else 0)


@compiled("int64(int64, f8, int64[:, ::1], int64[::1])")
def scale_buys(rate: int, ratio: float, order: Ints, sums: Ints) -> int:
    """Cut every buy to `ratio` of it in whole lots, toward zero, and write fees and sums anew; return 0."""
    need, value, paid, slipped, buys, cut = 0, 0, 0, 0, 0, 0
    lots, fill, reference, fees = order[0], order[1], order[2], order[4]
    for i in range(lots.shape[0]):
        buy = lots[i] > 0
        kept = int(float(lots[i]) * ratio) if buy else lots[i]
        cut += 1 if kept != lots[i] else 0
        lots[i] = kept
        worth = abs(kept) * fill[i]
        fee = charge(worth, rate)
        fees[i] = fee
        need += worth + fee if buy else 0
        value += worth
        paid += fee
        slipped += abs(worth - abs(kept) * reference[i])
        buys += 1 if kept > 0 else 0
    sums[NEED], sums[VALUE], sums[FEES], sums[SLIPPED], sums[BUYS] = need, value, paid, slipped, buys
    sums[CUT] = cut
    return 0


@compiled("int64(int64, int64, int64[:, ::1], int64[::1])")
def refuse_buys(fixed: int, cash: int, order: Ints, sums: Ints) -> int:
    """Take the buys in the order of the columns and refuse each one that `cash` does not cover; return 0."""
    lots, fill, reference, fees = order[0], order[1], order[2], order[4]
    for i in range(lots.shape[0]):
        worth = lots[i] * fill[i]
        if lots[i] <= 0 or worth + fees[i] + fixed <= cash:
            cash -= worth + fees[i] + fixed if lots[i] > 0 else 0
            continue
        sums[NEED] -= worth + fees[i]
        sums[VALUE] -= worth
        sums[FEES] -= fees[i]
        sums[SLIPPED] -= worth - lots[i] * reference[i]
        sums[BUYS] -= 1
        sums[CUT] += 1
        lots[i] = fees[i] = 0
    return 0


@compiled("int64(int64, int64[:, ::1], int64[:, ::1])")
def settle(t: int, order: Ints, positions: Ints) -> int:
    """Write the positions after bar t, positions[t + 1]; return 0."""
    for i in range(positions.shape[1]):
        positions[t + 1, i] = positions[t, i] + order[0, i]
    return 0


@compiled("int64(int64[:, ::1])")
def reprice(order: Ints) -> int:
    """Let the reference price of a fill be the last price known, order[3]; return 0."""
    for i in range(order.shape[1]):
        order[3, i] = order[2, i] if order[0, i] != 0 else order[3, i]
    return 0


@compiled("int64(int64, int64, f8[:, ::1], f8, int64, int64[:, ::1], int64[:, ::1], int64[::1])")
def mark(
    t: int, after: int, prices: Floats, per_tick: float, unit: int, positions: Ints, order: Ints, sums: Ints
) -> int:
    """Take the closes of bar t into order[3], the money of one lot; sum value and magnitude of positions[t + after]."""
    code, worth, gross, row = 0, 0, 0, t + after
    for i in range(positions.shape[1]):
        there = prices[t, i] == prices[t, i]
        ticks = prices[t, i] * per_tick + 0.5 if there else 1.0
        bad = ticks < 1.0 or ticks >= TICKS_LIMIT
        code |= BAD_PRICE if bad else 0
        price = int(1.0 if bad else ticks) * unit
        price = price if there else order[3, i]
        order[3, i] = price
        far = abs(float(positions[row, i]) * float(price)) >= MONEY_LIMIT
        code |= BAD_MONEY if far else 0
        value = mul_wrap(int(positions[row, i]), int(price))
        worth = add_wrap(worth, value)
        gross += abs(value) >> SHIFT
    sums[0], sums[1] = worth, gross
    return code
