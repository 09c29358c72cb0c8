"""`Fold`, the axis of bars that every splitter cuts, and the check that no label span crosses a cut.

Rows are (instrument, ts) pairs; splitters cut the axis of distinct `ts`, so that all instruments of a date are on the
same side. Spans are closed: two that share an instant overlap.

Invariants:
1. Within a fold no span of Train overlaps one of Valid or Test, and none of Valid overlaps one of Test.
2. Every span of a "select" fold ends before the first Test span of any "test" fold begins.
3. Row indices of a fold ascend and no row is in two parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from karat._words import counted
from karat.core import InputError

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Fold:
    """Row indices of one split: train, valid and, in "test" folds, test; each (n,) int64, ascending."""

    index: int
    role: Literal["select", "test"]
    train: Ints
    valid: Ints
    test: Ints | None = None


class Splitter(Protocol):
    """What every splitter offers."""

    def split(self, ts: Ints, start_ns: Ints, end_ns: Ints) -> list[Fold]:
        """Return the folds of rows with bar closes `ts` and closed label spans [start_ns, end_ns]."""
        ...


@dataclass(frozen=True, eq=False)
class Axis:
    """The distinct bars of a set of rows: ts, earliest start and latest end of their spans, and each row's bar."""

    ts: Ints
    start: Ints
    end: Ints
    bar: Ints

    @classmethod
    def of(cls, ts: Ints, start_ns: Ints, end_ns: Ints) -> Axis:
        """Return the axis of the rows.

        Raises:
            InputError: no rows, unequal lengths, or a span that ends before it starts.
        """
        if not len(ts):
            raise InputError("rows", 0, allowed="one or more labelled rows", fix="load more data")
        if not len(ts) == len(start_ns) == len(end_ns):
            seen = (len(ts), len(start_ns), len(end_ns))
            raise InputError("rows", seen, allowed="ts, start_ns and end_ns of one length")
        if (end_ns < start_ns).any():
            row = int(np.flatnonzero(end_ns < start_ns)[0])
            raise InputError("rows", f"row {row} ends before it starts", allowed="start_ns <= end_ns")
        unique, bar = np.unique(ts, return_inverse=True)
        start = np.full(len(unique), np.iinfo(np.int64).max)
        end = np.full(len(unique), np.iinfo(np.int64).min)
        np.minimum.at(start, bar, start_ns)
        np.maximum.at(end, bar, end_ns)
        return cls(unique, start, end, bar.astype(np.int64))

    def __len__(self) -> int:
        return len(self.ts)

    def mark(self, bars: Ints) -> Bools:
        """Return the bars with the given indices as a mask."""
        marked = np.zeros(len(self.ts), dtype=np.bool_)
        marked[bars] = True
        return marked

    def reach(self) -> int:
        """Return over how many bars the longest span of any row extends."""
        return int((np.searchsorted(self.ts, self.end, side="left") - np.arange(len(self.ts))).max()) + 1

    def rows(self, bars: Bools) -> Ints:
        """Return the ascending rows of the marked bars."""
        return np.flatnonzero(bars[self.bar]).astype(np.int64)

    def embargoed(self, end_ns: int, bars: int) -> int:
        """Return the instant up to which nothing may start when `bars` bars after `end_ns` are embargoed."""
        if not bars:
            return end_ns
        last = int(np.searchsorted(self.ts, end_ns, side="right")) - 1
        return max(end_ns, int(self.ts[min(last + bars, len(self.ts) - 1)]))

    def before(self, start_ns: int, bars: int) -> int:
        """Return the instant that must not be reached when `bars` bars before `start_ns` are embargoed."""
        if not bars:
            return start_ns
        first = int(np.searchsorted(self.ts, start_ns, side="left"))
        return min(start_ns, int(self.ts[max(first - bars, 0)]))


def check_purged(folds: Sequence[Fold], start_ns: Ints, end_ns: Ints) -> list[str]:
    """Return a sentence for every broken invariant of the module; an empty list when all hold."""
    problems: list[str] = []
    for fold in folds:
        parts = {"train": fold.train, "valid": fold.valid} | ({} if fold.test is None else {"test": fold.test})
        where = f"{fold.role} fold {fold.index}"
        problems += [f"{where}: {text}" for text in _fold_problems(parts, start_ns, end_ns)]
    tests = [fold.test for fold in folds if fold.test is not None and len(fold.test)]
    if tests:
        opens = min(int(start_ns[rows].min()) for rows in tests)
        for fold in folds:
            used = np.concatenate([fold.train, fold.valid])
            if fold.role == "select" and len(used) and int(end_ns[used].max()) >= opens:
                problems.append(f"select fold {fold.index}: a label span reaches the first Test span")
    return problems


def window_log(folds: Sequence[Fold], ts: Ints, end_ns: Ints) -> pl.DataFrame:
    """Return one row per part of each fold: fold, role, part, rows, first_ts, last_ts, last_end_ns (UTC ns)."""
    records = []
    for fold in folds:
        for part in ("train", "valid", "test"):
            rows = getattr(fold, part)
            if rows is not None and len(rows):
                span = (int(ts[rows].min()), int(ts[rows].max()), int(end_ns[rows].max()))
                records.append((fold.index, fold.role, part, len(rows), *span))
    names = ("fold", "role", "part", "rows", "first_ts", "last_ts", "last_end_ns")
    kinds = (pl.Int64, pl.String, pl.String, pl.Int64, pl.Int64, pl.Int64, pl.Int64)
    return pl.DataFrame(records, schema=dict(zip(names, kinds, strict=True)), orient="row")


def whole(name: str, value: int, least: int) -> None:
    """Refuse a parameter that is not a whole number of at least `least`.

    Raises:
        InputError: naming the parameter.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(name, value, allowed=f"a whole number of {least} or more")


def overlaps(start_ns: Ints, end_ns: Ints, others_start: Ints, others_end: Ints) -> Bools:
    """Return (n,) whether each closed span shares an instant with any of the other spans."""
    if not len(others_start):
        return np.zeros(len(start_ns), dtype=np.bool_)
    order = np.argsort(others_start, kind="stable")
    reach = np.maximum.accumulate(others_end[order])
    count = np.searchsorted(others_start[order], end_ns, side="right")
    return (count > 0) & (reach[np.maximum(count - 1, 0)] >= start_ns)


def _fold_problems(parts: dict[str, Ints], start_ns: Ints, end_ns: Ints) -> list[str]:
    problems = []
    for name, rows in parts.items():
        if not len(rows):
            problems.append(f"{name} is empty")
        elif (np.diff(rows) <= 0).any():
            problems.append(f"{name} rows do not ascend")
    names = list(parts)
    for k, first in enumerate(names):
        for second in names[k + 1 :]:
            a, b = parts[first], parts[second]
            if len(np.intersect1d(a, b)):
                problems.append(f"{first} and {second} share rows")
            count = int(overlaps(start_ns[a], end_ns[a], start_ns[b], end_ns[b]).sum())
            if count:
                problems.append(f"{first} overlaps {second} by {counted(count, 'label span')}")
    return problems
