"""Calibration errors, parts of the Brier score, PIT and coverage: by hand, by plain loops and by other software."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import numpy as np
import pytest
from calibration_factory import many_rows, normal_forecast, view
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss
from statsmodels.stats.proportion import proportion_confint

from karat.core import InputError
from karat.data import CUTS
from karat.evidence import brier_classes, crps_normal
from karat.evidence.calibration import (
    binomial_band,
    brier_parts,
    calibration_summary,
    coverage,
    ece,
    pit_uniform,
    reliability_curve,
    reliability_curves,
    rolling_coverage,
    two_classes,
)

HERE = Path(__file__).parents[1]
GOLDEN = HERE / "golden" / "evidence"
REFERENCE = Path(os.environ.get("KARAT_REFERENCE", "../shared/reference"))
ORACLE = runpy.run_path(str(HERE / "oracles" / "oracle_calibration.py"))
P, HIT = np.loadtxt(GOLDEN / "calib_binary.csv", delimiter=",", skiprows=1).T


@pytest.mark.parametrize("bins", [5, 10, 15])
def test_reliability_equals_scikit_learn(bins: int) -> None:
    got = reliability_curve(P, HIT, bins=bins)
    happened, promised = calibration_curve(HIT, P, n_bins=bins)
    np.testing.assert_allclose(got.happened, happened, atol=1e-12)
    np.testing.assert_allclose(got.promised, promised, atol=1e-12)
    assert got.error == pytest.approx(ORACLE["binned_error"](P, HIT, bins), abs=1e-12)


def test_equal_mass_bins_hold_equal_numbers_and_never_split_ties() -> None:
    got = reliability_curve(P, HIT, bins=8, edges="equal_mass")
    assert got.counts.tolist() == [250] * 8
    order = np.argsort(P, kind="stable")
    np.testing.assert_allclose(got.happened, HIT[order].reshape(8, 250).mean(axis=1))
    tied = reliability_curve(np.array([0.2, 0.2, 0.2, 0.9]), np.array([0.0, 1.0, 1.0, 1.0]), bins=2, edges="equal_mass")
    assert tied.counts.tolist() == [4]
    assert tied.promised[0] == pytest.approx(0.375)


def test_both_meanings_by_hand_and_by_plain_loops() -> None:
    p = two_classes(np.array([0.2, 0.2, 0.9, 0.9]))
    klass = np.array([0, 1, 1, 1])
    # Top label: said 0.8 (right half the time) and 0.9 (always right): 0.5 * 0.3 + 0.5 * 0.1.
    assert ece(klass, p, meaning="top_label") == pytest.approx(0.2)
    # Class 1: said 0.2 (happened half the time) and 0.9 (always): the same 0.2, and class 0 mirrors it.
    assert ece(klass, p, meaning="class_wise") == pytest.approx(0.2)
    rows = many_rows(400, classes=4)
    for meaning, plain in (("top_label", "top_label_error"), ("class_wise", "class_wise_error")):
        got = ece(rows.klass, rows.probabilities, meaning=meaning, bins=10)
        assert got == pytest.approx(ORACLE[plain](rows.klass.tolist(), rows.probabilities.tolist(), 10), abs=1e-12)
    both = [ece(rows.klass, rows.probabilities, meaning=meaning) for meaning in ("top_label", "class_wise")]
    assert abs(both[0] - both[1]) > 0.05


def test_the_two_meanings_differ_for_a_binary_forecast() -> None:
    """Errors of both sides cancel in the one bin of the top label and not in the two bins of the event."""
    klass, p = np.array([0, 0, 0, 1]), two_classes(np.array([0.3, 0.3, 0.7, 0.7]))
    assert ece(klass, p, meaning="top_label") == pytest.approx(0.05)
    assert ece(klass, p, meaning="class_wise") == pytest.approx(0.25)


def test_a_calibrated_forecast_has_an_error_near_zero() -> None:
    rows = many_rows(40_000, sure=1.0, classes=9)
    assert ece(rows.klass, rows.probabilities, meaning="class_wise") < 0.01
    assert ece(rows.klass, rows.probabilities, meaning="top_label") < 0.02
    sure = many_rows(40_000, sure=3.0, classes=9)
    assert ece(sure.klass, sure.probabilities, meaning="top_label") > 0.2
    assert len(reliability_curves(rows.klass, rows.probabilities)) == 9


def test_brier_equals_scikit_learn_and_adds_up() -> None:
    klass = HIT.astype(np.int64)
    parts = brier_parts(klass, two_classes(P))
    assert parts.score == pytest.approx(2.0 * brier_score_loss(klass, P), rel=1e-12)
    assert parts.total == pytest.approx(parts.score, abs=1e-14)
    assert abs(parts.within_variance) + abs(parts.within_covariance) > 1e-4


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(2, 6), st.integers(1, 12))
def test_1_the_brier_identity_holds_for_any_bins(seed: int, n: int, classes: int, bins: int) -> None:
    rng = np.random.default_rng(seed)
    p = softmax(rng.normal(0, 2, (n, classes)), axis=1)
    klass = rng.integers(0, classes, n)
    parts = brier_parts(klass, p, bins=bins)
    assert parts.total == pytest.approx(parts.score, abs=1e-12)
    assert parts.score == pytest.approx(float(brier_classes(klass, p).mean()), abs=1e-12)
    assert min(parts.reliability, parts.resolution, parts.within_variance) >= 0


def test_brier_by_hand() -> None:
    """Two bins with one forecast each: 0.25 (happened 1 of 4) and 0.75 (2 of 4), both events of one binary forecast."""
    p = np.repeat([0.25, 0.75], 4)
    klass = np.array([1, 0, 0, 0, 1, 1, 0, 0])
    parts = brier_parts(klass, two_classes(p), bins=2)
    assert parts.reliability == pytest.approx(2 * 0.5 * 0.25**2)
    assert parts.resolution == pytest.approx(2 * (0.5 * 0.125**2 + 0.5 * 0.125**2))
    assert parts.uncertainty == pytest.approx(2 * 0.375 * 0.625)
    assert (parts.within_variance, parts.within_covariance) == (0.0, 0.0)


def test_pit_equals_scipy_and_its_band_holds_under_uniform() -> None:
    u = np.random.default_rng(4).random(500)
    got = pit_uniform(u)
    expected = stats.kstest(u, "uniform")
    assert (got.distance, got.p_value) == (expected.statistic, expected.pvalue)
    assert got.counts.sum() == got.trials == 500
    assert (got.low, got.high) == stats.binom.interval(0.95, 500, 0.1)
    wide = pit_uniform(stats.norm.cdf(stats.norm.ppf(u) / 2))
    assert wide.p_value < 1e-6
    assert (wide.counts > wide.high).any()
    assert pit_uniform(np.repeat(u, 5), overlap=5).p_value == pytest.approx(expected.pvalue)


@pytest.mark.realdata
def test_pit_of_the_reference_sample_is_uniform_under_its_own_law_only() -> None:
    y = np.loadtxt(REFERENCE / "inputs/03_evaluation/pit_y_t5.csv", delimiter=",", skiprows=1)
    assert pit_uniform(stats.t(5).cdf(y)).p_value > 0.05
    assert pit_uniform(stats.norm(0.5, 1.0).cdf(y)).p_value < 1e-4


def test_coverage_equals_statsmodels_and_scipy() -> None:
    covered = (np.arange(200) % 10 != 0).astype(np.float64)
    covered[:7] = 0.0
    covered[50] = np.nan
    k, n = int(np.nansum(covered)), 199
    got = coverage(covered, 0.9)
    low, high = proportion_confint(k, n, method="beta")
    assert (got.lower, got.upper) == pytest.approx((low, high), abs=1e-10)
    assert got.p_value == stats.binomtest(k, n, 0.9).pvalue
    assert coverage(np.ones(50), 0.9).upper == 1.0
    assert coverage(np.zeros(50), 0.9).lower == 0.0
    assert coverage(np.ones(50), 0.9, overlap=5).trials == 10


@pytest.mark.parametrize(("trials", "nominal"), [(100, 0.9), (20, 0.5), (250, 0.05), (1, 0.9)])
def test_the_band_is_scipys(trials: int, nominal: float) -> None:
    expected = stats.binom.interval(0.95, trials, nominal)
    assert binomial_band(trials, nominal) == tuple(int(edge) for edge in expected)


def test_2_rolling_coverage_equals_plain_loops_and_reads_no_future() -> None:
    covered = (np.random.default_rng(3).random(150) < 0.9).astype(np.float64)
    got = rolling_coverage(covered, 0.9, window=40)
    np.testing.assert_allclose(got.share, ORACLE["rolling_share"](covered.tolist(), 40), atol=1e-12)
    low, high = binomial_band(40, 0.9)
    assert (got.low, got.high) == (low / 40, high / 40)
    poisoned = covered.copy()
    poisoned[100:] = 1.0 - poisoned[100:]
    np.testing.assert_array_equal(rolling_coverage(poisoned, 0.9, window=40).share[:100], got.share[:100])
    np.testing.assert_array_equal(rolling_coverage(covered[:100], 0.9, window=40).share, got.share[:100])
    with_gap = covered.copy()
    with_gap[60] = np.nan
    assert np.isnan(rolling_coverage(with_gap, 0.9, window=40).share[60:100]).all()


def test_a_calibrated_forecast_stays_in_its_band_and_a_narrow_one_leaves_it() -> None:
    rng = np.random.default_rng(9)
    good = rolling_coverage((rng.random(4000) < 0.9).astype(np.float64), 0.9, window=100)
    narrow = rolling_coverage((rng.random(4000) < 0.8).astype(np.float64), 0.9, window=100)
    assert good.outside < 0.10
    assert narrow.outside > 0.6
    wide = rolling_coverage(np.ones(100), 0.9, window=100, overlap=5)
    assert (wide.low, wide.high) == tuple(edge / 20 for edge in binomial_band(20, 0.9))


def test_the_summary_of_an_honest_and_of_a_narrow_forecast() -> None:
    value = np.random.default_rng(6).normal(0.0, 0.02, 4000)
    valid = view(value)
    edges = np.concatenate([[0.0], stats.norm.cdf(CUTS, scale=0.02), [1.0]])
    classes = np.tile(np.diff(edges), (4000, 1))
    honest = calibration_summary(normal_forecast(valid, 0.02, classes), value)
    narrow = calibration_summary(normal_forecast(valid, 0.01, classes), value)
    assert all(np.isfinite(figure) for figure in honest.values())
    assert honest["coverage_0.9"] == pytest.approx(0.9, abs=0.015)
    assert max(honest[name] for name in ("ece_top_label", "ece_class_wise", "quantile_error", "pit_distance")) < 0.03
    assert honest["crps"] < narrow["crps"]
    assert honest["crps"] == pytest.approx(crps_normal(value, np.zeros(4000), np.full(4000, 0.02)).mean(), rel=0.05)
    assert narrow["quantile_error"] > 0.08
    assert narrow["coverage_0.9_p"] < 1e-6 < 0.01 < honest["coverage_0.9_p"]
    assert narrow["pit_p"] < 1e-6 < 0.01 < honest["pit_p"]
    assert set(honest) == set(narrow)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ece(np.zeros(1, int), np.ones((1, 1)), meaning="top"),
            "meaning: got 'top'; allowed: top_label, class",
        ),
        (lambda: ece(np.zeros(0, int), np.ones((0, 2))), r"klass, probabilities: got 'shapes \(0,\) and \(0, 2\)'"),
        (lambda: reliability_curve(P, HIT, edges="mass"), "edges: got 'mass'; allowed: equal_width, equal_mass"),
        (lambda: brier_parts(np.zeros(2, int), np.ones((1, 2))), r"klass, probabilities: got 'shapes \(2,\) and"),
        (lambda: brier_parts(np.zeros(1, int), np.ones((1, 2)), bins=0), "bins: got 0; allowed: 1 or more"),
        (lambda: brier_parts(np.zeros(1, int), np.full((1, 2), 2.0)), "probabilities: got 'values outside 0 to 1'"),
        (lambda: pit_uniform(np.full(30, 2.0)), "values: got 'not PIT values'; allowed:"),
        (
            lambda: pit_uniform(np.full(30, 0.5), overlap=5),
            "values: got '6 independent rows'; allowed: 20 or more, 100",
        ),
        (lambda: pit_uniform(np.full(30, 0.5), bins=0), r"bins, overlap: got \(0, 1\); allowed: 1 or more"),
        (lambda: coverage(np.array([0.5]), 0.9), "covered: got 'no rows or other values'; allowed:"),
        (lambda: coverage(np.ones(3), 1.0), r"nominal, level: got \(1.0, 0.95\); allowed: between 0 and 1"),
        (lambda: coverage(np.ones(3), 0.5, overlap=0), "overlap: got 0; allowed: 1 or more bars"),
        (lambda: rolling_coverage(np.ones(3), 0.5, window=4), "window: got 4; allowed: 1 to 3 rows"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
