"""Bands: the state is the number of edges that a measure has passed; edges are fixed or quantiles of the past.

An edge is a quantile, or a pair of them: one with memory, which a measure has passed once it exceeds the upper one and
until it no longer exceeds the lower one. In between it stays on the side where it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karat.core import InputError
from karat.features._spec import Floats
from karat.features.regimes._labeller import Ints, Labeller, State

Edges = Sequence[float | tuple[float, float]]
"""Quantiles of the past, ascending; a pair is an edge with memory."""


class Bands(Labeller):
    """quantiles: of the rows fitted on (linear interpolation); a value belongs above an edge that it exceeds.

    Raises:
        InputError: quantiles that are no numbers or do not ascend between 0 and 1, or not one edge fewer than names.
    """

    least = 2

    def __init__(self, names: Sequence[str], quantiles: Edges) -> None:
        self.names, self._levels = tuple(names), _levels(quantiles)
        if len(self._levels) + 1 != len(names):
            raise InputError("bands", list(quantiles), allowed=f"{len(names) - 1} of them, for {', '.join(names)}")
        self._edges: Floats = np.full(self._levels.shape, np.nan)
        self._code = -1

    def _fit(self, x: Floats) -> None:
        self._edges = np.quantile(x[:, 0], self._levels)

    def refit(self, x: Floats) -> None:
        """Fit on the past and keep the label."""
        code = self._code
        self.fit(x)
        self._code = code

    def reset(self) -> None:
        """Forget the label held, which a value between the two quantiles of an edge keeps."""
        self._code = -1

    def scan(self, x: Floats) -> tuple[Ints, Floats]:
        """Return the states; a band is certain, its probability 1."""
        most, codes = (np.searchsorted(self._edges[:, side], x[:, 0], side="left") for side in (0, 1))
        for t in np.flatnonzero(codes < most).tolist():  # between the two quantiles of an edge
            before = int(codes[t - 1]) if t else self._code
            if before < 0:
                before = int(np.searchsorted(self._edges.mean(axis=1), x[t, 0]))
            codes[t] = min(max(before, codes[t]), most[t])
        self._code = int(codes[-1])
        return codes, np.ones(len(x))

    def settings(self) -> dict[str, Any]:
        """Return the lower and the upper quantile of each edge."""
        return {"bands": self._levels.tolist()}

    def state(self) -> State:
        """Return edges and the label held."""
        return {"edges": self._edges, "code": np.array([self._code])}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up a state."""
        self._edges, self._code = state["edges"], int(state["code"][0])


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


def _levels(quantiles: Edges) -> Floats:
    """Return (K, 2) the lower and the upper quantile of each edge."""
    try:
        pairs = np.array([edge if np.ndim(edge) else (edge, edge) for edge in quantiles], dtype=np.float64)
    except (TypeError, ValueError):
        pairs = np.empty(0)
    rises = np.diff([0.0, *pairs.ravel(), 1.0])
    if pairs.shape != (len(pairs), 2) or not (np.all(rises[::2] > 0.0) and np.all(rises[1::2] >= 0.0)):
        allowed = "strictly ascending numbers between 0 and 1, or pairs of them for edges with memory"
        raise InputError("bands", quantiles, allowed=allowed)
    return pairs
