"""Diebold-Mariano against R's forecast package; Clark-West against its two definitions, size and power."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from karat.core import InputError
from karat.evidence import clark_west, diebold_mariano, max_t

GOLDEN = Path(__file__).parents[1] / "golden" / "evidence"
ERRORS = {
    "wwwusage_insample": "dm_wwwusage_insample_errors.csv",
    "wwwusage_outsample(doc example)": "dm_wwwusage_outsample_errors.csv",
}


@pytest.mark.req("EVAL-14")
@pytest.mark.parametrize("row", json.loads((GOLDEN / "dm_expected_forecastR.json").read_text()))
def test_diebold_mariano_equals_r(row: dict[str, object]) -> None:
    errors = np.abs(np.loadtxt(GOLDEN / ERRORS[row["case"]], delimiter=",", skiprows=1)) ** row["power"]
    alternative = str(row["alternative"]).replace("two.sided", "two-sided")
    got = diebold_mariano(errors[:, 0], errors[:, 1], horizon=row["h"], alternative=alternative)
    assert got.statistic == pytest.approx(row["stat"], rel=1e-8)
    assert got.p_value == pytest.approx(row["p"], rel=1e-8)
    assert got.variance == "acf"


@pytest.mark.req("EVAL-14")
def test_diebold_mariano_holds_its_size_with_overlapping_horizons() -> None:
    found = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        shocks = rng.normal(size=(204, 2))
        sums = np.stack([np.convolve(shocks[:, k], np.ones(5), "valid") for k in (0, 1)], axis=1)
        found += diebold_mariano(sums[:, 0], sums[:, 1], horizon=5).p_value <= 0.05
    assert stats.binom.ppf(0.001, 400, 0.05) <= found <= stats.binom.ppf(0.999, 400, 0.09)


def test_bartlett_where_the_plain_variance_is_not_positive() -> None:
    d = np.tile([1.0, -1.0], 20) + np.linspace(0, 0.01, 40)
    got = diebold_mariano(d, np.zeros(40), horizon=2)
    assert got.variance == "bartlett"
    assert np.isfinite(got.statistic)
    asked = diebold_mariano(np.arange(40.0) % 7, np.zeros(40), horizon=3, variance="bartlett")
    assert asked.variance == "bartlett"


def test_equal_losses_are_no_evidence_and_nan_rows_are_left_out() -> None:
    loss = np.array([1.0, 2.0, 4.0, np.nan])
    assert diebold_mariano(loss, loss).p_value == 1.0
    assert diebold_mariano(loss, np.zeros(4)).n == 3
    with pytest.raises(InputError, match="loss: got 'a constant difference'; it has no variance; allowed: losses"):
        diebold_mariano(loss, loss - 1.0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-1, 1)] * 3, st.floats(0.01, 2)), min_size=1, max_size=20))
def test_clark_west_is_the_adjusted_error_difference_and_twice_the_encompassing_term(rows) -> None:
    y, base, model, scale = np.array(rows).T
    got = clark_west(y, base, model, scale)
    adjusted = ((y - base) ** 2 - ((y - model) ** 2 - (base - model) ** 2)) / scale**2
    encompassing = 2 * (y - base) * ((y - base) - (y - model)) / scale**2
    np.testing.assert_allclose(got, adjusted, rtol=1e-9, atol=1e-7)
    np.testing.assert_allclose(got, encompassing, rtol=1e-9, atol=1e-7)


def test_2_clark_west_is_zero_where_both_agree_and_nan_where_anything_is_missing() -> None:
    y = np.array([0.01, np.nan, 0.03])
    got = clark_west(y, np.zeros(3), np.array([0.0, 0.1, 0.1]), np.array([0.02, 0.02, np.nan]))
    assert got[0] == 0.0
    assert np.isnan(got[1:]).all()


def test_clark_west_sees_direction_and_not_volatility() -> None:
    """A world with true volatility skill and no direction, and one with direction, at the same baseline."""
    passed = {"volatility": 0, "direction": 0}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        signal, sigma = rng.normal(size=1000), np.exp(rng.normal(0, 0.5, 1000)) * 0.01
        scale = np.full(1000, 0.0115)
        blind = rng.normal(0, 1e-3, 1000) * sigma / 0.01
        y = sigma * rng.normal(size=1000)
        known = y + 0.16 * sigma * signal
        for name, outcome, model in (("volatility", y, blind), ("direction", known, 0.16 * sigma * signal)):
            terms = clark_west(outcome, np.zeros(1000), model, scale)[:, None]
            passed[name] += max_t(terms, 0, block=2.0, draws=400, seed=seed).p_value <= 0.025
    assert passed["volatility"] <= stats.binom.ppf(0.999, 60, 0.025)
    assert passed["direction"] >= 50


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diebold_mariano(np.zeros(5), np.zeros(4)), r"baseline_loss: got 'shape \(4,\)'; allowed: \(5,\)"),
        (lambda: diebold_mariano(np.arange(5.0), np.zeros(5), horizon=5), "horizon: got 5; it must be shorter than"),
        (
            lambda: diebold_mariano(np.arange(5.0), np.zeros(5), alternative="les"),
            "alternative: got 'les'; allowed: two-sided, less, greater; did you mean 'less'?",
        ),
        (lambda: clark_west(np.zeros(2), np.zeros(2), np.zeros(3), np.ones(2)), r"model: got 'shape \(3,\)'"),
        (lambda: clark_west(np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1)), "scale: got 'zero or negative val"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
