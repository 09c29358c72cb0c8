"""The max-t test: against a plain oracle, against a t-test, its error rate, and what must never move it."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from karat.core import InputError
from karat.evidence import max_t, max_t_exceeds
from karat.evidence._draws import index_draws
from karat.evidence._max_t import _small_sample

HERE = Path(__file__).parents[1]
GOLDEN = HERE / "golden" / "evidence"
ORACLE = runpy.run_path(str(HERE / "oracles" / "oracle_max_t.py"))["p_values"]


def noise(n: int, m: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, (n, m))


@pytest.mark.parametrize("gaps", [False, True])
def test_equals_the_plain_oracle(gaps: bool) -> None:
    series = noise(60, 5, 1) + np.array([0.3, 0.2, 0.1, 0.0, -0.1])
    if gaps:
        series[:25, 1] = np.nan
        series[40:, 3] = np.nan
    rows = np.concatenate(list(index_draws(60, block=4.0, draws=300, seed=7)))
    expected = ORACLE(series, rows, _small_sample(60, 4.0, 3))
    for selected in (0, 2, 4):
        got = max_t(series, selected, block=4.0, draws=300, seed=7, overlap=3)
        np.testing.assert_allclose(got.p_values, expected, atol=1e-12)
        assert got.p_value == pytest.approx(expected[selected], abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_unadjusted_p_agrees_with_the_t_test_on_independent_data(seed: int) -> None:
    series = noise(400, 1, seed, shift=0.06)
    got = max_t(series, 0, block=1.0, draws=4000, seed=seed)
    t, p = stats.ttest_1samp(series[:, 0], 0.0, alternative="greater")
    assert got.p_unadjusted == pytest.approx(p, abs=0.02)
    assert got.statistic == pytest.approx(t, rel=0.05)


def test_finds_the_models_that_stepm_of_arch_finds() -> None:
    losses = np.loadtxt(GOLDEN / "losses_spa_mcs.csv", delimiter=",", skiprows=1)
    superior = json.loads((GOLDEN / "bootstrap_spa_mcs_arch.json").read_text())["StepM_size0.05_superior"]
    got = max_t(losses[:, :1] - losses[:, 1:], 0, block=10.0, draws=2000, seed=1)
    assert np.flatnonzero(got.p_values <= 0.05).tolist() == superior


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.floats(-1.0, 1.0), st.booleans())
def test_1_adding_series_never_lowers_the_selected_p(seed: int, more: int, shift: float, gaps: bool) -> None:
    series = noise(80, 3, seed) + np.array([0.2, 0.0, 0.1])
    added = noise(80, more, seed + 1, shift)
    if gaps:
        added[: 79 if seed % 2 else 30] = np.nan
    before = max_t(series, 0, block=3.0, draws=199, seed=seed)
    after = max_t(np.hstack([series, added]), 0, block=3.0, draws=199, seed=seed)
    assert after.p_value >= before.p_value
    assert (after.statistic, after.p_unadjusted, after.mean) == (before.statistic, before.p_unadjusted, before.mean)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.permutations(range(7)))
def test_2_order_changes_nothing(seed: int, order: list[int]) -> None:
    series = noise(70, 7, seed)
    series[:, 3] = series[:, 1]
    before = max_t(series, 2, block=2.0, draws=150, seed=seed)
    after = max_t(np.asfortranarray(series[:, order]), order.index(2), block=2.0, draws=150, seed=seed)
    assert after.p_value == before.p_value
    assert after.p_values.tolist() == before.p_values[order].tolist()


def test_3_unstored_trials_count_as_independent_ones() -> None:
    series = noise(200, 2, 3, shift=0.1)
    alone = max_t(series, 0, block=2.0, draws=500, seed=1)
    more = max_t(series, 0, block=2.0, draws=500, seed=1, unstored=4)
    assert more.p_value == pytest.approx(1 - (1 - alone.p_value) ** 5)
    short = np.column_stack([series, np.where(np.arange(200) < 10, 1.0, np.nan)])
    counted = max_t(short, 0, block=2.0, draws=500, seed=1)
    assert counted.p_value == pytest.approx(1 - (1 - alone.p_value) ** 2)
    assert (counted.series, counted.unstored) == (2, 1)
    assert np.isnan(counted.p_values[2])
    hopeless = max_t(-series, 0, block=2.0, draws=500, seed=1, unstored=3)
    assert alone.p_value < hopeless.p_value <= 1.0


def test_4_smallest_p_and_dates_of_the_selected_only() -> None:
    series = noise(300, 2, 5, shift=2.0)
    got = max_t(series, 0, block=2.0, draws=400, seed=1)
    assert got.p_value == 1 / 401
    series[:100, 0] = np.nan
    assert max_t(series, 0, block=2.0, draws=400, seed=1).n == 200


def test_constant_series_have_t_zero_and_never_matter() -> None:
    series = noise(100, 1, 2, shift=0.3)
    for level in (0.0, 5.0, -5.0):
        both = np.column_stack([series, np.full(100, level)])
        alone = max_t(series, 0, block=2.0, draws=200, seed=1)
        assert max_t(both, 0, block=2.0, draws=200, seed=1).p_value == alone.p_value
        flat = max_t(both, 1, block=2.0, draws=200, seed=1)
        assert (flat.statistic, flat.p_value, flat.standard_error) == (0.0, 1.0, 0.0)


def test_scale_of_the_values_does_not_matter() -> None:
    series = noise(120, 4, 9, shift=0.1)
    first = max_t(series, 1, block=3.0, draws=300, seed=4)
    for scale in (1e-12, 1e9):
        assert max_t(series * scale, 1, block=3.0, draws=300, seed=4).p_value == pytest.approx(first.p_value, abs=0.01)


def test_a_series_missing_from_a_draw_keeps_its_mean_there() -> None:
    series = noise(60, 2, 1)
    series[20:, 1] = np.nan
    got = max_t(series, 0, block=30.0, draws=200, seed=2)
    assert np.isfinite(got.p_values).all()


def test_size_of_the_familywise_error_and_power() -> None:
    runs, found, seen = 200, 0, 0
    for seed in range(runs):
        series = noise(500, 10, seed)
        best = int(series.mean(axis=0).argmax())
        found += max_t(series, best, block=2.0, draws=400, seed=seed).p_value <= 0.05
        series[:, 0] += 0.18
        seen += max_t(series, 0, block=2.0, draws=400, seed=seed).p_value <= 0.05
    low, high = stats.binom.ppf([0.005, 0.995], runs, 0.05)
    assert low <= found <= high
    # Single test: power of 0.18 sqrt(500) = 4.0 standard errors against about 2.6 after adjusting for ten.
    assert seen / runs > 0.85


@pytest.mark.slow
@pytest.mark.parametrize(("n", "overlap", "runs"), [(500, 1, 800), (500, 5, 800), (2000, 5, 300)])
def test_size_at_the_spent_level_with_overlapping_labels_and_fat_tails(n: int, overlap: int, runs: int) -> None:
    level, found = 0.0152, 0
    for seed in range(runs):
        shocks = np.random.default_rng(seed).standard_t(4, n + overlap - 1)
        series = np.convolve(shocks, np.ones(overlap), "valid")[:, None]
        p = max_t(series, 0, block=2.0 * overlap, draws=599, seed=seed, overlap=overlap).p_value
        found += p <= level
    low, high = stats.binom.ppf([0.001, 0.999], runs, level)
    assert low <= found <= high


def test_small_sample_factor_vanishes_in_the_limit_and_grows_with_overlap() -> None:
    assert _small_sample(10**9, 2.0, 1) == pytest.approx(1.0, abs=1e-6)
    assert 1.0 < _small_sample(2000, 10.0, 1) < _small_sample(500, 10.0, 1) < _small_sample(500, 10.0, 5)


THOUSAND = """
import time
import numpy as np
from karat.evidence import max_t
series = np.random.Generator(np.random.Philox(1)).normal(size=(2500, 1000))
series[:600, 500:] = np.nan
start = time.process_time()
max_t(series, 3, block=10.0, seed=1)
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
print(time.process_time() - start, status['VmHWM'].split()[0])
"""


@pytest.mark.slow
def test_a_thousand_trials_in_three_seconds_and_600_mb() -> None:
    # the peak is the process image's own: ru_maxrss would count the forked test runner before exec as well
    done = subprocess.run([sys.executable, "-c", THOUSAND], capture_output=True, text=True, check=True)
    seconds, kilobytes = map(float, done.stdout.split())
    assert seconds < 6.0  # of two cores together
    assert kilobytes < 600_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"series": np.zeros(5)}, r"series: got 'shape \(5,\)'; allowed: \(n, m\): dates by trials"),
        ({"selected": 2}, "selected: got 2; allowed: 0 to 1"),
        ({"series": np.full((50, 2), np.inf)}, "series: got 'infinite values'; allowed: finite numbers or NaN"),
        ({"series": np.full((50, 2), np.nan)}, "series: got '0 values of the selected'; allowed: two or more"),
        ({"unstored": -1}, "unstored: got -1; allowed: 0 or more"),
        ({"overlap": 0}, "overlap: got 0; allowed: 1 or more bars"),
        ({"block": 0.5}, "block: got 0.5; allowed: 1 or more bars"),
        ({"draws": 0}, "draws: got 0; allowed: 1 or more"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], message: str) -> None:
    good = {"series": noise(50, 2, 1), "selected": 0, "block": 2.0, "draws": 100, "seed": 1}
    given_ = {**good, **change}
    series, selected = given_.pop("series"), given_.pop("selected")
    with pytest.raises(InputError, match=message):
        max_t(series, selected, **given_)


def test_what_surely_exceeds_a_level_does_and_the_rest_is_near_it_or_below() -> None:
    rng = np.random.default_rng(5)
    for k in range(60):
        series = rng.normal(0.08 * (k % 3), 1.0, (150, 3))
        series[:k, 0] = np.nan if k % 2 else series[:k, 0]
        found = max_t(series, 0, block=3.0, draws=400, seed=k)
        for level in (0.01, 0.1, found.p_value, found.p_unadjusted):
            surely = max_t_exceeds(series[:, 0], level, block=3.0, draws=400, seed=k)
            assert surely == (found.p_unadjusted > level)
            assert found.p_value > level or not surely
    assert not max_t_exceeds(np.zeros(30), 0.01, block=2.0, draws=200, seed=1)
