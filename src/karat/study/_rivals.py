"""What a candidate has to beat: in skill every baseline, in money cash, every baseline, and one that Valid showed.

Of several comparisons a trial's series is the one that shows least, its hardest: each has to be won (an
intersection-union test, Berger 1982), so the least of them decides and no correction is due.

Invariants:
1. Which baseline has to be beaten at the same risk is decided on `Valid` alone.
2. Skill is measured at one scale for every baseline, that of `ewma`.
3. Both are functions of accounts and forecasts; a study and a calibration call the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from scipy.special import stdtr

from karat.evidence import CASH, Rival, shows
from karat.evidence import hardest_in_money as hardest_of
from karat.study._score import Scored, scale_of, skill_terms

SCALE: Final = "ewma"
"""The baseline whose scale gate 1 divides by, and whose account is cash: its median is zero, so it never trades."""
SHOWN: Final = 0.05
"""Level at which `Valid` shows that a baseline is worth something, over all baselines together."""


def shown_on_valid(nets: Mapping[str, np.ndarray]) -> tuple[str, float]:
    """Return the best of the baselines if `Valid` shows that it earns more than cash, else cash; and the p-value.

    nets: (v,) net simple returns per bar of each baseline on `Valid`. One-sided t-test of the best, adjusted for the
    number of baselines that trade (Sidak): that the best of several did well by luck is what has to be ruled out.
    """
    found = {name: mean_above_zero(net) for name, net in nets.items() if np.ptp(net) > 0}
    if not found:
        return CASH, 1.0
    best = min(found, key=lambda name: found[name])
    p_value = 1.0 if found[best] >= 1.0 else -math.expm1(len(found) * math.log1p(-found[best]))
    return (best if p_value <= SHOWN else CASH), p_value


def hardest_in_money(item: Scored, baselines: Mapping[str, Scored], shown: str) -> Rival:
    """Return the comparison in money in which a model shows least; shown: the baseline that `Valid` showed, or cash."""
    others = {name: its.net for name, its in baselines.items() if its is not item}
    return hardest_of(item.net, others, shown)


def hardest_in_skill(item: Scored, baselines: Mapping[str, Scored]) -> tuple[str, np.ndarray]:
    """Return the baseline over which a model's skill is shown least, and its (d,) Clark-West terms against it.

    A baseline whose location is wrong is beaten by anything that does not share its mistake, so that beating one of
    them proves nothing: the model has to beat each.
    """
    scale = scale_of(baselines[SCALE].forecast)
    terms = {name: skill_terms(item, its, scale) for name, its in baselines.items() if its is not item}
    rival = min(terms, key=lambda name: shows(terms[name]))
    return rival, terms[rival]


def mean_above_zero(values: np.ndarray) -> float:
    """Return the p-value of a mean above zero for independent values (Student's t); 1 where they do not vary."""
    spread = float(values.std(ddof=1))
    if spread == 0:
        return 1.0
    return float(stdtr(len(values) - 1, -float(values.mean()) / spread * math.sqrt(len(values))))
