"""Trend features: distance from moving averages, their spread, the MACD histogram, directional strength."""

from __future__ import annotations

from karat.features._expressions import CLOSE, HIGH, LOW, talib
from karat.features._spec import Function, family

BASIC = family(
    "trend",
    Function("sma_ratio", lambda w: CLOSE / talib("SMA", CLOSE, w=w) - 1.0, (10, 50), "fraction",
             "close / SMA(close, {w}) - 1", "TA-Lib SMA"),
    Function("ema_ratio", lambda _: talib("EMA", CLOSE, w=12) / talib("EMA", CLOSE, w=26) - 1.0, (0,), "fraction",
             "EMA(close, 12) / EMA(close, 26) - 1, each seeded with its first simple average", "TA-Lib EMA",
             label="ema_ratio_12_26"),
    Function("macd_hist", lambda _: talib("MACD", CLOSE, w=26, options=(12, 26, 9), output=2) / CLOSE, (0,),
             "fraction of close", "(MACD(12, 26) - its EMA(9)) / close", "TA-Lib MACD"),
    Function("adx", lambda w: talib("ADX", HIGH, LOW, CLOSE, w=w), (14,), "0 to 100",
             "average directional index, Wilder smoothing over {w} bars", "TA-Lib ADX; Wilder 1978"),
)  # fmt: skip
