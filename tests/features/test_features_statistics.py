"""Statistics of a window, as libraries of time-series features have them, against scipy and plain formulas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from features_factory import panel
from scipy import stats

from karat.features import build

W = 20


def plain_time_arrow(r: np.ndarray, before: np.ndarray) -> float:
    """Time reversal asymmetry at lag 1, scaled by the mean cubed size."""
    return float(np.mean(r**2 * before - r * before**2) / np.mean(np.abs(r) ** 3))


def plain_hjorth(r: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Hjorth's complexity: mobility of the differences over mobility of the series."""
    return float(second.std() * r.std() / first.var())


PLAIN: dict[str, Callable[[np.ndarray, int], float]] = {
    "skewness_20": lambda r, t: float(stats.skew(r[t - W + 1 : t + 1])),
    "kurtosis_20": lambda r, t: float(stats.kurtosis(r[t - W + 1 : t + 1])),
    "autocorrelation1_20": lambda r, t: float(stats.pearsonr(r[t - W + 1 : t + 1], r[t - W : t]).statistic),
    "autocorrelation5_20": lambda r, t: float(stats.pearsonr(r[t - W + 1 : t + 1], r[t - W - 4 : t - 4]).statistic),
    "sign_memory_20": lambda r, t: float(
        stats.pearsonr(np.sign(r[t - W + 1 : t + 1]), np.sign(r[t - W : t])).statistic
    ),
    "time_arrow_20": lambda r, t: plain_time_arrow(r[t - W + 1 : t + 1], r[t - W : t]),
    "hjorth_20": lambda r, t: plain_hjorth(
        r[t - W + 1 : t + 1], np.diff(r)[t - W : t], np.diff(r, n=2)[t - W - 1 : t - 1]
    ),
}
SPREAD: dict[str, Callable[[np.ndarray], float]] = {
    "lean_20": lambda w: float((w.mean() - np.median(w)) / w.std(ddof=1)),
    "compactness_20": lambda w: float(np.abs(w - w.mean()).mean() / w.std(ddof=1)),
}


@pytest.fixture(scope="module")
def made() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return log returns, r[0] missing, and the features of 160 bars."""
    bars = panel(160)
    close = bars.frame["close"].to_numpy()
    found = build(bars, [*PLAIN, *SPREAD]).frame
    return np.r_[np.nan, np.diff(np.log(close))], {name: found[name].to_numpy() for name in (*PLAIN, *SPREAD)}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.req("FEAT-15")
def test_a_statistic_of_a_window_equals_its_formula(name: str, made: tuple[np.ndarray, dict[str, np.ndarray]]) -> None:
    r, features = made
    rows = range(40, 160)
    np.testing.assert_allclose(features[name][40:], [PLAIN[name](r, t) for t in rows], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", SPREAD)
@pytest.mark.req("FEAT-15")
def test_a_spread_of_a_window_equals_its_formula(name: str, made: tuple[np.ndarray, dict[str, np.ndarray]]) -> None:
    r, features = made
    windows = np.lib.stride_tricks.sliding_window_view(r, W)[40 - W + 1 :]
    np.testing.assert_allclose(features[name][40:], [SPREAD[name](w) for w in windows], rtol=1e-9, atol=1e-12)
