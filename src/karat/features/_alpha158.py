"""The 158 features of qlib's `Alpha158`, by its names in lower case, over full windows only.

The columns are qlib's, compared with qlib itself (`tests/golden/features`), but for these rules:

1. qlib answers with whatever part of a window there is; here a value appears once the window is full, and a row with a
   missing input is passed over, where qlib counts it as a day of the window.
2. qlib reads a column `vwap`; daily bars have none, so that the typical price (high + low + close) / 3 stands for it.
3. Where a window is flat, `rsqr` and `corr` have no value; qlib leaves them out wherever the deviation is below 2e-5,
   in units of the price. For `cord`, whose series have no unit, the level of 2e-5 holds here too.
4. qlib computes in single precision: prices that differ by less than that are ties there.

`imax` and `imin` name the first of equal extremes; `cord` leaves out changes from a bar without volume.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from karat.features._expressions import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    VOLUME,
    absolute,
    constant,
    diff,
    fit,
    highest,
    lagged_pair,
    larger,
    less,
    log,
    lowest,
    mean,
    positive,
    products,
    quantile,
    rank,
    ratio,
    residual,
    since_first_highest,
    since_first_lowest,
    slope,
    smaller,
    sqrt,
    squares,
    std,
    total,
)
from karat.features._graph import Node, lagged
from karat.features._returns import LOG_VOLUME, TYPICAL
from karat.features._spec import FLAT_RULE, NAN_RULE, Function, family
from karat.kernels.features import ops

WINDOWS: Final = (5, 10, 20, 30, 60)
_TINY: Final = 1e-12
_SOURCE: Final = "qlib Alpha158"
_CHANGE: Final = lagged_pair(ops.DIV, CLOSE, CLOSE, 1)
_FLAT: Final = 2e-5  # the deviation below which qlib gives no correlation
_TRADED: Final = lagged_pair(ops.LESS, constant(VOLUME, 0.0), VOLUME, 1)
# both are 0 after a bar without volume; less the logarithm of 2 the second is 0 too where volume did not change
_TRADED_MOVE: Final = (_CHANGE - 1.0) * _TRADED
_VOLUME_MOVE: Final = log(lagged_pair(ops.RATIO, VOLUME, VOLUME, 1, 1.0) + 1.0) - math.log(2.0)
_CORD_RULE: Final = (
    "rows where an input is NaN are skipped and get NaN; changes from a bar without volume are left out; "
    "NaN where a deviation is below 2e-5"
)
_WEIGHT: Final = absolute(_CHANGE - 1.0) * VOLUME


def _bar(name: str, made: Node, formula: str) -> Function:
    return Function(name, lambda _: made, (0,), "ratio", formula, _SOURCE)


def _window(name: str, make: Callable[[int], Node], unit: str, formula: str, nan_rule: str = NAN_RULE) -> Function:
    return Function(name, make, WINDOWS, unit, formula, _SOURCE, nan_rule, label=name + "{w}")


def _pearson(x: Node, y: Node, w: int) -> Node:
    """Return the correlation, NaN where one of the two is flat."""
    return ratio(products(x, y, w), sqrt(squares(x, w) * squares(y, w)), math.nan)


def _cord(w: int) -> Node:
    """Return the correlation of moves of close and of volume, of the rows after a bar with volume."""
    x, y, n = _TRADED_MOVE, _VOLUME_MOVE, total(_TRADED, w)

    def moment(a: Node, b: Node) -> Node:
        return total(a * b, w) - total(a, w) * total(b, w) / n

    spread_x, spread_y, least = moment(x, x), moment(y, y), (n - 1.0) * _FLAT**2
    varied = less(least, spread_x) * less(least, spread_y)
    return ratio(moment(x, y), sqrt(spread_x * spread_y) * varied, math.nan)


def _up(x: Node, w: int) -> Node:
    return total(positive(diff(x)), w) / (total(absolute(diff(x)), w) + _TINY)


def _down(x: Node, w: int) -> Node:
    return total(positive(-diff(x)), w) / (total(absolute(diff(x)), w) + _TINY)


def _net(x: Node, w: int) -> Node:
    return diff(x, w) / (total(absolute(diff(x)), w) + _TINY)


def _rising(w: int) -> Node:
    return total(lagged_pair(ops.LESS, -CLOSE, -CLOSE, 1), w) / w


def _falling(w: int) -> Node:
    return total(lagged_pair(ops.LESS, CLOSE, CLOSE, 1), w) / w


def _position(w: int) -> Node:
    bottom = lowest(LOW, w)
    return (CLOSE - bottom) / (highest(HIGH, w) - bottom + _TINY)


def _at(since: Node, w: int) -> Node:
    """Return the place of an extreme, 1 for the oldest row and w for the newest, over w."""
    return (w - since) / w


_RANGE: Final = HIGH - LOW + _TINY
_TOP: Final = HIGH - larger(OPEN, CLOSE)
_BOTTOM: Final = smaller(OPEN, CLOSE) - LOW
_SHIFT: Final = 2.0 * CLOSE - HIGH - LOW

ALPHA158 = family(
    "alpha158",
    _bar("kmid", (CLOSE - OPEN) / OPEN, "(close - open) / open"),
    _bar("klen", (HIGH - LOW) / OPEN, "(high - low) / open"),
    _bar("kmid2", (CLOSE - OPEN) / _RANGE, "(close - open) / (high - low + 1e-12)"),
    _bar("kup", _TOP / OPEN, "(high - max(open, close)) / open"),
    _bar("kup2", _TOP / _RANGE, "(high - max(open, close)) / (high - low + 1e-12)"),
    _bar("klow", _BOTTOM / OPEN, "(min(open, close) - low) / open"),
    _bar("klow2", _BOTTOM / _RANGE, "(min(open, close) - low) / (high - low + 1e-12)"),
    _bar("ksft", _SHIFT / OPEN, "(2 close - high - low) / open"),
    _bar("ksft2", _SHIFT / _RANGE, "(2 close - high - low) / (high - low + 1e-12)"),
    _bar("open0", OPEN / CLOSE, "open / close"),
    _bar("high0", HIGH / CLOSE, "high / close"),
    _bar("low0", LOW / CLOSE, "low / close"),
    _bar("vwap0", TYPICAL / CLOSE, "typical price / close"),
    _window("roc", lambda w: lagged(CLOSE, w) / CLOSE, "ratio", "close[t-{w}] / close"),
    _window("ma", lambda w: mean(CLOSE, w) / CLOSE, "ratio", "mean of close over {w} bars / close"),
    _window("std", lambda w: std(CLOSE, w) / CLOSE, "ratio", "deviation of close over {w} bars / close"),
    _window("beta", lambda w: slope(CLOSE, w) / CLOSE, "ratio", "slope of close on time over {w} bars / close"),
    _window("rsqr", lambda w: fit(CLOSE, w, math.nan), "0 to 1",
            "R squared of close on time over {w} bars", FLAT_RULE),
    _window("resi", lambda w: residual(CLOSE, w) / CLOSE, "ratio", "close less its line over {w} bars / close"),
    _window("max", lambda w: highest(HIGH, w) / CLOSE, "ratio", "highest high of {w} bars / close"),
    _window("min", lambda w: lowest(LOW, w) / CLOSE, "ratio", "lowest low of {w} bars / close"),
    _window("qtlu", lambda w: quantile(CLOSE, w, 0.8) / CLOSE, "ratio", "80 % quantile of close over {w} bars / close"),
    _window("qtld", lambda w: quantile(CLOSE, w, 0.2) / CLOSE, "ratio", "20 % quantile of close over {w} bars / close"),
    _window("rank", lambda w: rank(CLOSE, w), "0 to 1", "average rank of close in {w} bars, / {w}"),
    _window("rsv", _position, "0 to 1", "(close - lowest low) / (highest high - lowest low + 1e-12) over {w} bars"),
    _window("imax", lambda w: _at(since_first_highest(HIGH, w), w), "0 to 1",
            "place of the highest high in {w} bars, the first of equal ones, / {w}"),
    _window("imin", lambda w: _at(since_first_lowest(LOW, w), w), "0 to 1",
            "place of the lowest low in {w} bars, the first of equal ones, / {w}"),
    _window("imxd", lambda w: (since_first_lowest(LOW, w) - since_first_highest(HIGH, w)) / w, "-1 to 1",
            "imax{w} - imin{w}"),
    _window("corr", lambda w: _pearson(CLOSE, LOG_VOLUME, w), "-1 to 1",
            "correlation of close with log(volume + 1) over {w} bars", FLAT_RULE),
    _window("cord", _cord, "-1 to 1",
            "correlation of close / close[t-1] with log(volume / volume[t-1] + 1) over {w} bars", _CORD_RULE),
    _window("cntp", _rising, "0 to 1", "share of rising closes of {w} bars"),
    _window("cntn", _falling, "0 to 1", "share of falling closes of {w} bars"),
    _window("cntd", lambda w: _rising(w) - _falling(w), "-1 to 1", "cntp{w} - cntn{w}"),
    _window("sump", lambda w: _up(CLOSE, w), "0 to 1", "rises / moves of close over {w} bars"),
    _window("sumn", lambda w: _down(CLOSE, w), "0 to 1", "falls / moves of close over {w} bars"),
    _window("sumd", lambda w: _net(CLOSE, w), "-1 to 1", "sump{w} - sumn{w}"),
    _window("vma", lambda w: mean(VOLUME, w) / (VOLUME + _TINY), "ratio", "mean volume of {w} bars / (volume + 1e-12)"),
    _window("vstd", lambda w: std(VOLUME, w) / (VOLUME + _TINY), "ratio",
            "deviation of volume over {w} bars / (volume + 1e-12)"),
    _window("wvma", lambda w: std(_WEIGHT, w) / (mean(_WEIGHT, w) + _TINY), "ratio",
            "deviation / mean of |close / close[t-1] - 1| x volume over {w} bars"),
    _window("vsump", lambda w: _up(VOLUME, w), "0 to 1", "rises / moves of volume over {w} bars"),
    _window("vsumn", lambda w: _down(VOLUME, w), "0 to 1", "falls / moves of volume over {w} bars"),
    _window("vsumd", lambda w: _net(VOLUME, w), "-1 to 1", "vsump{w} - vsumn{w}"),
)  # fmt: skip
