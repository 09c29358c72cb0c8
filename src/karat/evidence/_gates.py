"""The four gates, each from a `Case` to a `Gate`; what they ask is the verdict table of the design.

Invariants:
1. Gate 0 fails on any guard that is False, on fewer than 500 test dates or 50 independent horizons.
2. Gates 1 and 2 decide by one adjusted p-value each, against the level that this opening may spend.
3. Gate 3 decides by point estimates. A check whose `passed` is None decides nothing, in any gate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

import numpy as np

from karat._words import counted
from karat.evidence._draws import block_length
from karat.evidence._enough import enough_checks
from karat.evidence._max_t import MaxT, max_t, max_t_exceeds
from karat.evidence._printed import money_notes, skill_notes
from karat.evidence._shapes import PRINTED, Case, Check, Floats, Gate
from karat.evidence._sharpe import spend_alpha
from karat.kernels import sharpe

PERIODS: Final = 10
MIN_GOOD_PERIODS: Final = 7
DELAY_GATED_FROM_BARS: Final = 5

QUESTIONS: Final[tuple[tuple[str, str], ...]] = (
    ("valid", "Could anything have leaked, is the run reproducible, is there enough data?"),
    ("skill", "Does the selected forecaster know something about location that the best honest baseline does not?"),
    ("money", "Is it worth more after costs than cash, than its share of any baseline, than one that Valid showed?"),
    ("sturdy", "Does it survive being hurt?"),
)
_PRINTED_ELSEWHERE: Final = ("neighbouring parameters", "regimes")


def level_of(case: Case) -> float:
    """Return the level each of gates 1 and 2 may spend at this opening: half of alpha, shared over openings."""
    return spend_alpha(case.alpha / 2.0, case.opening)


def gate_valid(case: Case) -> Gate:
    """Judge the guards and the amount of data."""
    checks = (*case.guards, *enough_checks(len(case.dates), case.horizon_bars))
    failed = _failed(checks)
    reason = f"failed: {', '.join(failed)}" if failed else "every guard that was evaluated holds"
    open_checks = [check.name for check in checks if check.passed is None and check.value is None]
    reason += f"; not evaluated: {', '.join(open_checks)}" if open_checks else ""
    return _gate(0, not failed, reason, "every guard holds", checks=checks)


def gate_skill(case: Case) -> Gate:
    """Test the selected trial's Clark-West terms against all that was tried."""
    return _tested(case, 1, "skill", case.horizon_bars)


def gate_money(case: Case) -> Gate:
    """Test the selected trial's net excess returns against all that was tried."""
    return _tested(case, 2, "money", 1)


def gate_sturdy(case: Case) -> Gate:
    """Look at the point estimates after each kind of hurt."""
    checks = (_costs(case), _delay(case), _sub_periods(case), _seeds(case), _capital(case), *_open_checks(case))
    failed = _failed(checks)
    reason = f"does not survive: {', '.join(failed)}" if failed else "survives every hurt that was evaluated"
    return _gate(3, not failed, reason, "every point estimate holds", checks=checks)


def not_judged(number: int) -> Gate:
    """Return the gate as it is shown when gate 0 failed."""
    return _gate(number, None, "not judged, because gate 0 failed", "")


def _tested(case: Case, number: int, column: Literal["skill", "money"], overlap: int) -> Gate:
    matrix, selected = case.matrix(column)
    level = level_of(case)
    block = block_length(matrix[:, selected], case.horizon_bars)
    if _surely_above(case, matrix[:, selected], level, block, overlap):
        return _gate(number, False, f"not shown: p is above {case.sure_above:.4g}", f"p <= {level:.4g}")
    test = max_t(
        matrix,
        selected,
        block=block,
        draws=case.draws,
        seed=case.seed,
        unstored=case.counted_only,
        overlap=overlap,
    )
    notes = (skill_notes if number == 1 else money_notes)(case) if case.printed else ()
    checks = (*_resampling(test), *notes)
    gate = _gate(number, test.p_value <= level, _words(test, level, case), f"p <= {level:.4g}", checks=checks)
    return replace(gate, statistic=test.statistic, p_value=test.p_value)


def _surely_above(case: Case, series: Floats, level: float, block: float, overlap: int) -> bool:
    if case.sure_above is None or overlap != 1:
        return False
    return max_t_exceeds(series, max(level, case.sure_above), block=block, draws=case.draws, seed=case.seed)


def _words(test: MaxT, level: float, case: Case) -> str:
    tried = test.series + test.unstored
    shown = "shown" if test.p_value <= level else "not shown"
    text = f"{shown}: p = {test.p_value:.4g} against {level:.4g}, adjusted for {counted(tried, 'trial')}"
    if level < 1.0 / (case.draws + 1):
        text += (
            f"; {counted(case.draws, 'draw')} cannot reach a p-value this small, so opening {case.opening} cannot pass"
        )
    return text


def _resampling(test: MaxT) -> tuple[Check, ...]:
    return (
        Check(
            "unadjusted p", test.p_unadjusted, PRINTED, None, "the selected trial alone, as if nothing else was tried"
        ),
        Check("mean block", test.block, PRINTED, None, "bars; the larger of Politis-White's and two horizons"),
        Check("trials with a series", float(test.series), PRINTED, None),
        Check("trials counted as independent", float(test.unstored), PRINTED, None, "no series on these dates"),
    )


def _costs(case: Case) -> Check:
    value = _annual(case, case.net_double_cost)
    return Check("net Sharpe at twice the costs", value, "> 0", value > 0)


def _delay(case: Case) -> Check:
    name = f"net Sharpe entered {counted(case.delay_bars, 'bar')} later"
    if case.net_delayed is None:
        return Check(name, None, "> 0", None, "not evaluated")
    value = _annual(case, case.net_delayed)
    if case.horizon_bars < DELAY_GATED_FROM_BARS:
        return Check(name, value, PRINTED, None, f"decides from {DELAY_GATED_FROM_BARS} bars of horizon up")
    return Check(name, value, "> 0", value > 0)


def _sub_periods(case: Case) -> Check:
    parts = np.array_split(case.net, PERIODS)
    good = sum(float(part.sum()) > 0 for part in parts)
    name = f"sub-periods of {PERIODS} with a positive net return"
    return Check(name, float(good), f">= {MIN_GOOD_PERIODS}", good >= MIN_GOOD_PERIODS, "equal numbers of dates")


def _seeds(case: Case) -> Check:
    name = "net Sharpe of the median seed"
    if not case.seed_sharpes:
        return Check(name, None, "> 0", None, "not evaluated: the forecaster is deterministic")
    value = float(np.median(np.nan_to_num(case.seed_sharpes)))
    return Check(
        name, value, "> 0", value > 0, f"{counted(len(case.seed_sharpes), 'seed')}; one that never trades counts as 0"
    )


def _capital(case: Case) -> Check:
    name = "net Sharpe at the declared capital"
    if case.net_at_capital is None:
        return Check(name, None, "> 0", None, f"not evaluated{': ' if case.capital_note else ''}{case.capital_note}")
    value = _annual(case, case.net_at_capital)
    return Check(name, value, "> 0", value > 0, case.capital_note)


def _open_checks(case: Case) -> tuple[Check, ...]:
    keep = len(case.net) - max(1, round(len(case.net) / 100))
    without = _annual(case, np.sort(case.net)[:keep])
    dropped = Check("net Sharpe without the best 1 % of days", without, PRINTED, None)
    neighbours, regimes = (Check(name, None, PRINTED, None, "not evaluated") for name in _PRINTED_ELSEWHERE)
    return (dropped, *(case.neighbours or (neighbours,)), *(case.regimes or (regimes,)))


def _annual(case: Case, returns: Floats) -> float:
    return sharpe(returns, periods_per_year=case.bars_per_year)


def _failed(checks: Sequence[Check]) -> list[str]:
    return [check.name for check in checks if check.passed is False]


def _gate(number: int, passed: bool | None, reason: str, threshold: str, *, checks: tuple[Check, ...] = ()) -> Gate:
    name, question = QUESTIONS[number]
    return Gate(number, name, question, passed, None, None, threshold, reason, checks)
