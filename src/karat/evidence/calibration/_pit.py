"""Is the probability integral transform uniform: a histogram with its band, and a distance with its p-value.

Invariants:
1. The values come from a forecast made before the outcome. On parameters fitted to the same rows the
   Kolmogorov-Smirnov p-value is too large, and nothing here can see that.
2. Overlapping horizons leave n / overlap independent rows; the band and the p-value use that number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from karat._words import counted
from karat.core import InputError
from karat.evidence._shapes import Floats, Ints
from karat.evidence.calibration._coverage import binomial_band


@dataclass(frozen=True, eq=False)
class PitTest:
    """Counts (bins,) with the band a uniform sample keeps in each, the largest gap to uniform and its p-value."""

    counts: Ints
    low: float
    high: float
    distance: float
    p_value: float
    trials: int


def pit_uniform(values: Floats, *, bins: int = 10, overlap: int = 1, level: float = 0.95) -> PitTest:
    """Return the test of PIT values (n,) in [0, 1] against uniform; NaN is left out.

    The p-value is Kolmogorov and Smirnov's for independent rows; with `overlap` every `overlap`-th row is tested.

    Raises:
        InputError: fewer than 20 rows, values outside [0, 1], or bins and overlap below one.
    """
    good = values[np.isfinite(values)]
    if values.ndim != 1 or ((good < 0) | (good > 1)).any():
        raise InputError("values", "not PIT values", allowed="(n,) numbers from 0 to 1")
    if bins < 1 or overlap < 1:
        raise InputError("bins, overlap", (bins, overlap), allowed="1 or more")
    apart = good[::overlap]
    if len(apart) < 20:
        raise InputError(
            "values",
            counted(len(apart), "independent row"),
            allowed=f"20 or more, {counted(20 * overlap, 'row')} in all",
        )
    from scipy.stats import kstest  # 0.6 s that a study's workers need not pay

    test = kstest(apart, "uniform")
    counts = np.bincount(np.minimum((good * bins).astype(np.int64), bins - 1), minlength=bins)
    low, high = binomial_band(len(apart), 1.0 / bins, level)
    scale = len(good) / len(apart)
    return PitTest(counts, low * scale, high * scale, float(test.statistic), float(test.pvalue), len(apart))
