"""`logistic`: elastic-net logistic regression of the events "the standardised return is at or below c_k".

One logistic curve for each of the 19 inner quantiles c_k of the shape, all with the same slopes: the proportional odds
model (McCullagh, 1980), a distribution regression (Foresi and Peracchi, 1995). Without slopes it is the unconditional
distribution exactly.

| symbol | meaning                                                   | shape |
|--------|-----------------------------------------------------------|-------|
| z      | standardised label                                        | (n,)  |
| F0     | its distribution on Train                                 |       |
| s      | X w, log odds of a higher return                          | (n,)  |
| F      | P(z <= c) = sigmoid(logit F0(c) - s)                      | (n,)  |
| Q(t)   | F0^-1(sigmoid(logit t + s))                               | (n,)  |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from karat.data import INNER, LEVELS, Inputs, Train, Valid
from karat.models._elastic import elastic_path
from karat.models._forecaster import Forecaster
from karat.models._params import Param
from karat.models._problem import PREPARATION, Frame
from karat.models._shape import best_slopes
from karat.models._state import State
from karat.models._types import Floats

_FINE = np.r_[0.001, 0.0025, 0.005, np.arange(1, 100) / 100, 0.995, 0.9975, 0.999]
_MAX_ODDS = 2.0
_REACH = 12.0


class Logistic(Forecaster):
    """Proportional odds with an elastic net. l1_ratio: share of the L1 penalty, 1 is the lasso."""

    name = "logistic"
    PARAMS: ClassVar[Mapping[str, Param]] = {**PREPARATION, "l1_ratio": Param(0.5, 0.05, 1.0)}

    def _fit(self, train: Train, valid: Valid) -> None:
        frame = self._frame = Frame.fit(train, self.params)
        x, z = frame.features(train), frame.target(train)
        x_valid, z_valid = frame.features(valid), frame.target(valid)
        self._inverse = np.asarray(np.quantile(z, _FINE))
        odds = _logit(LEVELS[INNER])
        # How many of the c_k lie at or above z, as a share; and the mean curve, which depends on s alone.
        below = 1.0 - np.searchsorted(frame.shape.values[INNER], z, side="left") / len(odds)
        knots = np.linspace(-_REACH, _REACH, 4001)
        curve = _sigmoid(odds[None, :] - knots[:, None]).mean(axis=1)

        def pull(s: Floats) -> Floats:
            return np.asarray(below - np.interp(s, knots, curve))

        path = elastic_path(x, pull, 0.25, float(self.params["l1_ratio"]))
        base = self._standard(np.zeros(len(z_valid)))
        self._slopes = best_slopes(z_valid, path, base, lambda w: self._standard(x_valid @ w))

    def _standard(self, s: Floats) -> Floats:
        """Return (n, 23) quantiles of z for (n,) log odds, clipped at `_MAX_ODDS`."""
        levels = _sigmoid(_logit(LEVELS)[None, :] + np.clip(s, -_MAX_ODDS, _MAX_ODDS)[:, None])
        return np.asarray(np.interp(levels, _FINE, self._inverse))

    def _predict(self, inputs: Inputs) -> tuple[Floats, Floats | None]:
        odds = self._frame.features(inputs) @ self._slopes
        return self._frame.scale.of(inputs)[:, None] * self._standard(odds), None

    def _state(self) -> State:
        return self._frame.state(slopes=self._slopes, inverse=self._inverse)

    def _restore(self, state: State) -> None:
        self._frame, self._slopes = Frame.restore(state), state.arrays["slopes"]
        self._inverse = state.arrays["inverse"]


def _logit(p: Floats) -> Floats:
    return np.asarray(np.log(p) - np.log1p(-p))


def _sigmoid(x: Floats) -> Floats:
    from scipy.special import expit

    return np.asarray(expit(x))
