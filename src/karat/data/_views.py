"""`Table` and the views `Inputs`, `Train`, `Valid`, `Test`: all that a forecaster ever sees.

Invariants:
1. A view's table ends with the view: rows after its last row do not exist in it, so the future cannot be read.
2. `Inputs` has no labels. `Train` and `Valid` have. `Test` gives inputs freely and labels only against a `Permit`,
   which exists only after the ledger has recorded the opening.
3. Rows of a table are sorted by (instrument, ts); `first` is the first row of the row's own instrument.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from karat.core import InputError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Table:
    """Features and bar returns of every instrument, row by row.

    ts, known_at: (n,) int64, UTC ns. code: (n,) int64 index into `instruments`, a routing key and never a feature.
    features: (n, p) float64, NaN during warm-up. returns: (n,) float64 simple close-to-close return of the bar ending
    at ts, NaN on an instrument's first row.
    """

    ts: Ints
    known_at: Ints
    code: Ints
    instruments: tuple[str, ...]
    features: Floats
    names: tuple[str, ...]
    returns: Floats

    @property
    def first(self) -> Ints:
        """(n,) the first row of each row's own instrument."""
        starts = np.flatnonzero(np.r_[True, self.code[1:] != self.code[:-1]]).astype(np.int64)
        return starts[np.searchsorted(starts, np.arange(len(self.code)), side="right") - 1]

    def take(self, rows: Ints) -> Table:
        """Return the table of the given ascending rows."""
        return Table(
            self.ts[rows],
            self.known_at[rows],
            self.code[rows],
            self.instruments,
            self.features[rows],
            self.names,
            self.returns[rows],
        )


@dataclass(frozen=True, eq=False)
class Inputs:
    """What may be known when forecasting: a table cut at the view's end, and the `rows` of it to forecast for."""

    table: Table
    rows: Ints
    horizon: str

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ts(self) -> Ints:
        """(n,) bar close of each forecast row."""
        return self.table.ts[self.rows]

    @property
    def known_at(self) -> Ints:
        """(n,) when each forecast could be made."""
        return self.table.known_at[self.rows]

    @property
    def instrument(self) -> NDArray[np.str_]:
        """(n,) instrument id of each forecast row, for routing."""
        return np.asarray(self.table.instruments, dtype=np.str_)[self.table.code[self.rows]]

    @property
    def features(self) -> Floats:
        """(n, p) features of the forecast rows; NaN where a feature is not defined."""
        return self.table.features[self.rows]

    def windows(self, length: int) -> Floats:
        """Return (n, length, p): the last `length` feature rows up to and with each row; NaN before the first bar."""
        offsets = self.rows[:, None] - np.arange(length - 1, -1, -1, dtype=np.int64)[None, :]
        inside = offsets >= self.table.first[self.rows][:, None]
        values = self.table.features[np.maximum(offsets, 0)]
        return np.where(inside[:, :, None], values, np.nan)


@dataclass(frozen=True, eq=False)
class Labels:
    """Forward simple returns. value: (n,) float64 fraction; start_ns, end_ns: (n,) span from first to last price."""

    value: Floats
    start_ns: Ints
    end_ns: Ints


@dataclass(frozen=True, eq=False)
class Train(Inputs):
    """Rows to fit on, with their labels."""

    labels: Labels


@dataclass(frozen=True, eq=False)
class Valid(Inputs):
    """Rows for early stopping, tuning and selection, with their labels."""

    labels: Labels


@dataclass(frozen=True)
class Permit:
    """Proof that the ledger recorded an opening of `Test`: made by the study from the recorded entry."""

    run_id: str
    cell: str
    entry_hash: str


@dataclass(frozen=True, eq=False)
class Test(Inputs):
    """Rows to be judged on; labels only through `open`."""

    _labels: Labels
    __test__: ClassVar[bool] = False  # the name is the field's, not a test runner's

    def inputs(self) -> Inputs:
        """Return the label-free part, all that a forecaster may see."""
        return Inputs(self.table, self.rows, self.horizon)

    def open(self, permit: Permit) -> Labels:
        """Return the labels.

        Raises:
            InputError: without a permit that carries a recorded entry.
        """
        if not isinstance(permit, Permit) or len(permit.entry_hash) != 64:
            raise InputError("permit", permit, allowed="a Permit from the ledger", why="Test opens once, on the record")
        return self._labels
