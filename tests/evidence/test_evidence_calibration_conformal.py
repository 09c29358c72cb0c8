"""Conformal intervals: ranks against MAPIE, coverage in and out of a steady world, the bound of Gibbs and Candes."""

from __future__ import annotations

import dataclasses
import json
import math
import runpy
from pathlib import Path

import numpy as np
import pytest
from calibration_factory import normal_forecast, view
from hypothesis import given, settings
from hypothesis import strategies as st

from karat.core import InputError
from karat.data import LEVELS, MEDIAN
from karat.evidence import quantile_reliability
from karat.evidence.calibration import (
    Adaptive,
    QuantileShift,
    SplitConformal,
    conformal_quantile,
    conformal_rank,
    coverage,
    outside,
    own_interval,
    pair,
    rolling_coverage,
    scan,
    step,
    widened,
    widening,
)

HERE = Path(__file__).parents[1]
GOLDEN = HERE / "golden" / "evidence"
ORACLE = runpy.run_path(str(HERE / "oracles" / "oracle_calibration.py"))
EXPECTED = json.loads((GOLDEN / "scores_expected.json").read_text())["split_conformal_n99"]
SCORES = np.loadtxt(GOLDEN / "conformal_abs_resid.csv", skiprows=1)


@pytest.mark.parametrize("share", sorted(EXPECTED))
def test_1_rank_and_quantile_equal_mapie(share: str) -> None:
    row = EXPECTED[share]
    assert conformal_rank(99, float(share)) == row["rank_ceil((n+1)(1-a))"]
    got = conformal_quantile(SCORES, float(share))
    assert got == row["order_stat"] == row.get("MAPIE1.6.0_halfwidth", row["order_stat"])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 400), st.integers(1, 999))
def test_1_the_rank_is_exact(n: int, thousandths: int) -> None:
    assert conformal_rank(n, thousandths / 1000) == -(-(n + 1) * thousandths // 1000)


def test_2_too_few_rows_give_an_infinite_interval() -> None:
    assert conformal_quantile(SCORES[:8], 0.9) == math.inf
    assert conformal_quantile(np.append(SCORES[:9], np.nan), 0.9) == SCORES[:9].max()
    assert conformal_quantile(np.empty(0), 0.5) == math.inf


def test_split_conformal_covers_where_the_forecast_is_too_sure_or_too_wide() -> None:
    rng = np.random.default_rng(1)
    for true, said in ((0.02, 0.01), (0.01, 0.02)):
        valid, later = view(rng.normal(0, true, 2000)), view(rng.normal(0, true, 2000), first_day=3000)
        fitted = SplitConformal.fit(pair(valid, normal_forecast(valid, said)), 0.9)
        lower, upper = fitted.interval(normal_forecast(later, said))
        covered = ((later.labels.value >= lower) & (later.labels.value <= upper)).astype(np.float64)
        raw = own_interval(normal_forecast(later, said).quantiles, 0.9)
        plain = ((later.labels.value >= raw[0]) & (later.labels.value <= raw[1])).mean()
        assert abs(covered.mean() - 0.9) < 0.02 < abs(plain - 0.9)
        # Normal: the 90 % point of the truth is true / said times as far out.
        assert fitted.by == pytest.approx((true / said - 1) / 2, abs=0.03)


def test_scores_and_widening_by_hand() -> None:
    lower, upper = np.array([-1.0, -1.0, 0.0]), np.array([1.0, 1.0, 0.0])
    np.testing.assert_allclose(outside(np.array([2.0, 0.0, 0.0]), lower, upper), [0.5, -0.5, 0.0])
    np.testing.assert_allclose(widened(lower, upper, 0.5)[1][:2], [2.0, 2.0])
    middle = widened(lower, upper, -3.0)
    np.testing.assert_allclose(middle, [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], atol=1e-9)
    assert np.isinf(widened(lower, upper, math.inf)[0]).all()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(-10, 10), min_size=1, max_size=120),
    st.sampled_from([0.5, 0.8, 0.9]),
    st.sampled_from([0.01, 0.1, 0.3]),
    st.integers(1, 6),
)
def test_2_scan_equals_steps_and_the_plain_form(scores: list[float], share: float, rate: float, lag: int) -> None:
    start = Adaptive(share, rate=rate, window=20)
    got, last = scan(start, np.array(scores), lag=lag)
    assert got.tolist() == ORACLE["adaptive"](scores, share, rate, 20, lag)
    if lag == 1:
        state, by = start, []
        for k, score in enumerate(scores):
            by.append(widening(state))
            state = step(state, score, by[k])
        assert got.tolist() == by
        assert last == step_back(start, scores, by)


def step_back(start: Adaptive, scores: list[float], by: list[float]) -> Adaptive:
    """Return the state after all scores but the last, which no later step has learned."""
    for score, used in zip(scores[:-1], by[:-1], strict=True):
        start = step(start, score, used)
    return start


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=5, max_size=200), st.sampled_from([0.05, 0.2, 0.5]), st.booleans())
def test_the_share_of_misses_keeps_the_bound_of_gibbs_and_candes(values: list[float], rate: float, trend: bool) -> None:
    scores = np.array(values) + (np.arange(len(values)) if trend else 0.0)
    by, _ = scan(Adaptive(0.9, rate=rate, window=1000), scores)
    missed = float((scores > by).mean())
    # Proposition 4.1: for every sequence, here also for one that grows without end.
    assert abs(missed - 0.1) <= (0.9 + rate) / (rate * len(scores)) + 1e-12


def test_adaptive_returns_to_its_coverage_after_a_change_and_split_does_not() -> None:
    rng = np.random.default_rng(5)
    value = rng.normal(0, 0.01, 3000) * np.where(np.arange(3000) < 1000, 1.0, 3.0)
    valid = view(value)
    interval = own_interval(normal_forecast(valid, 0.01).quantiles, 0.9)
    scores = outside(value, *interval)
    frozen = conformal_quantile(scores[:1000], 0.9)
    by, _ = scan(Adaptive(0.9, rate=0.02, window=500), scores)
    late = slice(1500, 3000)
    adaptive, split = (scores <= by)[late].astype(float), (scores <= frozen)[late].astype(float)
    assert abs(coverage(adaptive, 0.9).share - 0.9) < 0.02
    assert coverage(split, 0.9).share < 0.5
    assert rolling_coverage(adaptive, 0.9).outside < 0.1 < rolling_coverage(split, 0.9).outside


def test_2_no_later_score_moves_an_earlier_interval() -> None:
    scores = np.random.default_rng(2).normal(size=200)
    whole, _ = scan(Adaptive(0.8, rate=0.05), scores, lag=3)
    cut, _ = scan(Adaptive(0.8, rate=0.05), scores[:120], lag=3)
    np.testing.assert_array_equal(cut, whole[:120])
    poisoned = scores.copy()
    poisoned[117:] += 100.0
    changed, _ = scan(Adaptive(0.8, rate=0.05), poisoned, lag=3)
    np.testing.assert_array_equal(changed[:120], whole[:120])
    assert not np.array_equal(changed[120:], whole[120:])
    with_gap, _ = scan(Adaptive(0.8), np.array([0.0, np.nan, 1.0, 2.0, 3.0, 4.0, 5.0]))
    assert np.isfinite(with_gap[5:]).all()


def test_quantile_shift_brings_every_level_to_its_share() -> None:
    rng = np.random.default_rng(7)
    valid, later = view(rng.standard_t(4, 4000) * 0.01 + 0.004), view(rng.standard_t(4, 4000) * 0.01 + 0.004)
    shift = QuantileShift.fit(pair(valid, normal_forecast(valid, 0.01)))
    forecast = normal_forecast(later, 0.01)
    after, before = shift.calibrate(forecast), forecast
    good = quantile_reliability(later.labels.value, after.quantiles, LEVELS)
    bad = quantile_reliability(later.labels.value, before.quantiles, LEVELS)
    assert good.error < 0.015 < 0.05 < bad.error
    assert (np.diff(after.quantiles, axis=1) >= 0).all()
    np.testing.assert_array_equal(after.probabilities, before.probabilities)


def test_1_a_level_without_enough_rows_takes_its_neighbours_move() -> None:
    valid = view(np.random.default_rng(1).normal(0.0, 0.02, 160))
    large = QuantileShift.fit(pair(valid, normal_forecast(valid, 0.01)))
    assert np.isfinite(large.moves).all()
    few = pair(valid, normal_forecast(valid, 0.01))
    few = dataclasses.replace(few, value=np.where(np.arange(160) < 90, np.nan, few.value))
    thin = QuantileShift.fit(few)
    # 70 rows: the smallest usable share is 1/71, so 1 % takes the move of 2.5 %.
    assert thin.moves[0] == thin.moves[1]
    assert thin.moves[-1] == thin.moves[-2]
    assert thin.moves[1] != thin.moves[2]
    assert abs(thin.moves[MEDIAN]) < 0.2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: conformal_rank(9, 1.0), "coverage: got 1.0; allowed: between 0 and 1"),
        (
            lambda: own_interval(np.zeros((1, 23)), 0.85),
            "coverage: got 0.85; both ends must be levels of a forecast; allowed: 0.98, 0.95, 0.9, 0.8,",
        ),
        (lambda: Adaptive(1.5), "coverage: got 1.5; allowed: between 0 and 1"),
        (lambda: Adaptive(0.9, rate=0.0), "rate: got 0.0; allowed: between 0 and 1"),
        (lambda: Adaptive(0.9, window=1), "window: got 1; allowed: 2 scores or more"),
        (lambda: scan(Adaptive(0.9), np.zeros(3), lag=0), "lag: got 0; a score cannot widen its own interval; allowed"),
        (
            lambda: QuantileShift.fit(pair(view(np.zeros(9)), normal_forecast(view(np.zeros(9)), 0.01))),
            "pairs: got '9 rows'; allowed: 150 or more; use more folds of Valid",
        ),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
