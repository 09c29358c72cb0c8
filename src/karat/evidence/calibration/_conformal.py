"""Split conformal intervals: as wide as the errors on `Valid` say, whatever the forecaster believes.

| symbol | meaning | shape | unit |
|---|---|---|---|
| lo, hi | the forecast's own central interval at coverage c | (n,) | fraction |
| w | hi - lo, at least 1e-9 | (n,) | fraction |
| s | max(lo - y, y - hi) / w: how far outside, in interval widths | (n,) | 1 |
| q | the ceil((n + 1) c)-th smallest s; infinite if there is none | | 1 |

The interval is [lo - q w, hi + q w]. For exchangeable rows it covers with probability at least c (Vovk, Gammerman and
Shafer 2005; Romano, Patterson and Candes 2019). Rows in time are not exchangeable: look at `rolling_coverage`.

Invariants:
1. The rank is computed exactly: 0.9 of 100 is 90, not 91.
2. Too few rows give an infinite interval, never a guess.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Self

import numpy as np

from karat.core import InputError
from karat.data import LEVELS, Forecast
from karat.evidence._shapes import Floats
from karat.evidence.calibration._pairs import Pairs

LEAST_WIDTH: Final = 1e-9
NARROWEST: Final = -0.5
"""An interval shrinks to its middle at most."""


def conformal_rank(n: int, coverage: float) -> int:
    """Return ceil((n + 1) coverage), with the coverage read as the decimal it is written as.

    Raises:
        InputError: a coverage outside (0, 1).

    Example:
        >>> conformal_rank(99, 0.9), conformal_rank(9, 0.95)
        (90, 10)
    """
    if not 0 < coverage < 1:
        raise InputError("coverage", coverage, allowed="between 0 and 1")
    return math.ceil((n + 1) * Fraction(repr(float(coverage))))


def conformal_quantile(scores: Floats, coverage: float) -> float:
    """Return the conformal quantile of (n,) scores, infinite where n is too small for the coverage; NaN is left out."""
    good = np.sort(scores[np.isfinite(scores)])
    rank = conformal_rank(len(good), coverage)
    return float(good[rank - 1]) if rank <= len(good) else math.inf


def own_interval(quantiles: Floats, coverage: float) -> tuple[Floats, Floats]:
    """Return lower and upper end, (n,) each, of the central interval that (n, 23) quantiles name themselves.

    Raises:
        InputError: a coverage whose ends are not among the levels of a forecast.
    """
    lower, upper = (np.flatnonzero(np.isclose(LEVELS, (1 + sign * coverage) / 2)) for sign in (-1, 1))
    if len(lower) != 1 or len(upper) != 1 or not 0 < coverage < 1:
        inside = [f"{1 - 2 * level:.4g}" for level in LEVELS if level < 0.5]
        raise InputError("coverage", coverage, allowed=", ".join(inside), why="both ends must be levels of a forecast")
    return quantiles[:, lower[0]], quantiles[:, upper[0]]


def outside(value: Floats, lower: Floats, upper: Floats) -> Floats:
    """Return s, (n,): how far each value lies outside its interval, in widths; negative inside."""
    width = np.maximum(upper - lower, LEAST_WIDTH)
    return np.asarray(np.maximum(lower - value, value - upper) / width, dtype=np.float64)


def widened(lower: Floats, upper: Floats, by: Floats | float) -> tuple[Floats, Floats]:
    """Return both ends moved out by that many widths, at most into the middle."""
    reach = np.maximum(by, NARROWEST) * np.maximum(upper - lower, LEAST_WIDTH)
    return np.minimum(lower - reach, (lower + upper) / 2), np.maximum(upper + reach, (lower + upper) / 2)


@dataclass(frozen=True)
class SplitConformal:
    """The quantile q that widens (or narrows) a forecast's own interval at `coverage`, learned from `rows` rows."""

    coverage: float
    by: float
    rows: int

    @classmethod
    def fit(cls, pairs: Pairs, coverage: float = 0.9) -> Self:
        """Learn from the rows of `Valid`.

        Raises:
            InputError: a coverage that a forecast has no levels for.
        """
        scores = outside(pairs.value, *own_interval(pairs.quantiles, coverage))
        return cls(coverage, conformal_quantile(scores, coverage), len(pairs))

    def interval(self, forecast: Forecast) -> tuple[Floats, Floats]:
        """Return lower and upper end, (n,) each."""
        return widened(*own_interval(forecast.quantiles, self.coverage), self.by)
