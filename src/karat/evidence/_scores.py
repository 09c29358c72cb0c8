"""Scores of a forecast against what happened, one value a row: lower is better in every one of them.

| symbol | meaning | shape | unit |
|---|---|---|---|
| y | outcome | (n,) | fraction |
| q | quantiles at ascending levels a | (n, k) | fraction |
| p | class probabilities, rows sum to 1 | (n, c) | |

Invariants:
1. Pinball, CRPS and interval score have the unit of y; log loss is in nats; Brier is between 0 and 2.
2. NaN in a row gives NaN in that row's score and touches no other row.
3. CRPS from quantiles is twice the mean pinball loss over the levels given; the primary loss gives the 19 inner ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtr

from karat._words import counted
from karat.core import InputError
from karat.evidence._shapes import Floats, Ints

FLOOR: Final = 1e-12
"""Probabilities are raised to this before the logarithm: a class called impossible costs 27.6 nats, not infinity."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """A reliability table, one row a bin or level: what was promised, what happened, how often it was said.

    `error` is the mean of |promised - happened|, weighted by `counts`: the expected calibration error.
    """

    promised: Floats
    happened: Floats
    counts: Ints
    error: float


def pinball_each(y: Floats, quantiles: Floats, levels: Floats) -> Floats:
    """Return the pinball loss of every quantile, (n, k): max(a (y - q), (a - 1)(y - q)).

    Source: Koenker and Bassett (1978).

    Raises:
        InputError: shapes that do not fit, or levels outside (0, 1) or not ascending.
    """
    _require_quantiles(y, quantiles, levels)
    error = y[:, None] - quantiles
    return np.maximum(levels * error, (levels - 1.0) * error)


def pinball(y: Floats, quantiles: Floats, levels: Floats) -> Floats:
    """Return the mean pinball loss over the levels, (n,): the primary loss where these are the 19 inner levels.

    Example:
        >>> pinball(np.array([1.0]), np.array([[0.0, 2.0]]), np.array([0.25, 0.75])).tolist()
        [0.25]
    """
    return np.asarray(pinball_each(y, quantiles, levels).mean(axis=1))


def crps_from_quantiles(y: Floats, quantiles: Floats, levels: Floats) -> Floats:
    """Return the CRPS as twice the mean pinball loss, (n,). Source: Gneiting and Ranjan (2011), eq. 17."""
    return 2.0 * pinball(y, quantiles, levels)


def crps_normal(y: Floats, mean: Floats, sd: Floats) -> Floats:
    """Return the CRPS of normal forecasts, (n,): s (z (2 Phi(z) - 1) + 2 phi(z) - 1/sqrt(pi)), z = (y - mean) / sd.

    Source: Gneiting and Raftery (2007), eq. 21.

    Raises:
        InputError: a standard deviation that is not positive.
    """
    if (np.asarray(sd) <= 0).any():
        raise InputError("sd", "zero or negative values", allowed="positive numbers or NaN")
    z = (y - mean) / sd
    density = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    return np.asarray(sd * (z * (2.0 * ndtr(z) - 1.0) + 2.0 * density - 1.0 / math.sqrt(math.pi)), dtype=np.float64)


def interval_score(y: Floats, lower: Floats, upper: Floats, alpha: float) -> Floats:
    """Return the score of central 1 - alpha intervals, (n,): width plus 2 / alpha times what y lies outside by.

    Source: Gneiting and Raftery (2007), eq. 43.

    Raises:
        InputError: alpha outside (0, 1), or a lower end above the upper.
    """
    if not 0 < alpha < 1:
        raise InputError("alpha", alpha, allowed="between 0 and 1")
    if (lower > upper).any():
        raise InputError("lower", "values above upper", allowed="lower <= upper in every row")
    outside = np.maximum(lower - y, 0.0) + np.maximum(y - upper, 0.0)
    return np.asarray((upper - lower) + 2.0 / alpha * outside, dtype=np.float64)


def log_loss_classes(klass: Ints, probabilities: Floats) -> Floats:
    """Return -ln p of the class that happened, (n,) nats; p is floored at 1e-12.

    `klass` (n,) int64 from 0 to c - 1, `probabilities` (n, c).

    Raises:
        InputError: shapes or classes that do not fit.
    """
    _require_classes(klass, probabilities)
    return -np.log(np.maximum(probabilities[np.arange(len(klass)), klass], FLOOR))


def brier_classes(klass: Ints, probabilities: Floats) -> Floats:
    """Return the Brier score over all classes, (n,): sum over c of (p_c - 1[c happened])^2, from 0 to 2.

    Source: Brier (1950), the multi-class form.

    Raises:
        InputError: shapes or classes that do not fit.
    """
    _require_classes(klass, probabilities)
    happened = np.zeros_like(probabilities)
    happened[np.arange(len(klass)), klass] = 1.0
    return np.asarray(((probabilities - happened) ** 2).sum(axis=1))


def pit(y: Floats, quantiles: Floats, levels: Floats) -> Floats:
    """Return the probability integral transform, (n,) in (0, 1): the forecast's own level of the outcome.

    Linear between neighbouring quantiles; outside the outermost, where the forecast says no more, the middle of the
    level left over: a_1 / 2 below and (1 + a_k) / 2 above. Uniform for a calibrated forecast up to that rounding.

    Raises:
        InputError: as `pinball_each`.
    """
    _require_quantiles(y, quantiles, levels)
    rows = np.arange(len(y))
    right = (quantiles < y[:, None]).sum(axis=1)
    low, high = np.clip(right - 1, 0, len(levels) - 1), np.clip(right, 0, len(levels) - 1)
    below, above = quantiles[rows, low], quantiles[rows, high]
    width = above - below
    share = np.where(width > 0, (y - below) / np.where(width > 0, width, 1.0), 1.0)
    inside = levels[low] + share * (levels[high] - levels[low])
    out = np.where(y < quantiles[:, 0], levels[0] / 2.0, np.where(y > quantiles[:, -1], (1 + levels[-1]) / 2, inside))
    return np.where(np.isfinite(y) & np.isfinite(quantiles).all(axis=1), out, np.nan)


def quantile_reliability(y: Floats, quantiles: Floats, levels: Floats) -> Reliability:
    """Return, per level, the share of outcomes at or below the quantile; rows with NaN are left out.

    Raises:
        InputError: as `pinball_each`, or no complete row.
    """
    _require_quantiles(y, quantiles, levels)
    good = np.isfinite(y) & np.isfinite(quantiles).all(axis=1)
    if not good.any():
        raise InputError("y", "no row without NaN", allowed="at least one")
    happened = (y[good, None] <= quantiles[good]).mean(axis=0)
    counts = np.full(len(levels), good.sum(), dtype=np.int64)
    return Reliability(levels, happened, counts, float(np.abs(levels - happened).mean()))


def reliability(probability: Floats, outcome: Floats, *, bins: int = 10) -> Reliability:
    """Return the reliability of event probabilities in equal-width bins [k/bins, (k+1)/bins), the last one closed.

    `probability` (n,) in [0, 1], `outcome` (n,) 0 or 1; rows with NaN are left out, empty bins too. `error` is the
    expected calibration error of the event's probability, not of the top label's confidence.

    Raises:
        InputError: shapes, probabilities outside [0, 1], other outcomes, or no row.
    """
    if probability.shape != outcome.shape or bins < 1:
        raise InputError("outcome, bins", (outcome.shape, bins), allowed=f"{probability.shape}, 1 or more bins")
    good = np.isfinite(probability) & np.isfinite(outcome)
    p, hit = probability[good], outcome[good]
    if len(p) == 0 or (p < 0).any() or (p > 1).any() or not np.isin(hit, (0, 1)).all():
        raise InputError("probability, outcome", "no rows or values out of range", allowed="[0, 1] and 0 or 1")
    place = np.minimum((p * bins).astype(np.int64), bins - 1)
    counts = np.bincount(place, minlength=bins)
    used = counts > 0
    promised = np.bincount(place, weights=p, minlength=bins)[used] / counts[used]
    happened = np.bincount(place, weights=hit, minlength=bins)[used] / counts[used]
    error = float((np.abs(promised - happened) * counts[used]).sum() / len(p))
    return Reliability(promised, happened, counts[used].astype(np.int64), error)


def _require_quantiles(y: Floats, quantiles: Floats, levels: Floats) -> None:
    if y.ndim != 1 or quantiles.shape != (len(y), len(levels)):
        seen = f"shape {quantiles.shape} for {y.shape} outcomes and {counted(len(levels), 'level')}"
        raise InputError("quantiles", seen, allowed="(n, k): outcomes by levels")
    if (levels <= 0).any() or (levels >= 1).any() or (np.diff(levels) <= 0).any():
        raise InputError("levels", levels.tolist(), allowed="ascending numbers between 0 and 1")


def _require_classes(klass: Ints, probabilities: Floats) -> None:
    if probabilities.ndim != 2 or klass.shape != (len(probabilities),):
        raise InputError("klass", f"shape {klass.shape}", allowed=f"({len(probabilities)},): one class per row")
    if len(klass) and not (klass.min() >= 0 and klass.max() < probabilities.shape[1]):
        raise InputError("klass", (int(klass.min()), int(klass.max())), allowed=f"0 to {probabilities.shape[1] - 1}")
