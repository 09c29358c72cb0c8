"""Hidden Markov models with Gaussian observations: filter, smoother, most probable path, and EM with priors.

| symbol | meaning | shape | unit |
|---|---|---|---|
| x | observations, a row a time, finite | (T, D) | any |
| s_t | hidden state, 0 to K - 1, K at most `MAX_STATES` | | |
| pi | `start`, P(s_0 = k) | (K,) | probability |
| A | `transition`, P(s_t = k given s_{t-1} = j) in row j | (K, K) | probability |
| mu, v | `mean`, `variance` of x in each state; coordinates are independent given the state | (K, D) | of x |
| alpha | filtered: P(s_t given x_0 to x_t) | (T, K) | probability |
| gamma | smoothed: P(s_t given all of x) | (T, K) | probability |
| c | pseudo-counts of transitions, a Dirichlet prior of parameters c + 1 | (K, K) | transitions |

Forward and backward passes are scaled row by row (Rabiner, 1989, section V.A), densities by their largest in a row, so
that no length of series underflows.

Invariants:
1. `filter_states` equals `step_state` row by row to the bit, and no row depends on a later one. The smoother and the
   most probable path do read what comes later: neither is a label that a study may use.
2. Each iteration of `fit_states` raises log likelihood plus log prior, up to rounding.
3. Same input, same bits: no randomness, no threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from karat.kernels import _hmm_jit as jit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_STATES: Final = jit.LANES
"""Most states of a model: a row of them is one cache line."""


@dataclass(frozen=True, eq=False)
class HiddenMarkov:
    """Parameters of a model, with the symbols, shapes and units of the module.

    Raises:
        ValueError: shapes that do not fit, more than `MAX_STATES` states, rows that are no probabilities, or a
            variance that is not above 0.
    """

    start: Floats
    transition: Floats
    mean: Floats
    variance: Floats

    def __post_init__(self) -> None:
        k = len(self.start)
        shapes = (self.start.shape, self.transition.shape, self.mean.shape, self.variance.shape)
        if not 1 <= k <= MAX_STATES or shapes != ((k,), (k, k), (k, self.mean.shape[-1]), self.mean.shape):
            allowed = f"(K,), (K, K), (K, D), (K, D) with 1 to {MAX_STATES} states"
            raise ValueError(f"start, transition, mean, variance: got shapes {shapes}; allowed: {allowed}")
        rows = np.vstack([self.start, self.transition])
        if not (np.all(rows >= 0.0) and np.allclose(rows.sum(axis=1), 1.0)):
            raise ValueError("start, transition: got rows that are no probabilities; allowed: from 0, with sum 1")
        if not (np.isfinite(self.mean).all() and np.isfinite(self.variance).all() and np.all(self.variance > 0.0)):
            raise ValueError("mean, variance: got a value out of range; allowed: finite, variances above 0")

    @property
    def n_states(self) -> int:
        """K."""
        return len(self.start)

    @property
    def size(self) -> int:
        """D."""
        return int(self.mean.shape[1])

    @cached_property
    def packed(self) -> Floats:
        """The parameters as the compiled functions take them; see `_hmm_jit`."""
        k, d = self.n_states, self.size
        out = np.zeros((jit.MEANS + 2 * d, jit.LANES))
        out[0, :k], out[1 : 1 + k, :k] = self.start, self.transition
        out[jit.MEANS : jit.MEANS + d, :k], out[jit.MEANS + d :, :k] = self.mean.T, self.variance.T
        return out

    def reordered(self, order: Ints) -> HiddenMarkov:
        """Return the same model with state order[k] as state k; order: (K,) a permutation."""
        inner = self.transition[np.ix_(order, order)]
        return HiddenMarkov(self.start[order], inner, self.mean[order], self.variance[order])


class MarkovFit(NamedTuple):
    """A fitted model, (n,) log likelihood plus log prior before each iteration, and whether the last gain was small."""

    model: HiddenMarkov
    history: Floats
    converged: bool


def fit_states(
    x: Floats,
    first: HiddenMarkov,
    *,
    prior: Floats | None = None,
    floor: Floats | float = 0.0,
    max_iterations: int = 200,
    tolerance: float = 1e-4,
) -> MarkovFit:
    """Fit by EM (Baum and Welch) from the model `first`.

    x: (T, D). prior: c, none where it is None; a number on its diagonal makes states last. floor: least variance of
    each coordinate, (D,) or one for all, of x squared. tolerance: gain below which iterations stop.

    Raises:
        ValueError: x, prior or floor out of range.
        FloatingPointError: a row that no state can have made, or a state that no row belongs to.
    """
    x, k = _rows(x, first), first.n_states
    pseudo = np.zeros((k, k))
    pseudo[:] = 0.0 if prior is None else prior
    least = np.broadcast_to(np.asarray(floor, dtype=np.float64), (first.size,)).copy()
    if not (np.isfinite(pseudo).all() and np.all(pseudo >= 0.0) and np.isfinite(least).all() and np.all(least >= 0.0)):
        raise ValueError("prior, floor: got a value out of range; allowed: finite, 0 or more")
    if max_iterations < 1:
        raise ValueError(f"max_iterations: got {max_iterations}; allowed: 1 or more")
    model, history = first.packed.copy(), np.empty(max_iterations)
    rooms = np.empty((3 * len(x) + 2 * jit.LANES + first.size + 4, jit.LANES))
    rooms[3 * len(x) :] = 0.0
    done = jit.em(model, x, pseudo, least, tolerance, history, rooms)
    if not (np.isfinite(history[:done]).all() and np.isfinite(model).all()):
        raise FloatingPointError("fit_states: a state lost all its rows, or a row fits no state; begin elsewhere")
    history = history[:done].copy()
    ended = bool(done > 1 and history[-1] - history[-2] < tolerance)
    return MarkovFit(_unpacked(model, k, first.size), history, ended)


def filter_states(x: Floats, model: HiddenMarkov, before: Floats | None = None) -> tuple[Floats, float]:
    """Return alpha, (T, K), and the log likelihood of x.

    before: (K,) the filtered probabilities of the row before the first one, where x continues a series.

    Raises:
        ValueError: x out of range. FloatingPointError: a row that no state can have made.
    """
    x, k = _rows(x, model), model.n_states
    alpha, table = np.empty((len(x), jit.LANES)), np.empty((model.size + 1, jit.LANES))
    likelihood = jit.scan(model.packed, x, _padded(before), k, table, np.empty_like(alpha), alpha)
    _finite(likelihood)
    return np.ascontiguousarray(alpha[:, :k]), float(likelihood)


def step_state(x: Floats, model: HiddenMarkov, before: Floats | None) -> tuple[Floats, float]:
    """Return the filtered probabilities (K,) after one row x (D,), and the row's log likelihood given those before.

    before: (K,) of the row before, None at the first. Equal to `filter_states` to the bit.
    """
    x, after = np.ascontiguousarray(x, dtype=np.float64), _padded(before)
    likelihood = jit.step(model.packed, x, after, model.n_states, np.empty((model.size + 3, jit.LANES)))
    _finite(likelihood)
    return after[: model.n_states].copy(), float(likelihood)


def smooth_states(x: Floats, model: HiddenMarkov) -> Floats:
    """Return gamma, (T, K): each row depends on all rows, the later ones too. For describing the past only."""
    x, k = _rows(x, model), model.n_states
    density, alpha, gamma = (np.empty((len(x), jit.LANES)) for _ in range(3))
    table, counts = np.empty((model.size + 1, jit.LANES)), np.empty((jit.LANES + 2, jit.LANES))
    _finite(jit.scan(model.packed, x, _padded(None), k, table, density, alpha))
    jit.smooth(model.packed, density, alpha, k, gamma, counts)
    return np.ascontiguousarray(gamma[:, :k])


def most_probable_path(x: Floats, model: HiddenMarkov) -> tuple[Ints, float]:
    """Return the most probable path of states, (T,) int64, and its log joint density with x (Viterbi).

    A path depends on all rows. Its last state, of the rows up to now, does not: that is a label.
    """
    x, k = _rows(x, model), model.n_states
    path, back = np.empty(len(x), dtype=np.int64), np.empty((len(x), jit.LANES), dtype=np.int64)
    work = np.empty((jit.LANES + model.size + 4, jit.LANES))
    density = jit.best_path(model.packed, x, k, work, back, path)
    return path, float(density)


def _rows(x: Floats, model: HiddenMarkov) -> Floats:
    x = np.ascontiguousarray(x, dtype=np.float64)
    if x.ndim != 2 or len(x) == 0 or x.shape[1] != model.size:
        raise ValueError(f"x: got shape {x.shape}; allowed: (T, {model.size}) with a row or more")
    if not np.isfinite(x).all():
        raise ValueError("x: got a value that is not finite; allowed: finite rows; leave others out")
    return x


def _padded(before: Floats | None) -> Floats:
    out = np.zeros(jit.LANES)
    if before is not None:
        out[: len(before)] = before
    return out


def _finite(likelihood: float) -> None:
    if not np.isfinite(likelihood):
        raise FloatingPointError(f"x: log likelihood {likelihood}; a row that no state can have made")


def _unpacked(packed: Floats, k: int, d: int) -> HiddenMarkov:
    return HiddenMarkov(
        packed[0, :k].copy(),
        packed[1 : 1 + k, :k].copy(),
        packed[jit.MEANS : jit.MEANS + d, :k].T.copy(),
        packed[jit.MEANS + d :, :k].T.copy(),
    )
