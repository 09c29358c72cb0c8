"""Signals that are decisions: where one moving mean crosses another, for one pair of windows or for many at once.

| symbol | meaning | shape |
|---|---|---|
| x | values, e.g. closes; NaN: missing | (T,) |
| m_w | mean of the last w values; NaN before there are w, and where one of them is NaN | (T,) |
| s | state: above where m_fast > m_slow, below where m_fast <= m_slow, none where one is NaN | (T,) |

Invariants:
1. A crossing at bar t is a state other than the last one there was; the first state is no crossing.
2. Values after t change nothing up to t.
3. A mean differs from the exactly rounded one by rounding errors of at most 1,024 additions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from karat.kernels import _signals_jit as jit
from karat.kernels._threads import each

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Decisions(NamedTuple):
    """Decisions of K settings on one instrument, sparse: setting k owns starts[k] to starts[k + 1] of the others.

    starts: (K + 1,) int64. rows: bar of each decision, increasing within a setting. targets: what is wanted from it on.
    """

    starts: Ints
    rows: Ints
    targets: Floats


def moving_means(values: Floats, windows: Sequence[int], *, threads: int = 1) -> Floats:
    """Return (K, T) the mean of the last w values for each window; NaN rules as in the module's table.

    Raises:
        ValueError: a window below 1.

    Example:
        >>> moving_means(np.array([1.0, 3.0, 5.0]), [2]).tolist()
        [[nan, 2.0, 4.0]]
    """
    _check(windows)
    values, means = np.ascontiguousarray(values, dtype=np.float64), np.empty((len(windows), len(values)))
    parts = zip(np.array_split(np.array(windows, dtype=np.int64), threads), np.array_split(means, threads), strict=True)
    each(
        lambda part: jit.moving_means(values, *part), parts, threads
    )  # a turn of Python costs as much as a few windows
    return means


def mean_crossings(values: Floats, fast: int, slow: int, *, above: float, below: float) -> tuple[Ints, Floats]:
    """Return the bars in which the mean over `fast` crosses the one over `slow`, with the target from there on.

    values: (T,) known at the bar's close. above, below: target where the fast mean is above the slow one, where not.

    Raises:
        ValueError: a window below 1.

    Example:
        >>> bars, targets = mean_crossings(np.array([3.0, 2.0, 1.0, 2.0, 3.0]), 1, 2, above=1.0, below=0.0)
        >>> bars.tolist(), targets.tolist()
        ([3], [1.0])
    """
    _check((fast, slow))
    values = np.ascontiguousarray(values, dtype=np.float64)
    rows, place = np.empty(len(values) + 1, dtype=np.int64), np.zeros(2, dtype=np.int64)
    sums, states = np.empty((2, jit.BLOCK)), np.empty(jit.BLOCK, dtype=np.uint8)
    jit.mean_crossings(values, fast, slow, sums, states, place, rows)
    targets = np.empty(place[0])
    jit.alternate(place[0], place[1], above, below, targets)
    return rows[: place[0]].copy(), targets


def many_crossings(means: Floats, pairs: Ints, *, above: float, below: float) -> Decisions:
    """Return the crossings of many pairs: pairs (K, 2) int64 names rows of means (W, T), the fast one first.

    Example:
        >>> means = moving_means(np.array([3.0, 2.0, 1.0, 2.0, 3.0]), [1, 2])
        >>> many_crossings(means, np.array([[0, 1]]), above=1.0, below=0.0).rows.tolist()
        [3]
    """
    n, k = means.shape[1], len(pairs)
    starts, states = np.zeros(k + 1, dtype=np.int64), np.empty(n, dtype=np.uint8)
    place = np.zeros(2, dtype=np.int64)
    pairs, room, done = np.ascontiguousarray(pairs, dtype=np.int64), n + k * n // 16, -1
    while done < k:  # few bars are crossings: memory for all of them is taken only where it is needed
        rows, targets = np.empty(room, dtype=np.int64), np.empty(room)
        done = jit.many_crossings(means, pairs, above, below, states, place, starts, rows, targets)
        room = n + k * n
    return Decisions(starts, rows[: starts[-1]].copy(), targets[: starts[-1]].copy())


def _check(windows: Sequence[int]) -> None:
    for window in windows:
        if window < 1:
            raise ValueError(f"window: got {window}; allowed: 1 or more")
