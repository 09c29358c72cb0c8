"""Change points as a regime: `changed` while the mean or variance of returns is likely a new one.

Invariants:
1. The prior of a run is the mean and variance of the rows fitted on; runs last `RUN` bars on average before a change.
2. Where all rows are the same there is nothing to see changes by: no fit, and no state before the first one.
3. `changed`: a run of at most `RECENT` bars has a probability of one half or more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from karat.features._spec import Floats
from karat.features.regimes._labeller import Ints, Labeller, State
from karat.kernels import RunPrior, run_lengths

NAMES: Final = ("settled", "changed")
RUN: Final = 250
RECENT: Final = 20
_SHAPE: Final = 2.0


class RunLengths(Labeller):
    """Run lengths of returns, filtered."""

    names = NAMES
    least = 20
    varying = True

    def __init__(self) -> None:
        self._prior = RunPrior(0.0, 1.0, _SHAPE, 1.0, 1.0 / RUN)
        self.reset()

    def reset(self) -> None:
        """Forget the rows seen."""
        self._runs = self._prior.begin()

    def _fit(self, x: Floats) -> None:
        variance = float(x.var())
        self._prior = RunPrior(float(x.mean()), 1.0, _SHAPE, variance * (_SHAPE - 1.0), 1.0 / RUN)

    def refit(self, x: Floats) -> None:
        """Fit on the past and run over it anew."""
        self.fit(x)
        _, _, self._runs = run_lengths(x[:, 0], self._prior, self._runs, recent=RECENT)

    def scan(self, x: Floats) -> tuple[Ints, Floats]:
        """Return the states and their probabilities."""
        chance, _, self._runs = run_lengths(x[:, 0], self._prior, self._runs, recent=RECENT)
        changed = chance >= 0.5
        return changed.astype(np.int64), np.where(changed, chance, 1.0 - chance)

    def state(self) -> State:
        """Return the prior and the weights of run lengths."""
        return {"prior": np.array([self._prior.mean, self._prior.scale]), "runs": self._runs}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up a state."""
        mean, scale = (float(value) for value in state["prior"])
        self._prior, self._runs = RunPrior(mean, 1.0, _SHAPE, scale, 1.0 / RUN), state["runs"]
