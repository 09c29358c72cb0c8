"""Cycles and scales: energies of causal wavelets, the share of variance at a period, where a cycle stands.

Wavelets are undecimated and end at the row: no coefficient reads a later bar. Filters of level j are those of level 1,
stretched by 2^(j-1) and convolved with the smoothing filters before; Haar has two taps, Daubechies 4 has eight.
"""

from __future__ import annotations

import math
from functools import cache, partial
from typing import Final

from karat._words import counted
from karat.features._expressions import constant, mean, ratio, smaller, sqrt, squares, weighted
from karat.features._graph import Node
from karat.features._returns import LOG_CLOSE, LOG_RANGE, LOG_RETURN
from karat.features._spec import Function, family

HAAR: Final = (1.0 / math.sqrt(2.0), 1.0 / math.sqrt(2.0))
DAUBECHIES_4: Final = (
    0.23037781330885523,
    0.7148465705525415,
    0.6308807679295904,
    -0.02798376941698385,
    -0.18703481171888114,
    0.030841381835986965,
    0.032883011666982945,
    -0.010597401784997278,
)
"""Scaling filter of four vanishing moments (Daubechies 1992, table 6.1)."""


@cache
def wavelet(scaling: tuple[float, ...], level: int) -> tuple[float, ...]:
    """Return the weights of the detail of a level, newest row first."""
    mirror = tuple((-1.0) ** k * each for k, each in enumerate(reversed(scaling)))
    made: tuple[float, ...] = (1.0,)
    for j in range(1, level + 1):
        step = 2 ** (j - 1)
        made = _convolved(made, _stretched(scaling if j < level else mirror, step))
    return made


def _stretched(taps: tuple[float, ...], step: int) -> tuple[float, ...]:
    made = [0.0] * ((len(taps) - 1) * step + 1)
    for k, each in enumerate(taps):
        made[k * step] = each / math.sqrt(2.0)
    return tuple(made)


def _convolved(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, ...]:
    made = [0.0] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            made[i + j] += x * y
    return tuple(made)


def energy(x: Node, scaling: tuple[float, ...], level: int, w: int) -> Node:
    """Return the mean square of a level's details over a window against the variance there."""
    detail = weighted(x, wavelet(scaling, level))
    return ratio(mean(detail * detail, w), squares(x, w) / w, 0.0)


def power(x: Node, period: float, w: int) -> Node:
    """Return the share of a window's variance in the sine and cosine of a period, at most 1.

    Where the period does not divide the window the two overlap a little, and a pure wave would have more than all.
    """
    cosine = weighted(x, _wave(period, w, 0.0))
    sine = weighted(x, _wave(period, w, math.pi / 2.0))
    share = ratio((cosine * cosine + sine * sine) * (2.0 / w), squares(x, w), 0.0)
    return smaller(share, constant(share, 1.0))


def _wave(period: float, w: int, shift: float) -> tuple[float, ...]:
    """Return a wave of w rows without its mean, so that a level does not show."""
    raw = [math.cos(2.0 * math.pi * j / period - shift) for j in range(w)]
    level = sum(raw) / w
    return tuple(each - level for each in raw)


def _cycle(period: int, w: int) -> Node:
    """Return where log closes stand in a cycle: their correlation with a wave that peaks at the row."""
    wave = _wave(period, w, 0.0)
    size = math.sqrt(sum(each * each for each in wave))
    return ratio(weighted(LOG_CLOSE, [each / size for each in wave]), sqrt(squares(LOG_CLOSE, w)), 0.0)


def _details(name: str, told: str, scaling: tuple[float, ...], source: str, levels: int) -> list[Function]:
    """Return the energies of a wavelet at levels 1, 2, ..."""
    formula = "mean square of the {told} details of level {level} of log returns / population variance over {{w}} bars"
    return [
        Function(
            f"{name}{level}",
            partial(energy, LOG_RETURN, scaling, level),
            (20, 60, 120, 250),
            "ratio",
            formula.format(told=told, level=level),
            source,
        )
        for level in range(1, levels + 1)
    ]


def _fourier(period: int) -> Function:
    return Function(
        f"fourier{period}",
        lambda w: power(LOG_RETURN, period, w),
        (60, 120, 250),
        "0 to 1",
        f"share of the variance of log returns in a wave of {counted(period, 'bar')} over {{w}} bars",
        "discrete Fourier transform",
    )


def _standing(period: int) -> Function:
    return Function(
        f"cycle{period}",
        lambda w: _cycle(period, w),
        (60, 120, 250),
        "-1 to 1",
        f"correlation of log closes with a wave of {counted(period, 'bar')} that peaks now, over {{w}} bars",
        "Fourier",
    )


SPECTRAL = family(
    "spectral",
    *_details("haar", "Haar", HAAR, "Haar 1910; Percival and Walden 2000", 4),
    *_details("daubechies", "Daubechies 4", DAUBECHIES_4, "Daubechies 1992", 3),
    *(_fourier(period) for period in (3, 5, 10, 20)),
    *(_standing(period) for period in (20, 40)),
    Function("range_fourier5", lambda w: power(LOG_RANGE, 5, w), (60, 120, 250), "0 to 1",
             "share of the variance of ln(high / low) in a wave of 5 bars over {w} bars", "discrete Fourier transform"),
)  # fmt: skip
