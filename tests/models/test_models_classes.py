"""Quantiles to classes: exact where the distribution is known, monotone and finite everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from karat.data import CUTS, LEVELS, MEDIAN
from karat.models import quantiles_to_classes


@pytest.mark.parametrize("scale", [0.004, 0.01, 0.02, 0.05])
def test_a_normal_is_recovered(scale: float) -> None:
    found = quantiles_to_classes((scale * ndtri(LEVELS))[None, :])[0]
    edges = np.r_[0.0, ndtr(CUTS / scale), 1.0]
    assert np.abs(found - np.diff(edges)).max() < 0.012  # linear between 23 points


def test_the_distribution_passes_through_its_quantiles() -> None:
    # The median sits on a cut: half of the mass lies at or below it.
    row = np.linspace(-0.05, 0.07, 23)
    row += CUTS[4] - row[MEDIAN]
    assert quantiles_to_classes(row[None, :])[0, :5].sum() == pytest.approx(0.5, abs=1e-5)


def test_a_point_forecast_is_one_class() -> None:
    assert quantiles_to_classes(np.full((1, 23), 0.015))[0, 5] == pytest.approx(1.0, abs=1e-4)


def test_tails_decay_exponentially_beyond_the_outermost_quantiles() -> None:
    # By hand: q0 = -0.02, q1 = -0.01, s = 0.01 / ln 2.5; F(-0.05) = 0.01 exp(-0.03 / s) = 0.01 * 2.5 ** -3.
    row = np.r_[-0.02, -0.01, np.linspace(-0.005, 0.005, 21)]
    assert quantiles_to_classes(row[None, :])[0, 0] == pytest.approx(0.01 * 2.5**-3, abs=2e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1.0, 3.0), min_size=23, max_size=23))
def test_any_quantiles_give_a_simplex(values: list[float]) -> None:
    found = quantiles_to_classes(np.sort(np.array([values]), axis=1))
    assert (found > 0).all()
    assert found.sum() == pytest.approx(1.0)
