"""`linear_quantile`: linear quantile regression whose slopes follow a location-scale form, with an elastic net.

The slope of feature j at level t_k is b_j + (a_k - a_0) c_j to first order: a shift that is the same at all levels and a
stretch of the shape. Two vectors of slopes instead of 23 leave little room to cross or to fit noise. Shift first, then
the stretch given the shift; penalty and shrinkage are chosen on Valid by mean pinball. Symbols as in `_shape`.
"""

from __future__ import annotations

import numpy as np

from karat.data import Inputs, Train, Valid
from karat.models._elastic import elastic_path
from karat.models._forecaster import Forecaster
from karat.models._params import Param
from karat.models._problem import Frame
from karat.models._shape import best_slopes
from karat.models._state import State
from karat.models._types import Floats


class LinearQuantile(Forecaster):
    """Smoothed composite quantile regression. l1_ratio: share of the L1 penalty, 1 is the lasso."""

    name = "linear_quantile"
    PARAMS = {"l1_ratio": Param(0.5, 0.05, 1.0)}

    def _fit(self, train: Train, valid: Valid) -> None:
        frame = self._frame = Frame.fit(train)
        x, z = frame.features(train), frame.target(train)
        x_valid, z_valid = frame.features(valid), frame.target(valid)
        shape, ratio = frame.shape, float(self.params["l1_ratio"])
        bend_shift, bend_stretch = shape.curvature()
        still, still_valid = np.zeros(len(z)), np.zeros(len(z_valid))

        path = elastic_path(x, lambda m: shape.shift_pull(z, m), bend_shift, ratio)
        base = shape.quantiles(still_valid, still_valid)
        shift = best_slopes(z_valid, path, base, lambda w: shape.quantiles(x_valid @ w, still_valid))
        moved, moved_valid = x @ shift, x_valid @ shift

        path = elastic_path(x, lambda g: shape.stretch_pull(z, moved, g), bend_stretch, ratio)
        base = shape.quantiles(moved_valid, still_valid)
        stretch = best_slopes(z_valid, path, base, lambda w: shape.quantiles(moved_valid, x_valid @ w))
        self._slopes = np.stack([shift, stretch])

    def _predict(self, inputs: Inputs) -> tuple[Floats, Floats | None]:
        shift, stretch = (self._frame.features(inputs) @ self._slopes.T).T
        return self._frame.scale.of(inputs)[:, None] * self._frame.shape.quantiles(shift, stretch), None

    def _state(self) -> State:
        return self._frame.state(slopes=self._slopes)

    def _restore(self, state: State) -> None:
        self._frame, self._slopes = Frame.restore(state), state.arrays["slopes"]
