"""Platt calibration: a logistic curve through the log odds of the raw probability.

| symbol | meaning |
|---|---|
| z | ln(p / (1 - p)), p kept 1e-12 away from 0 and 1 |
| a, b | slope and intercept of sigma(a z + b) |
| t | smoothed target: (N1 + 1) / (N1 + 2) where it happened, 1 / (N0 + 2) where not |

Minimises the cross-entropy to t by Newton's method with halved steps. Source: Platt (1999); Lin, Lin and Weng (2007).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import numpy as np
from scipy.special import expit, log_expit, logit

from karat._words import counted
from karat.evidence._shapes import Floats, Ints
from karat.evidence.calibration._map import TINY, ClassMap, join, mapped_columns, require_rows

_STEPS: Final = 100
_RIDGE: Final = 1e-12
_EXACT: Final = 1e-10


@dataclass(frozen=True)
class Platt(ClassMap):
    """Slope and intercept of each mapped class."""

    slopes: tuple[float, ...]
    intercepts: tuple[float, ...]
    name: ClassVar[str] = "platt"

    @classmethod
    def fit(cls, probabilities: Floats, klass: Ints) -> Self:
        """Return the curves, each of its class against the rest."""
        require_rows(probabilities, klass)
        columns = mapped_columns(probabilities.shape[1])
        found = [_newton(_odds(probabilities[:, column]), klass == column) for column in columns]
        return cls(tuple(slope for slope, _ in found), tuple(intercept for _, intercept in found))

    def apply(self, probabilities: Floats) -> Floats:
        """Return the mapped probabilities."""
        columns = mapped_columns(probabilities.shape[1])
        curves = zip(columns, self.slopes, self.intercepts, strict=True)
        return join([np.maximum(expit(a * _odds(probabilities[:, k]) + b), TINY) for k, a, b in curves])

    def values(self) -> dict[str, Any]:
        """Return slopes and intercepts."""
        return {"slopes": list(self.slopes), "intercepts": list(self.intercepts)}

    @classmethod
    def restore(cls, values: Mapping[str, Any]) -> Self:
        """Return the map whose `values` these are."""
        return cls(tuple(values["slopes"]), tuple(values["intercepts"]))

    def problem(self) -> str | None:
        """Return that a slope is negative: the forecast would be turned upside down."""
        falling = sum(slope < 0 for slope in self.slopes)
        return (
            f"{falling} of {counted(len(self.slopes), 'curve')} with a negative slope: ranks would be reversed"
            if falling
            else None
        )


def _odds(p: Floats) -> Floats:
    return np.asarray(logit(np.clip(p, TINY, 1.0 - TINY)), dtype=np.float64)


def _newton(z: Floats, hit: np.ndarray) -> tuple[float, float]:
    n1 = int(hit.sum())
    target = np.where(hit, (n1 + 1.0) / (n1 + 2.0), 1.0 / (len(hit) - n1 + 2.0))
    rows, at = np.column_stack([z, np.ones(len(z))]), np.array([1.0, 0.0])
    loss = _entropy(rows @ at, target)
    for _ in range(_STEPS):
        p = expit(rows @ at)
        gradient = rows.T @ (p - target)
        curvature = rows.T @ (rows * (p * (1.0 - p))[:, None]) + _RIDGE * len(z) * np.eye(2)
        step, size = np.linalg.solve(curvature, gradient), 1.0
        while _entropy(rows @ (at - size * step), target) > loss and size > _EXACT:
            size /= 2.0
        at = at - size * step
        loss = _entropy(rows @ at, target)
        if float(np.abs(size * step).max()) < _EXACT:
            break
    return float(at[0]), float(at[1])


def _entropy(score: Floats, target: Floats) -> float:
    return float(-(target * log_expit(score) + (1.0 - target) * log_expit(-score)).sum())
