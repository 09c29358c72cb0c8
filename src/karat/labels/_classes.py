"""Classes of a return: the nine signed classes of a forecast, and the binary targets of the task templates.

Invariants:
1. Class k holds (CUTS[k-1], CUTS[k]]: a return exactly on an edge belongs below it.
2. `threshold_target(values, CUTS[k])` is 1 exactly where `classify(values) > k`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from karat.core import InputError
from karat.data import CUTS

THRESHOLDS: Final[dict[str, float]] = {
    "threshold_1pct": 0.01,
    "threshold_2pct": 0.02,
    "threshold_3pct": 0.03,
    "threshold_5pct": 0.05,
}
"""Task template to the return, as a fraction, that must be exceeded."""


def classify(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return (n,) int64 classes 0 (below -5 %) to 8 (above 5 %) of (n,) simple returns.

    Raises:
        InputError: NaN: a missing return has no class.

    Example:
        >>> classify(np.array([-0.06, 0.0, 0.01, 0.04])).tolist()
        [0, 4, 4, 7]
    """
    _check(values)
    return np.searchsorted(CUTS, values, side="left").astype(np.int64)


def threshold_target(values: NDArray[np.float64], threshold: float) -> NDArray[np.int64]:
    """Return (n,) int64: 1 where the simple return is above `threshold`, else 0.

    Raises:
        InputError: a threshold outside the task templates, or NaN.

    Example:
        >>> threshold_target(np.array([0.005, 0.02, -0.03]), 0.01).tolist()
        [0, 1, 0]
    """
    if threshold not in THRESHOLDS.values():
        raise InputError("threshold", threshold, allowed=", ".join(map(str, THRESHOLDS.values())))
    _check(values)
    return (np.asarray(values) > threshold).astype(np.int64)


def _check(values: NDArray[np.float64]) -> None:
    missing = np.flatnonzero(np.isnan(values))
    if len(missing):
        raise InputError(
            "values", f"NaN in row {missing[0]}", allowed="numbers", why="a missing return has no class", fix="drop it"
        )
