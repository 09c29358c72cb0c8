"""qlib's Alpha158 by its formulas, window by window, over full windows only: loops and numpy's own statistics.

Separately written from karat's engine; names, order and formulas are those of `qlib.contrib.data.loader.Alpha158DL`,
with the typical price for the volume-weighted one. `tests/golden/features/alpha158` holds what qlib itself gives.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

WINDOWS = (5, 10, 20, 30, 60)
TINY = 1e-12


def bar(o: float, h: float, low: float, c: float) -> dict[str, float]:
    span = h - low + TINY
    return {
        "kmid": (c - o) / o, "klen": (h - low) / o, "kmid2": (c - o) / span, "kup": (h - max(o, c)) / o,
        "kup2": (h - max(o, c)) / span, "klow": (min(o, c) - low) / o, "klow2": (min(o, c) - low) / span,
        "ksft": (2 * c - h - low) / o, "ksft2": (2 * c - h - low) / span,
        "open0": o / c, "high0": h / c, "low0": low / c, "vwap0": (h + low + c) / 3 / c,
    }  # fmt: skip


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def changes(c: np.ndarray, before: np.ndarray, v: np.ndarray, volume_before: np.ndarray) -> float:
    """Correlation of the changes of price and volume after a bar that had volume, NaN where one deviates by 2e-5."""
    kept = volume_before > 0
    if kept.sum() < 2:
        return float("nan")
    x, y = (c / before)[kept], np.log(v[kept] / volume_before[kept] + 1)
    return float("nan") if min(x.std(ddof=1), y.std(ddof=1)) <= 2e-5 else float(np.corrcoef(x, y)[0, 1])


def line(y: np.ndarray) -> tuple[float, float, float]:
    x = np.arange(1.0, len(y) + 1)
    slope, level = np.polyfit(x, y, 1)
    return float(slope), correlation(x, y) ** 2, float(y[-1] - (level + slope * x[-1]))


def window(t: int, w: int, columns: dict[str, np.ndarray]) -> dict[str, float]:
    h, low, c, v = (columns[name][t - w + 1 : t + 1] for name in ("high", "low", "close", "volume"))
    before, volume_before = columns["close"][t - w : t], columns["volume"][t - w : t]
    now, moves, flows = c[-1], c - before, v - volume_before
    slope, fit, left = line(c)
    up, down = np.maximum(moves, 0).sum(), np.maximum(-moves, 0).sum()
    more, less = np.maximum(flows, 0).sum(), np.maximum(-flows, 0).sum()
    size, flow = np.abs(moves).sum() + TINY, np.abs(flows).sum() + TINY
    weight = np.abs(c / before - 1) * v
    rising, falling = float((moves > 0).mean()), float((moves < 0).mean())
    top, bottom = int(np.argmax(h)) + 1, int(np.argmin(low)) + 1  # the first of equal ones
    return {
        "roc": before[0] / now, "ma": c.mean() / now, "std": c.std(ddof=1) / now, "beta": slope / now, "rsqr": fit,
        "resi": left / now, "max": h.max() / now, "min": low.min() / now, "qtlu": np.quantile(c, 0.8) / now,
        "qtld": np.quantile(c, 0.2) / now, "rank": rankdata(c)[-1] / w,
        "rsv": (now - low.min()) / (h.max() - low.min() + TINY), "imax": top / w, "imin": bottom / w,
        "imxd": (top - bottom) / w, "corr": correlation(c, np.log(v + 1)),
        "cord": changes(c, before, v, volume_before), "cntp": rising, "cntn": falling,
        "cntd": rising - falling, "sump": up / size, "sumn": down / size, "sumd": (up - down) / size,
        "vma": v.mean() / (v[-1] + TINY), "vstd": v.std(ddof=1) / (v[-1] + TINY),
        "wvma": weight.std(ddof=1) / (weight.mean() + TINY), "vsump": more / flow, "vsumn": less / flow,
        "vsumd": (more - less) / flow,
    }  # fmt: skip


def alpha158(t: int, columns: dict[str, np.ndarray]) -> dict[str, float]:
    """The 158 values of row t, which must have 60 rows before it."""
    made = bar(*(float(columns[name][t]) for name in ("open", "high", "low", "close")))
    for w in WINDOWS:
        made |= {f"{name}{w}": float(value) for name, value in window(t, w, columns).items()}
    return made
