"""Tests that compare two forecasts of the same outcomes.

| symbol | meaning | shape | unit |
|---|---|---|---|
| y | outcome | (n,) | fraction |
| b, m | location forecast of baseline and model | (n,) | fraction |
| s | the baseline's scale: its own standard deviation for that row | (n,) | fraction |
| d | loss of one forecast less loss of the other | (n,) | any |
| h | horizon in bars | | |

Invariants:
1. Rows are in time order and each is known when its label has ended.
2. Clark-West terms are zero where model and baseline agree: such dates are no evidence either way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy.special import stdtr

from karat.core import InputError
from karat.evidence._shapes import Floats

Alternative = Literal["two-sided", "less", "greater"]
ALTERNATIVES: Final = ("two-sided", "less", "greater")


@dataclass(frozen=True)
class DieboldMariano:
    """The statistic with the small-sample factor, its p-value from Student's t with n - 1, and the variance used."""

    statistic: float
    p_value: float
    mean: float
    n: int
    variance: Literal["acf", "bartlett"]


def diebold_mariano(
    loss: Floats,
    baseline_loss: Floats,
    *,
    horizon: int = 1,
    alternative: Alternative = "two-sided",
    variance: Literal["acf", "bartlett"] = "acf",
) -> DieboldMariano:
    """Compare the mean losses of two forecasts, with the correction of Harvey, Leybourne and Newbold.

    d = loss - baseline_loss, (n,) each, rows with NaN in either left out; `alternative="less"`: the first loses less.
    dbar / sqrt(V/n) sqrt((n + 1 - 2h + h(h-1)/n) / n) with V = g_0 + 2 sum_{k<h} g_k; where that is not positive,
    or on demand, Bartlett's weights 1 - k/h are used and named in the result. Equal losses everywhere: 0 and p = 1.
    Source: Diebold and Mariano (1995), Harvey, Leybourne and Newbold (1997) eq. 9.

    Raises:
        InputError: shapes, a horizon not below n, or an unknown alternative.

    Example:
        >>> diebold_mariano(np.array([1.0, 2.0, 1.5]), np.array([1.0, 2.0, 1.5])).p_value
        1.0
    """
    if loss.shape != baseline_loss.shape or loss.ndim != 1:
        raise InputError("baseline_loss", f"shape {baseline_loss.shape}", allowed=f"{loss.shape}, one dimension")
    if alternative not in ALTERNATIVES:
        raise InputError("alternative", alternative, allowed=list(ALTERNATIVES))
    d = loss - baseline_loss
    d = d[np.isfinite(d)]
    n = len(d)
    if not 1 <= horizon < n:
        raise InputError("horizon", horizon, allowed=f"1 to {n - 1}", why="it must be shorter than the series")
    mean = float(d.mean())
    if np.ptp(d) == 0:
        if mean == 0:
            return DieboldMariano(0.0, 1.0, 0.0, n, variance)
        raise InputError("loss", "a constant difference", why="it has no variance", allowed="losses that vary")
    total, used = long_run(d - mean, horizon, variance)
    factor = math.sqrt((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n)
    statistic = mean / math.sqrt(total / n) * factor
    below = float(stdtr(n - 1, statistic))
    p = {"less": below, "greater": 1.0 - below, "two-sided": 2.0 * float(stdtr(n - 1, -abs(statistic)))}[alternative]
    return DieboldMariano(statistic, p, mean, n, used)


def clark_west(y: Floats, base: Floats, model: Floats, scale: Floats) -> Floats:
    """Return the Clark-West terms at the baseline's scale, (n,) without unit: 2 (y - b)(m - b) / s^2.

    Their mean is above zero only where the model's location knows something the baseline's does not, whether or not
    one contains the other: the terms are (y-b)^2 - [(y-m)^2 - (b-m)^2] of Clark and West (2007), eq. 2.1, and twice
    the encompassing numerator (y-b)((y-b) - (y-m)) of Harvey, Leybourne and Newbold (1998). NaN anywhere gives NaN.
    See docs/decisions/003-clark-west-at-the-baselines-scale.md.

    Raises:
        InputError: different shapes, or a scale that is not positive.

    Example:
        >>> clark_west(np.array([0.02]), np.array([0.0]), np.array([0.01]), np.array([0.02])).round(9).tolist()
        [1.0]
    """
    for field, values in (("base", base), ("model", model), ("scale", scale)):
        if values.shape != y.shape:
            raise InputError(field, f"shape {values.shape}", allowed=f"{y.shape}: as y")
    if (scale <= 0).any():
        raise InputError("scale", "zero or negative values", allowed="positive numbers or NaN")
    return np.asarray(2.0 * ((y - base) / scale) * ((model - base) / scale), dtype=np.float64)


def long_run(centred: Floats, horizon: int, variance: str) -> tuple[float, Literal["acf", "bartlett"]]:
    """Return V, the variance of the mean times n, of a centred series (n,), and the weights that were used."""
    n = len(centred)
    covariances = np.array([centred[k:] @ centred[: n - k] / n for k in range(horizon)])
    plain = float(covariances[0] + 2.0 * covariances[1:].sum())
    if variance == "acf" and plain > 0:
        return plain, "acf"
    weights = 1.0 - np.arange(1, horizon) / horizon
    return float(covariances[0] + 2.0 * (weights * covariances[1:]).sum()), "bartlett"
