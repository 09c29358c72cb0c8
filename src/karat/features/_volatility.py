"""Volatility features: Bollinger position and width, normalised true range, realised volatility."""

from __future__ import annotations

import numpy as np
import talib

from karat.features._rolling import lagged, ratio, rolling_mean
from karat.features._spec import Columns, FeatureSpec, Floats


def _bands(columns: Columns) -> tuple[Floats, Floats, Floats]:
    upper, middle, lower = talib.BBANDS(columns["close"], 20, 2.0, 2.0)
    return np.asarray(upper), np.asarray(middle), np.asarray(lower)


def _bollinger_b(columns: Columns) -> Floats:
    upper, _, lower = _bands(columns)
    return ratio(columns["close"] - lower, upper - lower, neutral=0.5)


def _bollinger_width(columns: Columns) -> Floats:
    upper, middle, lower = _bands(columns)
    return (upper - lower) / middle


def _natr(columns: Columns) -> Floats:
    return np.asarray(talib.NATR(columns["high"], columns["low"], columns["close"], 14)) / 100.0


def _realised_vol(columns: Columns) -> Floats:
    close = columns["close"]
    squares = np.log(close / lagged(close, 1)) ** 2
    return np.sqrt(rolling_mean(squares, 20))


BOLLINGER_B = FeatureSpec(
    name="bollinger_b",
    inputs=("close",),
    lookback=19,
    category="volatility",
    unit="0 at the lower band, 1 at the upper",
    formula="(close - lower) / (upper - lower), bands SMA20 +- 2 population deviations; 0.5 where flat",
    source="TA-Lib BBANDS; Bollinger",
    compute=_bollinger_b,
)
BOLLINGER_WIDTH = FeatureSpec(
    name="bollinger_width",
    inputs=("close",),
    lookback=19,
    category="volatility",
    unit="fraction",
    formula="(upper - lower) / middle of the same bands",
    source="TA-Lib BBANDS; Bollinger",
    compute=_bollinger_width,
)
NATR_14 = FeatureSpec(
    name="natr_14",
    inputs=("high", "low", "close"),
    lookback=14,
    category="volatility",
    unit="fraction of close",
    formula="average true range, Wilder smoothing over 14 bars, / close",
    source="TA-Lib NATR / 100; Wilder 1978",
    compute=_natr,
    recursive=True,
)
REALISED_VOL_20 = FeatureSpec(
    name="realised_vol_20",
    inputs=("close",),
    lookback=20,
    category="volatility",
    unit="fraction per bar",
    formula="square root of the mean squared log return over 20 bars, not de-meaned",
    source="realised volatility",
    compute=_realised_vol,
)
