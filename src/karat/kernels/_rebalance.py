"""Target weights to positions, cash and costs, bar by bar: the first step of the market, on arrays.

| symbol | meaning | shape | unit |
|---|---|---|---|
| W | target of the decision taken after a bar's close; NaN keeps the position | (T, N) | share of equity, or units |
| F | price at which an order of the bar is filled; NaN: cannot be traded | (T, N) | currency per unit |
| C | close, at which positions are valued; NaN: the last known price stands | (T, N) | currency per unit |
| q | positions after the bar, q_0 = 0 | (T, N) | units |
| E | equity after the bar: cash + sum of q times the last price | (T,) | currency |
| L | `lag`, bars from the decision to its fill | scalar | bars |

Order of events in bar t: (a) with `at_close` only, positions are valued at C_t; (b) the decision of bar s = t - L is
sized with what was known at s, wanted = W_s E_s / C_s, and filled at F_t; (c) proportional and per-order costs are
paid; (d) positions are valued at C_t.

Invariants:
1. cash + value of positions + all costs = start capital + sum of q times price changes.
2. Rows after t cannot change positions, equity, cash or costs up to t.
3. A missing price never moves a position: the order is dropped and counted, the position keeps its last price.
4. From the first bar with E <= 0 (ruin) on, waiting orders are withdrawn and the only decision is to close everything.
5. Compiled or not, and against a plain oracle, the result is the same.

Units are fractional, borrowing and shorting are free and unlimited: what is not simulated is listed in the market's
documentation.
"""

from __future__ import annotations

import importlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Terms(NamedTuple):
    """What a run costs and when its orders are filled.

    capital: cash at the start. rate: costs as a share of the value traded. fixed: costs of each filled order.
    lag: bars from decision to fill, at least 1 unless `at_close`. at_close: the fill may use the decision's own bar.
    by_weight: targets are shares of equity; otherwise units.
    """

    capital: float
    rate: float
    fixed: float
    lag: int
    at_close: bool
    by_weight: bool


class Rebalanced(NamedTuple):
    """One row per bar; per-bar sums over instruments. `skipped`: orders that had no price. `ruined`: bar or -1."""

    positions: Floats
    equity: Floats
    cash: Floats
    traded: Floats
    proportional: Floats
    fixed: Floats
    fills: Ints
    skipped: Ints
    ruined: int


def prepare() -> None:
    """Load the compiled kernels from the disk cache, or compile them (seconds, once per machine and version)."""
    # numba takes most of a second to import: `import karat.kernels` must not pay for it
    importlib.import_module("karat.kernels._rebalance_jit")


def rebalance(targets: Floats, fill: Floats, close: Floats, *, terms: Terms) -> Rebalanced:
    """Run target weights or quantities over all bars; see the module for symbols, order of events and NaN rules.

    targets, fill, close: (T, N) float64, W, F and C. The first call in a process loads or compiles the kernel.

    Raises:
        ValueError: shapes that differ, or a lag of 0 without `at_close`.

    Example:
        >>> price = np.array([[100.0], [110.0], [121.0]])
        >>> terms = Terms(1000.0, 0.0, 0.0, lag=1, at_close=False, by_weight=True)
        >>> rebalance(np.ones((3, 1)), price, price, terms=terms).equity.tolist()
        [1000.0, 1000.0, 1110.0]
    """
    if not targets.shape == fill.shape == close.shape or close.ndim != 2:
        raise ValueError(
            f"targets, fill, close: got shapes {targets.shape}, {fill.shape}, {close.shape}; allowed: equal"
        )
    if terms.lag < (0 if terms.at_close else 1):
        raise ValueError(
            f"lag: got {terms.lag}; allowed: 1 or more, 0 only with at_close (no fill before its decision)"
        )
    from karat.kernels import _rebalance_jit as jit  # late, as in `prepare`

    n_bars, n = close.shape
    positions, account = np.empty((n_bars, n)), np.empty((n_bars, 5))
    counts = np.empty((n_bars, 2), dtype=np.int64)
    arrays = [np.ascontiguousarray(item, dtype=np.float64) for item in (targets, fill, close, np.array(terms, float))]
    ruined = jit.scan(*arrays, positions, account, counts)
    equity, cash, traded, proportional, fixed = (np.ascontiguousarray(column) for column in account.T)
    fills, skipped = (np.ascontiguousarray(column) for column in counts.T)
    return Rebalanced(positions, equity, cash, traded, proportional, fixed, fills, skipped, int(ruined))
