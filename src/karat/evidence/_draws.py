"""The stationary bootstrap: how long the blocks are, which rows a draw takes, how often it takes each.

| symbol | meaning | shape | unit |
|---|---|---|---|
| n | dates | | |
| b | mean block length, blocks are geometric | | bars |
| B | draws | | |
| C | how often a draw takes each date; rows sum to n | (B, n) | |

Invariants:
1. The draws depend on (n, b, B, seed) only: neither the values nor the number of series can move them.
2. Blocks wrap around the end, so that every date is equally likely (Politis and Romano 1994).
3. `block_length` looks at one series, the one under test, and is never below twice the horizon.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from karat.core import InputError, generator
from karat.evidence._shapes import Floats, Ints
from karat.kernels import block_counts, block_rows

CHUNK: Final = 250
"""Draws made at a time: 250 draws of 2500 dates are 5 MB of counts."""
_MOST: Final = int(np.iinfo(np.uint16).max)  # dates for which the kernel counts
KEPT: Final = 2**25
"""Counts that are kept for a second use: 64 MB, so 10,000 draws of 3,355 dates."""


def block_length(series: Floats, horizon_bars: int = 1) -> float:
    """Return the mean block length in bars: the larger of Politis-White's and twice the horizon.

    `series` (n,) any unit, NaN rows are left out first. Constant and very short series get twice the horizon.
    Source: Politis and White (2004) with the correction of Patton, Politis and White (2009), as in `arch`.

    Raises:
        InputError: a horizon below one bar.

    Example:
        >>> block_length(np.zeros(50), horizon_bars=5)
        10.0
    """
    return automatic_block(series, horizon_bars, "stationary")


def automatic_block(series: Floats, horizon_bars: int, scheme: Literal["stationary", "circular"]) -> float:
    """Return `block_length`'s value for either kind of block bootstrap; circular blocks are the longer ones."""
    if horizon_bars < 1:
        raise InputError("horizon_bars", horizon_bars, allowed="1 or more")
    floor = 2.0 * horizon_bars
    values = series[np.isfinite(series)]
    if len(values) < 10 or np.ptp(values) == 0:
        return floor
    from arch.bootstrap import optimal_block_length  # two seconds to import: only who judges pays

    # A common factor changes no block length, and tiny returns would underflow in arch's fourth powers.
    best = float(optimal_block_length(values / values.std())[scheme].iloc[0])
    return max(floor, best) if np.isfinite(best) else floor


def index_draws(n: int, *, block: float, draws: int, seed: int) -> Iterator[Ints]:
    """Yield the dates each draw takes, as chunks (at most 250, n) of int64 positions.

    Raises:
        InputError: fewer than two dates, a block shorter than one bar, or no draws.
    """
    _require(n, block, draws)
    for rng, many in _streams(n, block, draws, seed):
        yield block_rows(rng.random((many, n)), rng.integers(0, n, (many, n)), 1.0 / block)


def count_draws(n: int, *, block: float, draws: int, seed: int) -> Iterator[Floats]:
    """Yield C in chunks: how often each draw takes each date, (at most 250, n) float64 whole numbers."""
    _require(n, block, draws)
    if n * draws <= KEPT and n <= _MOST:
        yield from (counts.astype(np.float64) for counts in _kept(n, float(block), draws, seed))
    else:
        yield from fresh_counts(n, block=block, draws=draws, seed=seed)


def fresh_counts(n: int, *, block: float, draws: int, seed: int) -> Iterator[Floats]:
    """Yield what `count_draws` yields, each chunk made when it is asked for: for who may stop early."""
    _require(n, block, draws)
    for rng, many in _streams(n, block, draws, seed):
        if n <= _MOST:
            yield block_counts(rng.bit_generator, many, n, 1.0 / block).astype(np.float64)  # type: ignore[arg-type]
            continue
        rows = block_rows(rng.random((many, n)), rng.integers(0, n, (many, n)), 1.0 / block)
        flat = rows + np.arange(many, dtype=np.int64)[:, None] * n
        yield np.bincount(flat.ravel(), minlength=rows.size).reshape(rows.shape).astype(np.float64)


@functools.lru_cache(maxsize=1)
def _kept(n: int, block: float, draws: int, seed: int) -> tuple[NDArray[np.uint16], ...]:
    """Return C in chunks, kept for the next call: gate 2 and the interval beside it ask for the same draws."""
    return tuple(
        block_counts(rng.bit_generator, many, n, 1.0 / block)  # type: ignore[arg-type]
        for rng, many in _streams(n, block, draws, seed)
    )


def _streams(n: int, block: float, draws: int, seed: int) -> Iterator[tuple[np.random.Generator, int]]:
    """Yield the generator of each chunk and how many draws it makes: uniforms first, then starting dates."""
    for chunk, start in enumerate(range(0, draws, CHUNK)):
        yield generator(seed, "stationary", n, repr(float(block)), draws, chunk), min(CHUNK, draws - start)


def _require(n: int, block: float, draws: int) -> None:
    if n < 2:
        raise InputError("n", n, allowed="2 or more", why="one date cannot be resampled")
    if not (np.isfinite(block) and block >= 1):
        raise InputError("block", block, allowed="1 or more bars")
    if draws < 1:
        raise InputError("draws", draws, allowed="1 or more")
