"""Duration dependence: against rugarch, against scipy's censored fit, its size and power, and bad input."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from karat.core import InputError
from karat.evidence import duration_dependence, exact_rate, spells

REFERENCE = Path(os.environ.get("KARAT_REFERENCE", ""))


@pytest.mark.req("EVAL-26")
@pytest.mark.realdata
def test_times_between_exceedances_equal_rugarch() -> None:
    table = np.genfromtxt(REFERENCE / "inputs/04_risk/var_backtest_input.csv", delimiter=",", names=True)
    rows = json.loads((REFERENCE / "dev/04_risk/var_backtest_expected.json").read_text())["tests"]
    assert rows
    for row in rows:
        found = duration_dependence(*spells(table["ret"] < table[row["var"]]))
        assert found.shape == pytest.approx(row["dur_weibull_b"], abs=1e-5)
        expected = (row["dur_uLL"], row["dur_rLL"], row["dur_p"])
        assert (found.log_likelihood, found.log_likelihood_without, found.p_value) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("shape", [0.6, 1.0, 1.8])
@pytest.mark.parametrize("cut", [30.0, np.inf])
def test_shape_scale_and_likelihood_equal_scipy_s_censored_fit(shape: float, cut: float) -> None:
    lasted = 20.0 * np.random.default_rng(7).weibull(shape, 300)
    unseen = lasted > cut
    days = np.minimum(lasted, cut)
    found = duration_dependence(days, unseen)
    data = stats.CensoredData(uncensored=days[~unseen], right=days[unseen])
    b, _, c = stats.weibull_min.fit(data, floc=0)
    assert (found.shape, found.scale) == pytest.approx((b, c), rel=1e-3)
    for given, mine in ((found.shape, found.log_likelihood), (1.0, found.log_likelihood_without)):
        scale = ((days**given).sum() / found.ended) ** (1.0 / given)
        law = stats.weibull_min(given, scale=scale)
        assert mine == pytest.approx(law.logpdf(days[~unseen]).sum() + law.logsf(days[unseen]).sum(), rel=1e-9)
    assert found.p_value == pytest.approx(stats.chi2(1).sf(2 * (found.log_likelihood - found.log_likelihood_without)))
    assert (found.spells, found.ended) == (300, int((~unseen).sum()))


def test_2_spells_without_memory_keep_the_size_and_clusters_are_found() -> None:
    wrong = raw = clustered = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        found = spells(rng.random(2000) < 0.1)
        wrong += duration_dependence(*found, step=1.0).p_value <= 0.05
        raw += duration_dependence(*found).p_value <= 0.05
        share = np.where(np.repeat(rng.random(40) < 0.3, 50), 0.10, 0.005)
        other = duration_dependence(*spells(rng.random(2000) < share), step=1.0)
        clustered += other.p_value <= 0.05 and other.shape < 1
    assert exact_rate(wrong, 300).lower <= 0.05, wrong
    assert raw > 120, "whole bars taken as they are look like spells that grow old"
    assert clustered > 250


def test_1_the_unit_changes_the_scale_alone() -> None:
    days = np.random.default_rng(3).exponential(5.0, 50)
    one, other = duration_dependence(days), duration_dependence(days * 86_400e9)
    assert other.scale == pytest.approx(one.scale * 86_400e9)
    assert (other.shape, other.statistic, other.p_value) == pytest.approx((one.shape, one.statistic, one.p_value))


def test_leaving_open_spells_out_is_a_mistake_that_the_flags_avoid() -> None:
    """Spells cut off at 25 days: taken as if they had ended, memoryless ones look as if they grew old."""
    lasted = np.random.default_rng(5).exponential(20.0, 400)
    cut, unseen = np.minimum(lasted, 25.0), lasted > 25.0
    assert duration_dependence(cut, unseen).p_value > 0.05
    assert duration_dependence(cut).p_value < 1e-6


@pytest.mark.parametrize(
    ("marks", "days", "unseen"),
    [
        ([1, 0, 1, 1], [2, 1], [False, False]),
        ([0, 0, 1], [3], [True]),
        ([1, 0, 0], [2], [True]),
        ([0, 1, 0], [2, 1], [True, True]),
        ([0, 0], [], []),
        ([1], [], []),
    ],
)
def test_spells_by_hand(marks: list[int], days: list[int], unseen: list[bool]) -> None:
    found = spells(np.array(marks, dtype=bool))
    assert (found[0].tolist(), found[1].tolist()) == (days, unseen)


@pytest.mark.parametrize("step", [-1.0, 2.0, np.nan])
def test_a_step_fits_the_durations(step: float) -> None:
    with pytest.raises(InputError, match="step: got .*; allowed: 0 to below 2, twice the shortest duration"):
        duration_dependence(np.arange(1.0, 20), step=step)


@pytest.mark.parametrize(
    ("days", "unseen", "message"),
    [
        (np.r_[np.arange(1.0, 12), 0.0], None, "durations: got 'values that are not positive numbers'"),
        (np.r_[np.arange(1.0, 12), np.nan], None, "allowed: .*no NaN"),
        (np.arange(1.0, 12), np.zeros(3, dtype=bool), r"open_ended: got 'shape \(3,\)'; allowed: \(11,\)"),
        (np.arange(1.0, 10), None, "durations: got '9 spells that ended'; allowed: 10 or more"),
        (np.full(12, 4.0), None, "got '12 equal values'; .*every spell lasted alike"),
    ],
)
def test_bad_input_says_what_would_do(days: np.ndarray, unseen: np.ndarray | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        duration_dependence(days, unseen)
