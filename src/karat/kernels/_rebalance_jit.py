"""The compiled part of `_rebalance`: imported by the first call, because it imports numba.

See `_rebalance` for the symbols, the order of events within a bar and the invariants. Recursions are plain loops so
that a sum has one order and the result one value, compiled or not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from karat.kernels._jit import compiled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DUST = 1e-10
"""An order below this share of the larger of target and position is rounding of the sizing, not an order."""


@compiled("int64(f8[::1], f8[::1], f8[::1], f8, b1, f8[::1])")
def size(weights: Floats, prices: Floats, held: Floats, equity: float, by_weight: bool, order: Floats) -> int:
    """Write the wanted quantities into `order`, NaN where nothing is to be done; return how many had no price."""
    unsized = 0
    for i in range(weights.shape[0]):
        wanted = weights[i]
        if by_weight and wanted != 0.0 and not np.isnan(wanted):
            if np.isnan(prices[i]):
                unsized += 1
                wanted = np.nan
            else:
                wanted = wanted * equity / prices[i]
        gap = abs(wanted - held[i])
        order[i] = wanted if gap > DUST * max(abs(wanted), abs(held[i])) else np.nan
    return unsized


@compiled("Tuple((f8, f8, int64, int64))(f8[::1], f8[::1], f8[::1], f8[::1], f8)")
def trade(order: Floats, prices: Floats, held: Floats, last: Floats, cash: float) -> tuple[float, float, int, int]:
    """Move `held` to `order` at `prices`; return cash before costs, value traded, fills, orders without a price."""
    traded, fills, unfilled = 0.0, 0, 0
    for i in range(order.shape[0]):
        if np.isnan(order[i]):
            continue
        if np.isnan(prices[i]):
            unfilled += 1
            continue
        paid = (order[i] - held[i]) * prices[i]
        cash -= paid
        traded += abs(paid)
        fills += 1
        held[i] = order[i]
        last[i] = prices[i]
    return cash, traded, fills, unfilled


@compiled("f8(f8[::1], f8[::1], f8[::1])")
def mark(prices: Floats, held: Floats, last: Floats) -> float:
    """Take the new closes into `last` where there are any; return the value of the positions at `last`."""
    worth = 0.0
    for i in range(prices.shape[0]):
        if not np.isnan(prices[i]):
            last[i] = prices[i]
        worth += held[i] * last[i]
    return worth


@compiled("int64(f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[::1], f8[:, ::1], f8[:, ::1], int64[:, ::1])")
def scan(
    weights: Floats, fill: Floats, close: Floats, terms: Floats, positions: Floats, account: Floats, counts: Ints
) -> int:
    """Run all bars; fill `positions` (T, N), `account` (T, 5), `counts` (T, 2); return the bar of ruin or -1."""
    n_bars, n = close.shape
    cash, rate, fixed = terms[0], terms[1], terms[2]
    lag, at_close, by_weight = int(terms[3]), terms[4] != 0.0, terms[5] != 0.0
    held, last, order, nothing = np.zeros(n), np.zeros(n), np.empty(n), np.zeros(n)
    sized = np.empty(n_bars)
    ruined = -1
    for t in range(n_bars):
        if at_close:
            sized[t] = cash + mark(close[t], held, last)
        s = t - lag
        traded, fills, skipped = 0.0, 0, 0
        # After ruin the only decision is to close everything; what was decided before it and not filled is withdrawn.
        if s >= 0 and s >= ruined:
            wanted = weights[s] if ruined < 0 else nothing
            unsized = size(wanted, close[s], held, sized[s], by_weight, order)
            cash, traded, fills, unfilled = trade(order, fill[t], held, last, cash)
            skipped = unsized + unfilled
        proportional, per_order = rate * traded, fixed * fills
        cash -= proportional + per_order
        equity = cash + mark(close[t], held, last)
        if not at_close:
            sized[t] = equity
        if ruined < 0 and equity <= 0.0:
            ruined = t
        positions[t] = held
        account[t, 0], account[t, 1], account[t, 2] = equity, cash, traded
        account[t, 3], account[t, 4] = proportional, per_order
        counts[t, 0], counts[t, 1] = fills, skipped
    return ruined
