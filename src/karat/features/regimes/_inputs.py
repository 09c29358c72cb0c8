"""What a regime reads: columns of one instrument, from a panel or from the `Train` view of one.

Invariants:
1. `as_train` holds rows that were known by the instant, and no labels: regimes are fitted without any.
2. The market's return in a row is the mean over the instruments whose row of that bar was known by then.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from karat.core import InputError
from karat.data import Labels, Panel, Table, Train
from karat.features.regimes._measures import Measure

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MARKET: Final = "market_return"
_SOURCES: Final = {
    "close": "every source of bars has it",
    "high": "sources of bars with OHLCV have it, such as nasdaq and sp500",
    "low": "sources of bars with OHLCV have it, such as nasdaq and sp500",
    "volume": "sources of bars with OHLCV have it, such as nasdaq and sp500",
    "vix": "join the source vix to the panel",
    MARKET: "with_market(panel) adds it to a panel of several instruments",
}


def columns_of(panel: Panel, measure: Measure) -> dict[str, Floats]:
    """Return the columns (n,) that a measure reads of a panel of one instrument, null as NaN.

    Raises:
        InputError: a missing column, or several instruments.
    """
    if len(panel.instruments) > 1:
        raise InputError("panel", list(panel.instruments), allowed="one instrument", fix="use label(panel, regime)")
    _check_columns("panel", panel.values, measure)
    return {name: panel.frame[name].fill_null(np.nan).to_numpy().astype(np.float64) for name in measure.columns}


def train_columns(train: Train, measure: Measure) -> tuple[dict[str, Floats], Ints]:
    """Return the columns (n,) of a view's table, and the rows that may be fitted on.

    Raises:
        InputError: a missing column, or several instruments.
    """
    table = train.table
    if len(np.unique(table.code)) > 1:
        raise InputError("train", list(table.instruments), allowed="one instrument", fix="use label(panel, regime)")
    _check_columns("train", table.names, measure)
    return {name: table.features[:, table.names.index(name)] for name in measure.columns}, train.rows


def as_train(panel: Panel, until_ns: int) -> Train:
    """Return the rows of a panel known by an instant as a view to fit regimes on: its value columns, no labels.

    Raises:
        InputError: no row was known by then.
    """
    frame = panel.as_of(until_ns).frame
    if not len(frame):
        raise InputError("until_ns", until_ns, allowed="an instant after the first row was known")
    names = tuple(np.unique(frame["instrument"].to_numpy().astype(np.str_)).tolist())
    code = np.searchsorted(np.asarray(names), frame["instrument"].to_numpy().astype(np.str_)).astype(np.int64)
    values = [frame[name].fill_null(np.nan).to_numpy() for name in panel.values]
    ts, known, none = frame["ts"].to_numpy(), frame["known_at"].to_numpy(), np.full(len(frame), np.nan)
    table = Table(ts, known, code, names, np.column_stack(values), panel.values, none)
    return Train(table, np.arange(len(frame), dtype=np.int64), "none", Labels(none, ts, ts))


def with_market(panel: Panel) -> Panel:
    """Return the panel with `market_return`, the mean simple return of its instruments; unchanged where it has one.

    Raises:
        InputError: a single instrument, or no close.
    """
    if MARKET in panel.values:
        return panel
    if len(panel.instruments) < 2 or "close" not in panel.values:
        why = f"a market is the mean of several closes; {MARKET} is missing"
        fix = f"add a column {MARKET}, such as the returns of an index"
        raise InputError("panel", list(panel.instruments), allowed="two instruments or more", why=why, fix=fix)
    own = (pl.col("close") / pl.col("close").shift(1).over("instrument") - 1.0).fill_nan(None)
    known = (
        panel.frame.with_columns(own.alias("_own"))
        .sort("ts", "known_at")
        .with_columns(
            pl.col("_own").fill_null(0.0).cum_sum().over("ts").alias("_sum"),
            pl.col("_own").is_not_null().cast(pl.Int64).cum_sum().over("ts").alias("_count"),
        )
        .group_by("ts", "known_at")
        .agg(pl.col("_sum").last(), pl.col("_count").last())
    )
    mean = pl.when(pl.col("_count") > 0).then(pl.col("_sum") / pl.col("_count"))
    market = known.select("ts", "known_at", mean.alias(MARKET))
    frame = panel.frame.join(market, on=["ts", "known_at"], how="left", maintain_order="left")
    return Panel(frame, panel.calendar, panel.provenance, panel.notes)


def _check_columns(field: str, there: tuple[str, ...], measure: Measure) -> None:
    missing = [name for name in measure.columns if name not in there]
    if missing:
        why = f"{measure.name} reads {', '.join(measure.columns)}; {', '.join(missing)} is missing"
        raise InputError(field, list(there), why=why, fix="; ".join(f"{name}: {_SOURCES[name]}" for name in missing))
