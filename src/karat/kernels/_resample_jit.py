"""The compiled parts of `_resample`: one pass over the places of every draw, and the random numbers of a chunk.

Source of the random numbers: Philox 4x64 with 10 rounds (Salmon and others 2011), whole numbers below n by Lemire
(2019), both word for word as numpy gives them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from karat.kernels._jit import compiled

Words = NDArray[np.int64]
Counts = NDArray[np.uint16]

_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_SPARE = np.uint64(11)
_REST = 0xFFFFFFFF
_ONE = np.uint64(1)
# Multipliers of the two products of a round, each in two halves, and what the two words of the key grow by.
_A0, _A1 = np.uint64(0xE14C6C93), np.uint64(0xD2E7470E)
_B0, _B1 = np.uint64(0x95121157), np.uint64(0xCA5A8263)
_A, _B = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_GROW_A, _GROW_B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
SLACK = 64
"""Halves of words that a draw may reject: of 65,535 rows it rejects one in expectation. Beyond, the caller counts."""


@compiled("none(f8[:,::1], int64[:,::1], f8, int64[:,::1])")
def block_rows(uniforms: NDArray[np.float64], starts: Words, chance: float, rows: Words) -> None:
    """Write the row that each place of each draw takes."""
    draws, n = starts.shape
    for b in range(draws):
        at = starts[b, 0]
        rows[b, 0] = at
        for k in range(1, n):
            at = starts[b, k] if uniforms[b, k] < chance else (0 if at == n - 1 else at + 1)
            rows[b, k] = at


@compiled("uint64(uint64, uint64, uint64)")
def high(a: np.uint64, b0: np.uint64, b1: np.uint64) -> np.uint64:
    """Return the upper 64 bits of the product of a and b, the latter in two halves: so LLVM takes many at a time."""
    a0, a1 = a & _LOW, a >> _HALF
    cross = a0 * b1
    middle = ((a0 * b0) >> _HALF) + (cross & _LOW) + a1 * b0
    return a1 * b1 + (cross >> _HALF) + (middle >> _HALF)


@compiled("uint64(uint64, uint64, uint64)")
def first(c: np.uint64, b: np.uint64, key: np.uint64) -> np.uint64:
    """Return the first word after a round."""
    return np.uint64(high(c, _B0, _B1) ^ b ^ key)


@compiled("uint64(uint64, uint64, uint64)")
def third(a: np.uint64, d: np.uint64, key: np.uint64) -> np.uint64:
    """Return the third word after a round."""
    return np.uint64(high(a, _A0, _A1) ^ d ^ key)


@compiled("none(int64, int64, int64, int64[::1])")
def philox(key_a: int, key_b: int, begin: int, words: Words) -> None:
    """Write the words of a stream from block `begin` on; a block has four words, and as many as fit are written."""
    start = np.uint64(begin) + _ONE  # numpy counts up before it draws
    for block in range(len(words) // 4):
        a, b, c, d = start + np.uint64(block), np.uint64(0), np.uint64(0), np.uint64(0)
        p, q = np.uint64(key_a), np.uint64(key_b)
        # Ten rounds, written out: a loop in here keeps LLVM from taking many blocks at a time, six times slower.
        a, b, c, d, p, q = first(c, b, p), c * _B, third(a, d, q), a * _A, p + _GROW_A, q + _GROW_B
        a, b, c, d, p, q = first(c, b, p), c * _B, third(a, d, q), a * _A, p + _GROW_A, q + _GROW_B
        a, b, c, d, p, q = first(c, b, p), c * _B, third(a, d, q), a * _A, p + _GROW_A, q + _GROW_B
        a, b, c, d, p, q = first(c, b, p), c * _B, third(a, d, q), a * _A, p + _GROW_A, q + _GROW_B
        a, b, c, d, p, q = first(c, b, p), c * _B, third(a, d, q), a * _A, p + _GROW_A, q + _GROW_B
        a, b, c, d, p, q = first(c, b, p), c * _B, third(a, d, q), a * _A, p + _GROW_A, q + _GROW_B
        a, b, c, d, p, q = first(c, b, p), c * _B, third(a, d, q), a * _A, p + _GROW_A, q + _GROW_B
        a, b, c, d, p, q = first(c, b, p), c * _B, third(a, d, q), a * _A, p + _GROW_A, q + _GROW_B
        a, b, c, d, p, q = first(c, b, p), c * _B, third(a, d, q), a * _A, p + _GROW_A, q + _GROW_B
        a, b, c, d, p, q = first(c, b, p), c * _B, third(a, d, q), a * _A, p + _GROW_A, q + _GROW_B
        words[4 * block], words[4 * block + 1] = np.int64(a), np.int64(b)
        words[4 * block + 2], words[4 * block + 3] = np.int64(c), np.int64(d)


@compiled("int64(int64[::1], int64, int64, int64, int64[::1])")
def below(words: Words, skip: int, n: int, reject: int, starts: Words) -> int:
    """Write whole numbers below n from 32-bit halves; return how many of the n after the first `skip` were rejected."""
    lost = 0
    for k in range(len(words)):
        low, upper = np.int64(np.uint64(words[k]) & _LOW) * n, np.int64(np.uint64(words[k]) >> _HALF) * n
        lost += int((low & _REST) < reject) + int((upper & _REST) < reject)
        starts[2 * k], starts[2 * k + 1] = low >> 32, upper >> 32
    if lost == 0:
        return 0
    lost = 0
    for k in range(skip, skip + n):
        while True:
            half = k + lost
            product = np.int64((np.uint64(words[half >> 1]) >> np.uint64(32 * (half & 1))) & _LOW) * n
            if (product & _REST) >= reject or lost > SLACK:
                break
            lost += 1
        starts[k] = product >> 32
    return lost


@compiled("int64(int64, int64, int64, int64[::1], int64[::1], int64[::1], uint16[::1], uint16[:,::1])")
def drawn_counts(
    key_a: int, key_b: int, limit: int, words: Words, halves: Words, starts: Words, twice: Counts, counts: Counts
) -> int:
    """Add to `counts` how often each draw takes each row, from a stream of its own; return 0, or 1 where words ran out.

    The stream gives all uniforms of the chunk, a word each, then all starting rows, half a word each or more.
    limit: a uniform's 53 bits are below it where a block begins. words (n + 3), halves (n / 2 + 37), starts (twice as
    many), twice (2 n): room to work in, at least so much, the first two multiples of four.
    """
    draws, n = counts.shape
    reject, rejected = (1 << 32) % n, 0
    for b in range(draws):
        place, half = b * n, 2 * draws * n + b * n + rejected
        philox(key_a, key_b, place >> 2, words)
        philox(key_a, key_b, half >> 3, halves)
        lost = below(halves, half & 7, n, reject, starts)
        rejected += lost
        if lost > SLACK:
            return 1
        skip, left_out = place & 3, half & 7
        twice[:] = 0
        move = np.int64(starts[left_out])  # the row taken less the place, before it wraps around
        twice[np.uint64(move)] += 1
        for k in range(1, n):
            begins = -np.int64(np.int64(np.uint64(words[k + skip]) >> _SPARE) < limit)  # all bits or none
            move ^= (move ^ (starts[k + left_out] - k)) & begins  # without a branch, which half the places would miss
            twice[np.uint64(move + k)] += 1
        for k in range(n):
            counts[b, k] = twice[k] + twice[k + n]
    return 0
