"""Trailing-window helpers shared by the features; a value at row t reads rows t - window + 1 to t.

Invariants:
1. Output has the length of the input; the first `window - 1` rows (or `periods` rows of a lag) are NaN.
2. Each row is computed from its own window alone, so that rounding never carries over from older rows.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from karat.features._spec import Floats


def lagged(values: Floats, periods: int) -> Floats:
    """Return (n,) values of `periods` rows ago."""
    out = np.full(len(values), np.nan)
    out[periods:] = values[: len(values) - periods]
    return out


def change(values: Floats, periods: int) -> Floats:
    """Return (n,) relative change over `periods` rows, as a fraction."""
    return values / lagged(values, periods) - 1.0


def rolling_mean(values: Floats, window: int) -> Floats:
    """Return (n,) trailing means."""
    return _padded(sliding_window_view(values, window).mean(axis=1), window)


def rolling_sum(values: Floats, window: int) -> Floats:
    """Return (n,) trailing sums."""
    return _padded(sliding_window_view(values, window).sum(axis=1), window)


def rolling_zscore(values: Floats, window: int) -> Floats:
    """Return (n,) (value - mean) / sample standard deviation of the trailing window; 0 where the window is flat."""
    windows = sliding_window_view(values, window)
    spread = windows.std(axis=1, ddof=1)
    # A flat window leaves rounding noise instead of an exact zero.
    flat = windows.max(axis=1) == windows.min(axis=1)
    score = (windows[:, -1] - windows.mean(axis=1)) / np.where(flat, 1.0, spread)
    return _padded(np.where(flat, 0.0, score), window)


def rolling_rank(values: Floats, window: int) -> Floats:
    """Return (n,) the last value's average rank in its trailing window over the window's length, in (0, 1]."""
    windows = sliding_window_view(values, window)
    last = windows[:, -1:]
    below = (windows < last).sum(axis=1)
    ties = (windows == last).sum(axis=1)
    return _padded((below + (ties + 1) / 2) / window, window)


def ratio(top: Floats, bottom: Floats, *, neutral: float) -> Floats:
    """Return top / bottom, and `neutral` where the denominator is zero (a flat window says nothing)."""
    flat = bottom == 0
    return np.where(flat, neutral, top / np.where(flat, 1.0, bottom))


def _padded(values: Floats, window: int) -> Floats:
    return np.concatenate([np.full(window - 1, np.nan), values])
