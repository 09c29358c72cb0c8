"""Plain hidden Markov models: sums over logarithms, one number at a time, and paths by trying all of them."""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm


def log_densities(x: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    return np.array([[norm.logpdf(row, m, np.sqrt(v)).sum() for m, v in zip(mean, variance)] for row in x])


def log_passes(x, start, transition, mean, variance):  # type: ignore[no-untyped-def]
    """Return log alpha (joint with the past), log beta, log densities."""
    n, k = len(x), len(start)
    b, a = log_densities(x, mean, variance), np.log(transition)
    forward, backward = np.empty((n, k)), np.zeros((n, k))
    forward[0] = np.log(start) + b[0]
    for t in range(1, n):
        forward[t] = [logsumexp(forward[t - 1] + a[:, j]) + b[t, j] for j in range(k)]
    for t in range(n - 2, -1, -1):
        backward[t] = [logsumexp(a[j] + b[t + 1] + backward[t + 1]) for j in range(k)]
    return forward, backward, b


def log_likelihood(x, model) -> float:  # type: ignore[no-untyped-def]
    return float(logsumexp(log_passes(x, *model)[0][-1]))


def filtered(x, model) -> np.ndarray:  # type: ignore[no-untyped-def]
    forward = log_passes(x, *model)[0]
    return np.exp(forward - logsumexp(forward, axis=1, keepdims=True))


def smoothed(x, model) -> np.ndarray:  # type: ignore[no-untyped-def]
    forward, backward, _ = log_passes(x, *model)
    both = forward + backward
    return np.exp(both - logsumexp(both, axis=1, keepdims=True))


def em_step(x, model, prior):  # type: ignore[no-untyped-def]
    """Return start, transition, mean, variance after one step of EM with pseudo-counts of transitions."""
    start, transition, _, _ = model
    forward, backward, b = log_passes(x, *model)
    whole, gamma = logsumexp(forward[-1]), smoothed(x, model)
    counts = np.array(prior, dtype=float)
    for t in range(1, len(x)):
        for i, j in itertools.product(range(len(start)), repeat=2):
            counts[i, j] += math.exp(forward[t - 1, i] + math.log(transition[i, j]) + b[t, j] + backward[t, j] - whole)
    weight = gamma.sum(axis=0)[:, None]
    new_mean = gamma.T @ x / weight
    spread = np.array([(gamma[:, [k]] * (x - new_mean[k]) ** 2).sum(axis=0) for k in range(len(start))]) / weight
    return gamma[0], counts / counts.sum(axis=1, keepdims=True), new_mean, spread


def best_path(x, model) -> tuple[list[int], float]:  # type: ignore[no-untyped-def]
    """Return the most probable path by trying all of them."""
    start, transition, mean, variance = model
    b = log_densities(x, mean, variance)

    def density(path: tuple[int, ...]) -> float:
        moves = sum(math.log(transition[i, j]) for i, j in itertools.pairwise(path))
        return math.log(start[path[0]]) + moves + sum(b[t, k] for t, k in enumerate(path))

    best = max(itertools.product(range(len(start)), repeat=len(x)), key=density)
    return list(best), density(best)
