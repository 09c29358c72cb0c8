"""Moving means, their crossings, and the checks of large arrays. Numbers are the invariants of `_signals`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karat.kernels import finite_above, increasing, many_crossings, mean_crossings, moving_means, places


def plain_means(values: np.ndarray, window: int) -> list[float]:
    return [
        float("nan") if t + 1 < window else float(np.mean(values[t + 1 - window : t + 1])) for t in range(len(values))
    ]


def plain_crossings(fast: list[float], slow: list[float]) -> list[tuple[int, bool]]:
    """Return the bars in which the state changes, with whether it is above from there on."""
    last, found = None, []
    for t, (a, b) in enumerate(zip(fast, slow, strict=True)):
        if np.isnan(a) or np.isnan(b):
            continue
        if last is not None and (a > b) != last:
            found.append((t, a > b))
        last = a > b
    return found


@st.composite
def series(draw: st.DrawFn) -> np.ndarray:
    """Whole numbers, so that sums are exact and equal means are really equal; some are missing."""
    n = draw(st.integers(0, 60)) + draw(st.sampled_from([0, 0, 1000, 2100]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = 100.0 + np.cumsum(rng.integers(-2, 3, n))
    return np.where(rng.random(n) < draw(st.sampled_from([0.0, 0.02])), np.nan, values)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(series(), st.integers(1, 8), st.integers(1, 30))
def test_1_means_and_crossings_equal_plain_ones(values: np.ndarray, fast: int, slow: int) -> None:
    means = moving_means(values, [fast, slow])
    np.testing.assert_array_equal(moving_means(values, [fast, slow], threads=2), means)
    for row, window in zip(means, (fast, slow), strict=True):
        np.testing.assert_allclose(row, plain_means(values, window), rtol=1e-14)
    wanted = plain_crossings(plain_means(values, fast), plain_means(values, slow))
    rows, targets = mean_crossings(values, fast, slow, above=2.0, below=-1.0)
    assert list(zip(rows.tolist(), targets.tolist(), strict=True)) == [(t, 2.0 if up else -1.0) for t, up in wanted]
    many = many_crossings(means, np.array([[1, 0], [0, 1]]), above=2.0, below=-1.0)
    assert many.rows[many.starts[1] :].tolist() == rows.tolist()
    assert many.targets[many.starts[1] :].tolist() == targets.tolist()
    swapped = plain_crossings(plain_means(values, slow), plain_means(values, fast))
    assert many.rows[: many.starts[1]].tolist() == [t for t, _ in swapped]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(series(), st.integers(0, 59))
def test_2_later_values_change_nothing(values: np.ndarray, cut: int) -> None:
    other = np.concatenate([values[:cut], values[cut:][::-1] * 3])
    np.testing.assert_array_equal(moving_means(values, [5])[:, :cut], moving_means(other, [5])[:, :cut])
    before, after = (mean_crossings(x, 2, 5, above=1.0, below=0.0) for x in (values, other))
    assert before[0][before[0] < cut].tolist() == after[0][after[0] < cut].tolist()
    assert before[1][before[0] < cut].tolist() == after[1][after[0] < cut].tolist()


def test_1_a_crossing_in_every_bar_finds_room() -> None:
    means = np.tile([[1.0, 2.0], [2.0, 1.0]], 50)
    found = many_crossings(means, np.array([[0, 1]] * 40), above=1.0, below=0.0)
    assert np.diff(found.starts).tolist() == [99] * 40
    assert found.rows[-99:].tolist() == list(range(1, 100))
    assert found.targets[-2:].tolist() == [0.0, 1.0]


def test_3_a_mean_is_exact_to_rounding() -> None:
    values = np.random.default_rng(5).normal(1e6, 1.0, 50_000)
    exact = np.array(plain_means(values, 300)[299:])
    np.testing.assert_allclose(moving_means(values, [300])[0, 299:], exact, rtol=1e-12)


def test_a_window_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="window: got 0; allowed: 1 or more"):
        moving_means(np.ones(3), [2, 0])
    with pytest.raises(ValueError, match="window: got -1; allowed: 1 or more"):
        mean_crossings(np.ones(3), -1, 2, above=1.0, below=0.0)


@pytest.mark.parametrize("n", [10, 200_000])
def test_one_wrong_value_is_found_wherever_it_is(n: int) -> None:
    times, values = np.arange(n), np.full(n, 0.5)
    assert increasing(times)
    assert finite_above(values, 0.0)
    assert not finite_above(values, 0.5)
    for at in (1, n // 2, n - 1):
        late = times.copy()
        late[at] = late[at - 1]
        assert not increasing(late)
        for wrong in (np.nan, np.inf, 0.0, -1.0):
            bad = values.copy()
            bad[at] = wrong
            assert not finite_above(bad, 0.0)
            assert not finite_above(bad.reshape(2, -1), 0.0)
    assert finite_above(-values, -np.inf)


@pytest.mark.parametrize("n", [10, 200_000])
def test_places_are_found_and_what_is_not_there_is_said(n: int) -> None:
    times = np.cumsum(np.random.default_rng(1).integers(1, 9, n))
    wanted = np.flatnonzero(np.random.default_rng(2).random(n) < 0.3)
    found = places(times, times[wanted])
    assert found is not None
    assert found.tolist() == wanted.tolist()
    assert places(times, np.array([times[0] - 1, times[3]])) is None
    assert places(times, np.array([times[3], times[-1] + 1])) is None
    assert places(np.zeros(0, dtype=np.int64), wanted) is None
