"""From a case to its verdict: the gates in order, then one of four outcomes with its reason in plain words.

Invariants:
1. Invalid: gate 0 failed, and nothing else is judged.
2. Accepted: all four gates pass. It is provisional, as no frozen forward days exist yet.
3. Rejected: not accepted, and the one-sided 95 % upper bound of the net excess Sharpe is below the minimum.
4. Indistinguishable: everything else; "fragile" where only gate 3 failed. The detectable Sharpe is always given.
5. The verdict is a function of the case alone.
"""

from __future__ import annotations

import math

import numpy as np

from karat.evidence._draws import block_length
from karat.evidence._gates import gate_money, gate_skill, gate_sturdy, gate_valid, level_of, not_judged
from karat.evidence._intervals import Interval, sharpe_interval
from karat.evidence._shapes import Case, Gate, Outcome, Verdict
from karat.evidence._sharpe import detectable_sharpe


def judge(case: Case) -> Verdict:
    """Return the verdict on the selected forecaster.

    Two seconds of the first call go into importing `arch` for the block length.

    Raises:
        InputError: the selected trial has fewer than two values on the test dates.
    """
    valid = gate_valid(case)
    if valid.passed:
        gates = (valid, gate_skill(case), gate_money(case), gate_sturdy(case))
    else:
        gates = (valid, not_judged(1), not_judged(2), not_judged(3))
    excess = _net_excess(case)
    count = len(case.trials) + case.counted_only
    level = level_of(case)
    detectable = detectable_sharpe(len(case.dates), case.bars_per_year, alpha=level, trials=count)
    outcome, reason = _outcome(case, gates, excess)
    if outcome == "indistinguishable":
        reason += f" This much data could have detected an annual Sharpe of {detectable:.2f} at 80 % power."
    return Verdict(
        outcome=outcome,
        reason=reason,
        gates=gates,
        provisional=outcome == "accepted",
        trials=len(case.trials),
        family_trials=count,
        openings=case.opening,
        alpha=case.alpha,
        alpha_spent=level,
        net_excess_sharpe=excess.estimate,
        net_excess_interval=(excess.lower, excess.upper),
        detectable_sharpe=detectable,
        skill_baseline=case.rival_in_skill,
        money_baseline=case.baseline_name,
        money_comparison=case.comparison,
    )


def _net_excess(case: Case) -> Interval:
    """Return the annual Sharpe ratio of the selected's net excess returns with its two-sided 90 % interval."""
    matrix, selected = case.matrix("money")
    money = matrix[:, selected]
    if np.isfinite(money).sum() < 2:
        return Interval(math.nan, math.nan, math.nan, 0.90)
    block = block_length(money, case.horizon_bars)
    return sharpe_interval(
        money, periods_per_year=case.bars_per_year, block=block, draws=case.draws, level=0.90, seed=case.seed
    )


def _outcome(case: Case, gates: tuple[Gate, Gate, Gate, Gate], excess: Interval) -> tuple[Outcome, str]:
    valid, skill, money, sturdy = gates
    name = case.chosen.name
    if not valid.passed:
        return "invalid", f"Invalid: nothing can be concluded about {name}; gate 0 {valid.reason}."
    if skill.passed and money.passed and sturdy.passed:
        return "accepted", (
            f"Accepted, provisionally: {name} knows something about location that {case.rival_in_skill} does not"
            f" (p = {skill.p_value:.4g}), {case.earning}"
            f" (p = {money.p_value:.4g}) and survives being hurt. No frozen forward days exist yet."
        )
    if excess.upper < case.min_sharpe:
        return "rejected", (
            f"Rejected: with 95 % confidence the net excess Sharpe of {name} {case.beyond} is below"
            f" {excess.upper:.2f} a year, less than the {case.min_sharpe:g} that would be worth having."
        )
    return "indistinguishable", _undecided(case, skill, money, sturdy)


def _undecided(case: Case, skill: Gate, money: Gate, sturdy: Gate) -> str:
    name = case.chosen.name
    if skill.passed and money.passed:
        return f"Indistinguishable, fragile: skill and money are shown, but {name} {sturdy.reason}."
    lacking = []
    if not skill.passed:
        what = f"that it knows more about location than {case.rival_in_skill}"
        lacking.append(f"{what} ({_seen(skill)}needed {skill.threshold})")
    if not money.passed:
        lacking.append(f"that it {case.earning} ({_seen(money)}needed {money.threshold})")
    return f"Indistinguishable: of {name} it is not shown {' nor '.join(lacking)}."


def _seen(gate: Gate) -> str:
    """Return the p-value in words, nothing where drawing ended before it was known."""
    return "" if gate.p_value is None else f"p = {gate.p_value:.4g}, "
