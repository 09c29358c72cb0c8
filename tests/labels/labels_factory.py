"""Panels and row sets for the label tests."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from karat.core import NS_PER_DAY, generator
from karat.data import Panel, Provenance, Table, sessions

PROVENANCE = Provenance("test", "made up", "CC0")
HOUR = NS_PER_DAY // 24


def panel(
    closes: list[float],
    *,
    opens: list[float] | None = None,
    start: str = "2024-01-02",
    lag_ns: int = 0,
    instrument: str = "A.XNYS",
) -> Panel:
    """Bars on consecutive sessions of the New York exchange from `start`, known `lag_ns` after the close."""
    first = dt.date.fromisoformat(start)
    ts = sessions("XNYS", first, first + dt.timedelta(days=2 * len(closes) + 14))["close_ns"].to_numpy()[: len(closes)]
    columns: dict[str, object] = {"ts": ts, "known_at": ts + lag_ns, "instrument": [instrument] * len(closes)}
    if opens is not None:
        columns["open"] = opens
    return Panel(pl.DataFrame(columns | {"close": closes}), "XNYS", PROVENANCE)


def walk(n: int, *, seed: int = 1, instruments: tuple[str, ...] = ("A.XNYS",), opens: bool = True) -> Panel:
    """A random walk on consecutive sessions."""
    frames = []
    for k, name in enumerate(instruments):
        rng = generator(seed, "walk", k)
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
        made = panel(close.tolist(), start="2010-01-04", instrument=name).frame
        frames.append(made.with_columns(open=pl.Series(close * 0.999)) if opens else made)
    return Panel(pl.concat(frames), "XNYS", PROVENANCE)


def rows(n: int, *, horizon: int = 1, instruments: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ts, start_ns and end_ns of n daily bars of several instruments, with labels of `horizon` bars."""
    ts = np.tile(np.arange(n, dtype=np.int64) * NS_PER_DAY, instruments)
    return ts, ts + 1, ts + horizon * NS_PER_DAY


def table_of(made_of: Panel, *, warm_up: int = 0) -> Table:
    """A table with one feature, the row's number within its instrument, missing during the warm-up."""
    names = made_of.instruments
    code = np.searchsorted(names, made_of.frame["instrument"].to_numpy().astype(str)).astype(np.int64)
    number = made_of.frame.select(pl.int_range(pl.len()).over("instrument").cast(pl.Float64)).to_series().to_numpy()
    feature = np.where(number < warm_up, np.nan, number)[:, None]
    ts, known = made_of.frame["ts"].to_numpy(), made_of.frame["known_at"].to_numpy()
    return Table(ts, known, code, names, feature, ("number",), np.zeros(len(ts)))
