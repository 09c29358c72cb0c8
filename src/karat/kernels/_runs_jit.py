"""The compiled part of `_runs`: one pass over rows, each over all run lengths; symbols and invariants are there."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from karat.kernels._jit import compiled

Floats = NDArray[np.float64]


@compiled("none(f8[::1], f8[::1], f8[::1], f8[:, ::1], int64, f8[::1], int64[::1])")
def run_lengths(
    x: Floats, prior: Floats, constant: Floats, state: Floats, recent: int, chance: Floats, longest: NDArray[np.int64]
) -> None:
    """Update the state row by row; write P(run of at most `recent` rows) and the likeliest run after each row.

    prior: m, k, a, b, h. state: weights, means and sums of squares of each run length, 0 to R.
    """
    m0, k0, a0, b0, hazard = prior[0], prior[1], prior[2], prior[3], prior[4]
    most = state.shape[1] - 1
    weight, mean, squares = state[0], state[1], state[2]
    for t in range(x.shape[0]):
        value, total = x[t], 0.0
        for r in range(most + 1):
            k, a = k0 + r, a0 + 0.5 * r
            away = mean[r] - m0
            spread = b0 + 0.5 * squares[r] + 0.5 * k0 * r * away * away / k
            wide = 2.0 * spread * (k + 1.0) / k
            gap = value - (k0 * m0 + r * mean[r]) / k
            density = constant[r] - 0.5 * math.log(wide) - (a + 0.5) * math.log1p(gap * gap / wide)
            weight[r] *= math.exp(density)
            total += weight[r]
        last = weight[most]
        for r in range(most, 0, -1):  # a run grows by this row; the longest is that of the last R rows or more
            delta = value - mean[r - 1]
            mean[r] = mean[r - 1] + delta / r
            squares[r] = squares[r - 1] + delta * (value - mean[r])
            weight[r] = weight[r - 1] * (1.0 - hazard) / total
        weight[most] += last * (1.0 - hazard) / total
        weight[0] = hazard
        mean[0], squares[0] = 0.0, 0.0
        some, best = 0.0, 0
        for r in range(most + 1):
            if r <= recent:
                some += weight[r]
            if weight[r] > weight[best]:
                best = r
        chance[t], longest[t] = some, best
