"""Gradient boosting of the shift and the log-stretch of the shape: one form for every boosting library.

Round by round a tree follows the pull of the smoothed composite pinball loss (symbols in `_shape`): first an ensemble
for the shift m, then one for the stretch g given the shift. Valid stops each ensemble and chooses how far it is
shrunk. Twenty-three separate quantile ensembles would cost ten times as much and see a tenth of the gradient each.

A library is a subclass with two hooks: grow an ensemble and return it as text, and evaluate a text.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from karat.data import Inputs, Train, Valid
from karat.models._forecaster import Forecaster
from karat.models._params import Param
from karat.models._problem import PREPARATION, Frame
from karat.models._shape import mean_pinball, shrinkage
from karat.models._state import State
from karat.models._types import Floats, Ints

Rows = Ints | slice
ALL: Final = slice(None)


@dataclass(frozen=True, eq=False)
class Task:
    """What an ensemble is grown for.

    x: (n, p) features. pull: raw scores of some rows of Train to the gradients of the loss there. bend: constant second
    derivative, which makes a Newton step of a gradient step. x_valid: (m, p). valid_loss: raw scores of some rows of
    Valid to their mean loss, which stops growing. Libraries that call back in blocks say which rows, others `ALL`.
    """

    x: Floats
    pull: Callable[[Floats, Rows], Floats]
    bend: float
    x_valid: Floats
    valid_loss: Callable[[Floats, Rows], float]


class Boosting(Forecaster):
    """Shift and stretch by boosted trees; see the parameters of the subclasses."""

    PARAMS: ClassVar[Mapping[str, Param]] = {
        **PREPARATION,
        "rounds": Param(200, 1, 10_000),
        "learning_rate": Param(0.05, 1e-4, 1.0),
        "leaves": Param(6, 2, 256),
        "min_leaf_frac": Param(0.03, 1e-5, 0.5),
        "patience": Param(20, 1, 1000),
    }

    def _fit(self, train: Train, valid: Valid) -> None:
        frame = self._frame = Frame.fit(train, self.params)
        x, z = frame.features(train), frame.target(train)
        x_valid, z_valid = frame.features(valid), frame.target(valid)
        shape, bends = frame.shape, frame.shape.mean_curvature()
        still = np.zeros(len(z_valid))

        def shift_pull(raw: Floats, rows: Rows) -> Floats:
            return shape.shift_pull(z[rows], raw)

        def shift_loss(raw: Floats, rows: Rows) -> float:
            return mean_pinball(z_valid[rows], shape.quantiles(raw, np.zeros(len(raw))))

        text = self._grow(Task(x, shift_pull, bends[0], x_valid, shift_loss))
        raw = self._evaluate(text, x_valid)
        part = shrinkage(z_valid, shape.quantiles(still, still), shape.quantiles(raw, still))
        moved, moved_valid = part * self._evaluate(text, x), part * raw

        def stretch_pull(raw: Floats, rows: Rows) -> Floats:
            return shape.stretch_pull(z[rows], moved[rows], raw)

        def stretch_loss(raw: Floats, rows: Rows) -> float:
            return mean_pinball(z_valid[rows], shape.quantiles(moved_valid[rows], raw))

        more = self._grow(Task(x, stretch_pull, bends[1], x_valid, stretch_loss))
        raw = self._evaluate(more, x_valid)
        base, model = shape.quantiles(moved_valid, still), shape.quantiles(moved_valid, raw)
        self._texts = {"shift": text, "stretch": more}
        self._parts = np.array([part, shrinkage(z_valid, base, model)])

    def _predict(self, inputs: Inputs) -> tuple[Floats, Floats | None]:
        x = self._frame.features(inputs)
        shift = self._parts[0] * self._evaluate(self._texts["shift"], x)
        stretch = self._parts[1] * self._evaluate(self._texts["stretch"], x)
        return self._frame.scale.of(inputs)[:, None] * self._frame.shape.quantiles(shift, stretch), None

    def _state(self) -> State:
        state = self._frame.state(parts=self._parts)
        return State(state.arrays, state.values, self._texts)

    def _restore(self, state: State) -> None:
        self._frame, self._parts, self._texts = Frame.restore(state), state.arrays["parts"], state.texts

    @abstractmethod
    def _grow(self, task: Task) -> str:
        """Return the ensemble as the library's own text; raw scores start at 0."""

    @abstractmethod
    def _evaluate(self, text: str, x: Floats) -> Floats:
        """Return (n,) raw scores."""
