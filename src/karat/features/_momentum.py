"""Momentum features: relative strength, slow stochastic, commodity channel index."""

from __future__ import annotations

from karat.features._expressions import CLOSE, HIGH, LOW, highest, lowest, mean, ratio, talib
from karat.features._graph import Node
from karat.features._spec import Function, family


def _stochastic(w: int) -> Node:
    bottom = lowest(LOW, w)
    return 100.0 * ratio(CLOSE - bottom, highest(HIGH, w) - bottom, 0.0)


BASIC = family(
    "momentum",
    Function("rsi", lambda w: talib("RSI", CLOSE, w=w), (14,), "0 to 100",
             "100 x mean gain / (mean gain + mean loss), Wilder smoothing over {w} bars", "TA-Lib RSI; Wilder 1978"),
    Function("stoch_d", lambda w: mean(mean(_stochastic(w), 3), 3), (14,), "0 to 100",
             "SMA3 of SMA3 of 100 (close - lowest low) / (highest high - lowest low) over {w} bars",
             "slow %D, as TA-Lib STOCH; Lane"),
    Function("cci", lambda w: talib("CCI", HIGH, LOW, CLOSE, w=w), (20,), "index",
             "(typical price - its SMA{w}) / (0.015 x mean absolute deviation over {w} bars)",
             "TA-Lib CCI; Lambert 1980"),
)  # fmt: skip
