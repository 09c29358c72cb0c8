"""The statistical protocol as a table: which test for which question, when it says yes, and how it is adjusted.

Invariants:
1. Every function named here is offered by this package or one of its rooms.
2. docs/concepts/statistics.md holds this table word for word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from karat.evidence._families import FAMILIES


@dataclass(frozen=True)
class Rule:
    """A question, the function that answers it, the test's name, when the answer is yes, and the family it is in."""

    question: str
    function: str
    test: str
    decision: str
    family: str


_P, _ADJUSTED, _PAIRS = "p ≤ 0.05", "adjusted p ≤ 0.05", "F p ≤ 0.05, then pair p ≤ 0.05"
_GATE, _SEEN = "p ≤ 0.0152 at the first opening", "printed, never deciding"
_OWN, _TRIALS, _NONE, _SHARED = "in the test", "all trials", "none", "tests share α"

PROTOCOL: Final[tuple[Rule, ...]] = (
    Rule("Does the selected model know more than each baseline?", "max_t", "Clark–West, StepM", _GATE, _TRIALS),
    Rule("Is it worth more after costs than the hardest rival?", "max_t", "net excess return, StepM", _GATE, _TRIALS),
    Rule("Which models lose less than a baseline?", "compare_losses", "DM (HLN), SPA, MCS", _ADJUSTED, "models"),
    Rule("Does one forecast lose less than another?", "diebold_mariano", "DM, HLN, Bartlett", _P, "losses"),
    Rule("Does a model add to a baseline it contains?", "clark_west_test", "Clark–West", _P, "planned"),
    Rule("Can one predict which forecast is better?", "giacomini_white", "Giacomini–White", _P, "planned"),
    Rule("Is the best of many better than a benchmark?", "spa", "Hansen's SPA, consistent", _P, _OWN),
    Rule("The same, in its oldest form", "reality_check", "White's reality check", _P, _OWN),
    Rule("Which of many beat the benchmark?", "stepm", "Romano–Wolf StepM", "listed at 5 %", _OWN),
    Rule("Which models could be the best?", "mcs", "model confidence set", "in the set at 90 %", _OWN),
    Rule("Do means of groups of equal variance differ?", "anova_tukey", "ANOVA, Tukey HSD", _PAIRS, _OWN),
    Rule("Do means of any groups differ?", "anova_welch", "Welch's ANOVA, Games–Howell", _PAIRS, _OWN),
    Rule("Do two arms of an experiment differ?", "welch_t", "Welch's t, Hedges' g", _P, "planned"),
    Rule("The same by rank", "rank_sum", "Wilcoxon–Mann–Whitney, Cliff's delta", _P, "planned"),
    Rule("Where does a model lose less?", "compare_strata", "DM in each stratum", _ADJUSTED, "strata"),
    Rule("Is a Sharpe ratio above a benchmark?", "psr", "probabilistic Sharpe", _SEEN, _NONE),
    Rule("Is it, given how many were tried?", "dsr", "deflated Sharpe", _SEEN, _TRIALS),
    Rule("How long until it would be shown?", "min_track_record", "minimum track record", _SEEN, _NONE),
    Rule("Was the choice of backtests overfitted?", "pbo_cscv", "PBO by CSCV", _SEEN, _OWN),
    Rule("How sure is a number from a series?", "bootstrap_interval", "stationary bootstrap", "interval", _NONE),
    Rule("The same in blocks of one length", "circular_interval", "circular block bootstrap", "interval", _NONE),
    Rule("How sure is a number from runs?", "bca_interval", "BCa bootstrap", "interval", _NONE),
    Rule("What could this much data have shown?", "detectable_effect", "power of t", "80 % power", _SHARED),
    Rule("How much data does it need?", "required_n", "power of t", "80 % power", _SHARED),
    Rule("Does value at risk keep its promise?", "var_backtest", "Kupiec, Christoffersen", "p > 0.05", "planned"),
    Rule("Do spells end without memory?", "duration_dependence", "Weibull, shape 1", "p > 0.05", "planned"),
    Rule("Do probabilities mean what they say?", "calibration.ece", "ECE, top label and by class", _SEEN, _NONE),
    Rule("What is the Brier score made of?", "calibration.brier_parts", "Murphy, within bins", _SEEN, _NONE),
    Rule("Are quantiles right as a whole?", "calibration.pit_uniform", "KS on the PIT", "p > 0.05", "planned"),
    Rule("Do intervals cover?", "calibration.coverage", "exact binomial", "p > 0.05", "planned"),
    Rule("Does error fall with scale?", "scaling.fit_scaling", "Huber fit", "interval above 0", "planned"),
)
"""One line a question, in the order in which a study meets them."""


def protocol_table() -> str:
    """Return the protocol as a Markdown table."""
    head = "| question | function | test | decision | family |\n|---|---|---|---|---|\n"
    return head + "\n".join(
        f"| {rule.question} | `{rule.function}` | {rule.test} | {rule.decision} | {rule.family} |" for rule in PROTOCOL
    )


def family_table() -> str:
    """Return the families as a Markdown table."""
    head = "| family | members | method | bounds | why |\n|---|---|---|---|---|\n"
    return head + "\n".join(
        f"| `{name}` | {family.members} | {family.method} | {family.bounds} | {family.why} |"
        for name, family in FAMILIES.items()
    )
