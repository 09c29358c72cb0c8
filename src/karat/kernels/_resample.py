"""The stationary bootstrap's draws: which rows a draw takes and how often, from uniforms and starting rows.

| symbol | meaning | shape |
|---|---|---|
| u | uniforms in [0, 1); u < p begins a new block, so does the first place of a draw | (B, n) |
| s | the row at which a block begins, used where one does | (B, n) |
| r | rows taken: s at a beginning, else the row after the one before, row 0 after row n - 1 | (B, n) |
| C | how often a draw takes each row | (B, n) |

Invariants:
1. The counts of a draw are those of its rows and sum to n.
2. The random numbers are the caller's: the same ones give the same draws, compiled or not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from karat.kernels import _resample_jit as jit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def block_rows(uniforms: Floats, starts: Ints, chance: float) -> Ints:
    """Return r, (B, n) int64: the rows that each draw takes.

    uniforms: u. starts: s, from 0 to n - 1. chance: p, one over the mean block length.

    Example:
        >>> block_rows(np.array([[0.9, 0.9, 0.1]]), np.array([[2, 0, 1]]), 0.5).tolist()
        [[2, 0, 1]]
    """
    rows = np.empty(starts.shape, dtype=np.int64)
    jit.block_rows(uniforms, starts, chance, rows)
    return rows


def block_counts(uniforms: Floats, starts: Ints, chance: float) -> NDArray[np.uint16]:
    """Return C, (B, n) uint16: how often each draw takes each row; n is at most 65,535.

    Raises:
        ValueError: more rows than a count can hold.

    Example:
        >>> block_counts(np.array([[0.9, 0.9, 0.1]]), np.array([[2, 0, 2]]), 0.5).tolist()
        [[1, 0, 2]]
    """
    if starts.shape[1] > np.iinfo(np.uint16).max:
        raise ValueError(f"starts: got {starts.shape[1]} rows; allowed: {np.iinfo(np.uint16).max} at most")
    counts = np.zeros(starts.shape, dtype=np.uint16)
    jit.block_counts(uniforms, starts, chance, counts)
    return counts
