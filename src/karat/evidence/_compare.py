"""All models against one baseline by one loss: the protocol of docs/concepts/statistics.md in one call.

Invariants:
1. Less than 500 dates or 50 independent horizons is refused, and so is a loss that never varies.
2. Effects and intervals come with every p-value; p-values are adjusted over the models as one family.
3. The answer depends on the arguments only, and on the order of the models not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from karat.core import InputError
from karat.evidence._draws import block_length
from karat.evidence._enough import require_enough
from karat.evidence._families import correct
from karat.evidence._forecast_tests import diebold_mariano
from karat.evidence._intervals import Interval, bootstrap_interval
from karat.evidence._multiplicity import Spa, mcs, spa
from karat.evidence._shapes import Floats


@dataclass(frozen=True)
class Compared:
    """One model: mean loss less the baseline's with its interval, the same in standard deviations, and p-values.

    `p_value` is Diebold and Mariano's, one-sided (the model loses less); `in_set`: in the 90 % model confidence set.
    """

    model: str
    difference: Interval
    effect: float
    p_value: float
    adjusted: float
    in_set: bool


@dataclass(frozen=True)
class Comparison:
    """Every model in order of name, and Hansen's test that none of them beats the baseline."""

    baseline: str
    dates: int
    family: str
    models: tuple[Compared, ...]
    spa: Spa


def compare_losses(
    losses: Mapping[str, Floats],
    baseline: str,
    *,
    horizon_bars: int = 1,
    family: str = "models",
    draws: int = 1000,
    seed: int,
) -> Comparison:
    """Compare every model's loss (n,), one row a date, panels averaged per date first, with the baseline's.

    Dates on which any loss is NaN are left out.

    Raises:
        InputError: no model beside the baseline, too little data, a constant series, or an unknown family.
    """
    names = sorted(name for name in losses if name != baseline)
    if baseline not in losses:
        raise InputError("baseline", baseline, allowed=sorted(losses))
    if not names:
        raise InputError("losses", "no model beside the baseline", allowed="one trial or more")
    table = np.column_stack([losses[baseline], *(losses[name] for name in names)])
    table = table[np.isfinite(table).all(axis=1)]
    require_enough(len(table), horizon_bars)
    gaps = table[:, 1:] - table[:, :1]
    for name, gap in zip(names, gaps.T, strict=True):
        if np.ptp(gap) == 0:
            why = f"it never differs from {baseline} by another amount"
            raise InputError(f"losses[{name}]", "a constant series", why=why, allowed="losses that vary")
    block = max(block_length(gap, horizon_bars) for gap in gaps.T)
    raw = np.array([_p(gap, horizon_bars) for gap in gaps.T])
    inside = mcs(table, block=block, draws=draws, seed=seed).included
    rows = tuple(
        Compared(
            model=name,
            difference=bootstrap_interval(gap, np.mean, block=block, draws=draws, level=0.95, seed=seed),
            effect=float(gap.mean() / gap.std(ddof=1)),
            p_value=float(p),
            adjusted=float(adjusted),
            in_set=k + 1 in inside,
        )
        for k, (name, gap, p, adjusted) in enumerate(zip(names, gaps.T, raw, correct(raw, family), strict=True))
    )
    tested = spa(table[:, 0], table[:, 1:], block=block, draws=draws, seed=seed)
    return Comparison(baseline, len(table), family, rows, tested)


def _p(gap: Floats, horizon: int) -> float:
    return diebold_mariano(gap, np.zeros(len(gap)), horizon=horizon, alternative="less").p_value
