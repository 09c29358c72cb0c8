"""Element-wise operations: a number from the operands of a row, and the loops over rows around it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from karat.kernels._jit import compiled
from karat.kernels.features import _ops as ops

Floats = NDArray[np.float64]
NAN = math.nan


@compiled("f8(f8, f8)")
def larger(a: float, b: float) -> float:
    """Return the larger of two numbers, NaN where one is."""
    return a if a > b or a != a else b


@compiled("f8(f8, f8)")
def smaller(a: float, b: float) -> float:
    """Return the smaller of two numbers, NaN where one is."""
    return a if a < b or a != a else b


@compiled("f8(f8, f8, f8)")
def ratio(a: float, b: float, neutral: float) -> float:
    """Return a / b, and `neutral` where b is zero; NaN where an operand is."""
    return (neutral + 0.0 * a) if b == 0.0 else a / b


@compiled("f8(f8, f8, f8, f8, f8)")
def merge_m2(a: float, b: float, mean_a: float, mean_b: float, p: float) -> float:
    """Return the summed squared deviations of two blocks together; p = n_a n_b / n (Chan, Golub, LeVeque 1979)."""
    gap = mean_a - mean_b
    return a + b + gap * gap * p


@compiled("f8(f8, f8, f8, f8, f8, f8, f8)")
def merge_cov(a: float, b: float, x_a: float, x_b: float, y_a: float, y_b: float, p: float) -> float:
    """Return the summed products of deviations of two blocks together; p = n_a n_b / n."""
    return a + b + (x_a - x_b) * (y_a - y_b) * p


@compiled("f8(f8, f8, f8, f8, f8, f8, f8, f8, f8)")
def merge_m3(a: float, b: float, v_a: float, v_b: float, m_a: float, m_b: float, p: float, q: float, r: float) -> float:
    """Return the summed cubed deviations; p = n_a n_b (n_b - n_a) / n^2, q = n_b / n, r = n_a / n (Pebay 2008)."""
    gap = m_a - m_b
    return a + b + gap * gap * gap * p + 3.0 * gap * (q * v_a - r * v_b)


@compiled("f8(f8, f8, f8, f8, f8, f8, f8, f8, f8, f8, f8)")
def merge_m4(
    a: float, b: float, c_a: float, c_b: float, v_a: float, v_b: float,
    m_a: float, m_b: float, p: float, q: float, r: float,
) -> float:  # fmt: skip
    """Return the summed fourth powers; p = n_a n_b (n_a^2 - n_a n_b + n_b^2) / n^3, q = n_b / n, r = n_a / n."""
    gap = m_a - m_b
    square = gap * gap
    return a + b + square * square * p + 6.0 * square * (q * q * v_a + r * r * v_b) + 4.0 * gap * (q * c_a - r * c_b)


@compiled("f8(f8, f8, f8)")
def pattern(a: float, b: float, c: float) -> float:
    """Return the ordinal pattern, 0 to 5, of three values oldest first; equal values count in order of time."""
    if a != a or b != b or c != c:
        return NAN
    first = (1.0 if b < a else 0.0) + (1.0 if c < a else 0.0)
    return 2.0 * first + (1.0 if c < b else 0.0)


@compiled("f8(f8, int64)")
def calendar(day: float, kind: int) -> float:
    """Return a fact of a date given as days since 1970-01-01: 0 weekday (Monday 0), 1 day of the year from 0,
    2 month from 0, 3 day of the month from 0 (Hinnant, days from civil)."""
    if day != day:
        return NAN
    whole = math.floor(day)
    if kind == 0:
        return float((whole + 3) % 7)
    z = whole + 719468
    era = z // 146097
    doe = z - era * 146097
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)  # from 1 March
    mp = (5 * doy + 2) // 153
    month = mp + 2 if mp < 10 else mp - 10  # January is 0
    if kind == 2:
        return float(month)
    if kind == 3:
        return float(doy - (153 * mp + 2) // 5)
    year = yoe + era * 400 + (1 if month < 2 else 0)
    leap = 1 if (year % 4 == 0 and year % 100 != 0) or year % 400 == 0 else 0
    return float(doy - 306 if month < 2 else doy + 59 + leap)


@compiled("f8(int64, f8, int64, f8, f8)")
def unary(op: int, a: float, w: int, p: float, q: float) -> float:
    """Return the operation of one operand."""
    if op == ops.SINE:
        return math.sin(p * a + q)
    if op == ops.AFFINE:
        return a * p + q
    if op == ops.LOG:
        return math.log(a) if a > 0.0 else NAN
    if op == ops.EXP:
        return math.exp(a)
    if op == ops.SQRT:
        return math.sqrt(a) if a >= 0.0 else NAN
    if op == ops.ABS:
        return abs(a)
    if op == ops.SIGN:
        return 1.0 if a > 0.0 else (-1.0 if a < 0.0 else 0.0 * a)
    if op == ops.POSITIVE:
        return larger(a, 0.0)
    if op == ops.ROUND:
        return float(np.rint(a))
    if op == ops.AT_LEAST:
        return (1.0 if a >= p else 0.0) + 0.0 * a
    if op == ops.XLOGX:
        return a * math.log(a) if a > 0.0 else 0.0 * a
    return calendar(a, w)


@compiled("f8(int64, f8, f8, f8, f8)")
def binary(op: int, a: float, b: float, c: float, p: float) -> float:
    """Return the operation of two operands, or of three."""
    if op == ops.ADD:
        return a + b
    if op == ops.SUB:
        return a - b
    if op == ops.MUL:
        return a * b
    if op == ops.DIV:
        return a / b
    if op == ops.MAX:
        return larger(a, b)
    if op == ops.MIN:
        return smaller(a, b)
    if op == ops.LESS:
        return (1.0 if a < b else 0.0) + 0.0 * (a + b)
    if op == ops.LESS_EQUAL:
        return (1.0 if a <= b else 0.0) + 0.0 * (a + b)
    if op == ops.EQUAL:
        return (1.0 if a == b else 0.0) + 0.0 * (a + b)
    if op == ops.RATIO:
        return ratio(a, b, p)
    if op == ops.BLEND:
        return b + (a - b) * p
    if op == ops.PATTERN:
        return pattern(a, b, c)
    if op == ops.LAGGED:
        return b
    return (b if a != 0.0 else c) + 0.0 * a


@compiled("none(int64, f8[::1], int64, f8, f8, f8[::1])")
def unary_rows(op: int, x: Floats, w: int, p: float, q: float, out: Floats) -> None:
    """Write the operation of every row."""
    n = out.shape[0]
    if op == ops.AFFINE:
        for i in range(n):
            out[i] = x[i] * p + q
    elif op == ops.SQRT:
        for i in range(n):
            out[i] = math.sqrt(x[i]) if x[i] >= 0.0 else NAN
    elif op == ops.ABS:
        for i in range(n):
            out[i] = abs(x[i])
    elif op == ops.POSITIVE:
        for i in range(n):
            out[i] = larger(x[i], 0.0)
    else:
        for i in range(n):
            out[i] = unary(op, x[i], w, p, q)


@compiled("none(int64, f8[::1], f8[::1], f8[::1], f8, f8[::1])")
def binary_rows(op: int, x: Floats, y: Floats, z: Floats, p: float, out: Floats) -> None:
    """Write the operation of every row; y is read as if it began where x does."""
    n = out.shape[0]
    if op == ops.ADD:
        for i in range(n):
            out[i] = x[i] + y[i]
    elif op == ops.SUB:
        for i in range(n):
            out[i] = x[i] - y[i]
    elif op == ops.MUL:
        for i in range(n):
            out[i] = x[i] * y[i]
    elif op == ops.DIV:
        for i in range(n):
            out[i] = x[i] / y[i]
    elif op == ops.MAX:
        for i in range(n):
            out[i] = larger(x[i], y[i])
    elif op == ops.MIN:
        for i in range(n):
            out[i] = smaller(x[i], y[i])
    elif op == ops.RATIO:
        for i in range(n):
            out[i] = ratio(x[i], y[i], p)
    elif op == ops.BLEND:
        for i in range(n):
            out[i] = y[i] + (x[i] - y[i]) * p
    elif op == ops.WHERE or op == ops.PATTERN:
        for i in range(n):
            out[i] = binary(op, x[i], y[i], z[i], p)
    else:
        for i in range(n):
            out[i] = binary(op, x[i], y[i], 0.0, p)
