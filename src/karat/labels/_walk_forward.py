"""`WalkForward`: selection folds before the Test period, then Test in blocks, always trained on the past.

    select folds   train ......... | purge | valid |
                   train ................. | purge | valid |
    test folds     train ......................... | purge | valid | purge | test |
                   train ......................................... | purge | valid | purge | test |

Invariants:
1. No span of Train overlaps one of Valid or Test, none of Valid one of Test, nor the embargo before them.
2. Every span of a select fold ends before the first Test span begins: selection never sees Test.
3. Train ends before Valid, Valid before Test; Train expands, or rolls over the last `train_bars` bars.
4. Test blocks cover the Test period without gap or overlap.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import numpy as np

from karat._words import counted
from karat.core import InputError, iso_date, to_ns
from karat.labels._fold import Axis, Bools, Fold, Ints, whole


@dataclass(frozen=True)
class WalkForward:
    """Purged and embargoed walk-forward splits.

    select_folds: Valid blocks before the Test period. test_folds: blocks of the Test period; 0 leaves Test out.
    test_start: first date of the Test period, or test_frac: its share of the bars. valid_bars: length of each Valid.
    embargo_bars: bars left out before each Valid and Test on top of the purge. min_train_bars: shortest Train.
    train_bars: length of a rolling Train; None expands.
    """

    select_folds: int = 3
    test_folds: int = 2
    test_start: dt.date | None = None
    test_frac: float | None = None
    valid_bars: int = 250
    embargo_bars: int = 5
    min_train_bars: int = 250
    train_bars: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("select_folds", 0), ("test_folds", 0), ("valid_bars", 1), ("embargo_bars", 0)):
            whole(name, getattr(self, name), least)
        whole("min_train_bars", self.min_train_bars, 1)
        if self.train_bars is not None:
            whole("train_bars", self.train_bars, self.min_train_bars)
        if self.select_folds + self.test_folds == 0:
            raise InputError("select_folds", 0, allowed="1 or more where test_folds is 0", why="there would be no fold")
        if (self.test_start is None) == (self.test_frac is None) and self.test_folds:
            seen = f"{self.test_start} and {self.test_frac}"
            raise InputError("test_start, test_frac", seen, allowed="exactly one of the two")
        if self.test_frac is not None and not 0.0 < self.test_frac < 1.0:
            raise InputError("test_frac", self.test_frac, allowed="above 0 and below 1")

    def split(self, ts: Ints, start_ns: Ints, end_ns: Ints) -> list[Fold]:
        """Return the select folds, then the test folds, in order of time.

        ts, start_ns, end_ns: (n,) int64 UTC ns of the labelled rows, in any order; all instruments together.

        Raises:
            InputError: too few bars, saying how many would be enough; a test_start outside the data.
        """
        axis = Axis.of(ts, start_ns, end_ns)
        first = self._first_test(axis)
        blocks = np.array_split(np.arange(first, len(axis)), self.test_folds) if self.test_folds else []
        if blocks and len(blocks[-1]) == 0:
            raise self._too_little(
                axis, first, f"the Test period has {counted(len(axis) - first, 'bar')} for {self.test_folds} test_folds"
            )
        limit = int(axis.start[first:].min()) if blocks else None
        folds = [Fold(k, "select", *parts) for k, parts in enumerate(self._select(axis, first, limit))]
        for k, block in enumerate(blocks):
            test = axis.mark(block)
            train, valid = self._before(axis, int(block[0]), int(axis.start[block].min()))
            folds.append(Fold(k, "test", axis.rows(train), axis.rows(valid), axis.rows(test)))
        return folds

    def _first_test(self, axis: Axis) -> int:
        if not self.test_folds:
            return len(axis)
        if self.test_start is None:
            return len(axis) - max(1, round(len(axis) * (self.test_frac or 0.0)))
        first = int(np.searchsorted(axis.ts, to_ns(self.test_start), side="left"))
        if first in (0, len(axis)):
            have = f"{iso_date(int(axis.ts[0]))} to {iso_date(int(axis.ts[-1]))}"
            why = f"labelled bars run from {have}"
            raise InputError("test_start", self.test_start.isoformat(), allowed="a date inside the data", why=why)
        return first

    def _select(self, axis: Axis, first: int, limit: int | None) -> list[tuple[Ints, Ints]]:
        """Return the rows of (train, valid) for each select fold, oldest first: Valid blocks lie back to back."""
        out = []
        for _ in range(self.select_folds):
            train, valid = self._before(axis, first, limit)
            out.append((axis.rows(train), axis.rows(valid)))
            first = int(np.flatnonzero(valid)[0])
        return out[::-1]

    def _before(self, axis: Axis, first: int, limit: int | None) -> tuple[Bools, Bools]:
        """Return the bars of Train and Valid that lie before bar `first` and end before `limit`, if there is one."""
        early = self._ending_before(axis, first, limit)
        valid = axis.mark(np.flatnonzero(early)[-self.valid_bars :])
        if valid.sum() < self.valid_bars:
            raise self._too_little(
                axis, first, f"Valid has {counted(int(valid.sum()), 'bar')} left and needs {self.valid_bars}"
            )
        begin = int(np.flatnonzero(valid)[0])
        train = self._ending_before(axis, begin, int(axis.start[valid].min()))
        if self.train_bars is not None:
            train = axis.mark(np.flatnonzero(train)[-self.train_bars :])
        if train.sum() < self.min_train_bars:
            raise self._too_little(
                axis, first, f"Train has {counted(int(train.sum()), 'bar')} left and needs {self.min_train_bars}"
            )
        return train, valid

    def _ending_before(self, axis: Axis, first: int, limit: int | None) -> Bools:
        early = np.arange(len(axis)) < first
        return early if limit is None else early & (axis.end < axis.before(limit, self.embargo_bars))

    def _too_little(self, axis: Axis, first: int, seen: str) -> InputError:
        gap = self.embargo_bars + axis.reach()
        before = self.min_train_bars + gap + max(self.select_folds, 1) * self.valid_bars + gap
        if self.test_frac is not None:
            enough = math.ceil(max(before / (1 - self.test_frac), self.test_folds / self.test_frac))
        else:
            enough = before + self.test_folds
        what = f"{counted(enough, 'labelled bar')} would be enough, {before} of them before Test"
        return InputError(
            "splits",
            f"{counted(len(axis), 'labelled bar')}, {first} of them before Test",
            why=f"{seen}; {what}",
            fix="load more data, or lower select_folds, test_folds or valid_bars",
        )
