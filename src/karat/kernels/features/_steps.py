"""Recursions: one step each, from a state and the operands of a row to a value.

Those that bear the name of a function of TA-Lib do its arithmetic in its order, so that a live value is the one that
TA-Lib gives for the whole history.

Invariants:
1. A state is a stretch of floats that begins as zeros; `state_size` says how long it is.
2. A row with an operand that is not finite changes no state and gives NaN.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from karat.kernels._jit import compiled
from karat.kernels.features import _ops as ops

Floats = NDArray[np.float64]
NAN = math.nan
EPSILON = 1e-14  # a difference of two prices that TA-Lib takes for none, in sizes of the prices


def state_size(op: int, w: int) -> int:
    """Return how many floats the state of a recursion takes."""
    fixed = {
        ops.EMA: 3,
        ops.WILDER: 3,
        ops.AGE: 2,
        ops.RSI: 5,
        ops.MACD: 5,
        ops.MACD_SIGNAL: 5,
        ops.ADX: 9,
        ops.ATR: 4,
        ops.OBV: 3,
    }
    ring = {ops.SMA: 2 + w, ops.CCI: 1 + w, ops.MFI: 5 + 2 * w, ops.KAMA: 6 + w}
    return fixed[op] if op in fixed else ring[op]


@compiled("f8(f8[::1], f8, int64)")
def ema(s: Floats, x: float, w: int) -> float:
    """Return the exponential mean, 2 / (w + 1), seeded with the mean of the first w values."""
    if s[0] < w:
        s[0] += 1.0
        s[1] += x
        if s[0] < w:
            return NAN
        s[2] = s[1] / w
    else:
        s[2] = (x - s[2]) * (2.0 / (w + 1)) + s[2]
    return float(s[2])


@compiled("f8(f8[::1], f8, int64)")
def wilder(s: Floats, x: float, w: int) -> float:
    """Return Wilder's mean, 1 / w, seeded with the mean of the first w values."""
    if s[0] < w:
        s[0] += 1.0
        s[1] += x
        if s[0] < w:
            return NAN
        s[2] = s[1] / w
    else:
        s[2] = (s[2] * (w - 1) + x) / w
    return float(s[2])


@compiled("f8(f8[::1], f8, f8)")
def age(s: Floats, x: float, most: float) -> float:
    """Return the rows since x was last not zero, `most` at the most."""
    s[0] = 0.0 if x != 0.0 else (min(s[0] + 1.0, most) if s[1] > 0.0 else most)
    s[1] = 1.0
    return float(s[0])


@compiled("f8(f8[::1], f8, int64)")
def sma(s: Floats, x: float, w: int) -> float:
    """Return the mean of the last w values from a running sum, as TA-Lib's SMA."""
    at = 2 + int(s[0]) % w
    s[1] += x
    s[at] = x
    s[0] += 1.0
    if s[0] < w:
        return NAN
    total = s[1]
    s[1] -= s[2 + int(s[0]) % w]
    return float(total / w)


@compiled("f8(f8[::1], f8, int64)")
def rsi(s: Floats, x: float, w: int) -> float:
    """Return the relative strength index, as TA-Lib's RSI."""
    s[0] += 1.0
    if s[0] == 1.0:
        s[1] = x
        return NAN
    move = x - s[1]
    s[1] = x
    gain, loss = (0.0, -move) if move < 0.0 else (move, 0.0)
    if s[0] <= w + 1:
        s[2] += gain
        s[3] += loss
        if s[0] <= w:
            return NAN
        s[2] /= w
        s[3] /= w
    else:
        s[2] = (s[2] * (w - 1) + gain) / w
        s[3] = (s[3] * (w - 1) + loss) / w
    both = s[2] + s[3]
    return 100.0 * (s[2] / both) if both > 0.0 else 0.0


@compiled("f8(f8[::1], f8, int64, f8, f8)")
def macd(s: Floats, x: float, slow: int, fast: float, signal: float) -> float:
    """Return MACD less its signal, as the third output of TA-Lib's MACD: both averages are seeded on the same row.

    The signal is s[4] afterwards.
    """
    s[0] += 1.0
    if s[0] <= slow:
        s[1] += x
        if s[0] > slow - fast:
            s[2] += x
        if s[0] < slow:
            return NAN
        s[1] /= slow
        s[2] /= fast
    else:
        s[1] = (x - s[1]) * (2.0 / (slow + 1)) + s[1]
        s[2] = (x - s[2]) * (2.0 / (fast + 1)) + s[2]
    line = s[2] - s[1]
    s[3] += 1.0
    if s[3] <= signal:
        s[4] += line
        if s[3] < signal:
            return NAN
        s[4] /= signal
    else:
        s[4] = (line - s[4]) * (2.0 / (signal + 1)) + s[4]
    return float(line - s[4])


@compiled("f8(f8, f8, f8)")
def true_range(high: float, low: float, before: float) -> float:
    """Return the largest of high - low and the distances of both from the close before."""
    return max(high - low, abs(high - before), abs(low - before))


@compiled("f8(f8[::1], f8, f8, f8, int64)")
def adx(s: Floats, high: float, low: float, close: float, w: int) -> float:
    """Return the average directional index, as TA-Lib's ADX."""
    s[0] += 1.0
    up, down = high - s[1], s[2] - low
    wide = true_range(high, low, s[3])
    s[1], s[2], s[3] = high, low, close
    if s[0] == 1.0:
        return NAN
    plus = up if up > 0.0 and up > down else 0.0
    minus = down if down > 0.0 and up < down else 0.0
    if s[0] <= w:
        s[4], s[5], s[6] = s[4] + plus, s[5] + minus, s[6] + wide
        return NAN
    s[4] = s[4] - s[4] / w + plus
    s[5] = s[5] - s[5] / w + minus
    s[6] = s[6] - s[6] / w + wide
    known = False
    index = 0.0
    if s[6] != 0.0:
        rise, fall = 100.0 * (s[4] / s[6]), 100.0 * (s[5] / s[6])
        both = rise + fall
        if both != 0.0:
            index, known = 100.0 * (abs(fall - rise) / both), True
    if s[0] <= 2 * w:
        s[7] += index
        if s[0] < 2 * w:
            return NAN
        s[7] /= w
    elif known:
        s[7] = (s[7] * (w - 1) + index) / w
    return float(s[7])


@compiled("f8(f8[::1], f8, f8, f8, int64)")
def atr(s: Floats, high: float, low: float, close: float, w: int) -> float:
    """Return the average true range, as TA-Lib's ATR."""
    s[0] += 1.0
    wide = true_range(high, low, s[1])
    s[1] = close
    if s[0] == 1.0:
        return NAN
    if s[0] <= w + 1:
        s[2] += wide
        if s[0] <= w:
            return NAN
        s[2] /= w
    else:
        s[2] = (s[2] * (w - 1) + wide) / w
    return float(s[2])


@compiled("f8(f8[::1], f8, f8, f8, int64)")
def cci(s: Floats, high: float, low: float, close: float, w: int) -> float:
    """Return the commodity channel index, as TA-Lib's CCI: its sums run through the ring, not through time.

    0 where the window is flat: equal prices leave a last digit in their mean.
    """
    typical = (high + low + close) / 3.0
    s[1 + int(s[0]) % w] = typical
    s[0] += 1.0
    if s[0] < w:
        return NAN
    mean, spread = 0.0, 0.0
    for j in range(1, w + 1):
        mean += s[j]
    mean /= w
    for j in range(1, w + 1):
        spread += abs(s[j] - mean)
    gap, spread = typical - mean, spread / w
    flat = EPSILON * abs(mean)
    return gap / (0.015 * spread) if abs(gap) > flat and spread > flat else 0.0


@compiled("f8(f8[::1], f8, f8, f8, f8, int64)")
def mfi(s: Floats, high: float, low: float, close: float, volume: float, w: int) -> float:
    """Return the money flow index, as TA-Lib's MFI: after w rows without any flow its running sums begin anew."""
    typical = (high + low + close) / 3.0
    s[0] += 1.0
    before = s[1]
    s[1] = typical
    if s[0] == 1.0:
        return NAN
    move = typical - before
    flow = typical * volume if abs(move) > EPSILON * (abs(typical) + abs(before)) else 0.0
    at = 5 + 2 * (int(s[0] - 2.0) % w)
    s[2] -= s[at]
    s[3] -= s[at + 1]
    s[at] = flow if move >= 0.0 else 0.0
    s[at + 1] = flow if move < 0.0 else 0.0
    s[2] += s[at]
    s[3] += s[at + 1]
    s[4] = s[4] + 1.0 if flow == 0.0 else 0.0
    if s[4] >= w:
        s[2] = s[3] = 0.0
    if s[0] <= w:
        return NAN
    both = s[2] + s[3]
    return 100.0 * (min(max(s[2], 0.0), both) / both) if both > 0.0 else 0.0


@compiled("f8(f8[::1], f8, f8)")
def obv(s: Floats, close: float, volume: float) -> float:
    """Return the on-balance volume, as TA-Lib's OBV: it begins with the first volume."""
    if s[0] == 0.0:
        s[2] = volume
    elif close > s[1]:
        s[2] += volume
    elif close < s[1]:
        s[2] -= volume
    s[0], s[1] = 1.0, close
    return float(s[2])


@compiled("f8(f8[::1], f8, int64)")
def kama(s: Floats, x: float, w: int) -> float:
    """Return Kaufman's adaptive mean between 2 and 30 rows over an efficiency of w rows, as TA-Lib's KAMA.

    Its sum of moves runs, and begins anew after w rows without one.
    """
    at = 6 + int(s[0]) % w
    s[0] += 1.0
    before, oldest = s[1], s[at]
    s[1] = s[at] = x
    if s[0] == 1.0:
        return NAN
    if s[0] > w + 1:
        s[3] -= abs(s[4] - oldest)
    s[3] += abs(x - before)
    s[5] = s[5] + 1.0 if x == before else 0.0
    if s[5] >= w:
        s[3] = 0.0
    if s[0] <= w:
        s[2] = x
        return NAN
    s[4] = oldest
    net = x - oldest
    ratio = 1.0 if s[3] <= 0.0 or s[3] <= net else abs(net / s[3])
    speed = ratio * (2.0 / 3.0 - 2.0 / 31.0) + 2.0 / 31.0
    s[2] = (x - s[2]) * (speed * speed) + s[2]
    return float(s[2])


@compiled("f8(int64, f8, f8, f8, f8, int64, f8, f8, f8[::1])")
def step(op: int, a: float, b: float, c: float, d: float, w: int, p: float, q: float, s: Floats) -> float:
    """Return the next value of a recursion."""
    if not math.isfinite(a + b + c + d):
        return NAN
    if op == ops.EMA:
        return float(ema(s, a, w))
    if op == ops.WILDER:
        return float(wilder(s, a, w))
    if op == ops.AGE:
        return float(age(s, a, p))
    if op == ops.SMA:
        return float(sma(s, a, w))
    if op == ops.RSI:
        return float(rsi(s, a, w))
    if op == ops.MACD or op == ops.MACD_SIGNAL:
        gap = macd(s, a, w, p, q)
        return float(s[4] + 0.0 * gap if op == ops.MACD_SIGNAL else gap)
    if op == ops.ADX:
        return float(adx(s, a, b, c, w))
    if op == ops.ATR:
        return float(atr(s, a, b, c, w))
    if op == ops.CCI:
        return float(cci(s, a, b, c, w))
    if op == ops.MFI:
        return float(mfi(s, a, b, c, d, w))
    if op == ops.OBV:
        return float(obv(s, a, b))
    return float(kama(s, a, w))


@compiled("none(int64, f8[::1], f8[::1], f8[::1], f8[::1], int64, f8, f8, f8[::1], f8[::1])")
def scan(
    op: int, a: Floats, b: Floats, c: Floats, d: Floats, w: int, p: float, q: float, s: Floats, out: Floats
) -> None:  # one loop for all: a step costs more than the choice of it
    """Write a recursion over all rows, from an empty state."""
    s[:] = 0.0
    for i in range(out.shape[0]):
        out[i] = step(op, a[i], b[i], c[i], d[i], w, p, q, s)
