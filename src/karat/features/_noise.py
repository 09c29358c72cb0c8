"""Noise: a column that is another one, a transform or an older value of it, with something added that is news to all.

| symbol | meaning | shape |
|---|---|---|
| y, x | two columns, x of up to 20 bars ago | (n,) |
| f | the monotone function of x that is nearest to the ranks of y in squares | |
| e | ranks of y less f(x) | (n,) |

A function of bars that resembles another one without being it differs from it by something that is a function of bars
too: e follows from its own past, as windows overlap, or goes along with some other column, if only where x is high, or
far from its middle. Noise does neither. So y is x with noise where the two are related, and no correlation of e with
its own past of 1 to 20 bars, nor of e, e sign(x) and +-e (far from the middle of x or near it) with any other column,
is further from 0 than chance takes it: 5 / sqrt(n), which 1,500 correlations of pure noise exceed once in 1,000 draws.

Not seen: noise so loud that y and x are related by less than 0.3 (three times the deviation of x).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.stats import rankdata

from karat.features._spec import Floats

Ranks = NDArray[np.float32]

_RELATED: Final = 0.3
_CHANCE: Final = 5.0
_LAGS: Final = 20
_TRIED: Final = 3  # near relations of a column are each other's: the true one is among the first
_ROWS: Final = 2_500  # ten years; in four, a rank and a z-score of volume in a window cannot be told from noise
_OTHERS: Final = 10  # with fewer columns to go along with, news and noise look the same


def noisy(values: Floats, limit: float) -> list[tuple[int, int, int, float]]:
    """Return (column, the other, bars ago, their absolute rank correlation) of columns that are another one with noise.

    values: (n, p) finite, none constant. Fewer than 2,500 rows or 12 columns cannot tell and give nothing.
    """
    n, p = values.shape
    if n < _ROWS or p < _OTHERS + 2:
        return []
    whole = ranks(values)
    close = np.stack([shifted(whole, lag) for lag in range(_LAGS + 1)])  # (lags, y, x)
    close[:, np.arange(p), np.arange(p)] = 0.0
    close[close > limit] = 0.0  # a clash of another kind
    found = []
    for k in range(p):
        now = [(int(c), 0) for c in np.argsort(-close[0, k])[:_TRIED]]
        before = np.argsort(-close[1:, k].ravel())[:_TRIED]
        for c, lag in [*now, *((int(place % p), int(place // p) + 1) for place in before)]:
            related = float(close[lag, k, c])
            if related >= _RELATED and _news(whole, values[: n - lag, c], (k, c), lag):
                found.append((k, c, lag, related))
                break
    return found


def ranks(values: Floats) -> Ranks:
    """Return columns of ranks with mean 0 and length 1, so that a product of two is their rank correlation."""
    made = rankdata(values, axis=0)
    return _unit(made - made.mean(axis=0))


def shifted(whole: Ranks, lag: int) -> Ranks:
    """Return (p, p) absolute correlations of ranks with those of `lag` rows before: nearly rank correlations."""
    if lag == 0:
        return np.asarray(np.abs(whole.T @ whole))
    late, early = whole[lag:], whole[:-lag]
    return np.asarray(np.abs(_unit(late - late.mean(axis=0)).T @ _unit(early - early.mean(axis=0))))


def _news(whole: Ranks, x: Floats, pair: tuple[int, int], lag: int) -> bool:
    """Return whether what x leaves of a column is news: to its own past, and to all columns but the two."""
    y = whole[lag:, pair[0]].astype(np.float64)
    order = np.argsort(x, kind="stable")
    rising = bool(y @ rankdata(x) >= 0.0)
    left = np.empty_like(y)
    left[order] = y[order] - isotonic_regression(y[order], increasing=rising).x
    e = _unit(left - left.mean())
    chance = _CHANCE / np.sqrt(len(e))
    if any(abs(float(e[k:] @ e[:-k])) > chance for k in range(1, _LAGS + 1)):
        return False
    spot = ranks(x[:, None])[:, 0]
    far = np.abs(spot) > np.median(np.abs(spot))
    rest = np.delete(whole[lag:], pair, axis=1)
    rest = _unit(rest - rest.mean(axis=0))
    seen = np.stack([e, e * np.sign(spot), np.where(far, e, -e)], axis=1)
    return bool(np.abs(_unit(seen - seen.mean(axis=0)).T @ rest).max() <= chance)


def _unit(centred: NDArray[Any]) -> Ranks:
    size = np.sqrt((centred * centred).sum(axis=0))
    return np.asarray(centred / np.where(size > 0, size, 1.0), dtype=np.float32)
