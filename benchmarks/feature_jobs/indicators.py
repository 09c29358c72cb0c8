"""Twenty functions of TA-Lib (26 arrays), 500 instruments of 5,000 days, through the public frame output.

The limit is TA-Lib called from Python on as many threads, its outputs kept.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import talib
from market_jobs import Job

from feature_jobs._bars import NAMES, Bars
from karat.features import FeatureFrame, build


def call(o: np.ndarray, h: np.ndarray, low: np.ndarray, c: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the 26 arrays of one instrument."""
    return (
        talib.SMA(c, 14), talib.EMA(c, 14), talib.RSI(c, 14), *talib.MACD(c, 12, 26, 9), talib.ATR(h, low, c, 14),
        *talib.BBANDS(c, 20, 2.0, 2.0), *talib.STOCH(h, low, c), talib.ADX(h, low, c, 14), talib.CCI(h, low, c, 14),
        talib.MFI(h, low, c, v, 14), talib.OBV(c, v), talib.WILLR(h, low, c, 14), talib.ROC(c, 10), talib.MOM(c, 10),
        talib.TRIX(c, 15), *talib.AROON(h, low, 14), talib.NATR(h, low, c, 14), talib.PPO(c, 12, 26),
        talib.KAMA(c, 30), talib.ULTOSC(h, low, c),
    )  # fmt: skip


def jobs(bars: Bars, _: str | None) -> list[Job]:
    """Return the one job."""
    n, days = bars.shape
    panel, columns = bars.panel(n, days), [bars.arrays[name] for name in NAMES]
    threads = len(os.sched_getaffinity(0))

    def limit() -> list[tuple[np.ndarray, ...]]:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda k: call(*(each[k] for each in columns)), range(n)))

    def check(ours: FeatureFrame, theirs: list[tuple[np.ndarray, ...]], peer: dict[str, float] | None) -> bool:
        values = ours.frame.select(ours.names).to_numpy().reshape(n, days, 26)
        return all(
            np.allclose(values[k, :, j], each, rtol=1e-9, atol=1e-7, equal_nan=True)
            for k in range(0, n, 7)
            for j, each in enumerate(theirs[k])
        )

    def more() -> dict[str, Any]:
        return {"threads": threads, "values": 26 * n * days}

    return [Job("indicators", lambda: build(panel, "indicators"), limit, check, more=more)]
