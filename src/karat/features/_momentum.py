"""Momentum features: relative strength, slow stochastic, commodity channel index."""

from __future__ import annotations

import numpy as np
import talib

from karat.features._spec import Columns, FeatureSpec, Floats


def _rsi(columns: Columns) -> Floats:
    return np.asarray(talib.RSI(columns["close"], 14))


def _stoch_d(columns: Columns) -> Floats:
    high, low, close = columns["high"], columns["low"], columns["close"]
    slow = talib.STOCH(high, low, close, fastk_period=14, slowk_period=3, slowd_period=3)
    return np.asarray(slow[1])


def _cci(columns: Columns) -> Floats:
    return np.asarray(talib.CCI(columns["high"], columns["low"], columns["close"], 20))


RSI_14 = FeatureSpec(
    name="rsi_14",
    inputs=("close",),
    lookback=14,
    category="momentum",
    unit="0 to 100",
    formula="100 x mean gain / (mean gain + mean loss), Wilder smoothing over 14 bars",
    source="TA-Lib RSI; Wilder 1978",
    compute=_rsi,
    recursive=True,
)
STOCH_D_14 = FeatureSpec(
    name="stoch_d_14",
    inputs=("high", "low", "close"),
    lookback=17,
    category="momentum",
    unit="0 to 100",
    formula="SMA3 of SMA3 of 100 (close - lowest low) / (highest high - lowest low) over 14 bars",
    source="TA-Lib STOCH slow %D; Lane",
    compute=_stoch_d,
)
CCI_20 = FeatureSpec(
    name="cci_20",
    inputs=("high", "low", "close"),
    lookback=19,
    category="momentum",
    unit="index",
    formula="(typical price - its SMA20) / (0.015 x mean absolute deviation over 20 bars)",
    source="TA-Lib CCI; Lambert 1980",
    compute=_cci,
)
