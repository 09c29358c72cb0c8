"""Whether regimes differ: planted differences are found, labels without any are not. Numbers as in `_regimes`."""

from __future__ import annotations

import numpy as np
import pytest

from karat.core import InputError
from karat.evidence import compare_regimes

NAMES = ("calm", "wild")


def spells(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.cumsum(rng.random(n) < 0.02) % 2


@pytest.mark.req("REG-07")
def test_a_planted_difference_of_volatility_is_found_and_none_of_means() -> None:
    rng = np.random.default_rng(1)
    labels = spells(rng, 1500)
    found = compare_regimes(rng.normal(0, 0.01 + 0.01 * labels), labels, NAMES, seed=1)
    assert found.volatility_p <= 0.01
    assert found.mean_p > 0.05
    calm, wild = found.profiles
    assert (calm.name, wild.name) == NAMES
    assert wild.volatility / calm.volatility == pytest.approx(2.0, rel=0.15)
    assert calm.n + wild.n == 1500


def test_labels_that_know_nothing_are_rarely_found_to_differ_on_clustered_returns() -> None:
    """Both labels and volatility come in spells, apart from each other: shuffling would find differences here."""
    rng = np.random.default_rng(2)
    low = 0
    for seed in range(60):
        returns = rng.normal(0, 0.01 + 0.02 * spells(rng, 600))
        low += compare_regimes(returns, spells(rng, 600), NAMES, draws=199, seed=seed).volatility_p <= 0.1
    assert low / 60 <= 0.2


def test_1_rows_without_label_or_return_are_left_out() -> None:
    rng = np.random.default_rng(3)
    labels, returns = spells(rng, 400), rng.normal(size=400)
    holes = returns.copy()
    holes[::7] = np.nan
    kept = ~np.isnan(holes)
    assert compare_regimes(holes, labels, NAMES, seed=1) == compare_regimes(returns[kept], labels[kept], NAMES, seed=1)
    assert compare_regimes(returns, np.where(kept, labels, -1), NAMES, seed=1).profiles[0].n < 400


def test_bad_input_is_named() -> None:
    r, codes = np.zeros(60), np.arange(60) % 2
    with pytest.raises(InputError, match="labels: got .* one label a return"):
        compare_regimes(r, codes[:5], NAMES, seed=1)
    with pytest.raises(InputError, match="codes below 1"):
        compare_regimes(r, codes, ("calm",), seed=1)
    with pytest.raises(InputError, match="50 rows or more of two states"):
        compare_regimes(r, codes * 0, NAMES, seed=1)
    with pytest.raises(InputError, match="draws: got 0"):
        compare_regimes(r, codes, NAMES, draws=0, seed=1)
