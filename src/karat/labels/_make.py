"""Labels: the simple return that a decision could have earned, with the time span that it looks at.

A label runs from the first price that can be traded after the row is known to the close of the last session of its
horizon. With opens the first price is an open, so that the overnight gap that nobody could trade belongs to nobody:

    with opens     close[e + h - 1] / open[e] - 1      span (known_at[t], ts[e + h - 1]]
    closes only    close[e + h] / close[e] - 1         span [ts[e], ts[e + h]]

t is the row, h the horizon in sessions, e the entry bar: the first later bar that opens at known_at[t] or after (with
opens), or closes after it (closes only); e = t + 1 where a row is known at its own close. Bars open as the calendar of
the panel says. `week` ends at the last session at most seven calendar days after t's.

Invariants:
1. A row has a label only when every price of it exists: the last rows of each instrument have none, and a week counts
   as over only when the seventh day has been seen. More data adds labels and changes none.
2. start_ns > known_at of the row: what a label is made of was not known when the forecast was made.
3. Dates are UTC dates of the bar's close, so that a clock change or an early close does not cut a week short.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from karat._words import counted
from karat.core import NS_PER_DAY, DataError, InputError, iso_date
from karat.data import Panel, check_panel, horizon_bars, sessions
from karat.labels._classes import classify

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_WEEK_DAYS: Final = 7


@dataclass(frozen=True, eq=False)
class LabelFrame:
    """Labels of a panel for one horizon, sorted by (instrument, ts).

    frame: ts Int64, instrument String, value Float64 (simple return, fraction), start_ns and end_ns Int64 (span, UTC
    ns, closed), klass Int64 (0 to 8). dropped: rows without a label, by instrument.
    """

    frame: pl.DataFrame
    horizon: str
    dropped: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def ts(self) -> Ints:
        """(n,) bar close of each label's row."""
        return self.frame["ts"].to_numpy()

    @property
    def value(self) -> Floats:
        """(n,) simple returns."""
        return self.frame["value"].to_numpy()

    @property
    def start_ns(self) -> Ints:
        """(n,) first instant of each span."""
        return self.frame["start_ns"].to_numpy()

    @property
    def end_ns(self) -> Ints:
        """(n,) last instant of each span."""
        return self.frame["end_ns"].to_numpy()


def make_labels(panel: Panel, horizon: str) -> LabelFrame:
    """Return the labels of every row that has one; see the module for the formula.

    Raises:
        InputError: an unknown horizon, no `close`, or a horizon longer than the data.
        DataError: a price that is missing or not positive.
    """
    check_panel(panel)
    bars = horizon_bars(horizon)
    if "close" not in panel.frame.columns:
        fix = "rename the column of prices, e.g. columns: {settle: close}"
        raise InputError(
            "panel", list(panel.values), allowed="a column 'close'", why="labels are returns of it", fix=fix
        )
    _check_prices(panel)
    parts, dropped = [], {}
    for (name,), part in panel.frame.group_by(["instrument"], maintain_order=True):
        labels = _one(panel, part, horizon, bars)
        parts.append(labels)
        dropped[str(name)] = len(part) - len(labels)
    if not sum(map(len, parts)):
        raise _too_short(panel, horizon, bars)
    return LabelFrame(pl.concat(parts), horizon, dropped)


def _one(panel: Panel, part: pl.DataFrame, horizon: str, bars: int) -> pl.DataFrame:
    ts, known = part["ts"].to_numpy(), part["known_at"].to_numpy()
    close, opens = part["close"].to_numpy(), part["open"].to_numpy() if panel.has_open else None
    entry = _entry(panel, ts, known)
    # With opens the entry bar is itself the first session of the horizon.
    least = entry if opens is not None else entry + 1
    last = _week_end(ts) if horizon == "week" else least + bars - 1
    rows = np.flatnonzero((entry < len(ts)) & (last < len(ts)) & (last >= least))
    first, end = entry[rows], last[rows]
    base = close[first] if opens is None else opens[first]
    value = close[end] / base - 1.0
    return pl.DataFrame(
        {
            "ts": ts[rows],
            "instrument": part["instrument"].gather(rows),
            "value": value,
            "start_ns": ts[first] if opens is None else known[rows] + 1,
            "end_ns": ts[end],
            "klass": classify(value),
        }
    )


def _entry(panel: Panel, ts: Ints, known: Ints) -> Ints:
    """Return (n,) the entry bar of each row, n or more where there is none."""
    if not panel.has_open:
        return np.searchsorted(ts, known, side="right").astype(np.int64)
    following = np.arange(len(ts), dtype=np.int64) + 1
    if (known == ts).all():
        return following
    return np.maximum(np.searchsorted(_openings(panel.calendar, ts), known, side="left"), following)


def _openings(calendar: str, ts: Ints) -> Ints:
    """Return (n,) when each bar opened: its first session's opening, or where none is listed the close before it."""
    begin = np.concatenate([ts[:1] - NS_PER_DAY, ts[:-1]])
    listed = sessions(calendar, iso_date(int(begin[0])), iso_date(int(ts[-1])))["open_ns"].to_numpy()
    if not len(listed):
        return begin
    found = listed[np.minimum(np.searchsorted(listed, begin, side="left"), len(listed) - 1)]
    inside = (found >= begin) & (found <= ts)
    return np.maximum.accumulate(np.where(inside, found, begin)).astype(np.int64)


def _week_end(ts: Ints) -> Ints:
    """Return (n,) the last bar at most seven calendar days later, n where the seventh day has not been seen."""
    date = ts // NS_PER_DAY
    last = np.searchsorted(date, date + _WEEK_DAYS, side="right") - 1
    return np.where(date + _WEEK_DAYS <= date[-1], last, len(ts)).astype(np.int64)


def _check_prices(panel: Panel) -> None:
    for column in ("open", "close"):
        if column in panel.frame.columns:
            sound = pl.col(column).is_finite().fill_null(False) & (pl.col(column) > 0)
            bad = panel.frame.filter(~sound)
            if len(bad):
                rows = [f"{name}@{ts}" for name, ts in bad.select("instrument", "ts").rows()]
                fix = "drop the rows or repair the source; a return needs two positive prices"
                raise DataError("panel", f"{column} is a positive number", seen=bad[column][0], rows=rows, fix=fix)


def _too_short(panel: Panel, horizon: str, bars: int) -> InputError:
    longest = counted(max(panel.frame.group_by("instrument").len()["len"].to_list(), default=0), "session")
    need = counted(bars + 1 if panel.has_open else bars + 2, "session")
    if horizon == "week":
        need = "sessions on 8 calendar days in a row or more"
    why = f"it is longer than the data: a label needs {need} of one instrument, the longest has {longest}"
    return InputError("horizon", horizon, why=why, fix="load more data or choose a shorter horizon")
