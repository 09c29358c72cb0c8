"""The protocol: its table and its page, families, strata, the comparison of many models, the amount of data."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import karat.evidence as room
from karat.core import InputError
from karat.evidence import (
    FAMILIES,
    METHODS,
    PROTOCOL,
    adjust_p,
    bootstrap_interval,
    circular_block_length,
    circular_interval,
    compare_losses,
    compare_strata,
    correct,
    diebold_mariano,
    family_table,
    protocol_table,
    reality_check,
    require_enough,
    spa,
    stratify_by,
)
from karat.evidence._circular import circular_rows
from karat.evidence._draws import index_draws

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "evidence"
ARCH = json.loads((GOLDEN / "bootstrap_spa_mcs_arch.json").read_text())
TABLE = np.loadtxt(GOLDEN / "losses_spa_mcs.csv", delimiter=",", skiprows=1)
AR = np.loadtxt(GOLDEN / "ar05_1000.csv", skiprows=1)


@pytest.mark.req("EVAL-14")
def test_1_every_function_of_the_protocol_is_offered_and_2_the_page_holds_the_tables() -> None:
    for rule in PROTOCOL:
        place, _, name = rule.function.rpartition(".")
        module = importlib.import_module(f"karat.evidence.{place}") if place else room
        assert name in module.__all__, rule.function
        assert rule.family in {*FAMILIES, "in the test", "all trials", "none", "tests share α"}
    page = (ROOT / "docs" / "concepts" / "statistics.md").read_text()
    assert protocol_table() in page
    assert family_table() in page


@pytest.mark.req("EVAL-13")
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_family_keeps_what_it_bounds(family: str) -> None:
    rule, runs, any_false, shares = FAMILIES[family], 300, 0, []
    assert rule.method in METHODS
    rng = np.random.default_rng(7)
    for _ in range(runs):
        # Strata share a shock, so that their p-values depend on each other.
        z = rng.normal(size=20) * 0.8 + 0.6 * rng.normal()
        z[:5] += 3.0
        found = correct(stats.norm.sf(z), family) <= 0.05
        any_false += bool(found[5:].any())
        shares.append(found[5:].sum() / max(found.sum(), 1))
    if rule.bounds == "any false finding":
        assert any_false <= stats.binom.ppf(0.999, runs, 0.05)
    else:
        assert np.mean(shares) <= 0.05
    assert np.array_equal(correct(np.array([0.01, 0.2]), family), adjust_p(np.array([0.01, 0.2]), rule.method))


def three_models(n: int = 600, seed: int = 1) -> dict[str, np.ndarray]:
    """Return losses of a baseline, of a better, an equal and a worse model."""
    rng = np.random.default_rng(seed)
    base = rng.exponential(1.0, n)
    shifts = {"better": -0.15, "equal": 0.0, "worse": 0.15}
    return {"base": base} | {name: base + shift + rng.normal(0, 0.6, n) for name, shift in shifts.items()}


@pytest.mark.req("EVAL-14", "EVAL-15")
def test_a_comparison_finds_the_better_model_with_effect_interval_and_set() -> None:
    losses = three_models()
    got = compare_losses(losses, "base", draws=400, seed=1)
    rows = {row.model: row for row in got.models}
    assert list(rows) == ["better", "equal", "worse"]
    assert rows["better"].adjusted < 0.001
    assert rows["better"].difference.upper < 0 < rows["worse"].difference.lower
    assert rows["equal"].difference.lower < 0 < rows["equal"].difference.upper
    assert rows["equal"].adjusted > 0.05
    assert (rows["better"].in_set, rows["worse"].in_set) == (True, False)
    assert got.spa.consistent < 0.01
    gap = losses["better"] - losses["base"]
    assert rows["better"].effect == pytest.approx(gap.mean() / gap.std(ddof=1))
    assert rows["better"].difference.estimate == pytest.approx(gap.mean())
    assert rows["better"].p_value == diebold_mariano(gap, np.zeros(600), alternative="less").p_value
    raw = np.array([row.p_value for row in got.models])
    np.testing.assert_array_equal([row.adjusted for row in got.models], correct(raw, "models"))


def test_3_order_changes_nothing_and_dates_with_a_gap_are_left_out() -> None:
    losses = three_models()
    got = compare_losses(losses, "base", draws=200, seed=1)
    assert compare_losses(dict(reversed(losses.items())), "base", draws=200, seed=1) == got
    longer = {name: np.append(values, 1.0) for name, values in losses.items()}
    longer["equal"][-1] = np.nan
    assert compare_losses(longer, "base", draws=200, seed=1) == got


@pytest.mark.req("EVAL-19")
@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-10, 10), st.sampled_from("ab"), st.sampled_from("xyz")), min_size=1, max_size=40))
def test_1_strata_of_every_key_sum_to_the_whole(rows: list[tuple[float, str, str]]) -> None:
    values = np.array([value for value, _, _ in rows])
    tables = stratify_by(values, {"instrument": [a for _, a, _ in rows], "regime": [b for _, _, b in rows]})
    for table in tables.values():
        assert table.counts.sum() == len(values)
        assert float(table.counts @ table.means) == pytest.approx(values.sum(), abs=1e-9)
        assert table.micro == pytest.approx(values.mean(), abs=1e-9)
        assert table.macro == pytest.approx(table.means.mean())


@pytest.mark.req("EVAL-19")
def test_strata_show_where_the_difference_lies() -> None:
    rng = np.random.default_rng(1)
    base, regime = rng.exponential(1.0, 900), np.repeat(["calm", "wild", "odd"], 300)
    model = base + rng.normal(0, 0.5, 900) - np.where(regime == "wild", 0.3, 0.0)
    keys = {"regime": regime, "horizon": ["1d"] * 898 + ["5d"] * 2}
    got = {(row.key, row.name): row for row in compare_strata(model, base, keys)}
    assert got["regime", "wild"].adjusted < 0.001
    assert got["regime", "calm"].adjusted > 0.05
    assert np.isnan(got["horizon", "5d"].p_value)
    assert np.isnan(got["horizon", "5d"].adjusted)
    raw = np.array([row.p_value for row in got.values() if np.isfinite(row.p_value)])
    found = [row.adjusted for row in got.values() if np.isfinite(row.p_value)]
    np.testing.assert_array_equal(found, correct(raw, "strata"))
    same = compare_strata(base, base, {"regime": regime})
    assert [row.p_value for row in same] == [1.0] * 3


@pytest.mark.req("EVAL-14")
def test_the_reality_check_equals_a_plain_bootstrap() -> None:
    """White (2000): the share of resamples whose largest centred mean reaches the largest mean."""
    for columns in ([4, 5], [4], [3, 4]):
        d = TABLE[:, [0]] - TABLE[:, 1:][:, columns]
        rows = np.concatenate(list(index_draws(500, block=10.0, draws=3000, seed=1)))
        centred = d[rows].mean(axis=1) - d.mean(axis=0)
        expected = float((centred.max(axis=1) >= d.mean(axis=0).max()).mean())
        got = reality_check(TABLE[:, 0], TABLE[:, 1:][:, columns], block=10, draws=3000, seed=1)
        assert got == pytest.approx(expected, abs=0.03)
    # A hopeless model costs the reality check power, and SPA nothing.
    hopeless = np.column_stack([TABLE[:, 4], TABLE[:, 0] + np.random.default_rng(1).normal(2, 8, 500)])
    assert (
        reality_check(TABLE[:, 0], hopeless, block=10, seed=1) > spa(TABLE[:, 0], hopeless, block=10, seed=1).consistent
    )


def test_automatic_circular_block_length_equals_arch() -> None:
    expected = ARCH["optimal_block_length_ar05"]["circular"]
    assert circular_block_length(AR) == pytest.approx(expected, rel=1e-8)
    assert circular_block_length(AR, horizon_bars=20) == 40.0
    assert circular_block_length(np.zeros(50), horizon_bars=3) == 6.0


def test_1_circular_draws_are_whole_blocks_in_which_every_date_is_equally_likely() -> None:
    rows = circular_rows(100, length=7, draws=2000, seed=1)
    inside = np.arange(99) % 7 != 6
    assert (((rows[:, 1:] - rows[:, :-1]) % 100 == 1)[:, inside]).all()
    counts = np.bincount(rows.ravel(), minlength=100) / 2000
    assert counts.min() > 0.8
    assert counts.max() < 1.2
    np.testing.assert_array_equal(rows, circular_rows(100, length=7, draws=2000, seed=1))


@pytest.mark.req("EVAL-15")
def test_the_circular_interval_agrees_with_the_stationary_one_and_covers() -> None:
    one = circular_interval(AR, np.mean, draws=2000, seed=1)
    other = bootstrap_interval(AR, np.mean, block=circular_block_length(AR), draws=2000, seed=1)
    assert one.upper - one.lower == pytest.approx(other.upper - other.lower, rel=0.12)
    # The standard error of the mean by arch's Bartlett estimate, 10 lags, is 0.0593.
    assert (one.upper - one.lower) / (2 * 1.645) == pytest.approx(ARCH["HAC_mean_se_bartlett_L10_nocorr"], rel=0.12)
    gap = np.insert(AR, 3, np.nan)
    assert circular_interval(gap, np.mean, draws=50, seed=1) == circular_interval(AR, np.mean, draws=50, seed=1)
    undefined = circular_interval(AR, lambda _: float("nan"), draws=10, seed=1)
    assert undefined.undefined == 10
    assert np.isnan(undefined.lower)


@pytest.mark.parametrize(
    ("dates", "horizon", "message"),
    [
        (250, 1, "test dates: got 250; the tests do not keep .*; allowed: >= 500; 250 more dates would be enough"),
        (600, 20, "independent horizons: got 30; .*; allowed: >= 50; 400 more dates would be enough"),
        (600, 0, "horizon_bars: got 0; allowed: 1 or more"),
    ],
)
def test_1_too_little_data_is_refused_with_what_would_be_enough(dates: int, horizon: int, message: str) -> None:
    require_enough(500, 10)
    with pytest.raises(InputError, match=message):
        require_enough(dates, horizon)


SMALL = np.random.default_rng(1).normal(size=(600, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: correct(np.array([0.1]), "model"),
            "family: got 'model'; how comparisons are adjusted is fixed before .*; allowed: planned, .*; did you mean",
        ),
        (lambda: compare_losses({"a": SMALL[:, 0]}, "b", seed=1), "baseline: got 'b'; allowed: a"),
        (
            lambda: compare_losses({"a": SMALL[:, 0]}, "a", seed=1),
            "losses: got 'no model beside the baseline'; allowed: one trial or more",
        ),
        (
            lambda: compare_losses({"a": SMALL[:400, 0], "b": SMALL[:400, 1]}, "a", seed=1),
            "test dates: got 400; .*; 100 more dates would be enough",
        ),
        (
            lambda: compare_losses({"a": np.ones(600), "b": np.zeros(600)}, "a", seed=1),
            r"losses\[b\]: got 'a constant series'; it never differs from a by another amount; allowed: losses",
        ),
        (
            lambda: compare_losses({"a": SMALL[:, 0], "b": SMALL[:, 1]}, "a", family="all", draws=50, seed=1),
            "family: got 'all'; how comparisons are adjusted",
        ),
        (lambda: stratify_by(np.ones(2), {}), "keys: got 'none'; allowed: one or more, e.g. instrument, horizon, reg"),
        (lambda: compare_strata(np.ones(2), np.ones(3), {}), r"baseline_loss: got 'shape \(3,\)'; allowed: \(2,\)"),
        (lambda: circular_block_length(AR, 0), "horizon_bars: got 0; allowed: 1 or more"),
        (lambda: circular_interval(np.ones(1), np.mean, seed=1), "series: got '1 finite value'; allowed: two or more"),
        (lambda: circular_interval(AR, np.mean, level=1.0, seed=1), "level: got 1.0; allowed: between 0 and 1"),
        (lambda: circular_interval(AR, np.mean, draws=0, seed=1), "draws: got 0; allowed: 1 or more"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
