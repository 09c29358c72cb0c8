"""Isotonic calibration: the non-decreasing step curve nearest to what happened, linear between its knots.

Source: Zadrozny and Elkan (2002); pool adjacent violators by scikit-learn. Values are kept 1 / (n + 2) away from 0 and
1, Laplace's rule for an event never seen in n rows, so that no log loss is infinite.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from karat.evidence._shapes import Floats, Ints
from karat.evidence.calibration._map import ClassMap, join, mapped_columns, require_rows


@dataclass(frozen=True, eq=False)
class Isotonic(ClassMap):
    """One curve a mapped class: knots (m,) of the raw probability, ascending, and heights (m,), non-decreasing."""

    knots: tuple[Floats, ...]
    heights: tuple[Floats, ...]
    name: ClassVar[str] = "isotonic"

    @classmethod
    def fit(cls, probabilities: Floats, klass: Ints) -> Self:
        """Return the curves, each of its class against the rest."""
        require_rows(probabilities, klass)
        from sklearn.isotonic import IsotonicRegression  # half a second to import

        least = 1.0 / (len(klass) + 2.0)
        knots, heights = [], []
        for column in mapped_columns(probabilities.shape[1]):
            curve = IsotonicRegression(y_min=least, y_max=1.0 - least, out_of_bounds="clip")
            curve.fit(probabilities[:, column], (klass == column).astype(np.float64))
            knots.append(np.asarray(curve.X_thresholds_, dtype=np.float64))
            heights.append(np.asarray(curve.y_thresholds_, dtype=np.float64))
        return cls(tuple(knots), tuple(heights))

    def apply(self, probabilities: Floats) -> Floats:
        """Return the mapped probabilities; beyond the outermost knots a curve is flat."""
        columns = mapped_columns(probabilities.shape[1])
        curves = zip(columns, self.knots, self.heights, strict=True)
        return join([np.interp(probabilities[:, column], x, y) for column, x, y in curves])

    def values(self) -> dict[str, Any]:
        """Return knots and heights."""
        return {"knots": [x.tolist() for x in self.knots], "heights": [y.tolist() for y in self.heights]}

    @classmethod
    def restore(cls, values: Mapping[str, Any]) -> Self:
        """Return the map whose `values` these are."""
        return cls(
            tuple(np.array(x, dtype=np.float64) for x in values["knots"]),
            tuple(np.array(y, dtype=np.float64) for y in values["heights"]),
        )
