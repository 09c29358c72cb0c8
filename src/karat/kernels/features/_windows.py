"""Windowed operations: each row is computed from its own window, in an order that does not depend on earlier rows."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from karat.kernels._jit import compiled

Floats = NDArray[np.float64]
NAN = math.nan


@compiled("none(f8[::1], f8[::1], int64, f8[::1])")
def dot(x: Floats, weights: Floats, w: int, out: Floats) -> None:
    """Write sum over j of weights[j] x[t - j]."""
    n = out.shape[0]
    out[: min(w - 1, n)] = NAN
    if n < w:
        return
    m = n - w + 1
    done = out[w - 1 :]
    done[:] = 0.0
    for j in range(w):
        c = weights[j]
        if c != 0.0:
            part = x[w - 1 - j : w - 1 - j + m]
            for i in range(m):
                done[i] += c * part[i]


@compiled("none(f8[::1], int64, f8[::1])")
def rank(x: Floats, w: int, out: Floats) -> None:
    """Write the average rank of x[t] among the last w values over w, in (0, 1]."""
    n = out.shape[0]
    out[: min(w - 1, n)] = NAN
    if n < w:
        return
    m = n - w + 1
    done, last = out[w - 1 :], x[w - 1 :]
    done[:] = 0.5
    for j in range(w):
        part = x[w - 1 - j : w - 1 - j + m]
        for i in range(m):
            a, b = part[i], last[i]
            done[i] += (1.0 if a < b else (0.5 if a == b else 0.0)) + 0.0 * a
    for i in range(m):
        done[i] /= w


@compiled("none(f8[::1], f8[::1], int64, f8[::1])")
def spread(x: Floats, y: Floats, w: int, out: Floats) -> None:
    """Write the mean of |x[t - j] - y[t]| over the last w values of x."""
    n = out.shape[0]
    out[: min(w - 1, n)] = NAN
    if n < w:
        return
    m = n - w + 1
    done, middle = out[w - 1 :], y[w - 1 :]
    done[:] = 0.0
    for j in range(w):
        part = x[w - 1 - j : w - 1 - j + m]
        for i in range(m):
            done[i] += abs(part[i] - middle[i])
    for i in range(m):
        done[i] /= w


@compiled("none(f8[::1], f8[::1], int64, f8[::1])")
def since(x: Floats, extreme: Floats, w: int, out: Floats) -> None:
    """Write how many rows ago x was last equal to the extreme of its window."""
    n = out.shape[0]
    at = -1  # nowhere yet: the first window is searched from its end too
    for t in range(n):
        top = extreme[t]
        if top != top:
            out[t] = NAN
            continue
        if at <= t - w or x[at] != top or x[t] == top:
            at = t
            while x[at] != top and at > t - w + 1:
                at -= 1
        out[t] = float(t - at)


@compiled("none(f8[::1], f8[::1], int64, f8[::1])")
def since_first(x: Floats, extreme: Floats, w: int, out: Floats) -> None:
    """Write how many rows ago x was first, in its window, equal to the extreme of the window."""
    at = -1
    for t in range(out.shape[0]):
        top = extreme[t]
        if top != top:
            out[t] = NAN
            at = -1  # what came before is outside every later window
            continue
        if at <= t - w or at < 0:
            at = t - w + 1
            while x[at] != top:
                at += 1
        elif x[at] != top:  # the rows between were no extreme before: only the new one can be
            at = t
        out[t] = float(t - at)


@compiled("int64(f8[::1], int64, f8)")
def place(sorted_values: Floats, count: int, value: float) -> int:
    """Return the first place whose value is not below the given one."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if sorted_values[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@compiled("none(f8[::1], int64, f8, f8[::1], f8[::1])")
def quantile(x: Floats, w: int, level: float, room: Floats, out: Floats) -> None:
    """Write the quantile of the last w values, linear between order statistics (Hyndman and Fan, type 7)."""
    n = out.shape[0]
    place_of = level * (w - 1)
    low = int(place_of)
    frac = place_of - low
    held = 0
    for t in range(n):
        if t >= w and x[t - w] == x[t - w]:
            j = place(room, held, x[t - w])
            for q in range(j, held - 1):
                room[q] = room[q + 1]
            held -= 1
        if x[t] == x[t]:
            j = place(room, held, x[t])
            for q in range(held, j, -1):
                room[q] = room[q - 1]
            room[j] = x[t]
            held += 1
        if held < w:
            out[t] = NAN
        else:
            out[t] = room[low] + frac * (room[min(low + 1, w - 1)] - room[low])


@compiled("none(f8[::1], int64, f8[::1])")
def rescaled(x: Floats, w: int, out: Floats) -> None:
    """Write the rescaled range of the last w values: range of the summed deviations over the deviation; NaN if flat."""
    n = out.shape[0]
    out[: min(w - 1, n)] = NAN
    for t in range(w - 1, n):
        mean = 0.0
        for j in range(t - w + 1, t + 1):
            mean += x[j]
        mean /= w
        total, top, bottom, square = 0.0, 0.0, 0.0, 0.0
        for j in range(t - w + 1, t + 1):
            gap = x[j] - mean
            total += gap
            square += gap * gap
            top = total if total > top else top
            bottom = total if total < bottom else bottom
        out[t] = (top - bottom) / math.sqrt(square / w) if square > 0.0 else NAN


@compiled("none(f8[::1], int64, f8[::1])")
def detrend(x: Floats, w: int, out: Floats) -> None:
    """Write the mean squared residual of the running sum of the last w values around its straight line."""
    n = out.shape[0]
    out[: min(w - 1, n)] = NAN
    middle = 0.5 * (w - 1)
    lever = w * (w * w - 1.0) / 12.0
    for t in range(w - 1, n):
        total, mean, square, slope = 0.0, 0.0, 0.0, 0.0
        for j in range(w):
            total += x[t - w + 1 + j]
            gap = total - mean
            mean += gap / (j + 1.0)
            square += gap * (total - mean)
            slope += (j - middle) * total
        out[t] = max(square - slope * slope / lever, 0.0) / w if square == square else NAN
