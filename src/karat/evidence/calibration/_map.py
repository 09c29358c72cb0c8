"""`ClassMap`: a fitted map from class probabilities to better ones; one contract for all methods.

| symbol | meaning | shape |
|---|---|---|
| p | class probabilities, rows sum to one | (n, c) |
| k | the class that happened | (n,) |

Invariants:
1. `apply` gives rows that are positive and sum to one, row by row: no row sees another.
2. With two classes the map of the second is non-decreasing, so that ranks survive; with more, each class is mapped
   against the rest and the row is scaled to one (Zadrozny and Elkan 2002), which may reorder rows slightly.
3. `restore(values())` gives the same bits; values are plain JSON.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, Self

import numpy as np

from karat.core import InputError
from karat.evidence._shapes import Floats, Ints

TINY: Final = 1e-12


class ClassMap(ABC):
    """A fitted map of class probabilities. `name` is its name in `CALIBRATORS` and in saved files."""

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def fit(cls, probabilities: Floats, klass: Ints) -> Self:
        """Return the map learned from (n, c) probabilities and (n,) classes."""

    @abstractmethod
    def apply(self, probabilities: Floats) -> Floats:
        """Return the mapped probabilities, (n, c)."""

    @abstractmethod
    def values(self) -> dict[str, Any]:
        """Return all that `apply` needs, as JSON."""

    @classmethod
    @abstractmethod
    def restore(cls, values: Mapping[str, Any]) -> Self:
        """Return the map whose `values` these are."""

    def problem(self) -> str | None:
        """Return why the fitted map must not be used, or None."""
        return None


def two_classes(probability: Floats) -> Floats:
    """Return (n, 2) class probabilities of an event's probability (n,): column 1 is the event.

    Example:
        >>> two_classes(np.array([0.25])).tolist()
        [[0.75, 0.25]]
    """
    return np.column_stack([1.0 - probability, probability])


def require_rows(probabilities: Floats, klass: Ints) -> None:
    """Check shapes, the simplex and that more than one class happened.

    Raises:
        InputError: what does not hold, and what would.
    """
    if probabilities.ndim != 2 or probabilities.shape[1] < 2 or klass.shape != (len(probabilities),):
        seen = f"shapes {probabilities.shape} and {klass.shape}"
        raise InputError("probabilities, klass", seen, allowed="(n, c) with two classes or more, and (n,)")
    off = (probabilities < 0).any() or (np.abs(probabilities.sum(axis=1) - 1.0) > 1e-6).any()
    if off or not np.isfinite(probabilities).all():
        raise InputError("probabilities", "rows off the simplex", allowed="finite non-negative rows that sum to 1")
    if len(klass) and not (klass.min() >= 0 and klass.max() < probabilities.shape[1]):
        raise InputError("klass", (int(klass.min()), int(klass.max())), allowed=f"0 to {probabilities.shape[1] - 1}")
    seen_classes = np.unique(klass)
    if len(seen_classes) < 2:
        why = "a curve through one class only is not determined"
        raise InputError("klass", seen_classes.tolist(), why=why, allowed="two classes or more", fix="use more rows")


def mapped_columns(classes: int) -> Iterable[int]:
    """Return which columns get a curve: the second of two, else all of them."""
    return (1,) if classes == 2 else range(classes)


def join(columns: list[Floats]) -> Floats:
    """Return rows on the simplex from the mapped columns: one column is the second of two classes."""
    if len(columns) == 1:
        return two_classes(columns[0])
    raw = np.column_stack(columns)
    return np.asarray(raw / raw.sum(axis=1, keepdims=True), dtype=np.float64)
