"""The records a verdict is made from and made of: what is judged, what was checked, what came out.

Invariants:
1. Every record is frozen and holds plain numbers, strings and float64 or int64 arrays.
2. A `Check` with `passed=None` never decides: it was printed only, or could not be evaluated (then `value` is None).
3. `to_dict()` gives JSON-ready facts: numbers that are not finite become None.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from karat.core import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Comparison = Literal["cash", "share", "risk"]
Outcome = Literal["invalid", "rejected", "indistinguishable", "accepted"]

PRINTED: Final = "printed, never deciding"
"""Threshold text of a check that informs and does not decide."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what was seen, what was asked for, whether it held (None: it decides nothing)."""

    name: str
    value: float | str | None
    threshold: str
    passed: bool | None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return {**dataclasses.asdict(self), "value": _plain(self.value)}


@dataclass(frozen=True)
class Gate:
    """One of the four gates. `passed` is None where an earlier failure left nothing to judge."""

    number: int
    name: str
    question: str
    passed: bool | None
    statistic: float | None
    p_value: float | None
    threshold: str
    reason: str
    checks: tuple[Check, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        facts = {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}
        return {**facts, "checks": [check.to_dict() for check in self.checks]}


@dataclass(frozen=True)
class Verdict:
    """What the evidence says, with everything needed to say why.

    `trials` counts the trials whose series entered the tests, `family_trials` adds the unstored and prior ones.
    `alpha` is the level of the whole study and `alpha_spent` the level of each of gates 1 and 2 at this opening.
    Sharpe ratios are annual. `net_excess_interval` is the two-sided 90 % interval, so that its upper end is the
    one-sided 95 % bound. `detectable_sharpe` is what this much data could have shown at 80 % power.
    `skill_baseline` and `money_baseline` are those that gates 1 and 2 found hardest to beat, "cash" among the latter;
    `money_comparison` says how (see `Case.comparison`).
    """

    outcome: Outcome
    reason: str
    gates: tuple[Gate, ...]
    provisional: bool
    trials: int
    family_trials: int
    openings: int
    alpha: float
    alpha_spent: float
    net_excess_sharpe: float
    net_excess_interval: tuple[float, float]
    detectable_sharpe: float
    forward_days: int = 0
    skill_baseline: str = ""
    money_baseline: str = ""
    money_comparison: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        facts = {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}
        facts["net_excess_interval"] = [_plain(bound) for bound in self.net_excess_interval]
        return {**facts, "gates": [gate.to_dict() for gate in self.gates]}


@dataclass(frozen=True, eq=False)
class TrialSeries:
    """What one trial left behind on the test dates: one row per date, panels averaged over instruments first.

    `dates` (n,) int64 UTC ns, strictly increasing; `skill` (n,) Clark-West terms, no unit; `money` (n,) net excess
    simple returns per bar over the baseline, or cash, over which it shows least. NaN marks a date without a value.
    """

    id: str
    name: str
    dates: Ints
    skill: Floats
    money: Floats

    def __post_init__(self) -> None:
        _require_dates(f"trials[{self.id}].dates", self.dates)
        for field in ("skill", "money"):
            _require_shape(f"trials[{self.id}].{field}", getattr(self, field), len(self.dates), nan=True)


@dataclass(frozen=True, eq=False)
class Case:
    """Everything `judge` may look at. Nothing else can influence the verdict.

    selected: id of the trial that selection chose on `Valid`, before `Test` opened.
    trials: the stored trials of the whole family, own and earlier ones, the selected among them, baselines not.
    unstored, prior_trials: counted trials without a series; each counts as one independent trial.
    opening: which opening of the family's `Test` this is, from 1.
    horizon_bars, bars_per_year: bars of the label's horizon, bars in a year.
    guards: gate 0's checks made elsewhere; False invalidates, None is printed.
    dates (n,): the test dates; net, net_double_cost, net_delayed, baseline_net (n,): net simple returns per bar of the
        selected forecaster (at one and two times the costs, and entered later) and of the baseline; no NaN.
    seed_sharpes: annual net Sharpe of every seed, NaN for one that never trades; empty for a deterministic forecaster.
    loss, baseline_loss (n,): mean pinball loss per date, fraction; None leaves the printed comparison out. NaN allowed.
    baseline_name, skill_baseline_name (None: the same one), delay_bars: for the words of the verdict.
    comparison: what the selected trial's money series is. `cash`: its net returns. `share`: what is left of them after
        its share of the baseline's (`hedged_excess`). `risk`: the excess at the baseline's risk (`matched_excess`).
    seed, draws: of the bootstrap.
    printed: whether figures that stand beside the gates and never decide are computed; the verdict is the same.
    sure_above: draws of gates 1 and 2 end once the p-value is surely above this; it then is None, the verdict the same.
    net_at_capital (n,): net with the impact of orders at the declared capital; None: not evaluated, and the note why.
    generalisation: a printed check of gate 1 made elsewhere; None leaves it out.
    neighbours, regimes: gate 3's printed checks made elsewhere, which decide nothing; empty: not evaluated.
    """

    selected: str
    trials: tuple[TrialSeries, ...]
    unstored: int
    prior_trials: int
    opening: int
    horizon_bars: int
    bars_per_year: float
    guards: tuple[Check, ...]
    dates: Ints
    net: Floats
    net_double_cost: Floats
    net_delayed: Floats | None
    baseline_net: Floats
    seed_sharpes: tuple[float, ...]
    seed: int
    alpha: float = 0.05
    min_sharpe: float = 0.5
    draws: int = 2000
    loss: Floats | None = None
    baseline_loss: Floats | None = None
    baseline_name: str = "the best baseline"
    skill_baseline_name: str | None = None
    comparison: Comparison = "risk"
    delay_bars: int = 1
    net_at_capital: Floats | None = None
    capital_note: str = ""
    printed: bool = True
    sure_above: float | None = None
    generalisation: Check | None = None
    neighbours: tuple[Check, ...] = ()
    regimes: tuple[Check, ...] = ()

    def __post_init__(self) -> None:
        _require_dates("dates", self.dates)
        _require_series(self)
        _require_numbers(self)
        ids = [trial.id for trial in self.trials]
        if not ids:
            raise InputError("trials", "none", allowed="one or more", why="a verdict counts what was tried")
        if len(set(ids)) != len(ids):
            doubled = sorted({name for name in ids if ids.count(name) > 1})
            raise InputError("trials", doubled, why="a trial is listed twice", allowed="one series per trial id")
        if self.selected not in ids:
            raise InputError("selected", self.selected, allowed=ids, why="it is not among the trials")

    @property
    def chosen(self) -> TrialSeries:
        """The selected trial's series."""
        return next(trial for trial in self.trials if trial.id == self.selected)

    @property
    def rival_in_skill(self) -> str:
        """The name of the baseline that gate 1 compares with."""
        return self.skill_baseline_name or self.baseline_name

    @property
    def earning(self) -> str:
        """What gate 2 tests, in words that follow the model's name."""
        return {
            "cash": "earns more than cash after costs",
            "share": f"earns more after costs than what it shares with {self.baseline_name}",
            "risk": f"earns more than {self.baseline_name} after costs at the same risk",
        }[self.comparison]

    @property
    def beyond(self) -> str:
        """Over what the net excess Sharpe ratio is taken, in words."""
        others = {"cash": "over cash", "share": f"beyond what it shares with {self.baseline_name}"}
        return others.get(self.comparison, f"over {self.baseline_name}")

    @property
    def counted_only(self) -> int:
        """Trials that are counted and have no series."""
        return self.unstored + self.prior_trials

    def matrix(self, column: Literal["skill", "money"]) -> tuple[Floats, int]:
        """Return the family's series on the case's dates (n, m), NaN where there is none, and the selected's column."""
        out = np.full((len(self.dates), len(self.trials)), np.nan)
        for k, trial in enumerate(self.trials):
            if np.array_equal(self.dates, trial.dates):
                out[:, k] = getattr(trial, column)
                continue
            _, mine, its = np.intersect1d(self.dates, trial.dates, assume_unique=True, return_indices=True)
            out[mine, k] = getattr(trial, column)[its]
        return out, [trial.id for trial in self.trials].index(self.selected)


def _require_series(case: Case) -> None:
    n = len(case.dates)
    for field in ("net", "net_double_cost", "net_delayed", "baseline_net", "net_at_capital"):
        values = getattr(case, field)
        if values is not None:
            _require_shape(field, values, n, nan=False)
    for field in ("loss", "baseline_loss"):
        values = getattr(case, field)
        if values is not None:
            _require_shape(field, values, n, nan=True)


def _require_numbers(case: Case) -> None:
    lowest = {"unstored": 0, "prior_trials": 0, "opening": 1, "horizon_bars": 1, "draws": 100}
    for field, low in lowest.items():
        if getattr(case, field) < low:
            raise InputError(field, getattr(case, field), allowed=f"{low} or more")
    for field in ("bars_per_year", "min_sharpe"):
        if not (math.isfinite(getattr(case, field)) and getattr(case, field) > 0):
            raise InputError(field, getattr(case, field), allowed="a positive number")
    if not 0 < case.alpha < 1:
        raise InputError("alpha", case.alpha, allowed="between 0 and 1")
    deciding = [check.name for check in (*case.neighbours, *case.regimes) if check.passed is not None]
    if deciding:
        raise InputError("neighbours, regimes", deciding, allowed="checks with passed=None", why="they never decide")
    if any(math.isinf(value) for value in case.seed_sharpes):
        raise InputError("seed_sharpes", case.seed_sharpes, allowed="finite numbers, NaN for a seed that never trades")


def _require_dates(field: str, dates: Ints) -> None:
    if dates.ndim != 1 or len(dates) < 2:
        raise InputError(field, f"shape {dates.shape}", allowed="(n,) with two dates or more")
    if (np.diff(dates) <= 0).any():
        raise InputError(field, "dates out of order or repeated", allowed="strictly increasing UTC ns")


def _require_shape(field: str, values: Floats, n: int, *, nan: bool) -> None:
    if values.shape != (n,):
        raise InputError(field, f"shape {values.shape}", allowed=f"({n},): one value per date")
    if np.isinf(values).any() or (not nan and np.isnan(values).any()):
        raise InputError(field, "values that are not finite", allowed="finite numbers" + (" or NaN" if nan else ""))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
