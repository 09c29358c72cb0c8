"""When rows could be known, and which instruments are there: what a panel itself says of both.

Invariants:
1. A daily row is known at the close of its session or later.
2. Instruments that begin inside the data without any that ends are survivors: under equal chances of beginning and
   ending so few endings have a probability of at most 1 in 100.
3. `same_as_of` compares every row that was known by an instant, value by value, to the bit.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from karat._words import counted
from karat.core import NS_PER_DAY, InputError, iso_date
from karat.data import Panel, extent, sessions
from karat.evidence._shapes import Check

ALARM: Final = 0.01
_EDGE_DAYS: Final = 31
_SHOWN: Final = 3


def known_check(panel: Panel) -> Check:
    """Return the check that no daily row of a panel is known before the close of its session.

    A row known inside a session is one of that session, before its close, unless its `ts` is the close of an earlier
    one: then it was delivered late, which harms nobody.
    """
    name, threshold = "known at", "no daily row known before its session's close"
    frame = panel.frame
    daily = frame.select((pl.col("ts") // NS_PER_DAY).diff().over("instrument").min()).item()
    if panel.calendar == "24/7" or (daily is not None and daily < 1):
        return Check(name, None, threshold, None, "not evaluable: bars without a session of their own")
    stamps = frame["known_at"].to_numpy()
    bars = frame["ts"].to_numpy()
    listed = sessions(panel.calendar, iso_date(int(bars.min()) - NS_PER_DAY), iso_date(int(stamps.max())))
    opens, closes = listed["open_ns"].to_numpy(), listed["close_ns"].to_numpy()
    at = np.searchsorted(opens, stamps, side="right") - 1
    inside = (at >= 0) & (stamps < closes[np.maximum(at, 0)]) & ~np.isin(bars, closes)
    rows = [f"{name}@{iso_date(ts)}" for name, ts in frame.filter(pl.Series(inside)).select("instrument", "ts").rows()]
    note = f"{counted(len(rows), 'row')}, such as {', '.join(rows[:_SHOWN])}" if rows else ""
    return Check(name, float(len(rows)), threshold, not rows, note)


def survivor_check(panel: Panel) -> Check:
    """Return the check that instruments also end: a list of survivors has beginnings only."""
    from scipy.stats import binomtest

    name, threshold = "survivorship", f"P(so few endings) > {ALARM:g}"
    spans = panel.frame.group_by("instrument").agg(pl.col("ts").min().alias("a"), pl.col("ts").max().alias("b"))
    edge = _EDGE_DAYS * NS_PER_DAY
    begins = int((spans["a"] > extent(spans["a"])[0] + edge).sum())
    ends = int((spans["b"] < extent(spans["b"])[1] - edge).sum())
    seen = f"of {counted(len(spans), 'instrument')} {begins} begin inside the data, {ends} end"
    if 0.5 ** (begins + ends) > ALARM:
        told = [note for note in panel.notes if "survivors" in note]
        return Check(name, None, threshold, None, "; ".join([f"not evaluable: {seen}", *told]))
    p_value = float(binomtest(ends, begins + ends, 0.5, alternative="less").pvalue)
    return Check(name, p_value, threshold, p_value > ALARM, seen)


def same_as_of(full: Panel, again: Panel, known_ns: int) -> list[str]:
    """Return what differs between a panel's rows known by an instant and the panel as it was loaded at that instant.

    An empty list: nothing that came later changed, added or removed an earlier row.

    Raises:
        InputError: panels with other columns.
    """
    if full.values != again.values:
        raise InputError("again", list(again.values), allowed=list(full.values), why="the columns differ")
    late = (pl.col("known_at") > known_ns) | (pl.col("ts") > known_ns)
    now, then = full.frame.filter(~late), again.frame.filter(~late)
    keys = ["instrument", "ts"]
    gone, fresh = then.join(now, on=keys, how="anti"), now.join(then, on=keys, how="anti")
    problems = []
    if len(gone):
        problems.append(f"gone now: {counted(len(gone), 'row')} that existed then, of {_names(gone)}")
    if len(fresh):
        problems.append(f"not there then: {counted(len(fresh), 'row')} said to be known by then, of {_names(fresh)}")
    both = now.join(then, on=keys, how="inner", suffix="_then")
    for column in (*full.values, "known_at"):
        moved = both.filter(~pl.col(column).eq_missing(pl.col(f"{column}_then")))
        if len(moved):
            problems.append(f"{column} of {counted(len(moved), 'row')} was another number then, of {_names(moved)}")
    return problems


def _names(frame: pl.DataFrame) -> str:
    names = frame["instrument"].unique().sort().to_list()
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
