"""GARCH(1,1): the filter against a plain loop, the fit against published numbers, the fallback when it fails."""

from __future__ import annotations

import json
import math
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from karat.core import generator
from karat.models import create
from karat.models._garch import Garch, fit_garch, next_variance, summed_variance
from karat.models.contract import planted_views

sys.path.insert(0, str(Path(__file__).parents[1] / "oracles"))
from oracle_volatility import garch_next, garch_sum

TRUE = Garch(0.05, 0.03, 0.08, 0.9, 6.0, 1.5)


def _simulate(n: int) -> np.ndarray:
    rng = generator(7, "garch-tests")
    shock = rng.standard_t(TRUE.nu, n) * math.sqrt((TRUE.nu - 2) / TRUE.nu)
    h, out = TRUE.start, np.empty(n)
    for t in range(n):
        out[t] = TRUE.mu + math.sqrt(h) * shock[t]
        h = TRUE.omega + TRUE.alpha * (out[t] - TRUE.mu) ** 2 + TRUE.beta * h
    return out


def test_the_filter_equals_a_plain_loop() -> None:
    errors = _simulate(300) - TRUE.mu
    expected = garch_next(errors.tolist(), TRUE.omega, TRUE.alpha, TRUE.beta, TRUE.start)
    assert np.allclose(next_variance(errors, TRUE), expected, rtol=1e-12)
    assert (next_variance(errors[:100], TRUE) == next_variance(errors, TRUE)[:100]).all()


@pytest.mark.parametrize("bars", [1, 2, 5])
def test_variances_add_up_over_the_horizon(bars: int) -> None:
    found = summed_variance(np.array([0.5, 4.0]), TRUE, bars)
    assert np.allclose(found, [garch_sum(h, TRUE.omega, TRUE.alpha + TRUE.beta, bars) for h in (0.5, 4.0)])


def test_known_parameters_are_recovered() -> None:
    found, problem = fit_garch(_simulate(6000))
    assert problem is None
    assert found.alpha == pytest.approx(TRUE.alpha, abs=0.025)
    assert found.beta == pytest.approx(TRUE.beta, abs=0.03)
    assert found.nu == pytest.approx(TRUE.nu, rel=0.2)
    assert found.mu == pytest.approx(TRUE.mu, abs=0.04)


@pytest.mark.parametrize(
    ("returns", "why"),
    [
        (np.zeros(0), "0 returns, fewer than 250"),
        (_simulate(100), "100 returns, fewer than 250"),
        (np.full(300, 0.5), "the returns do not vary"),
    ],
)
def test_too_little_data_gives_the_ewma_recursion(returns: np.ndarray, why: str) -> None:
    found, problem = fit_garch(returns)
    assert problem == why
    assert (found.omega, found.alpha, found.beta) == (0.0, 0.06, 0.94)
    assert found.start > 0.0
    assert math.isnan(found.loglik)


def test_an_unfinished_search_is_never_used(monkeypatch: pytest.MonkeyPatch) -> None:
    import arch
    from arch.utility.exceptions import ConvergenceWarning

    original = arch.arch_model

    class Unfinished:
        """The real model, stopped after one step of the optimiser."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._model = original(*args, **kwargs)

        def fit(self, **kwargs: Any) -> Any:
            warnings.warn("stopped", ConvergenceWarning, stacklevel=1)
            return self._model.fit(**kwargs, options={"maxiter": 1})

    monkeypatch.setattr(arch, "arch_model", Unfinished)
    found, problem = fit_garch(_simulate(400))
    assert problem is not None
    assert problem.startswith("the optimiser stopped with flag ")
    assert (found.alpha, found.beta) == (0.06, 0.94)


def test_a_replaced_fit_is_noted_and_still_forecasts() -> None:
    train, valid, test = planted_views(rows=150, width=3)
    model = create("garch_t").fit(train, valid)
    # Rows of Train's table less the first, which has no return.
    assert model.notes == (
        "garch_t: EWMA parameters for A.X: 112 returns, fewer than 250",
        "garch_t: EWMA parameters for B.X: 112 returns, fewer than 250",
    )
    assert np.isfinite(model.predict(test).quantiles).all()


@pytest.mark.realdata
def test_dem_gbp_benchmark() -> None:
    """Fiorentini, Calzolari and Panattoni (1996), with arch 8.0 at the same convention for h_0."""
    folder = Path(os.environ.get("KARAT_REFERENCE", "../shared/reference"))
    expected = json.loads((folder / "dev/04_risk/garch_expected.json").read_text(encoding="utf-8"))
    returns = np.loadtxt(folder / "inputs/04_risk/dem2gbp.csv", skiprows=1)
    found, problem = fit_garch(returns, normal=True)
    stored = expected["arch8.0_GARCH11_backcast=var"]
    assert problem is None
    assert found.loglik == pytest.approx(stored["loglik"], abs=1e-4)
    for name, value in (("mu", found.mu), ("omega", found.omega), ("alpha[1]", found.alpha), ("beta[1]", found.beta)):
        assert value == pytest.approx(stored["params"][name], rel=1e-3), name
    published = expected["published_FCP_benchmark"]
    for name in ("omega", "alpha", "beta"):
        assert getattr(found, name) == pytest.approx(published[name], rel=1e-3), name

    errors = returns - published["mu"]
    mu, omega, alpha, beta = (published[name] for name in ("mu", "omega", "alpha", "beta"))
    garch = Garch(mu, omega, alpha, beta, math.inf, omega + (alpha + beta) * float(np.mean(errors**2)))
    path = np.r_[garch.start, next_variance(errors, garch)[:-1]]
    golden = expected["cond_var_at_published_params"]
    assert np.allclose(path[:5], golden["first5"], rtol=1e-9)
    assert np.allclose(path[-5:], golden["last5"], rtol=1e-9)
