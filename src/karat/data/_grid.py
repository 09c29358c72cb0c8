"""The fixed grids of every forecast: quantile levels, return classes, horizons."""

from __future__ import annotations

from typing import Final

import numpy as np

from karat.core import InputError

LEVELS: Final = np.array(
    [0.01, 0.025, *(round(0.05 * k, 2) for k in range(1, 20)), 0.975, 0.99],
    dtype=np.float64,
)
"""The 23 quantile levels of a forecast, ascending."""

INNER: Final = slice(2, 21)
"""The 19 levels 0.05 to 0.95 that the primary loss scores: `LEVELS[INNER]`."""

MEDIAN: Final = 11
"""Index of the level 0.5 in `LEVELS`."""

CUTS: Final = np.array([-0.05, -0.03, -0.02, -0.01, 0.01, 0.02, 0.03, 0.05], dtype=np.float64)
"""Edges of the nine signed return classes, fractions. Class k is (CUTS[k-1], CUTS[k]]; class 4 is 'within 1 %'."""

N_CLASSES: Final = 9

HORIZONS: Final[dict[str, int]] = {"1d": 1, "2d": 2, "3d": 3, "5d": 5, "week": 5}
"""Horizon name to the number of sessions it usually spans: a week is a calendar week, 1 to 5 sessions, usually 5."""


def horizon_bars(horizon: str) -> int:
    """Return the usual number of sessions of a horizon.

    Raises:
        InputError: an unknown horizon.
    """
    if horizon not in HORIZONS:
        raise InputError("horizon", horizon, allowed=list(HORIZONS))
    return HORIZONS[horizon]
