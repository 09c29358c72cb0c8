"""Price features: returns, gaps, where bars open and close, ranges of closes; and the raw bar of `base25`."""

from __future__ import annotations

from karat.features._expressions import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    absolute,
    age,
    change,
    diff,
    highest,
    lagged_pair,
    larger,
    less,
    less_equal,
    lowest,
    mean,
    position,
    quantile,
    ratio,
    sign,
    since_highest,
    since_lowest,
    smaller,
    std,
    total,
)
from karat.features._graph import Node, column, lagged
from karat.features._returns import CLOSE_LOCATION, INTRADAY, LOG_RETURN, OVERNIGHT, PRIOR
from karat.features._spec import Function, family
from karat.kernels.features import ops

_FRACTION = "fraction"
_SHARE = "0 to 1"
_BAR = "candlestick parts"


def _raw(name: str, unit: str) -> Function:
    return Function(name, lambda _: column(name), (0,), unit, f"{name}[t]", "the panel's column, unchanged")


def _part(x: Node) -> Node:
    """Return a part of the bar as a share of its range, 0 where high = low."""
    return ratio(x, HIGH - LOW, 0.0)


def _streak(_: int) -> Node:
    """Return the closes in a row that went the way of the last move, with its sign."""
    way = sign(diff(CLOSE))
    turned = 1.0 - lagged_pair(ops.EQUAL, way, way, 1)
    return way * (1.0 + age(turned, 250))


def _inside(w: int) -> Node:
    held = lagged_pair(ops.LESS_EQUAL, HIGH, HIGH, 1) * lagged_pair(ops.LESS_EQUAL, -LOW, -LOW, 1)
    return total(held, w) / w


def _filled(w: int) -> Node:
    """Return the share of bars that traded through the close before."""
    return total(less_equal(LOW, PRIOR) * less_equal(PRIOR, HIGH), w) / w


def _breakouts(w: int) -> Node:
    above = less(lagged(highest(HIGH, 10), 1), CLOSE)
    below = less(CLOSE, lagged(lowest(LOW, 10), 1))
    return (total(above, w) - total(below, w)) / w


BASIC = family(
    "price",
    Function("bar_return", lambda _: change(CLOSE, 1), (0,), _FRACTION, "close[t] / close[t-1] - 1", "simple return",
             label="ret_1"),
    Function("ret", lambda w: change(CLOSE, w), (5, 10, 20, 60, 250), _FRACTION, "close[t] / close[t-{w}] - 1",
             "simple return"),
    Function("gap", lambda _: lagged_pair(ops.DIV, OPEN, CLOSE, 1) - 1.0, (0,), _FRACTION, "open[t] / close[t-1] - 1",
             "overnight return"),
    Function("close_location", lambda _: CLOSE_LOCATION, (0,), "-1 to 1",
             "(2 close - high - low) / (high - low), 0 where high = low", "Chaikin's close location value"),
    Function("gap_mean", lambda w: mean(OVERNIGHT, w), (5, 20, 60, 120), "log, per bar",
             "mean of log(open[t] / close[t-1]) over {w} bars", "overnight return"),
    Function("intraday_mean", lambda w: mean(INTRADAY, w), (5, 20, 60, 120), "log, per bar",
             "mean of log(close / open) over {w} bars", "intraday return"),
    Function("overnight_share", lambda w: ratio(std(OVERNIGHT, w), std(LOG_RETURN, w), 0.0), (20, 60, 120), "ratio",
             "deviation of overnight returns / that of log returns over {w} bars, 0 where flat", "overnight return"),
    Function("location_mean", lambda w: mean(CLOSE_LOCATION, w), (5, 10, 20, 60, 120), "-1 to 1",
             "mean close location value over {w} bars", "Chaikin's close location value"),
    Function("body_share", lambda w: mean(_part(absolute(CLOSE - OPEN)), w), (5, 20, 60, 120), _SHARE,
             "mean of |close - open| / (high - low) over {w} bars", _BAR),
    Function("upper_shadow", lambda w: mean(_part(HIGH - larger(OPEN, CLOSE)), w), (5, 20, 60, 120), _SHARE,
             "mean of (high - max(open, close)) / (high - low) over {w} bars", _BAR),
    Function("lower_shadow", lambda w: mean(_part(smaller(OPEN, CLOSE) - LOW), w), (5, 20, 60, 120), _SHARE,
             "mean of (min(open, close) - low) / (high - low) over {w} bars", _BAR),
    Function("open_location", lambda w: mean(_part(2.0 * OPEN - HIGH - LOW), w), (5, 20, 60, 120), "-1 to 1",
             "mean of (2 open - high - low) / (high - low) over {w} bars", _BAR),
    Function("range_position", lambda w: position(CLOSE, LOW, HIGH, w, 0.5), (5, 20, 60, 120, 250), _SHARE,
             "(close - lowest low) / (highest high - lowest low) over {w} bars, 0.5 where flat",
             "Williams %R, shifted; Williams 1979"),
    Function("drawdown", lambda w: CLOSE / highest(CLOSE, w) - 1.0, (10, 20, 60, 120, 250), _FRACTION,
             "close / highest close of {w} bars - 1", "distance from the high"),
    Function("runup", lambda w: CLOSE / lowest(CLOSE, w) - 1.0, (10, 20, 60, 120, 250), _FRACTION,
             "close / lowest close of {w} bars - 1", "distance from the low"),
    Function("since_high", lambda w: since_highest(HIGH, w) / (w - 1), (10, 20, 60, 120, 250), _SHARE,
             "bars since the highest high of {w} bars / ({w} - 1)", "Aroon up, reversed; Chande 1995"),
    Function("since_low", lambda w: since_lowest(LOW, w) / (w - 1), (10, 20, 60, 120, 250), _SHARE,
             "bars since the lowest low of {w} bars / ({w} - 1)", "Aroon down, reversed; Chande 1995"),
    Function("max_return", lambda w: highest(LOG_RETURN, w), (5, 20, 60, 120, 250), "log",
             "largest log return of {w} bars", "MAX; Bali, Cakici and Whitelaw 2011"),
    Function("min_return", lambda w: lowest(LOG_RETURN, w), (5, 20, 60, 120, 250), "log",
             "smallest log return of {w} bars", "as MAX"),
    Function("median_return", lambda w: quantile(LOG_RETURN, w, 0.5), (10, 20, 60, 120, 250), "log, per bar",
             "median log return of {w} bars", "median"),
    Function("streak", _streak, (0,), "bars",
             "closes in a row in the direction of the last one, signed, 251 at the most", "run length"),
    Function("inside_share", _inside, (20, 60, 120), _SHARE, "share of {w} bars within the bar before", "inside bars"),
    Function("filled_share", _filled, (20, 60, 120), _SHARE, "share of {w} bars that trade through the close before",
             "gap filling"),
    Function("breakouts", _breakouts, (20, 60, 120, 250), "-1 to 1",
             "closes above the high of the 10 bars before less closes below their low, share of {w} bars",
             "Donchian channel"),
)  # fmt: skip

RAW = family(
    "raw",
    _raw("open", "price"),
    _raw("high", "price"),
    _raw("low", "price"),
    _raw("close", "price"),
    _raw("volume", "units traded"),
)
