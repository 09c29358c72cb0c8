"""Momentum features: relative strength, oscillators, risk-adjusted returns, acceleration."""

from __future__ import annotations

from karat.features._expressions import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    absolute,
    at_least,
    change,
    constant,
    diff,
    ema,
    highest,
    lagged_pair,
    lowest,
    mean,
    position,
    positive,
    ratio,
    smaller,
    std,
    total,
    weighted,
    where,
)
from karat.features._graph import Node, lagged
from karat.features._returns import LOG_RETURN, PRIOR, TRUE_RANGE
from karat.features._spec import Function, family
from karat.features._talib import talib
from karat.kernels.features import ops

_SHARE = "0 to 1"


def stochastic(w: int) -> Node:
    """Return where the close lies in the range of a window, 0 to 100, 0 where it is flat."""
    return 100.0 * position(CLOSE, LOW, HIGH, w)


def _strength_position(w: int) -> Node:
    """Return where the index lies in its range of a window; a standing price leaves it a range of last digits."""
    strength = talib("RSI", CLOSE, w=14)
    bottom = lowest(strength, w)
    wide = highest(strength, w) - bottom
    return where(at_least(wide, 0.1), (strength - bottom) / wide, constant(wide, 0.5))


def _true_strength(w: int) -> Node:
    fast = max(w // 2, 5)
    return ratio(ema(ema(diff(CLOSE), w), fast), ema(ema(absolute(diff(CLOSE)), w), fast), 0.0)


def _vigor(w: int) -> Node:
    blend = (1 / 6, 2 / 6, 2 / 6, 1 / 6)
    return ratio(mean(weighted(CLOSE - OPEN, blend), w), mean(weighted(HIGH - LOW, blend), w), 0.0)


def ultimate(_: int) -> Node:
    """Return Williams's oscillator over 7, 14 and 28 bars."""
    bought = CLOSE - smaller(LOW, PRIOR)

    def part(w: int) -> Node:
        return ratio(total(bought, w), total(TRUE_RANGE, w), 0.0)

    return (4.0 * part(7) + 2.0 * part(14) + part(28)) * (100.0 / 7.0)


def _skipping(w: int) -> Node:
    return lagged(change(CLOSE, w - 20), 20)


def _demark(w: int) -> Node:
    up, down = positive(diff(HIGH)), positive(-diff(LOW))
    return ratio(total(up, w), total(up, w) + total(down, w), 0.5)


def _balance(w: int) -> Node:
    return ratio(mean(CLOSE - OPEN, w), mean(HIGH - LOW, w), 0.0)


def _squeeze_momentum(w: int) -> Node:
    middle = (highest(HIGH, w) + lowest(LOW, w)) * 0.25 + mean(CLOSE, w) * 0.5
    return ratio(mean(CLOSE - middle, 5), mean(TRUE_RANGE, w), 0.0)


BASIC = family(
    "momentum",
    Function("rsi", lambda w: talib("RSI", CLOSE, w=w), (7, 14, 28, 60), "0 to 100",
             "100 x mean gain / (mean gain + mean loss), Wilder smoothing over {w} bars, 0 before the first move",
             "TA-Lib RSI; Wilder 1978"),
    Function("stoch_d", lambda w: mean(mean(stochastic(w), 3), 3), (14, 28, 60), "0 to 100",
             "SMA3 of SMA3 of 100 (close - lowest low) / (highest high - lowest low) over {w} bars",
             "slow %D, as TA-Lib STOCH; Lane"),
    Function("cci", lambda w: talib("CCI", HIGH, LOW, CLOSE, w=w), (10, 20, 60, 120), "index",
             "(typical price - its SMA{w}) / (0.015 x mean absolute deviation over {w} bars), 0 where flat",
             "TA-Lib CCI; Lambert 1980"),
    Function("rsi_position", _strength_position, (14, 28, 60), _SHARE,
             "(RSI14 - its lowest) / (highest - lowest) over {w} bars, 0.5 where that is below 0.1",
             "stochastic RSI; Chande and Kroll 1994"),
    Function("true_strength", _true_strength, (10, 25, 60), "-1 to 1",
             "twice smoothed change of close / twice smoothed |change|: EMA {w}, then EMA {w} / 2", "Blau 1991"),
    Function("vigor", _vigor, (10, 20, 60), "-1 to 1",
             "mean over {w} bars of close - open / that of high - low, each weighted 1 2 2 1 first", "Ehlers 2002"),
    Function("ultimate", ultimate, (0,), "0 to 100",
             "100 (4 b7 + 2 b14 + b28) / 7, b: sum of close - true low / sum of true ranges",
             "as TA-Lib ULTOSC; Williams 1976"),
    Function("up_share", lambda w: total(at_least(LOG_RETURN, 1e-12), w) / w, (5, 10, 20, 60, 120), _SHARE,
             "share of rising closes of {w} bars", "psychological line"),
    Function("acceleration", lambda w: lagged_pair(ops.SUB, change(CLOSE, w), change(CLOSE, w), w),
             (5, 10, 20, 60, 120), "fraction", "return over {w} bars less that over the {w} before",
             "second difference"),
    Function("ret_skip", _skipping, (60, 120, 250), "fraction", "close[t-20] / close[t-{w}] - 1",
             "momentum without the last month; Jegadeesh and Titman 1993"),
    Function("sharpe", lambda w: ratio(mean(LOG_RETURN, w), std(LOG_RETURN, w), 0.0), (5, 10, 20, 60, 250), "per bar",
             "mean / deviation of log returns over {w} bars, 0 where flat", "Sharpe 1966"),
    Function("demark", _demark, (5, 14, 30, 60), _SHARE,
             "sum of rises of the high / sum of rises of the high and falls of the low over {w} bars, 0.5 where flat",
             "DeMark 1994"),
    Function("qstick", _balance, (5, 10, 20, 60), "-1 to 1", "mean of close - open / mean of high - low over {w} bars",
             "balance of power; Livshin 2001"),
    Function("squeeze_momentum", _squeeze_momentum, (10, 20, 60, 120), "true ranges",
             "mean over 5 bars of close - the mean of mid-range and SMA over {w} bars / mean true range",
             "Carter 2005"),
    Function("smoothed_gap", lambda w: ratio(ema(CLOSE - lagged(CLOSE, w), w), mean(TRUE_RANGE, w), 0.0),
             (5, 10, 20, 40), "true ranges", "EMA({w}) of close[t] - close[t-{w}] / mean true range over {w} bars",
             "smoothed momentum"),
)  # fmt: skip
