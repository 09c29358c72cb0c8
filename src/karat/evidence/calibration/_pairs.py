"""What calibration learns from: forecasts of a `Valid` view beside what happened, and nothing else.

Invariants:
1. Only a `Valid` is taken. `Train` would flatter the forecast, `Test` would be spent.
2. Row k of the forecast answers row k of the view: times and instruments are compared, not assumed.
3. Rows are sorted by when the outcome was known, so that a later part is later for every row of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from karat._words import counted
from karat.core import InputError, iso
from karat.data import Forecast, Valid
from karat.evidence._shapes import Floats, Ints
from karat.labels import classify

POOLED = ""
"""Name of the one regime that every row is in where none are given."""


@dataclass(frozen=True, eq=False)
class ClassRows:
    """Class probabilities (n, c) and the classes (n,) that happened, with times and regimes as in `Pairs`."""

    probabilities: Floats
    klass: Ints
    known_at: Ints
    end_ns: Ints
    regime: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.klass)

    def take(self, rows: NDArray[np.bool_] | slice | Ints) -> ClassRows:
        """Return the given rows."""
        return ClassRows(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})

    def joined(self, later: ClassRows) -> ClassRows:
        """Return these rows followed by `later`."""
        both = {name: (getattr(self, name), getattr(later, name)) for name in self.__dataclass_fields__}
        return ClassRows(**{name: np.concatenate(parts) for name, parts in both.items()})


@dataclass(frozen=True, eq=False)
class Pairs:
    """Forecasts and outcomes of n rows, ordered by `end_ns`.

    quantiles (n, 23) and value (n,): fractions; probabilities (n, 9); klass (n,): the class that happened;
    known_at, end_ns (n,): UTC ns, when the forecast was made and when its outcome was known; regime (n,): names.
    """

    quantiles: Floats
    probabilities: Floats
    value: Floats
    klass: Ints
    known_at: Ints
    end_ns: Ints
    regime: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.value)

    def take(self, rows: NDArray[np.bool_] | slice | Ints) -> Pairs:
        """Return the given rows."""
        return Pairs(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})

    def classes(self) -> ClassRows:
        """Return the part that calibrators of class probabilities read."""
        return ClassRows(self.probabilities, self.klass, self.known_at, self.end_ns, self.regime)


def pair(valid: Valid, forecast: Forecast, regime: Sequence[str] | NDArray[np.str_] | None = None) -> Pairs:
    """Return the forecasts of one `Valid` beside its outcomes; `regime` (n,) is what was known at each forecast.

    Raises:
        InputError: another view, rows that do not match, or labels that are not finite.
    """
    if not isinstance(valid, Valid):
        why = "calibration learns from Valid only: Train flatters the forecast, Test would be spent"
        raise InputError("valid", type(valid).__name__, allowed="Valid", why=why)
    same = len(forecast.ts) == len(valid) and bool((forecast.ts == valid.ts).all())
    if not (same and bool((forecast.instrument == valid.instrument).all()) and forecast.horizon == valid.horizon):
        given, rows = counted(len(forecast.ts), "forecast"), counted(len(valid), "row")
        seen = f"{given} at {forecast.horizon} for {rows} at {valid.horizon}"
        raise InputError("forecast", seen, allowed="one forecast per row of valid, in its order", fix="predict(valid)")
    if not np.isfinite(valid.labels.value).all():
        raise InputError("valid.labels", "NaN or infinite values", allowed="finite returns", fix="drop such rows")
    names = regimes_of(len(valid), regime)
    order = np.argsort(valid.labels.end_ns, kind="stable")
    return Pairs(
        forecast.quantiles[order],
        forecast.probabilities[order],
        valid.labels.value[order],
        classify(valid.labels.value[order]),
        forecast.known_at[order],
        valid.labels.end_ns[order],
        names[order],
    )


def pool(folds: Sequence[Pairs]) -> Pairs:
    """Return the rows of several folds as one, ordered by `end_ns`.

    Raises:
        InputError: no folds, or folds whose forecasts overlap in time: their rows would count twice.
    """
    if not folds:
        raise InputError("folds", "none", allowed="one fold or more")
    ordered = sorted(folds, key=lambda fold: int(fold.known_at.min()))
    for before, after in pairwise(ordered):
        first, last = int(after.known_at.min()), int(before.known_at.max())
        if first <= last:
            seen = f"a fold starting {iso(first)} before another ends {iso(last)}"
            why = "overlapping folds count the same days twice"
            raise InputError("folds", seen, why=why, allowed="folds that follow each other", fix="drop or shorten one")
    parts = {name: np.concatenate([getattr(fold, name) for fold in ordered]) for name in Pairs.__dataclass_fields__}
    return Pairs(**parts).take(np.argsort(parts["end_ns"], kind="stable").astype(np.int64))


def regimes_of(n: int, regime: Sequence[str] | NDArray[np.str_] | None) -> NDArray[np.str_]:
    """Return (n,) regime names, all `POOLED` where none are given.

    Raises:
        InputError: another number of names.
    """
    if regime is None:
        return np.full(n, POOLED)
    names = np.asarray(regime, dtype=np.str_)
    if names.shape != (n,):
        raise InputError("regime", f"shape {names.shape}", allowed=f"({n},): one name per row")
    return names
