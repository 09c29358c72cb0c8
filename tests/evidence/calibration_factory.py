"""Small views, forecasts and outcomes for the calibration tests."""

from __future__ import annotations

import numpy as np
from scipy import stats
from scipy.special import expit, softmax

from karat.data import LEVELS, Forecast, Labels, Table, Valid
from karat.evidence.calibration import ClassRows, two_classes

DAY = 86_400_000_000_000


def view(value: np.ndarray, *, first_day: int = 0, kind: type = Valid) -> Valid:
    """Return a view of one instrument, one row a day, whose labels end a day later."""
    n = len(value)
    ts = (np.arange(n) + first_day) * DAY
    table = Table(ts, ts + 1, np.zeros(n, dtype=np.int64), ("A",), np.zeros((n, 1)), ("x",), np.zeros(n))
    return kind(table, np.arange(n), "1d", Labels(value, ts + 2, ts + DAY))


def normal_forecast(valid: Valid, sd: np.ndarray | float, probabilities: np.ndarray | None = None) -> Forecast:
    """Return forecasts that say normal with mean zero and this standard deviation."""
    n = len(valid)
    quantiles = stats.norm.ppf(LEVELS)[None, :] * np.broadcast_to(sd, (n,))[:, None]
    classes = np.full((n, 9), 1 / 9) if probabilities is None else probabilities
    return Forecast.of(valid, quantiles, classes, model="normal")


def binary_rows(n: int, *, sure: float = 2.0, bias: float = 0.0, seed: int = 1, first_day: int = 0) -> ClassRows:
    """Return events whose true log odds are z, forecast with log odds sure * z + bias: too sure where sure > 1."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0.0, 1.2, n)
    klass = (rng.random(n) < expit(z)).astype(np.int64)
    ts = (np.arange(n) + first_day) * DAY
    return ClassRows(two_classes(expit(sure * z + bias)), klass, ts, ts + DAY, np.full(n, ""))


def many_rows(n: int, *, sure: float = 2.0, classes: int = 9, seed: int = 1) -> ClassRows:
    """Return outcomes of c classes with true scores z, forecast with sure * z."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0.0, 1.0, (n, classes))
    true = softmax(z, axis=1)
    klass = (rng.random(n)[:, None] > np.cumsum(true, axis=1)).sum(axis=1).astype(np.int64)
    ts = np.arange(n) * DAY
    return ClassRows(softmax(sure * z, axis=1), np.minimum(klass, classes - 1), ts, ts + DAY, np.full(n, ""))
