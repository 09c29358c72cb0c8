"""a500 of 500 instruments of 5,000 days: from Parquet to written float32 Parquet, in a cold process.

The columns `vix` and `index` are made in a first pass, timed by itself.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from feature_jobs._bars import Bars
from karat.features import TIERS


def facts(bars: Bars, repeat: int) -> Iterator[dict[str, Any]]:
    """Yield the facts of the one job; `repeat` does not apply, a cold process is cold once."""
    n, days = bars.shape
    with tempfile.TemporaryDirectory() as folder:
        plain, source, out = (Path(folder) / name for name in ("bars.parquet", "panel.parquet", "features"))
        bars.frame(n, days).write_parquet(plain, row_group_size=32 * days)
        started = time.perf_counter()
        _with_index(plain, source, days)
        first = time.perf_counter() - started
        karat = Path(sys.executable).with_name("karat")
        command = [str(karat), "features", "build", str(source), "--features", "a500"]
        started = time.perf_counter()
        subprocess.run([*command, "--out", str(out), "--float32", "--json"], check=True, capture_output=True)
        taken = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
        made = pl.scan_parquet(out / "*.parquet")
        right = set(TIERS["a500"]) <= set(made.collect_schema().names())
        rows = int(made.select(pl.len()).collect().item())
        size = sum(path.stat().st_size for path in out.glob("*.parquet"))
    yield {
        "job": "tier a500",
        "karat_s": round(taken, 2),
        "check_equal": right and rows == n * days,
        "index_pass_s": round(first, 2),
        "peak_gib": round(peak, 2),
        "values": 500 * rows,
        "written_gib": round(size / 1024**3, 2),
    }


def _with_index(plain: Path, source: Path, days: int) -> None:
    """Add the mean close of all instruments as `index`, and a made-up `vix`."""
    frame = pl.read_parquet(plain)
    level = frame.group_by("ts").agg(pl.col("close").mean().alias("index")).sort("ts")
    wave = 20.0 * np.exp(0.3 * np.sin(np.arange(days) / 30.0) + 0.05 * np.random.default_rng(7).normal(size=days))
    level = level.with_columns(pl.Series("vix", wave))
    frame.join(level, on="ts", how="left", maintain_order="left").write_parquet(source, row_group_size=32 * days)
