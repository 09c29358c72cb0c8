"""The circular block bootstrap: blocks of one length, for who wants blocks and not geometric ones.

The verdict uses the stationary bootstrap (`bootstrap_interval`); this one is the second opinion. Both should agree: an
answer that hangs on the kind of block is none.

Invariants:
1. Every date is equally likely: blocks wrap around the end (Politis and Romano 1992).
2. Draws depend on (n, block, draws, seed) only.
"""

from __future__ import annotations

import math

import numpy as np

from karat._words import counted
from karat.core import InputError, generator
from karat.evidence._draws import automatic_block
from karat.evidence._intervals import Interval, Statistic
from karat.evidence._shapes import Floats, Ints


def circular_block_length(series: Floats, horizon_bars: int = 1) -> float:
    """Return the block length in bars: the larger of Politis and White's and twice the horizon; see `block_length`.

    Raises:
        InputError: a horizon below one bar.
    """
    return automatic_block(series, horizon_bars, "circular")


def circular_interval(
    series: Floats,
    statistic: Statistic,
    *,
    horizon_bars: int = 1,
    draws: int = 2000,
    level: float = 0.90,
    seed: int,
) -> Interval:
    """Return the percentile interval of `statistic` over resamples of (n,) `series` in blocks of automatic length.

    NaN rows are left out first; bounds are NaN where the statistic is undefined on more than half the resamples.

    Raises:
        InputError: fewer than two values, no draws, or a level outside (0, 1).
    """
    values = series[np.isfinite(series)]
    if len(values) < 2:
        raise InputError("series", counted(len(values), "finite value"), allowed="two or more")
    if not 0 < level < 1:
        raise InputError("level", level, allowed="between 0 and 1")
    if draws < 1:
        raise InputError("draws", draws, allowed="1 or more")
    length = min(max(1, round(circular_block_length(values, horizon_bars))), len(values))
    rows = circular_rows(len(values), length=length, draws=draws, seed=seed)
    found = np.array([float(statistic(values[row])) for row in rows])
    good = found[np.isfinite(found)]
    estimate, undefined = float(statistic(values)), draws - len(good)
    if not math.isfinite(estimate) or len(good) * 2 < draws:
        return Interval(estimate, math.nan, math.nan, level, undefined)
    lower, upper = np.quantile(good, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(lower), float(upper), level, undefined)


def circular_rows(n: int, *, length: int, draws: int, seed: int) -> Ints:
    """Return which rows each draw takes, (draws, n): whole blocks of `length`, the last one cut."""
    blocks = -(-n // length)
    starts = generator(seed, "circular", n, length, draws).integers(0, n, (draws, blocks))
    rows = (starts[:, :, None] + np.arange(length)) % n
    return np.asarray(rows.reshape(draws, -1)[:, :n], dtype=np.int64)
