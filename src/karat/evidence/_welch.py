"""Groups of unequal variance: Welch's t-test of two, Welch's analysis of variance and Games and Howell's of more.

For samples of independent values: models compared over seeds or runs, arms of an A/B test. Losses over time belong to
`diebold_mariano`.

Invariants:
1. NaN values are left out of every sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from karat._words import counted
from karat.core import InputError
from karat.evidence._effects import Anova, TukeyPair, hedges_g
from karat.evidence._shapes import Floats


@dataclass(frozen=True)
class Welch:
    """Mean of the first less mean of the second with its interval, t, degrees of freedom, p-value and Hedges' g."""

    difference: float
    lower: float
    upper: float
    statistic: float
    degrees: float
    p_value: float
    effect: float
    level: float


def welch_t(first: Floats, second: Floats, *, level: float = 0.95) -> Welch:
    """Compare two means without assuming equal variances, two-sided.

    Source: Welch (1947), degrees by Satterthwaite (1946).

    Raises:
        InputError: fewer than two values in a sample, two constant samples, or a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise InputError("level", level, allowed="between 0 and 1")
    a, b = (_varied(name, values) for name, values in (("first", first), ("second", second)))
    if np.ptp(a) == 0 and np.ptp(b) == 0:
        raise InputError("first, second", "a constant series in both", allowed="values that vary in one of them")
    from scipy.stats import ttest_ind  # 0.6 s that a study's workers need not pay

    test = ttest_ind(a, b, equal_var=False)
    bounds = test.confidence_interval(level)
    return Welch(
        difference=float(a.mean() - b.mean()),
        lower=float(bounds.low),
        upper=float(bounds.high),
        statistic=float(test.statistic),
        degrees=float(test.df),
        p_value=float(test.pvalue),
        effect=hedges_g(a, b),
        level=level,
    )


def anova_welch(groups: Mapping[str, Floats], *, level: float = 0.95) -> Anova:
    """Compare means of groups of unequal variance: Welch's F, then Games and Howell's test of every pair.

    Source: Welch (1951); Games and Howell (1976).

    Raises:
        InputError: fewer than two groups, fewer than two values in one, a group that never varies, or a bad level.
    """
    if len(groups) < 2:
        raise InputError("groups", sorted(groups), allowed="two groups or more")
    if not 0 < level < 1:
        raise InputError("level", level, allowed="between 0 and 1")
    samples = {name: _varied(f"groups[{name}]", values) for name, values in groups.items()}
    for name, values in samples.items():
        if np.ptp(values) == 0:
            raise InputError(f"groups[{name}]", "a constant series", allowed="values that vary")
    from scipy.stats import f_oneway, tukey_hsd  # 0.6 s that a study's workers need not pay

    test = f_oneway(*samples.values(), equal_var=False)
    each = tukey_hsd(*samples.values(), equal_var=False)
    bounds = each.confidence_interval(level)
    pairs = tuple(
        TukeyPair(
            first,
            second,
            *(float(table[i, j]) for table in (each.statistic, bounds.low, bounds.high, each.pvalue)),
        )
        for (i, first), (j, second) in combinations(enumerate(samples), 2)
    )
    return Anova(float(test.statistic), float(test.pvalue), pairs)


def _varied(field: str, values: Floats) -> Floats:
    good = values[np.isfinite(values)]
    if len(good) < 2:
        raise InputError(field, counted(len(good), "finite value"), allowed="two or more")
    return good
