"""Six hidden states of trend and volatility: Gaussian hidden Markov model, forward filter, names by a fixed rule.

| symbol | meaning |
|---|---|
| m, s | coordinates: mean return of 20 bars; ln of their deviation |
| P_t | filtered probabilities of the states given the rows up to t |
| l_t | label: the state whose P_t reaches `SWITCH`, else l_{t-1}; the likeliest one at the first row |

Names, from the means of the fit alone: of the three states with the lowest s, by falling m, `StrongBull`, `Bull` and
`Sideways`; of the others the highest s is `Crisis`, of the two left the higher m is `Recovery` and the other `Bear`.

Invariants:
1. A fit depends on its rows, the seed and, in `refit`, the fit before. Of `STARTS` first guesses by k-means the one
   with the highest objective is kept; a refit begins at the fit before. Where all rows are the same there is no fit.
2. After a refit the filter runs over the past anew, and the label that was held is kept until the new one switches.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from karat.core import derive_seed
from karat.features._spec import Floats
from karat.features.regimes._labeller import Ints, Labeller, State, held
from karat.kernels import HiddenMarkov, MarkovFit, filter_states, fit_states

NAMES: Final = ("StrongBull", "Bull", "Sideways", "Recovery", "Bear", "Crisis")
STRESSED: Final = ("Recovery", "Bear", "Crisis")
"""The three most volatile states."""

STAY: Final = 200.0
"""Pseudo-count of each state's transitions to itself; 1 for every other transition."""
SWITCH: Final = 0.9
STARTS: Final = 5
_FLOOR: Final = 1e-3  # least variance of a standardised coordinate
_TOLERANCE: Final = 1e-3
_ITERATIONS: Final = 300
_KEEP: Final = 0.98  # first guess of a state's chance to last


class HiddenStates(Labeller):
    """seed: of the first guesses."""

    names = NAMES
    least = 120
    varying = True

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._prior = np.ones((len(NAMES), len(NAMES)))
        np.fill_diagonal(self._prior, STAY)
        self._model: HiddenMarkov | None = None
        self.reset()

    @property
    def model(self) -> HiddenMarkov:
        """The fitted model, its states in the order of `names`, coordinates in their own units."""
        assert self._model is not None
        return self._model

    def reset(self) -> None:
        """Forget the rows seen."""
        self._filtered: Floats | None = None
        self._code = -1

    def _fit(self, x: Floats) -> None:
        centre, scale = _units(x)
        z = (x - centre) / scale
        firsts = [_guess(z, derive_seed(self._seed, "regimes", "hidden", k)) for k in range(STARTS)]
        self._take(max((self._em(z, first) for first in firsts), key=lambda fit: float(fit.history[-1])), centre, scale)

    def refit(self, x: Floats) -> None:
        """Fit on the past from the fit before, run the filter over it, keep the label."""
        code, old = self._code, self._model
        if old is None:
            self.fit(x)
        else:
            centre, scale = _units(x)
            first = HiddenMarkov(old.start, old.transition, (old.mean - centre) / scale, old.variance / scale**2)
            self._take(self._em((x - centre) / scale, first), centre, scale)
        alpha, _ = filter_states(x, self.model)
        self._filtered, self._code = alpha[-1], code

    def _em(self, z: Floats, first: HiddenMarkov) -> MarkovFit:
        return fit_states(z, first, prior=self._prior, floor=_FLOOR, max_iterations=_ITERATIONS, tolerance=_TOLERANCE)

    def _take(self, fit: MarkovFit, centre: Floats, scale: Floats) -> None:
        found = fit.model
        raw = HiddenMarkov(found.start, found.transition, found.mean * scale + centre, found.variance * scale**2)
        self._model = raw.reordered(named_order(raw.mean))

    def scan(self, x: Floats) -> tuple[Ints, Floats]:
        """Return the labels, which change only where a state's filtered probability reaches `SWITCH`."""
        alpha, _ = filter_states(x, self.model, self._filtered)
        likeliest = alpha.argmax(axis=1)
        sure = alpha.max(axis=1) >= SWITCH
        codes = held(np.where(sure, likeliest, -1), self._code if self._code >= 0 else int(likeliest[0]))
        self._filtered, self._code = alpha[-1], int(codes[-1])
        return codes, alpha[np.arange(len(x)), codes]

    def settings(self) -> dict[str, Any]:
        """Return the seed."""
        return {"seed": self._seed}

    def state(self) -> State:
        """Return the model, the filtered probabilities and the label held."""
        model, none = self._model, np.empty(0)
        parts = {} if model is None else {name: getattr(model, name) for name in _PARTS}
        filtered = none if self._filtered is None else self._filtered
        return {**parts, "filtered": filtered, "code": np.array([self._code])}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up a state."""
        self._model = HiddenMarkov(*(state[name] for name in _PARTS)) if "mean" in state else None
        self._filtered = state["filtered"] if len(state["filtered"]) else None
        self._code = int(state["code"][0])


_PARTS: Final = ("start", "transition", "mean", "variance")


def named_order(mean: Floats) -> Ints:
    """Return which state takes each name; mean: (6, 2), trend and log volatility of each state.

    Example:
        >>> trend = [0.1, 0.3, 0.2, -0.5, 0.0, -0.2]
        >>> named_order(np.column_stack([trend, [1.0, 2.0, 3.0, 6.0, 5.0, 4.0]])).tolist()
        [1, 2, 0, 4, 5, 3]
    """
    by_volatility = np.argsort(mean[:, 1], kind="stable")
    calm, wild, crisis = by_volatility[:3], by_volatility[3:5], by_volatility[5]
    calm = calm[np.argsort(-mean[calm, 0], kind="stable")]
    wild = wild[np.argsort(-mean[wild, 0], kind="stable")]
    return np.array([*calm, *wild, crisis], dtype=np.int64)


def _units(x: Floats) -> tuple[Floats, Floats]:
    """Return centre and scale of each coordinate; a constant one keeps its scale."""
    scale = x.std(axis=0)
    return x.mean(axis=0), np.where(scale > 0.0, scale, 1.0)


def _guess(z: Floats, seed: int) -> HiddenMarkov:
    """Return a first guess: moments of the groups that k-means finds, of all rows where it leaves a group empty."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    k = len(NAMES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different rows than groups
        groups = KMeans(k, n_init=1, random_state=seed).fit_predict(z)
    parts = [z[groups == g] if (groups == g).any() else z for g in range(k)]
    mean, variance = np.array([part.mean(axis=0) for part in parts]), np.array([part.var(axis=0) for part in parts])
    transition = np.full((k, k), (1.0 - _KEEP) / (k - 1))
    np.fill_diagonal(transition, _KEEP)
    return HiddenMarkov(np.full(k, 1.0 / k), transition, mean, variance + 10 * _FLOOR)
