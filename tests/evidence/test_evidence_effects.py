"""Effect sizes, analysis of variance with Tukey, and averages by stratum."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from karat.core import InputError
from karat.evidence import anova_tukey, cohens_d, hedges_g, stratify

REFERENCE = Path(os.environ.get("KARAT_REFERENCE", "../shared/reference"))


def groups_of(name: str) -> dict[str, np.ndarray]:
    with (REFERENCE / "inputs/03_evaluation" / name).open() as lines:
        rows = list(csv.reader(lines))[1:]
    return {group: np.array([float(v) for v, g in rows if g == group]) for group in dict.fromkeys(g for _, g in rows)}


@pytest.mark.req("EVAL-15")
@pytest.mark.realdata
def test_effect_sizes_equal_r() -> None:
    expected = json.loads((REFERENCE / "dev/03_evaluation/effect_sizes_R.json").read_text())
    groups = groups_of("effect_mtcars.csv")
    assert cohens_d(groups["1"], groups["0"]) == pytest.approx(expected["cohens_d_pooled"], rel=1e-8)
    assert hedges_g(groups["1"], groups["0"]) == pytest.approx(expected["hedges_g"], rel=1e-8)


@pytest.mark.req("EVAL-14")
@pytest.mark.realdata
def test_tukey_equals_r() -> None:
    expected = json.loads((REFERENCE / "dev/03_evaluation/tukey_expected_R.json").read_text())
    groups = groups_of("tukey_warpbreaks.csv")
    # R takes the later group less the earlier one.
    found = {f"{pair.first}-{pair.second}": pair for pair in anova_tukey(dict(reversed(groups.items()))).pairs}
    for name, row in expected["warpbreaks_oneway_tension"].items():
        pair = found[name]
        assert (pair.difference, pair.lower, pair.upper) == pytest.approx(
            (row["diff"], row["lwr"], row["upr"]), abs=1e-6
        )
        assert pair.p_value == pytest.approx(row["p_adj"], abs=1e-7)


@pytest.mark.req("EVAL-14")
def test_anova_and_tukey_equal_scipy_also_with_unequal_groups() -> None:
    rng = np.random.default_rng(1)
    groups = {"a": rng.normal(0, 1, 12), "b": rng.normal(1, 1, 9), "c": np.append(rng.normal(0.2, 1, 15), np.nan)}
    samples = [groups["a"], groups["b"], groups["c"][:-1]]
    got = anova_tukey(groups)
    f = stats.f_oneway(*samples)
    assert (got.f_statistic, got.p_value) == pytest.approx((f.statistic, f.pvalue))
    tukey = stats.tukey_hsd(*samples)
    bounds = tukey.confidence_interval(0.95)
    order = {"a": 0, "b": 1, "c": 2}
    assert len(got.pairs) == 3
    for pair in got.pairs:
        at = order[pair.first], order[pair.second]
        assert pair.difference == pytest.approx(tukey.statistic[at])
        assert pair.p_value == pytest.approx(tukey.pvalue[at], abs=1e-8)
        assert (pair.lower, pair.upper) == pytest.approx((bounds.low[at], bounds.high[at]), abs=1e-6)


@pytest.mark.req("EVAL-15")
def test_effect_sizes_by_hand() -> None:
    first, second = np.array([2.0, 4.0, np.nan]), np.array([1.0, 3.0])
    assert cohens_d(first, second) == pytest.approx(1 / np.sqrt(2))
    # Two degrees of freedom: gamma(1) / (sqrt(1) gamma(1/2)) = 1 / sqrt(pi).
    assert hedges_g(first, second) == pytest.approx(1 / np.sqrt(2) / np.sqrt(np.pi))
    assert np.isnan(cohens_d(np.ones(3), np.zeros(3)))


@pytest.mark.req("EVAL-19")
def test_micro_and_macro_differ_by_hand() -> None:
    table = stratify(np.array([1.0, 1.0, 1.0, 5.0, np.nan]), ["1d", "1d", "1d", "5d", "5d"])
    assert table.names == ("1d", "5d")
    assert table.counts.tolist() == [3, 1]
    assert table.means.tolist() == [1.0, 5.0]
    assert (table.micro, table.macro) == (2.0, 3.0)


@pytest.mark.req("EVAL-19")
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.sampled_from("abc")), min_size=1, max_size=40))
def test_2_strata_sum_to_the_whole(rows: list[tuple[float, str]]) -> None:
    values = np.array([value for value, _ in rows])
    table = stratify(values, [name for _, name in rows])
    assert table.counts.sum() == len(values)
    assert table.counts @ table.means == pytest.approx(values.sum(), abs=1e-6)
    assert table.micro == pytest.approx(values.mean(), abs=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cohens_d(np.ones(1), np.ones(3)), "first: got '1 finite value'; allowed: two or more"),
        (lambda: anova_tukey({"a": np.ones(3)}), r"groups: got \['a'\]; allowed: two groups or more"),
        (lambda: anova_tukey({"a": np.ones(3), "b": np.zeros(3)}), "groups: got 'no variation inside any group'"),
        (lambda: anova_tukey({"a": np.arange(3.0), "b": np.arange(3.0)}, level=0), "level: got 0; allowed: between"),
        (lambda: stratify(np.ones(2), ["a"]), r"strata: got 'shape \(1,\)'; allowed: \(2,\): one name per value"),
        (lambda: stratify(np.full(1, np.nan), ["a"]), "values: got 'no finite value'; allowed: one or more"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
