"""Panels that serve every regime system."""

from __future__ import annotations

import numpy as np
import polars as pl

from karat.core import NS_PER_DAY, generator
from karat.data import Panel, Provenance

PROVENANCE = Provenance("test", "made up", "CC0")


def bars(n: int, *, seed: int = 1, instrument: str = "A.XNYS") -> pl.DataFrame:
    """Daily bars whose volatility and drift switch every hundred bars or so, with `vix` and `market_return`."""
    rng = generator(seed, "regime bars")
    wild = np.cumsum(rng.random(n) < 0.01) % 2
    returns = rng.normal(0.0008 - 0.002 * wild, 0.006 + 0.014 * wild)
    close = 100 * np.exp(np.cumsum(returns))
    high = close * np.exp(np.abs(rng.normal(0, 0.004, n)))
    low = close * np.exp(-np.abs(rng.normal(0, 0.004, n)))
    ts = np.arange(12_000, 12_000 + n, dtype=np.int64) * NS_PER_DAY
    return pl.DataFrame(
        {
            "ts": ts,
            "known_at": ts,
            "instrument": [instrument] * n,
            "open": close,
            "high": high,
            "low": low,
            "close": close,
            "volume": np.exp(rng.normal(14, 0.4, n)),
            "vix": 14 + 16 * wild + rng.normal(0, 2, n),
            "market_return": np.expm1(returns * 0.5 + rng.normal(0, 0.004, n)),
        }
    )


def panel(n: int, *, instruments: tuple[str, ...] = ("A.XNYS",), without: tuple[str, ...] = ()) -> Panel:
    frame = pl.concat([bars(n, seed=k + 1, instrument=name) for k, name in enumerate(instruments)])
    return Panel(frame.drop(without), "XNYS", PROVENANCE)
