"""Welch's tests, rank sums, power and exceedances: against R, statsmodels, published tables and simulation."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.oneway import anova_oneway
from statsmodels.stats.power import TTestIndPower, TTestPower
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from karat.core import InputError
from karat.evidence import (
    anova_welch,
    detectable_effect,
    detectable_sharpe,
    hedges_g,
    rank_sum,
    required_n,
    required_periods,
    var_backtest,
    welch_t,
)

REFERENCE = Path(os.environ.get("KARAT_REFERENCE", "../shared/reference"))


def mtcars() -> tuple[np.ndarray, np.ndarray]:
    """Return miles per gallon with manual and with automatic transmission, of R's `datasets::mtcars`."""
    with (REFERENCE / "inputs/03_evaluation/effect_mtcars.csv").open() as lines:
        rows = list(csv.reader(lines))[1:]
    return tuple(np.array([float(mpg) for mpg, am in rows if am == which]) for which in ("1", "0"))


@pytest.mark.req("EVAL-25")
@pytest.mark.realdata
def test_welch_equals_the_printed_r_output() -> None:
    """R: t.test(mpg ~ am, data = mtcars) prints t = -3.7671, df = 18.332, p = 0.001374, -11.280194 to -3.209684."""
    manual, automatic = mtcars()
    got = welch_t(automatic, manual)
    assert got.statistic == pytest.approx(-3.7671, abs=5e-5)
    assert got.degrees == pytest.approx(18.332, abs=5e-4)
    assert got.p_value == pytest.approx(0.001374, abs=5e-7)
    assert (got.lower, got.upper) == pytest.approx((-11.280194, -3.209684), abs=5e-7)


@pytest.mark.req("EVAL-15")
@pytest.mark.realdata
def test_rank_sum_equals_r() -> None:
    expected = json.loads((REFERENCE / "dev/03_evaluation/effect_sizes_R.json").read_text())
    got = rank_sum(*mtcars())
    assert got.w == expected["wilcox_W"]
    assert got.p_value == pytest.approx(expected["wilcox_p_corrected"], rel=1e-8)
    assert got.delta == pytest.approx(2 * 205 / (13 * 19) - 1)


@pytest.mark.req("EVAL-25")
def test_welch_equals_statsmodels_with_unequal_variances() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, 12), rng.normal(0.5, 4, 30)
    got = welch_t(np.append(a, np.nan), b, level=0.9)
    means = CompareMeans(DescrStatsW(a), DescrStatsW(b))
    t, p, degrees = means.ttest_ind(usevar="unequal")
    low, high = means.tconfint_diff(alpha=0.1, usevar="unequal")
    assert (got.statistic, got.p_value, got.degrees) == pytest.approx((t, p, degrees))
    assert (got.lower, got.upper) == pytest.approx((low, high))
    assert got.effect == hedges_g(a, b)


@pytest.mark.req("EVAL-25")
def test_welch_keeps_its_size_where_students_does_not() -> None:
    welch = student = 0
    for seed in range(600):
        rng = np.random.default_rng(seed)
        a, b = rng.normal(0, 4, 8), rng.normal(0, 1, 40)
        welch += welch_t(a, b).p_value <= 0.05
        student += stats.ttest_ind(a, b).pvalue <= 0.05
    assert welch <= stats.binom.ppf(0.999, 600, 0.055)
    assert student > 100


@pytest.mark.req("EVAL-14")
def test_welch_anova_equals_statsmodels_and_two_groups_equal_welch() -> None:
    rng = np.random.default_rng(2)
    groups = {"a": rng.normal(0, 1, 10), "b": rng.normal(1, 3, 15), "c": rng.normal(0, 2, 12)}
    got = anova_welch(groups)
    expected = anova_oneway(list(groups.values()), use_var="unequal", welch_correction=True)
    assert (got.f_statistic, got.p_value) == pytest.approx((expected.statistic, expected.pvalue))
    assert [(pair.first, pair.second) for pair in got.pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    two = anova_welch({"a": groups["a"], "b": groups["b"]})
    welch = welch_t(groups["a"], groups["b"])
    # Of two groups the studentised range is the t-test: q = t sqrt(2).
    assert two.pairs[0].p_value == pytest.approx(welch.p_value, rel=1e-6)
    assert (two.pairs[0].lower, two.pairs[0].upper) == pytest.approx((welch.lower, welch.upper), rel=1e-6)
    assert two.f_statistic == pytest.approx(welch.statistic**2)


def test_rank_sum_changes_sign_with_the_order_and_bears_one_wild_value() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(1, 1, 25), rng.normal(0, 1, 30)
    one, other = rank_sum(a, b), rank_sum(b, a)
    assert one.delta == pytest.approx(-other.delta)
    assert one.p_value == pytest.approx(other.p_value)
    wild = a.copy()
    wild[a.argmax()] = 1e6
    assert rank_sum(wild, b) == one


@pytest.mark.req("EVAL-14")
@pytest.mark.parametrize(("effect", "n"), [(0.2, 394), (0.5, 64), (0.8, 26)])
def test_sample_sizes_are_those_of_cohens_table(effect: float, n: int) -> None:
    """Cohen (1988), two samples, two-sided 5 %, power 80 %: 393, 64, 26; R's power.t.test gives 393.4, so 394."""
    assert required_n(effect, design="two-sample") == n
    assert detectable_effect(n, design="two-sample") <= effect
    assert detectable_effect(n - 1, design="two-sample") > effect


@pytest.mark.req("EVAL-14")
def test_power_equals_statsmodels_also_when_tests_share_alpha() -> None:
    got = detectable_effect(120, power=0.9, tests=10)
    assert TTestPower().power(got, 120, 0.005) == pytest.approx(0.9, abs=1e-9)
    assert detectable_effect(30, tests=50_000) == pytest.approx((6.3 + 0.84) / 30**0.5, abs=0.05)  # critical t 6.3
    n = required_n(-0.3, design="two-sample", tests=4)
    assert TTestIndPower().power(0.3, n, 0.0125) >= 0.8 > TTestIndPower().power(0.3, n - 1, 0.0125)


@pytest.mark.req("EVAL-14")
def test_the_detectable_effect_is_found_four_times_in_five() -> None:
    effect, found = detectable_effect(60), 0
    for seed in range(600):
        found += stats.ttest_1samp(np.random.default_rng(seed).normal(effect, 1.0, 60), 0.0).pvalue <= 0.05
    assert stats.binom.ppf(0.001, 600, 0.8) <= found <= stats.binom.ppf(0.999, 600, 0.8)


def test_required_periods_inverts_the_detectable_sharpe() -> None:
    for trials in (1, 100):
        n = required_periods(1.5, 252, trials=trials)
        assert detectable_sharpe(n, 252, alpha=0.025, trials=trials) <= 1.5
        assert detectable_sharpe(n - 1, 252, alpha=0.025, trials=trials) > 1.5


@pytest.mark.req("EVAL-26")
@pytest.mark.realdata
def test_exceedances_equal_rugarch() -> None:
    table = np.genfromtxt(REFERENCE / "inputs/04_risk/var_backtest_input.csv", delimiter=",", names=True)
    for row in json.loads((REFERENCE / "dev/04_risk/var_backtest_expected.json").read_text())["tests"]:
        got = var_backtest((table["ret"] < table[row["var"]]).astype(float), row["alpha"])
        assert got.count == row["exceed"]
        assert (got.unconditional, got.conditional, got.independence) == pytest.approx(
            (row["LR_uc"], row["LR_cc"], row["LR_ind"]), abs=1e-6
        )
        assert (got.unconditional_p, got.conditional_p) == pytest.approx((row["p_uc"], row["p_cc"]), abs=1e-6)


@pytest.mark.req("EVAL-26")
@pytest.mark.parametrize(
    ("share", "rows", "least", "most"),
    [(0.01, 255, 1, 6), (0.01, 510, 2, 10), (0.01, 1000, 5, 16), (0.05, 255, 7, 20), (0.05, 510, 17, 35)],
)
def test_accepted_counts_are_those_of_kupiecs_table(share: float, rows: int, least: int, most: int) -> None:
    """Kupiec (1995), as printed in Jorion: N < 7 at 1 % of 255, 1 < N < 11 of 510, 4 < N < 17 of 1000, and so on."""
    accepted = [
        n for n in range(rows // 4) if var_backtest((np.arange(rows) < n).astype(float), share).unconditional < 3.8415
    ]
    assert accepted == list(range(least, most + 1))


@pytest.mark.req("EVAL-26")
def test_a_right_var_passes_and_wrong_ones_fail_each_in_its_own_way() -> None:
    right = often = clustered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        calm = np.repeat(rng.random(40) < 0.8, 25)
        right += var_backtest((rng.random(1000) < 0.05).astype(float), 0.05).conditional_p <= 0.05
        often += var_backtest((rng.random(1000) < 0.08).astype(float), 0.05).unconditional_p <= 0.05
        hits = rng.random(1000) < np.where(calm, 0.005, 0.25)
        clustered += var_backtest(hits.astype(float), 0.05).independence_p <= 0.05
    assert right <= stats.binom.ppf(0.999, 200, 0.06)
    assert often > 150
    assert clustered > 120


def test_1_no_exceedance_and_none_in_succession_are_finite() -> None:
    none = var_backtest(np.zeros(100), 0.05)
    assert none.unconditional == pytest.approx(-200 * np.log(0.95))
    assert (none.independence, none.independence_p) == (0.0, 1.0)
    alternating = var_backtest(np.tile([0.0, 1.0], 50), 0.5)
    assert np.isfinite(alternating.independence)
    assert alternating.independence_p < 1e-10
    assert var_backtest(np.ones(10), 0.5).unconditional == pytest.approx(-20 * np.log(0.5))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: welch_t(np.ones(1), np.ones(3)), "first: got '1 finite value'; allowed: two or more"),
        (
            lambda: welch_t(np.ones(3), np.ones(3)),
            "first, second: got 'a constant series in both'; allowed: values that",
        ),
        (lambda: welch_t(np.arange(3.0), np.ones(3), level=1.0), "level: got 1.0; allowed: between 0 and 1"),
        (lambda: anova_welch({"a": np.ones(3)}), r"groups: got \['a'\]; allowed: two groups or more"),
        (
            lambda: anova_welch({"a": np.ones(3), "b": np.arange(3.0)}),
            r"groups\[a\]: got 'a constant series'; allowed: v",
        ),
        (
            lambda: anova_welch({"a": np.ones(3), "b": np.arange(3.0)}, level=2),
            "level: got 2; allowed: between 0 and 1",
        ),
        (lambda: rank_sum(np.empty(0), np.ones(2)), r"first, second: got \(0, 2\); allowed: one finite value or more"),
        (lambda: rank_sum(np.ones(2), np.ones(2)), "first, second: got 'a constant series'; allowed: values that vary"),
        (lambda: detectable_effect(2), "n: got 2; allowed: 3 or more"),
        (lambda: detectable_effect(9, design="pair"), "design: got 'pair'; allowed: paired, two-sample; did you mean"),
        (lambda: detectable_effect(9, tests=0), "tests: got 0; allowed: 1 or more"),
        (lambda: required_n(0.0), "effect: got 0.0; no data can show nothing; allowed: a finite number other than 0"),
        (lambda: required_n(0.5, alpha=0.0), r"alpha, power: got \(0.0, 0.8\); allowed: between 0 and 1"),
        (lambda: required_periods(0.0, 252), r"sharpe_annual, periods_per_year, trials: got \(0.0, 252, 1\); allowed"),
        (lambda: var_backtest(np.array([0.0, 2.0]), 0.05), "exceeded: got 'too few rows or other values'; allowed"),
        (lambda: var_backtest(np.zeros(5), 1.0), "share: got 1.0; allowed: between 0 and 1"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
