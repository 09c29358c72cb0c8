"""The shared shape: derivatives against differences, shrinkage against enumeration, bounds that hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karat.core import generator
from karat.data import INNER, LEVELS
from karat.models._shape import GRID, WIDTH, Shape, best_slopes, mean_pinball, shrinkage

RNG = generator(1, "shape-tests")
Z = RNG.standard_t(5, 400)
SHAPE = Shape.fit(Z)


def _smooth_loss(z: np.ndarray, quantiles: np.ndarray, width: float) -> np.ndarray:
    """Mean over levels of the pinball loss convolved with a uniform kernel on [-h, h]; by numerical integration."""
    nodes = (np.arange(4000) + 0.5) / 2000 * width - width
    out = np.zeros(len(z))
    for level, column in zip(LEVELS[INNER], quantiles[:, INNER].T, strict=True):
        gap = (z - column)[:, None] + nodes[None, :]
        out += np.maximum(level * gap, (level - 1.0) * gap).mean(axis=1)
    return out / 19


@pytest.mark.parametrize("shift", [0.0, 0.4])
@pytest.mark.parametrize("stretch", [0.0, -0.3, 0.5])
def test_pulls_are_derivatives_of_the_smoothed_loss(shift: float, stretch: float) -> None:
    z, step = np.r_[Z[:20], -15.0, 15.0], 1e-4
    m, g = np.full(22, shift), np.full(22, stretch)
    up, down = (_smooth_loss(z, SHAPE.quantiles(m, g + s), WIDTH * np.exp(stretch + s)) for s in (step, -step))
    assert np.allclose(SHAPE.stretch_pull(z, m, g), (up - down) / (2 * step), atol=1e-4)
    if stretch == 0.0:
        up, down = (_smooth_loss(z, SHAPE.quantiles(m + s, g), WIDTH) for s in (step, -step))
        assert np.allclose(SHAPE.shift_pull(z, m), (up - down) / (2 * step), atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(st.floats(-6, 6), st.floats(-2, 2), st.floats(-0.9, 0.9))
def test_curvature_bounds_the_second_derivative(z: float, m: float, g: float) -> None:
    step = 1e-3
    one = np.array([z])
    by_shift, by_stretch = SHAPE.curvature()
    slope = SHAPE.shift_pull(one, np.array([m + step])) - SHAPE.shift_pull(one, np.array([m]))
    assert slope[0] / step <= by_shift + 1e-6
    at = np.zeros(1)
    if abs(g) < 0.5:
        bend = SHAPE.stretch_pull(one, at, np.array([g + step])) - SHAPE.stretch_pull(one, at, np.array([g]))
        assert bend[0] / step <= 1.05 * by_stretch + 1e-6
    assert (np.diff(SHAPE.quantiles(np.array([m]), np.array([g]))) >= 0).all()


def test_the_unmoved_shape_is_the_best_constant_on_its_own_sample() -> None:
    still = np.zeros(len(Z))
    base = mean_pinball(Z, SHAPE.quantiles(still, still))
    for m, g in ((0.2, 0.0), (-0.2, 0.0), (0.0, 0.2), (0.0, -0.2)):
        assert mean_pinball(Z, SHAPE.quantiles(still + m, still + g)) > base


def test_shrinkage_keeps_what_helps_and_drops_what_does_not() -> None:
    rng = generator(2, "shape-tests")
    signal, noise = 0.5 * rng.standard_normal(4000), 0.5 * rng.standard_normal(4000)
    z = signal + rng.standard_normal(4000)
    shape, still = Shape.fit(z), np.zeros(4000)
    base = shape.quantiles(still, still)
    assert shrinkage(z, base, shape.quantiles(signal, still)) == 1.0
    assert shrinkage(z, base, shape.quantiles(noise, still)) == 0.0
    assert shrinkage(z, base, shape.quantiles(2.0 * signal, still)) == 0.5
    assert shrinkage(z, base, base) == 0.0  # a tie goes to the smaller
    assert GRID == (0.0, 0.25, 0.5, 0.75, 1.0)


def test_best_slopes_falls_back_to_none() -> None:
    rng = generator(3, "shape-tests")
    x, z = rng.standard_normal((500, 2)), rng.standard_normal(500)
    shape, still = Shape.fit(z), np.zeros(500)
    base = shape.quantiles(still, still)
    seen = []

    def path() -> Iterator[np.ndarray]:
        for size in (0.0, 3.0, 3.0, 3.0, 0.0, 0.0):
            seen.append(size)
            yield np.array([size, 0.0])

    assert best_slopes(z, path(), base, lambda w: shape.quantiles(x @ w, still)).tolist() == [0.0, 0.0]
    assert len(seen) == 4  # the first, and three that did no better


def test_mean_pinball_by_hand() -> None:
    # One row, every quantile 0, label 1: the loss at level t is t, and the inner levels average one half.
    assert mean_pinball(np.ones(1), np.zeros((1, 23))) == pytest.approx(0.5)
