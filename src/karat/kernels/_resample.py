"""The stationary bootstrap's draws: which rows a draw takes and how often, from random numbers.

| symbol | meaning | shape |
|---|---|---|
| u | uniforms in [0, 1); u < p begins a new block, so does the first place of a draw | (B, n) |
| s | the row at which a block begins, used where one does | (B, n) |
| r | rows taken: s at a beginning, else the row after the one before, row 0 after row n - 1 | (B, n) |
| C | how often a draw takes each row | (B, n) |

Invariants:
1. The counts of a draw are those of its rows and sum to n.
2. The same random numbers give the same draws, compiled or not: those of `block_counts` are numpy's, bit for bit.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from karat.kernels import _resample_jit as jit
from karat.kernels._jit import off

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MOST: Final = int(np.iinfo(np.uint16).max)


def block_rows(uniforms: Floats, starts: Ints, chance: float) -> Ints:
    """Return r, (B, n) int64: the rows that each draw takes.

    uniforms: u. starts: s, from 0 to n - 1. chance: p, one over the mean block length.

    Example:
        >>> block_rows(np.array([[0.9, 0.9, 0.1]]), np.array([[2, 0, 1]]), 0.5).tolist()
        [[2, 0, 1]]
    """
    rows = np.empty(starts.shape, dtype=np.int64)
    jit.block_rows(uniforms, starts, chance, rows)
    return rows


def block_counts(stream: np.random.Philox, draws: int, n: int, chance: float) -> NDArray[np.uint16]:
    """Return C, (draws, n) uint16: how often each draw takes each row, from a stream that nobody has read.

    The same as counting the rows of `block_rows` on the stream's uniforms, all of them first, and its whole numbers
    below n after them, without making either. n: 2 to 65,535. chance: p, one over the mean block length.

    Raises:
        ValueError: more rows than a count can hold, or a stream that was read.

    Example:
        >>> block_counts(np.random.Philox(key=1), 2, 3, 0.5).sum(axis=1).tolist()
        [3, 3]
    """
    if not 2 <= n <= _MOST:
        raise ValueError(f"n: got {n}; allowed: 2 to {_MOST}")
    key, unread = _state(stream)
    if not unread:
        raise ValueError("stream: got one that was read; allowed: a new Philox")
    counts = np.zeros((draws, n), dtype=np.uint16)
    halves = np.empty(_fours(n // 2 + 5 + jit.SLACK // 2), dtype=np.int64)
    words, starts = np.empty(_fours(n + 3), dtype=np.int64), np.empty(2 * len(halves), dtype=np.int64)
    limit, twice = math.ceil(chance * 2.0**53), np.empty(2 * n, dtype=np.uint16)
    if off() or jit.drawn_counts(*key, limit, words, halves, starts, twice, counts):
        return _counted(stream, draws, n, chance)
    return counts


def _counted(stream: np.random.Philox, draws: int, n: int, chance: float) -> NDArray[np.uint16]:
    """Return C the long way."""
    rng = np.random.Generator(stream)
    rows = block_rows(rng.random((draws, n)), rng.integers(0, n, (draws, n)), chance)
    flat = rows + np.arange(draws, dtype=np.int64)[:, None] * n
    return np.bincount(flat.ravel(), minlength=rows.size).reshape(rows.shape).astype(np.uint16)


def _state(stream: np.random.Philox) -> tuple[list[int], bool]:
    """Return the two words of the key and whether nothing was drawn yet."""
    state: Any = stream.state
    unread = not state["state"]["counter"].any() and state["buffer_pos"] == 4 and not state["has_uint32"]
    return state["state"]["key"].view(np.int64).tolist(), unread


def _fours(count: int) -> int:
    return count + -count % 4
