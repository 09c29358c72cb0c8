"""Volatility features: estimators from closes and from bars, their dynamics, tails, drawdowns."""

from __future__ import annotations

import math

from karat.features._expressions import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    age,
    at_least,
    correlation,
    ema,
    highest,
    lagged_pair,
    log,
    lowest,
    mean,
    positive,
    quantile,
    rank,
    ratio,
    slope,
    sqrt,
    std,
    total,
    variance,
    zscore,
)
from karat.features._graph import Node, lagged
from karat.features._returns import INTRADAY, LOG_RANGE, LOG_RETURN, OVERNIGHT, SIZE, SQUARE, TRUE_RANGE
from karat.features._spec import FLAT_RULE, Function, family
from karat.features._talib import talib
from karat.kernels.features import ops

_PER_BAR = "fraction per bar"


def _bands(w: int) -> tuple[Node, Node, Node]:
    middle, reach = mean(CLOSE, w), 2.0 * std(CLOSE, w, ddof=0)
    return middle + reach, middle, middle - reach


def _bollinger_b(w: int) -> Node:
    upper, _, lower = _bands(w)
    return ratio(CLOSE - lower, upper - lower, 0.5)


def _bollinger_width(w: int) -> Node:
    upper, middle, lower = _bands(w)
    return (upper - lower) / middle


def parkinson(w: int) -> Node:
    """Return Parkinson's deviation per bar."""
    return sqrt(mean(LOG_RANGE * LOG_RANGE, w) * (1.0 / (4.0 * math.log(2.0))))


def garman_klass(w: int) -> Node:
    """Return Garman and Klass's deviation per bar."""
    each = 0.5 * (LOG_RANGE * LOG_RANGE) - (2.0 * math.log(2.0) - 1.0) * (INTRADAY * INTRADAY)
    return sqrt(mean(each, w))


_ROGERS_SATCHELL = log(HIGH / CLOSE) * log(HIGH / OPEN) + log(LOW / CLOSE) * log(LOW / OPEN)


def rogers_satchell(w: int) -> Node:
    """Return Rogers and Satchell's deviation per bar."""
    return sqrt(positive(mean(_ROGERS_SATCHELL, w)))


def yang_zhang(w: int) -> Node:
    """Return Yang and Zhang's deviation per bar."""
    k = 0.34 / (1.34 + (w + 1) / (w - 1))
    inner = k * variance(INTRADAY, w) + (1.0 - k) * mean(_ROGERS_SATCHELL, w)
    return sqrt(positive(variance(OVERNIGHT, w) + inner))


def jump_share(w: int) -> Node:
    """Return 1 - bipower variation / realised variance."""
    pairs = lagged_pair(ops.MUL, SIZE, SIZE, 1)
    return 1.0 - ratio(total(pairs, w) * (math.pi / 2.0), total(SQUARE, w), 1.0)


def downside_share(w: int) -> Node:
    """Return the share of falls in realised variance, one half where there is none."""
    falls = positive(-LOG_RETURN)
    return ratio(total(falls * falls, w), total(SQUARE, w), 0.5)


def _recent(x: Node, w: int) -> Node:
    """Return the logarithm of a mean over w bars against that over the w before."""
    return log(ratio(mean(x, w), lagged(mean(x, w), w)))


def _fall(w: int) -> Node:
    return CLOSE / highest(CLOSE, w) - 1.0


def _tails(w: int) -> Node:
    """Return how much further the upper tail reaches than the lower one."""
    top, middle, low = (quantile(LOG_RETURN, w, level) for level in (0.95, 0.5, 0.05))
    return ratio(top + low - 2.0 * middle, top - low, 0.0)


def _peak(w: int) -> Node:
    """Return the share of the range from the 5 % to the 95 % quantile that lies between the quartiles."""
    inner = quantile(LOG_RETURN, w, 0.75) - quantile(LOG_RETURN, w, 0.25)
    return ratio(inner, quantile(LOG_RETURN, w, 0.95) - quantile(LOG_RETURN, w, 0.05), 0.0)


def _largest_age(w: int) -> Node:
    big = at_least(SIZE - 2.0 * lagged(std(LOG_RETURN, w), 1), 0.0)
    return age(big, w) / w


BASIC = family(
    "volatility",
    Function("bollinger_b", _bollinger_b, (20,), "0 at the lower band, 1 at the upper",
             "(close - lower) / (upper - lower), bands SMA{w} +- 2 population deviations; 0.5 where flat",
             "as TA-Lib BBANDS; Bollinger", label="bollinger_b"),
    Function("bollinger_width", _bollinger_width, (20,), "fraction", "(upper - lower) / middle of the same bands",
             "as TA-Lib BBANDS; Bollinger", label="bollinger_width"),
    Function("natr", lambda w: talib("ATR", HIGH, LOW, CLOSE, w=w) / CLOSE, (7, 14, 28, 60), "fraction of close",
             "average true range, Wilder smoothing over {w} bars, / close", "TA-Lib ATR; Wilder 1978"),
    Function("realised_vol", lambda w: sqrt(mean(SQUARE, w)), (5, 10, 20, 60, 250), _PER_BAR,
             "square root of the mean squared log return over {w} bars, not de-meaned", "realised volatility"),
    Function("bollinger_b", _bollinger_b, (10, 50, 250), "0 at the lower band, 1 at the upper",
             "as bollinger_b, bands over {w} bars, 0.5 where flat", "Bollinger", label="bollinger_b_{w}"),
    Function("bollinger_width", _bollinger_width, (10, 50, 120, 250), "fraction",
             "as bollinger_width, bands over {w} bars", "Bollinger", label="bollinger_width_{w}"),
    Function("parkinson", parkinson, (5, 10, 20, 60, 120), _PER_BAR,
             "sqrt(mean(ln(high / low)^2) / (4 ln 2)) over {w} bars", "Parkinson 1980"),
    Function("garman_klass", garman_klass, (5, 10, 20), _PER_BAR,
             "sqrt(mean(ln(high / low)^2 / 2 - (2 ln 2 - 1) ln(close / open)^2)) over {w} bars",
             "Garman and Klass 1980"),
    Function("rogers_satchell", rogers_satchell, (5, 10, 20), _PER_BAR,
             "sqrt(mean(ln(h/c) ln(h/o) + ln(l/c) ln(l/o))) over {w} bars", "Rogers and Satchell 1991"),
    Function("yang_zhang", yang_zhang, (5, 10, 20, 60, 120), _PER_BAR,
             "sqrt(var(ln o/c[t-1]) + k var(ln c/o) + (1-k) mean(rs)), k = 0.34 / (1.34 + ({w}+1) / ({w}-1))",
             "Yang and Zhang 2000"),
    Function("ewma_vol", lambda w: sqrt(ema(SQUARE, w)), (10, 33, 120), _PER_BAR,
             "square root of the EMA({w}) of squared log returns", "RiskMetrics"),
    Function("vol_change", lambda w: _recent(SQUARE, w), (10, 20, 60, 120), "log",
             "log of mean squared log return over {w} bars / that over the {w} before",
             "realised volatility", nan_rule=FLAT_RULE),
    Function("range_change", lambda w: _recent(LOG_RANGE, w), (5, 10, 20, 60, 120), "log",
             "log of mean ln(high / low) over {w} bars / that over the {w} before", "range", nan_rule=FLAT_RULE),
    Function("vol_of_vol", lambda w: ratio(std(SIZE, w), mean(SIZE, w), 0.0), (10, 20, 60, 120, 250), "ratio",
             "deviation / mean of |log return| over {w} bars", "coefficient of variation"),
    Function("range_vol", lambda w: ratio(std(LOG_RANGE, w), mean(LOG_RANGE, w), 0.0), (10, 20, 60, 120, 250), "ratio",
             "deviation / mean of ln(high / low) over {w} bars", "coefficient of variation"),
    Function("downside_share", downside_share, (10, 20, 60, 120, 250), "0 to 1",
             "squared falls / squared log returns over {w} bars, 0.5 where flat",
             "realised semivariance; Barndorff-Nielsen 2010"),
    Function("jump_share", jump_share, (10, 20, 60, 120, 250), "fraction",
             "1 - (pi / 2) sum |r[t]| |r[t-1]| / sum r^2 over {w} bars",
             "bipower variation; Barndorff-Nielsen and Shephard 2004"),
    Function("move_to_range", lambda w: ratio(total(SIZE, w), total(LOG_RANGE, w), 0.0), (5, 10, 20, 60, 120), "ratio",
             "sum of |log return| / sum of ln(high / low) over {w} bars", "range"),
    Function("range_z", lambda w: zscore(LOG_RANGE, w), (10, 20, 60, 250), "sample deviations",
             "z-score of ln(high / low) in {w} bars", "standard score"),
    Function("return_z", lambda w: zscore(LOG_RETURN, w), (10, 60), "sample deviations",
             "z-score of the log return in {w} bars", "standard score"),
    Function("largest_range", lambda w: ratio(highest(TRUE_RANGE, w), mean(TRUE_RANGE, w), 1.0), (10, 20, 60, 120, 250),
             "ratio", "largest / mean true range of {w} bars, 1 where flat", "range"),
    Function("tail_skew", _tails, (20, 60, 120, 250), "-1 to 1",
             "(q95 + q5 - 2 median) / (q95 - q5) of log returns over {w} bars", "quantile skewness; Hinkley 1975"),
    Function("tail_peak", _peak, (20, 60, 120, 250), "0 to 1", "(q75 - q25) / (q95 - q5) of log returns over {w} bars",
             "quantile kurtosis"),
    Function("leverage", lambda w: correlation(SIZE, lagged(LOG_RETURN, 1), w), (20, 60, 120, 250), "-1 to 1",
             "correlation of |log return| with the log return before over {w} bars", "leverage effect; Black 1976"),
    Function("clustering", lambda w: correlation(SIZE, lagged(SIZE, 1), w), (20, 60, 120, 250), "-1 to 1",
             "correlation of |log return| with the one before over {w} bars",
             "volatility clustering; Ding, Granger and Engle 1993"),
    Function("vol_trend", lambda w: ratio(slope(SIZE, w), mean(SIZE, w), 0.0), (10, 20, 60, 120), "per bar",
             "slope of |log return| on time / its mean over {w} bars", "least squares"),
    Function("vol_rank", lambda w: rank(std(LOG_RETURN, 10), w), (60, 120, 250), "0 to 1",
             "average rank of the deviation of 10 log returns in {w} bars, / {w}", "percentile"),
    Function("range_rank", lambda w: rank(mean(LOG_RANGE, 5), w), (20, 60, 120, 250), "0 to 1",
             "average rank of the mean ln(high / low) of 5 bars in {w} bars, / {w}", "percentile"),
    Function("ulcer", lambda w: sqrt(mean(_fall(w) * _fall(w), w)), (10, 20, 60, 120), "fraction",
             "root mean square over {w} bars of the distance from the high of {w} bars", "Martin 1987"),
    Function("deepest", lambda w: lowest(_fall(w), w), (10, 20, 60, 120), "fraction",
             "lowest over {w} bars of the distance from the high of {w} bars", "drawdown"),
    Function("shock_age", _largest_age, (20, 60, 120, 250), "0 to 1",
             "bars since |log return| reached twice the deviation of the {w} bars before, / {w}, 1 at the most",
             "event time"),
)  # fmt: skip
