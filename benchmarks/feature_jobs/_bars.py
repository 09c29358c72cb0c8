"""The bars of the feature jobs: 500 instruments of 5,000 days, read from Parquet or made from the same seed."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from karat.data import Panel, Provenance

NAMES = ("open", "high", "low", "close", "volume")


class Bars:
    """Bars by name, (instruments, days) float64, and as a panel with `vix` and `index`; `quick` cuts them."""

    def __init__(self, folder: str | None, *, quick: bool = False) -> None:
        self.folder, self.quick = Path(folder) if folder else None, quick
        self.shape = (12, 600) if quick else (500, 5_000)

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """Columns by name."""
        n, days = self.shape
        if self.folder:
            frame = pl.read_parquet(self.folder / "panel_500x5000.parquet", columns=list(NAMES))
            return {name: frame[name].to_numpy().reshape(500, 5_000)[:n, :days].copy() for name in NAMES}
        rng = np.random.default_rng(2)
        made: dict[str, list[np.ndarray]] = {name: [] for name in NAMES}
        for _ in range(n):
            steps = (np.exp(np.cumsum(rng.normal(0, 0.018 / 2, 5_000 * 4))) * 100.0).reshape(5_000, 4)
            columns = (steps[:, 0], steps.max(1), steps.min(1), steps[:, 3], np.round(rng.lognormal(8, 0.7, 5_000)))
            for name, values in zip(NAMES, columns, strict=True):
                made[name].append(values[:days])
        return {name: np.array(values) for name, values in made.items()}

    def frame(self, n: int, days: int) -> pl.DataFrame:
        """Return keys and bars of some instruments."""
        stamps = np.busday_offset("2005-01-03", np.arange(days), roll="forward").astype("datetime64[ns]")
        ts = np.tile(stamps.astype(np.int64) + 75_600_000_000_000, n)
        keys = {"ts": ts, "known_at": ts, "instrument": np.repeat([f"S{k:03d}" for k in range(n)], days)}
        return pl.DataFrame(keys | {name: self.arrays[name][:n, :days].ravel() for name in NAMES})

    def panel(self, n: int, days: int) -> Panel:
        """Return the same as a panel."""
        return Panel(self.frame(n, days), "XNYS", Provenance("benchmark", "made up", "CC0"))
