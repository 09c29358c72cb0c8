"""ARIMA: known coefficients recovered, forecasts against statsmodels, labels that start late."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter
from statsmodels.tsa.arima.model import ARIMA

from karat.core import NS_PER_DAY, generator
from karat.data import MEDIAN, Labels, Train, Valid
from karat.models import create
from karat.models._arima import _stable, fit_arma, forecast_arma
from karat.models.contract import planted_views


def _arma(phi: list[float], theta: list[float], n: int, scale: float = 0.01) -> np.ndarray:
    shock = scale * generator(11, "arima-tests").standard_normal(n + 200)
    return lfilter(np.r_[1.0, theta], np.r_[1.0, -np.array(phi)], shock)[200:]


@pytest.mark.req("MOD-24")
@pytest.mark.parametrize(("phi", "theta"), [([0.6], [0.4]), ([0.5, -0.3], []), ([], [0.7]), ([1.2, -0.5], [-0.4])])
def test_known_coefficients_are_recovered(phi: list[float], theta: list[float]) -> None:
    found, problem = fit_arma(0.002 + _arma(phi, theta, 6000), len(phi), len(theta))
    assert problem is None
    assert np.allclose(found[1:], phi + theta, atol=0.08)
    assert found[0] == pytest.approx(0.002, abs=0.001)


def test_forecasts_equal_those_of_statsmodels() -> None:
    phi, theta = np.array([0.5, -0.2]), np.array([0.3])
    errors = _arma(phi.tolist(), theta.tolist(), 400, scale=1.0)
    found = forecast_arma(errors, phi, theta, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ARIMA(errors, order=(2, 0, 1), trend="n")
        expected = model.filter(np.r_[phi, theta, 1.0]).forecast(4)
    assert np.allclose(found[-1], expected, atol=1e-6)
    assert (forecast_arma(errors[:300], phi, theta, 4) == found[:300]).all()


@pytest.mark.parametrize(
    ("returns", "why"),
    [
        (np.zeros(0), "0 returns, fewer than 50"),
        (np.full(100, 0.01), "the returns do not vary"),
    ],
)
def test_too_little_data_is_white_noise(returns: np.ndarray, why: str) -> None:
    found, problem = fit_arma(returns, 1, 1)
    assert problem == why
    assert (found[1:] == 0.0).all()


def test_orders_of_zero_need_no_search() -> None:
    assert fit_arma(_arma([], [], 100), 0, 0)[1] is None


def test_a_search_that_fails_is_white_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from statsmodels.tsa.arima.estimators import innovations

    def give(slope: float, ar: float, ma: float) -> None:
        result = SimpleNamespace(ar_params=np.array([ar]), ma_params=np.array([ma]))
        details = SimpleNamespace(minimize_results=SimpleNamespace(jac=np.array([0.0, slope])))
        monkeypatch.setattr(innovations, "innovations_mle", lambda *args, **kwargs: (result, details))

    returns = _arma([0.5], [], 200)
    for slope, ar, ma, why in (
        (1.0, 0.5, 0.0, "the likelihood was not maximised"),
        (0.0, float("nan"), 0.0, "the likelihood was not maximised"),
        (0.0, 1.0, 0.0, "the estimates are not stationary and invertible"),
        (0.0, 0.5, 1.5, "the estimates are not stationary and invertible"),
    ):
        give(slope, ar, ma)
        found, problem = fit_arma(returns, 1, 1)
        assert problem == why
        assert (found[1:] == 0.0).all()
    assert _stable(np.zeros(0))


def _momentum(start_late: bool) -> tuple[Train, Valid, Train]:
    """Views whose returns follow an AR(1) of 0.4; labels are the next return, or the one after it."""
    template = planted_views(rows=2400, width=2, names=("A.X",))
    returns = _arma([0.4], [], 2400)
    lag = 2 if start_late else 1
    views = []
    for view, kind in zip(template, (Train, Valid, Train), strict=True):
        table = replace(view.table, returns=returns[: len(view.table.ts)])
        ts = view.ts
        end = ts + lag * NS_PER_DAY
        value = np.append(returns, [0.0, 0.0])[view.rows + lag]
        start = ts + (lag - 1) * NS_PER_DAY + (0 if start_late else 1)
        views.append(kind(table, view.rows, "1d", Labels(value, start, end)))
    return tuple(views)  # type: ignore[return-value]


@pytest.mark.parametrize(("late", "slope"), [(False, 0.4), (True, 0.16)])
def test_momentum_is_forecast_over_the_bars_of_the_label(late: bool, slope: float) -> None:
    train, valid, test = _momentum(late)
    model = create("arima", {"p": 1, "q": 0}).fit(train, valid)
    assert model._skip == int(late)  # type: ignore[attr-defined]
    median = model.predict(test).quantiles[:, MEDIAN]
    last = test.table.returns[test.rows]
    assert np.polyfit(last, median, 1)[0] == pytest.approx(slope, abs=0.06)


def test_white_noise_is_noted() -> None:
    train, valid, _ = planted_views(rows=60, width=2)
    assert create("arima").fit(train, valid).notes == (
        "arima: white noise for A.X: 44 returns, fewer than 50",
        "arima: white noise for B.X: 44 returns, fewer than 50",
    )
