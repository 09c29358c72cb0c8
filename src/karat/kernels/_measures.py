"""Performance and risk measures of a return series: the one implementation for training, evidence and reports.

| symbol | meaning | shape | unit |
|---|---|---|---|
| r | simple net returns, one per period, in time order | (n,) float64 | fraction |
| P | `periods_per_year` | scalar | 1/year |
| e | equity after each period, starting from 1: cumprod(1 + r) | (n,) float64 | multiple |
| d | drawdown 1 - e / running maximum of (1, e) | (n,) float64 | fraction, 0 = at the top |

Invariants:
1. NaN is a missing period: it is dropped, it is never zero. Infinite values are refused.
2. Too little data, or a ratio with nothing below the line, gives NaN, never infinity and never a warning.
3. Nothing is assumed about the calendar: whatever is per year takes `periods_per_year` as an argument.
4. Losses and drawdowns are positive numbers; ratios are higher-is-better.
5. Once a return of -1 or less has wiped out the equity it stays at zero.

Plain numpy; pure functions of arrays and scalars. Order of the periods matters for drawdowns only.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_FLAT = 1e-12
"""A spread below this share of the largest value is rounding, not variation: the ratio over it is undefined."""


def total_return(returns: ArrayLike) -> float:
    """Return the compounded return over the whole series, a fraction (return on investment).

    Example:
        >>> round(total_return([0.10, -0.05]), 6)
        0.045
    """
    r = _clean(returns)
    return float(_equity(r)[-1] - 1.0) if len(r) else math.nan


def annual_return(returns: ArrayLike, *, periods_per_year: float) -> float:
    """Return the compounded growth rate per year, e_n^(P/n) - 1; -1 after ruin."""
    r, scale = _clean(returns), _per_year(periods_per_year)
    return float(_equity(r)[-1] ** (scale / len(r)) - 1.0) if len(r) else math.nan


def volatility(returns: ArrayLike, *, periods_per_year: float, ddof: int = 1) -> float:
    """Return the standard deviation per year, std(r, ddof) sqrt(P); NaN for n <= ddof."""
    r, scale = _clean(returns), _per_year(periods_per_year)
    return float(np.std(r, ddof=ddof) * math.sqrt(scale)) if len(r) > ddof else math.nan


def sharpe(returns: ArrayLike, *, periods_per_year: float, risk_free: float = 0.0, ddof: int = 1) -> float:
    """Return the Sharpe ratio per year: mean(r - f) / std(r, ddof) sqrt(P); NaN for n <= ddof or constant returns.

    risk_free: f, the return per period (not per year) of the riskless asset, a fraction. ddof: 1 divides by n - 1.

    Source: Sharpe (1994), "The Sharpe Ratio"; annualised for independent returns, Lo (2002) eq. 9.

    Example:
        >>> round(sharpe([0.01, 0.03], periods_per_year=2), 6)
        2.0
    """
    r, scale = _clean(returns), _per_year(periods_per_year)
    if len(r) <= ddof:
        return math.nan
    return _ratio(float(np.mean(r)) - risk_free, float(np.std(r, ddof=ddof)), r) * math.sqrt(scale)


def sortino(returns: ArrayLike, *, periods_per_year: float, target: float = 0.0) -> float:
    """Return the Sortino ratio per year: mean(r - t) / sqrt(mean(min(r - t, 0)^2)) sqrt(P); NaN when none is below t.

    target: t, a return per period. The downside deviation divides by all n periods, not by the losing ones.

    Source: Sortino and Price (1994).
    """
    r, scale = _clean(returns), _per_year(periods_per_year)
    if len(r) == 0:
        return math.nan
    excess = r - target
    return _ratio(float(np.mean(excess)), math.sqrt(float(np.mean(np.minimum(excess, 0.0) ** 2))), r) * math.sqrt(scale)


def information_ratio(returns: ArrayLike, benchmark: ArrayLike, *, periods_per_year: float) -> float:
    """Return the Sharpe ratio per year of returns - benchmark, (n,) each; a period missing in either is dropped."""
    r, b = np.asarray(returns, dtype=np.float64), np.asarray(benchmark, dtype=np.float64)
    if r.shape != b.shape:
        raise ValueError(f"benchmark: got shape {b.shape}; allowed: {r.shape}, one value for each return")
    return sharpe(r - b, periods_per_year=periods_per_year)


def drawdowns(returns: ArrayLike) -> Floats:
    """Return d, (n,): the fraction lost since the highest equity so far, the start included; NaN is dropped."""
    e = _equity(_clean(returns))
    return 1.0 - e / np.maximum.accumulate(np.maximum(e, 1.0))


def max_drawdown(returns: ArrayLike) -> float:
    """Return the largest drawdown, a positive fraction: 0 when equity never fell, 1 after ruin.

    Example:
        >>> round(max_drawdown([0.10, -0.20, 0.05]), 6)
        0.2
    """
    d = drawdowns(returns)
    return float(d.max()) if len(d) else math.nan


def max_drawdown_periods(returns: ArrayLike) -> int:
    """Return the longest time below an earlier high, in periods; 0 when equity never fell or nothing was observed."""
    below = drawdowns(returns) > 0.0
    ends = np.flatnonzero(~np.r_[below, False])
    return int(np.diff(np.r_[-1, ends]).max() - 1)


def calmar(returns: ArrayLike, *, periods_per_year: float) -> float:
    """Return the growth rate per year over the largest drawdown; NaN when equity never fell."""
    worst = max_drawdown(returns)
    growth = annual_return(returns, periods_per_year=periods_per_year)
    return growth / worst if worst > 0.0 else math.nan


def value_at_risk(returns: ArrayLike, *, level: float = 0.95) -> float:
    """Return the loss per period that a share 1 - level of the periods reaches or exceeds, positive for a loss.

    The k-th worst return with k = ceil(n (1 - level)): the lower empirical quantile, nothing is interpolated.
    """
    r, tail = np.sort(_clean(returns)), _tail(level)
    return float(-r[max(math.ceil(len(r) * tail - _FLAT * len(r)), 1) - 1]) if len(r) else math.nan


def cvar(returns: ArrayLike, *, level: float = 0.95) -> float:
    """Return the mean loss per period over the worst share 1 - level (expected shortfall), positive for a loss.

    The worst n (1 - level) periods, the last of them counted by its fraction; the single worst one when that is
    less than one. Never below `value_at_risk`.

    Source: Rockafellar and Uryasev (2002), proposition 8.

    Example:
        >>> round(cvar([-0.04, -0.02, 0.01, 0.03], level=0.5), 6)
        0.03
    """
    r, tail = np.sort(_clean(returns)), _tail(level)
    if len(r) == 0:
        return math.nan
    mass = max(len(r) * tail, 1.0)
    share = np.clip(mass - np.arange(len(r)), 0.0, 1.0)
    return float(-(r @ share) / mass)


def hit_rate(returns: ArrayLike) -> float:
    """Return the share of positive periods among those that are not zero; NaN when all are zero."""
    r = _clean(returns)
    moved = r[r != 0.0]
    return float(np.mean(moved > 0.0)) if len(moved) else math.nan


def profit_factor(returns: ArrayLike) -> float:
    """Return the sum of gains over the sum of losses; NaN when nothing was lost."""
    r = _clean(returns)
    lost = -float(np.minimum(r, 0.0).sum())
    return float(np.maximum(r, 0.0).sum()) / lost if lost > 0.0 else math.nan


def skewness(returns: ArrayLike) -> float:
    """Return m3 / m2^1.5 with moments over n (no bias correction); 0 for a normal, NaN for constant returns."""
    return _moment_ratio(_clean(returns), 3)


def kurtosis(returns: ArrayLike) -> float:
    """Return m4 / m2^2 with moments over n, raw: 3 for a normal (not the excess), NaN for constant returns."""
    return _moment_ratio(_clean(returns), 4)


def annual_turnover(turnover: ArrayLike, *, periods_per_year: float) -> float:
    """Return the mean of a per-period turnover (traded value over equity, both sides) times P; NaN is dropped."""
    traded, scale = _clean(turnover), _per_year(periods_per_year)
    return float(np.mean(traded) * scale) if len(traded) else math.nan


def _clean(values: ArrayLike) -> Floats:
    series = np.asarray(values, dtype=np.float64)
    if series.ndim != 1:
        raise ValueError(f"returns: got shape {series.shape}; allowed: one dimension, one value per period")
    series = series[~np.isnan(series)]
    if not np.isfinite(series).all():
        raise ValueError("returns: got an infinite value; allowed: finite fractions, NaN for a missing period")
    return series


def _equity(r: Floats) -> Floats:
    return np.multiply.accumulate(np.maximum(1.0 + r, 0.0), dtype=np.float64)


def _ratio(above: float, below: float, r: Floats) -> float:
    return above / below if _varies(below, r) else math.nan


def _moment_ratio(r: Floats, order: int) -> float:
    if len(r) == 0:
        return math.nan
    centred = r - r.mean()
    spread = math.sqrt(float(np.mean(centred**2)))
    return float(np.mean((centred / spread) ** order)) if _varies(spread, r) else math.nan


def _varies(spread: float, r: Floats) -> bool:
    return spread > _FLAT * float(np.abs(r).max(initial=0.0))


def _per_year(periods_per_year: float) -> float:
    if not (math.isfinite(periods_per_year) and periods_per_year > 0):
        raise ValueError(f"periods_per_year: got {periods_per_year!r}; allowed: above 0, e.g. 252 for trading days")
    return float(periods_per_year)


def _tail(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: got {level!r}; allowed: between 0 and 1, e.g. 0.95 for the worst 5 %")
    return 1.0 - float(level)
