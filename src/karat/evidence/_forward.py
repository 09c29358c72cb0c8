"""The test of a frozen selection on days that came after it was frozen; what it asks is fixed at the freeze.

| symbol | meaning |
|---|---|
| N | days asked for at the freeze, at least 126 |
| j | how many selections of the family have been frozen up to and with this one |
| a | level, alpha (6 / pi^2) / j^2: the share of the j-th freeze |

Both statistics of gates 1 and 2 are computed on the first N forward days: Clark-West terms against the baseline over
which least is shown, and net excess returns at the baseline's risk. Each must have p <= a by the same bootstrap; both
are needed, so that the chance of confirming what is worth nothing is at most a (intersection-union, Berger 1982).

Invariants:
1. Before N days there is no p-value: nobody can stop at a lucky day.
2. Days after the N-th change nothing: the answer is given once.
3. The state is a function of the days and of what was fixed at the freeze.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from karat._words import counted
from karat.core import InputError
from karat.evidence._draws import block_length
from karat.evidence._max_t import max_t
from karat.evidence._rival import hardest_in_money, shows
from karat.evidence._shapes import Floats, Verdict
from karat.kernels import sharpe

FEWEST_DAYS: Final = 126
USUAL_DAYS: Final = 252
State = Literal["waiting", "confirmed", "not confirmed"]
_NONE_YET: Final = "No frozen forward days exist yet."


@dataclass(frozen=True)
class ForwardTest:
    """What is asked of the forward days, fixed at the freeze; `rank` is j, `level` what each of the tests may spend."""

    days: int
    rank: int
    level: float
    horizon_bars: int
    bars_per_year: float
    draws: int
    seed: int

    def __post_init__(self) -> None:
        if self.days < FEWEST_DAYS:
            why = "fewer days cannot tell an edge from luck"
            raise InputError("days", self.days, allowed=f"{FEWEST_DAYS} or more", why=why)
        if self.rank < 1 or not 0 < self.level < 1:
            raise InputError("rank, level", (self.rank, self.level), allowed="1 or more, and between 0 and 1")


@dataclass(frozen=True)
class Forward:
    """Where a frozen selection stands after `days` forward days, of which the first `needed` are tested.

    `skill_p`, `money_p`, `net_excess_sharpe` (annual), `rival` (the baseline that skill is shown against),
    `money_rival` (cash or a baseline) and `money_comparison` (see `Case.comparison`) are None while days are missing.
    """

    state: State
    days: int
    needed: int
    level: float
    skill_p: float | None
    money_p: float | None
    net_excess_sharpe: float | None
    rival: str | None
    money_rival: str | None
    money_comparison: str | None
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return dataclasses.asdict(self)


def judge_forward(
    test: ForwardTest, skill: Mapping[str, Floats], net: Floats, baselines: Mapping[str, Floats], shown: str
) -> Forward:
    """Return where a frozen selection stands.

    skill: Clark-West terms (n,) of the selection against each baseline, one value a forward day, in time order, NaN
    where a day has none. net, baselines (n,): net simple returns per bar of the selection and of every baseline. shown:
    the baseline that Valid showed to be worth something before `Test` opened, or cash.

    Raises:
        InputError: no baseline, or series of different lengths.
    """
    n, first = len(net), slice(0, test.days)
    if not skill or any(len(series) != n for series in (*skill.values(), *baselines.values())):
        seen = [{name: len(series) for name, series in given.items()} for given in (skill, baselines)]
        raise InputError("skill, net, baselines", (seen[0], n, seen[1]), allowed="one value a day in each")
    if n < test.days:
        text = f"{n} of {counted(test.days, 'frozen forward day')}; nothing is tested before the last of them."
        return Forward("waiting", n, test.days, test.level, None, None, None, None, None, None, text)
    rival = min(skill, key=lambda name: shows(skill[name][first]))
    money = hardest_in_money(net[first], {name: its[first] for name, its in baselines.items()}, shown)
    skill_p = _p_value(test, skill[rival][first], test.horizon_bars)
    money_p = _p_value(test, money.series, 1)
    worth = sharpe(money.series, periods_per_year=test.bars_per_year)
    state: State = "confirmed" if max(skill_p, money_p) <= test.level else "not confirmed"
    text = (
        f"{state.capitalize()} on the first {counted(test.days, 'frozen forward day')}: p = {skill_p:.4g} for skill"
        f" against {rival} and {money_p:.4g} for money against {money.name}, each against {test.level:.4g}."
    )
    excess = worth if np.isfinite(worth) else None
    against = (rival, money.name, money.comparison)
    return Forward(state, n, test.days, test.level, skill_p, money_p, excess, *against, text)


def with_forward(verdict: Verdict, forward: Forward | None) -> Verdict:
    """Return the verdict with the forward days in it: it stays provisional unless they confirm it."""
    if forward is None:
        return verdict
    provisional = verdict.provisional and forward.state != "confirmed"
    reason = verdict.reason.replace(_NONE_YET, forward.text)
    if verdict.outcome == "accepted" and not provisional:
        reason = reason.replace("Accepted, provisionally:", "Accepted:", 1)
    return dataclasses.replace(verdict, forward_days=forward.days, provisional=provisional, reason=reason)


def _p_value(test: ForwardTest, series: Floats, overlap: int) -> float:
    """Return the one-sided p-value of a mean above zero; a series that never varies shows nothing."""
    good = series[np.isfinite(series)]
    if len(good) < 2 or np.ptp(good) == 0:
        return 1.0
    block = block_length(series, test.horizon_bars)
    found = max_t(series[:, None], 0, block=block, draws=test.draws, seed=test.seed, overlap=overlap)
    return float(found.p_value)
