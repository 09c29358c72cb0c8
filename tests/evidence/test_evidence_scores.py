"""Scores against scoringrules and properscoring, hand calculation, and propriety."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from karat.core import InputError
from karat.data import INNER, LEVELS
from karat.evidence import (
    brier_classes,
    crps_from_quantiles,
    crps_normal,
    interval_score,
    log_loss_classes,
    pinball,
    pinball_each,
    pit,
    quantile_reliability,
    reliability,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "evidence" / "scores_expected.json").read_text())


def one(value: float) -> np.ndarray:
    return np.array([float(value)])


@pytest.mark.parametrize("row", GOLDEN["crps_normal(mu,sigma)"])
def test_crps_normal_equals_scoringrules(row: dict[str, float]) -> None:
    got = crps_normal(one(row["y"]), one(row["mu"]), one(row["sigma"]))[0]
    assert got == pytest.approx(row["scoringrules"], abs=1e-10)
    assert got == pytest.approx(row["properscoring"], abs=1e-10)


@pytest.mark.parametrize("row", GOLDEN["crps_quantile"])
def test_pinball_and_crps_from_quantiles_equal_scoringrules(row: dict[str, object]) -> None:
    q, levels = np.array([row["q"]], dtype=float), np.array(row["alpha"], dtype=float)
    y = one(row["y"])
    np.testing.assert_allclose(pinball_each(y, q, levels)[0], row["pinball_each"], atol=1e-10)
    assert pinball(y, q, levels)[0] == pytest.approx(np.mean(row["pinball_each"]), abs=1e-10)
    assert crps_from_quantiles(y, q, levels)[0] == pytest.approx(row["scoringrules(=2*mean pinball)"], abs=1e-10)


@pytest.mark.parametrize("row", GOLDEN["interval_score"])
def test_interval_score_equals_scoringrules(row: dict[str, float]) -> None:
    got = interval_score(one(row["y"]), one(row["lower"]), one(row["upper"]), row["alpha"])[0]
    assert got == pytest.approx(row["scoringrules"], abs=1e-10)


def test_crps_of_many_quantiles_is_that_of_the_normal() -> None:
    levels = (np.arange(2000) + 0.5) / 2000
    y = np.array([-1.0, 0.3, 2.0])
    q = np.tile(stats.norm.ppf(levels, 0.2, 1.5), (3, 1))
    expected = crps_normal(y, np.full(3, 0.2), np.full(3, 1.5))
    np.testing.assert_allclose(crps_from_quantiles(y, q, levels), expected, atol=1e-3)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.05, 0.95), st.floats(-3, 3))
def test_pinball_is_least_at_the_quantile(level: float, other: float) -> None:
    y = stats.norm.ppf((np.arange(500) + 0.5) / 500)
    best = np.full((500, 1), np.quantile(y, level, method="inverted_cdf"))  # of the sample, not between two of it
    at = pinball(y, best, np.array([level])).mean()
    assert at <= pinball(y, np.full((500, 1), other), np.array([level])).mean() + 1e-12


def test_classes_by_hand() -> None:
    p = np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]])
    np.testing.assert_allclose(log_loss_classes(np.array([0, 1]), p), [np.log(2), 0.0])
    assert log_loss_classes(np.array([0, 0]), p)[1] == pytest.approx(-np.log(1e-12))
    np.testing.assert_allclose(brier_classes(np.array([0, 0]), p), [0.375, 2.0])


def test_nan_stays_in_its_row() -> None:
    y, q = np.array([np.nan, 0.0]), np.zeros((2, 2))
    levels = np.array([0.4, 0.6])
    assert np.isnan(pinball(y, q, levels)).tolist() == [True, False]
    assert np.isnan(pit(y, q, levels)).tolist() == [True, False]
    assert np.isnan(crps_normal(y, np.zeros(2), np.ones(2))).tolist() == [True, False]


def test_pit_by_hand_and_uniform_when_calibrated() -> None:
    q, levels = np.array([[0.0, 1.0, 1.0]]), np.array([0.2, 0.4, 0.8])
    for y, expected in [(-1.0, 0.1), (0.0, 0.2), (0.5, 0.3), (1.0, 0.4), (2.0, 0.9)]:
        assert pit(one(y), q, levels)[0] == pytest.approx(expected)
    y = np.random.default_rng(1).normal(size=4000)
    levels = LEVELS[INNER]
    u = pit(y, np.tile(stats.norm.ppf(levels), (4000, 1)), levels)
    inside = u[(u > 0.05) & (u < 0.95)]
    assert stats.kstest(inside, stats.uniform(0.05, 0.90).cdf).pvalue > 0.01
    assert ((u > 0) & (u < 1)).all()


def test_quantile_reliability_of_calibrated_and_narrow_forecasts() -> None:
    y = np.random.default_rng(2).normal(size=5000)
    y[0] = np.nan
    levels = LEVELS[INNER]
    good = quantile_reliability(y, np.tile(stats.norm.ppf(levels), (5000, 1)), levels)
    narrow = quantile_reliability(y, np.tile(0.5 * stats.norm.ppf(levels), (5000, 1)), levels)
    assert good.error < 0.01 < 0.05 < narrow.error
    assert good.counts.tolist() == [4999] * 19
    with pytest.raises(InputError, match="y: got 'no row without NaN'; allowed: at least one"):
        quantile_reliability(np.array([np.nan]), np.zeros((1, 19)), levels)


def test_reliability_by_hand() -> None:
    p = np.array([0.1, 0.1, 0.9, 1.0, np.nan])
    hit = np.array([0.0, 1.0, 1.0, 1.0, 1.0])
    table = reliability(p, hit, bins=2)
    np.testing.assert_allclose(table.promised, [0.1, 0.95])
    np.testing.assert_allclose(table.happened, [0.5, 1.0])
    assert table.counts.tolist() == [2, 2]
    assert table.error == pytest.approx(0.5 * 0.4 + 0.5 * 0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pinball(one(0), np.zeros((2, 1)), one(0.5)), r"quantiles: got 'shape \(2, 1\) for \(1,\) outcomes"),
        (lambda: pinball(one(0), np.zeros((1, 1)), one(1.0)), r"levels: got \[1.0\]; allowed: ascending numbers betw"),
        (lambda: crps_normal(one(0), one(0), one(0)), "sd: got 'zero or negative values'; allowed: positive numbers"),
        (lambda: interval_score(one(0), one(0), one(1), 1.0), "alpha: got 1.0; allowed: between 0 and 1"),
        (lambda: interval_score(one(0), one(2), one(1), 0.1), "lower: got 'values above upper'; allowed: lower <= up"),
        (lambda: brier_classes(np.array([3]), np.ones((1, 3)) / 3), r"klass: got \(3, 3\); allowed: 0 to 2"),
        (lambda: log_loss_classes(np.array([0, 1]), np.ones((1, 3))), r"klass: got 'shape \(2,\)'; allowed: \(1,\)"),
        (lambda: reliability(one(0.5), np.zeros(2)), "outcome, bins: got"),
        (lambda: reliability(one(1.5), one(1.0)), "probability, outcome: got 'no rows or values out of range'"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
