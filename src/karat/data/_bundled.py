"""Data that is on every machine: packaged inside the libraries arch and skfolio, read without importing them.

Invariants:
1. Daily market series carry `ts` at the close of their XNYS session and are known then; days without a value (a
   holiday in the file) are dropped and noted, and no session is invented for them.
2. Published series are known after a lag that covers the slowest release in the sample; their values are those of the
   packaged vintage, later revisions included, and a note says so.
3. `DATASETS` is the whole list: one line a dataset.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from karat._words import counted
from karat.core import NS_PER_DAY, NS_PER_SECOND, EnvironmentProblem, InputError, MissingExtraError, file_digests
from karat.data._calendars import NO_CALENDAR, sessions
from karat.data._panel import OHLCV, Panel, Provenance
from karat.data._source import Source, cut_range

_US: Final = "%m/%d/%Y"
_ARCH = "NCSA (arch)"
_YAHOO_TRAP: Final = (
    "open equals the previous close on about 95 % of the days 1999 to 2005: a fill at the next open is then a fill at "
    "the signal's own close; use the dataset nasdaq where fills matter"
)
_REVISED: Final = "values are of the packaged vintage and include later revisions; only their timing is point-in-time"
_SURVIVORS: Final = "twenty companies that were in the index in 2022: survivors only, returns are biased upwards"


@dataclass(frozen=True)
class _Dataset:
    """Facts of one packaged file. `lag_ns`: from the end of the period it speaks of until it could be known."""

    package: str
    file: str
    licence: str
    instrument: str = ""
    columns: tuple[tuple[str, str], ...] = ()
    period: str = "session"
    lag_ns: int = 0
    prices: str = "raw"
    notes: tuple[str, ...] = ()


_OHLCV: Final = tuple((name.capitalize(), name) for name in OHLCV)
_MINUTES: Final = 60 * NS_PER_SECOND
_FRED: Final = "NCSA (arch); public domain (FRED)"
_SKFOLIO: Final = "BSD-3-Clause (skfolio); prices from a public quote service"

DATASETS: Final[dict[str, _Dataset]] = {
    "nasdaq": _Dataset("arch", "data/nasdaq/nasdaq.csv.gz", f"{_ARCH}; Yahoo Finance", "COMP.XNAS", _OHLCV),
    "sp500": _Dataset("arch", "data/sp500/sp500.csv.gz", f"{_ARCH}; Yahoo Finance", "SPX.INDEX", _OHLCV,
                      notes=(_YAHOO_TRAP,)),
    "sp500_stocks": _Dataset("skfolio", "datasets/data/sp500_dataset.csv.gz", _SKFOLIO, prices="adjusted",
                             notes=(_SURVIVORS,)),
    # The index is computed until 16:15 New York, a quarter of an hour after the shares have closed.
    "vix": _Dataset("arch", "data/vix/vix.csv.gz", f"{_ARCH}; CBOE", "VIX.INDEX", (("vix", "vix"),),
                    lag_ns=15 * _MINUTES),
    # The EIA publishes daily spot prices in weekly batches, on Wednesdays for the days up to Monday.
    "wti": _Dataset("arch", "data/wti/wti.csv.gz", _FRED, "WTI.FRED", (("DCOILWTICO", "wti"),), "day",
                    10 * NS_PER_DAY),
    # Moody's monthly averages appear in the first days of the next month.
    "default": _Dataset("arch", "data/default/default.csv.gz", f"{_ARCH}; Moody's through FRED", "DEFAULT.FRED",
                        (("AAA", "aaa"), ("BAA", "baa")), "month", 7 * NS_PER_DAY),
    # The BLS publishes about the 15th of the next month; the slowest in the sample, September 2013, came on day 30.
    "core_cpi": _Dataset("arch", "data/core_cpi/core-cpi.csv.gz", _FRED, "CPILFESL.FRED", (("CPILFESL", "core_cpi"),),
                         "month", 31 * NS_PER_DAY, notes=(_REVISED,)),
}  # fmt: skip


class BundledSource(Source):
    """A dataset packaged with an installed library: works offline on a fresh machine."""

    name = "bundled"

    def __init__(
        self,
        *,
        dataset: str = "nasdaq",
        start: dt.date | str | None = None,
        end: dt.date | str | None = None,
        instruments: list[str] | tuple[str, ...] | None = None,
    ) -> None:
        if dataset not in DATASETS:
            raise InputError("dataset", dataset, allowed=list(DATASETS))
        self._name, self._facts = dataset, DATASETS[dataset]
        self._start, self._end, self._instruments = start, end, instruments

    def load(self) -> Panel:
        """Return the dataset as a panel; see the module for its time convention."""
        path = _packaged(self._facts)
        long, notes = _read(path, self._facts)
        frame = _stamp(long, self._facts)
        frame = frame.sort("instrument", "ts").select("ts", "known_at", "instrument", pl.col(pl.Float64))
        if self._instruments is not None:
            frame = _only(frame, list(self._instruments))
        frame = cut_range(frame, self._start, self._end)
        sha, _ = file_digests(path)
        origin = f"{self._facts.package}/{self._facts.file} sha256:{sha}"
        provenance = Provenance(f"bundled:{self._name}", origin, self._facts.licence, notes, self._facts.prices)
        calendar = "XNYS" if self._facts.period == "session" else NO_CALENDAR
        return Panel(frame, calendar, provenance, self._facts.notes)


def _packaged(facts: _Dataset) -> Path:
    # The package is located, not imported: importing arch takes two seconds and its data need none of its code.
    spec = importlib.util.find_spec(facts.package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(facts.package, "portfolio")
    path = Path(spec.submodule_search_locations[0], facts.file)
    if not path.is_file():
        raise EnvironmentProblem(f"{facts.package}: its file {facts.file} is missing; reinstall {facts.package}")
    return path


def _read(path: Path, facts: _Dataset) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return date, instrument and the value columns, without the days that have no value, and what was done."""
    raw = pl.read_csv(path, infer_schema=False, null_values=["", "."])
    days = pl.col("Date").str.to_date("%Y-%m-%d" if not facts.instrument else _US).alias("date")
    if facts.instrument:
        values = [pl.col(old).cast(pl.Float64).alias(new) for old, new in facts.columns]
        long = raw.select(days, pl.lit(facts.instrument).alias("instrument"), *values)
    else:
        names = raw.columns[1:]
        wide = raw.select(days, *(pl.col(name).cast(pl.Float64).alias(f"{name}.US") for name in names))
        long = wide.unpivot(index="date", variable_name="instrument", value_name="close")
    kept = long.drop_nulls()
    dropped = len(long) - len(kept)
    return kept, (f"dropped {counted(dropped, 'day')} without a value",) if dropped else ()


def _stamp(long: pl.DataFrame, facts: _Dataset) -> pl.DataFrame:
    """Add `ts`, the end of the period a row speaks of, and `known_at`."""
    if facts.period == "session":
        first, last = long["date"].min(), long["date"].max()
        calendar = sessions("XNYS", first, last).select("date", pl.col("close_ns").alias("ts"))  # type: ignore[arg-type]
        dated = long.join(calendar, on="date", how="inner")
    else:
        ahead = "1d" if facts.period == "day" else "1mo"
        end = pl.col("date").dt.offset_by(ahead).cast(pl.Int32).cast(pl.Int64) * NS_PER_DAY
        dated = long.with_columns(end.alias("ts"))
    return dated.with_columns((pl.col("ts") + facts.lag_ns).alias("known_at"))


def _only(frame: pl.DataFrame, wanted: list[str]) -> pl.DataFrame:
    there = frame["instrument"].unique().sort().to_list()
    for name in wanted:
        if name not in there:
            raise InputError("instruments", name, allowed=there)
    return frame.filter(pl.col("instrument").is_in(wanted))
