"""Whether a map may be used: learned on the earlier two thirds of the rows, it must help on the later third.

Invariants:
1. The later third decides before it is learned from; a row of the earlier part whose outcome came after the first
   forecast of the later one is left out.
2. Every refusal has a reason in plain words, and the identity takes the map's place.
3. The figure that decides is a proper score, finite for any forecast: the mean Brier score of class probabilities, the
   mean pinball loss of quantiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from karat._words import counted
from karat.evidence._scores import brier_classes
from karat.evidence._shapes import Ints
from karat.evidence.calibration._identity import Identity
from karat.evidence.calibration._map import ClassMap
from karat.evidence.calibration._pairs import ClassRows

MIN_ROWS: Final = 150
"""Fewer rows than this are not calibrated on: two thirds of them leave a hundred to learn from."""
EARLIER: Final = 2.0 / 3.0


@dataclass(frozen=True)
class Diagnosis:
    """What became of one regime's map: the method in use, the mean score on the later third without and with it."""

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
        return Identity(), refused(regime, n, f"{counted(n, 'row')}; {MIN_ROWS} are needed")
    before_cut, after_cut = halves(rows.known_at, rows.end_ns)
    earlier, later = rows.take(before_cut), rows.take(after_cut)
    if len(np.unique(earlier.klass)) < 2:
        return Identity(), refused(regime, n, "fewer than two classes happened in the earlier part")
    trial = kind.fit(earlier.probabilities, earlier.klass)
    before = float(brier_classes(later.klass, later.probabilities).mean())
    after = float(brier_classes(later.klass, trial.apply(later.probabilities)).mean())
    problem = trial.problem() or no_help("Brier", before, after)
    if problem is None:
        whole = kind.fit(rows.probabilities, rows.klass)
        problem = whole.problem()
        if problem is None:
            return whole, Diagnosis(regime, kind.name, n, before, after, "it helps on the later third")
    return Identity(), refused(regime, n, problem, before, after)


def halves(known_at: Ints, end_ns: Ints) -> tuple[Ints, Ints]:
    """Return the rows of the earlier two thirds and of the later third, of rows in order of `end_ns`."""
    cut = int(len(end_ns) * EARLIER)
    first = int(known_at[cut:].min())
    return np.flatnonzero(end_ns[:cut] <= first), np.arange(cut, len(end_ns))


def no_help(score: str, before: float, after: float) -> str | None:
    """Return that a score did not fall on the later third, or None where it did."""
    if after < before:
        return None
    return f"{score} {after:.6g} on the later third is not below {before:.6g} without it"


def refused(regime: str, n: int, reason: str, before: float | None = None, after: float | None = None) -> Diagnosis:
    """Return the diagnosis of a map that is not used."""
    return Diagnosis(regime, Identity.name, n, before, after, reason)
