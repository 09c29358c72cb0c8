"""How complex a series is: rescaled range, detrended fluctuation, ordinal patterns, fractal dimension.

Block sizes of the scaling laws double from 8 on; blocks do not overlap and the last one ends at the row. An exponent is
the least-squares slope over the logarithms of the sizes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from operator import add

from karat.features._expressions import (
    absolute,
    diff,
    equal_to,
    fluctuation,
    highest,
    lagged_pair,
    log,
    lowest,
    mean,
    ordinal,
    ratio,
    rescaled_range,
    std,
    total,
    xlogx,
)
from karat.features._graph import Node, lagged
from karat.features._returns import LOG_CLOSE, LOG_RANGE, LOG_RETURN, LOG_VOLUME, SIZE
from karat.features._spec import FLAT_RULE, Function, family
from karat.kernels.features import ops


def exponent(logs: Sequence[Node], sizes: Sequence[int]) -> Node:
    """Return the slope of expressions on the logarithms of the sizes."""
    points = [math.log(size) for size in sizes]
    middle = sum(points) / len(points)
    bottom = sum((point - middle) ** 2 for point in points)
    return reduce(add, [((point - middle) / bottom) * each for point, each in zip(points, logs, strict=True)])


def block_mean(x: Node, size: int, count: int) -> Node:
    """Return the mean of x at lags 0, size, ..., (count - 1) size."""
    if count == 1:
        return x
    half = 1 << (count - 1).bit_length() - 1
    return lagged_pair(
        ops.BLEND, block_mean(x, size, half), block_mean(x, size, count - half), half * size, half / count
    )


def sizes_of(w: int) -> list[int]:
    """Return the block sizes of a window: 8, 16, ... as far as two blocks fit."""
    return [size for size in (8, 16, 32, 64, 128, 256, 512) if 2 * size <= w]


def hurst(x: Node, w: int) -> Node:
    """Return the exponent of the mean rescaled range of blocks."""
    sizes = sizes_of(w)
    return exponent([log(block_mean(rescaled_range(x, size), size, w // size)) for size in sizes], sizes)


def dfa(x: Node, w: int) -> Node:
    """Return the exponent of the root mean squared fluctuation of blocks around their straight lines."""
    sizes = sizes_of(w)
    return exponent([log(block_mean(fluctuation(x, size), size, w // size)) * 0.5 for size in sizes], sizes)


def permutation_entropy(x: Node, w: int) -> Node:
    """Return the entropy of the ordinal patterns of three, over its largest value."""
    parts = [xlogx(total(equal_to(ordinal(x), float(k)), w) / w) for k in range(6)]
    return reduce(add, parts) * (-1.0 / math.log(6.0))


def _fractal(x: Node, w: int) -> Node:
    """Return the exponent of the mean size of moves over 1, 2, 4 and 8 bars: 2 less the fractal dimension."""
    lags = (1, 2, 4, 8)
    return exponent([log(mean(absolute(diff(x, k)), w)) for k in lags], lags)


def _irreversibility(w: int) -> Node:
    """Return how much more rise-rise-fall patterns there are than fall-rise-rise ones: time's arrow."""
    cube = LOG_RETURN * LOG_RETURN * lagged(LOG_RETURN, 1) - LOG_RETURN * lagged(LOG_RETURN * LOG_RETURN, 1)
    scale = mean(SIZE * SIZE * SIZE, w)
    return ratio(mean(cube, w), scale, 0.0)


def hjorth(w: int) -> Node:
    """Return Hjorth's complexity of log returns."""
    first, second = diff(LOG_RETURN), diff(diff(LOG_RETURN))
    return ratio(std(second, w) * std(LOG_RETURN, w), std(first, w) * std(first, w), 0.0)


def _roughness(w: int) -> Node:
    """Return the length of the path over its extent, as an exponent."""
    extent = highest(LOG_CLOSE, w) - lowest(LOG_CLOSE, w)
    return log(ratio(total(SIZE, w), extent)) / math.log(w)


COMPLEXITY = family(
    "complexity",
    Function("hurst", lambda w: hurst(LOG_RETURN, w), (64, 128, 256), "exponent",
             "slope of log mean R/S of log returns on log size, blocks of 8 to {w} / 2 in {w} bars; NaN where a "
             "block is flat", "Hurst 1951; Mandelbrot and Wallis 1969", nan_rule=FLAT_RULE),
    Function("dfa", lambda w: dfa(LOG_RETURN, w), (64, 128, 256), "exponent",
             "slope of log fluctuation of summed log returns on log size, blocks of 8 to {w} / 2 in {w} bars",
             "Peng et al. 1994", nan_rule=FLAT_RULE),
    Function("range_dfa", lambda w: dfa(LOG_RANGE, w), (64, 128, 256), "exponent", "as dfa, of ln(high / low)",
             "Peng et al. 1994", nan_rule=FLAT_RULE),
    Function("volume_dfa", lambda w: dfa(LOG_VOLUME, w), (64, 128, 256), "exponent", "as dfa, of log(1 + volume)",
             "Peng et al. 1994", nan_rule=FLAT_RULE),
    Function("permutation_entropy", lambda w: permutation_entropy(LOG_RETURN, w), (30, 60, 120, 250), "0 to 1",
             "entropy of ordinal patterns of three log returns in {w} bars, over log 6; equal values in order of time",
             "Bandt and Pompe 2002"),
    Function("price_entropy", lambda w: permutation_entropy(LOG_CLOSE, w), (30, 60, 120, 250), "0 to 1",
             "as permutation_entropy, of log closes", "Bandt and Pompe 2002"),
    Function("volume_entropy", lambda w: permutation_entropy(LOG_VOLUME, w), (30, 60, 120, 250), "0 to 1",
             "as permutation_entropy, of log(1 + volume)", "Bandt and Pompe 2002"),
    Function("range_entropy", lambda w: permutation_entropy(LOG_RANGE, w), (30, 60, 120, 250), "0 to 1",
             "as permutation_entropy, of ln(high / low)", "Bandt and Pompe 2002"),
    Function("scaling", lambda w: _fractal(LOG_CLOSE, w), (20, 60, 120, 250), "exponent",
             "slope of log mean |move over k bars| on log k, k = 1, 2, 4, 8, in {w} bars",
             "Higuchi 1988", nan_rule=FLAT_RULE),
    Function("volume_scaling", lambda w: _fractal(LOG_VOLUME, w), (20, 60, 120, 250), "exponent",
             "as scaling, of log(1 + volume)", "Higuchi 1988", nan_rule=FLAT_RULE),
    Function("time_arrow", _irreversibility, (20, 60, 120, 250), "ratio",
             "mean of r[t]^2 r[t-1] - r[t] r[t-1]^2 over {w} bars / mean |r|^3", "Ramsey and Rothman 1996"),
    Function("hjorth", hjorth, (20, 60, 120, 250), "ratio",
             "deviation of second differences x that of log returns / variance of first differences over {w} bars",
             "Hjorth 1970"),
    Function("roughness", _roughness, (10, 20, 60, 120, 250), "exponent",
             "log(sum |log return| / (highest - lowest log close)) / log {w}", "Katz 1988", nan_rule=FLAT_RULE),
)  # fmt: skip
