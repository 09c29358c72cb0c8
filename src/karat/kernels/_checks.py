"""Is a large array in order? One look at each value; small arrays are looked at without loading compiled code."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from karat.kernels import _checks_jit as jit

_LARGE = 100_000


def increasing(times: NDArray[np.int64]) -> bool:
    """Return whether each of times (T,) is after the one before it.

    Example:
        >>> increasing(np.array([1, 2, 2]))
        False
    """
    if times.size < _LARGE or not times.flags.c_contiguous:
        return bool((times[1:] > times[:-1]).all())
    return int(jit.not_later(times)) == 0


def places(times: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return where each of `wanted` (M,) stands among `times` (T,), both increasing; None when one is not there.

    Example:
        >>> places(np.array([1, 5, 9]), np.array([1, 9])).tolist()
        [0, 2]
    """
    if not len(times):
        return None if len(wanted) else np.zeros(0, dtype=np.int64)
    if times.size < _LARGE or not times.flags.c_contiguous:
        rows = np.minimum(np.searchsorted(times, wanted), len(times) - 1)
        return rows if bool((times[rows] == wanted).all()) else None
    rows = np.empty(len(wanted), dtype=np.int64)
    return rows if jit.places(times, np.ascontiguousarray(wanted, dtype=np.int64), rows) == 0 else None


def finite_above(values: NDArray[np.float64], low: float) -> bool:
    """Return whether all values, of any shape, are above `low` and finite; NaN is not.

    Example:
        >>> finite_above(np.array([[1.0, np.inf]]), 0.0)
        False
    """
    if values.size < _LARGE or not values.flags.c_contiguous or values.dtype != np.float64:
        return bool(((values > low) & np.isfinite(values)).all())
    return int(jit.not_between(values.reshape(-1), low)) == 0
