"""Exact products of two 64-bit words, for compiled code: upper half, and a * b / c with its remainder.

| symbol | meaning | unit |
|---|---|---|
| a, b, c | words; unsigned in `high_word`, 0 to 2**62 in the division | |
| hi, lo | upper and lower word of the 128-bit product, `lo` unsigned | |

Invariants:
1. `high_word(a, b) * 2**64 + (a * b mod 2**64)` is the product of a and b read as unsigned.
2. `mul_div` and `mul_mod` are exact: floor(a * b / c) and the rest; a quotient of 2**63 or more is reported, not cut.
"""

from __future__ import annotations

from typing import Final

from karat.kernels._jit import compiled
from karat.kernels._memory import add_wrap, mul_wrap, shift_right
from karat.kernels.market._kinds import OVERFLOW

_LOW: Final = 0xFFFFFFFF


@compiled("int64(int64, int64)")
def high_word(a: int, b: int) -> int:
    """Return the upper 64 bits of the unsigned 128-bit product, as an int64 with the same bits."""
    a_low, a_high = a & _LOW, shift_right(a, 32)
    b_low, b_high = b & _LOW, shift_right(b, 32)
    cross, other = mul_wrap(a_low, b_high), mul_wrap(a_high, b_low)
    middle = shift_right(mul_wrap(a_low, b_low), 32) + (cross & _LOW) + (other & _LOW)
    carried = shift_right(cross, 32) + shift_right(other, 32) + shift_right(middle, 32)
    return int(add_wrap(mul_wrap(a_high, b_high), carried))


@compiled("int64(int64, int64, int64)")
def mul_div(a: int, b: int, c: int) -> int:
    """Return floor(a * b / c) for a, b >= 0 and 0 < c <= 2**62; OVERFLOW when it is 2**63 or more."""
    hi, lo = high_word(a, b), mul_wrap(a, b)
    if hi == 0 and lo >= 0:
        return int(lo // c)
    if hi >= c:
        return OVERFLOW
    rest, quotient = hi, 0
    for k in range(63, -1, -1):
        rest = 2 * rest + (shift_right(lo, k) & 1)
        bit = 0
        if rest >= c:
            rest -= c
            bit = 1
        if bit == 1 and k == 63:
            return OVERFLOW
        quotient = 2 * quotient + bit
    return quotient


@compiled("int64(int64, int64, int64)")
def mul_mod(a: int, b: int, c: int) -> int:
    """Return (a * b) mod c for a, b >= 0 and 0 < c <= 2**62; meaningful only where `mul_div` does not overflow."""
    quotient = mul_div(a, b, c)
    return int(add_wrap(mul_wrap(a, b), -mul_wrap(quotient, c)))
