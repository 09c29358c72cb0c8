"""`Labeller`: how measures become states. Fitted on rows of the past, then run forward, row after row.

Invariants:
1. `scan` of rows in one call, in pieces or one by one gives the same states; nothing it has answered changes later.
2. `refit` may change what is answered from then on, never what was answered.
3. `restore(state())` continues to the bit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karat.core import InputError
from karat.features._spec import Floats

Ints = NDArray[np.int64]
State = dict[str, NDArray[Any]]


class Labeller(ABC):
    """States of one series. `names`: in the order of their codes, which start at 0."""

    names: tuple[str, ...]
    least: int = 2
    """Rows that a fit needs."""
    varying: bool = False
    """Whether a fit needs rows that are not all the same."""

    def fit(self, x: Floats) -> None:
        """Fit on x, (T, D) finite rows of the past, and forget what was seen before.

        Raises:
            InputError: fewer than `least` rows, or rows that are all the same where they may not be.
        """
        if len(x) < self.least:
            why = "too few with a measure to fit regimes on"
            fix = "learn until a later day, load a longer history, or choose another system"
            raise InputError("rows", len(x), why=why, allowed=f"{self.least} or more", fix=fix)
        if not self.can_fit(x):
            why = "there is nothing to tell states by"
            raise InputError("rows", "a constant measure", why=why, allowed="one that varies")
        self._fit(x)
        self.reset()

    def can_fit(self, x: Floats) -> bool:
        """Return whether `fit` would take x; a refit that it would not take is left out."""
        return len(x) >= self.least and not (self.varying and bool((x == x[0]).all()))

    def refit(self, x: Floats) -> None:
        """Fit on x, the whole past of the series, and go on: the present label stays until new rows change it."""
        self.fit(x)

    @abstractmethod
    def reset(self) -> None:
        """Forget the rows seen, not the fit."""

    @abstractmethod
    def _fit(self, x: Floats) -> None: ...

    @abstractmethod
    def scan(self, x: Floats) -> tuple[Ints, Floats]:
        """Return the code of each row (n,) and the probability (n,) that its state has, given the rows up to it."""

    def settings(self) -> dict[str, Any]:
        """Return what was chosen and not fitted, as plain values: a state is taken up under the same alone."""
        return {}

    @abstractmethod
    def state(self) -> State:
        """Return all that is needed to go on, as arrays."""

    @abstractmethod
    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up a state that `state` returned."""


def held(wanted: Ints, now: int) -> Ints:
    """Return the code held at each row: the last one wanted, -1 meaning that the one before is kept; now: before all.

    Example:
        >>> held(np.array([-1, 2, -1, 0]), 1).tolist()
        [1, 2, 2, 0]
    """
    codes = np.concatenate([[now], wanted])
    last = np.maximum.accumulate(np.where(codes >= 0, np.arange(len(codes)), 0))
    return codes[last][1:].astype(np.int64)
