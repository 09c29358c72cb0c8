"""From quantiles to the nine signed classes: the distribution function between and beyond 23 points.

| symbol | meaning                                   | shape   | unit     |
|--------|-------------------------------------------|---------|----------|
| q      | quantiles at `LEVELS`, non-decreasing     | (n, 23) | fraction |
| F      | distribution function, F(q_k) = LEVELS[k] | (n, 8)  | 1        |
| c      | edges of the classes, `CUTS`              | (8,)    | fraction |

Between two quantiles F is linear. Beyond the outermost it decays exponentially through the two outermost points:
F(x) = t0 exp((x - q0) / s), s = (q1 - q0) / ln(t1 / t0), and mirrored on the right.

Invariants:
1. Every probability is at least `FLOOR` before the row is scaled to one, so that a log loss is finite.
2. F is non-decreasing in c, so no probability is negative; tied quantiles are a jump.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from karat.data import CUTS, LEVELS
from karat.models._types import Floats

FLOOR: Final = 1e-6


def quantiles_to_classes(quantiles: Floats) -> Floats:
    """Return (n, 9) class probabilities of (n, 23) quantiles of a simple return.

    Example:
        >>> wide = np.tile(np.linspace(-0.2, 0.2, 23), (1, 1))
        >>> bool(quantiles_to_classes(wide)[0, 0] > quantiles_to_classes(wide / 100)[0, 0])
        True
    """
    lower = np.column_stack([_below(quantiles, float(cut)) for cut in CUTS])
    n = len(quantiles)
    edges = np.column_stack([np.zeros(n), np.maximum.accumulate(lower, axis=1), np.ones(n)])
    mass = np.maximum(np.diff(edges, axis=1), FLOOR)
    return np.asarray(mass / mass.sum(axis=1, keepdims=True), dtype=np.float64)


def _below(q: Floats, cut: float) -> Floats:
    """Return (n,) F(cut)."""
    rows = np.arange(len(q))
    k = (q <= cut).sum(axis=1)  # quantiles at or below the cut
    left, right = np.clip(k - 1, 0, len(LEVELS) - 2), np.clip(k, 1, len(LEVELS) - 1)
    gap = q[rows, right] - q[rows, left]
    share = np.where(gap > 0, (cut - q[rows, left]) / np.where(gap > 0, gap, 1.0), 1.0)
    inside = LEVELS[left] + np.clip(share, 0.0, 1.0) * (LEVELS[right] - LEVELS[left])
    low = _tail(q[:, 0] - cut, q[:, 1] - q[:, 0])
    high = 1.0 - _tail(cut - q[:, -1], q[:, -1] - q[:, -2])
    return np.asarray(np.where(k == 0, low, np.where(k == q.shape[1], high, inside)), dtype=np.float64)


def _tail(beyond: Floats, gap: Floats) -> Floats:
    """Return the mass further out than `beyond` the outermost quantile; `gap` is the distance of the outer two."""
    decay = np.log(LEVELS[1] / LEVELS[0])
    reach = np.maximum(beyond, 0.0) * decay / np.maximum(gap, 1e-12)
    return np.asarray(LEVELS[0] * np.exp(-np.minimum(reach, 700.0)), dtype=np.float64)
