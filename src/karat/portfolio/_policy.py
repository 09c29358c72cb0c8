"""Quantiles to weights: volatility target, direction from the edge, overlapping horizons netted, caps.

| symbol | meaning | shape | unit |
|---|---|---|---|
| m, s | median and scale (q95 - q05) / 3.2897 of the forward return over the horizon | (n,) | fraction |
| h, B | bars of the horizon, bars of a year | scalar | bars |
| e | edge m / s | (n,) | scales |
| g | direction clip(e / full_edge, -1, 1), 0 where abs(e) < flat_edge | (n,) | 1 |
| w | decision g vol_target / (s sqrt(B / h)), capped, over the date's number of instruments | (D, N) | equity |

The weight of a date is the mean of the last h decisions, so that a forecast over h bars is held for h bars with 1/h of
the money; 3.2897 is the distance of the two quantiles of a standard normal.

Invariants:
1. The weights of a date depend on forecasts up to that date only.
2. An instrument without a forecast on a date has decided 0 there: no forecast, no position.
3. A forecast without spread (s at most 1e-12) says nothing about risk and gets no money.
4. abs(weight) <= cap for each instrument and their sum <= gross_cap on each date.
5. Nothing depends on the order or the names of the instruments, or on which model made the forecast.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from karat._words import counted
from karat.core import DataError, iso
from karat.data import LEVELS, MEDIAN, Forecast, horizon_bars
from karat.kernels import increasing
from karat.portfolio._positions import Positions
from karat.portfolio._spec import PolicySpec

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LOW: Final = int(np.flatnonzero(LEVELS == 0.05)[0])
_HIGH: Final = int(np.flatnonzero(LEVELS == 0.95)[0])
SPAN: Final = 3.289707253902945
"""Distance of the 5 % and 95 % quantiles of a standard normal: 2 * 1.6448536269514727."""

_NO_SPREAD: Final = 1e-12


def to_positions(forecast: Forecast, spec: PolicySpec | None = None) -> Positions:
    """Return target weights for every date of the forecast and every instrument in it.

    Each row is decided at its ts with the forecasts known then. See the module for the formula.

    Raises:
        DataError: two forecasts for the same instrument and ts.
    """
    spec = spec or PolicySpec()
    bars = horizon_bars(forecast.horizon)
    names, column = np.unique(forecast.instrument, return_inverse=True)
    if len(names) == 1 and increasing(forecast.ts):  # nothing to sort
        ts, row = forecast.ts, np.arange(len(forecast.ts))
    else:
        ts, row = np.unique(forecast.ts, return_inverse=True)
        _check_once(forecast, row * len(names) + column)
    decisions = np.zeros((len(ts), len(names)))
    decisions[row, column] = decide(forecast.quantiles, bars, spec) / np.bincount(row, minlength=len(ts))[row]
    weights = limit_gross(net_overlaps(decisions, bars), spec.gross_cap)
    frame = pl.DataFrame(
        {
            "ts": np.repeat(ts.astype(np.int64), len(names)),
            "instrument": pl.Series(names.tolist() * len(ts), dtype=pl.String),
            "weight": weights.ravel(),
        }
    )
    return Positions(frame, forecast.horizon, forecast.model)


def decide(quantiles: Floats, bars: int, spec: PolicySpec) -> Floats:
    """Return (n,) the weight each forecast asks for on its own, for quantiles (n, 23) of a return over `bars` bars."""
    scale = (quantiles[:, _HIGH] - quantiles[:, _LOW]) / SPAN
    spread = scale > _NO_SPREAD
    safe = np.where(spread, scale, 1.0)
    edge = np.where(spread, quantiles[:, MEDIAN] / safe, 0.0)
    direction = np.clip(edge / spec.full_edge, -1.0, 1.0) * (np.abs(edge) >= spec.flat_edge)
    if spec.mode == "long_flat":
        direction = np.maximum(direction, 0.0)
    size = np.minimum(spec.vol_target_frac / (safe * np.sqrt(spec.bars_per_year / bars)), spec.cap)
    return np.asarray(direction * size, dtype=np.float64)


def net_overlaps(decisions: Floats, bars: int) -> Floats:
    """Return (D, N) the mean of the last `bars` decisions of each instrument; those before the first row are 0."""
    padded = np.vstack([np.zeros((bars - 1, decisions.shape[1])), decisions])
    total = sum((padded[k : k + len(decisions)] for k in range(bars)), np.zeros_like(decisions))
    return np.asarray(total / bars, dtype=np.float64)


def limit_gross(weights: Floats, gross_cap: float) -> Floats:
    """Scale each row whose absolute weights sum to more than `gross_cap` down to it."""
    gross = np.abs(weights).sum(axis=1, keepdims=True)
    return np.asarray(weights * (gross_cap / np.maximum(gross, gross_cap)), dtype=np.float64)


def _check_once(forecast: Forecast, key: Ints) -> None:
    found, first, count = np.unique(key, return_index=True, return_counts=True)
    if len(found) != len(key):
        rows = [f"{forecast.instrument[k]}@{iso(int(forecast.ts[k]))}" for k in first[count > 1]]
        seen, fix = counted(int(count[count > 1][0]), "row"), "pass one model at a time"
        raise DataError("forecast", "one row for each instrument and ts", seen=seen, rows=rows, fix=fix)
