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
            InputError: another view than `Train`, a name that does not exist, `keep` that is no whole number of 1 or
                more, labels that are no array of a finite number a row, or fewer rows than the selector needs.
        """
        if not isinstance(train, Train):
            why = "preparation learns from Train alone"
            raise InputError("train", type(train).__name__, allowed="Train", why=why)
        _check_names(scaler, selector)
        if not isinstance(keep, int | np.integer) or isinstance(keep, bool) or keep < 1:
            raise InputError("keep", keep, allowed="a whole number of 1 or more")
        _check_target(target, len(train))
        least = SELECTORS[selector].least
        if len(train) < least:
            raise InputError(
                "train", len(train), why=f"too few rows to choose by {selector}", allowed=f"{least} or more"
            )
        features = train.features
        fitted = SCALERS[scaler].fit(features)
        if selector == "none":
            return cls(scaler, selector, fitted)
        scaled = SCALERS[scaler].apply(features, fitted)
        return cls(scaler, selector, fitted, *SELECTORS[selector].fit(scaled, target, keep))

    def apply(self, features: Floats) -> Floats:
        """Return (..., q) of features (..., p): scaled, selected, no NaN.

        Raises:
            InputError: no array of numbers, or another number of features than was fitted on.
        """
        _check_array("features", features, self._features)
        scaled = SCALERS[self.scaler].apply(features, self.scaled_by)
        if self.centre is None or self.matrix is None:
            return scaled
        return np.asarray((scaled - self.centre) @ self.matrix)

    def invert(self, prepared: Floats) -> Floats:
        """Return (..., p) features again; what a selector left out becomes the middle of Train.

        Exact, up to rounding, for values that the scaler did not cut where every feature or combination was kept; what
        rounding costs `power` where a tail is long is said in `_scalers`.

        Raises:
            InputError: no array of numbers, or another width than `apply` gives.
        """
        _check_array("prepared", prepared, self.width)
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
        """Take back what `arrays` gave; others among them are left alone.

        Raises:
            InputError: a name that does not exist, or an array that is missing.
        """
        _check_names(scaler, selector)
        wanted = [f"scaler.{name}" for name in SCALERS[scaler].arrays]
        wanted += [] if selector == "none" else ["selector.centre", "selector.matrix"]
        missing = [name for name in wanted if name not in arrays]
        if missing:
            why, allowed = f"{', '.join(missing)} is missing", f"what `arrays` of {scaler} and {selector} gave"
            raise InputError("arrays", sorted(arrays), why=why, allowed=allowed)
        fitted = {name.removeprefix("scaler."): value for name, value in arrays.items() if name.startswith("scaler.")}
        return cls(scaler, selector, fitted, arrays.get("selector.centre"), arrays.get("selector.matrix"))


def _check_names(scaler: str, selector: str) -> None:
    for name, value, table in (("scaler", scaler, SCALERS), ("selector", selector, SELECTORS)):
        if value not in table:
            raise InputError(name, value, allowed=sorted(table))


def _check_target(target: Floats, n: int) -> None:
    """Refuse labels that are no (n,) array of finite numbers."""
    seen = None
    if not isinstance(target, np.ndarray):
        seen = type(target).__name__
    elif target.shape != (n,):
        seen = f"shape {target.shape}"
    elif target.dtype.kind not in "iuf":
        seen = f"dtype {target.dtype}"
    if seen is not None:
        raise InputError("target", seen, allowed=f"an array of shape ({n},): one label a row, in numbers")
    odd = target[~np.isfinite(target)]
    if len(odd):
        raise InputError("target", float(odd[0]), allowed="finite numbers, one label a row")


def _check_array(field: str, values: Floats, width: int) -> None:
    """Refuse what is no (..., width) array of numbers."""
    shape = values.shape if isinstance(values, np.ndarray) and values.dtype.kind in "biuf" else None
    if not shape or shape[-1] != width:
        seen = type(values).__name__ if shape is None else f"shape {shape}"
        raise InputError(field, seen, allowed=f"an array of numbers (..., {width})")
