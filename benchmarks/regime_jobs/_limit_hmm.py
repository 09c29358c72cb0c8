"""EM of a diagonal Gaussian hidden Markov model in bare loops: what `fit` is held against.

x (T, D), K states: mean, variance (K, D), transition (K, K), start (K,); density, alpha (T, K); counts (K, K).
"""

# mypy: ignore-errors

from __future__ import annotations

from math import exp, log, pi

import numba
import numpy as np

FLOOR = 1e-6


@numba.njit(fastmath=True)
def constants(variance, constant):
    """Write the log of each density's constant, (K,); return half the reciprocal variances, (K, D)."""
    states, size = variance.shape
    for k in range(states):
        constant[k] = 0.0
        for d in range(size):
            constant[k] -= 0.5 * log(2 * pi * variance[k, d])
    return 0.5 / variance


@numba.njit(fastmath=True)
def forward(x, mean, half, constant, transition, start, density, alpha):
    """Write densities over their peaks and filtered probabilities; return the log likelihood."""
    n, size = x.shape
    states, likelihood = len(start), 0.0
    for t in range(n):
        peak = -1e300
        for k in range(states):
            s = constant[k]
            for d in range(size):
                z = x[t, d] - mean[k, d]
                s -= z * z * half[k, d]
            density[t, k] = s
            peak = max(peak, s)
        total = 0.0
        for k in range(states):
            density[t, k] = exp(density[t, k] - peak)
            s = start[k] if t == 0 else 0.0
            if t > 0:
                for j in range(states):
                    s += alpha[t - 1, j] * transition[j, k]
            alpha[t, k] = s * density[t, k]
            total += alpha[t, k]
        likelihood += peak + log(total)
        for k in range(states):
            alpha[t, k] /= total
    return likelihood


@numba.njit(fastmath=True)
def update(x, mean, variance, transition, start, density, alpha):
    """Write the parameters that the expected counts ask for."""
    n, size = x.shape
    states = len(start)
    counts, weight, beta, ahead = np.zeros((states, states)), np.zeros(states), np.ones(states), np.empty(states)
    first, second = np.zeros((states, size)), np.zeros((states, size))
    for t in range(n - 1, -1, -1):
        total = 0.0
        for k in range(states):
            total += alpha[t, k] * beta[k]
        for k in range(states):
            gamma = alpha[t, k] * beta[k] / total
            weight[k] += gamma
            for d in range(size):
                first[k, d] += gamma * x[t, d]
                second[k, d] += gamma * x[t, d] * x[t, d]
            if t == 0:
                start[k] = gamma
        if t > 0:
            whole = 0.0
            for k in range(states):
                ahead[k] = density[t, k] * beta[k]
            for j in range(states):
                s = 0.0
                for k in range(states):
                    s += transition[j, k] * ahead[k]
                beta[j] = s
                whole += s * alpha[t - 1, j]
            for j in range(states):
                for k in range(states):
                    counts[j, k] += alpha[t - 1, j] * transition[j, k] * ahead[k] / whole
            for j in range(states):
                beta[j] /= whole
    for k in range(states):
        transition[k] = counts[k] / counts[k].sum()
        for d in range(size):
            mean[k, d] = first[k, d] / weight[k]
            variance[k, d] = max(second[k, d] / weight[k] - mean[k, d] ** 2, FLOOR)


@numba.njit(fastmath=True)
def bare_em(x, iterations, mean, variance, transition, start):
    """Iterate EM in place and return the last log likelihood: as little as the job allows."""
    n, states = len(x), len(start)
    density, alpha, constant, likelihood = np.empty((n, states)), np.empty((n, states)), np.empty(states), 0.0
    for _ in range(iterations):
        half = constants(variance, constant)
        likelihood = forward(x, mean, half, constant, transition, start, density, alpha)
        update(x, mean, variance, transition, start, density, alpha)
    return likelihood
