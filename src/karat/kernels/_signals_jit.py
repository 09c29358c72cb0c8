"""The compiled parts of `_signals`: moving means and their crossings, for one pair of windows or for many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from karat.kernels._jit import compiled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

BLOCK = 1024  # a running sum is made anew for each block: neither its rounding errors nor a NaN travel further
SAME = np.uint64(0x0101010101010101)
BELOW, ABOVE = 1, 2


@compiled("int64(f8[::1], int64, int64, int64, f8[::1])")
def resum(values: Floats, window: int, start: int, end: int, sums: Floats) -> int:
    """Write the sums that end at `start` up to `end` one by one, where a NaN has spoilt the running one; return 0."""
    for i in range(start, end):
        total = 0.0
        for k in range(i - window + 1, i + 1):
            total += values[k]
        sums[i - start] = total
    return 0


@compiled("int64(f8[::1], int64, int64, int64, f8[::1])")
def block_sums(values: Floats, window: int, start: int, end: int, sums: Floats) -> int:
    """Write the sums of the last `window` values at each bar from `start` to `end`; return 0."""
    total = 0.0
    for i in range(start - window + 1, start + 1):
        total += values[i]
    sums[0] = total
    for i in range(start + 1, end):
        total += values[i] - values[i - window]
        sums[i - start] = total
    if total != total:
        resum(values, window, start, end, sums)
    return 0


@compiled("int64(f8[::1], int64, int64, int64, int64, f8[:, ::1])")
def pair_sums(values: Floats, fast: int, slow: int, start: int, end: int, sums: Floats) -> int:
    """Write the block sums of two windows: two chains of additions take no longer than one. Return 0."""
    a, b = 0.0, 0.0
    for i in range(start - fast + 1, start + 1):
        a += values[i]
    for i in range(start - slow + 1, start + 1):
        b += values[i]
    sums[0, 0], sums[1, 0] = a, b
    for i in range(start + 1, end):
        a += values[i] - values[i - fast]
        b += values[i] - values[i - slow]
        sums[0, i - start], sums[1, i - start] = a, b
    if a != a:
        resum(values, fast, start, end, sums[0])
    if b != b:
        resum(values, slow, start, end, sums[1])
    return 0


@compiled("int64(f8[::1], int64, f8[::1])")
def moving_mean(values: Floats, window: int, means: Floats) -> int:
    """Write the mean of the last `window` values; NaN before there are so many or where one is NaN; return 0."""
    n = values.shape[0]
    means[: min(window - 1, n)] = np.nan
    for start in range(window - 1, n, BLOCK):
        end = min(start + BLOCK, n)
        block_sums(values, window, start, end, means[start:end])
        for i in range(start, end):
            means[i] /= window
    return 0


@compiled("int64(f8[::1], int64[::1], f8[:, ::1])")
def moving_means(values: Floats, windows: Ints, means: Floats) -> int:
    """Write the moving mean of each window to its row of `means`; return 0."""
    for k in range(windows.shape[0]):
        moving_mean(values, windows[k], means[k])
    return 0


@compiled("int64(uint8[::1], int64, int64, int64[::1], int64[::1])")
def flips(states: Bytes, n: int, first: int, place: Ints, rows: Ints) -> int:
    """Write the bars in which the state changes from below to above or back; 0 is no state and changes nothing.

    states: of the bars from `first` on, n of them. place: how many bars were written, with the sign of the last state.
    """
    found, was = place[0], place[1]
    words = states[: n // 8 * 8].view(np.uint64)
    for w in range(words.shape[0] + 1):
        if w < words.shape[0] and words[w] == SAME * np.uint64(was):
            continue
        for k in range(8 * w, min(8 * w + 8, n)):
            now = states[k]
            if now != 0:
                rows[found] = first + k
                found += 1 if was + now == BELOW + ABOVE else 0
                was = np.int64(now)
    place[0], place[1] = found, was
    return 0


@compiled("int64(f8[::1], f8[::1], uint8[::1], int64[::1], int64[::1])")
def crossings(fast: Floats, slow: Floats, states: Bytes, place: Ints, rows: Ints) -> int:
    """Write the bars in which `fast` crosses `slow`; return the state before the first of them.

    states: (n,) room for one byte a bar. place: (2,) zeros, then how many were found and the last state.
    """
    n = fast.shape[0]
    for t in range(n):
        states[t] = (ABOVE if fast[t] > slow[t] else 0) + (BELOW if fast[t] <= slow[t] else 0)
    return int(flips(states, n, 0, place, rows))


@compiled("int64(f8[::1], int64, int64, f8[:, ::1], uint8[::1], int64[::1], int64[::1])")
def mean_crossings(values: Floats, fast: int, slow: int, sums: Floats, states: Bytes, place: Ints, rows: Ints) -> int:
    """Write the bars in which the mean over `fast` values crosses the one over `slow`, block by block; return 0.

    sums: (2, BLOCK) and states: (BLOCK,) are room to work in. place: as for `crossings`.
    """
    n = values.shape[0]
    for start in range(max(fast, slow) - 1, n, BLOCK):
        end = min(start + BLOCK, n)
        pair_sums(values, fast, slow, start, end, sums)
        for k in range(end - start):
            a, b = sums[0, k] / fast, sums[1, k] / slow
            states[k] = (ABOVE if a > b else 0) + (BELOW if a <= b else 0)
        flips(states, end - start, start, place, rows)
    return 0


@compiled("int64(int64, int64, f8, f8, f8[::1])")
def alternate(n: int, last: int, above: float, below: float, targets: Floats) -> int:
    """Write n targets that alternate and end with the one of the last state; return n."""
    for k in range(n):
        targets[n - 1 - k] = above if (last == ABOVE) == (k % 2 == 0) else below
    return n


@compiled("int64(f8[:, ::1], int64[:, ::1], f8, f8, uint8[::1], int64[::1], int64[::1], int64[::1], f8[::1])")
def many_crossings(
    means: Floats,
    pairs: Ints,
    above: float,
    below: float,
    states: Bytes,
    place: Ints,
    starts: Ints,
    rows: Ints,
    targets: Floats,
) -> int:
    """Write the crossings of each pair of rows of `means` with their targets, pair k from starts[k] to starts[k + 1].

    states: (n,) and place: (2,) are room to work in.
    Returns the index of the first pair that has no room left in `rows`, the number of pairs when all have.
    """
    n = means.shape[1]
    starts[0] = 0
    for k in range(pairs.shape[0]):
        at = starts[k]
        if at + n > rows.shape[0]:
            return k
        place[0], place[1] = 0, 0
        crossings(means[pairs[k, 0]], means[pairs[k, 1]], states, place, rows[at:])
        alternate(place[0], place[1], above, below, targets[at:])
        starts[k + 1] = at + place[0]
    return int(pairs.shape[0])
