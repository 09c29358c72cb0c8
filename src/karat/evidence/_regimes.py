"""Do regimes differ out of sample: what returns do after each label, and whether labels at other times do as well.

| symbol | meaning | shape | unit |
|---|---|---|---|
| r_t | return of the bar after label t | (n,) | fraction per bar |
| l_t | code of the label known before that bar, -1 for none | (n,) | |
| B | sum over states of n_s (m_s - m)^2 over the total sum of squares, m the means of r, or of |r| | | fraction |

Under no difference the labels could as well have been given at other times. Moving them all by the same number of bars,
around the end, keeps the spells of the labels and the clusters of the returns, which shuffling would destroy.

Invariants:
1. Rows without a label or a return are left out.
2. p = (1 + number of shifts with B at least as large) / (1 + shifts); equal seeds give equal p-values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from karat._words import counted
from karat.core import InputError, generator
from karat.evidence._shapes import Floats, Ints


@dataclass(frozen=True)
class RegimeProfile:
    """Returns after the labels of one state: their number, mean, deviation and worst, per bar."""

    name: str
    n: int
    mean: float
    volatility: float
    worst: float


@dataclass(frozen=True)
class RegimeDifferences:
    """Profiles of the states that occur, and B with its p-value, for mean returns and for volatility (|r|)."""

    profiles: tuple[RegimeProfile, ...]
    mean_share: float
    mean_p: float
    volatility_share: float
    volatility_p: float


def compare_regimes(
    returns: Floats, labels: Ints, names: Sequence[str], *, draws: int = 999, seed: int
) -> RegimeDifferences:
    """Compare the returns that follow each label of one series.

    returns, labels: (n,) as above, in time order; give only rows that no fit has seen. names: of the codes.

    Raises:
        InputError: shapes, codes without a name, fewer than 50 rows, fewer than two states, or no draws.
    """
    if returns.shape != labels.shape or returns.ndim != 1:
        raise InputError("labels", f"shape {labels.shape}", allowed=f"{returns.shape}, one label a return")
    if labels.size and labels.max() >= len(names):
        raise InputError("labels", int(labels.max()), allowed=f"codes below {len(names)}, the number of names")
    good = np.isfinite(returns) & (labels >= 0)
    r, codes = returns[good], labels[good].astype(np.int64)
    states = np.unique(codes)
    if len(r) < 50 or len(states) < 2:
        seen = f"{counted(len(r), 'row')} of {counted(len(states), 'state')}"
        raise InputError("labels", seen, allowed="50 rows or more of two states or more")
    if draws < 1:
        raise InputError("draws", draws, allowed="1 or more")
    shifts = generator(seed, "regimes differ", len(r), draws).integers(1, len(r), draws)
    size = np.abs(r)
    shares = [(_between(series, codes), series) for series in (r, size)]
    p_values = [
        (1 + sum(_between(series, np.roll(codes, int(shift))) >= share for shift in shifts)) / (1 + draws)
        for share, series in shares
    ]
    profiles = tuple(_profile(names[code], r[codes == code]) for code in states.tolist())
    return RegimeDifferences(profiles, shares[0][0], float(p_values[0]), shares[1][0], float(p_values[1]))


def _between(values: Floats, codes: Ints) -> float:
    count = np.bincount(codes)
    sums = np.bincount(codes, weights=values)
    centre = values.mean()
    gaps = np.where(count > 0, sums / np.maximum(count, 1) - centre, 0.0)
    total = float(((values - centre) ** 2).sum())
    return float((count * gaps**2).sum() / total) if total > 0 else 0.0


def _profile(name: str, r: Floats) -> RegimeProfile:
    volatility = float(r.std(ddof=1)) if len(r) > 1 else float("nan")
    return RegimeProfile(name, len(r), float(r.mean()), volatility, float(r.min()))
