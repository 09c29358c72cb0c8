"""`linear_quantile`: linear quantile regression whose slopes follow a location-scale form, with an elastic net.

The slope of feature j at level t_k is b_j + (a_k - a_0) c_j to first order: a shift that is the same at all levels and
a stretch of the shape. Two vectors of slopes instead of 23 leave little room to cross or to fit noise. Shift first,
then the stretch given the shift; penalty and shrinkage are chosen on Valid by mean pinball. Symbols as in `_shape`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from karat.data import Inputs, Train, Valid
from karat.models._elastic import elastic_path
from karat.models._forecaster import Forecaster
from karat.models._params import Param
from karat.models._problem import PREPARATION, Frame
from karat.models._shape import best_slopes
from karat.models._state import State
from karat.models._types import Floats


def fit_slopes(frame: Frame, train: Train, valid: Valid, *, l1_ratio: float) -> Floats:
    """Return (2, p) slopes of shift and stretch on scaled features: learned on Train, chosen and shrunk on Valid."""
    x, z = frame.features(train), frame.target(train)
    x_valid, z_valid = frame.features(valid), frame.target(valid)
    shape = frame.shape
    bend_shift, bend_stretch = shape.curvature()
    still = np.zeros(len(z_valid))

    path = elastic_path(x, lambda m: shape.shift_pull(z, m), bend_shift, l1_ratio)
    base = shape.quantiles(still, still)
    shift = best_slopes(z_valid, path, base, lambda w: shape.quantiles(x_valid @ w, still))
    moved, moved_valid = x @ shift, x_valid @ shift

    path = elastic_path(x, lambda g: shape.stretch_pull(z, moved, g), bend_stretch, l1_ratio)
    base = shape.quantiles(moved_valid, still)
    stretch = best_slopes(z_valid, path, base, lambda w: shape.quantiles(moved_valid, x_valid @ w))
    return np.stack([shift, stretch])


class LinearQuantile(Forecaster):
    """Smoothed composite quantile regression. l1_ratio: share of the L1 penalty, 1 is the lasso."""

    name = "linear_quantile"
    PARAMS: ClassVar[Mapping[str, Param]] = {**PREPARATION, "l1_ratio": Param(0.5, 0.05, 1.0)}

    def _fit(self, train: Train, valid: Valid) -> None:
        self._frame = Frame.fit(train, self.params)
        self._slopes = fit_slopes(self._frame, train, valid, l1_ratio=float(self.params["l1_ratio"]))

    def _predict(self, inputs: Inputs) -> tuple[Floats, Floats | None]:
        shift, stretch = (self._frame.features(inputs) @ self._slopes.T).T
        return self._frame.scale.of(inputs)[:, None] * self._frame.shape.quantiles(shift, stretch), None

    def _state(self) -> State:
        return self._frame.state(slopes=self._slopes)

    def _restore(self, state: State) -> None:
        self._frame, self._slopes = Frame.restore(state), state.arrays["slopes"]
