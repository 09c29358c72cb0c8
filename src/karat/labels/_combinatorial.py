"""`CombinatorialPurgedKFold`: every choice of held-out groups, and the paths through time that they make up.

| symbol | meaning |
|---|---|
| N | groups, contiguous, in order of time |
| k | groups held out at a time |
| C(N, k) | folds, in lexicographic order of the groups held out |
| phi = k C(N, k) / N | paths: each takes every group once, from folds that held it out |

Source: Lopez de Prado, Advances in Financial Machine Learning (2018), chapter 12. Folds are "select" folds: Train lies
on both sides, so that they compare candidates and measure overfitting; a verdict comes from `WalkForward`.

Invariants:
1. No span of Train overlaps the hull of the spans of any group held out, nor its embargo.
2. Path p takes group g from the p-th fold that held g out, so that every held-out block is on exactly one path.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from karat.core import InputError
from karat.labels._fold import Axis, Fold, Ints, whole


@dataclass(frozen=True)
class CombinatorialPurgedKFold:
    """All folds that hold `n_held` of `n_groups` groups out; `embargo_bars` bars after each are left out as well."""

    n_groups: int = 6
    n_held: int = 2
    embargo_bars: int = 0

    def __post_init__(self) -> None:
        whole("n_groups", self.n_groups, 2)
        whole("n_held", self.n_held, 1)
        whole("embargo_bars", self.embargo_bars, 0)
        if self.n_held >= self.n_groups:
            raise InputError("n_held", self.n_held, allowed=f"1 to {self.n_groups - 1}, one less than n_groups")

    @property
    def n_paths(self) -> int:
        """phi."""
        return self.n_held * comb(self.n_groups, self.n_held) // self.n_groups

    def paths(self) -> Ints:
        """Return (phi, N): for each path and group the fold whose held-out block it takes."""
        chosen = list(combinations(range(self.n_groups), self.n_held))
        folds = [[k for k, groups in enumerate(chosen) if group in groups] for group in range(self.n_groups)]
        return np.array(folds, dtype=np.int64).T

    def split(self, ts: Ints, start_ns: Ints, end_ns: Ints) -> list[Fold]:
        """Return one select fold per choice of groups; see `paths`.

        Raises:
            InputError: fewer bars than groups, or a horizon so long that no Train is left.
        """
        axis = Axis.of(ts, start_ns, end_ns)
        if len(axis) < self.n_groups:
            raise InputError("n_groups", self.n_groups, allowed=f"2 to {len(axis)}, the number of labelled bars")
        groups = np.array_split(np.arange(len(axis)), self.n_groups)
        clear = []
        for bars in groups:
            low, high = int(axis.start[bars].min()), int(axis.end[bars].max())
            outside = (end_ns < low) | (start_ns > axis.embargoed(high, self.embargo_bars))
            clear.append(outside & ~axis.mark(bars)[axis.bar])
        folds = []
        for k, chosen in enumerate(combinations(range(self.n_groups), self.n_held)):
            train = np.flatnonzero(np.logical_and.reduce([clear[group] for group in chosen])).astype(np.int64)
            if not len(train):
                why = f"purging leaves no Train in fold {k}"
                raise InputError("n_held", self.n_held, why=why, fix="load more data or hold fewer groups out")
            held = np.concatenate([groups[group] for group in chosen])
            folds.append(Fold(k, "select", train, axis.rows(axis.mark(held))))
        return folds
