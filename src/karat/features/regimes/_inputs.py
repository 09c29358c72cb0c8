"""What a regime reads: columns of one instrument, from a panel or from the `Train` view of one.

Invariants:
1. `as_train` holds rows that were known by the instant, and no labels: regimes are fitted without any.
2. The market's return in a row is the mean over the instruments whose row of that bar was known by then.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from karat.core import InputError, iso
from karat.data import Labels, Panel, Table, Train, check_panel, extent
from karat.features._rows import as_array, check_instant, instrument_codes
from karat.features._select import held_by
from karat.features._spec import Floats
from karat.features.regimes._measures import MARKET, Measure

Ints = NDArray[np.int64]


def columns_of(panel: Panel, measure: Measure) -> dict[str, Floats]:
    """Return the columns (n,) that a measure reads of a panel of one instrument, null as NaN.

    Raises:
        InputError: a missing column, or several instruments.
    """
    if len(panel.instruments) > 1:
        raise InputError("panel", list(panel.instruments), allowed="one instrument", fix="use label(panel, regime)")
    _check_columns("panel", panel.values, measure)
    return {name: as_array(panel.frame[name]) for name in measure.columns}


def train_columns(train: Train, measure: Measure) -> tuple[dict[str, Floats], Ints]:
    """Return the columns (n,) of a view's table, and the rows that may be fitted on.

    Raises:
        InputError: a missing column, or several instruments.
    """
    if not isinstance(train, Train):
        raise InputError(
            "train", type(train).__name__, allowed="a Train view", fix="as_train(panel, until_ns) makes one"
        )
    table = train.table
    if len(np.unique(table.code)) > 1:
        raise InputError("train", list(table.instruments), allowed="one instrument", fix="use label(panel, regime)")
    _check_columns("train", table.names, measure)
    return {name: table.features[:, table.names.index(name)] for name in measure.columns}, train.rows


def as_train(panel: Panel, until_ns: int) -> Train:
    """Return the rows of a panel known by an instant as a view to fit regimes on: its value columns, no labels.

    Raises:
        InputError: no row was known by then, or no instant.
    """
    check_panel(panel)
    check_instant(until_ns, "until_ns")
    frame = panel.as_of(until_ns).frame
    if not len(frame):
        first = iso(extent(panel.frame["known_at"])[0])
        why = f"nothing of {', '.join(panel.instruments)} was known by then"
        raise InputError("until_ns", iso(until_ns), allowed=f"an instant from {first} on", why=why)
    names, code = instrument_codes(frame)
    values = [as_array(frame[name]) for name in panel.values]
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
        fix = f"or with the column {held_by([MARKET])}"
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
        raise InputError(field, list(there), why=why, fix=held_by(missing))
