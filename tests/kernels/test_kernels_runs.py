"""Run lengths since the last change, against a plain recursion over scipy's t. Numbers: invariants of `_runs`."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from karat.kernels import RunPrior, run_lengths

PRIOR = RunPrior(mean=0.2, rows=0.5, shape=1.5, scale=0.7, hazard=0.02, longest=40)


def plain(x: np.ndarray, prior: RunPrior) -> np.ndarray:
    """Return (T, R + 1) the chance of each run length after each row; rows of a run are taken from x itself."""
    weights, out = np.eye(1, prior.longest + 1)[0], []
    for now, value in enumerate(x):
        density = np.zeros(prior.longest + 1)
        for r in range(min(now, prior.longest) + 1):
            rows = x[now - r : now]
            k, a = prior.rows + r, prior.shape + r / 2
            centre = (prior.rows * prior.mean + rows.sum()) / k
            b = prior.scale
            if r:
                b += (
                    0.5 * ((rows - rows.mean()) ** 2).sum() + 0.5 * prior.rows * r * (rows.mean() - prior.mean) ** 2 / k
                )
            density[r] = student.pdf(value, 2 * a, centre, np.sqrt(b * (k + 1) / (a * k)))
        grown = weights * density
        grown /= grown.sum()
        weights = np.concatenate([[prior.hazard], grown[:-1] * (1 - prior.hazard)])
        weights[-1] += grown[-1] * (1 - prior.hazard)
        out.append(weights)
    return np.array(out)


def test_run_lengths_equal_the_plain_recursion() -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(0, 1, 60), rng.normal(3, 0.3, 30)])
    chance, longest, state = run_lengths(x, PRIOR, PRIOR.begin(), recent=5)
    wanted = plain(x, PRIOR)
    np.testing.assert_allclose(chance, wanted[:, :6].sum(axis=1), rtol=1e-9)
    np.testing.assert_array_equal(longest, wanted.argmax(axis=1))
    np.testing.assert_allclose(state[0], wanted[-1], rtol=1e-9, atol=1e-15)


def test_1_pieces_and_single_rows_give_the_same_bits_and_2_weights_sum_to_one() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=120)
    whole = run_lengths(x, PRIOR, PRIOR.begin(), recent=3)
    state, chances = PRIOR.begin(), []
    for value in x:
        chance, _, state = run_lengths(np.array([value]), PRIOR, state, recent=3)
        chances.append(chance[0])
    np.testing.assert_array_equal(chances, whole[0])
    np.testing.assert_array_equal(state, whole[2])
    assert state[0].sum() == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_array_equal(PRIOR.begin()[0, :2], [1.0, 0.0])


def test_breaks_of_mean_and_of_variance_are_found_and_nothing_else() -> None:
    """Six breaks a series, 25 rows after each the likeliest run began within 5 rows of it; quiet series stay quiet."""
    hits, total, false = 0, 0, 0
    prior = RunPrior(0.0, 1.0, 2.0, 1.0, 1 / 250)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        breaks = np.cumsum(rng.integers(120, 260, 6))
        means, scales = rng.choice([-3.0, 0.0, 3.0], 7), np.where(np.arange(7) % 2, 4.0, 1.0)
        part = np.searchsorted(breaks, np.arange(breaks[-1] + 150), side="right")
        x = rng.normal(means[part], scales[part])
        chance, longest, _ = run_lengths(x, prior, prior.begin(), recent=20)
        for at in breaks:
            now = at + 25
            hits, total = hits + (abs(now - longest[now] + 1 - at) <= 5), total + 1
        away = np.min(np.abs(np.arange(len(x))[:, None] - np.r_[0, breaks] - 30), axis=1) > 40
        false += int((chance[away] > 0.5).sum())
    assert hits / total >= 0.8
    assert false <= 0.01 * 10 * 1000


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="prior: got .* hazard in"):
        RunPrior(0.0, 1.0, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="x: got shape"):
        run_lengths(np.array([np.nan]), PRIOR, PRIOR.begin(), recent=1)
    with pytest.raises(ValueError, match="state, recent: got"):
        run_lengths(np.zeros(2), PRIOR, np.zeros((3, 3)), recent=1)
