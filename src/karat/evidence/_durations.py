"""Do spells end without memory? A Weibull test of durations: of regimes, drawdowns, times between exceedances.

| symbol | meaning |
|---|---|
| D | duration of a spell, in bars or any unit |
| b | shape: 1 no memory, below 1 an old spell is less likely to end (clusters), above 1 more likely |
| c | scale: S(D) = exp(-(D / c)^b) |
| r | spells that were seen to end |

Spells that were not seen to begin or to end count by their survival S(D), the others by their density. c is profiled
out, c^b = sum(D^b) / r, and b solves 1 / b + mean(log D over ended) - sum(D^b log D) / sum(D^b) = 0, whose left side
falls in b. The likelihood ratio against b = 1 has one degree of freedom. Source: Christoffersen and Pelletier (2004).

Invariants:
1. The unit of D changes the scale and nothing else.
2. A spell counted in whole bars ended within its last one: with `step` an ended spell is half a bar shorter. Measured
   at 5 %, 200 memoryless spells, 400 runs: with a mean of 33, 20, 10 and 5 bars the test rejects 14, 23, 59 and 99 %
   without it and 3, 4, 6 and 13 % with it. Below ten bars on average do not use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import chdtrc

from karat._words import counted
from karat.core import InputError
from karat.evidence._shapes import Floats

LEAST_ENDED: Final = 10
"""Spells seen to end that the test needs; its chi-square is rough below a few dozen."""
_SMALLEST, _LARGEST = 1e-3, 1e3


@dataclass(frozen=True)
class DurationDependence:
    """Shape and scale, both log likelihoods (free, and with shape 1), the ratio with its p-value, and the counts."""

    shape: float
    scale: float
    log_likelihood: float
    log_likelihood_without: float
    statistic: float
    p_value: float
    spells: int
    ended: int


def duration_dependence(
    durations: Floats, open_ended: NDArray[np.bool_] | None = None, *, step: float = 0.0
) -> DurationDependence:
    """Test whether durations (n,), positive, depend on how long a spell has lasted already.

    open_ended (n,): spells whose beginning or end was not seen; None: every one was seen whole. step: 1 for durations
    in whole bars, else the grid on which they were rounded up; 0 takes them as they are.

    Raises:
        InputError: durations that are not positive numbers, or not above half a step; flags of another shape; fewer
        than 10 spells that ended; durations that are all alike.

    Example:
        >>> found = duration_dependence(np.array([1.0, 9.0, 2.0, 40.0, 1.0, 1.0, 25.0, 1.0, 3.0, 17.0, 1.0, 60.0]))
        >>> found.shape < 1, found.ended
        (True, 12)
    """
    days = np.asarray(durations, dtype=np.float64)
    seen = np.zeros(days.shape, dtype=np.bool_) if open_ended is None else np.asarray(open_ended, dtype=np.bool_)
    _require(days, seen, step)
    days = np.where(seen, days, days - step / 2.0)
    unit = float(days.mean())
    days, ended = days / unit, days[~seen] / unit
    if np.ptp(days) == 0:
        why = "the shape is infinite: every spell lasted alike"
        raise InputError("durations", counted(len(days), "equal value"), why=why, allowed="two different ones or more")
    shape = float(brentq(lambda b: _slope(b, days, ended), _SMALLEST, _LARGEST, xtol=1e-12))
    free, without = (_log_likelihood(b, days, ended) - len(ended) * np.log(unit) for b in (shape, 1.0))
    ratio = max(2.0 * (free - without), 0.0)
    scale = unit * float((days**shape).sum() / len(ended)) ** (1.0 / shape)
    p_value = float(chdtrc(1, ratio))
    return DurationDependence(shape, scale, float(free), float(without), ratio, p_value, len(days), len(ended))


def spells(marks: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the bars from mark to mark in (n,) flags, and which of these spells are open-ended: the first, the last.

    Example:
        >>> days, unseen = spells(np.array([False, True, False, False, True, False]))
        >>> days.tolist(), unseen.tolist()
        ([2.0, 3.0, 1.0], [True, False, True])
    """
    places = np.flatnonzero(marks)
    if not len(places):
        return np.empty(0), np.empty(0, dtype=np.bool_)
    between = np.diff(places).astype(np.float64)
    head = [places[0] + 1.0] if places[0] > 0 else []
    tail = [len(marks) - 1.0 - places[-1]] if places[-1] < len(marks) - 1 else []
    unseen = [True] * len(head) + [False] * len(between) + [True] * len(tail)
    return np.concatenate([head, between, tail]), np.array(unseen, dtype=np.bool_)


def _slope(b: float, days: Floats, ended: Floats) -> float:
    logs = np.log(days)
    weights = np.exp(b * (logs - logs.max()))
    return float(1.0 / b + np.log(ended).mean() - (weights * logs).sum() / weights.sum())


def _log_likelihood(b: float, days: Floats, ended: Floats) -> float:
    """Return the log likelihood with the scale profiled out: then sum((D / c)^b) is r."""
    r = len(ended)
    logs = np.log(days)
    total = b * logs.max() + np.log(np.exp(b * (logs - logs.max())).sum())  # log of sum(D^b), without overflow
    return float(r * np.log(b) + (b - 1.0) * np.log(ended).sum() - r * (total - np.log(r)) - r)


def _require(days: Floats, seen: NDArray[np.bool_], step: float) -> None:
    if days.ndim != 1 or not (np.isfinite(days).all() and (days > 0).all()):
        raise InputError("durations", "values that are not positive numbers", allowed="(n,) positive numbers, no NaN")
    if not (len(days) == 0 or 0 <= step < 2.0 * days.min()):
        raise InputError("step", step, allowed=f"0 to below {2.0 * float(days.min()):g}, twice the shortest duration")
    if seen.shape != days.shape:
        raise InputError("open_ended", f"shape {seen.shape}", allowed=f"{days.shape}: one flag a duration")
    if int((~seen).sum()) < LEAST_ENDED:
        raise InputError(
            "durations", f"{counted(int((~seen).sum()), 'spell')} that ended", allowed=f"{LEAST_ENDED} or more"
        )
