"""Temperature scaling: all classes cooled or warmed by one number, p^(1/T) scaled to one.

T above 1 says that the forecast was too sure. T minimises the log loss, which is convex in 1/T. The most probable class
stays the most probable. Source: Guo, Pleiss, Sun and Weinberger (2017).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import numpy as np
from scipy.special import log_softmax, softmax

from karat.evidence._shapes import Floats, Ints
from karat.evidence.calibration._map import TINY, ClassMap, require_rows

HOTTEST: Final = 20.0
"""T lies between its inverse and this; a fit on either edge is refused."""


@dataclass(frozen=True)
class Temperature(ClassMap):
    """The temperature T."""

    temperature: float
    name: ClassVar[str] = "temperature"

    @classmethod
    def fit(cls, probabilities: Floats, klass: Ints) -> Self:
        """Return the temperature of least log loss."""
        require_rows(probabilities, klass)
        from scipy.optimize import minimize_scalar  # not needed by who only applies one

        scores, rows = np.log(np.maximum(probabilities, TINY)), np.arange(len(klass))

        def loss(inverse: float) -> float:
            return float(-log_softmax(inverse * scores, axis=1)[rows, klass].mean())

        found = minimize_scalar(loss, bounds=(1.0 / HOTTEST, HOTTEST), method="bounded", options={"xatol": 1e-10})
        return cls(1.0 / float(found.x))

    def apply(self, probabilities: Floats) -> Floats:
        """Return the mapped probabilities."""
        mapped = softmax(np.log(np.maximum(probabilities, TINY)) / self.temperature, axis=1)
        return np.asarray(mapped, dtype=np.float64)

    def values(self) -> dict[str, Any]:
        """Return the temperature."""
        return {"temperature": self.temperature}

    @classmethod
    def restore(cls, values: Mapping[str, Any]) -> Self:
        """Return the map whose `values` these are."""
        return cls(float(values["temperature"]))

    def problem(self) -> str | None:
        """Return that the fit ran to the edge: the forecast says nothing, or is always right."""
        if 1.001 / HOTTEST < self.temperature < HOTTEST / 1.001:
            return None
        return f"temperature {self.temperature:.3g} lies on the edge of 1/{HOTTEST:g} to {HOTTEST:g}"
