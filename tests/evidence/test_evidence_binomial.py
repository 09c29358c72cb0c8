"""Exact binomial bounds: published values, scipy's, and coverage."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import stats

from karat.core import InputError
from karat.evidence import exact_rate


def test_equals_clopper_and_pearson_in_scipy() -> None:
    for count, of in ((0, 10), (3, 20), (17, 20), (20, 20), (7, 1000)):
        found = exact_rate(count, of)
        upper = stats.binomtest(count, of, alternative="less").proportion_ci(0.95, method="exact").high
        lower = stats.binomtest(count, of, alternative="greater").proportion_ci(0.95, method="exact").low
        assert (found.lower, found.upper) == pytest.approx((lower, upper), abs=1e-12)
        assert found.rate == count / of


def test_nothing_seen_follows_the_rule_of_three() -> None:
    # Hanley and Lippman-Hand (1983): after n trials without an event the upper 95 % bound is close to 3 / n
    for n in (100, 1000, 10_000):
        assert exact_rate(0, n).upper == pytest.approx(3.0 / n, rel=0.02)
        assert exact_rate(0, n).upper == pytest.approx(1.0 - 0.05 ** (1.0 / n), rel=1e-9)
        assert exact_rate(0, n).lower == 0.0


@pytest.mark.req("EVAL-15")
@pytest.mark.parametrize("true", [0.01, 0.05, 0.8])
def test_each_bound_is_wrong_at_most_one_time_in_twenty(true: float) -> None:
    for n in (30, 200):
        chance = stats.binom.pmf(np.arange(n + 1), n, true)
        rates = [exact_rate(k, n) for k in range(n + 1)]
        assert chance[[rate.upper < true for rate in rates]].sum() <= 0.05
        assert chance[[rate.lower > true for rate in rates]].sum() <= 0.05


def test_nothing_tried_says_nothing_and_is_json() -> None:
    found = exact_rate(0, 0)
    assert math.isnan(found.rate)
    assert json.loads(json.dumps(found.to_dict())) == {"count": 0, "of": 0, "rate": None, "lower": 0.0, "upper": 1.0}


@pytest.mark.parametrize(
    ("count", "of", "level", "message"),
    [
        (3, 2, 0.95, "count: got 3; allowed: 0 to 2"),
        (-1, 2, 0.95, "count: got -1; allowed: 0 to 2"),
        (1, 2, 1.0, "level: got 1.0; allowed: between 0 and 1"),
    ],
)
def test_bad_input_is_named(count: int, of: int, level: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        exact_rate(count, of, level=level)
