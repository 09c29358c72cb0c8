"""Corrections: the rows that a panel adds to those of an instrument, each with the moment from which it is known.

A row is what a bar was from a moment on: ts, known_at, the inputs of the bar and the values of its features. The inputs
say whether a bar was corrected, and what was known before it was.

Invariants:
1. At every moment the rows known then are the bars known then, each in its version of then, with the values that are
   computed from these bars alone.
2. A bar is corrected where its inputs are others, never where only the panel begins later: values are those of all bars
   of the instrument that were ever given, not of a panel's alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import polars as pl

from karat._words import counted
from karat.core import DataError
from karat.data import extent
from karat.features.store._offline import BAR, TIMES, latest

_EVER = np.iinfo(np.int64)


def added_by(
    name: str,
    rows: pl.DataFrame,
    bars: pl.DataFrame,
    arrived_ns: int | None,
    values_of: Callable[[pl.DataFrame], pl.DataFrame],
) -> pl.DataFrame:
    """Return the rows (as those that are stored) that the bars of a panel (ts, known_at, inputs) add to them.

    A bar after the stored ones has its own `known_at`; one that was missing or other has `arrived_ns` where that is
    later, by default the last `known_at` of the bars. values_of: from bars to their features.

    Raises:
        DataError: between the first and the last bar one that was stored is missing.
    """
    held, versions = latest(rows), _versions(rows)
    _check_none_gone(name, held, bars)
    key = ["ts", *_inputs(rows)]
    news = bars.join(held, on=key, how="anti", maintain_order="left")
    added = rows.clear()
    if news.is_empty():
        return added
    if len(held):
        late = extent(bars["known_at"])[1] if arrived_ns is None else arrived_ns
        own = pl.col("ts") > extent(held["ts"])[1]
        news = news.with_columns(known_at=pl.when(own).then("known_at").otherwise(pl.max_horizontal("known_at", late)))
    log, begins = pl.concat([versions, news]), extent(news["known_at"])[0]
    for moment, until in _stages(log, begins):
        then = latest(log.filter(pl.col("known_at") < until))
        now = then.with_columns(known_at=pl.max_horizontal("known_at", moment)).hstack(values_of(then))
        now = now.filter(pl.col("known_at") >= begins)  # before, nothing is other than it was
        added = pl.concat([added, _others(pl.concat([rows, added]), now)])
    return added


def _inputs(rows: pl.DataFrame) -> list[str]:
    return [name for name in rows.columns if name.startswith(BAR)]


def _versions(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ts, known_at and the inputs of every version of every bar: not the rows that differ in values only."""
    key = ["ts", *_inputs(rows)]
    each = (
        rows.select(*TIMES, *key[1:]).sort(TIMES, maintain_order=True).unique(TIMES, keep="last", maintain_order=True)
    )
    again = pl.all_horizontal(pl.col(name).eq(pl.col(name).shift(1)) for name in key)
    return each.filter(~again.fill_null(value=False))


def _stages(log: pl.DataFrame, begins: int) -> Iterator[tuple[int, int]]:
    """Yield from and until (exclusive) when bars were only added at the end, those that end after a moment.

    Within such a stage no value changes: one computation over its bars says all of it.
    """
    ordered = log.sort("known_at", "ts", maintain_order=True)
    behind = ordered.filter(pl.col("ts") <= pl.col("ts").cum_max().shift(1))
    moments = behind["known_at"].unique().sort().to_list()
    yield from (stage for stage in pairwise([_EVER.min, *moments, _EVER.max]) if stage[1] > begins)


def _others(rows: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of `now` that say something else than what is known of their bar at their `known_at`."""
    moment = now.select("ts", _moment="known_at")
    known = rows.join(moment, on="ts").filter(pl.col("known_at") <= pl.col("_moment")).select(rows.columns)
    held = now.select("ts").join(latest(known), on="ts", how="left", maintain_order="left")
    before, after = held.drop(TIMES).to_numpy(), now.drop(TIMES).to_numpy()
    same = ((before == after) | (np.isnan(before) & np.isnan(after))).all(axis=1)
    return now.filter(pl.Series(~(same & held["known_at"].is_not_null().to_numpy()), dtype=pl.Boolean))


def _check_none_gone(name: str, held: pl.DataFrame, bars: pl.DataFrame) -> None:
    """Refuse bars that lack one between their first and last which was stored."""
    gone = held.filter(pl.col("ts").is_between(bars["ts"].min(), bars["ts"].max())).join(bars, on="ts", how="anti")
    if len(gone):
        rule, fix = (
            "bars are corrected, never taken back",
            "keep the bar in the panel, with the values that it should have",
        )
        seen, rows = (
            f"a panel without {counted(len(gone), 'stored bar')}",
            [f"{name}@{ts}" for ts in gone["ts"].to_list()],
        )
        raise DataError("store", rule, rows=rows, seen=seen, fix=fix)
