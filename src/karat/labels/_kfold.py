"""Cross-validation splitters: `PurgedKFold` (train on both sides) and `GapKFold` (train on the past, a week apart).

Both give "select" folds: the held-out block is Valid.

Invariants:
1. No span of Train overlaps the hull of the held-out block's spans, nor its embargo; spans are closed, as in the
   function of snippet 7.1 of Lopez de Prado, Advances in Financial Machine Learning (2018).
2. `PurgedKFold` holds out every row exactly once.
3. In `GapKFold` every span of Train ends more than `gap_days` days before the first span of Valid begins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from karat.core import NS_PER_DAY, InputError
from karat.labels._fold import Axis, Fold, Ints, whole


@dataclass(frozen=True)
class PurgedKFold:
    """K contiguous held-out blocks; Train is everything else but what overlaps, and `embargo_bars` bars after."""

    n_splits: int = 5
    embargo_bars: int = 0

    def __post_init__(self) -> None:
        whole("n_splits", self.n_splits, 2)
        whole("embargo_bars", self.embargo_bars, 0)

    def split(self, ts: Ints, start_ns: Ints, end_ns: Ints) -> list[Fold]:
        """Return one select fold per block, in order of time.

        Raises:
            InputError: fewer bars than blocks, or a horizon so long that no Train is left.
        """
        axis = Axis.of(ts, start_ns, end_ns)
        if len(axis) < self.n_splits:
            raise InputError("n_splits", self.n_splits, allowed=f"2 to {len(axis)}, the number of labelled bars")
        folds = []
        for k, block in enumerate(np.array_split(np.arange(len(axis)), self.n_splits)):
            low, high = int(axis.start[block].min()), int(axis.end[block].max())
            clear = (end_ns < low) | (start_ns > axis.embargoed(high, self.embargo_bars))
            held = axis.mark(block)[axis.bar]
            train = np.flatnonzero(clear & ~held).astype(np.int64)
            if not len(train):
                raise InputError(
                    "n_splits", self.n_splits, why=f"purging leaves no Train in fold {k}", fix="load more data"
                )
            folds.append(Fold(k, "select", train, axis.rows(axis.mark(block))))
        return folds


@dataclass(frozen=True)
class GapKFold:
    """`n_splits` successive held-out blocks; Train is all that ended `gap_days` days or more before each."""

    n_splits: int = 10
    gap_days: int = 7

    def __post_init__(self) -> None:
        whole("n_splits", self.n_splits, 2)
        whole("gap_days", self.gap_days, 0)

    def split(self, ts: Ints, start_ns: Ints, end_ns: Ints) -> list[Fold]:
        """Return one select fold per block, in order of time; the first of n_splits + 1 blocks is only trained on.

        Raises:
            InputError: fewer bars than blocks, or blocks shorter than the gap.
        """
        axis = Axis.of(ts, start_ns, end_ns)
        if len(axis) <= self.n_splits:
            raise InputError("n_splits", self.n_splits, allowed=f"2 to {len(axis) - 1}, one less than labelled bars")
        folds = []
        for k, block in enumerate(np.array_split(np.arange(len(axis)), self.n_splits + 1)[1:]):
            limit = int(axis.start[block].min()) - self.gap_days * NS_PER_DAY
            train = axis.rows((axis.end < limit) & (np.arange(len(axis)) < block[0]))
            if not len(train):
                days = (int(axis.start[block].min()) - int(axis.ts[0])) // NS_PER_DAY
                need = self.gap_days + int((axis.end - axis.ts).max()) // NS_PER_DAY + 1
                why = f"no label ends before the gap of fold {k}: it begins on day {days}, day {need} would be enough"
                raise InputError("gap_days", self.gap_days, why=why, fix="load more data or lower n_splits")
            folds.append(Fold(k, "select", train, axis.rows(axis.mark(block))))
        return folds
