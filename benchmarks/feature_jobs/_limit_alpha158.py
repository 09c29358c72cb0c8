"""The limit of `alpha158`: all 158 features of an instrument in one pass a window, running sums, a sorted window."""

# mypy: ignore-errors
# ruff: noqa: E741

from __future__ import annotations

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


@njit
def ssums(x, w, m, sd):  # rolling mean and sample std
    s = 0.0
    q = 0.0
    for i in range(x.size):
        s += x[i]
        q += x[i] * x[i]
        if i >= w:
            s -= x[i - w]
            q -= x[i - w] * x[i - w]
        if i >= w - 1:
            m[i] = s / w
            sd[i] = np.sqrt(max(q - s * s / w, 0.0) / (w - 1))
        else:
            m[i] = np.nan
            sd[i] = np.nan


@njit
def corr(x, y, w, o):
    sx = 0.0
    sy = 0.0
    xx = 0.0
    yy = 0.0
    xy = 0.0
    for i in range(x.size):
        sx += x[i]
        sy += y[i]
        xx += x[i] * x[i]
        yy += y[i] * y[i]
        xy += x[i] * y[i]
        if i >= w:
            a = x[i - w]
            b = y[i - w]
            sx -= a
            sy -= b
            xx -= a * a
            yy -= b * b
            xy -= a * b
        if i >= w - 1:
            d = (xx - sx * sx / w) * (yy - sy * sy / w)
            o[i] = (xy - sx * sy / w) / np.sqrt(d) if d > 0 else np.nan
        else:
            o[i] = np.nan


@njit
def one(O, H, L, C, V, out, W5, t1, t2, t3, t4, t5):
    T = C.size
    for i in range(T):
        o, h, l, c = O[i], H[i], L[i], C[i]
        r = h - l + 1e-12
        u = h - max(o, c)
        d = min(o, c) - l
        out[0, i] = (c - o) / o
        out[1, i] = (h - l) / o
        out[2, i] = (c - o) / r
        out[3, i] = u / o
        out[4, i] = u / r
        out[5, i] = d / o
        out[6, i] = d / r
        out[7, i] = (2 * c - h - l) / o
        out[8, i] = (2 * c - h - l) / r
        out[9, i] = o / c
        out[10, i] = h / c
        out[11, i] = l / c
        out[12, i] = (h + l + c) / 3 / c
        t1[i] = np.log(V[i] + 1)
        t2[i] = C[i] / C[i - 1] if i else np.nan
        t3[i] = np.log(V[i] / V[i - 1] + 1) if i else 0.0
        t4[i] = abs(C[i] / C[i - 1] - 1) * V[i] if i else 0.0
    t2[0] = 1.0
    for wi in range(5):
        w = W5[wi]
        b = 13 + wi * 29
        srt = np.empty(w)
        m = np.empty(T)
        sd = np.empty(T)
        ssums(C, w, m, sd)
        for i in range(T):
            out[b + 1, i] = m[i] / C[i]
            out[b + 2, i] = sd[i] / C[i]
        ssums(V, w, m, sd)
        for i in range(T):
            out[b + 23, i] = m[i] / (V[i] + 1e-12)
            out[b + 24, i] = sd[i] / (V[i] + 1e-12)
        ssums(t4, w, m, sd)
        for i in range(T):
            out[b + 25, i] = sd[i] / (m[i] + 1e-12)
        corr(C, t1, w, m)
        for i in range(T):
            out[b + 15, i] = m[i]
        corr(t2, t3, w, m)
        for i in range(T):
            out[b + 16, i] = m[i]
        sy = 0.0
        sxy = 0.0
        syy = 0.0
        cp = 0.0
        cn = 0.0
        sp = 0.0
        sn = 0.0
        vp = 0.0
        vn = 0.0
        ml = 0
        mx = -1
        mn = -1
        N = float(w)
        sx = N * (N + 1) / 2
        sxx = N * (N + 1) * (2 * N + 1) / 6
        D = N * sxx - sx * sx
        for i in range(T):
            c = C[i]
            # regression on x=1..w
            if i >= w:
                old = C[i - w]
                sxy = sxy - sy + N * c
                sy += c - old
                syy += c * c - old * old
            else:
                ml += 1
                sxy += ml * c
                sy += c
                syy += c * c
            if i:
                d = c - C[i - 1]
                e = V[i] - V[i - 1]
                if d > 0:
                    cp += 1
                    sp += d
                elif d < 0:
                    cn += 1
                    sn -= d
                if e > 0:
                    vp += e
                else:
                    vn -= e
            if i > w:
                d = C[i - w] - C[i - w - 1]
                e = V[i - w] - V[i - w - 1]
                if d > 0:
                    cp -= 1
                    sp -= d
                elif d < 0:
                    cn -= 1
                    sn += d
                if e > 0:
                    vp -= e
                else:
                    vn += e
            # sorted window (insertion)
            k = min(i, w)
            if i >= w:
                v = C[i - w]
                j = np.searchsorted(srt[:k], v)
                for q in range(j, k - 1):
                    srt[q] = srt[q + 1]
                k -= 1
            j = np.searchsorted(srt[:k], c)
            for q in range(k, j, -1):
                srt[q] = srt[q - 1]
            srt[j] = c
            # lazy argmax / argmin (rescan only when the extreme leaves)
            if mx < 0 or H[i] >= H[mx]:
                mx = i
            elif mx <= i - w:
                mx = i - w + 1
                for q in range(i - w + 2, i + 1):
                    if H[q] >= H[mx]:
                        mx = q
            if mn < 0 or L[i] <= L[mn]:
                mn = i
            elif mn <= i - w:
                mn = i - w + 1
                for q in range(i - w + 2, i + 1):
                    if L[q] <= L[mn]:
                        mn = q
            if i < w:
                for q in (0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 17, 18, 19, 20, 21, 22, 26, 27, 28):
                    out[b + q, i] = np.nan
                continue
            be = (N * sxy - sx * sy) / D
            ic = (sy - be * sx) / N
            sst = syy - sy * sy / N
            out[b, i] = C[i - w] / c
            out[b + 3, i] = be / c
            out[b + 4, i] = be * be * D / N / sst if sst > 0 else np.nan
            out[b + 5, i] = (c - (ic + be * N)) / c
            out[b + 6, i] = H[mx] / c
            out[b + 7, i] = L[mn] / c
            p = 0.8 * (w - 1)
            q = int(p)
            f = p - q
            out[b + 8, i] = (srt[q] + f * (srt[min(q + 1, w - 1)] - srt[q])) / c
            p = 0.2 * (w - 1)
            q = int(p)
            f = p - q
            out[b + 9, i] = (srt[q] + f * (srt[q + 1] - srt[q])) / c
            out[b + 10, i] = (j + 1) / N
            out[b + 11, i] = (c - L[mn]) / (H[mx] - L[mn] + 1e-12)
            a1 = (mx - (i - w)) / N
            a2 = (mn - (i - w)) / N
            out[b + 12, i] = a1
            out[b + 13, i] = a2
            out[b + 14, i] = a1 - a2
            out[b + 17, i] = cp / N
            out[b + 18, i] = cn / N
            out[b + 19, i] = (cp - cn) / N
            s = sp + sn + 1e-12
            out[b + 20, i] = sp / s
            out[b + 21, i] = sn / s
            out[b + 22, i] = (sp - sn) / s
            s = vp + vn + 1e-12
            out[b + 26, i] = vp / s
            out[b + 27, i] = vn / s
            out[b + 28, i] = (vp - vn) / s


@njit
def fill(O, H, L, C, V, OUT, W5):
    T = C.shape[1]
    b1 = np.empty(T)
    b2 = np.empty(T)
    b3 = np.empty(T)
    b4 = np.empty(T)
    b5 = np.empty(T)
    for s in range(C.shape[0]):
        one(O[s], H[s], L[s], C[s], V[s], OUT[s], W5, b1, b2, b3, b4, b5)


def run(O: np.ndarray, H: np.ndarray, L: np.ndarray, C: np.ndarray, V: np.ndarray) -> np.ndarray:
    """Return (instruments, 158, days) float32 in the order of `ORDER`."""
    made = np.empty((C.shape[0], 158, C.shape[1]), np.float32)
    fill(O, H, L, C, V, made, W5)
    return made
