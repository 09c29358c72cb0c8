"""`CrossValidator`: any splitter of karat as scikit-learn's `cv`, without importing scikit-learn.

Invariants:
1. It yields the folds of its splitter on the spans it was made for: Train, and what the fold holds out, which is Test
   in test folds and Valid otherwise.
2. Rows of X are the labelled rows, in the order of the spans; another number of rows is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sized
from dataclasses import dataclass

from karat._words import counted
from karat.core import InputError
from karat.labels._fold import Fold, Ints, Splitter
from karat.labels._make import LabelFrame


@dataclass(frozen=True, eq=False)
class CrossValidator:
    """A splitter bound to the bar closes and label spans of the rows that will be cross-validated.

    Example:
        >>> import numpy as np
        >>> from karat.labels import PurgedKFold
        >>> ts = np.arange(12, dtype=np.int64)
        >>> cv = CrossValidator(PurgedKFold(3), ts, ts, ts + 1)
        >>> cv.get_n_splits(), [train.tolist() for train, _ in cv.split(np.zeros((12, 1)))][0]
        (3, [5, 6, 7, 8, 9, 10, 11])
    """

    splitter: Splitter
    ts: Ints
    start_ns: Ints
    end_ns: Ints

    @classmethod
    def of(cls, splitter: Splitter, labels: LabelFrame) -> CrossValidator:
        """Return the validator for the rows of a label frame."""
        return cls(splitter, labels.ts, labels.start_ns, labels.end_ns)

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Return the number of folds; the arguments are scikit-learn's and are not looked at."""
        return len(self._folds())

    def split(self, X: Sized, y: object = None, groups: object = None) -> Iterator[tuple[Ints, Ints]]:
        """Yield (train, held out) row numbers.

        Raises:
            InputError: X has another number of rows than there are spans.
        """
        rows = int(X.shape[0]) if hasattr(X, "shape") else len(X)
        if rows != len(self.ts):
            raise InputError("X", counted(rows, "row"), allowed=f"{len(self.ts)}, one row per label")
        for fold in self._folds():
            yield fold.train, fold.valid if fold.test is None else fold.test

    def _folds(self) -> list[Fold]:
        return self.splitter.split(self.ts, self.start_ns, self.end_ns)
