"""Bands: the state is the number of edges that a measure has passed; edges are fixed or quantiles of the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karat.core import InputError
from karat.features.regimes._labeller import Floats, Ints, Labeller, State


class Bands(Labeller):
    """quantiles: of the rows fitted on (linear interpolation); a value belongs above an edge that it exceeds.

    Raises:
        InputError: quantiles that do not ascend between 0 and 1, or not one fewer than names.
    """

    least = 2

    def __init__(self, names: Sequence[str], quantiles: Sequence[float]) -> None:
        levels = np.asarray(quantiles, dtype=np.float64)
        if len(levels) == 0 or levels[0] <= 0 or levels[-1] >= 1 or np.any(np.diff(levels) <= 0):
            raise InputError("bands", list(quantiles), allowed="strictly ascending numbers between 0 and 1")
        if len(levels) + 1 != len(names):
            raise InputError("bands", list(quantiles), allowed=f"{len(names) - 1} of them, for {', '.join(names)}")
        self.names, self._levels = tuple(names), levels
        self._edges: Floats = np.full(len(levels), np.nan)

    def _fit(self, x: Floats) -> None:
        self._edges = np.quantile(x[:, 0], self._levels)

    def reset(self) -> None:
        """Forget nothing: a band looks at one row."""

    def scan(self, x: Floats) -> tuple[Ints, Floats]:
        """Return the states; a band is certain, its probability 1."""
        return np.searchsorted(self._edges, x[:, 0], side="left").astype(np.int64), np.ones(len(x))

    def state(self) -> State:
        """Return the edges."""
        return {"edges": self._edges}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up the edges."""
        self._edges = state["edges"]


class FixedBands(Labeller):
    """edges: ascending; a value belongs above an edge that it has reached. Nothing is fitted."""

    least = 0

    def __init__(self, names: Sequence[str], edges: Sequence[float]) -> None:
        self.names, self._edges = tuple(names), np.asarray(edges, dtype=np.float64)

    def _fit(self, x: Floats) -> None:
        pass

    def reset(self) -> None:
        """Forget nothing: a band looks at one row."""

    def scan(self, x: Floats) -> tuple[Ints, Floats]:
        """Return the states; a band is certain, its probability 1."""
        return np.searchsorted(self._edges, x[:, 0], side="right").astype(np.int64), np.ones(len(x))

    def state(self) -> State:
        """Return nothing: there is none."""
        return {}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up nothing."""
