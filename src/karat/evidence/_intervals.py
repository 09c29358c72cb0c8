"""Intervals and averages: what a number would have been in another draw of the same history, or another seed.

Invariants:
1. Series in time are resampled in blocks (stationary bootstrap); exchangeable samples (seeds, runs) one by one.
2. Every interval is two-sided at `level` and deterministic in its seed.
3. NaN rows are left out first; a resample on which the statistic is undefined is left out and counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from karat._words import counted
from karat.core import InputError, derive_seed, generator
from karat.evidence._draws import block_length, count_draws, index_draws
from karat.evidence._max_t import whole_numbers
from karat.evidence._shapes import Floats
from karat.kernels import max_drawdown, sharpe, total_return

Statistic = Callable[[Floats], float]
MIN_GOLDEN_RUNS: Final = 5
"""Repetitions below which a mean over seeds is not called golden."""
_FLAT_SHARE: Final = 1e-13
"""A variance below this share of the largest square is rounding."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its bounds. `undefined` counts resamples on which the statistic had no value."""

    estimate: float
    lower: float
    upper: float
    level: float
    undefined: int = 0


@dataclass(frozen=True)
class Aggregate:
    """Mean, standard deviation (n - 1) and Student interval of repeated runs."""

    n: int
    mean: float
    sd: float
    lower: float
    upper: float
    level: float


def bootstrap_interval(
    series: Floats,
    statistic: Statistic,
    *,
    block: float,
    draws: int = 2000,
    level: float = 0.90,
    seed: int,
) -> Interval:
    """Return the percentile interval of `statistic` over stationary-bootstrap resamples of (n,) `series`.

    The statistic takes (n,) in resampled order and returns a float. `block` in bars, see `block_length`. All bounds
    are NaN where the statistic is undefined on the series itself or on more than half the resamples.
    Source: Politis and Romano (1994).

    Raises:
        InputError: a level outside (0, 1) or fewer than two values.

    Example:
        >>> x = np.arange(100.0)
        >>> bootstrap_interval(x, np.mean, block=1.0, seed=1).estimate
        49.5
    """
    _require_level(level)
    values = series[np.isfinite(series)]
    estimate = float(statistic(values)) if len(values) > 1 else math.nan
    chunks = index_draws(len(values), block=block, draws=draws, seed=seed)
    found = np.array([float(statistic(values[row])) for chunk in chunks for row in chunk])
    good = found[np.isfinite(found)]
    undefined = draws - len(good)
    if not math.isfinite(estimate) or len(good) * 2 < draws:
        return Interval(estimate, math.nan, math.nan, level, undefined)
    lower, upper = np.quantile(good, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(lower), float(upper), level, undefined)


def sharpe_interval(
    returns: Floats, *, periods_per_year: float, block: float, draws: int = 2000, level: float = 0.90, seed: int
) -> Interval:
    """Return `bootstrap_interval` of the annual Sharpe ratio of (n,) simple returns, from counts of dates.

    The draws are the same and the bounds agree up to rounding; the sums over them are exact, so that they are the same
    on every machine. Bounds are NaN, and resamples undefined, where returns do not vary.

    Raises:
        InputError: a level outside (0, 1).
    """
    _require_level(level)
    values = returns[np.isfinite(returns)]
    estimate = sharpe(values, periods_per_year=periods_per_year)
    if not math.isfinite(estimate):
        return Interval(estimate, math.nan, math.nan, level, draws)
    n, mean, spread = len(values), float(values.mean()), float(values.std())
    z = (values - mean) / spread
    whole, step = whole_numbers(np.column_stack([z, z**2]))
    sums = np.concatenate([chunk @ whole for chunk in count_draws(n, block=block, draws=draws, seed=seed)]) * step
    variance = (sums[:, 1] - sums[:, 0] ** 2 / n) / (n - 1)
    varies = variance > _FLAT_SHARE * float((z**2).max())
    found = (mean / spread + sums[varies, 0] / n) / np.sqrt(variance[varies]) * math.sqrt(periods_per_year)
    undefined = draws - len(found)
    if len(found) * 2 < draws:
        return Interval(estimate, math.nan, math.nan, level, undefined)
    lower, upper = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(lower), float(upper), level, undefined)


def performance_intervals(
    returns: Floats, *, periods_per_year: float, draws: int = 2000, level: float = 0.90, seed: int
) -> dict[str, Interval]:
    """Return intervals of `roi` (fraction), `sharpe` (annual) and `max_drawdown` (fraction) of (n,) simple returns.

    One block length and the same draws for all three.
    """
    block = block_length(returns)
    measures: dict[str, Statistic] = {
        "roi": total_return,
        "sharpe": partial(sharpe, periods_per_year=periods_per_year),
        "max_drawdown": max_drawdown,
    }
    return {
        name: bootstrap_interval(returns, measure, block=block, draws=draws, level=level, seed=seed)
        for name, measure in measures.items()
    }


def bca_interval(
    sample: Floats, statistic: Statistic, *, draws: int = 2000, level: float = 0.95, seed: int
) -> Interval:
    """Return the bias-corrected and accelerated interval of an exchangeable sample (n,) or (n, k), rows resampled.

    z0 from the share of resamples below the estimate, acceleration from the jackknife. Source: Efron (1987).
    A sample that cannot vary gives the estimate as both bounds.

    Raises:
        InputError: a level outside (0, 1) or fewer than three rows.
    """
    _require_level(level)
    n = len(sample)
    if n < 3:
        raise InputError("sample", counted(n, "row"), allowed="3 or more")
    estimate = float(statistic(sample))
    rows = generator(seed, "bca", n, draws).integers(0, n, (draws, n))
    found = np.sort([float(statistic(sample[row])) for row in rows])
    if found[0] == found[-1]:
        return Interval(estimate, estimate, estimate, level)
    without = np.array([float(statistic(np.delete(sample, k, axis=0))) for k in range(n)])
    pull = without.mean() - without
    power = float((pull**2).sum()) ** 1.5
    acceleration = float((pull**3).sum()) / (6.0 * power) if power > 0 else 0.0
    below = ((found < estimate).sum() + (found <= estimate).sum()) / 2.0
    bias = float(ndtri(min(max(below / draws, 0.5 / draws), 1 - 0.5 / draws)))
    z = bias + ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    lower, upper = np.quantile(found, ndtr(bias + z / (1.0 - acceleration * z)))
    return Interval(estimate, float(lower), float(upper), level)


def aggregate(values: Sequence[float] | Floats, *, level: float = 0.95) -> Aggregate:
    """Return mean, SD and Student interval of runs; NaN values are left out. One run has no SD and no bounds.

    Raises:
        InputError: no value at all, or a level outside (0, 1).

    Example:
        >>> aggregate([1.0, 2.0, 3.0]).mean
        2.0
    """
    _require_level(level)
    runs = np.asarray(values, dtype=np.float64)
    runs = runs[np.isfinite(runs)]
    n = len(runs)
    if n == 0:
        raise InputError("values", "no finite value", allowed="one or more")
    mean = float(runs.mean())
    if n == 1:
        return Aggregate(1, mean, math.nan, math.nan, math.nan, level)
    sd = float(runs.std(ddof=1))
    half = float(stdtrit(n - 1, (1 + level) / 2)) * sd / math.sqrt(n)
    return Aggregate(n, mean, sd, mean - half, mean + half, level)


def run_seeds(seed: int, runs: int, *, golden: bool = False) -> tuple[int, ...]:
    """Return the seeds of repeated runs, derived from one; more runs keep the first ones.

    Raises:
        InputError: no runs, or fewer than five in anything called golden.
    """
    lowest = MIN_GOLDEN_RUNS if golden else 1
    if runs < lowest:
        why = "a golden result needs repeated runs" if golden else None
        raise InputError("runs", runs, allowed=f"{lowest} or more", why=why)
    return tuple(derive_seed(seed, "run", k) for k in range(runs))


def _require_level(level: float) -> None:
    if not 0 < level < 1:
        raise InputError("level", level, allowed="between 0 and 1")
