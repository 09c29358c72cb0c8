"""Bars to slower ones: of one session (from bars within it), of 2, 3 or 5 sessions, or of a calendar week.

Invariants:
1. open = first, high = max, low = min, close = last, volume = sum; any other column: last.
2. A bar is known when it has closed: `ts` is the close of its last scheduled session, `known_at` is never before it,
   and a bar whose last session has not happened yet does not exist. No partial last bar leaks.
3. All instruments share the same bars: blocks are counted in sessions of the calendar from the panel's first session,
   weeks run from Monday to Sunday.
4. Later rows never change an earlier bar.
5. A row belongs to the session in which its bar closed: after the open, at the close or before it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Final, Literal

import polars as pl

from karat._words import counted
from karat.core import NS_PER_DAY, DataError, InputError, iso, iso_date
from karat.data._calendars import NO_CALENDAR, sessions
from karat.data._panel import Panel, check_panel, extent

Bars = Literal["1d", "2d", "3d", "5d", "week"]
SCALES: Final[dict[str, int]] = {"1d": 1, "2d": 2, "3d": 3, "5d": 5, "week": 0}
"""Timescale to its number of sessions; 0: by calendar week."""
_HALF_A_DAY: Final = NS_PER_DAY // 2


def is_intraday(panel: Panel) -> bool:
    """Return whether bars follow each other within half a day; closes of sessions are 19 hours apart or more."""
    step = panel.frame.select(pl.col("ts").diff().over("instrument").min()).item()
    return step is not None and step <= _HALF_A_DAY


def resample(panel: Panel, scale: str) -> Panel:
    """Return the panel in bars of `scale`: 1d, 2d, 3d, 5d or week. Its rows are daily bars or bars within sessions.

    Raises:
        InputError: an unknown scale, a panel without a calendar, too few sessions for one bar.
        DataError: rows outside the calendar's sessions.
    """
    check_panel(panel)
    if scale not in SCALES:
        raise InputError("scale", scale, allowed=list(SCALES))
    if panel.calendar == NO_CALENDAR:
        raise InputError("calendar", panel.calendar, why="bars are counted in sessions", allowed="an exchange or 24/7")
    if len(panel.frame) == 0:
        raise InputError("panel", "0 rows", why="there is nothing to resample", fix="load a range with data")
    placed = _placed(panel, _blocks(panel, SCALES[scale]))
    now = extent(panel.frame["ts"])[1]
    bars = placed.filter(pl.col("ends") <= now).group_by("instrument", "ends").agg(_aggregates(panel.values))
    if len(bars) == 0:
        raise InputError("scale", scale, why="the panel is shorter than one bar", fix="load more sessions")
    known = pl.max_horizontal("known_at", "ends").alias("known_at")
    frame = bars.select(pl.col("ends").alias("ts"), known, "instrument", *panel.values).sort("instrument", "ts")
    steps = (*panel.provenance.preprocessing, f"resampled to {scale}")
    return Panel(frame, panel.calendar, replace(panel.provenance, preprocessing=steps), panel.notes)


def _placed(panel: Panel, table: pl.DataFrame) -> pl.DataFrame:
    """Return the rows, in the order of the panel, with the block of the session in which each bar closed.

    Raises:
        DataError: rows outside the sessions.
    """
    exact = not is_intraday(panel)
    stamps = panel.frame.select(pl.col("ts").unique().sort())
    found = stamps.join_asof(table, left_on="ts", right_on="close_ns", strategy="forward", coalesce=False)
    inside = pl.col("ts") == pl.col("close_ns") if exact else pl.col("ts") > pl.col("open_ns")
    known = found.filter(inside).select("ts", "block", "ends")
    placed = panel.frame.join(known, on="ts", how="left", maintain_order="left")
    away = placed.filter(pl.col("block").is_null())
    if len(away):
        rows = [f"{name} {iso(ts)}" for name, ts in away.select("instrument", "ts").rows()]
        rule = "daily bars, one a session" if exact else f"bars within the sessions of {panel.calendar}"
        fix = "stamp each bar with its session's close" if exact else "leave out bars outside the sessions"
        seen = f"{len(away)} of {counted(len(placed), 'bar')} elsewhere"
        raise DataError("panel", rule, seen=seen, rows=rows, fix=fix)
    return placed


def _blocks(panel: Panel, size: int) -> pl.DataFrame:
    """Return open_ns and close_ns of each session, its block, and `ends`: the close of the block's last session."""
    low, high = extent(panel.frame["ts"])
    first, last = (dt.date.fromisoformat(iso_date(ts)) for ts in (low - 1, high))
    # a month more, so that the last block's own end is scheduled and an unfinished block can be seen as such
    table = sessions(panel.calendar, first, last + dt.timedelta(days=30))
    table = table.filter(pl.col("close_ns") >= low)
    number = pl.int_range(pl.len())
    block = number // size if size else pl.col("date").dt.truncate("1w").cast(pl.Int32).cast(pl.Int64)
    return table.select("open_ns", "close_ns", block.alias("block"), pl.col("close_ns").max().over(block).alias("ends"))


def _aggregates(values: tuple[str, ...]) -> list[pl.Expr]:
    rules = {"open": pl.Expr.first, "high": pl.Expr.max, "low": pl.Expr.min}
    columns = [rules.get(name, pl.Expr.last)(pl.col(name)) for name in values if name != "volume"]
    if "volume" in values:
        seen = pl.col("volume").is_not_nan()
        total = pl.when(seen.any()).then(pl.col("volume").filter(seen).sum()).otherwise(float("nan"))
        columns.append(total.alias("volume"))
    return [pl.col("known_at").max(), *columns]
