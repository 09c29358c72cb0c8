"""`Scaler`: features to comparable numbers, fitted on Train alone: median 0, the interquartile range of a normal.

Invariants:
1. A feature that does not vary in Train becomes 0 everywhere.
2. A missing feature becomes 0, the median of Train; values beyond `LIMIT` are cut, so that one odd bar cannot rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from karat.data import Train
from karat.models._types import Floats

LIMIT: Final = 5.0
_NORMAL_IQR: Final = 1.3489795003921634


@dataclass(frozen=True, eq=False)
class Scaler:
    """centre, width: (p,) per feature; width 0 switches a feature off."""

    centre: Floats
    width: Floats

    @classmethod
    def fit(cls, train: Train) -> Scaler:
        """Fit on the rows of Train."""
        features = train.features
        seen = np.asarray(np.isfinite(features).any(axis=0))
        filled = np.where(seen[None, :], features, 0.0)
        low, centre, high = np.nanquantile(filled, [0.25, 0.5, 0.75], axis=0)
        width = (high - low) / _NORMAL_IQR
        # A feature that is constant on half of the rows (a flag, a rare event) still has a standard deviation.
        width = np.where(width > 0.0, width, np.nanstd(filled, axis=0))
        return cls(centre, np.where(width > 1e-12 * (1.0 + np.abs(centre)), width, 0.0))

    def apply(self, features: Floats) -> Floats:
        """Return features of any shape (..., p) scaled, cut and without NaN."""
        scaled = (features - self.centre) / np.where(self.width > 0.0, self.width, np.inf)
        return np.asarray(np.clip(np.nan_to_num(scaled, nan=0.0, posinf=LIMIT, neginf=-LIMIT), -LIMIT, LIMIT))

    def arrays(self) -> dict[str, Floats]:
        """Return the fields, for `State.arrays`."""
        return {"centre": self.centre, "width": self.width}
