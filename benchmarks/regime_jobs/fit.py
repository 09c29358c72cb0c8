"""`fit`: 50 iterations of EM, 6 states, 5,000 x 3, the same start on every side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from market_jobs import Asked, Job, measure

from karat.kernels import HiddenMarkov, fit_states
from regime_jobs._limit_hmm import FLOOR, bare_em

STATES, ITERATIONS = 6, 50


def fit_job(quick: bool) -> Job:
    """Return the job `fit`: the same start on every side."""
    rng = np.random.default_rng(0)
    n, iterations = (500, 5) if quick else (5000, ITERATIONS)
    path = np.cumsum(rng.random(n) < 0.05) % STATES
    x = rng.normal(rng.normal(0, 2, (STATES, 3))[path], rng.uniform(0.5, 1.5, (STATES, 3))[path])
    mean, variance = x[rng.integers(0, n, STATES)].copy(), np.ones((STATES, 3)) * x.var(axis=0)
    transition, start = np.full((STATES, STATES), 0.04) + 0.76 * np.eye(STATES), np.full(STATES, 1 / STATES)
    first = HiddenMarkov(start, transition, mean, variance)

    def karat() -> float:
        found = fit_states(x, first, floor=FLOOR, max_iterations=iterations, tolerance=-np.inf)
        return float(found.history[-1])

    def limit() -> float:
        given = (mean.copy(), variance.copy(), transition.copy(), start.copy())
        return float(bare_em(x, iterations, *given))

    def check(ours: float, theirs: float, peer: dict[str, float] | None) -> bool:
        told = peer is None or abs(peer["log_likelihood"] / ours - 1) < 1e-9
        return abs(theirs / ours - 1) < 1e-9 and told

    arrays = {"x": x, "mean": mean, "variance": variance, "transition": transition, "start": start}
    return Job("hmm_fit", karat, limit, check, ("hmm", {**arrays, "iterations": np.array(iterations)}))


def facts(asked: Asked) -> Iterator[dict[str, Any]]:
    """Yield the facts of the job `fit`."""
    yield measure(fit_job(asked.quick), asked.repeat, asked.peers)
