"""Foreign tables become panels here: names, times, numbers, holes, order; one road for CSV, Parquet and frames.

Invariants:
1. Nothing is repaired silently: by default every defect stops the load; what an option allows is done and recorded in
   the provenance.
2. Rows that contradict each other (one instrument and time, different values) are never repaired.
3. A table that already has `ts`, `known_at` and `instrument` as whole nanoseconds is taken as it is.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Final, Literal

import polars as pl
from pydantic import Field

from karat._words import counted
from karat.core import NS_PER_DAY, Config, DataError, InputError, instrument_id, nearest
from karat.data._calendars import ALWAYS, NO_CALENDAR, check_calendar, sessions
from karat.data._durations import duration_ns
from karat.data._panel import KEYS, Panel, Provenance
from karat.data._source import cut_range
from karat.data._times import NAMES, Stamps, TimeRule, read_times
from karat.data._values import adjust, holes, numbers, where

_DROPPED_KEYS: Final = ("symbol", "ticker")
_SHOWN: Final = 5


class IngestOptions(Config):
    """The options that CSV, Parquet and frame sources share.

    columns: foreign name to karat's name. missing: what a hole in a value other than volume does. off_session: what a
    row on a day without a session does. repair: sort rows and drop exact repetitions. adjusted: scale open, high, low,
    close by adj_close / close. stamp, bar: clock times at a bar's open are moved to its close. lag: known_at - ts,
    where the table has no column known_at (a date there means the end of that day, UTC).
    """

    instrument: str | None = None
    columns: Mapping[str, str] = Field(default_factory=dict)
    calendar: str = "XNYS"
    tz: str | None = None
    date_format: str | None = None
    time_unit: Literal["s", "ms", "us", "ns"] | None = None
    stamp: Literal["close", "open"] = "close"
    bar: str | None = None
    lag: str = "0s"
    missing: Literal["error", "drop", "keep"] = "error"
    off_session: Literal["error", "drop"] = "error"
    repair: bool = False
    adjusted: bool = False
    start: dt.date | None = None
    end: dt.date | None = None


def ingest(raw: pl.DataFrame, options: IngestOptions, provenance: Provenance, *, table: str) -> Panel:
    """Return the panel of a foreign table.

    Raises:
        InputError: a column, zone, calendar or range that does not fit.
        DataError: rows that break a rule and that no option allows to be repaired.
    """
    check_calendar(options.calendar)
    if len(raw) == 0:
        raise DataError(table, "there are rows", seen="0 rows", fix="the table is empty: check the file or the query")
    done: list[str] = []
    named = _rename(raw, options, table)
    frame = _as_written(named)
    if frame is None:
        frame = _keyed(named, options, table, done)
    elif options.instrument is not None:
        own = frame["instrument"].unique().sort().to_list()
        if own != [options.instrument]:
            fix = "leave instrument out"
            raise InputError(
                f"{table}.instrument", options.instrument, why="the rows have their own", allowed=own, fix=fix
            )
    frame = _ordered(frame, options, table, done)
    frame = holes(frame, options.missing, table, done)
    if options.adjusted:
        frame = adjust(frame, table, done)
    frame = cut_range(frame, options.start, options.end)
    prices = "adjusted" if options.adjusted else provenance.prices
    stated = (*provenance.preprocessing, *done)
    return Panel(
        frame,
        options.calendar,
        Provenance(provenance.source, provenance.origin, provenance.licence, stated, prices),
    )


def _as_written(named: pl.DataFrame) -> pl.DataFrame | None:
    """Return a table that was written from a panel's frame, or None when it is none."""
    if not set(KEYS) <= set(named.columns):
        return None
    if not all(named.schema[name].is_integer() or named.schema[name] == pl.String for name in ("ts", "known_at")):
        return None
    try:
        keys = named.select(pl.col("ts", "known_at").cast(pl.Int64), "instrument")
        values = named.select(pl.exclude(KEYS).cast(pl.Float64).fill_null(float("nan")))
    except pl.exceptions.InvalidOperationError:
        return None
    return keys.hstack(values)


def _rename(raw: pl.DataFrame, options: IngestOptions, table: str) -> pl.DataFrame:
    plain = {name: _plain(name) for name in raw.columns}
    for foreign in options.columns:
        if foreign not in plain and foreign not in plain.values():
            raise InputError(f"{table}.columns", foreign, why="there is no such column", allowed=raw.columns)
    names = {name: options.columns.get(name, options.columns.get(own, own)) for name, own in plain.items()}
    seen: dict[str, str] = {}
    for foreign, name in names.items():
        if name in seen:
            why = f"'{seen[name]}' and '{foreign}' would both be '{name}'"
            raise InputError(f"{table}.columns", foreign, why=why, fix="map one of them to another name")
        seen[name] = foreign
    return raw.rename(names)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


def _keyed(named: pl.DataFrame, options: IngestOptions, table: str, done: list[str]) -> pl.DataFrame:
    """Return ts, known_at, instrument and float columns from whatever the table calls its time."""
    clock = next((name for name in NAMES if name in named.columns), None)
    if clock is None:
        likely = next(((name, found) for name in named.columns if (found := nearest(name, NAMES))), ("...", "date"))
        fix = f"name it, e.g. columns: {{{': '.join(likely)}}}"
        raise InputError(f"{table}.columns", named.columns, why="there is no time column", allowed=NAMES, fix=fix)
    instrument = _instrument(named, options, table)
    rows = named.drop([name for name in (clock, "known_at", "instrument", *_DROPPED_KEYS) if name in named.columns])
    values = numbers(rows, table, done, mapped=set(options.columns.values()))
    rule = TimeRule(table, options.tz, options.date_format, options.time_unit)
    stamps = read_times(named[clock], instrument, rule)
    ts = _close_ns(stamps, options)
    if "known_at" in named.columns:
        plain = options.model_copy(update={"stamp": "close", "calendar": NO_CALENDAR})
        known = _close_ns(read_times(named["known_at"], instrument, rule), plain)
    else:
        known = ts + duration_ns(options.lag, f"{table}.lag")
    frame = values.with_columns(ts.alias("ts"), known.alias("known_at"), instrument.alias("instrument"))
    frame = _on_session(frame, stamps, options, table, done)
    return frame.select("ts", "known_at", "instrument", *values.columns)


def _instrument(named: pl.DataFrame, options: IngestOptions, table: str) -> pl.Series:
    column = next((name for name in ("instrument", *_DROPPED_KEYS) if name in named.columns), None)
    others = named[column].drop_nulls().unique().sort().cast(pl.String).to_list() if column else []
    mapped = "" if column == "instrument" else f" and pass columns: {{{column}: instrument}}"
    if options.instrument is not None:
        if len(others) > 1:
            why = f"the column {column} names {counted(len(others), 'instrument')}: {', '.join(others[:_SHOWN])}"
            fix = f"leave instrument out{mapped}"
            raise InputError(f"{table}.instrument", options.instrument, why=why, fix=fix)
        return pl.repeat(instrument_id(options.instrument), len(named), eager=True).alias("instrument")
    if column != "instrument":
        fix = "pass instrument='SYMBOL.VENUE'" + (f", or columns: {{{column}: instrument}}" if column else "")
        raise InputError(f"{table}.instrument", None, why="it is not said what this table is about", fix=fix)
    names = named["instrument"].cast(pl.String)
    for name in names.unique().sort().to_list():
        try:
            instrument_id(name)
        except InputError as error:
            fix = f"write the venue into the file, e.g. {name}.XNYS"
            raise InputError(f"{table}.instrument", name, allowed=error.allowed, fix=fix) from None
    return names.alias("instrument")


def _close_ns(stamps: Stamps, options: IngestOptions) -> pl.Series:
    """Return each row's bar close; null where its date has no session."""
    if stamps.ns is not None:
        if options.stamp == "close":
            return stamps.ns
        if options.bar is None:
            raise InputError("bar", None, why="stamp='open' needs the bar's length", fix="pass bar, e.g. bar='4h'")
        return stamps.ns + duration_ns(options.bar, "bar")
    assert stamps.date is not None
    if options.calendar in (NO_CALENDAR, ALWAYS):
        return (stamps.date.cast(pl.Int32).cast(pl.Int64) + 1) * NS_PER_DAY
    first, last = stamps.date.min(), stamps.date.max()
    table = sessions(options.calendar, first, last)  # type: ignore[arg-type]
    return stamps.date.replace_strict(table["date"], table["close_ns"], default=None, return_dtype=pl.Int64)


def _on_session(
    frame: pl.DataFrame, stamps: Stamps, options: IngestOptions, table: str, done: list[str]
) -> pl.DataFrame:
    away = frame["ts"].is_null()
    if not away.any():
        return frame
    assert stamps.date is not None
    days = [str(day) for day in stamps.date.filter(away).to_list()]
    if options.off_session == "error":
        fix = f"{options.calendar} had no session: correct the dates or the calendar, or pass off_session='drop'"
        seen = f"{counted(len(days), 'date')} without a session"
        raise DataError(table, "every date has a session", rows=days, seen=seen, fix=fix)
    done.append(f"dropped {counted(len(days), 'row')} on days without a session of {options.calendar}")
    return frame.filter(~away)


def _ordered(frame: pl.DataFrame, options: IngestOptions, table: str, done: list[str]) -> pl.DataFrame:
    """Sorted by (instrument, ts), each once; instruments may interleave, a single instrument may not run back."""
    back = (pl.col("ts") < pl.col("ts").shift(1).over("instrument")).fill_null(False)
    unsorted = frame.filter(back)
    if len(unsorted) and not options.repair:
        seen = f"{counted(len(unsorted), 'row')} earlier than the row before"
        fix = "sort the rows, or pass repair=true"
        raise DataError(table, "sorted by time", rows=where(unsorted), seen=seen, fix=fix)
    if len(unsorted):
        done.append("sorted the rows by time")
    same = frame.unique(maintain_order=True)
    again = same.filter(same.select("instrument", "ts").is_duplicated())
    if len(again):
        fix = "the rows contradict each other: keep the right one; this is never repaired"
        seen = f"{counted(len(again), 'row')} that share a time"
        raise DataError(table, "one row for an instrument and time", rows=where(again), seen=seen, fix=fix)
    repeated = len(frame) - len(same)
    if repeated and not options.repair:
        twice = frame.filter(frame.is_duplicated()).unique(maintain_order=True)
        fix = "drop the repetitions, or pass repair=true"
        raise DataError(table, "no row twice", rows=where(twice), seen=counted(repeated, "repeated row"), fix=fix)
    if repeated:
        done.append(f"dropped {counted(repeated, 'exact repetition')}")
    return same.sort("instrument", "ts")
