"""Adaptive conformal intervals: the level follows the misses, so that coverage returns after the world has changed.

| symbol | meaning |
|---|---|
| a | the share of misses asked for, 1 - coverage |
| a_t | the share asked of the past scores now; starts at a |
| g | rate of learning |
| s_t | score: how far outside the interval, as in split conformal |
| q_t | the widening: the conformal quantile of the last `window` scores at 1 - a_t |

a_(t+1) = a_t + g (a - 1[s_t > q_t]). Source: Gibbs and Candes (2021), eq. 2. For any scores at all the share of misses
over T steps is within (max(a, 1 - a) + g) / (g T) of a (their proposition 4.1).

Invariants:
1. q_t is infinite where a_t <= 0 or the scores are too few, and minus infinity where a_t >= 1.
2. `scan` equals repeated `widening` and `step`; a score that is known `lag` steps later moves nothing before that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from karat.core import InputError
from karat.evidence._shapes import Floats
from karat.evidence.calibration._conformal import conformal_quantile


@dataclass(frozen=True)
class Adaptive:
    """The state: level asked for now, and the last `window` scores in order of arrival."""

    coverage: float
    rate: float = 0.01
    window: int = 500
    missing: float = math.nan
    scores: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.coverage < 1:
            raise InputError("coverage", self.coverage, allowed="between 0 and 1")
        if not 0 < self.rate < 1:
            raise InputError("rate", self.rate, allowed="between 0 and 1")
        if self.window < 2:
            raise InputError("window", self.window, allowed="2 scores or more")
        if math.isnan(self.missing):
            object.__setattr__(self, "missing", 1.0 - self.coverage)


def widening(state: Adaptive) -> float:
    """Return q_t, by how many widths the next interval is widened."""
    share = 1.0 - state.missing  # of a missing share of 1e-17 nothing is left: decide on what is asked for
    if share <= 0.0:
        return -math.inf
    if share >= 1.0:
        return math.inf
    return conformal_quantile(np.array(state.scores), share)


def step(state: Adaptive, score: float, by: float) -> Adaptive:
    """Return the state after the score of an interval that had been widened `by`; NaN teaches nothing.

    Example:
        >>> round(step(Adaptive(0.9, rate=0.1), 2.0, 1.0).missing, 9)
        0.01
    """
    if not math.isfinite(score):
        return state
    missed = 1.0 if score > by else 0.0
    missing = state.missing + state.rate * (1.0 - state.coverage - missed)
    return replace(state, missing=missing, scores=(*state.scores, float(score))[-state.window :])


def scan(state: Adaptive, scores: Floats, *, lag: int = 1) -> tuple[Floats, Adaptive]:
    """Return the widening of every step, (n,), and the last state; score k is known before step k + `lag`.

    Raises:
        InputError: a lag below one step: a score cannot widen its own interval.
    """
    if lag < 1:
        raise InputError("lag", lag, allowed="1 or more steps", why="a score cannot widen its own interval")
    out = np.empty(len(scores))
    for k in range(len(scores)):
        if k >= lag:
            state = step(state, float(scores[k - lag]), float(out[k - lag]))
        out[k] = widening(state)
    return out, state
