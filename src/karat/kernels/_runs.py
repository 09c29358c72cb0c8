"""Change points online: the chance of each run length since the last change, given the rows so far.

| symbol | meaning | shape |
|---|---|---|
| x | observations, normal within a run, with mean and variance of the run's own | (T,) |
| m, k, a, b | normal-inverse-gamma prior of a run's mean and variance: mean m, worth k rows; variance b / (a - 1) | |
| h | chance that a run ends after a row | |
| r_t | rows of the run that row t ends; 0: the next row begins one | (T,) |
| R | longest run told apart: longer ones count as R and are judged by their last R rows | |

Source: Adams and MacKay (2007), algorithm 1; predictive densities are Student's t.

Invariants:
1. What is said after row t depends on rows up to t; in one call, in pieces or row by row it is the same to the bit.
2. Weights of run lengths sum to 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from karat.kernels import _runs_jit as jit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class RunPrior:
    """m, k, a, b, h and R of the module.

    Raises:
        ValueError: a value out of range.
    """

    mean: float
    rows: float
    shape: float
    scale: float
    hazard: float
    longest: int = 300

    def __post_init__(self) -> None:
        if not (self.rows > 0 and self.shape > 0 and self.scale > 0 and 0 < self.hazard < 1 and self.longest > 1):
            raise ValueError(
                f"prior: got {self}; allowed: rows, shape, scale above 0, hazard in (0, 1), longest above 1"
            )

    @cached_property
    def constants(self) -> Floats:
        """(R + 1,) the part of each log density that depends on the run length alone."""
        shapes = self.shape + 0.5 * np.arange(self.longest + 1)
        return np.array([math.lgamma(a + 0.5) - math.lgamma(a) - 0.5 * math.log(math.pi) for a in shapes])

    def begin(self) -> Floats:
        """Return the state before any row, (3, R + 1): a run begins."""
        state = np.zeros((3, self.longest + 1))
        state[0, 0] = 1.0
        return state


def run_lengths(x: Floats, prior: RunPrior, state: Floats, *, recent: int) -> tuple[Floats, Ints, Floats]:
    """Return P(r_t <= recent) and the likeliest r_t after each row, (T,) each, and the state after the last.

    state: of `prior.begin()` or of an earlier call; it is not changed. recent: from 0 to R.

    Raises:
        ValueError: x not finite, a state of another prior, or recent out of range.
    """
    x = np.ascontiguousarray(x, dtype=np.float64)
    if x.ndim != 1 or not np.isfinite(x).all():
        raise ValueError(f"x: got shape {x.shape}; allowed: one dimension, finite values")
    if state.shape != (3, prior.longest + 1) or not 0 <= recent <= prior.longest:
        raise ValueError(f"state, recent: got {state.shape}, {recent}; allowed: {(3, prior.longest + 1)}, 0 to R")
    after, chance, longest = state.copy(), np.empty(len(x)), np.empty(len(x), dtype=np.int64)
    terms = np.array([prior.mean, prior.rows, prior.shape, prior.scale, prior.hazard])
    jit.run_lengths(x, terms, prior.constants, after, recent, chance, longest)
    return chance, longest, after
