"""The Brier score taken apart: what is lack of calibration, what is knowledge, what is the world's own uncertainty.

| symbol | meaning |
|---|---|
| f, o | forecast probability and outcome (0 or 1) of a row |
| n_k, f_k, o_k | rows of bin k, their mean forecast and mean outcome |
| o | mean outcome over all rows |

mean (f - o)^2 = reliability - resolution + uncertainty + within-bin variance - within-bin covariance, where
reliability = sum n_k (f_k - o_k)^2 / n, resolution = sum n_k (o_k - o)^2 / n, uncertainty = o (1 - o),
variance = sum (f - f_k)^2 / n and covariance = 2 sum (f - f_k)(o - o_k) / n. Source: Murphy (1973); the last two terms,
without which binned forecasts do not add up, Stephenson, Coelho and Jolliffe (2008), eq. 12.

Invariants:
1. The identity holds to rounding for any bins. Over classes every part is the sum over classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from karat.core import InputError
from karat.evidence._shapes import Floats, Ints
from karat.evidence.calibration._ece import bin_of


@dataclass(frozen=True)
class BrierParts:
    """The parts; `score` is the Brier score itself. Reliability and uncertainty: less is better; resolution: more."""

    score: float
    reliability: float
    resolution: float
    uncertainty: float
    within_variance: float
    within_covariance: float

    @property
    def total(self) -> float:
        """The parts put together again."""
        binned = self.reliability - self.resolution + self.uncertainty
        return binned + self.within_variance - self.within_covariance


def brier_parts(klass: Ints, probabilities: Floats, *, bins: int = 10) -> BrierParts:
    """Return the parts of the Brier score of (n, c) class probabilities, summed over classes as in `brier_classes`.

    Raises:
        InputError: shapes that do not fit, no rows, fewer than one bin or probabilities outside [0, 1].
    """
    if probabilities.ndim != 2 or klass.shape != (len(probabilities),) or len(klass) == 0:
        seen = f"shapes {klass.shape} and {probabilities.shape}"
        raise InputError("klass, probabilities", seen, allowed="(n,) and (n, c), one row or more")
    if bins < 1:
        raise InputError("bins", bins, allowed="1 or more")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise InputError("probabilities", "values outside 0 to 1", allowed="probabilities, no NaN")
    classes = range(probabilities.shape[1])
    parts = [_event(probabilities[:, k], (klass == k).astype(np.float64), bins) for k in classes]
    return BrierParts(*np.sum(parts, axis=0).tolist())


def _event(f: Floats, o: Floats, bins: int) -> tuple[float, ...]:
    n, place = len(f), bin_of(f, bins)
    counts = np.bincount(place, minlength=bins)
    held = np.maximum(counts, 1)
    mean_f, mean_o = np.bincount(place, f, bins) / held, np.bincount(place, o, bins) / held
    rate, inner_f, inner_o = float(o.mean()), f - mean_f[place], o - mean_o[place]
    return (
        float(((f - o) ** 2).mean()),
        float((counts * (mean_f - mean_o) ** 2).sum()) / n,
        float((counts * (mean_o - rate) ** 2).sum()) / n,
        rate * (1.0 - rate),
        float((inner_f**2).sum()) / n,
        2.0 * float((inner_f * inner_o).sum()) / n,
    )
