"""Panels for the feature tests, and the door to the plain oracles and to scripts beside the golden files."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl

from karat.core import NS_PER_DAY, generator
from karat.data import Panel, Provenance

GOLDEN = Path(__file__).parents[1] / "golden" / "features"
PROVENANCE = Provenance("test", "made up", "CC0")


def oracle(name: str) -> ModuleType:
    return loaded(Path(__file__).parents[1] / "oracles" / f"{name}.py")


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def bars(n: int, *, seed: int = 1, instrument: str = "A.XNYS") -> pl.DataFrame:
    """Daily bars with `vix`, `index` and `signal`: a random walk whose opens, highs and lows surround it."""
    rng = generator(seed, "bars")
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.012, n)))
    opens = close * np.exp(rng.normal(0, 0.006, n))
    high = np.maximum(opens, close) * np.exp(np.abs(rng.normal(0, 0.004, n)))
    low = np.minimum(opens, close) * np.exp(-np.abs(rng.normal(0, 0.004, n)))
    ts = np.arange(1, n + 1, dtype=np.int64) * NS_PER_DAY
    return pl.DataFrame(
        {
            "ts": ts,
            "known_at": ts,
            "instrument": [instrument] * n,
            "open": opens,
            "high": high,
            "low": low,
            "close": close,
            "volume": np.exp(rng.normal(14, 0.4, n)),
            "vix": 18 * np.exp(0.3 * np.sin(np.arange(n) / 15) + rng.normal(0, 0.05, n)),
            "signal": rng.normal(size=n),
            "index": 3000 * close**0.6 * np.exp(np.cumsum(generator(seed, "index").normal(0, 0.008, n))),
        }
    )


def by_hand(**columns: Sequence[float] | np.ndarray) -> Panel:
    """One instrument's panel of the columns given, a day a value."""
    n = len(next(iter(columns.values())))
    ts = np.arange(1, n + 1, dtype=np.int64) * NS_PER_DAY
    frame = pl.DataFrame({"ts": ts, "known_at": ts, "instrument": ["A.XNYS"] * n, **columns})
    return Panel(frame, "XNYS", PROVENANCE)


def panel(n: int = 200, *, instruments: tuple[str, ...] = ("A.XNYS",), columns: tuple[str, ...] | None = None) -> Panel:
    frame = pl.concat([bars(n, seed=k + 1, instrument=name) for k, name in enumerate(instruments)])
    if columns is not None:
        frame = frame.select("ts", "known_at", "instrument", *columns)
    return Panel(frame, "XNYS", PROVENANCE)
