"""The limit of `alpha158`: an instrument's 158 features by running sums and a sorted window.

One pass over an instrument and window for each of: moments, correlations, line, extremes, order, counts. Prices without
ties, so that a rank needs no average.
"""

# mypy: ignore-errors
# ruff: noqa: E741

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit

W5 = np.array([5, 10, 20, 30, 60])
NAMES = (
    *("roc", "ma", "std", "beta", "rsqr", "resi", "max", "min", "qtlu", "qtld", "rank", "rsv", "imax", "imin", "imxd"),
    *("corr", "cord", "cntp", "cntn", "cntd", "sump", "sumn", "sumd", "vma", "vstd", "wvma", "vsump", "vsumn", "vsumd"),
)
ORDER = (
    *("kmid", "klen", "kmid2", "kup", "kup2", "klow", "klow2", "ksft", "ksft2", "open0", "high0", "low0", "vwap0"),
    *(f"{name}{w}" for w in W5 for name in NAMES),
)
FIRST, EACH = 13, len(NAMES)
(
    ROC, MA, STD, BETA, RSQR, RESI, MAX, MIN, QTLU, QTLD, RANK, RSV, IMAX, IMIN, IMXD, CORR, CORD, CNTP, CNTN, CNTD,
    SUMP, SUMN, SUMD, VMA, VSTD, WVMA, VSUMP, VSUMN, VSUMD,
) = range(EACH)  # fmt: skip
TINY = 1e-12


@njit(nogil=True)
def candles(O, H, L, C, out):
    for i in range(C.size):
        o, h, l, c = O[i], H[i], L[i], C[i]
        span, top, bottom, shift = h - l + TINY, h - max(o, c), min(o, c) - l, 2 * c - h - l
        out[0, i], out[1, i], out[2, i] = (c - o) / o, (h - l) / o, (c - o) / span
        out[3, i], out[4, i], out[5, i], out[6, i] = top / o, top / span, bottom / o, bottom / span
        out[7, i], out[8, i] = shift / o, shift / span
        out[9, i], out[10, i], out[11, i], out[12, i] = o / c, h / c, l / c, (h + l + c) / 3 / c


@njit(nogil=True)
def derived(C, V, log_volume, change, volume_change, weight):
    log_volume[0], change[0], volume_change[0], weight[0] = np.log(V[0] + 1), 1.0, 0.0, 0.0
    for i in range(1, C.size):
        log_volume[i] = np.log(V[i] + 1)
        change[i] = C[i] / C[i - 1]
        volume_change[i] = np.log(V[i] / V[i - 1] + 1)
        weight[i] = abs(change[i] - 1) * V[i]


@njit(nogil=True)
def moments(x, w, mean, deviation):
    s, q = 0.0, 0.0
    for i in range(x.size):
        s += x[i]
        q += x[i] * x[i]
        if i >= w:
            s -= x[i - w]
            q -= x[i - w] * x[i - w]
        full = i >= w - 1
        mean[i] = s / w if full else np.nan
        deviation[i] = np.sqrt(max(q - s * s / w, 0.0) / (w - 1)) if full else np.nan


@njit(nogil=True)
def levels(C, V, weight, w, mean, deviation, out):
    moments(C, w, mean, deviation)
    for i in range(C.size):
        out[MA, i], out[STD, i] = mean[i] / C[i], deviation[i] / C[i]
    moments(V, w, mean, deviation)
    for i in range(C.size):
        out[VMA, i], out[VSTD, i] = mean[i] / (V[i] + TINY), deviation[i] / (V[i] + TINY)
    moments(weight, w, mean, deviation)
    for i in range(C.size):
        out[WVMA, i] = deviation[i] / (mean[i] + TINY)


@njit(nogil=True)
def correlation(x, y, w, out):
    sx, sy, xx, yy, xy = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(x.size):
        sx += x[i]
        sy += y[i]
        xx += x[i] * x[i]
        yy += y[i] * y[i]
        xy += x[i] * y[i]
        if i >= w:
            a, b = x[i - w], y[i - w]
            sx -= a
            sy -= b
            xx -= a * a
            yy -= b * b
            xy -= a * b
        d = (xx - sx * sx / w) * (yy - sy * sy / w)
        out[i] = (xy - sx * sy / w) / np.sqrt(d) if i >= w - 1 and d > 0 else np.nan


@njit(nogil=True)
def line(C, w, out):
    """Slope, R squared and residual on the places 1 to w; and the close w rows ago."""
    N = float(w)
    sx = N * (N + 1) / 2
    D = N * (N * (N + 1) * (2 * N + 1) / 6) - sx * sx
    sy, sxy, syy = 0.0, 0.0, 0.0
    for i in range(C.size):
        c = C[i]
        if i < w:
            sxy += (i + 1) * c
            sy += c
            syy += c * c
            out[ROC, i] = out[BETA, i] = out[RSQR, i] = out[RESI, i] = np.nan
            continue
        old = C[i - w]
        sxy += N * c - sy
        sy += c - old
        syy += c * c - old * old
        slope, left = (N * sxy - sx * sy) / D, syy - sy * sy / N
        out[ROC, i], out[BETA, i] = old / c, slope / c
        out[RSQR, i] = slope * slope * D / N / left if left > 0 else np.nan
        out[RESI, i] = (c - (sy - slope * sx) / N - slope * N) / c


@njit(nogil=True)
def extremes(H, L, C, w, out):
    """Highest high and lowest low, looked for again only when they leave; the first of equal ones."""
    top = bottom = 0
    for i in range(C.size):
        first = i - w + 1
        if H[i] > H[top]:
            top = i
        elif top < first:
            top = first
            for q in range(first + 1, i + 1):
                top = q if H[q] > H[top] else top
        if L[i] < L[bottom]:
            bottom = i
        elif bottom < first:
            bottom = first
            for q in range(first + 1, i + 1):
                bottom = q if L[q] < L[bottom] else bottom
        if i < w:
            for k in (MAX, MIN, RSV, IMAX, IMIN, IMXD):
                out[k, i] = np.nan
            continue
        c, high, low = C[i], H[top], L[bottom]
        out[MAX, i], out[MIN, i], out[RSV, i] = high / c, low / c, (c - low) / (high - low + TINY)
        a, b = (top - first + 1) / w, (bottom - first + 1) / w
        out[IMAX, i], out[IMIN, i], out[IMXD, i] = a, b, a - b


@njit(nogil=True)
def order(C, w, out):
    """Quantiles and rank from a window kept sorted by insertion."""
    held = np.empty(w)
    high, low = 0.8 * (w - 1), 0.2 * (w - 1)
    u, d = int(high), int(low)
    for i in range(C.size):
        c, k = C[i], min(i, w)
        if i >= w:
            k -= 1
            for q in range(np.searchsorted(held, C[i - w]), k):
                held[q] = held[q + 1]
        j = np.searchsorted(held[:k], c)
        for q in range(k, j, -1):
            held[q] = held[q - 1]
        held[j] = c
        if i < w:
            out[QTLU, i] = out[QTLD, i] = out[RANK, i] = np.nan
            continue
        out[QTLU, i] = (held[u] + (high - u) * (held[min(u + 1, w - 1)] - held[u])) / c
        out[QTLD, i] = (held[d] + (low - d) * (held[d + 1] - held[d])) / c
        out[RANK, i] = (j + 1) / w


@njit(nogil=True)
def sums(x, w, ups, downs, out):
    """Write the shares of the rises, of the falls, and their difference to rows `ups` to `ups` + 2 of out.

    downs: where the counted rises and falls go likewise, -1 where they are not asked for.
    """
    rises, falls, more, less = 0.0, 0.0, 0.0, 0.0
    for i in range(x.size):
        if i:
            d = x[i] - x[i - 1]
            rises += max(d, 0.0)
            falls += max(-d, 0.0)
            more += d > 0
            less += d < 0
        if i > w:
            d = x[i - w] - x[i - w - 1]
            rises -= max(d, 0.0)
            falls -= max(-d, 0.0)
            more -= d > 0
            less -= d < 0
        full, size = i >= w, rises + falls + TINY
        out[ups, i], out[ups + 1, i] = (rises / size, falls / size) if full else (np.nan, np.nan)
        out[ups + 2, i] = (rises - falls) / size if full else np.nan
        if downs >= 0:
            out[downs, i], out[downs + 1, i] = (more / w, less / w) if full else (np.nan, np.nan)
            out[downs + 2, i] = (more - less) / w if full else np.nan


@njit(nogil=True)
def one(O, H, L, C, V, out, room):
    candles(O, H, L, C, out)
    log_volume, change, volume_change, weight, mean, deviation = room
    derived(C, V, log_volume, change, volume_change, weight)
    for k in range(W5.size):
        w, part = W5[k], out[FIRST + k * EACH : FIRST + (k + 1) * EACH]
        levels(C, V, weight, w, mean, deviation, part)
        correlation(C, log_volume, w, part[CORR])
        correlation(change, volume_change, w, part[CORD])
        line(C, w, part)
        extremes(H, L, C, w, part)
        order(C, w, part)
        sums(C, w, SUMP, CNTP, part)
        sums(V, w, VSUMP, -1, part)


def run(columns: list[np.ndarray], threads: int = 1) -> np.ndarray:
    """Return (instruments, 158, days) float32 in the order of `ORDER`, of open, high, low, close and volume."""
    n, days = columns[0].shape
    made = np.empty((n, 158, days), np.float32)

    def work(rows: Iterable[int]) -> None:
        room = tuple(np.empty((6, days)))
        for k in rows:
            one(*(each[k] for each in columns), made[k], room)

    if threads == 1:
        work(range(n))
        return made
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, np.array_split(np.arange(n), threads)))
    return made
