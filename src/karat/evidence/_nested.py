"""Tests of two forecasts where Diebold and Mariano's does not fit: nested models, and who is better when.

| symbol | meaning | shape |
|---|---|---|
| f | Clark-West term: (y - b)^2 - [(y - m)^2 - (b - m)^2] | (n,) |
| d | loss of one forecast less loss of the other | (n,) |
| h | horizon in bars | |
| g | instruments, known when the forecast was made | (n, q) |
| z | g_(t-h) d_t | (n - h, q) |

Invariants:
1. Rows are in time order; an instrument of row t - h is paired with the loss of row t, never with its own.
2. Under a nested null the larger model's noise makes Diebold and Mariano's statistic negative on average; f is not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, ndtr

from karat._words import counted
from karat.core import InputError
from karat.evidence._forecast_tests import long_run
from karat.evidence._shapes import Floats


@dataclass(frozen=True)
class ClarkWest:
    """Statistic, one-sided p-value from the normal (small: the larger model knows more), mean of f and n."""

    statistic: float
    p_value: float
    mean: float
    n: int


@dataclass(frozen=True)
class GiacominiWhite:
    """Wald statistic, its p-value from chi-squared with `degrees`, and how often d is predicted to be negative."""

    statistic: float
    p_value: float
    degrees: int
    n: int
    first_preferred: float


def clark_west_test(y: Floats, base: Floats, model: Floats, *, horizon: int = 1) -> ClarkWest:
    """Test whether a model that nests the baseline knows more about location, in the units of y.

    All (n,); rows with NaN are left out. mean(f) / sqrt(V / n), V with h - 1 autocovariances. The critical values are
    the normal's, 1.282 and 1.645. Source: Clark and West (2007), section 2.

    Raises:
        InputError: shapes, a horizon not below n, or forecasts that agree everywhere.
    """
    if base.shape != y.shape or model.shape != y.shape or y.ndim != 1:
        raise InputError("base, model", f"shapes {base.shape} and {model.shape}", allowed=f"{y.shape}: as y")
    f = (y - base) ** 2 - ((y - model) ** 2 - (base - model) ** 2)
    f = f[np.isfinite(f)]
    if not 1 <= horizon < len(f):
        raise InputError("horizon", horizon, allowed=f"1 to {len(f) - 1}", why="it must be shorter than the series")
    if np.ptp(f) == 0:
        raise InputError("model", "a constant series of terms", allowed="forecasts that differ from the baseline's")
    variance, _ = long_run(f - f.mean(), horizon, "acf")
    statistic = float(f.mean()) / math.sqrt(variance / len(f))
    return ClarkWest(statistic, float(ndtr(-statistic)), float(f.mean()), len(f))


def giacomini_white(
    loss: Floats, baseline_loss: Floats, *, horizon: int = 1, instruments: Floats | None = None
) -> GiacominiWhite:
    """Test whether which forecast is better can be predicted: n zbar' S^-1 zbar against chi-squared with q degrees.

    `loss`, `baseline_loss` (n,); `instruments` (n, q) default to a constant and d itself. S is the uncentred second
    moment of z, with Bartlett weights 1 - k / h over h - 1 lags. Source: Giacomini and White (2006), theorems 1 and 3.
    A small p says that neither is the better one always: pick by what the instruments say.

    Raises:
        InputError: shapes, NaN, too few rows, or instruments that do not vary on their own.
    """
    d, g = _aligned(loss, baseline_loss, instruments, horizon)
    z = g * d[:, None]
    n, q = z.shape
    if n < 10 * q:
        raise InputError(
            "loss", f"{counted(n, 'row')} after the horizon", allowed=f"{10 * q} or more: ten an instrument"
        )
    spread = z.T @ z / n
    for lag in range(1, horizon):
        cross = z[lag:].T @ z[:-lag] / n
        spread += (1.0 - lag / horizon) * (cross + cross.T)
    if np.linalg.matrix_rank(g) < q or np.linalg.matrix_rank(spread, hermitian=True) < q:
        why = "they do not vary on their own, or the losses are equal"
        raise InputError("instruments", counted(q, "column"), why=why, allowed="independent columns")
    mean = z.mean(axis=0)
    statistic = float(n * mean @ np.linalg.solve(spread, mean))
    predicted = g @ np.linalg.lstsq(g, d, rcond=None)[0]
    return GiacominiWhite(statistic, float(chdtrc(q, statistic)), q, n, float((predicted < 0).mean()))


def _aligned(loss: Floats, baseline: Floats, instruments: Floats | None, horizon: int) -> tuple[Floats, Floats]:
    if loss.shape != baseline.shape or loss.ndim != 1:
        raise InputError("baseline_loss", f"shape {baseline.shape}", allowed=f"{loss.shape}, one dimension")
    if not 1 <= horizon < len(loss):
        raise InputError("horizon", horizon, allowed=f"1 to {len(loss) - 1}", why="it must be shorter than the series")
    d = loss - baseline
    g = np.column_stack([np.ones(len(d)), d]) if instruments is None else instruments
    if g.ndim != 2 or len(g) != len(d):
        raise InputError("instruments", f"shape {g.shape}", allowed=f"({len(d)}, q): one row per loss")
    if not (np.isfinite(d).all() and np.isfinite(g).all()):
        raise InputError("loss, instruments", "values that are not finite", allowed="finite numbers")
    return d[horizon:], g[:-horizon]
