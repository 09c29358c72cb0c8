"""How sure a scaling law is: the fit repeated on resampled runs, and laws of several groups side by side.

Invariants:
1. Whole runs are resampled, with all their rows: check points of one run are not independent.
2. Resamples depend on the seed and the names of the runs, not on their order.
3. A resample with too few scales to be fitted is left out and counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from karat._words import counted
from karat.core import InputError, generator
from karat.evidence._intervals import Interval
from karat.evidence._shapes import Floats
from karat.evidence.scaling._enough import MIN_SCALES
from karat.evidence.scaling._fit import Problem
from karat.evidence.scaling._law import ScalingLaw

_ELSEWHERE: Final = (1.0, 0.5)
"""A resample starts from the law of all runs, and from it with these multiples of its exponents."""
MIN_RUNS: Final = 8


@dataclass(frozen=True, eq=False)
class ScalingFit:
    """A law with what the resampled runs say about it: `exponents` (B, k), `floors` (B,), and their intervals."""

    law: ScalingLaw
    exponents: Floats
    floors: Floats
    level: float
    undefined: int

    def exponent(self, name: str) -> Interval:
        """Return the percentile interval of a scale's exponent.

        Raises:
            InputError: an unknown scale.
        """
        if name not in self.law.names:
            raise InputError("name", name, allowed=list(self.law.names))
        k = self.law.names.index(name)
        return self._interval(self.law.exponents[k], self.exponents[:, k])

    @property
    def floor(self) -> Interval:
        """The percentile interval of E."""
        return self._interval(self.law.floor, self.floors)

    @property
    def share_of_first(self) -> Interval:
        """The percentile interval of `ScalingLaw.share_of_first`."""
        return self._interval(self.law.share_of_first, self.exponents[:, 1] / self.exponents.sum(axis=1))

    def seen(self, name: str) -> bool:
        """Return whether the loss falls with this scale: the whole interval of its exponent is above zero."""
        return self.exponent(name).lower > 0

    def to_dict(self) -> dict[str, Any]:
        """Return law and intervals, ready for JSON."""
        exponents = {name: {**asdict(self.exponent(name)), "seen": self.seen(name)} for name in self.law.names}
        return {"law": self.law.to_dict(), "exponents": exponents, "floor": asdict(self.floor)}

    def _interval(self, estimate: float, found: Floats) -> Interval:
        lower, upper = np.quantile(found, [(1 - self.level) / 2, (1 + self.level) / 2])
        return Interval(estimate, float(lower), float(upper), self.level, self.undefined)


@dataclass(frozen=True)
class ExponentGap:
    """Exponent of `first` less that of `second`; `differ` where the interval, shared over all pairs, excludes zero."""

    first: str
    second: str
    gap: Interval
    differ: bool


def fit_scaling(
    law: ScalingLaw,
    scales: Floats,
    loss: Floats,
    *,
    runs: Sequence[str] | NDArray[np.str_] | None = None,
    draws: int = 400,
    seed: int,
) -> ScalingFit:
    """Return the law of `fit_law` with 95 % intervals from resampled runs; `runs` (n,) names the run of each row.

    Raises:
        InputError: fewer than eight runs, other shapes, or more than half of the resamples cannot be fitted.
    """
    names = np.arange(len(loss)).astype(np.str_) if runs is None else np.asarray(runs, dtype=np.str_)
    if names.shape != loss.shape or scales.shape != (len(loss), len(law.names)):
        raise InputError("runs", f"shape {names.shape}", allowed=f"{loss.shape}: one name per row of the scales")
    distinct = np.unique(names)
    if len(distinct) < MIN_RUNS:
        fix = f"add {counted(MIN_RUNS - len(distinct), 'run')}"
        raise InputError("runs", f"{len(distinct)} distinct", allowed=f"{MIN_RUNS} or more to resample", fix=fix)
    rows_of = [np.flatnonzero(names == name) for name in distinct]
    found = []
    for draw in range(draws):
        picked = generator(seed, "scaling", draw, *map(str, distinct)).integers(0, len(distinct), len(distinct))
        refitted = _refit(law, scales, loss, np.concatenate([rows_of[k] for k in picked]))
        found += [refitted] if refitted is not None else []
    if len(found) * 2 < draws:
        raise InputError(
            "runs", f"{draws - len(found)} of {counted(draws, 'resample')} have too few scales", fix="add runs"
        )
    return ScalingFit(
        law,
        np.array([one.exponents for one in found]),
        np.array([one.floor for one in found]),
        0.95,
        draws - len(found),
    )


def compare_exponents(groups: Mapping[str, ScalingFit], name: str) -> tuple[ExponentGap, ...]:
    """Return every pair of groups' gap in the exponent of `name`: do horizons, or data of more kinds, scale otherwise?

    The draws of two groups are taken as independent; the level is shared over the pairs (Bonferroni).

    Raises:
        InputError: fewer than two groups, or a scale that a group does not have.
    """
    if len(groups) < 2:
        raise InputError("groups", sorted(groups), allowed="two groups or more")
    pairs = list(combinations(groups, 2))
    out = []
    for first, second in pairs:
        mine, its = groups[first], groups[second]
        estimate = mine.exponent(name).estimate - its.exponent(name).estimate
        draws = min(len(mine.exponents), len(its.exponents))
        mine_k, its_k = mine.law.names.index(name), its.law.names.index(name)
        found = mine.exponents[:draws, mine_k] - its.exponents[:draws, its_k]
        level = 1.0 - (1.0 - mine.level) / len(pairs)
        lower, upper = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
        gap = Interval(estimate, float(lower), float(upper), level)
        out.append(ExponentGap(first, second, gap, gap.lower > 0 or gap.upper < 0))
    return tuple(out)


def _refit(law: ScalingLaw, scales: Floats, loss: Floats, rows: NDArray[np.int64]) -> ScalingLaw | None:
    x, y = scales[rows], loss[rows]
    if min(len(np.unique(column)) for column in x.T) < MIN_SCALES - 1 or np.ptp(y) == 0:
        return None
    centre = np.log(x).mean(axis=0)
    problem = Problem(np.log(x) - centre, np.log(y), floor=law.floor > 0, delta=law.delta)
    ends = [problem.minimise(problem.start_of(law, centre, times)) for times in _ELSEWHERE]
    return problem.law(min(ends, key=problem.value), law.names, centre)
