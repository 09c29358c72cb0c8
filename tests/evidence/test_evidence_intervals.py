"""Bootstrap and Student intervals: coverage, determinism, agreement with scipy; seeds of repeated runs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from karat.core import InputError
from karat.evidence import (
    aggregate,
    bca_interval,
    block_length,
    bootstrap_interval,
    performance_intervals,
    run_seeds,
    sharpe_interval,
)
from karat.kernels import sharpe

REFERENCE = Path(os.environ.get("KARAT_REFERENCE", "../shared/reference"))


def ar1(n: int, phi: float, seed: int) -> np.ndarray:
    shocks = np.random.default_rng(seed).normal(size=n + 100)
    out = np.zeros(n + 100)
    for t in range(1, n + 100):
        out[t] = phi * out[t - 1] + shocks[t]
    return out[100:]


@pytest.mark.req("EVAL-15")
def test_coverage_of_the_block_bootstrap_is_near_nominal_under_dependence() -> None:
    runs, inside, naive = 150, 0, 0
    for seed in range(runs):
        x = ar1(400, 0.4, seed)
        got = bootstrap_interval(x, lambda v: float(v.mean()), block=block_length(x), draws=200, level=0.9, seed=seed)
        one = bootstrap_interval(x, lambda v: float(v.mean()), block=1.0, draws=200, level=0.9, seed=seed)
        inside += got.lower <= 0 <= got.upper
        naive += one.lower <= 0 <= one.upper
    assert inside / runs > 0.80
    assert naive < inside - 10


@pytest.mark.req("EVAL-15")
def test_aggregate_by_hand_and_coverage() -> None:
    got = aggregate([1.0, 2.0, 3.0, float("nan")])
    assert (got.n, got.mean, got.sd) == (3, 2.0, 1.0)
    low, high = stats.t.interval(0.95, 2, loc=2.0, scale=1 / np.sqrt(3))
    assert (got.lower, got.upper) == pytest.approx((low, high))
    samples = np.random.default_rng(1).normal(5.0, 2.0, (2000, 5))
    inside = sum(row.lower <= 5.0 <= row.upper for row in map(aggregate, samples))
    assert stats.binom.ppf(0.001, 2000, 0.95) <= inside <= stats.binom.ppf(0.999, 2000, 0.95)
    one = aggregate([4.0])
    assert one.mean == 4.0
    assert np.isnan([one.sd, one.lower, one.upper]).all()


@pytest.mark.req("EVAL-23")
def test_intervals_of_roi_sharpe_and_drawdown_hold_their_estimates_and_repeat() -> None:
    x = np.random.default_rng(1).normal(0.0005, 0.01, 500)
    got = performance_intervals(x, periods_per_year=252, draws=300, seed=5)
    assert sorted(got) == ["max_drawdown", "roi", "sharpe"]
    for interval in got.values():
        assert interval.lower < interval.upper
        assert interval.undefined == 0
    for name in ("roi", "sharpe"):
        assert got[name].lower < got[name].estimate < got[name].upper
    assert got["roi"].estimate == pytest.approx(np.prod(1 + x) - 1)
    assert got == performance_intervals(x, periods_per_year=252, draws=300, seed=5)
    assert got != performance_intervals(x, periods_per_year=252, draws=300, seed=6)


def test_a_statistic_without_a_value_has_no_bounds() -> None:
    def never(_: np.ndarray) -> float:
        return float("nan")

    got = bootstrap_interval(np.arange(20.0), never, block=2.0, draws=10, seed=1)
    assert got.undefined == 10
    assert np.isnan([got.estimate, got.lower, got.upper]).all()

    def rarely(values: np.ndarray) -> float:
        return 1.0 if values[0] == 0.0 else float("nan")

    got = bootstrap_interval(np.arange(20.0), rarely, block=2.0, draws=50, seed=1)
    assert got.estimate == 1.0
    assert got.undefined > 25
    assert np.isnan([got.lower, got.upper]).all()


@pytest.mark.parametrize(("n", "block", "scale"), [(500, 2.0, 0.01), (60, 10.0, 1e-6), (3, 2.0, 1.0)])
def test_the_interval_of_the_sharpe_ratio_from_counts_is_that_from_resampled_rows(
    n: int, block: float, scale: float
) -> None:
    values = np.append(scale * (np.random.default_rng(n).standard_t(3, n) + 0.05), np.nan)
    options = {"block": block, "draws": 500, "level": 0.9, "seed": 4}
    fast = sharpe_interval(values, periods_per_year=252.0, **options)
    plain = bootstrap_interval(values, lambda row: sharpe(row, periods_per_year=252.0), **options)
    assert (fast.estimate, fast.undefined) == (plain.estimate, plain.undefined)
    assert (fast.lower, fast.upper) == pytest.approx((plain.lower, plain.upper), rel=1e-9)


def test_returns_that_never_vary_have_no_interval_of_their_sharpe_ratio() -> None:
    for values in (np.full(50, 0.01), np.zeros(50), np.array([0.01])):
        found = sharpe_interval(values, periods_per_year=252.0, block=2.0, draws=100, seed=1)
        assert np.isnan([found.estimate, found.lower, found.upper]).all()
        assert found.undefined == 100
    once = np.zeros(40)
    once[7] = 1.0
    rare = sharpe_interval(once, periods_per_year=252.0, block=40.0, draws=400, seed=1)
    assert 0 < rare.undefined < 400


def test_nan_rows_are_left_out() -> None:
    x = np.random.default_rng(1).normal(size=100)
    gaps = np.insert(x, 5, np.nan)
    arguments = {"block": 3.0, "draws": 50, "seed": 2}
    assert bootstrap_interval(gaps, np.mean, **arguments) == bootstrap_interval(x, np.mean, **arguments)


def test_bca_agrees_with_scipy() -> None:
    x = np.random.default_rng(3).exponential(size=60)
    got = bca_interval(x, lambda v: float(v.mean()), draws=8000, seed=1)
    expected = stats.bootstrap(
        (x,), np.mean, n_resamples=8000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    assert got.lower == pytest.approx(expected.low, abs=0.02)
    assert got.upper == pytest.approx(expected.high, abs=0.02)


@pytest.mark.realdata
def test_bca_of_the_city_ratio() -> None:
    """Davison and Hinkley (1997): the ratio of city populations; percentile bounds of R's boot are (1.25, 2.21)."""
    city = np.loadtxt(REFERENCE / "inputs/03_evaluation/boot_city.csv", delimiter=",", skiprows=1)
    got = bca_interval(city, lambda v: float(v[:, 1].mean() / v[:, 0].mean()), draws=5000, seed=1)
    assert got.estimate == pytest.approx(1.5203125)
    assert 1.15 < got.lower < 1.35
    assert 1.9 < got.upper < 2.6


def test_bca_of_a_sample_that_cannot_vary() -> None:
    got = bca_interval(np.ones(5), lambda v: float(v.mean()), draws=20, seed=1)
    assert (got.estimate, got.lower, got.upper) == (1.0, 1.0, 1.0)


def test_bca_of_a_statistic_that_no_single_row_moves() -> None:
    got = bca_interval(np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0]), lambda v: float(v.max()), draws=200, seed=1)
    assert got.lower <= got.upper <= 1.0


@pytest.mark.req("EVAL-16")
def test_seeds_are_derived_stable_and_at_least_five_for_golden_results() -> None:
    five = run_seeds(42, 5, golden=True)
    assert len(set(five)) == 5
    assert run_seeds(42, 8)[:5] == five
    assert run_seeds(43, 5) != five
    with pytest.raises(InputError, match="runs: got 4; a golden result needs repeated runs; allowed: 5 or more"):
        run_seeds(42, 4, golden=True)
    with pytest.raises(InputError, match="runs: got 0; allowed: 1 or more"):
        run_seeds(42, 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_interval(np.arange(9.0), np.mean, block=1.0, level=1.0, seed=1), "level: got 1.0; allowed"),
        (lambda: bca_interval(np.arange(2.0), np.mean, seed=1), "sample: got '2 rows'; allowed: 3 or more"),
        (lambda: aggregate([]), "values: got 'no finite value'; allowed: one or more"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
