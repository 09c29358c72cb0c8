"""The time column of a foreign table, as sessions or as instants.

Invariants:
1. A column whose wall times are all midnight names sessions; the date is the one written in the column's own zone, so
   `2020-01-02`, `2020-01-02 00:00` and `2020-01-02T00:00:00-05:00` are the same session.
2. Any other column holds instants and needs a zone, in the text or as `tz`; none is ever guessed.
3. A local time that occurs twice because clocks went back is resolved by its order in the file; one that cannot be
   resolved, or that never existed, is an error.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import polars as pl

from karat._words import counted
from karat.core import DataError, InputError

NAMES: Final = ("ts", "date", "datetime", "timestamp", "time")
_UNITS: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_DAY: Final = r"\d{4}-\d{2}-\d{2}"
_CLOCK: Final = r"[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?"
_ZONE: Final = r" ?(?:Z|[+-]\d{2}:?\d{2})"
_FORMS: Final = {"date": f"^{_DAY}$", "naive": f"^{_DAY}{_CLOCK}$", "aware": f"^{_DAY}{_CLOCK}{_ZONE}$"}
_MIDNIGHT: Final = pl.Series([dt.time(0)])


@dataclass(frozen=True)
class Stamps:
    """Either `date` (sessions) or `ns` (instants, UTC), row by row."""

    date: pl.Series | None = None
    ns: pl.Series | None = None


@dataclass(frozen=True)
class TimeRule:
    """How to read a time column; see the options of the sources."""

    table: str
    tz: str | None = None
    date_format: str | None = None
    time_unit: str | None = None


def read_times(column: pl.Series, instrument: pl.Series, rule: TimeRule) -> Stamps:
    """Return the sessions or instants of a time column.

    Raises:
        InputError: a naive clock time without `tz`, an unknown zone, a format that is not ISO 8601.
        DataError: empty cells, local times that do not exist or cannot be told apart.
    """
    holes = column.is_null().arg_true().to_list()
    if holes:
        seen, fix = counted(len(holes), "empty cell"), "fill in or remove these rows"
        raise DataError(rule.table, "every row has a time", seen=seen, rows=_lines(holes), fix=fix)
    wall, ns = _wall(column, rule)
    if wall.dtype == pl.Date:
        return Stamps(date=wall)
    if (wall.dt.time() == _MIDNIGHT).all():
        return Stamps(date=wall.dt.date())
    if ns is None:
        ns = _localise(wall, instrument, rule)
    return Stamps(ns=ns)


def _wall(column: pl.Series, rule: TimeRule) -> tuple[pl.Series, pl.Series | None]:
    """Return wall times (Date or naive Datetime) and, where a zone is stated, UTC nanoseconds."""
    if column.dtype == pl.String:
        column = _parse(column, rule)
    if column.dtype.is_integer():
        if rule.time_unit is None:
            why = "a whole number has no unit of time"
            raise InputError(f"{rule.table}.time_unit", None, why=why, allowed=list(_UNITS))
        column = pl.from_epoch(column.cast(pl.Int64) * _UNITS[rule.time_unit], "ns").dt.replace_time_zone("UTC")
    if column.dtype == pl.Date:
        return column, None
    if not isinstance(column.dtype, pl.Datetime):
        raise InputError(f"{rule.table}.{column.name}", str(column.dtype), allowed="dates, datetimes, ISO 8601 text")
    column = column.dt.cast_time_unit("ns")
    if column.dtype.time_zone is None:  # type: ignore[attr-defined]
        return column, None
    return column.dt.replace_time_zone(None), column.dt.timestamp("ns")


def _parse(column: pl.Series, rule: TimeRule) -> pl.Series:
    text = column.str.strip_chars()
    if rule.date_format is not None:
        return _formatted(text, rule)
    if text.str.contains(r"^\d{9,19}$").all():  # eight digits are a date, which date_format can name
        return text.cast(pl.Int64)
    for name, pattern in _FORMS.items():
        if text.str.contains(pattern).all():
            return _PARSERS[name](text)
    form = next((name for name, pattern in _FORMS.items() if text[:1].str.contains(pattern).all()), None)
    good = text.str.contains(_FORMS[form or "date"])
    row = int((~good).arg_true()[0])
    why = f"line {row + 2} is not ISO 8601" if form is None else f"line {row + 2} is written unlike line 2"
    fix = "pass date_format, e.g. '%m/%d/%Y', or write every row as 2018-12-31 or 2018-12-31T21:00:00Z"
    raise InputError(f"{rule.table}.{column.name}", text[row], why=why, fix=fix)


def _formatted(text: pl.Series, rule: TimeRule) -> pl.Series:
    form = str(rule.date_format)
    kind = pl.Datetime("ns") if "%H" in form or "%I" in form else pl.Date
    parsed = text.str.strptime(kind, form, strict=False)
    bad = parsed.is_null().arg_true().to_list()
    if bad:
        why = f"it does not match '{form}' (line {bad[0] + 2})"
        raise InputError(f"{rule.table}.date_format", text[bad[0]], why=why, fix="correct date_format or the row")
    return parsed


def _naive(text: pl.Series) -> pl.Series:
    clock = text.str.replace("T", " ")
    full = pl.select(pl.when(clock.str.len_chars() == 16).then(clock + ":00").otherwise(clock)).to_series()
    return full.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="ns")


def _aware(text: pl.Series) -> pl.Series:
    """Offsets may differ from row to row (a zone with clock changes): keep each row's wall time and its own offset."""
    offset = text.str.extract(f"({_ZONE})$").str.strip_chars().str.replace("Z", "+00:00").str.replace(":", "")
    wall = _naive(text.str.replace(f"{_ZONE}$", ""))
    sign = offset.str.slice(0, 1).replace_strict({"+": 1, "-": -1}, return_dtype=pl.Int64)
    minutes = offset.str.slice(1, 2).cast(pl.Int64) * 60 + offset.str.slice(3, 2).cast(pl.Int64)
    if (wall.dt.time() == _MIDNIGHT).all():
        return wall.dt.date()
    ns = wall.dt.timestamp("ns") - sign * minutes * 60_000_000_000
    return pl.from_epoch(ns, "ns").dt.replace_time_zone("UTC")


_PARSERS: Final[dict[str, Callable[[pl.Series], pl.Series]]] = {
    "date": lambda text: text.str.to_date("%Y-%m-%d"),
    "naive": _naive,
    "aware": _aware,
}


def _localise(wall: pl.Series, instrument: pl.Series, rule: TimeRule) -> pl.Series:
    if rule.tz is None:
        why = "it has no time zone"
        fix = "pass tz, e.g. tz='America/New_York' or tz='UTC', or write an offset into every row"
        raise InputError(f"{rule.table}.{wall.name or 'time'}", str(wall[0]), why=why, fix=fix)
    try:
        early, late = (
            wall.to_frame("wall").select(
                pl.col("wall").dt.replace_time_zone(rule.tz, ambiguous=which, non_existent="null")
            )
            for which in ("earliest", "latest")
        )
    except pl.exceptions.ComputeError:
        raise InputError(f"{rule.table}.tz", rule.tz, allowed="an IANA zone, e.g. America/New_York, UTC") from None
    first, second = (side.to_series().dt.timestamp("ns") for side in (early, late))
    gone = first.is_null().arg_true().to_list()
    if gone:
        fix = f"check tz={rule.tz}: clocks skip these times"
        raise DataError(rule.table, "local times exist", seen=str(wall[gone[0]]), rows=_shown(wall, gone), fix=fix)
    placed = _in_turn(pl.DataFrame({"wall": wall, "instrument": instrument, "first": first, "second": second}))
    unclear = placed["unclear"].arg_true().to_list()
    if unclear:
        fix = "this time occurs twice when clocks go back: sort the rows, or write UTC or offsets"
        seen, rows = str(wall[unclear[0]]), _shown(wall, unclear)
        raise DataError(rule.table, "local times are unambiguous", seen=seen, rows=rows, fix=fix)
    return placed["ns"]


def _in_turn(frame: pl.DataFrame) -> pl.DataFrame:
    """Add `ns`: of two equal wall times the one that comes earlier in time's direction through the file is the first.

    `unclear`: a time that occurs twice on the clock and once in the file, or in a file without one direction.
    """
    newest_first = (pl.col("wall").first() > pl.col("wall").last()).over("instrument")
    seen = pl.int_range(pl.len()).over("instrument", "wall")
    n = pl.len().over("instrument", "wall")
    turn = pl.when(newest_first).then(n - 1 - seen).otherwise(seen)
    ns = pl.when(turn == 0).then("first").otherwise("second")
    frame = frame.with_columns(ns.alias("ns"), newest_first.alias("back"), n.alias("n"))
    step = pl.col("ns").diff().over("instrument")
    astray = pl.when("back").then(step > 0).otherwise(step < 0).any().over("instrument")
    double = pl.col("first") != pl.col("second")
    return frame.with_columns((double & ((pl.col("n") == 1) | astray)).alias("unclear"))


def _shown(wall: pl.Series, rows: list[int]) -> list[str]:
    return [f"{wall[row]} ({line})" for row, line in zip(rows, _lines(rows))]


def _lines(rows: list[int]) -> list[str]:
    return [f"row {row + 1}" for row in rows]
