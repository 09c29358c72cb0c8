"""The compiled parts of `_hmm`: one row forward, one row backward, passes over all rows, and iterations of EM.

See `_hmm` for the symbols and the invariants. A row of states has `LANES` places, a cache line; places that no state
uses hold zeros. A model is one array: row 0 its start, then LANES rows of transitions, D rows of means and D rows of
variances, each row over states.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from karat.kernels._jit import compiled

Floats = NDArray[np.float64]

LANES = 8
MEANS = 1 + LANES
"""First row of the means in a model's array."""
LOG_TWO_PI = math.log(2.0 * math.pi)
NEVER = -1e300


@compiled("none(f8[:, ::1], int64, int64, f8[:, ::1])")
def prepare(model: Floats, states: int, size: int, table: Floats) -> None:
    """Write half the reciprocal variances, and behind them the log of each density's constant."""
    for k in range(LANES):
        table[size, k] = NEVER
        for d in range(size):
            table[d, k] = 0.0
    for k in range(states):
        constant = 0.0
        for d in range(size):
            variance = model[MEANS + size + d, k]
            constant -= 0.5 * (LOG_TWO_PI + math.log(variance))
            table[d, k] = 0.5 / variance
        table[size, k] = constant


@compiled("f8(f8[:, ::1], f8[:, ::1], f8[::1], int64, f8[::1])")
def densities(model: Floats, table: Floats, x: Floats, states: int, out: Floats) -> float:
    """Write the density of a row in each state over the largest of them; return the log of that one."""
    size = x.shape[0]
    for k in range(LANES):
        out[k] = table[size, k]
    for d in range(size):
        value = x[d]
        for k in range(LANES):
            away = value - model[MEANS + d, k]
            out[k] -= away * away * table[d, k]
    peak = out[0]
    for k in range(1, states):
        peak = max(peak, out[k])
    for k in range(states):
        out[k] = math.exp(out[k] - peak)
    for k in range(states, LANES):
        out[k] = 0.0
    return float(peak)


@compiled("f8(f8[:, ::1], f8[::1], f8[::1], int64, f8[::1])")
def forward(model: Floats, before: Floats, density: Floats, states: int, out: Floats) -> float:
    """Write the filtered probabilities after a row, given those before it; return the row's likelihood over its peak.

    before: all zeros at the first row, which the start then takes the place of.
    """
    first = True
    for k in range(LANES):
        out[k] = 0.0
    for j in range(states):
        weight = before[j]
        if weight > 0.0:
            first = False
        for k in range(LANES):
            out[k] += weight * model[1 + j, k]
    total = 0.0
    for k in range(LANES):
        out[k] = (model[0, k] if first else out[k]) * density[k]
    for k in range(states):
        total += out[k]
    for k in range(LANES):
        out[k] /= total
    return total


@compiled("f8(f8[:, ::1], f8[::1], f8[::1], int64, f8[:, ::1])")
def step(model: Floats, x: Floats, probabilities: Floats, states: int, work: Floats) -> float:
    """Filter one row in place and return its log likelihood; work: (D + 3, LANES)."""
    size = x.shape[0]
    prepare(model, states, size, work)
    peak = densities(model, work, x, states, work[size + 1])
    total = forward(model, probabilities, work[size + 1], states, work[size + 2])
    for k in range(LANES):
        probabilities[k] = work[size + 2, k]
    return float(math.log(total) + peak)


@compiled("f8(f8[:, ::1], f8[:, ::1], f8[::1], int64, f8[:, ::1], f8[:, ::1], f8[:, ::1])")
def scan(model: Floats, x: Floats, before: Floats, states: int, table: Floats, density: Floats, alpha: Floats) -> float:
    """Filter all rows: write densities over their peaks and filtered probabilities, return the log likelihood."""
    n, size = x.shape
    prepare(model, states, size, table)
    likelihood = 0.0
    for t in range(n):
        peak = densities(model, table, x[t], states, density[t])
        total = forward(model, before if t == 0 else alpha[t - 1], density[t], states, alpha[t])
        likelihood += math.log(total) + peak
    return likelihood


@compiled("none(f8[:, ::1], f8[:, ::1], f8[:, ::1], int64, f8[:, ::1], f8[:, ::1])")
def smooth(model: Floats, density: Floats, alpha: Floats, states: int, gamma: Floats, counts: Floats) -> None:
    """Write probabilities given all rows, and the expected number of each transition; one row may be all there is."""
    n = alpha.shape[0]
    for j in range(LANES):
        for k in range(LANES):
            counts[j, k] = 0.0
    beta, ahead = counts[LANES], counts[LANES + 1]
    for k in range(LANES):
        beta[k] = 1.0 if k < states else 0.0
        gamma[n - 1, k] = alpha[n - 1, k]
    for t in range(n - 1, 0, -1):
        for k in range(LANES):
            ahead[k] = density[t, k] * beta[k]
        whole = 0.0
        for j in range(states):
            total = 0.0
            for k in range(states):
                total += model[1 + j, k] * ahead[k]
            beta[j] = total
            whole += total * alpha[t - 1, j]
        for j in range(states):
            weight = alpha[t - 1, j] / whole
            for k in range(LANES):
                counts[j, k] += weight * ahead[k]
            gamma[t - 1, j] = weight * beta[j]
        for j in range(states, LANES):
            gamma[t - 1, j] = 0.0
        for k in range(LANES):
            beta[k] /= whole
    for j in range(states):
        for k in range(LANES):
            counts[j, k] *= model[1 + j, k]


@compiled("none(f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[::1], int64, f8[:, ::1])")
def maximise(
    x: Floats, gamma: Floats, counts: Floats, prior: Floats, floor: Floats, states: int, model: Floats
) -> None:
    """Write the parameters that the expected counts ask for; prior: pseudo-counts of transitions."""
    n, size = x.shape
    weight = counts[LANES]
    for k in range(LANES):
        weight[k] = 0.0
    for d in range(2 * size):
        for k in range(LANES):
            model[MEANS + d, k] = 0.0
    for t in range(n):
        for k in range(LANES):
            weight[k] += gamma[t, k]
        for d in range(size):
            value = x[t, d]
            for k in range(LANES):
                model[MEANS + d, k] += gamma[t, k] * value
    for d in range(size):
        for k in range(states):
            model[MEANS + d, k] /= weight[k]
    for t in range(n):
        for d in range(size):
            value = x[t, d]
            for k in range(LANES):
                away = value - model[MEANS + d, k]
                model[MEANS + size + d, k] += gamma[t, k] * (away * away)
    for d in range(size):
        for k in range(states):
            model[MEANS + size + d, k] = max(model[MEANS + size + d, k] / weight[k], floor[d])
    for j in range(states):
        model[0, j] = gamma[0, j]
        total = 0.0
        for k in range(states):
            total += counts[j, k] + prior[j, k]
        for k in range(states):
            model[1 + j, k] = (counts[j, k] + prior[j, k]) / total


@compiled("f8(f8[:, ::1], f8[:, ::1], int64)")
def prior_density(model: Floats, prior: Floats, states: int) -> float:
    """Return the log prior density of the transitions, without its constant."""
    total = 0.0
    for j in range(states):
        for k in range(states):
            if prior[j, k] > 0.0:
                total += prior[j, k] * math.log(model[1 + j, k])
    return total


@compiled("int64(f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[::1], f8, f8[::1], f8[:, ::1])")
def em(model: Floats, x: Floats, prior: Floats, floor: Floats, tolerance: float, history: Floats, rooms: Floats) -> int:
    """Iterate in place, as often as `history` has places, until a step gains less than `tolerance`; return how often.

    prior: (K, K). history: log likelihood plus log prior before each step. rooms: (3 T + 2 LANES + D + 4, LANES), of
    which the last 2 LANES + D + 4 rows are zero.
    """
    n, states = x.shape[0], prior.shape[0]
    density, alpha, gamma, work = rooms[:n], rooms[n : 2 * n], rooms[2 * n : 3 * n], rooms[3 * n :]
    counts, before, table = work[: LANES + 2], work[LANES + 2], work[LANES + 3 :]
    for k in range(LANES):
        before[k] = 0.0
    for i in range(history.shape[0]):
        history[i] = scan(model, x, before, states, table, density, alpha) + prior_density(model, prior, states)
        if i > 0 and history[i] - history[i - 1] < tolerance:
            return i + 1
        smooth(model, density, alpha, states, gamma, counts)
        maximise(x, gamma, counts, prior, floor, states, model)
    return int(history.shape[0])


@compiled("f8(f8[:, ::1], f8[:, ::1], int64, f8[:, ::1], int64[:, ::1], int64[::1])")
def best_path(
    model: Floats, x: Floats, states: int, work: Floats, back: NDArray[np.int64], path: NDArray[np.int64]
) -> float:
    """Write the most probable path given all rows; return its log joint density. work: (LANES + D + 4, LANES)."""
    n, size = x.shape
    logs, now, ahead = work[:LANES], work[LANES], work[LANES + 1]
    density, table = work[LANES + 2], work[LANES + 3 :]
    prepare(model, states, size, table)
    for j in range(states):
        now[j] = math.log(model[0, j]) if model[0, j] > 0.0 else NEVER
        for k in range(states):
            logs[j, k] = math.log(model[1 + j, k]) if model[1 + j, k] > 0.0 else NEVER
    for t in range(n):
        for k in range(LANES):
            density[k] = table[size, k]
        for d in range(size):
            for k in range(LANES):
                away = x[t, d] - model[MEANS + d, k]
                density[k] -= away * away * table[d, k]
        for k in range(states):
            best, where = (now[k], k) if t == 0 else (now[0] + logs[0, k], 0)
            if t > 0:
                for j in range(1, states):
                    if now[j] + logs[j, k] > best:
                        best, where = now[j] + logs[j, k], j
            ahead[k], back[t, k] = best + density[k], where
        for k in range(states):
            now[k] = ahead[k]
    path[n - 1] = 0
    for k in range(1, states):
        if now[k] > now[path[n - 1]]:
            path[n - 1] = k
    for t in range(n - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return float(now[path[n - 1]])
