"""Adjusted p-values against R and statsmodels, SPA, StepM and MCS against arch, and error rates under nulls."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from karat.core import InputError
from karat.evidence import METHODS, adjust_p, mcs, spa, stepm

GOLDEN = Path(__file__).parents[1] / "golden" / "evidence"
ARCH = json.loads((GOLDEN / "bootstrap_spa_mcs_arch.json").read_text())
LOSSES = np.loadtxt(GOLDEN / "losses_spa_mcs.csv", delimiter=",", skiprows=1)


@pytest.mark.req("EVAL-13")
def test_adjusted_p_values_equal_r() -> None:
    p, bonferroni, holm, bh = np.loadtxt(GOLDEN / "padjust_R.csv", delimiter=",", skiprows=1).T
    np.testing.assert_allclose(adjust_p(p, "bonferroni"), bonferroni, atol=1e-12)
    np.testing.assert_allclose(adjust_p(p, "holm"), holm, atol=1e-12)
    np.testing.assert_allclose(adjust_p(p, "bh"), bh, atol=1e-12)
    np.testing.assert_allclose(adjust_p(p, "holm-sidak"), ARCH["statsmodels_holm-sidak"], atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.sampled_from(sorted(METHODS)))
def test_1_adjusting_keeps_the_order_and_never_lowers(values: list[float], method: str) -> None:
    p = np.array(values)
    got = adjust_p(p, method)
    assert (got >= p - 1e-12).all()
    assert (np.diff(got[np.argsort(p, kind="stable")]) >= -1e-12).all()


@pytest.mark.req("EVAL-13")
def test_bonferroni_controls_any_false_finding_and_bh_their_rate() -> None:
    rng = np.random.default_rng(1)
    runs, any_false, rate = 600, 0, []
    for _ in range(runs):
        z = rng.normal(size=40)
        z[:10] += 3.0
        p = stats.norm.sf(z)
        any_false += bool((adjust_p(p, "bonferroni")[10:] <= 0.05).any())
        found = adjust_p(p, "bh") <= 0.05
        rate.append(found[10:].sum() / max(found.sum(), 1))
    assert any_false <= stats.binom.ppf(0.999, runs, 0.05)
    assert np.mean(rate) <= 0.05
    assert any_false > 0


def test_stepm_and_mcs_equal_arch() -> None:
    benchmark, losses = LOSSES[:, 0], LOSSES[:, 1:]
    assert list(stepm(benchmark, losses, block=10, seed=1)) == ARCH["StepM_size0.05_superior"]
    got = mcs(losses, block=10, draws=10_000, seed=1)
    expected = ARCH["MCS_R_size0.10"]
    assert list(got.included) == expected["included"]
    np.testing.assert_allclose(got.p_values, [expected["pvalues"][str(k)] for k in range(8)], atol=0.02)


def test_spa_sees_the_better_models_and_nothing_in_the_worse() -> None:
    benchmark, losses = LOSSES[:, 0], LOSSES[:, 1:]
    good = spa(benchmark, losses, block=10, seed=1)
    bad = spa(benchmark, losses[:, [4, 5]], block=10, seed=1)
    assert good.consistent <= 0.01
    assert bad.lower <= bad.consistent <= bad.upper
    assert bad.consistent > 0.3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: adjust_p(np.array([0.1]), "holms"), "method: got 'holms'; allowed: bonferroni, .* did you mean 'holm"),
        (lambda: adjust_p(np.array([1.1])), "p_values: got 'an empty list or values outside 0 to 1'"),
        (lambda: spa(np.zeros(5), np.zeros((4, 2)), block=2, seed=1), r"losses: got 'shape \(4, 2\)'; allowed: \(5, m"),
        (lambda: spa(np.zeros(4), np.full((4, 2), np.nan), block=2, seed=1), "losses: got 'values that are not finit"),
        (lambda: spa(np.zeros(4), np.zeros((4, 2)), block=4, seed=1), "block: got 4; allowed: 1 to 3 bars"),
        (lambda: stepm(np.zeros(4), np.zeros((4, 2)), size=1, block=2, seed=1), "size: got 1; allowed: between 0 and"),
        (lambda: mcs(np.zeros((4, 1)), block=2, seed=1), r"losses: got 'shape \(4, 1\)'; allowed: \(n, m\) with two"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
