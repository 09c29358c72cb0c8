"""Did the intervals cover as often as they said: over the whole, and in a window that moves.

Invariants:
1. Bands are exact binomial ones for independent rows. Overlapping labels are counted once per horizon: a window of
   60 rows of 5 bars each carries 12 independent trials.
2. A row's rolling share reads its own and earlier rows only; NaN where fewer than the window are there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr

from karat._words import counted
from karat.core import InputError
from karat.evidence._binomial import exact_rate
from karat.evidence._shapes import Floats


@dataclass(frozen=True)
class Coverage:
    """Share covered, exact interval of the true share, p-value of `nominal` (two-sided), and how many trials."""

    share: float
    lower: float
    upper: float
    p_value: float
    nominal: float
    trials: int


@dataclass(frozen=True, eq=False)
class RollingCoverage:
    """Share (n,) covered among the last `window` rows, and the band in which a calibrated forecast keeps it."""

    share: Floats
    low: float
    high: float
    window: int
    nominal: float

    @property
    def outside(self) -> float:
        """The share of full windows that lie outside the band, NaN without one."""
        full = self.share[np.isfinite(self.share)]
        return float(((full < self.low) | (full > self.high)).mean()) if len(full) else float("nan")


def coverage(covered: Floats, nominal: float, *, overlap: int = 1, level: float = 0.95) -> Coverage:
    """Return how often rows were covered, (n,) 0 or 1, against the nominal share. NaN is left out.

    The interval is Clopper and Pearson's (1934); `overlap` bars of horizon leave n / overlap trials.

    Raises:
        InputError: values other than 0 and 1, too few of them, or shares outside (0, 1).

    Example:
        >>> found = coverage(np.array([1.0] * 9 + [0.0]), 0.9)
        >>> found.share, round(found.lower, 4), round(found.upper, 4)
        (0.9, 0.555, 0.9975)
    """
    good = _hits(covered, nominal, overlap, level)
    trials = max(1, len(good) // overlap)
    share = float(good.mean())
    k, tail = round(share * trials), (1.0 - level) / 2.0
    bounds = exact_rate(k, trials, level=1.0 - tail)
    from scipy.stats import binomtest  # 0.6 s that a study's workers need not pay

    p_value = float(binomtest(k, trials, nominal).pvalue)
    return Coverage(share, bounds.lower, bounds.upper, p_value, nominal, trials)


def rolling_coverage(
    covered: Floats, nominal: float, *, window: int = 100, overlap: int = 1, level: float = 0.95
) -> RollingCoverage:
    """Return the share covered among the last `window` rows, (n,), with its exact binomial band.

    Raises:
        InputError: as `coverage`, or a window that holds no whole trial or more rows than there are.
    """
    _hits(covered, nominal, overlap, level)
    if not overlap <= window <= len(covered):
        raise InputError("window", window, allowed=f"{overlap} to {counted(len(covered), 'row')}")
    sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(covered))])
    counts = np.concatenate([[0.0], np.cumsum(np.isfinite(covered))])
    share = np.full(len(covered), np.nan)
    inside = counts[window:] - counts[:-window]
    held = np.maximum(inside, 1.0)
    share[window - 1 :] = np.where(inside == window, (sums[window:] - sums[:-window]) / held, np.nan)
    trials = window // overlap
    low, high = binomial_band(trials, nominal, level)
    return RollingCoverage(share, low / trials, high / trials, window, nominal)


def binomial_band(trials: int, nominal: float, level: float = 0.95) -> tuple[int, int]:
    """Return the narrowest central counts that a binomial leaves with probability at most 1 - level in all.

    Example:
        >>> binomial_band(100, 0.9)
        (84, 95)
    """
    tail = (1.0 - level) / 2.0
    below = bdtr(np.arange(trials + 1), trials, nominal)  # P(X <= k)
    low = int(np.searchsorted(below, tail, side="right"))
    high = int(np.searchsorted(below, 1.0 - tail, side="left"))
    return low, high


def _hits(covered: Floats, nominal: float, overlap: int, level: float) -> Floats:
    good = covered[np.isfinite(covered)]
    if covered.ndim != 1 or len(good) == 0 or not np.isin(good, (0.0, 1.0)).all():
        raise InputError("covered", "no rows or other values", allowed="(n,) 0 or 1, NaN where unknown")
    if not (0 < nominal < 1 and 0 < level < 1):
        raise InputError("nominal, level", (nominal, level), allowed="between 0 and 1")
    if overlap < 1:
        raise InputError("overlap", overlap, allowed="1 or more bars")
    return np.asarray(good, dtype=np.float64)
