"""`Source`: the port behind which all data enters, with the few parameters that every source understands.

Invariants:
1. A source takes flat parameters, does nothing in its constructor but check them, and `load()` returns a valid `Panel`.
2. Loading twice gives the same content hash; `start` and `end` only drop rows, they never change one.
3. A range without data is an error that says which range there is.
"""

from __future__ import annotations

import datetime as dt
import inspect
from abc import ABC, abstractmethod
from typing import ClassVar

import polars as pl

from karat.core import NS_PER_DAY, InputError, iso_date, to_ns
from karat.data._calendars import maybe_date
from karat.data._panel import Panel, extent


class Source(ABC):
    """Something that can be loaded as a `Panel`. Subclasses set `name` and take keyword parameters."""

    name: ClassVar[str]

    @abstractmethod
    def load(self) -> Panel:
        """Return the panel.

        Raises:
            InputError: parameters that do not fit, a missing file, no data in range.
            DataError: data that breaks a rule.
        """

    @classmethod
    def parameters(cls) -> tuple[str, ...]:
        """Return the names of the parameters the source takes."""
        return tuple(name for name in inspect.signature(cls.__init__).parameters if name != "self")


def cut_range(frame: pl.DataFrame, start: dt.date | str | None, end: dt.date | str | None) -> pl.DataFrame:
    """Return the rows whose bar closed from `start` to `end`, UTC dates, both inclusive; None leaves a side open.

    A session that closes at midnight UTC belongs to the day before.

    Raises:
        InputError: no row in range; says the range there is.
    """
    first, last = maybe_date(start, "start"), maybe_date(end, "end")
    if first is not None and last is not None and first > last:
        raise InputError("start", first.isoformat(), allowed=f"a date up to end={last.isoformat()}")
    inside = frame
    if first is not None:
        inside = inside.filter(pl.col("ts") > to_ns(first))
    if last is not None:
        inside = inside.filter(pl.col("ts") <= to_ns(last) + NS_PER_DAY)
    if len(inside) == 0:
        raise InputError("start..end", f"{first}..{last}", why="no data in range", allowed=_available(frame))
    return inside


def _available(frame: pl.DataFrame) -> str:
    if len(frame) == 0:
        return "nothing: the source has no rows"
    low, high = extent(frame["ts"])
    return f"{iso_date(low - 1)} to {iso_date(high - 1)}"
