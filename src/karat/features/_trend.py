"""Trend features: distance from moving averages, their spread, the MACD histogram, directional strength."""

from __future__ import annotations

import numpy as np
import talib

from karat.features._spec import Columns, FeatureSpec, Floats


def _sma_ratio(window: int) -> FeatureSpec:
    def compute(columns: Columns) -> Floats:
        close = columns["close"]
        return close / np.asarray(talib.SMA(close, window)) - 1.0

    return FeatureSpec(
        name=f"sma_ratio_{window}",
        inputs=("close",),
        lookback=window - 1,
        category="trend",
        unit="fraction",
        formula=f"close / SMA(close, {window}) - 1",
        source="TA-Lib SMA",
        compute=compute,
    )


def _ema_ratio(columns: Columns) -> Floats:
    close = columns["close"]
    return np.asarray(talib.EMA(close, 12)) / np.asarray(talib.EMA(close, 26)) - 1.0


def _macd_hist(columns: Columns) -> Floats:
    close = columns["close"]
    histogram = talib.MACD(close, 12, 26, 9)[2]
    return np.asarray(histogram) / close


def _adx(columns: Columns) -> Floats:
    return np.asarray(talib.ADX(columns["high"], columns["low"], columns["close"], 14))


SMA_RATIO_10 = _sma_ratio(10)
SMA_RATIO_50 = _sma_ratio(50)
EMA_RATIO_12_26 = FeatureSpec(
    name="ema_ratio_12_26",
    inputs=("close",),
    lookback=25,
    category="trend",
    unit="fraction",
    formula="EMA(close, 12) / EMA(close, 26) - 1, each seeded with its first simple average",
    source="TA-Lib EMA",
    compute=_ema_ratio,
    recursive=True,
)
MACD_HIST = FeatureSpec(
    name="macd_hist",
    inputs=("close",),
    lookback=33,
    category="trend",
    unit="fraction of close",
    formula="(MACD(12, 26) - its EMA(9)) / close",
    source="TA-Lib MACD",
    compute=_macd_hist,
    recursive=True,
)
ADX_14 = FeatureSpec(
    name="adx_14",
    inputs=("high", "low", "close"),
    lookback=27,
    category="trend",
    unit="0 to 100",
    formula="average directional index, Wilder smoothing over 14 bars",
    source="TA-Lib ADX; Wilder 1978",
    compute=_adx,
    recursive=True,
)
