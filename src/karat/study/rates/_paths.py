"""Series that worlds are made of: signals, volatility, shocks, and returns that really happened.

| symbol | meaning | shape |
|---|---|---|
| x | AR(1) with variance 1 and a half-life in days | (T, m) |
| z | standardised Student-t shock, 5 degrees of freedom, cut at 12; instruments share a factor | (T, N) |
| h | GARCH(1,1) variance with mean 1, h_t = 0.02 + 0.06 e_{t-1}^2 + 0.92 h_{t-1}, e = sqrt(h) z | (T, N) |

Invariants:
1. Every draw comes from the generator it is given; the same one gives the same series.
2. h_t is known before z_t.
"""

from __future__ import annotations

import functools
import math
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

from karat.data import open_source

Floats = NDArray[np.float64]

YEAR: Final = 252.0
VOLATILITY: Final = 0.16
"""Of a year, about that of an equity index."""
FREEDOM: Final = 5.0
_ALPHA, _BETA = 0.06, 0.92  # daily equity indices, e.g. Bollerslev (1986) to date: a small, b large, a + b near 1
_LARGEST: Final = 12.0


def ar1(rng: np.random.Generator, days: int, half_lives: Floats | float, count: int) -> Floats:
    """Return (T, m) signals, each with variance 1 and its half-life in days; stationary from the first day."""
    from scipy.signal import lfilter

    phi = np.broadcast_to(0.5 ** (1.0 / np.asarray(half_lives, dtype=np.float64)), (count,))
    noise = rng.standard_normal((days, count)) * np.sqrt(1.0 - phi**2)
    noise[0] /= np.sqrt(1.0 - phi**2)
    out = np.empty_like(noise)
    for k in range(count):
        out[:, k] = lfilter([1.0], [1.0, -phi[k]], noise[:, k])
    return out


def shocks(rng: np.random.Generator, days: int, instruments: int = 1, correlation: float = 0.0) -> Floats:
    """Return (T, N) z; instruments share a normal factor and the day's tail."""
    common, own = rng.standard_normal((days, 1)), rng.standard_normal((days, instruments))
    normal = math.sqrt(correlation) * common + math.sqrt(1.0 - correlation) * own
    mixing = rng.chisquare(FREEDOM, (days, 1)) / FREEDOM
    return np.clip(normal / np.sqrt(mixing) * math.sqrt((FREEDOM - 2.0) / FREEDOM), -_LARGEST, _LARGEST)


def garch(z: Floats) -> Floats:
    """Return (T, N) h of the shocks."""
    factor = _ALPHA * z**2 + _BETA
    rest = 1.0 - _ALPHA - _BETA
    paths = [accumulate(column, lambda h, f: rest + f * h, initial=1.0) for column in factor[:-1].T.tolist()]
    return np.ascontiguousarray(np.array([list(path) for path in paths]).T)


def sigmas(z: Floats) -> Floats:
    """Return (T, N) the volatility of each day's return, fraction, as the shocks drive it."""
    return VOLATILITY / math.sqrt(YEAR) * np.sqrt(garch(z))


@functools.lru_cache(maxsize=1)
def real_returns() -> Floats:
    """Return (n,) daily simple returns of the Nasdaq Composite, 1999 to 2018, as they happened."""
    close = open_source("bundled", {"dataset": "nasdaq"}).load().frame["close"].to_numpy()
    return np.asarray(close[1:] / close[:-1] - 1.0)


def own_past(returns: Floats, window: int) -> Floats:
    """Return (T, N) the sum of the last `window` returns over their typical size, about variance 1, 0 before it."""
    total = np.cumsum(np.vstack([np.zeros((1, returns.shape[1])), returns]), axis=0)
    square = np.cumsum(np.vstack([np.zeros((1, returns.shape[1])), returns**2]), axis=0)
    out = np.zeros_like(returns)
    size = np.sqrt(np.maximum(square[window:] - square[:-window], 1e-12))
    out[window - 1 :] = (total[window:] - total[:-window]) / size
    return np.clip(out, -3.0, 3.0)
