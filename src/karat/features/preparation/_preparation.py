"""`Preparation`: a scaler and a selector, fitted on `Train`, applied to any rows, stored as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from karat.core import InputError
from karat.data import Train
from karat.features._spec import Floats
from karat.features.preparation._scalers import SCALERS, Arrays
from karat.features.preparation._selectors import SELECTORS


@dataclass(frozen=True, eq=False)
class Preparation:
    """What turns features into what a forecaster is given.

    scaler, selector: names in `SCALERS` and `SELECTORS`. scaled_by: what the scaler fitted. centre (p,), matrix (p, q):
    what the selector fitted, None where it keeps everything.
    """

    scaler: str
    selector: str
    scaled_by: Arrays = field(repr=False)
    centre: Floats | None = field(default=None, repr=False)
    matrix: Floats | None = field(default=None, repr=False)

    @classmethod
    def fit(
        cls, train: Train, target: Floats, *, scaler: str = "robust", selector: str = "none", keep: int = 10
    ) -> Preparation:
        """Fit on the rows of `train` and nothing else.

        target: (n,) labels of those rows, in whatever unit they are learned in. keep: how many features or combinations
        a selector leaves, all of them where there are fewer.

        Raises:
            InputError: another view than `Train`, a name that does not exist, `keep` below 1, or another number of
                labels.
        """
        if not isinstance(train, Train):
            why = "preparation learns from Train alone"
            raise InputError("train", type(train).__name__, allowed="Train", why=why)
        for name, value, table in (("scaler", scaler, SCALERS), ("selector", selector, SELECTORS)):
            if value not in table:
                raise InputError(name, value, allowed=sorted(table))
        if keep < 1:
            raise InputError("keep", keep, allowed="1 or more")
        if target.shape != (len(train),):
            raise InputError("target", f"shape {target.shape}", allowed=f"({len(train)},): one label a row")
        features = train.features
        fitted = SCALERS[scaler].fit(features)
        if selector == "none":
            return cls(scaler, selector, fitted)
        scaled = SCALERS[scaler].apply(features, fitted)
        return cls(scaler, selector, fitted, *SELECTORS[selector].fit(scaled, target, keep))

    def apply(self, features: Floats) -> Floats:
        """Return (..., q) of features (..., p): scaled, selected, no NaN.

        Raises:
            InputError: another number of features than was fitted on.
        """
        if features.shape[-1] != self._features:
            allowed = f"(..., {self._features}), the features of Train"
            raise InputError("features", f"shape {features.shape}", allowed=allowed)
        scaled = SCALERS[self.scaler].apply(features, self.scaled_by)
        if self.centre is None or self.matrix is None:
            return scaled
        return np.asarray((scaled - self.centre) @ self.matrix)

    def invert(self, prepared: Floats) -> Floats:
        """Return (..., p) features again; what a selector left out becomes the middle of Train.

        Exact, up to rounding, for values that the scaler did not cut where every feature or combination was kept.
        """
        if self.centre is not None and self.matrix is not None:
            prepared = self.centre + prepared @ np.linalg.pinv(self.matrix)
        return SCALERS[self.scaler].invert(prepared, self.scaled_by)

    @property
    def width(self) -> int:
        """How many numbers a row becomes."""
        return self._features if self.matrix is None else self.matrix.shape[1]

    @property
    def _features(self) -> int:
        return len(next(iter(self.scaled_by.values())).T)

    def kept(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of the features that are kept, or of the combinations."""
        if self.matrix is None:
            return names
        if SELECTORS[self.selector].combines:
            return tuple(f"{self.selector}_{k + 1}" for k in range(self.width))
        return tuple(names[int(place)] for place in self.matrix.argmax(axis=0))

    def arrays(self) -> dict[str, Floats]:
        """Return everything that was fitted, for a file of arrays."""
        chosen = {"centre": self.centre, "matrix": self.matrix}
        found = {f"scaler.{name}": value for name, value in self.scaled_by.items()}
        return found | {f"selector.{name}": value for name, value in chosen.items() if value is not None}

    @classmethod
    def restore(cls, scaler: str, selector: str, arrays: Mapping[str, Floats]) -> Preparation:
        """Take back what `arrays` gave; others among them are left alone."""
        fitted = {name.removeprefix("scaler."): value for name, value in arrays.items() if name.startswith("scaler.")}
        return cls(scaler, selector, fitted, arrays.get("selector.centre"), arrays.get("selector.matrix"))
