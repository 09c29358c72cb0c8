"""The top of the report: verdict in plain words, what limits it, and each gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from karat._words import counted
from karat.core import InputError
from karat.report._document import Banner, Cell, Column, Facts, GateCard, Table, Tone, num, text
from karat.report._format import DASH, number, prose, relations, scalar
from karat.report._story import Estimate

if TYPE_CHECKING:
    from karat.evidence import Check, Gate, Verdict

HEADLINES: Final[dict[str, str]] = {
    "accepted": "The edge passed all four gates.",
    "rejected": "An edge worth having is ruled out.",
    "indistinguishable": "This much data cannot tell the model from the best baseline.",
    "invalid": "The run cannot be trusted, so nothing is concluded from it.",
}
"""Outcome to what it says in plain words."""


def banner(verdict: Verdict) -> Banner:
    """Return the verdict in plain words.

    Raises:
        InputError: an outcome no verdict has.
    """
    if verdict.outcome not in HEADLINES:
        raise InputError("verdict.outcome", verdict.outcome, allowed=list(HEADLINES))
    limits = []
    if verdict.provisional:
        days = f"{counted(verdict.forward_days, 'frozen forward day')} so far"
        limits.append(f"Provisional until frozen forward days confirm it: {days}.")
    return Banner(verdict.outcome, HEADLINES[verdict.outcome], prose(verdict.reason), tuple(limits))


def tiles(verdict: Verdict) -> Facts:
    """Return the numbers that qualify the verdict."""
    excess = estimate(verdict.net_excess_sharpe, verdict.net_excess_interval)
    rows = (
        ("Net excess Sharpe a year, 90 % interval", num(excess, "ratio")),
        ("Detectable Sharpe a year", Cell(number(verdict.detectable_sharpe, "ratio"), "with 80 % power")),
        (
            "Trials in the family",
            Cell(scalar(verdict.family_trials), f"of which {scalar(verdict.trials)} have a series"),
        ),
        ("Openings of Test", Cell(scalar(verdict.openings), "by the family, this one included")),
        (
            "α a gate may spend now",
            Cell(number(verdict.alpha_spent, "alpha"), f"of {number(verdict.alpha, 'general')}"),
        ),
        ("Frozen forward days", text(scalar(verdict.forward_days))),
    )
    return Facts(rows, tiles=True)


def gate_cards(gates: Sequence[Gate]) -> tuple[GateCard, ...]:
    """Return one card a gate, in order."""
    return tuple(_card(gate) for gate in sorted(gates, key=lambda gate: gate.number))


def check_table(caption: str, checks: Sequence[Check]) -> Table | None:
    """Return checks as a table, or None where there are none."""
    if not checks:
        return None
    columns = (
        Column("Check", False),
        Column("Value"),
        Column("Threshold", False),
        Column("State", False),
        Column("Note", False),
    )
    return Table(caption, columns, tuple(_check_row(check) for check in checks))


def estimate(value: Any, ends: Any) -> Estimate:
    """Return a value and its (low, high), either of which may be missing."""
    if value is None:
        return Estimate(float("nan"))
    return Estimate(float(value)) if ends is None else Estimate(float(value), float(ends[0]), float(ends[1]))


def state(passed: bool | None) -> tuple[str, Tone]:
    """Return the words and tone of a result; None is "not evaluated", never "passed"."""
    if passed is None:
        return "not evaluated", "muted"
    return ("passed", "good") if passed else ("failed", "bad")


def _card(gate: Gate) -> GateCard:
    words, tone = state(gate.passed)
    facts = [
        ("statistic", scalar(gate.statistic)),
        ("p-value", number(gate.p_value, "p")),
        ("threshold", relations(gate.threshold)),
    ]
    shown = tuple((label, value) for label, value in facts if value not in ("", DASH))
    checks = check_table(f"Gate {gate.number}: every check", gate.checks)
    return GateCard(gate.number, gate.name, gate.question, words, tone, shown, prose(gate.reason), checks)


def _check_row(check: Check) -> tuple[Cell, ...]:
    words, tone = state(check.passed)
    if check.passed is None and check.value is not None:
        words = "printed only"
    return (
        text(check.name),
        text(scalar(check.value)),
        text(relations(check.threshold)),
        text(words, tone=tone),
        text(relations(check.note)),
    )
