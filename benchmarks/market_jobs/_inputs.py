"""The inputs of the jobs: read from a folder of Parquet files, or made from the same seeds with the same numbers."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

MINUTE_NS = 60_000_000_000


class Inputs:
    """Arrays by name; `quick` cuts them to what takes a second.

    bars: (1,000,000,) ts, open, close of one instrument. panel: (5,000, 500) ts, close and weights that sum to one.
    """

    def __init__(self, folder: str | None, *, quick: bool = False) -> None:
        self.folder, self.quick = Path(folder) if folder else None, quick

    @cached_property
    def bars(self) -> dict[str, np.ndarray]:
        """One instrument: ts (T,) int64, open, close (T,)."""
        n = 20_000 if self.quick else 1_000_000
        if self.folder:
            frame = pl.read_parquet(self.folder / "bars_1m.parquet", columns=["ts", "open", "close"]).head(n)
            columns = {name: frame[name].to_numpy().copy() for name in ("open", "close")}
            return {"ts": frame["ts"].cast(pl.Int64).to_numpy().copy(), **columns}
        rng = np.random.default_rng(1)
        opens, closes = walk(rng, 1_000_000, 0.0008)
        ts = np.datetime64("2020-01-01T00:00", "ns").astype(np.int64) + np.arange(n) * MINUTE_NS
        return {"ts": ts, "open": opens[:n].copy(), "close": closes[:n].copy()}

    @cached_property
    def panel(self) -> dict[str, np.ndarray]:
        """Many instruments: ts (T,) int64, close, weights (T, N)."""
        days, assets = (200, 40) if self.quick else (5_000, 500)
        made = self._read_panel() if self.folder else make_panel(assets, days)
        close, weights = made["close"][:days, :assets], made["weights"][:days, :assets]
        weights = weights / weights.sum(axis=1, keepdims=True) if self.quick else weights
        return {"ts": made["ts"][:days], "close": close.copy(), "weights": weights.copy()}

    def _read_panel(self) -> dict[str, np.ndarray]:
        assert self.folder
        frame = pl.read_parquet(self.folder / "weights_500x5000.parquet")
        close = pl.read_parquet(self.folder / "panel_500x5000.parquet", columns=["close"])["close"].to_numpy()
        weights = frame.select(pl.exclude("ts")).to_numpy()
        return {
            "ts": frame["ts"].cast(pl.Int64).to_numpy(),
            "close": np.ascontiguousarray(close.reshape(weights.shape[1], -1).T),
            "weights": np.ascontiguousarray(weights),
        }


def walk(rng: np.random.Generator, n: int, volatility: float) -> tuple[np.ndarray, np.ndarray]:
    """Return opens and closes of n bars of a random walk of four steps each, drawn as for the Parquet files."""
    steps = np.exp(np.cumsum(rng.normal(0, volatility / 2, n * 4))) * 100.0
    rng.lognormal(8, 0.7, n)  # the volumes, which no job here uses
    return steps.reshape(n, 4)[:, 0], steps.reshape(n, 4)[:, 3]


def make_panel(assets: int, days: int) -> dict[str, np.ndarray]:
    """Return closes and slowly moving long-only weights; 500 x 5,000 are the numbers of the Parquet files."""
    rng = np.random.default_rng(2)
    close = np.column_stack([walk(rng, days, 0.018)[1] for _ in range(assets)])
    noise = rng.normal(size=(days, assets))
    scores = np.empty_like(noise)
    scores[0] = noise[0]
    for t in range(1, days):
        scores[t] = 0.95 * scores[t - 1] + np.sqrt(1 - 0.95**2) * noise[t]
    weights = np.maximum(scores, 0)
    ts = np.busday_offset("2005-01-03", np.arange(days), roll="forward").astype("datetime64[ns]").astype(np.int64)
    return {"ts": ts, "close": close, "weights": weights / weights.sum(axis=1, keepdims=True)}
