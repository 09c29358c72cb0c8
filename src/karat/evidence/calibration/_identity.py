"""The map that changes nothing: what is used where a fitted one cannot be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from karat.evidence._shapes import Floats, Ints
from karat.evidence.calibration._map import ClassMap


@dataclass(frozen=True)
class Identity(ClassMap):
    """Returns what it is given."""

    name: ClassVar[str] = "identity"

    @classmethod
    def fit(cls, probabilities: Floats, klass: Ints) -> Self:
        """Return the map; there is nothing to learn."""
        return cls()

    def apply(self, probabilities: Floats) -> Floats:
        """Return the probabilities as they are."""
        return probabilities

    def values(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    @classmethod
    def restore(cls, values: Mapping[str, Any]) -> Self:
        """Return the map."""
        return cls()
