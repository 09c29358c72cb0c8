"""Hidden Markov models against sums over logarithms and against all paths. Numbers are the invariants of `_hmm`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from karat.kernels import (
    MAX_STATES,
    HiddenMarkov,
    filter_states,
    fit_states,
    most_probable_path,
    smooth_states,
    step_state,
)
from karat.kernels._jit import off

sys.path.insert(0, str(Path(__file__).parents[1] / "oracles"))
import oracle_hmm as oracle  # type: ignore[import-not-found]


def parts(model: HiddenMarkov) -> tuple[np.ndarray, ...]:
    return model.start, model.transition, model.mean, model.variance


def random_model(rng: np.random.Generator, k: int, d: int, *, stay: float = 0.0) -> HiddenMarkov:
    transition = rng.dirichlet(np.ones(k), k) * (1 - stay) + stay * np.eye(k)
    return HiddenMarkov(rng.dirichlet(np.ones(k)), transition, rng.normal(0, 2, (k, d)), rng.uniform(0.2, 2, (k, d)))


def draw(rng: np.random.Generator, model: HiddenMarkov, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return n rows of a model and their states."""
    states = np.empty(n, dtype=np.int64)
    states[0] = rng.choice(model.n_states, p=model.start)
    for t in range(1, n):
        states[t] = rng.choice(model.n_states, p=model.transition[states[t - 1]])
    return rng.normal(model.mean[states], np.sqrt(model.variance[states])), states


@pytest.mark.parametrize(("k", "d", "n"), [(1, 1, 1), (2, 1, 7), (3, 2, 40), (6, 3, 60), (8, 1, 30)])
def test_passes_equal_those_over_logarithms(k: int, d: int, n: int) -> None:
    rng = np.random.default_rng(10 * k + d)
    model = random_model(rng, k, d)
    x, _ = draw(rng, model, n)
    alpha, likelihood = filter_states(x, model)
    np.testing.assert_allclose(alpha, oracle.filtered(x, parts(model)), rtol=1e-10, atol=1e-13)
    assert likelihood == pytest.approx(oracle.log_likelihood(x, parts(model)), rel=1e-12)
    gamma = smooth_states(x, model)
    np.testing.assert_allclose(gamma, oracle.smoothed(x, parts(model)), rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(gamma[-1], alpha[-1])


@pytest.mark.req("REG-11")
def test_one_iteration_equals_the_plain_one_with_a_prior() -> None:
    rng = np.random.default_rng(3)
    model = random_model(rng, 3, 2)
    x, _ = draw(rng, model, 50)
    first, prior = random_model(rng, 3, 2), np.full((3, 3), 0.5) + 4 * np.eye(3)
    once = fit_states(x, first, prior=prior, max_iterations=1)
    assert not once.converged
    for ours, plain in zip(parts(once.model), oracle.em_step(x, parts(first), prior), strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-9, atol=1e-12)


@pytest.mark.req("REG-11")
@pytest.mark.parametrize("pseudo", [0.0, 200.0])
def test_2_the_objective_never_falls(pseudo: float) -> None:
    rng = np.random.default_rng(5)
    x, _ = draw(rng, random_model(rng, 6, 2, stay=0.9), 600)
    found = fit_states(x, random_model(rng, 6, 2, stay=0.5), prior=np.ones((6, 6)) + pseudo * np.eye(6), floor=0.01)
    assert np.all(np.diff(found.history) > -1e-9 * np.abs(found.history[:-1]))
    assert found.history[-1] > found.history[0] + 10


@pytest.mark.req("REG-11")
def test_parameters_equal_those_of_hmmlearn() -> None:
    """hmmlearn 0.3.3, `implementation="scaling"`, 20 iterations from the same start."""
    golden = json.loads((Path(__file__).parents[1] / "golden" / "hmm" / "hmmlearn.json").read_text())
    first = HiddenMarkov(*(np.array(golden["first"][name]) for name in ("start", "transition", "mean", "variance")))
    found = fit_states(np.array(golden["x"]), first, max_iterations=20, tolerance=-np.inf)
    for name, value in zip(("start", "transition", "mean", "variance"), parts(found.model), strict=True):
        np.testing.assert_allclose(value, golden["fitted"][name], rtol=1e-7, atol=1e-9)
    assert found.history[-1] == pytest.approx(golden["log_likelihood"], rel=1e-10)


def test_a_prior_makes_states_last() -> None:
    rng = np.random.default_rng(6)
    x, first = rng.normal(size=(200, 1)), random_model(rng, 2, 1)
    free, held = (fit_states(x, first, prior=c * np.eye(2) + 1).model for c in (0.0, 1e6))
    assert held.transition.diagonal().min() > 0.999 > free.transition.diagonal().min()


def test_1_the_filter_equals_its_steps_to_the_bit_and_can_be_taken_up_again() -> None:
    rng = np.random.default_rng(7)
    model = random_model(rng, 6, 2, stay=0.8)
    x, _ = draw(rng, model, 80)
    alpha, likelihood = filter_states(x, model)
    now, total = None, 0.0
    for t, row in enumerate(x):
        now, gained = step_state(row, model, now)
        total += gained
        np.testing.assert_array_equal(now, alpha[t])
    assert total == pytest.approx(likelihood, rel=1e-12)
    np.testing.assert_array_equal(filter_states(x[50:], model, alpha[49])[0], alpha[50:])


def test_1_later_rows_move_the_smoother_and_not_the_filter() -> None:
    rng = np.random.default_rng(8)
    model = random_model(rng, 3, 1, stay=0.8)
    x, _ = draw(rng, model, 60)
    other = x.copy()
    other[40:] += 3.0
    np.testing.assert_array_equal(filter_states(other, model)[0][:40], filter_states(x, model)[0][:40])
    assert np.abs(smooth_states(other, model)[:40] - smooth_states(x, model)[:40]).max() > 1e-3


@pytest.mark.req("REG-12")
@pytest.mark.parametrize("seed", range(5))
def test_the_most_probable_path_equals_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = random_model(rng, 3, 2)
    x, _ = draw(rng, model, 7)
    path, density = most_probable_path(x, model)
    plain, plain_density = oracle.best_path(x, parts(model))
    assert path.tolist() == plain
    assert density == pytest.approx(plain_density, rel=1e-12)


def test_long_series_and_far_outliers_do_not_underflow() -> None:
    rng = np.random.default_rng(9)
    model = random_model(rng, 6, 2, stay=0.9)
    x, _ = draw(rng, model, 3000)
    x[1500] = 500.0
    alpha, likelihood = filter_states(x, model)
    assert np.isfinite(likelihood)
    np.testing.assert_allclose(alpha.sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.req("REG-10")
def test_the_states_of_simulated_data_are_found_again() -> None:
    rng = np.random.default_rng(11)
    mean = np.array([[-3.0, 0.0], [0.0, 3.0], [3.0, 0.0]])
    model = HiddenMarkov(np.full(3, 1 / 3), np.full((3, 3), 0.02) + 0.94 * np.eye(3), mean, np.full((3, 2), 0.5))
    x, states = draw(rng, model, 1500)
    first = HiddenMarkov(model.start, np.full((3, 3), 1 / 3), mean + rng.normal(size=mean.shape), np.ones((3, 2)))
    found = fit_states(x, first).model
    np.testing.assert_allclose(found.mean, mean, atol=0.15)
    assert np.mean(filter_states(x, found)[0].argmax(axis=1) == states) > 0.95


def test_bad_input_names_what_is_allowed() -> None:
    good = random_model(np.random.default_rng(0), 2, 1)
    with pytest.raises(ValueError, match=rf"got shapes .* allowed: .* 1 to {MAX_STATES} states"):
        random_model(np.random.default_rng(0), MAX_STATES + 1, 1)
    with pytest.raises(ValueError, match="rows that are no probabilities"):
        HiddenMarkov(np.array([0.5, 0.6]), good.transition, good.mean, good.variance)
    with pytest.raises(ValueError, match="variances above 0"):
        HiddenMarkov(good.start, good.transition, good.mean, np.zeros((2, 1)))
    with pytest.raises(ValueError, match=r"x: got shape \(3, 2\); allowed: \(T, 1\)"):
        filter_states(np.zeros((3, 2)), good)
    with pytest.raises(ValueError, match="x: got a value that is not finite"):
        filter_states(np.array([[np.nan]]), good)
    with pytest.raises(ValueError, match="prior, floor"):
        fit_states(np.zeros((3, 1)), good, floor=-1.0)
    with pytest.raises(ValueError, match="max_iterations: got 0"):
        fit_states(np.zeros((3, 1)), good, max_iterations=0)


@pytest.mark.skipif(off(), reason="plain Python stops at the first logarithm or quotient of zero")
def test_what_no_state_can_have_made_is_named() -> None:
    good = random_model(np.random.default_rng(0), 2, 1)
    with pytest.raises(FloatingPointError, match="fit_states"):
        fit_states(np.ones((30, 1)), good, max_iterations=50)
    impossible = HiddenMarkov(
        np.array([1.0, 0.0]), np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.0], [1e6]]), np.ones((2, 1))
    )
    with pytest.raises(FloatingPointError, match="no state can have made"):
        filter_states(np.array([[1e6]]), impossible)
