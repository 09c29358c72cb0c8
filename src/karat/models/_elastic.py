"""Elastic net by accelerated proximal gradient (FISTA; Beck and Teboulle, 2009) along a path of penalties.

| symbol | meaning                                                              | shape  |
|--------|----------------------------------------------------------------------|--------|
| X      | scaled features                                                      | (n, p) |
| w      | slopes; a row's predictor is X w, intercepts belong to the loss      | (p,)   |
| f      | smooth convex loss; `pull(X w)` is its derivative by the predictor   | (n,)   |
| M      | `curvature`, an upper bound of the second derivative                 | scalar |
| lam, r | penalty lam (r |w|_1 + (1 - r) |w|²/2)                               | scalar |

Invariants:
1. The first point of the path is exactly zero: the unconditional model is always among the choices.
2. Steps are 1 / (M largest eigenvalue of X'X/n + lam (1 - r)): the loss never needs a line search, and the result
   depends on the data only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from karat.models._types import Floats

POINTS: Final = 10
_DEPTH: Final = 1e-2  # smallest penalty of the path as a share of the largest
_STEPS: Final = 80
_TOLERANCE: Final = 1e-4  # in standard deviations of the target: a hundredth of any edge worth having


def elastic_path(x: Floats, pull: Callable[[Floats], Floats], curvature: float, l1_ratio: float) -> Iterator[Floats]:
    """Yield (p,) slopes, from the largest penalty (all zero) to the smallest, `POINTS` of them, each when asked for.

    Where no feature has any pull, only the zero slopes come.
    """
    n, p = x.shape
    slopes = np.zeros(p)
    yield slopes
    largest = float(np.abs(x.T @ pull(np.zeros(n)) / n).max(initial=0.0)) / l1_ratio
    if largest <= 0.0:
        return
    steep = curvature * max(float(np.linalg.eigvalsh(x.T @ x / n)[-1]), 1e-12)
    for penalty in largest * np.geomspace(1.0, _DEPTH, POINTS)[1:]:
        slopes = _solve(x, pull, slopes, (steep, penalty * l1_ratio, penalty * (1.0 - l1_ratio)))
        yield slopes


def _solve(x: Floats, pull: Callable[[Floats], Floats], start: Floats, terms: tuple[float, float, float]) -> Floats:
    """Return the slopes for one penalty: terms are (curvature of the loss, L1 weight, L2 weight)."""
    steep, l1, l2 = terms
    step = 1.0 / (steep + l2)
    old = at = start
    momentum = 1.0
    for _ in range(_STEPS):
        slope = x.T @ pull(x @ at) / len(x) + l2 * at
        raw = at - step * slope
        new = np.sign(raw) * np.maximum(np.abs(raw) - step * l1, 0.0)
        if (at - new) @ (new - old) > 0.0:  # gradient restart (O'Donoghue and Candes, 2015)
            momentum = 1.0
        following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum**2))
        at = new + (momentum - 1.0) / following * (new - old)
        moved = float(np.abs(new - old).max())
        old, momentum = new, following
        if moved < _TOLERANCE:
            break
    return np.asarray(old, dtype=np.float64)
