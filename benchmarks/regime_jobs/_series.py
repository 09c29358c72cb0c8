"""Series that no regime was made with, as daily and as intraday panels, from the folder of real data and skfolio.

Bars of a day are made from the bars that open on it; those of a weekend are Monday's, but for Bitcoin. Where a source
has closes only, high and low are the larger and the smaller of a close and the one before, and volume is 1: what reads
volume then says nothing. Prices of 0 or less (oil, 2020-04-20) are left out. The index of the 88 stocks holds all that
have a return that day, equally weighted; its high and low are its close times the mean of theirs over their closes, its
volume the value traded over its close.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from karat.core import NS_PER_DAY
from karat.data import Panel, Provenance, load

FX: Final = ("AUDUSD", "EURGBP", "EURUSD", "GBPUSD", "USDCHF", "USDJPY")
_PROVENANCE: Final = Provenance("benchmark", "made of the folder of real data", "see its manifest")
_VALUES: Final = ("open", "high", "low", "close", "volume")


def folder() -> Path | None:
    """Return the folder of real data, None where it is not there."""
    path = Path(os.environ.get("KARAT_DATA", "../shared/data"))
    return path if path.is_dir() else None


def daily(root: Path) -> Iterator[tuple[str, Panel]]:
    """Yield name and daily panel of each series."""
    makers: dict[str, Callable[[], pl.DataFrame]] = {
        "88 stocks": partial(_index, root / "panel" / "stocknet"),
        "WTI": partial(_prices, root / "macro" / "wti-daily.csv.gz"),
        "Brent": partial(_prices, root / "macro" / "brent-daily.csv.gz"),
        **{name: partial(_days, root / "fx" / f"{name}_H4.csv.gz") for name in FX},
        "BTCUSD": partial(_days, root / "crypto" / "BTCUSD_H1.csv.gz", weekends=True),
        "20 stocks": _twenty,
    }
    for name, make in makers.items():
        yield name, _panel(make(), name)


def intraday(root: Path) -> Iterator[tuple[str, Panel]]:
    """Yield name and panel of the hourly and four-hourly series, stamped at each bar's close."""
    files = {"BTCUSD, 1 hour": (root / "crypto" / "BTCUSD_H1.csv.gz", 1)}
    files |= {f"{name}, 4 hours": (root / "fx" / f"{name}_H4.csv.gz", 4) for name in FX}
    for name, (path, hours) in files.items():
        yield name, _panel(_bars(path).with_columns(pl.col("ts") + hours * NS_PER_DAY // 24), name)


def single_stocks() -> Iterator[tuple[str, Panel]]:
    """Yield name and daily panel of each of skfolio's twenty stocks, 1990 to 2022, survivors all."""
    frame = load("bundled", dataset="sp500_stocks").frame
    for (name,), part in frame.group_by("instrument", maintain_order=True):
        yield str(name), _panel(_of_closes(part.select("ts", "close")), str(name))


def whole_stocks(root: Path) -> Panel:
    """Return those of the 88 stocks that have as many days as any; volume is money over the close."""
    stocks = {
        path.name.split(".")[0]: _stock(path).drop_nulls()
        for path in sorted((root / "panel" / "stocknet").glob("*.csv.gz"))
    }
    longest = max(len(frame) for frame in stocks.values())
    kept = {name: frame for name, frame in stocks.items() if len(frame) == longest}
    arrays = {name: (frame["ts"].to_numpy(), np.log1p(frame["own"].to_numpy())) for name, frame in kept.items()}
    traded = pl.concat([frame.select("ts", "value", instrument=pl.lit(name)) for name, frame in kept.items()])
    made = panel_of(arrays)
    frame = made.frame.join(traded, on=["instrument", "ts"], how="left", maintain_order="left")
    volume = pl.col("value") / pl.col("close")
    return Panel(frame.with_columns(volume=volume).drop("value"), made.calendar, made.provenance)


def panel_of(returns: dict[str, tuple[np.ndarray, np.ndarray]]) -> Panel:
    """Return the panel of instruments given by times, UTC ns, and log returns; beginning at a close of 100."""
    frames = [
        _panel(_of_closes(pl.DataFrame({"ts": ts, "close": 100.0 * np.exp(np.cumsum(r))})), name).frame
        for name, (ts, r) in sorted(returns.items())
    ]
    return Panel(pl.concat(frames), "none", _PROVENANCE)


def _panel(frame: pl.DataFrame, name: str) -> Panel:
    keys = {"known_at": pl.col("ts"), "instrument": pl.lit(name)}
    return Panel(frame.with_columns(**keys).select("ts", "known_at", "instrument", *_VALUES), "none", _PROVENANCE)


def _bars(path: Path) -> pl.DataFrame:
    """Return ts (the bar's opening) and values of a tab-separated file."""
    frame = pl.read_csv(path, separator="\t").rename(str.lower)
    ts = pl.col("time").str.to_datetime(time_unit="ns").cast(pl.Int64).alias("ts")
    return frame.select(ts, *[pl.col(name).cast(pl.Float64) for name in _VALUES]).unique("ts").sort("ts")


def _days(path: Path, *, weekends: bool = False) -> pl.DataFrame:
    """Return the bars of a file by the day they open on, stamped at its end; those of a weekend belong to Monday."""
    day = pl.col("ts") // NS_PER_DAY
    of_week = (day + 3) % 7  # 1970-01-01 was a Thursday, Monday is 0
    day = day if weekends else day + pl.when(of_week > 4).then(7 - of_week).otherwise(0)
    first, high, low, close, volume = (pl.col(name) for name in _VALUES)
    made = (first.first(), high.max(), low.min(), close.last(), volume.sum())
    return _bars(path).group_by(((day + 1) * NS_PER_DAY).alias("ts"), maintain_order=True).agg(*made)


def _prices(path: Path) -> pl.DataFrame:
    raw = pl.read_csv(path).rename(str.lower)
    ts = (pl.col("date").str.to_date().cast(pl.Int64) + 1) * NS_PER_DAY
    return _of_closes(raw.select(ts.alias("ts"), pl.col("price").cast(pl.Float64).alias("close")))


def _of_closes(frame: pl.DataFrame) -> pl.DataFrame:
    """Return bars of positive closes alone."""
    kept = frame.filter(pl.col("close") > 0.0).unique("ts").sort("ts")
    before = pl.col("close").shift(1).fill_null(pl.col("close"))
    sides = {"high": pl.max_horizontal("close", before), "low": pl.min_horizontal("close", before)}
    return kept.with_columns(open=before, **sides, volume=pl.lit(1.0))


def _twenty() -> pl.DataFrame:
    own = pl.col("close") / pl.col("close").shift(1).over("instrument") - 1.0
    frame = load("bundled", dataset="sp500_stocks").frame.with_columns(own=own.fill_nan(None))
    mean = frame.group_by("ts").agg(pl.col("own").mean()).sort("ts").drop_nulls()
    return _of_closes(mean.select("ts", close=100.0 * (1.0 + pl.col("own")).cum_prod()))


def _index(root: Path) -> pl.DataFrame:
    parts = [_stock(path) for path in sorted(root.glob("*.csv.gz"))]
    sums = (
        pl.concat(parts).drop_nulls().group_by("ts").agg(pl.col("own", "up", "down").mean(), pl.col("value").sum())
    ).sort("ts")
    close = 100.0 * np.cumprod(1.0 + sums["own"].to_numpy())
    values = {"open": close, "high": close * sums["up"].to_numpy(), "low": close * sums["down"].to_numpy()}
    return sums.select("ts").with_columns(**values, close=close, volume=sums["value"].to_numpy() / close)


def _stock(path: Path) -> pl.DataFrame:
    """Return ts, own (simple return), up and down (high and low over the close) and value traded."""
    raw = pl.read_csv(path, null_values="null").rename(str.lower).drop_nulls()
    close, adjusted = pl.col("close"), pl.col("adj close")
    ts = (pl.col("date").str.to_date().cast(pl.Int64) + 1) * NS_PER_DAY
    return raw.select(
        ts.alias("ts"),
        (adjusted / adjusted.shift(1) - 1.0).alias("own"),
        (pl.col("high") / close).alias("up"),
        (pl.col("low") / close).alias("down"),
        (close * pl.col("volume")).alias("value"),
    )
