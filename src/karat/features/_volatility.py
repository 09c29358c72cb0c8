"""Volatility features: Bollinger position and width, normalised true range, realised volatility."""

from __future__ import annotations

from karat.features._expressions import CLOSE, HIGH, LOW, lagged_pair, log, mean, ratio, sqrt, std, talib
from karat.features._graph import Node
from karat.features._spec import Function, family
from karat.kernels.features import ops

LOG_RETURN = log(lagged_pair(ops.DIV, CLOSE, CLOSE, 1))


def _bands(w: int) -> tuple[Node, Node, Node]:
    middle, reach = mean(CLOSE, w), 2.0 * std(CLOSE, w, ddof=0)
    return middle + reach, middle, middle - reach


def _bollinger_b(w: int) -> Node:
    upper, _, lower = _bands(w)
    return ratio(CLOSE - lower, upper - lower, 0.5)


def _bollinger_width(w: int) -> Node:
    upper, middle, lower = _bands(w)
    return (upper - lower) / middle


BASIC = family(
    "volatility",
    Function("bollinger_b", _bollinger_b, (20,), "0 at the lower band, 1 at the upper",
             "(close - lower) / (upper - lower), bands SMA{w} +- 2 population deviations; 0.5 where flat",
             "as TA-Lib BBANDS; Bollinger", label="bollinger_b"),
    Function("bollinger_width", _bollinger_width, (20,), "fraction", "(upper - lower) / middle of the same bands",
             "as TA-Lib BBANDS; Bollinger", label="bollinger_width"),
    Function("natr", lambda w: talib("ATR", HIGH, LOW, CLOSE, w=w) / CLOSE, (14,), "fraction of close",
             "average true range, Wilder smoothing over {w} bars, / close", "TA-Lib ATR; Wilder 1978"),
    Function("realised_vol", lambda w: sqrt(mean(LOG_RETURN * LOG_RETURN, w)), (20,), "fraction per bar",
             "square root of the mean squared log return over {w} bars, not de-meaned", "realised volatility"),
)  # fmt: skip
