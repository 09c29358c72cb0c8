"""`climatology`: tomorrow is a draw from the past. The quantiles of the label on Train, for each instrument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from karat.data import CUTS, LEVELS, N_CLASSES, Inputs, Train, Valid
from karat.models._classes import FLOOR
from karat.models._forecaster import Forecaster
from karat.models._params import Param
from karat.models._state import State
from karat.models._types import Floats


class Climatology(Forecaster):
    """Empirical quantiles and class frequencies of Train.

    min_rows: an instrument with fewer rows in Train takes those of all instruments together.
    """

    name = "climatology"
    routes = True
    baseline = True
    PARAMS: ClassVar[Mapping[str, Param]] = {"min_rows": Param(250, 1, 1_000_000)}

    def _fit(self, train: Train, valid: Valid) -> None:
        values, names = train.labels.value, train.instrument
        self._known: dict[str, int] = {}
        pooled = [(np.quantile(values, LEVELS), _frequencies(values))]
        for name in dict.fromkeys(names.tolist()):
            own = values[names == name]
            if len(own) >= int(self.params["min_rows"]):
                self._known[name] = len(pooled)
                pooled.append((np.quantile(own, LEVELS), _frequencies(own)))
        self._quantiles = np.array([row for row, _ in pooled])
        self._frequencies = np.array([row for _, row in pooled])

    def _predict(self, inputs: Inputs) -> tuple[Floats, Floats | None]:
        at = np.array([self._known.get(name, 0) for name in inputs.instrument.tolist()], dtype=np.int64)
        return self._quantiles[at], self._frequencies[at]

    def _state(self) -> State:
        return State({"quantiles": self._quantiles, "frequencies": self._frequencies}, {"known": self._known})

    def _restore(self, state: State) -> None:
        self._quantiles, self._frequencies = state.arrays["quantiles"], state.arrays["frequencies"]
        self._known = state.values["known"]


def _frequencies(values: Floats) -> Floats:
    """Return (9,) class frequencies; half a row is added to every class, so that none is impossible (Jeffreys)."""
    counts = np.bincount(np.searchsorted(CUTS, values, side="left"), minlength=N_CLASSES) + 0.5
    return np.asarray(np.maximum(counts / counts.sum(), FLOOR), dtype=np.float64)
