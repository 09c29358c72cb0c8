"""A simulation from files: events, what their instruments are, and the terms of the venue on top of a profile.

A setup file is YAML with any of these keys; what is left out keeps its default.

    instruments: {SPY.XNYS: {tick: 0.01, lot: 1, currency: USD}}
    basis: raw                   # or split_adjusted, total_return
    bar_start: previous          # or the bars' length, e.g. 1m, 1d
    venue:                       # fields of VenueSpec; those of `terms` are laid over the profile's one by one
      cash: {USD: 50000}
      terms: {participation_frac: 0.02, fee: {kind: rate, maker_bps: 1, taker_bps: 2}}

Invariants:
1. Nothing is guessed in silence: an instrument that is not described has ticks of 0.01 and lots of 1, and prices or
   sizes off these steps are an error.
2. Times have a zone or are whole UTC nanoseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl
import yaml
from pydantic import Field

from karat.core import Config, InputError, iso
from karat.data import EventChunks, Events, Instrument, events_from_bars
from karat.market._profiles import profile
from karat.market._venue import VenueSpec

_TIMES: Final = ("ts", "known_at", "start")
_NUMBERS: Final = ("open", "high", "low", "close", "volume")
_COLUMNS: Final = (*_TIMES, "instrument", *_NUMBERS)
_MEANT: Final = {
    **dict.fromkeys(("date", "datetime", "time", "timestamp"), "ts"),
    **dict.fromkeys(("symbol", "ticker", "asset"), "instrument"),
    **dict.fromkeys(("action", "side", "quantity"), None),  # of a file of orders
}


class InstrumentTerms(Config):
    """The facts of an instrument that a table of prices does not say; see `karat.data.Instrument`."""

    tick: Decimal = Field(default=Decimal("0.01"), gt=0)
    lot: Decimal = Field(default=Decimal(1), gt=0)
    multiplier: Decimal = Field(default=Decimal(1), gt=0)
    currency: str | None = None
    asset_class: str = "equity"


class Setup(Config):
    """What a setup file holds; venue: the profile with the file's fields over it."""

    instruments: Mapping[str, InstrumentTerms] = Field(default_factory=dict)
    basis: Literal["raw", "split_adjusted", "total_return"] = "raw"
    bar_start: str = "previous"
    venue: VenueSpec = Field(default_factory=VenueSpec)

    def instrument(self, name: str) -> Instrument:
        """Return an instrument as the file describes it."""
        facts = self.instruments.get(name, InstrumentTerms())
        return Instrument(
            name,
            asset_class=facts.asset_class,
            currency=facts.currency or next(iter(self.venue.cash)),
            tick=facts.tick,
            lot=facts.lot,
            multiplier=facts.multiplier,
        )


def read_setup(profile_name: str, path: str | Path | None = None) -> Setup:
    """Return a profile with a setup file over it.

    Raises:
        InputError: an unknown profile, no such file, not YAML. ConfigError: every problem of the content at once.
    """
    base = profile(profile_name)
    if path is None:
        return Setup(venue=base)
    file = Path(path)
    if not file.is_file():
        raise InputError("terms", str(file), why="no such file", fix="give the path of a YAML file")
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        why = "not valid YAML" + (f", line {mark.line + 1}" if mark else "")
        raise InputError("terms", str(file), why=why, fix="correct the file") from None
    if not isinstance(values, dict):
        raise InputError("terms", str(file), allowed=f"keys and values: {', '.join(Setup.model_fields)}")
    given = values.get("venue") or {}
    if isinstance(given, dict):
        values["venue"] = _over(base, given)
    return Setup.parse(values, source=str(file))


def read_events(path: str | Path, setup: Setup | None = None) -> Events:
    """Return the events of a folder written by `write_events`, or the bars of a .csv or .parquet file.

    Columns of bars: ts (the bar's end), open, high, low, close; also instrument, volume, start, known_at.

    Raises:
        InputError: no such file, a column or time that does not fit. DataError: a row that breaks a rule.
    """
    place, setup = Path(path), setup or Setup()
    if place.is_dir():
        return EventChunks(place).read()
    if not place.exists():
        fix = "give bars as .csv or .parquet, or a folder of write_events"
        raise InputError("events", str(place), why="no such file or folder", fix=fix)
    if place.suffix not in (".csv", ".parquet"):
        raise InputError("events", place.name, allowed="a .csv or .parquet file of bars, or a folder of write_events")
    frame = _frame(place)
    _checked(place.name, frame)
    if "instrument" in frame.columns:
        names = [str(name) for name in frame["instrument"].unique(maintain_order=True).to_list()]
    elif len(setup.instruments) == 1:
        names = list(setup.instruments)
    else:
        fix = "add the column, or describe the one instrument in --terms"
        raise InputError(f"{place.name}, column", "instrument", why="it is missing", fix=fix)
    members = [setup.instrument(name) for name in names]
    return events_from_bars(frame, members, start=setup.bar_start, basis=setup.basis)


def _checked(table: str, frame: pl.DataFrame) -> None:
    """Raise the error of the first thing that a table of bars gets wrong."""
    for name in frame.columns:
        if name not in _COLUMNS:
            fix = f"did you mean {_MEANT[name]!r}? rename it" if _MEANT.get(name) else None
            if name in _MEANT and fix is None:
                fix = "it looks like a file of orders: the bars come first, then the orders"
            raise InputError(f"{table}, column", name, allowed=_COLUMNS, fix=fix)
    if not len(frame):
        raise InputError("events", table, why="it has a header and no row", fix="give one bar or more")
    for name in _NUMBERS:
        if name in frame.columns and frame[name].dtype == pl.String:
            values = frame[name].cast(pl.Float64, strict=False)
            row = int((values.is_null() | values.is_nan()).arg_max() or 0)
            raise InputError(f"{table} row {row + 1}, {name}", frame[name][row], allowed="a number")
    if "ts" in frame.columns and frame["ts"].dtype.is_integer():
        _in_order(table, frame)


def _in_order(table: str, frame: pl.DataFrame) -> None:
    """Refuse a bar that is not after the one before it of its instrument."""
    own = [pl.col("ts").shift().over("instrument") if "instrument" in frame.columns else pl.col("ts").shift()]
    late = frame.with_columns(own[0].alias("before")).with_row_index().filter(pl.col("ts") <= pl.col("before"))
    if len(late):
        row, ts, before = late.select("index", "ts", "before").row(0)
        why = "an earlier row has this time too" if ts == before else f"it is before the bar above, {iso(before)}"
        raise InputError(f"{table} row {row + 1}, ts", iso(ts), why=why, fix="sort the rows by ts, each bar once")


def _over(base: VenueSpec, given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a spec with given ones over them; of `terms` each field is its own, whole."""
    values = {**base.model_dump(), **given}
    if isinstance(given.get("terms"), dict):
        values["terms"] = {**base.terms.model_dump(), **given["terms"]}
    return values


def _frame(file: Path) -> pl.DataFrame:
    """Return a table with its times as UTC nanoseconds."""
    try:
        if file.suffix == ".parquet":
            frame = pl.read_parquet(file)
        else:
            text = dict.fromkeys((*_TIMES, "instrument"), pl.String)
            frame = pl.read_csv(file, schema_overrides=text, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        why = str(error).splitlines()[0]
        raise InputError("events", file.name, why=why, fix="write it again as a table with a header") from None
    found = [name for name in _TIMES if name in frame.columns and frame[name].dtype == pl.String]
    return frame.with_columns([_times(file.name, name, frame[name]) for name in found])


def _times(table: str, name: str, column: pl.Series) -> pl.Series:
    """Return text as UTC nanoseconds; a time without a zone is refused."""
    whole = column.str.contains(r"^-?\d+$")
    if bool(whole.all()):
        return column.cast(pl.Int64)
    zoned = column.str.contains(r"(Z|[+-]\d{2}:?\d{2})$")
    times = column.str.replace(" ", "T").str.to_datetime("%+", time_unit="ns", time_zone="UTC", strict=False)
    bad = (~zoned.fill_null(False) | times.is_null()).arg_true()
    if len(bad):
        row = int(bad[0])
        why = f"row {row + 1} is not a time with a zone"
        fix = "write ISO 8601 with Z or an offset, e.g. 2024-01-02T21:00:00Z, or whole UTC nanoseconds"
        raise InputError(f"{table}, {name}", column[row], why=why, fix=fix)
    return times.dt.epoch("ns")
