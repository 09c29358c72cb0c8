"""`Bars`: the prices a simulation may trade at, one row per bar and one column per instrument.

Invariants:
1. ts (T,) int64, a bar's close in UTC nanoseconds, strictly increasing.
2. Prices are above zero, or NaN: the instrument cannot be traded in that bar.
3. `open` of a row is known after the row before it and before the row's own close.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from karat._words import counted
from karat.core import DataError, InputError, iso
from karat.data import Panel
from karat.kernels import finite_above, increasing

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Bars:
    """Prices of N instruments over T bars: ts (T,), instruments (N,), open (T, N) or None, close (T, N)."""

    ts: Ints
    instruments: tuple[str, ...]
    open: Floats | None
    close: Floats

    def __post_init__(self) -> None:
        shape = (len(self.ts), len(self.instruments))
        _check_ts(self.ts, "bars")
        if not all(shape):
            raise InputError(
                "bars",
                f"{counted(shape[0], 'bar')} of {counted(shape[1], 'instrument')}",
                allowed="at least one of each",
            )
        for name, prices in (("open", self.open), ("close", self.close)):
            if prices is not None:
                _check_prices(self, name, prices, shape)

    def between(self, start_ns: int, end_ns: int) -> Bars:
        """Return the bars with start_ns <= ts <= end_ns.

        Raises:
            InputError: when there are none; the message says which dates there are.
        """
        rows = (self.ts >= start_ns) & (self.ts <= end_ns)
        if not rows.any():
            raise InputError(
                "bars",
                f"{iso(start_ns)} to {iso(end_ns)}",
                why="no bar lies in it",
                allowed=f"{iso(int(self.ts[0]))} to {iso(int(self.ts[-1]))}",
            )
        return Bars(self.ts[rows], self.instruments, None if self.open is None else self.open[rows], self.close[rows])


def bars_from_panel(panel: Panel, instruments: Sequence[str] = ()) -> Bars:
    """Return the panel's prices on the union of its instruments' bars; NaN where an instrument has no bar.

    instruments: the columns, in order; empty means all of the panel, sorted.

    Raises:
        InputError: no column `close`, or an instrument that the panel lacks.
        DataError: a price that is not above zero.
    """
    if "close" not in panel.values:
        raise InputError("panel", list(panel.values), allowed="a column 'close'", why="there is nothing to trade at")
    wanted = tuple(instruments) or panel.instruments
    for name in wanted:
        if name not in panel.instruments:
            raise InputError("instruments", name, allowed=panel.instruments)
    frame = panel.frame.filter(pl.col("instrument").is_in(list(wanted)))
    ts, row = np.unique(frame["ts"].to_numpy(), return_inverse=True)
    place = {name: k for k, name in enumerate(wanted)}
    column = frame["instrument"].replace_strict(place, return_dtype=pl.Int64).to_numpy()

    def spread(name: str) -> Floats:
        prices = np.full((len(ts), len(wanted)), np.nan)
        prices[row, column] = frame[name].to_numpy()
        return prices

    return Bars(ts.astype(np.int64), wanted, spread("open") if panel.has_open else None, spread("close"))


def _check_ts(ts: Ints, what: str) -> None:
    if ts.ndim != 1 or ts.dtype != np.int64:
        raise InputError(f"{what}.ts", f"{ts.dtype} {ts.shape}", allowed="one dimension of int64 UTC nanoseconds")
    if not increasing(ts):
        late = np.flatnonzero(ts[1:] <= ts[:-1])
        rows = [iso(int(ts[k + 1])) for k in late]
        seen, fix = f"{rows[0]} after {iso(int(ts[late[0]]))}", "sort by ts and drop duplicates"
        raise DataError(what, "ts strictly increasing", seen=seen, rows=rows, fix=fix)


def _check_prices(bars: Bars, name: str, prices: Floats, shape: tuple[int, int]) -> None:
    if prices.shape != shape:
        raise InputError(f"bars.{name}", prices.shape, allowed=f"{shape}, one row per bar, one column per instrument")
    if finite_above(prices, 0.0):  # one look when all is well; a NaN fails it
        return
    bad = np.argwhere(~np.isnan(prices) & ~((prices > 0) & np.isfinite(prices)))
    if len(bad):
        rows = [f"{bars.instruments[i]}@{iso(int(bars.ts[t]))}" for t, i in bad]
        rule, seen = "prices are above zero and finite, NaN for no price", float(prices[tuple(bad[0])])
        raise DataError(f"bars.{name}", rule, seen=seen, rows=rows, fix="correct or drop them")
