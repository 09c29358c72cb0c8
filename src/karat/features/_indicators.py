"""The textbook indicators as TA-Lib defines them, in its units: prices where they are averages of prices.

They stand in no tier of model inputs, for a price level says little about the next one; charts, rules and comparisons
with other software want them.
"""

from __future__ import annotations

from typing import Final

from karat.features._expressions import (
    CLOSE,
    HIGH,
    LOW,
    VOLUME,
    change,
    diff,
    ema,
    highest,
    lowest,
    mean,
    ratio,
    since_highest,
    since_lowest,
    std,
)
from karat.features._graph import Node
from karat.features._momentum import stochastic, ultimate
from karat.features._spec import Function, family
from karat.features._talib import talib

_PRICE: Final = "price"
_PERCENT: Final = "0 to 100"


_HISTOGRAM: Final = talib("MACD", CLOSE, w=26, options=(12, 26, 9), output=2)
_SIGNAL: Final = talib("MACD", CLOSE, w=26, options=(12, 26, 9), output=1)


def _band(w: int, side: float) -> Node:
    return mean(CLOSE, w) + std(CLOSE, w, ddof=0) * side


def _percent_r(w: int) -> Node:
    top = highest(HIGH, w)
    return -100.0 * ratio(top - CLOSE, top - lowest(LOW, w), 0.0)


def _slow_d() -> Node:
    return mean(mean(stochastic(5), 3), 3)


def _price_oscillator(_: int) -> Node:
    slow = talib("EMA", CLOSE, w=26)
    return 100.0 * ratio(talib("EMA", CLOSE, w=12) - slow, slow, 0.0)


def _one(name: str, make: Node, unit: str, formula: str, function: str) -> Function:
    return Function(name, lambda _: make, (0,), unit, formula, f"TA-Lib {function}")


INDICATORS = family(
    "indicators",
    _one("talib_sma_14", talib("SMA", CLOSE, w=14), _PRICE, "mean of close over 14 bars", "SMA"),
    _one("talib_ema_14", talib("EMA", CLOSE, w=14), _PRICE, "EMA(close, 14)", "EMA"),
    _one("talib_rsi_14", talib("RSI", CLOSE, w=14), _PERCENT, "relative strength index over 14 bars", "RSI"),
    _one("talib_macd", _HISTOGRAM + _SIGNAL, _PRICE, "EMA(close, 12) - EMA(close, 26)", "MACD(12, 26, 9)"),
    _one("talib_macd_signal", _SIGNAL, _PRICE, "EMA(9) of it", "MACD(12, 26, 9)"),
    _one("talib_macd_hist", _HISTOGRAM, _PRICE, "their difference", "MACD(12, 26, 9)"),
    _one("talib_atr_14", talib("ATR", HIGH, LOW, CLOSE, w=14), _PRICE, "average true range over 14 bars", "ATR"),
    _one("talib_bband_upper", _band(20, 2.0), _PRICE, "SMA20 + 2 population deviations", "BBANDS(20, 2, 2)"),
    _one("talib_bband_middle", mean(CLOSE, 20), _PRICE, "SMA20", "BBANDS(20, 2, 2)"),
    _one("talib_bband_lower", _band(20, -2.0), _PRICE, "SMA20 - 2 population deviations", "BBANDS(20, 2, 2)"),
    _one("talib_stoch_k", mean(stochastic(5), 3) + 0.0 * _slow_d(), _PERCENT, "SMA3 of the stochastic over 5 bars",
         "STOCH(5, 3, 3)"),
    _one("talib_stoch_d", _slow_d(), _PERCENT, "SMA3 of it", "STOCH(5, 3, 3)"),
    _one("talib_adx_14", talib("ADX", HIGH, LOW, CLOSE, w=14), _PERCENT, "directional index over 14 bars", "ADX"),
    _one("talib_cci_14", talib("CCI", HIGH, LOW, CLOSE, w=14), "index", "commodity channel index, 14 bars", "CCI"),
    _one("talib_mfi_14", talib("MFI", HIGH, LOW, CLOSE, VOLUME, w=14), _PERCENT, "money flow index, 14 bars", "MFI"),
    _one("talib_obv", talib("OBV", CLOSE, VOLUME, w=0), "units traded", "on-balance volume", "OBV"),
    _one("talib_willr_14", _percent_r(14), "-100 to 0", "Williams %R over 14 bars", "WILLR"),
    _one("talib_roc_10", 100.0 * change(CLOSE, 10), "percent", "100 (close / close[t-10] - 1)", "ROC"),
    _one("talib_mom_10", diff(CLOSE, 10), _PRICE, "close - close[t-10]", "MOM"),
    _one("talib_trix_15", 100.0 * change(ema(ema(ema(CLOSE, 15), 15), 15), 1), "percent",
         "change of the EMA of the EMA of the EMA, 15 bars each", "TRIX"),
    _one("talib_aroon_down", 100.0 - since_lowest(LOW, 15) * (100.0 / 14.0), _PERCENT,
         "100 (14 - bars since the lowest low of 15) / 14", "AROON(14)"),
    _one("talib_aroon_up", 100.0 - since_highest(HIGH, 15) * (100.0 / 14.0), _PERCENT,
         "100 (14 - bars since the highest high of 15) / 14", "AROON(14)"),
    _one("talib_natr_14", 100.0 * (talib("ATR", HIGH, LOW, CLOSE, w=14) / CLOSE), "percent", "100 ATR / close", "NATR"),
    _one("talib_ppo", _price_oscillator(0), "percent", "100 (EMA12 - EMA26) / EMA26", "PPO(12, 26)"),
    _one("talib_kama_30", talib("KAMA", CLOSE, w=30), _PRICE, "Kaufman's adaptive mean over 30 bars", "KAMA"),
    _one("talib_ultosc", ultimate(0), _PERCENT, "ultimate oscillator over 7, 14 and 28 bars", "ULTOSC"),
)  # fmt: skip
