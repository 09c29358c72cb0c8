"""`sqlite`: bars of a database of the SQLite contract as a `Panel`.

Invariants:
1. The database is opened read-only; its bytes are the same afterwards.
2. Strict: nothing is loaded from a database in which any checked table is broken. Lenient: broken bars are left out,
   every finding is logged and the panel's notes say that it was loaded leniently.
3. A value attached to a bar (an indicator, a regime) raises the bar's `known_at` to its own, never lowers it.
4. Instruments that lack opens, highs and lows make the whole panel closes only: fills at a price that is not there
   must not look possible.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from karat._words import counted
from karat.core import DataError, InputError
from karat.data._integrity import check_tables, enforce
from karat.data._panel import KEYS, OHLCV, Panel, Provenance
from karat.data._schemas import Violation, check_frame, join_tables
from karat.data._source import Source, cut_range
from karat.data._sqlite_read import read_tables
from karat.data._sqlite_regimes import KIND
from karat.data._sqlite_rules import FREQUENCIES
from karat.data._sqlite_schema import CORE_TABLES

_REGIME: Final = "regime"
_LABELS: Final = ("regimes", "regime_quantiles")
_CHECKED: Final = ("all", "used")


class SqliteSource(Source):
    """Bars, and on request indicators and regime labels, of a database that follows `docs/reference/sqlite_schema.md`.

    path: the database. instruments: ids to load, None for all. frequency: which bars. indicators: names of rows of
    `indicators` to attach as columns. regimes: attach the label of kind 'volatility' as the column `regime`.
    strict_validation: stop on broken data (the default) or warn and leave broken bars out. check: 'all' rows of all
    tables, or only the 'used' ones of the selected instruments, for databases much larger than the selection.
    start, end: UTC dates, inclusive.
    """

    name = "sqlite"

    def __init__(
        self,
        *,
        path: str | Path,
        instruments: Sequence[str] | None = None,
        frequency: str = "1d",
        indicators: Sequence[str] = (),
        regimes: bool = False,
        strict_validation: bool = True,
        check: str = "all",
        start: dt.date | str | None = None,
        end: dt.date | str | None = None,
    ) -> None:
        if frequency not in FREQUENCIES:
            raise InputError("frequency", frequency, allowed=FREQUENCIES)
        if check not in _CHECKED:
            raise InputError("check", check, allowed=_CHECKED)
        if instruments is not None and (isinstance(instruments, str) or len(instruments) == 0):
            raise InputError("instruments", instruments, allowed="a list of ids, or None for all")
        if isinstance(indicators, str):
            raise InputError("indicators", indicators, allowed="a list of names")
        self._path, self._frequency, self._regimes = Path(path), frequency, regimes
        self._instruments = None if instruments is None else tuple(instruments)
        self._indicators, self._strict, self._check = tuple(indicators), strict_validation, check
        self._range = (start, end)

    def load(self) -> Panel:
        """Return the panel: OHLCV as far as the database has it, then the columns asked for.

        Raises:
            InputError: a missing file, an unknown instrument or indicator, no data in range, calendars that differ.
            DataError: strict, and a table breaks a rule; in both modes a file or table that cannot be read.
        """
        frames, found = self._checked()
        bars = self._bars(frames["series"], found)
        frame, notes = _values(bars)
        for name in self._indicators:
            frame = self._attach(frame, bars, _indicator(frames["indicators"], name), name)
        if self._regimes:
            frame = self._attach(frame, bars, frames["regimes"].filter(pl.col("kind") == KIND), _REGIME)
        frame = cut_range(frame.sort("instrument", "ts"), *self._range)
        assets = frames["assets"].filter(pl.col("instrument").is_in(frame["instrument"].unique().to_list()))
        notes += (f"lenient: {counted(len(found), 'broken rule')}, broken bars left out",) if found else ()
        return Panel(frame, _calendar(assets), _provenance(self._path, assets), notes)

    def _checked(self) -> tuple[Mapping[str, pl.DataFrame], tuple[Violation, ...]]:
        extra = (("indicators",) if self._indicators else ()) + (_LABELS if self._regimes else ())
        used = self._check == "used"
        only, wanted = ((*CORE_TABLES, *extra), self._instruments) if used else ((), None)
        tables = read_tables(self._path, only=only, instruments=wanted)
        there = sorted(tables.frames)
        for name in extra:
            if name not in there:
                raise DataError(name, "the table exists", seen=there, fix="add it, or do not ask for its columns")
        known = tables.frames["assets"]["instrument"].drop_nulls().to_list()
        for name in self._instruments or ():
            if name not in known:
                raise InputError("instruments", name, allowed=known)
        violations = (*tables.violations, *check_tables(tables.frames, partial=wanted is not None))
        return tables.frames, enforce(violations, strict=self._strict)

    def _bars(self, series: pl.DataFrame, found: Sequence[Violation]) -> pl.DataFrame:
        bars = _without(series, "series", found)
        if self._instruments is not None:
            bars = bars.filter(pl.col("instrument").is_in(self._instruments))
        bars = bars.filter(pl.col("frequency") == self._frequency)
        if len(bars) == 0:
            there = series["frequency"].drop_nulls().unique().sort().to_list() or "nothing: there are no bars"
            raise InputError("frequency", self._frequency, why="the selection has no such sound bars", allowed=there)
        return bars

    def _attach(self, frame: pl.DataFrame, bars: pl.DataFrame, right: pl.DataFrame, name: str) -> pl.DataFrame:
        """Add one column, NaN where a bar has no value, and raise `known_at` where the value was known later."""
        table = "series_regimes" if name == _REGIME else "series_indicators"
        joined = join_tables(table, bars, right)
        enforce(check_frame(table, joined), strict=self._strict)
        value = "label" if name == _REGIME else "value"
        part = joined.select("instrument", "ts", pl.col(value).cast(pl.Float64).alias(name), later="known_at")
        out = frame.join(part, on=["instrument", "ts"], how="left")
        known = pl.max_horizontal("known_at", "later")
        return out.with_columns(pl.col(name).fill_null(float("nan")), known_at=known).drop("later")


def _without(frame: pl.DataFrame, table: str, found: Sequence[Violation]) -> pl.DataFrame:
    """Return the frame sorted, without the rows that a finding of this table names."""
    broken = [
        row for item in found if item.table == table for row in item.index.tolist() if "sorted by" not in item.rule
    ]
    rows = frame.with_row_index("_row").filter(~pl.col("_row").is_in(broken)).drop("_row")
    return rows.drop_nulls(["instrument", "frequency", "ts", "known_at", "close"]).sort("instrument", "frequency", "ts")


def _values(bars: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Select the value columns that every instrument has; volume is kept when any has it, NaN elsewhere."""
    counts = bars.group_by("instrument").agg(pl.col(name).is_not_null().any() for name in OHLCV)
    whole = bool(counts.select(pl.all_horizontal(pl.col("open", "high", "low").all())).item())
    some = bool(counts["open"].any())
    names = [name for name in OHLCV if name == "close" or (whole and name != "volume")]
    names += ["volume"] if counts["volume"].any() else []
    notes = ("open, high, low left out: not every instrument has them",) if some and not whole else ()
    frame = bars.select(*KEYS, *(pl.col(name).fill_null(float("nan")) for name in names))
    return frame, notes


def _indicator(indicators: pl.DataFrame, name: str) -> pl.DataFrame:
    there = indicators["name"].drop_nulls().unique().sort().to_list()
    if name not in there:
        raise InputError("indicators", name, allowed=there)
    return indicators.filter(pl.col("name") == name)


def _calendar(assets: pl.DataFrame) -> str:
    by_calendar: Mapping[str, list[str]] = {
        str(key[0]): sorted(item["instrument"].to_list()) for key, item in assets.group_by("calendar")
    }
    if len(by_calendar) != 1:
        seen = "; ".join(f"{name}: {', '.join(ids)}" for name, ids in sorted(by_calendar.items()))
        why = "one panel has one calendar"
        raise InputError("instruments", seen, why=why, fix="select instruments that share a calendar")
    return next(iter(by_calendar))


def _provenance(path: Path, assets: pl.DataFrame) -> Provenance:
    def said(name: str) -> str:
        return "; ".join(str(item) for item in assets[name].drop_nulls().unique().sort().to_list()) or "not stated"

    return Provenance(said("source"), f"{path.name}: {said('origin')}", said("licence"), (), said("prices"))
