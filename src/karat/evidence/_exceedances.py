"""Backtests of value at risk: as many exceedances as promised, and not in clusters.

| symbol | meaning |
|---|---|
| p | promised share of exceedances |
| T, N | rows, exceedances among them |
| n_ij | pairs of successive rows that go from state i to j; 1 is an exceedance |

Invariants:
1. 0 ln 0 = 0: no exceedance at all, and none in succession, have finite statistics. Everything is in logarithms.
2. `unconditional` counts all T rows; `independence` the T - 1 pairs. `conditional` is their sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, xlogy

from karat.core import InputError
from karat.evidence._shapes import Floats


@dataclass(frozen=True)
class Exceedances:
    """Counts, and each likelihood ratio with its p-value: coverage (1 degree), independence (1), both (2)."""

    count: int
    rows: int
    unconditional: float
    unconditional_p: float
    independence: float
    independence_p: float
    conditional: float
    conditional_p: float


def var_backtest(exceeded: Floats, share: float) -> Exceedances:
    """Test exceedances (n,) 0 or 1, in time order, of a value at risk that promised `share` of them.

    Source: Kupiec (1995); Christoffersen (1998).

    Raises:
        InputError: values other than 0 and 1, fewer than two rows, or a share outside (0, 1).

    Example:
        >>> found = var_backtest(np.zeros(255), 0.01)
        >>> round(found.unconditional, 3), found.independence
        (5.126, 0.0)
    """
    if exceeded.ndim != 1 or len(exceeded) < 2 or not np.isin(exceeded, (0.0, 1.0)).all():
        raise InputError("exceeded", "too few rows or other values", allowed="(n,) 0 or 1, two rows or more, no NaN")
    if not 0 < share < 1:
        raise InputError("share", share, allowed="between 0 and 1")
    n, rows = int(exceeded.sum()), len(exceeded)
    coverage = 2.0 * (_log(n, rows - n, n / rows) - _log(n, rows - n, share))
    before, after = exceeded[:-1] == 1, exceeded[1:] == 1
    n00, n01 = int((~before & ~after).sum()), int((~before & after).sum())
    n10, n11 = int((before & ~after).sum()), int((before & after).sum())
    pooled = _log(n01 + n11, n00 + n10, (n01 + n11) / (rows - 1))
    apart = _log(n01, n00, n01 / max(n00 + n01, 1)) + _log(n11, n10, n11 / max(n10 + n11, 1))
    clusters = max(2.0 * (apart - pooled), 0.0)
    both = coverage + clusters
    tails = (float(chdtrc(degrees, value)) for degrees, value in ((1, coverage), (1, clusters), (2, both)))
    first, second, third = tails
    return Exceedances(n, rows, float(coverage), first, float(clusters), second, float(both), third)


def _log(hits: int, misses: int, share: float) -> float:
    return float(xlogy(hits, share) + xlogy(misses, 1.0 - share))
