"""`ewma`, `last_sign`, `buy_and_hold`: a normal distribution at an exponentially weighted scale, with a naive location.

The three differ in one line: the location in units of the scale is 0, 0.1 sign(last return), or 0.1. A tenth of the
scale is far above what any daily forecaster finds; it makes the common policy take the full position.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from karat.data import LEVELS, Inputs, Train, Valid
from karat.models._forecaster import Forecaster
from karat.models._params import Param
from karat.models._scale import DECAY, Scale
from karat.models._state import State
from karat.models._types import Floats

_LOCATION = 0.1


class Ewma(Forecaster):
    """Normal with mean zero and RiskMetrics volatility. decay: weight of yesterday's variance."""

    name = "ewma"
    baseline = True
    PARAMS: ClassVar[Mapping[str, Param]] = {"decay": Param(DECAY, 0.5, 0.9999)}

    def _fit(self, train: Train, valid: Valid) -> None:
        self._scale = Scale.fit(train, float(self.params["decay"]))

    def _predict(self, inputs: Inputs) -> tuple[Floats, Floats | None]:
        from scipy.special import ndtri

        scale = self._scale.of(inputs)
        return scale[:, None] * (ndtri(LEVELS)[None, :] + self._location(inputs)[:, None]), None

    def _location(self, inputs: Inputs) -> Floats:
        """Return (n,) the location in units of the scale."""
        return np.zeros(len(inputs))

    def _state(self) -> State:
        return State(values=self._scale.to_dict())

    def _restore(self, state: State) -> None:
        self._scale = Scale(**state.values)


class LastSign(Ewma):
    """The last return's sign goes on."""

    name = "last_sign"

    def _location(self, inputs: Inputs) -> Floats:
        return np.asarray(_LOCATION * np.sign(np.nan_to_num(inputs.table.returns[inputs.rows])))


class BuyAndHold(Ewma):
    """Always up."""

    name = "buy_and_hold"

    def _location(self, inputs: Inputs) -> Floats:
        return np.full(len(inputs), _LOCATION)
