"""Clark and West's and Giacomini and White's tests: against regressions by statsmodels, size, power, no look ahead."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from karat.core import InputError
from karat.evidence import clark_west, clark_west_test, diebold_mariano, giacomini_white


def expanding_mean(y: np.ndarray) -> np.ndarray:
    """Return the mean of all earlier values, zero at first: a model that nests 'always zero'."""
    return np.concatenate([[0.0], np.cumsum(y)[:-1] / np.arange(1, len(y))])


@pytest.mark.parametrize("horizon", [1, 4])
def test_clark_west_is_the_t_value_of_a_regression_on_a_constant(horizon: int) -> None:
    """Clark and West (2007) give the test as this regression; at h > 1 with the plain autocovariances."""
    rng = np.random.default_rng(1)
    y = rng.normal(0.1, 1.0, 300)
    model = expanding_mean(y)
    got = clark_west_test(y, np.zeros(300), model, horizon=horizon)
    f = y**2 - ((y - model) ** 2 - model**2)
    np.testing.assert_allclose(got.mean, f.mean())
    plain = {"cov_type": "HC0"} if horizon == 1 else {"cov_type": "HAC", "cov_kwds": _uniform(horizon)}
    fitted = sm.OLS(f, np.ones(300)).fit(**plain)
    assert got.statistic == pytest.approx(float(fitted.tvalues[0]), rel=1e-9)
    assert got.p_value == pytest.approx(float(stats.norm.sf(fitted.tvalues[0])), rel=1e-9)


def _uniform(horizon: int) -> dict[str, object]:
    return {"maxlags": horizon - 1, "kernel": "uniform", "use_correction": False}


def test_clark_west_at_scale_one_are_the_terms_of_the_gate() -> None:
    rng = np.random.default_rng(2)
    y, base, model = rng.normal(size=(3, 50))
    got = clark_west_test(y, base, model)
    assert got.mean == pytest.approx(clark_west(y, base, model, np.ones(50)).mean())


@pytest.mark.req("EVAL-14")
def test_clark_west_holds_its_size_where_diebold_mariano_is_biased_and_finds_a_mean() -> None:
    cw, dm, found = 0, 0, 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=250)
        model = expanding_mean(y)
        cw += clark_west_test(y, np.zeros(250), model).p_value <= 0.05
        dm += diebold_mariano((y - model) ** 2, y**2, alternative="less").p_value <= 0.05
        shifted = y + 0.25
        found += clark_west_test(shifted, np.zeros(250), expanding_mean(shifted)).p_value <= 0.05
    assert cw <= stats.binom.ppf(0.999, 300, 0.05)
    assert dm < cw
    assert found > 250


@pytest.mark.req("EVAL-14")
def test_giacomini_white_is_n_r_squared_of_ones_on_z() -> None:
    """Giacomini and White (2006): at h = 1 the statistic is n times the uncentred R^2 of ones on z."""
    rng = np.random.default_rng(3)
    d = rng.normal(0.1, 1.0, 200)
    got = giacomini_white(d, np.zeros(200))
    z = np.column_stack([np.ones(199), d[:-1]]) * d[1:, None]
    expected = 199 * float(sm.OLS(np.ones(199), z).fit().rsquared)
    assert got.statistic == pytest.approx(expected, rel=1e-9)
    assert got.p_value == pytest.approx(float(stats.chi2.sf(expected, 2)), rel=1e-9)
    assert (got.degrees, got.n) == (2, 199)


def test_giacomini_white_at_a_longer_horizon_by_plain_loops() -> None:
    rng = np.random.default_rng(4)
    d, signal = rng.normal(size=120), rng.normal(size=120)
    g = np.column_stack([np.ones(120), signal])
    got = giacomini_white(d, np.zeros(120), horizon=3, instruments=g)
    z = [g[t - 3] * d[t] for t in range(3, 120)]
    s = sum(np.outer(a, a) for a in z) / 117
    for lag in (1, 2):
        cross = sum(np.outer(z[t], z[t - lag]) for t in range(lag, 117)) / 117
        s = s + (1 - lag / 3) * (cross + cross.T)
    mean = sum(z) / 117
    assert got.statistic == pytest.approx(float(117 * mean @ np.linalg.inv(s) @ mean), rel=1e-9)


@pytest.mark.req("EVAL-14")
def test_giacomini_white_holds_its_size_and_sees_a_predictable_switch() -> None:
    wrong = right = unconditional = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        d, state = rng.normal(size=300), rng.normal(size=300)
        g = np.column_stack([np.ones(300), state])
        wrong += giacomini_white(d, np.zeros(300), instruments=g).p_value <= 0.05
        switching = d.copy()
        switching[1:] += 0.4 * state[:-1]
        test = giacomini_white(switching, np.zeros(300), instruments=g)
        right += test.p_value <= 0.05
        unconditional += diebold_mariano(switching, np.zeros(300)).p_value <= 0.05
    assert stats.binom.ppf(0.001, 300, 0.05) <= wrong <= stats.binom.ppf(0.999, 300, 0.05)
    assert right > 280 > 60 > unconditional
    assert 0.3 < test.first_preferred < 0.7


def test_1_a_loss_never_meets_its_own_instrument() -> None:
    rng = np.random.default_rng(5)
    d = rng.normal(size=100)
    g = np.column_stack([np.ones(100), rng.normal(size=100)])
    changed = g.copy()
    changed[-3:] = 50.0
    same = [giacomini_white(d, np.zeros(100), horizon=3, instruments=x).statistic for x in (g, changed)]
    assert same[0] == same[1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: clark_west_test(np.zeros(5), np.zeros(4), np.zeros(5)),
            r"base, model: got 'shapes \(4,\) and \(5,\)'",
        ),
        (lambda: clark_west_test(*np.zeros((3, 5)), horizon=5), "horizon: got 5; it must be shorter than the series"),
        (
            lambda: clark_west_test(*np.zeros((3, 5))),
            "model: got 'a constant series of terms'; allowed: forecasts that",
        ),
        (lambda: giacomini_white(np.zeros(5), np.zeros(4)), r"baseline_loss: got 'shape \(4,\)'; allowed: \(5,\), one"),
        (lambda: giacomini_white(np.zeros(50), np.zeros(50), horizon=50), "horizon: got 50; it must be shorter than"),
        (
            lambda: giacomini_white(np.zeros(5), np.zeros(5)),
            "loss: got '4 rows after the horizon'; allowed: 20 or more",
        ),
        (
            lambda: giacomini_white(np.zeros(50), np.zeros(50)),
            "instruments: got '2 columns'; they do not vary on their own, or the losses are equal; allowed: ind",
        ),
        (
            lambda: giacomini_white(np.zeros(50), np.zeros(50), instruments=np.zeros((4, 1))),
            r"instruments: got 'shape \(4, 1\)'; allowed: \(50, q\): one row per loss",
        ),
        (
            lambda: giacomini_white(np.full(50, np.nan), np.zeros(50)),
            "loss, instruments: got 'values that are not finite'; allowed: finite numbers",
        ),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
