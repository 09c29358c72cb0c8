"""Whether a map may be used: learned on the earlier two thirds of the rows, it must help on the later third.

Invariants:
1. The later third decides before it is learned from; a row of the earlier part whose outcome came after the first
   forecast of the later one is left out.
2. Every refusal has a reason in plain words, and the identity takes the map's place.
3. The figure that decides is the mean Brier score: finite for any forecast, and proper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from karat.evidence._scores import brier_classes
from karat.evidence.calibration._identity import Identity
from karat.evidence.calibration._map import ClassMap
from karat.evidence.calibration._pairs import ClassRows

MIN_ROWS: Final = 150
"""Fewer rows than this are not calibrated on: two thirds of them leave a hundred to learn from."""
EARLIER: Final = 2.0 / 3.0


@dataclass(frozen=True)
class Diagnosis:
    """What became of one regime's map: the method in use, mean Brier on the later third without and with it."""

    regime: str
    method: str
    rows: int
    before: float | None
    after: float | None
    reason: str

    @property
    def fell_back(self) -> bool:
        """Whether the identity is used in place of the method that was asked for."""
        return self.method == Identity.name


def diagnose(kind: type[ClassMap], rows: ClassRows, regime: str) -> tuple[ClassMap, Diagnosis]:
    """Return the map to use for these rows, in order of `end_ns`, and why."""
    n = len(rows)
    if n < MIN_ROWS:
        return _refused(regime, n, f"{n} rows; {MIN_ROWS} are needed")
    cut = int(n * EARLIER)
    later = rows.take(slice(cut, n))
    first = int(later.known_at.min())
    earlier = rows.take(slice(0, cut)).take(rows.end_ns[:cut] <= first)
    if len(np.unique(earlier.klass)) < 2:
        return _refused(regime, n, "fewer than two classes happened in the earlier part")
    trial = kind.fit(earlier.probabilities, earlier.klass)
    before = float(brier_classes(later.klass, later.probabilities).mean())
    after = float(brier_classes(later.klass, trial.apply(later.probabilities)).mean())
    problem = trial.problem() or _no_help(before, after)
    if problem is None:
        whole = kind.fit(rows.probabilities, rows.klass)
        problem = whole.problem()
        if problem is None:
            return whole, Diagnosis(regime, kind.name, n, before, after, "it helps on the later third")
    return _refused(regime, n, problem, before, after)


def _no_help(before: float, after: float) -> str | None:
    if after < before:
        return None
    return f"Brier {after:.6g} on the later third is not below {before:.6g} without it"


def _refused(
    regime: str, n: int, reason: str, before: float | None = None, after: float | None = None
) -> tuple[ClassMap, Diagnosis]:
    return Identity(), Diagnosis(regime, Identity.name, n, before, after, reason)
