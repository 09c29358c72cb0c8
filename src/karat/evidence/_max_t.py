"""The max-t test: is the selected trial's mean above zero, given everything else that was tried?

| symbol | meaning | shape | unit |
|---|---|---|---|
| X | series, one column a trial | (n, m) | any |
| C | bootstrap counts | (B, n) | |
| s | standard deviation of the resampled means | (m,) | as X |
| c | what makes s a standard error in samples of this size, 1 in the limit | | |
| t | mean / (s c) | (m,) | |
| t* | (resampled mean - mean) / s | (m, B) | |

Step-down (Romano and Wolf 2005, StepM): p of series j is the largest, over every series i with t_i >= t_j, of the
share of draws in which the maximum of t* over {k : t_k <= t_i} reaches t_i.

Invariants:
1. Adding a series never lowers the selected p-value: each set in the formula can only grow.
2. Order and names of the series change nothing, nor do the number of threads and the machine: the sums are exact, as
   values are rounded to whole multiples of a power of two that leave room for n of them in 53 bits.
3. A trial without a usable series counts as an independent one (Sidak): 1 - (1 - p)^(1 + unstored).
4. The smallest p-value is 1 / (B + 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from karat._words import counted
from karat.core import InputError
from karat.evidence._draws import CHUNK, count_draws, fresh_counts
from karat.evidence._shapes import Floats

MIN_OVERLAP: Final = 20
"""A series with fewer values on the selected's dates says nothing about dependence and counts as unstored."""


@dataclass(frozen=True, eq=False)
class MaxT:
    """The test's result: the selected's t, its adjusted and unadjusted p, and what they rest on.

    `p_values` (m,) are adjusted over the stored series only, NaN where a series was too short to be used.
    `unstored` includes those.
    """

    statistic: float
    p_value: float
    p_unadjusted: float
    mean: float
    standard_error: float
    p_values: Floats
    n: int
    series: int
    unstored: int
    block: float
    draws: int


def max_t(
    series: Floats,
    selected: int,
    *,
    block: float,
    draws: int = 2000,
    seed: int,
    unstored: int = 0,
    overlap: int = 1,
) -> MaxT:
    """Test one-sided whether the mean of the selected series is above zero, adjusted for all the others.

    `series` (n, m) float64, one row per date, NaN where a trial has no value; dates on which the selected one has none
    are left out. A constant series has t = 0.
    `overlap`: over how many bars a value sums what its neighbours sum too (the horizon for scores of overlapping
    labels, 1 for returns per bar). Time convention: each row is known when its label has ended.
    Source: Romano and Wolf (2005), Politis and Romano (1994).

    Raises:
        InputError: a shape, column, value or count that makes no sense.

    Example:
        >>> x = np.random.Generator(np.random.Philox(1)).normal(0.2, 1, (500, 1))
        >>> max_t(x, 0, block=2.0, seed=1).p_value < 0.01
        True
    """
    series = np.asarray(series, dtype=np.float64)
    _require(series, selected, unstored, overlap)
    rows = series[np.isfinite(series[:, selected])]
    if len(rows) < 2:
        raise InputError("series", f"{counted(len(rows), 'value')} of the selected", allowed="two or more")
    enough = np.isfinite(rows).sum(axis=0) >= min(MIN_OVERLAP, len(rows))
    left_out = unstored + int((~enough).sum())
    mean, spread, resampled = _resample(rows[:, enough], block=block, draws=draws, seed=seed)
    factor = _small_sample(len(rows), block, overlap)
    flat = spread == 0
    unit = np.where(flat, 1.0, spread)
    t = np.where(flat, 0.0, mean / (unit * factor))
    stars = (resampled - mean[:, None]) / unit[:, None]
    stars[flat] = 0.0
    place = int(enough[:selected].sum())
    adjusted = _step_down(t, stars)
    p_values = np.full(series.shape[1], np.nan)
    p_values[enough] = adjusted
    return MaxT(
        statistic=float(t[place]),
        p_value=_sidak(float(adjusted[place]), left_out),
        p_unadjusted=_share(int((stars[place] >= t[place]).sum()), draws),
        mean=float(mean[place]),
        standard_error=float(spread[place] * factor),
        p_values=p_values,
        n=len(rows),
        series=int(enough.sum()),
        unstored=left_out,
        block=block,
        draws=draws,
    )


def max_t_exceeds(series: Floats, level: float, *, block: float, draws: int, seed: int) -> bool:
    """Return whether the p-value of `max_t` with the same draws is surely above `level`, whatever else was tried.

    `series` (n,) is the selected one. Draws are made only until it is sure: an adjusted p is never below the unadjusted
    one, and for that a draw counts whose resampled mean exceeds the mean by mean / c, which needs no spread. False says
    nothing. `overlap` is 1 and margins are wide against rounding, so that True is never wrong. NaN rows are left out.

    Example:
        >>> max_t_exceeds(-np.arange(50.0), 0.05, block=2.0, draws=1000, seed=1)
        True
    """
    values = series[np.isfinite(series)]
    n = len(values)
    if n < 2 or np.ptp(values) == 0:
        return False
    hits, wanted = 0, level * (draws + 1.0)
    mean, size = float(values.mean()), float(np.abs(values).max())
    bound = mean + mean / _small_sample(n, block, 1) + 1e-9 * size
    for counts in fresh_counts(n, block=block, draws=draws, seed=seed):
        hits += int((counts @ values / n >= bound).sum())
        if 1.0 + hits > wanted + 1e-6:
            return True
    return False


def _require(series: Floats, selected: int, unstored: int, overlap: int) -> None:
    if series.ndim != 2 or series.shape[1] < 1:
        raise InputError("series", f"shape {series.shape}", allowed="(n, m): dates by trials")
    if not 0 <= selected < series.shape[1]:
        raise InputError("selected", selected, allowed=f"0 to {series.shape[1] - 1}")
    if np.isinf(series).any():
        raise InputError("series", "infinite values", allowed="finite numbers or NaN")
    if unstored < 0:
        raise InputError("unstored", unstored, allowed="0 or more")
    if overlap < 1:
        raise InputError("overlap", overlap, allowed="1 or more bars")


def _resample(rows: Floats, *, block: float, draws: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """Return means (m,), their bootstrap spread (m,) and resampled means (m, B) of the columns, NaN left out."""
    n, m = rows.shape
    there = np.isfinite(rows)
    gaps = ~there.all(axis=0)
    whole, step = whole_numbers(np.where(there, rows, 0.0))
    columns, present = np.ascontiguousarray(whole.T), np.ascontiguousarray(there[:, gaps].T.astype(np.float64))
    sums, sizes = np.empty((m, draws)), np.empty((int(gaps.sum()), draws))
    for chunk, counts in enumerate(count_draws(n, block=block, draws=draws, seed=seed)):
        place = slice(chunk * CHUNK, chunk * CHUNK + len(counts))
        sums[:, place] = columns @ counts.T
        sizes[:, place] = present @ counts.T
    mean = whole.sum(axis=0) / there.sum(axis=0) * step
    sums[~gaps] /= n
    # A draw that misses every date of a short series says nothing about it: its mean stays where it is.
    sums[gaps] = np.where(sizes > 0, sums[gaps] / np.maximum(sizes, 1.0), (mean / step)[gaps, None])
    sums *= step[:, None]
    spread = sums.std(axis=1)
    first = rows[there.argmax(axis=0), np.arange(m)]
    constant = np.ptp(np.where(there, rows, first), axis=0) == 0
    return mean, np.where(constant, 0.0, spread), sums


def whole_numbers(rows: Floats) -> tuple[Floats, Floats]:
    """Return columns as whole numbers and their unit (m,), a power of two, such that sums of n of them are exact."""
    bits = 52 - math.ceil(math.log2(len(rows) + 1))
    largest = np.maximum(np.abs(rows).max(axis=0), np.finfo(np.float64).tiny * 2.0**60)
    step = np.exp2(np.ceil(np.log2(largest)) - bits)
    return np.rint(rows / step), step


def _small_sample(n: int, block: float, overlap: int) -> float:
    """Return by how much the standard deviation of the resampled means is too small to be a standard error.

    Three factors, all 1 in the limit. Bias: each sample autocovariance is low by variance / n because the mean is
    estimated, and the bootstrap adds up 2 b - 1 of them (Politis and Romano 1994, lemma 1). Taper: it weighs lag i by
    (1 - 1/b)^i, which takes too much from sums over `overlap` bars, whose autocorrelation is 1 - i / overlap. Noise:
    the variance is estimated with about n / b degrees of freedom, so the first term of Student's quantile at 2.5 %
    (Cornish-Fisher) is added.
    """
    bias = 1.0 / math.sqrt(max(1.0 - (2.0 * block - 1.0) / n, 0.25))
    lags = np.arange(1, overlap)
    triangle = 1.0 - lags / overlap
    taper = math.sqrt((1.0 + 2.0 * triangle.sum()) / (1.0 + 2.0 * (triangle * (1.0 - 1.0 / block) ** lags).sum()))
    noise = 1.0 + (1.96**2 + 1.0) / 4.0 * min(block / n, 0.25)
    return float(bias * taper * noise)


def _step_down(t: Floats, stars: Floats) -> Floats:
    """Return the step-down adjusted p-values (m,). Ties share the larger set, so that order cannot matter."""
    order = np.argsort(t, kind="stable")
    hits, draws = np.zeros(len(t), dtype=np.int64), stars.shape[1]
    for start in range(0, draws, CHUNK):
        highest = np.maximum.accumulate(stars[order, start : start + CHUNK], axis=0)
        hits += (highest >= t[order][:, None]).sum(axis=1)
    out = np.empty_like(t)
    out[order] = np.maximum.accumulate((1.0 + hits[::-1]) / (draws + 1.0))[::-1]
    return out


def _share(hits: int, draws: int) -> float:
    return (1.0 + hits) / (draws + 1.0)


def _sidak(p: float, unstored: int) -> float:
    return -math.expm1((1 + unstored) * math.log1p(-p)) if unstored and p < 1 else p
