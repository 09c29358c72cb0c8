"""What regimes are read from: measures of the last few rows of one instrument.

| symbol | meaning | shape | unit |
|---|---|---|---|
| p_t, h_t, l_t | close, high, low | (n,) | price |
| q_t | volume | (n,) | shares |
| r_t | ln p_t - ln p_{t-1} | (n,) | log return per bar |
| M_t | `market_return`: simple return of the market that the instrument belongs to | (n,) | fraction per bar |
| x_t | the measure | (n, D) | see its formula |

Invariants:
1. x_t reads rows t - window + 1 to t and no others: computed on these rows alone it is the same number.
2. x is NaN in the first window - 1 rows and where it is not finite (a flat price has no log volatility).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Columns = Mapping[str, Floats]


@dataclass(frozen=True)
class Measure:
    """A measure of one instrument.

    columns: what it reads of a panel. window: rows that a value reads, its own included. formula: as documented.
    compute: maps (n,) finite columns to (n, D) float64.
    """

    name: str
    columns: tuple[str, ...]
    window: int
    formula: str
    compute: Callable[[Columns], Floats]

    def of(self, columns: Columns) -> Floats:
        """Return x, (n, D), NaN where there is none; columns: (n,) each, finite."""
        n = len(next(iter(columns.values())))
        with np.errstate(divide="ignore", invalid="ignore"):
            if n < self.window:  # too short for a single value: as many columns as there would be
                size = self.compute({name: np.ones(self.window) for name in columns}).shape[1]
                return np.full((n, size), np.nan)
            x = self.compute(columns)
        return np.where(np.isfinite(x), x, np.nan)


def _log_returns(close: Floats) -> Floats:
    """Return (n,) log returns, NaN in the first row."""
    return np.concatenate([[np.nan], np.diff(np.log(close))])


def _rolling(values: Floats, window: int, reduce: Callable[[Floats], Floats]) -> Floats:
    """Return (n,) `reduce` over each row of (n - window + 1, window) windows, NaN before the first."""
    out = np.full(len(values), np.nan)
    out[window - 1 :] = reduce(sliding_window_view(values, window))
    return out


def _mean(values: Floats, window: int) -> Floats:
    return _rolling(values, window, lambda rows: rows.mean(axis=1))


def _deviation(values: Floats, window: int) -> Floats:
    return _rolling(values, window, lambda rows: rows.std(axis=1, ddof=1))


def _sum(values: Floats, window: int) -> Floats:
    return _rolling(values, window, lambda rows: rows.sum(axis=1))


def _back(values: Floats, bars: int) -> Floats:
    """Return values less those `bars` rows before, NaN before there are any."""
    out = np.full(len(values), np.nan)
    out[bars:] = values[bars:] - values[:-bars]
    return out


def _illiquidity(columns: Columns, window: int) -> Floats:
    """Return the sum of absolute log returns over the sum of traded values (Amihud, 2002, as a ratio of sums)."""
    moved = np.abs(_log_returns(columns["close"]))
    return _sum(moved, window) / _sum(columns["close"] * columns["volume"], window)


def _thin(columns: Columns) -> Floats:
    return np.log(_illiquidity(columns, 20) / _illiquidity(columns, 250))


def _spread_of_returns(columns: Columns) -> Floats:
    return _deviation(_log_returns(columns["close"]), 20)[:, None]


def _liquidity(columns: Columns) -> Floats:
    return _thin(columns)[:, None]


def _rotation(columns: Columns) -> Floats:
    own = _back(np.log(columns["close"]), 60)
    return (own - _sum(np.log1p(columns["market_return"]), 60))[:, None]


def _vix(columns: Columns) -> Floats:
    return columns["vix"][:, None]


def _trend_and_volatility(columns: Columns) -> Floats:
    returns = _log_returns(columns["close"])
    return np.column_stack([_mean(returns, 20), np.log(_deviation(returns, 20))])


def _returns(columns: Columns) -> Floats:
    return _log_returns(columns["close"])[:, None]


def _market_state(columns: Columns) -> Floats:
    close, high, low, volume = (columns[name] for name in ("close", "high", "low", "volume"))
    log_close, returns = np.log(close), _log_returns(close)
    squares, losses = returns**2, np.minimum(returns, 0.0) ** 2
    usual = _deviation(returns, 250)
    highest = _rolling(close, 250, lambda rows: rows.max(axis=1))
    lowest = _rolling(close, 250, lambda rows: rows.min(axis=1))
    parts = [
        *(_back(log_close, bars) / (usual * np.sqrt(bars)) for bars in (1, 5, 20, 60, 120)),
        *(np.log(_deviation(returns, bars) / usual) for bars in (5, 20, 60)),
        np.log(_deviation(returns, 20)),
        _sum(losses, 20) / _sum(squares, 20),
        np.log(close / highest) / usual,
        np.log(close / lowest) / usual,
        np.log(_mean(np.log(high / low), 20)),
        np.log(close / _mean(close, 50)) / usual,
        np.log(close / _mean(close, 200)) / usual,
        np.log(_mean(volume, 5) / _mean(volume, 60)),
        _thin(columns),
    ]
    return np.column_stack(parts)


RETURN_20, RETURN_60, LOUDNESS, LOG_VOLATILITY_20 = 2, 3, 6, 8
"""Columns of `MARKET_STATE` that its states are named by."""

_CLOSE: Final = ("close",)
VOLATILITY: Final = Measure("volatility_20", _CLOSE, 21, "sample deviation of the last 20 r", _spread_of_returns)
LIQUIDITY: Final = Measure(
    "illiquidity_20_250",
    ("close", "volume"),
    251,
    "ln of (sum of |r| / sum of p q) over 20 bars, less the same over 250",
    _liquidity,
)
ROTATION: Final = Measure(
    "relative_strength_60",
    ("close", "market_return"),
    61,
    "ln p[t] / p[t-60] less the sum of the last 60 ln(1 + M)",
    _rotation,
)
VIX: Final = Measure("vix", ("vix",), 1, "vix[t], index points", _vix)
TREND_AND_VOLATILITY: Final = Measure(
    "trend_and_volatility_20",
    _CLOSE,
    21,
    "mean of the last 20 r; ln of their sample deviation",
    _trend_and_volatility,
)
RETURNS: Final = Measure("log_return", _CLOSE, 2, "r[t]", _returns)
MARKET_STATE: Final = Measure(
    "market_state",
    ("close", "high", "low", "volume"),
    251,
    "17 columns, d the deviation of r over 250 bars: returns over 1, 5, 20, 60, 120 bars in deviations; ln of the "
    "deviation over 5, 20, 60 to d; ln of that over 20; share of losses in squared r over 20; ln p over its highest "
    "and lowest of 250 in d; ln of the mean high-low range over 20; ln p over its mean of 50 and 200 in d; ln of "
    "volume over 5 to 60; illiquidity_20_250",
    _market_state,
)
