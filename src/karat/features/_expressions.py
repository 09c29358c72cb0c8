"""The vocabulary of features: lags, windows, moments, extremes, ranks and recursions, as expressions.

| symbol | meaning |
|---|---|
| x, y | expressions |
| w | window: the row and the w - 1 before it |
| k | lag, rows |

Sums, means, moments and extremes of a window are joined from blocks whose sizes are powers of two: the block of 2m rows
is that of m rows and the same one m rows earlier. A window costs the logarithm of its length, several windows share
their blocks, and since every row adds in the same order a value owes nothing to the rows before its window.
Moments are joined by the formulas of Chan, Golub and LeVeque (1979) and Pebay (2008), which do not cancel; in a flat
window they are exactly zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

from karat.features._graph import Node, affine, column, lagged, node
from karat.kernels.features import ops

OPEN, HIGH, LOW, CLOSE, VOLUME = (column(name) for name in ("open", "high", "low", "close", "volume"))


def lagged_pair(op: int, x: Node, y: Node, k: int, *constants: float) -> Node:
    """Return an operation of x and of y k rows ago."""
    return node(op, (x, y), lag=k, constants=constants)


def change(x: Node, k: int) -> Node:
    """Return x / (x of k rows ago) - 1."""
    return lagged_pair(ops.DIV, x, x, k) - 1.0


def diff(x: Node, k: int = 1) -> Node:
    """Return x less that of k rows ago."""
    return lagged_pair(ops.SUB, x, x, k)


def ratio(x: Node, y: Node, neutral: float = math.nan) -> Node:
    """Return x / y, and `neutral` where y is zero."""
    return node(ops.RATIO, (x, y), constants=(neutral,))


def log(x: Node) -> Node:
    """Return the natural logarithm, NaN where x is not positive."""
    return node(ops.LOG, (x,))


def exp(x: Node) -> Node:
    """Return e to the x."""
    return node(ops.EXP, (x,))


def sqrt(x: Node) -> Node:
    """Return the square root, NaN where x is negative."""
    return node(ops.SQRT, (x,))


def absolute(x: Node) -> Node:
    """Return |x|."""
    return node(ops.ABS, (x,))


def sign(x: Node) -> Node:
    """Return 1, 0 or -1."""
    return node(ops.SIGN, (x,))


def positive(x: Node) -> Node:
    """Return x where it is positive, else 0."""
    return node(ops.POSITIVE, (x,))


def nearest_whole(x: Node) -> Node:
    """Return x rounded to a whole number, halves to even."""
    return node(ops.ROUND, (x,))


def at_least(x: Node, level: float) -> Node:
    """Return 1 where x reaches the level, else 0."""
    return node(ops.AT_LEAST, (x,), constants=(level,))


def less(x: Node, y: Node) -> Node:
    """Return 1 where x < y, else 0."""
    return node(ops.LESS, (x, y))


def less_equal(x: Node, y: Node) -> Node:
    """Return 1 where x <= y, else 0."""
    return node(ops.LESS_EQUAL, (x, y))


def larger(x: Node, y: Node) -> Node:
    """Return the larger of two."""
    return node(ops.MAX, (x, y))


def smaller(x: Node, y: Node) -> Node:
    """Return the smaller of two."""
    return node(ops.MIN, (x, y))


def where(condition: Node, x: Node, y: Node) -> Node:
    """Return x where the condition is not zero, else y."""
    return node(ops.WHERE, (condition, x, y))


def constant(x: Node, value: float) -> Node:
    """Return the value wherever x has one."""
    return affine(x, 0.0, value)


def _split(n: int) -> tuple[int, int]:
    """Return the sizes of the recent and the older block that make one of n rows."""
    low = n & -n
    return (n // 2, n // 2) if low == n else (n - low, low)


@cache
def total(x: Node, w: int) -> Node:
    """Return the sum over a window."""
    if w == 1:
        return x
    a, b = _split(w)
    return lagged_pair(ops.ADD, total(x, a), total(x, b), a)


@cache
def highest(x: Node, w: int) -> Node:
    """Return the largest value of a window."""
    return _extreme(ops.MAX, x, w)


@cache
def lowest(x: Node, w: int) -> Node:
    """Return the smallest value of a window."""
    return _extreme(ops.MIN, x, w)


@cache
def _extreme(op: int, x: Node, w: int) -> Node:
    if w == 1:
        return x
    half = 1 << (w - 1).bit_length() - 1  # the largest power of two below w; the two blocks may overlap
    return lagged_pair(op, _extreme(op, x, half), _extreme(op, x, half), w - half)


def position(x: Node, low: Node, high: Node, w: int, neutral: float = 0.0) -> Node:
    """Return where x lies between the lowest `low`, 0, and the highest `high`, 1, of a window, `neutral` if flat."""
    bottom = lowest(low, w)
    return ratio(x - bottom, highest(high, w) - bottom, neutral)


@cache
def mean(x: Node, w: int) -> Node:
    """Return the mean of a window; exactly x where it is flat."""
    if w == 1:
        return x
    a, b = _split(w)
    return lagged_pair(ops.BLEND, mean(x, a), mean(x, b), a, a / w)


@cache
def squares(x: Node, w: int) -> Node:
    """Return the summed squared deviations of a window from its mean."""
    if w == 1:
        return constant(x, 0.0)
    a, b = _split(w)
    parts = (squares(x, a), squares(x, b), mean(x, a), mean(x, b))
    return node(ops.MERGE_M2, parts, lag=a, constants=(a * b / w,))


@cache
def products(x: Node, y: Node, w: int) -> Node:
    """Return the summed products of the deviations of x and y in a window."""
    if w == 1:
        return constant(x, 0.0) * y
    a, b = _split(w)
    parts = (products(x, y, a), products(x, y, b), mean(x, a), mean(x, b), mean(y, a), mean(y, b))
    return node(ops.MERGE_COV, parts, lag=a, constants=(a * b / w,))


@cache
def trend(x: Node, w: int) -> Node:
    """Return the summed products of the deviations of x and of time, in rows, in a window."""
    if w == 1:
        return constant(x, 0.0)
    a, b = _split(w)
    parts = (trend(x, a), trend(x, b), mean(x, a), mean(x, b))
    return node(ops.MERGE_TIME, parts, lag=a, constants=(a * b / w * (a + b) / 2.0,))


@cache
def cubes(x: Node, w: int) -> Node:
    """Return the summed cubed deviations of a window."""
    if w == 1:
        return constant(x, 0.0)
    a, b = _split(w)
    parts = (cubes(x, a), cubes(x, b), squares(x, a), squares(x, b), mean(x, a), mean(x, b))
    return node(ops.MERGE_M3, parts, lag=a, constants=(a * b * (b - a) / w**2, b / w, a / w))


@cache
def fourths(x: Node, w: int) -> Node:
    """Return the summed fourth powers of the deviations of a window."""
    if w == 1:
        return constant(x, 0.0)
    a, b = _split(w)
    parts = (
        fourths(x, a),
        fourths(x, b),
        cubes(x, a),
        cubes(x, b),
        squares(x, a),
        squares(x, b),
        mean(x, a),
        mean(x, b),
    )
    return node(ops.MERGE_M4, parts, lag=a, constants=(a * b * (a * a - a * b + b * b) / w**3, b / w, a / w))


def variance(x: Node, w: int, *, ddof: int = 1) -> Node:
    """Return the variance of a window."""
    return squares(x, w) / (w - ddof)


def std(x: Node, w: int, *, ddof: int = 1) -> Node:
    """Return the standard deviation of a window."""
    return sqrt(variance(x, w, ddof=ddof))


def covariance(x: Node, y: Node, w: int) -> Node:
    """Return the sample covariance of a window."""
    return products(x, y, w) / (w - 1)


def correlation(x: Node, y: Node, w: int) -> Node:
    """Return Pearson's correlation in a window, 0 where one of the two is flat."""
    return ratio(products(x, y, w), sqrt(squares(x, w) * squares(y, w)), 0.0)


def beta(y: Node, x: Node, w: int) -> Node:
    """Return the slope of y on x in a window, 0 where x is flat."""
    return ratio(products(x, y, w), squares(x, w), 0.0)


def lever(w: int) -> float:
    """Return the summed squared deviations of 1, ..., w."""
    return w * (w * w - 1.0) / 12.0


def slope(x: Node, w: int) -> Node:
    """Return the slope of x on time in a window, per row."""
    return trend(x, w) / lever(w)


def fit(x: Node, w: int, neutral: float = 0.0) -> Node:
    """Return the R squared of x on time in a window, `neutral` where x is flat."""
    return ratio(trend(x, w) * trend(x, w) * (1.0 / lever(w)), squares(x, w), neutral)


def residual(x: Node, w: int) -> Node:
    """Return x less the end of its straight line in a window."""
    return x - mean(x, w) - slope(x, w) * ((w - 1) / 2.0)


def third_moment(x: Node, w: int) -> Node:
    """Return the skewness of a window (population), 0 where it is flat."""
    m2 = squares(x, w) / w
    return ratio(cubes(x, w) / w, m2 * sqrt(m2), 0.0)


def fourth_moment(x: Node, w: int) -> Node:
    """Return the excess kurtosis of a window (population), -3 where it is flat."""
    m2 = squares(x, w) / w
    return ratio(fourths(x, w) / w, m2 * m2, 0.0) - 3.0


def zscore(x: Node, w: int) -> Node:
    """Return (x - mean) / sample deviation of a window, 0 where it is flat."""
    return ratio(x - mean(x, w), std(x, w), 0.0)


def rank(x: Node, w: int) -> Node:
    """Return the average rank of x in its window over w, in (0, 1]."""
    return node(ops.RANK, (x,), window=w)


def quantile(x: Node, w: int, level: float) -> Node:
    """Return a quantile of a window, linear between order statistics."""
    return node(ops.QUANTILE, (x,), window=w, constants=(level,))


def spread(x: Node, w: int) -> Node:
    """Return the mean absolute deviation of a window from its mean."""
    return node(ops.SPREAD, (x, mean(x, w)), window=w)


def since_highest(x: Node, w: int) -> Node:
    """Return the rows since the largest value of a window, the latest of equal ones."""
    return node(ops.SINCE, (x, highest(x, w)), window=w)


def since_lowest(x: Node, w: int) -> Node:
    """Return the rows since the smallest value of a window, the latest of equal ones."""
    return node(ops.SINCE, (x, lowest(x, w)), window=w)


def since_first_highest(x: Node, w: int) -> Node:
    """Return the rows since the largest value of a window, the first of equal ones."""
    return node(ops.SINCE_FIRST, (x, highest(x, w)), window=w)


def since_first_lowest(x: Node, w: int) -> Node:
    """Return the rows since the smallest value of a window, the first of equal ones."""
    return node(ops.SINCE_FIRST, (x, lowest(x, w)), window=w)


def weighted(x: Node, weights: Sequence[float]) -> Node:
    """Return the sum of weights[j] x[t - j]."""
    return node(ops.DOT, (x,), window=len(weights), weights=tuple(float(each) for each in weights))


def rescaled_range(x: Node, w: int) -> Node:
    """Return the range of the summed deviations of a window over its deviation, NaN where it is flat."""
    return node(ops.RESCALED, (x,), window=w)


def fluctuation(x: Node, w: int) -> Node:
    """Return the mean squared residual of the running sum of a window around its straight line."""
    return node(ops.DETREND, (x,), window=w)


def sine(x: Node, rate: float, shift: float = 0.0) -> Node:
    """Return sin(rate x + shift)."""
    return node(ops.SINE, (x,), constants=(rate, shift))


def calendar(day: Node, what: str) -> Node:
    """Return a fact of a date: "weekday" (Monday 0), "day of year", "month" or "day of month", all from 0."""
    return node(ops.CALENDAR, (day,), window=("weekday", "day of year", "month", "day of month").index(what))


def xlogx(x: Node) -> Node:
    """Return x log x, 0 at 0."""
    return node(ops.XLOGX, (x,))


def ordinal(x: Node, k: int = 1) -> Node:
    """Return the ordinal pattern, 0 to 5, of x at lags 2k, k and 0."""
    return node(ops.PATTERN, (lagged(x, 2 * k), lagged(x, k), x))


def equal_to(x: Node, value: float) -> Node:
    """Return 1 where x has the value, else 0."""
    return node(ops.EQUAL, (x, constant(x, value)))


def ema(x: Node, w: int) -> Node:
    """Return the exponential mean, weight 2 / (w + 1), seeded with the mean of its first w values."""
    return node(ops.EMA, (x,), window=w)


def wilder(x: Node, w: int) -> Node:
    """Return Wilder's mean, weight 1 / w, seeded with the mean of its first w values."""
    return node(ops.WILDER, (x,), window=w)


def age(x: Node, most: int) -> Node:
    """Return the rows since x was last not zero, `most` at the most."""
    return node(ops.AGE, (x,), constants=(float(most),))


def kama(x: Node, w: int) -> Node:
    """Return Kaufman's adaptive mean of an efficiency over w bars."""
    return node(ops.KAMA, (x,), window=w)
