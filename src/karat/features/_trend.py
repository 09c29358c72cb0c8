"""Trend features: distance from averages, straight lines, directional movement, how straight the way was."""

from __future__ import annotations

import math

from karat.features._expressions import (
    CLOSE,
    HIGH,
    LOW,
    absolute,
    age,
    at_least,
    change,
    diff,
    ema,
    fit,
    highest,
    kama,
    lagged_pair,
    less,
    lever,
    lowest,
    mean,
    positive,
    ratio,
    residual,
    sign,
    since_highest,
    since_lowest,
    slope,
    sqrt,
    squares,
    total,
    trend,
    weighted,
    wilder,
)
from karat.features._graph import Node
from karat.features._returns import LOG_CLOSE, TRUE_RANGE
from karat.features._spec import Function, family
from karat.features._talib import talib
from karat.kernels.features import ops

_FRACTION = "fraction"


def _linear(x: Node, w: int) -> Node:
    return weighted(x, [2.0 * (w - j) / (w * (w + 1)) for j in range(w)])


def _hull(w: int) -> Node:
    return _linear(2.0 * _linear(CLOSE, w // 2) - _linear(CLOSE, w), round(math.sqrt(w)))


def _off_line(x: Node, w: int) -> Node:
    """Return the summed squared deviations of a window from its straight line."""
    return squares(x, w) - trend(x, w) * trend(x, w) * (1.0 / lever(w))


def _line_t(x: Node, w: int) -> Node:
    """Return the slope on time over its standard error, 0 where the line is exact."""
    return ratio(slope(x, w), sqrt(positive(_off_line(x, w)) * (1.0 / ((w - 2) * lever(w)))), 0.0)


def _bend(w: int) -> Node:
    """Return the slope of the recent half less that of the older one, over the mean true range."""
    half = w // 2
    gap = lagged_pair(ops.SUB, slope(CLOSE, half), slope(CLOSE, half), half)
    return ratio(gap, mean(TRUE_RANGE, w), 0.0)


def _directions() -> tuple[Node, Node]:
    up, down = diff(HIGH), -diff(LOW)
    return positive(up) * less(down, up), positive(down) * less(up, down)


def _directed(w: int) -> Node:
    plus, minus = _directions()
    return ratio(wilder(plus, w) - wilder(minus, w), wilder(TRUE_RANGE, w), 0.0)


def _vortex(w: int) -> Node:
    up = absolute(lagged_pair(ops.SUB, HIGH, LOW, 1))
    down = absolute(lagged_pair(ops.SUB, LOW, HIGH, 1))
    return ratio(total(up, w) - total(down, w), total(TRUE_RANGE, w), 0.0)


def _mass(w: int) -> Node:
    once = ema(HIGH - LOW, 9)
    return total(ratio(once, ema(once, 9), 1.0), w) / w


def _trix(w: int) -> Node:
    return change(ema(ema(ema(CLOSE, w), w), w), 1)


def _crossed(w: int) -> Node:
    side = sign(CLOSE - mean(CLOSE, w))
    return age(1.0 - lagged_pair(ops.EQUAL, side, side, 1), 5 * w) / w


def _elder(x: Node, w: int) -> Node:
    return ratio(x - ema(CLOSE, w), mean(TRUE_RANGE, w), 0.0)


def _straightness(w: int) -> Node:
    return ratio(absolute(diff(CLOSE, w)), total(absolute(diff(CLOSE)), w), 0.0)


def _choppiness(w: int) -> Node:
    return ratio(highest(HIGH, w) - lowest(LOW, w), total(TRUE_RANGE, w), 1.0)


def _above(w: int) -> Node:
    return total(at_least(CLOSE - mean(CLOSE, w), 0.0), w) / w


def _channel(w: int) -> Node:
    """Return where the close lies between the means of the highs and of the lows."""
    top, bottom = mean(HIGH, w), mean(LOW, w)
    return ratio(CLOSE - bottom, top - bottom, 0.5)


def _turns(w: int) -> Node:
    way = sign(diff(CLOSE))
    return total(1.0 - lagged_pair(ops.EQUAL, way, way, 1), w) / w


def _parabola(w: int) -> Node:
    """Return the fitted quadratic coefficient of log closes over the deviation of their straight line."""
    middle = (w - 1) / 2.0
    raw = [(j - middle) ** 2 for j in range(w)]
    level = sum(raw) / w
    weights = [each - level for each in raw]
    size = math.sqrt(sum(each * each for each in weights))
    return ratio(weighted(LOG_CLOSE, [each / size for each in weights]), sqrt(positive(_off_line(LOG_CLOSE, w))), 0.0)


BASIC = family(
    "trend",
    Function("sma_ratio", lambda w: CLOSE / talib("SMA", CLOSE, w=w) - 1.0, (10, 20, 50, 120, 250), _FRACTION,
             "close / SMA(close, {w}) - 1", "TA-Lib SMA"),
    Function("ema_ratio", lambda _: talib("EMA", CLOSE, w=12) / talib("EMA", CLOSE, w=26) - 1.0, (0,), _FRACTION,
             "EMA(close, 12) / EMA(close, 26) - 1, each seeded with its first simple average", "TA-Lib EMA",
             label="ema_ratio_12_26"),
    Function("macd_hist", lambda _: talib("MACD", CLOSE, w=26, options=(12, 26, 9), output=2) / CLOSE, (0,),
             "fraction of close", "(MACD(12, 26) - its EMA(9)) / close", "TA-Lib MACD"),
    Function("adx", lambda w: talib("ADX", HIGH, LOW, CLOSE, w=w), (7, 14, 28, 60), "0 to 100",
             "average directional index, Wilder smoothing over {w} bars", "TA-Lib ADX; Wilder 1978"),
    Function("ema_gap", lambda w: talib("EMA", CLOSE, w=w) / talib("EMA", CLOSE, w=3 * w) - 1.0, (5, 20, 40, 80),
             _FRACTION, "EMA(close, {w}) / EMA(close, 3 x {w}) - 1", "TA-Lib EMA"),
    Function("line_t", lambda w: _line_t(LOG_CLOSE, w), (10, 20, 60, 120, 250), "t-value",
             "slope of log close on time over {w} bars / its standard error, 0 where the line is exact",
             "least squares"),
    Function("line_slope", lambda w: slope(LOG_CLOSE, w), (5, 10, 20, 60, 120), "log, per bar",
             "slope of log close on time over {w} bars", "least squares"),
    Function("line_fit", lambda w: fit(LOG_CLOSE, w), (10, 20, 60, 120, 250), "0 to 1",
             "R squared of log close on time over {w} bars, 0 where flat", "least squares"),
    Function("line_end", lambda w: ratio(residual(LOG_CLOSE, w), sqrt(squares(LOG_CLOSE, w) / w), 0.0),
             (10, 20, 60, 120), "deviations",
             "log close less the end of its straight line over {w} bars / population deviation", "least squares"),
    Function("parabola", _parabola, (10, 20, 60, 120, 250), "-1 to 1",
             "correlation of the residuals of log close from its straight line with a parabola over {w} bars",
             "least squares"),
    Function("bend", _bend, (10, 20, 60, 120), "ratio",
             "slope of close over the last {w} / 2 bars less that of the {w} / 2 before, / mean true range",
             "least squares"),
    Function("hull_ratio", lambda w: CLOSE / _hull(w) - 1.0, (10, 20, 60, 120), _FRACTION,
             "close / Hull average({w}) - 1", "Hull 2005"),
    Function("kama_ratio", lambda w: CLOSE / kama(CLOSE, w) - 1.0, (10, 30, 60), _FRACTION,
             "close / KAMA(close, {w}) - 1", "as TA-Lib KAMA; Kaufman 1995"),
    Function("trix", _trix, (5, 10, 20, 40), "fraction per bar",
             "change over one bar of the EMA of the EMA of the EMA of close, {w} bars each", "Hutson 1983"),
    Function("aroon", lambda w: (since_lowest(LOW, w) - since_highest(HIGH, w)) / (w - 1), (20, 60, 120, 250),
             "-1 to 1", "(bars since the lowest low - bars since the highest high) / ({w} - 1)",
             "Aroon oscillator; Chande 1995"),
    Function("vortex", _vortex, (10, 20, 60, 120), "ratio",
             "(sum |high[t] - low[t-1]| - sum |low[t] - high[t-1]|) / sum of true ranges over {w} bars",
             "Botes and Siepman 2010"),
    Function("directed", _directed, (7, 14, 28, 60), "-1 to 1",
             "Wilder means over {w} bars: (plus - minus directional movement) / true range", "Wilder 1978"),
    Function("mass_index", _mass, (10, 25, 60), "ratio",
             "mean over {w} bars of EMA(high - low, 9) / its EMA(9), 1 where flat", "Dorsey 1992"),
    Function("cross_age", _crossed, (10, 20, 60, 120), "windows",
             "bars since close crossed SMA({w}) / {w}, 5 at the most", "moving average"),
    Function("above_share", _above, (10, 20, 60, 120), "0 to 1", "share of {w} closes at or above their SMA({w})",
             "moving average"),
    Function("channel", _channel, (5, 10, 20, 60), "ratio",
             "(close - mean low) / (mean high - mean low) over {w} bars, 0.5 where flat", "high-low channel"),
    Function("elder_bull", lambda w: _elder(HIGH, w), (10, 30, 60), "true ranges",
             "(high - EMA(close, {w})) / mean true range", "Elder 1993"),
    Function("elder_bear", lambda w: _elder(LOW, w), (10, 30, 60), "true ranges",
             "(low - EMA(close, {w})) / mean true range", "Elder 1993"),
    Function("straightness", _straightness, (5, 10, 20, 60, 120), "0 to 1",
             "|close[t] - close[t-{w}]| / sum of |changes| over {w} bars, 0 where flat",
             "efficiency ratio; Kaufman 1995"),
    Function("choppiness", _choppiness, (5, 10, 20, 60, 120), "ratio",
             "(highest high - lowest low) / sum of true ranges over {w} bars, 1 where flat", "Dreiss 1993, not logged"),
    Function("turn_share", _turns, (10, 20, 60, 120), "0 to 1",
             "share of {w} bars whose close moves another way than the one before", "turning points"),
)  # fmt: skip
