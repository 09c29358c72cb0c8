"""The compiled parts of `_resample`: one pass over the places of every draw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from karat.kernels._jit import compiled


@compiled("none(f8[:,::1], int64[:,::1], f8, int64[:,::1])")
def block_rows(
    uniforms: NDArray[np.float64], starts: NDArray[np.int64], chance: float, rows: NDArray[np.int64]
) -> None:
    """Write the row that each place of each draw takes."""
    draws, n = starts.shape
    for b in range(draws):
        at = starts[b, 0]
        rows[b, 0] = at
        for k in range(1, n):
            at = starts[b, k] if uniforms[b, k] < chance else (0 if at == n - 1 else at + 1)
            rows[b, k] = at


@compiled("none(f8[:,::1], int64[:,::1], f8, uint16[:,::1])")
def block_counts(
    uniforms: NDArray[np.float64], starts: NDArray[np.int64], chance: float, counts: NDArray[np.uint16]
) -> None:
    """Add to `counts` how often each draw takes each row."""
    draws, n = starts.shape
    for b in range(draws):
        at = starts[b, 0]
        counts[b, at] += 1
        for k in range(1, n):
            at = starts[b, k] if uniforms[b, k] < chance else (0 if at == n - 1 else at + 1)
            counts[b, at] += 1
