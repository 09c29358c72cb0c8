"""From frames to arrays: the instrument of each row, a column as floats, and what rows must hold."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from karat.core import NS_PER_DAY, DataError, InputError
from karat.data import Panel
from karat.features._spec import Floats

_Instants = TypeVar("_Instants", NDArray[np.int64], pl.Expr, pl.Series)


def check_instant(value: object, field: str) -> None:
    """Refuse what is no instant: a date or a text is none until `to_ns` has read it.

    Raises:
        InputError: under `field`.
    """
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        fix = "karat.core.to_ns makes one of a date, e.g. to_ns('2018-12-31')"
        raise InputError(field, value, allowed="UTC nanoseconds, a whole number", fix=fix)


def check_known(panel: Panel) -> None:
    """Refuse a row that becomes known before an earlier one: what is computed of it would read what is not known yet.

    Raises:
        DataError: `known_at` runs back within an instrument.
    """
    frame = panel.frame
    known = frame["known_at"].to_numpy()
    falls = np.flatnonzero(known[1:] < known[:-1]) + 1
    begins = {begin for begin, _ in panel.blocks}
    back = [k for k in falls.tolist() if k not in begins]
    if back:
        rows = [f"{name}@{ts}" for name, ts in frame[back].select("instrument", "ts").rows()]
        rule, seen = "known_at never runs back within an instrument", f"{known[back[0]]} after {known[back[0] - 1]}"
        raise DataError("panel", rule, seen=seen, rows=rows, fix="correct known_at")


def day_of(ts: _Instants) -> _Instants:
    """Return the date of each bar as days since 1970-01-01: that of the instant before its close."""
    return (ts - 1) // NS_PER_DAY


def instrument_codes(frame: pl.DataFrame) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the instruments, sorted, and (n,) the place of each row's among them."""
    names, code = np.unique(frame["instrument"].to_numpy().astype(np.str_), return_inverse=True)
    return tuple(names.tolist()), code.astype(np.int64)


def as_array(series: pl.Series) -> Floats:
    """Return a value column as contiguous (n,) float64, null as NaN."""
    return np.ascontiguousarray(series.fill_null(np.nan).to_numpy(), dtype=np.float64)
