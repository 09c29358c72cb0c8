"""Sharpe tests against the numbers printed in Bailey and Lopez de Prado; power by simulation; matched risk."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from karat.core import InputError
from karat.evidence import (
    detectable_sharpe,
    dsr,
    expected_max_sharpe,
    hedged_excess,
    matched_excess,
    min_track_record,
    psr,
    spend_alpha,
)
from karat.evidence._sharpe import moments
from karat.kernels import volatility

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "evidence" / "psr_dsr_examples.json").read_text())


def test_psr_equals_the_paper() -> None:
    printed = GOLDEN["PSR_paper_24m"]
    assert psr(0.458, 24) == pytest.approx(printed["normal"], abs=1e-4)
    assert psr(0.458, 24, skew=-2.448, raw_kurtosis=10.164) == pytest.approx(printed["nonnormal"], abs=1e-4)


def test_dsr_equals_the_paper() -> None:
    given_ = GOLDEN["DSR_paper"]["inputs"]
    daily, variance = given_["SR_ann"] / math.sqrt(given_["periods"]), given_["V_ann"] / given_["periods"]
    floor = expected_max_sharpe(given_["N"], variance)
    assert floor == pytest.approx(GOLDEN["DSR_paper"]["SR0_daily"], rel=1e-9)
    shape = {"skew": given_["skew"], "raw_kurtosis": given_["kurt"]}
    got = dsr(daily, given_["T"], trials=given_["N"], variance=variance, **shape)
    assert got == pytest.approx(GOLDEN["DSR_paper"]["DSR"], abs=1e-4)
    assert dsr(daily, given_["T"], trials=46, variance=variance, **shape) == pytest.approx(0.9505, abs=1e-4)
    assert dsr(daily, given_["T"], trials=88, variance=variance) == pytest.approx(0.9505, abs=1e-4)


@pytest.mark.parametrize(("per_year", "years"), [(250, 2.73), (52, 2.83), (12, 3.24)])
def test_min_track_record_equals_the_paper(per_year: int, years: float) -> None:
    root = math.sqrt(per_year)
    assert min_track_record(2 / root, benchmark=1 / root) / per_year == pytest.approx(years, abs=0.005)


def test_min_track_record_of_a_hedge_fund_index() -> None:
    root = math.sqrt(12)
    got = min_track_record(2 / root, benchmark=1 / root, skew=-0.72, raw_kurtosis=5.78) / 12
    assert got == pytest.approx(4.99, abs=0.005)
    assert min_track_record(0.1, benchmark=0.1) == math.inf
    assert math.isnan(min_track_record(math.nan))


def test_track_record_and_psr_agree() -> None:
    n = min_track_record(0.1, skew=-1.0, raw_kurtosis=6.0)
    assert psr(0.1, round(n), skew=-1.0, raw_kurtosis=6.0) == pytest.approx(0.95, abs=1e-3)


def test_expected_max_of_one_trial_is_nothing_and_grows_with_trials() -> None:
    assert expected_max_sharpe(1, 1.0) == 0.0
    values = [expected_max_sharpe(n, 1.0) for n in (2, 10, 100, 1000)]
    assert values == sorted(values)
    simulated = np.random.default_rng(1).normal(size=(4000, 100)).max(axis=1).mean()
    assert values[2] == pytest.approx(simulated, rel=0.02)


def test_moments_drop_nan() -> None:
    x = np.append(np.random.default_rng(1).normal(0.1, 1, 99), np.nan)
    ratio, n, skew, tails = moments(x)
    assert n == 99
    assert ratio == pytest.approx(x[:-1].mean() / x[:-1].std(ddof=1))
    assert skew == pytest.approx(stats.skew(x[:-1]))
    assert tails == pytest.approx(stats.kurtosis(x[:-1], fisher=False))


@pytest.mark.req("EVAL-14")
def test_detectable_sharpe_has_the_power_it_states() -> None:
    n, alpha = 1000, 0.025
    annual = detectable_sharpe(n, 252, alpha=alpha)
    x = np.random.default_rng(1).normal(annual / math.sqrt(252), 1.0, (2000, n))
    seen = (stats.ttest_1samp(x, 0.0, axis=1, alternative="greater").pvalue <= alpha).mean()
    assert seen == pytest.approx(0.80, abs=0.03)
    assert detectable_sharpe(n, 252, alpha=alpha, trials=50) > annual > detectable_sharpe(2 * n, 252, alpha=alpha)


def test_spending_sums_to_alpha() -> None:
    spent = [spend_alpha(0.025, j) for j in range(1, 20_000)]
    assert spent == sorted(spent, reverse=True)
    assert sum(spent) < 0.025
    assert sum(spent) == pytest.approx(0.025, rel=1e-4)
    assert spent[1] == pytest.approx(spent[0] / 4)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.2, 5.0))
def test_matched_excess_has_the_baselines_risk_whatever_the_leverage(seed: int, leverage: float) -> None:
    rng = np.random.default_rng(seed)
    net, base = rng.normal(0.001, 0.01, 200), rng.normal(0, 0.01, 200)
    got = matched_excess(net, base)
    np.testing.assert_allclose(matched_excess(net * leverage, base), got, atol=1e-12)
    assert volatility(got + base, periods_per_year=1) == pytest.approx(volatility(base, periods_per_year=1))


def test_matched_excess_is_capped_and_leaves_flat_series_alone() -> None:
    rng = np.random.default_rng(1)
    net, base = rng.normal(0, 1e-6, 100), rng.normal(0, 0.01, 100)
    np.testing.assert_allclose(matched_excess(net, base), 10.0 * net - base)
    np.testing.assert_allclose(matched_excess(np.zeros(100), base), -base)
    np.testing.assert_allclose(matched_excess(net, np.full(100, 0.1)), net - 0.1)
    assert np.isnan(matched_excess(np.full(3, np.nan), np.zeros(3))).all()
    gap = matched_excess(np.where(np.arange(100) == 3, np.nan, base), base)
    assert np.isnan(gap).tolist() == [k == 3 for k in range(100)]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(-3.0, 3.0))
def test_hedged_excess_is_what_a_regression_leaves_and_never_pays_for_being_short(seed: int, slope: float) -> None:
    rng = np.random.default_rng(seed)
    base = rng.normal(0.001, 0.01, 300)
    net = 0.0005 + slope * base + rng.normal(0.0, 0.01, 300)
    line = stats.linregress(base, net)
    got = hedged_excess(net, base)
    if line.slope > 0:
        assert got.mean() == pytest.approx(line.intercept, abs=1e-12), "Jensen's alpha"
        assert np.corrcoef(got, base)[0, 1] == pytest.approx(0.0, abs=1e-9)
    else:
        assert (got == net).all()


def test_hedged_excess_of_copies_flat_series_and_gaps() -> None:
    base = np.random.default_rng(1).normal(0.01, 0.01, 100)
    assert (hedged_excess(3.7 * base, base) == 0.0).all(), "not the rounding of a drift"
    assert (hedged_excess(np.zeros(100), base) == 0.0).all()
    assert (hedged_excess(base, np.full(100, 0.1)) == base).all()
    assert np.isnan(hedged_excess(np.full(3, np.nan), np.zeros(3))).all()
    gap = hedged_excess(np.where(np.arange(100) == 3, np.nan, base), base[::-1])
    assert np.isnan(gap).tolist() == [k == 3 for k in range(100)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: hedged_excess(np.zeros(3), np.zeros(2)),
            r"baseline_net: got 'shape \(2,\)'; allowed: \(3,\): as net",
        ),
        (lambda: psr(0.1, 1), "n: got 1; allowed: 2 or more periods"),
        (lambda: expected_max_sharpe(0.5, 1.0), "trials: got 0.5; allowed: 1 or more"),
        (lambda: expected_max_sharpe(2, -1.0), "variance: got -1.0; allowed: 0 or more"),
        (lambda: min_track_record(0.1, confidence=1.0), "confidence: got 1.0; allowed: between 0 and 1"),
        (lambda: detectable_sharpe(0, 252, alpha=0.05), "n, trials, periods_per_year: got"),
        (lambda: detectable_sharpe(10, 252, alpha=0.05, power=1.0), "alpha, power: got"),
        (lambda: spend_alpha(0.05, 0), "opening: got 0; allowed: 1 or more"),
        (lambda: spend_alpha(1.0, 1), "alpha: got 1.0; allowed: between 0 and 1"),
        (
            lambda: matched_excess(np.zeros(3), np.zeros(2)),
            r"baseline_net: got 'shape \(2,\)'; allowed: \(3,\): as net",
        ),
        (lambda: matched_excess(np.zeros(3), np.zeros(3), cap=0), "cap: got 0; allowed: a positive number"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
