"""One road from foreign tables to event columns: times, instruments, and real numbers as whole ticks and lots.

Invariants:
1. Times are whole UTC nanoseconds or have a zone; nothing is guessed.
2. A raw price lies within a millionth of a tick of a whole tick, a size within a millionth of a lot; what is further
   off is an error. Adjusted prices are rounded to the nearest quantum, which has no meaning in the market.
3. Rows keep their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from karat._words import counted
from karat.core import DataError, InputError
from karat.data._event_rules import describe
from karat.data._events import ANALYTIC_QUANTUM, BASES, Basis
from karat.data._frames import to_polars
from karat.data._instruments import Instrument
from karat.data._panel import Panel

Ints = NDArray[np.int64]

SLACK: Final = 1e-6  # of a step: float64 holds 15 digits, so noise is far below it and half a tick far above
UNITS: Final = ("currency", "ticks")


class _Steps(NamedTuple):
    """What numbers are whole multiples of: its name, the step of each instrument, and how far off one may be."""

    what: str
    of: tuple[Decimal, ...]
    slack: float


class EventTable:
    """A foreign table with its instruments and declarations; `prices` and `sizes` give whole numbers.

    units: `currency` for prices and sizes as people write them, `ticks` for whole ticks and lots.
    """

    def __init__(
        self,
        name: str,
        table: Any,
        instruments: Instrument | Sequence[Instrument],
        *,
        basis: Basis = "raw",
        quantum: Decimal | None = None,
        units: str = "currency",
    ) -> None:
        self.name = name
        self.frame = _by_time(table.frame) if isinstance(table, Panel) else to_polars(table)
        self.members = (instruments,) if isinstance(instruments, Instrument) else tuple(instruments)
        if not self.members:
            raise InputError(f"{name}.instruments", (), allowed="one or more instruments")
        if basis not in BASES:
            raise InputError(f"{name}.basis", basis, allowed=BASES)
        if units not in UNITS:
            raise InputError(f"{name}.units", units, allowed=UNITS)
        if quantum is not None and basis == "raw":
            why = "raw prices are whole ticks of the instrument"
            raise InputError(f"{name}.quantum", quantum, why=why, fix="leave it out, or declare an adjusted basis")
        self.basis, self.units = basis, units
        step = quantum or ANALYTIC_QUANTUM
        self.price_quanta = tuple(item.tick if basis == "raw" else step for item in self.members)
        self.ts = self.times("ts")
        self.known_at = self.times("known_at") if self.has("known_at") else self.ts
        self.index = self._indices()

    @property
    def facts(self) -> dict[str, Any]:
        """The declarations, as `Events` takes them."""
        count = len(self.members)
        return {
            "instruments": self.members,
            "basis": (self.basis,) * count,
            "price_quanta": self.price_quanta,
        }

    @property
    def instrument(self) -> NDArray[np.int32] | None:
        """The column of indices, None where there is one instrument."""
        return None if len(self.members) == 1 else self.index.astype(np.int32)

    def has(self, column: str) -> bool:
        """Return whether the table has a column."""
        return column in self.frame.columns

    def column(self, name: str) -> pl.Series:
        """Return a column.

        Raises:
            InputError: there is none of that name.
        """
        if name not in self.frame.columns:
            raise InputError(f"{self.name}.columns", name, why="it is missing", fix=f"there are {self.frame.columns}")
        return self.frame[name]

    def times(self, name: str) -> Ints:
        """Return a column of times as UTC nanoseconds."""
        column = self.column(name)
        if column.null_count():
            rows = column.is_null().arg_true().to_list()
            seen, fix = counted(len(rows), "empty cell"), "fill it in or drop the rows"
            raise DataError(self.name, f"every row has a {name}", seen=seen, rows=rows, fix=fix)
        if isinstance(column.dtype, pl.Datetime):
            if column.dtype.time_zone is None:
                fix = "dt.replace_time_zone('UTC'), or pass whole nanoseconds"
                raise InputError(f"{self.name}.{name}", str(column.dtype), why="it has no time zone", fix=fix)
            return column.dt.epoch("ns").to_numpy()
        if not column.dtype.is_integer():
            raise InputError(f"{self.name}.{name}", str(column.dtype), allowed="UTC nanoseconds or times with a zone")
        return column.cast(pl.Int64).to_numpy()

    def prices(self, name: str, *, missing: int | None = None) -> Ints:
        """Return a column of prices in whole quanta; `missing` stands for NaN where it is given."""
        slack = SLACK if self.basis == "raw" else 1.0
        return self._units(name, _Steps("tick", self.price_quanta, slack), missing)

    def sizes(self, name: str) -> Ints:
        """Return a column of sizes in whole lots."""
        return self._units(name, _Steps("lot", tuple(item.lot for item in self.members), SLACK), None)

    def _units(self, name: str, steps: _Steps, missing: int | None) -> Ints:
        column = self.column(name)
        if not column.dtype.is_numeric():
            raise InputError(f"{self.name}.{name}", str(column.dtype), allowed="numbers")
        if self.units == "ticks":
            return self._whole(column, name)
        values = np.ascontiguousarray(column.to_numpy(), np.float64)
        out = np.empty(len(values), np.int64)
        gone = np.isnan(values) if missing is not None else None
        if gone is not None and bool(gone.any()):
            values = np.where(gone, 1.0 * float(steps.of[0]), values)
        for step in dict.fromkeys(steps.of):
            rows = None
            if len(set(steps.of)) > 1:
                rows = np.flatnonzero(np.isin(self.index, [k for k, own in enumerate(steps.of) if own == step]))
            self._convert(values, out, rows, name, _Steps(steps.what, (step,), steps.slack))
        if gone is not None and missing is not None:
            out[gone] = missing
        return out

    def _convert(self, values: Any, out: Ints, rows: Ints | None, name: str, step: _Steps) -> None:
        """Write the rows, all of them where None, in units of one step."""
        from karat.kernels.market import _event_checks as checks

        some = values if rows is None else values[rows]
        target = out if rows is None else np.empty(len(rows), np.int64)
        found = np.zeros(checks.KEPT + 1, np.int64)
        problem = checks.to_units(
            some.ctypes.data,
            len(some),
            float(1 / Fraction(step.of[0])),
            step.slack,
            target.ctypes.data,
            found.ctypes.data,
        )
        if problem:
            first = found[1 : 1 + min(int(found[0]), checks.KEPT)]
            at = [int(k) for k in (first if rows is None else rows[first])]
            raise self._refused(problem, name, at, int(found[0]), float(values[at[0]]), f"{step.what} {step.of[0]}")
        if rows is not None:
            out[rows] = target

    def _refused(self, problem: int, name: str, at: list[int], count: int, seen: float, step: str) -> DataError:
        rule, fix = {
            1: (f"{name} is a number", "fill it in or drop the rows"),
            2: (
                f"{name} is a whole multiple of the {step}",
                "correct it, or the instrument; adjusted prices need basis=",
            ),
            3: (f"{name} is below 2**52 steps of the {step}", "correct it, or declare a coarser step"),
        }[problem]
        rows = [self.where(k) for k in at]
        return DataError(self.name, rule, rows=rows + ["…"] * max(0, count - len(rows)), seen=seen, fix=fix)

    def _whole(self, column: pl.Series, name: str) -> Ints:
        if not column.dtype.is_integer() or column.null_count():
            why = "units='ticks' means whole ticks and lots, in integer columns without holes"
            raise InputError(f"{self.name}.{name}", str(column.dtype), why=why, fix="or pass units='currency'")
        return column.cast(pl.Int64).to_numpy()

    def where(self, row: int) -> str:
        """Return a row as an error shows it."""
        return describe(row, self.members, int(self.index[row]), int(self.ts[row]))

    def _indices(self) -> Ints:
        """Return each row's index into the instruments.

        Raises:
            InputError: a name that none of them has, or several instruments and no column that tells them apart.
        """
        if not self.has("instrument"):
            if len(self.members) > 1:
                raise InputError(
                    f"{self.name}.columns", "instrument", why="there are several instruments", fix="add it"
                )
            return np.zeros(len(self.frame), np.int64)
        column = self.frame["instrument"].cast(pl.String)
        ids = [item.id for item in self.members]
        for name in column.unique().sort().to_list():
            if name not in ids:
                raise InputError(f"{self.name}.instrument", name, why="it was not passed", allowed=ids)
        return column.replace_strict({name: k for k, name in enumerate(ids)}, return_dtype=pl.Int64).to_numpy()


def _by_time(frame: pl.DataFrame) -> pl.DataFrame:
    """A panel is sorted by instrument; events are sorted by time, the panel's order of instruments within a time."""
    return frame if frame["ts"].is_sorted() else frame.sort("ts", maintain_order=True)


def side_codes(table: EventTable, column: str, names: Mapping[Any, int]) -> NDArray[np.int8]:
    """Return the kind of each row from a column of sides.

    Raises:
        DataError: a value that names no side.
    """
    values = table.column(column)
    unknown = [value for value in values.unique().to_list() if value not in names]
    if unknown:
        bad = values.is_in(pl.Series(unknown, dtype=values.dtype), nulls_equal=True).arg_true().to_list()
        allowed = ", ".join(map(repr, names))
        rows = [table.where(row) for row in bad]
        raise DataError(table.name, f"{column} is known", rows=rows, seen=unknown[0], fix=f"use one of {allowed}")
    known = {value: names[value] for value in values.unique().to_list()}
    return values.replace_strict(known, return_dtype=pl.Int8).to_numpy()
