"""The compiled parts of `_checks`: one pass over the values, without branches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from karat.kernels._jit import compiled


@compiled("int64(int64[::1])")
def not_later(times: NDArray[np.int64]) -> int:
    """Return how many times are not after the one before them."""
    count = 0
    for i in range(1, times.shape[0]):
        count += 1 if times[i] <= times[i - 1] else 0
    return count


@compiled("int64(f8[::1], f8)")
def not_between(values: NDArray[np.float64], low: float) -> int:
    """Return how many values are not above `low` and finite."""
    count = 0
    for i in range(values.shape[0]):
        count += 0 if (values[i] > low) & (values[i] < np.inf) else 1
    return count


@compiled("int64(int64[::1], int64[::1], int64[::1])")
def places(times: NDArray[np.int64], wanted: NDArray[np.int64], rows: NDArray[np.int64]) -> int:
    """Write where each of `wanted` stands among `times`, both increasing; return how many do not.

    The search gallops from the last place found: steps that double, then halve.
    """
    n, at, missing = times.shape[0], 0, 0
    for k in range(wanted.shape[0]):
        step = 1
        while at + step < n and times[at + step] <= wanted[k]:
            at += step
            step *= 2
        while step > 0:
            if at + step < n and times[at + step] <= wanted[k]:
                at += step
            step //= 2
        rows[k] = at
        missing += 1 if times[at] != wanted[k] else 0
    return missing
