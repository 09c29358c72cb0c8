"""Selection on `Valid`, scoring on `Test`, and the case that goes before the judge.

Invariants:
1. `select` reads forecasts of selection folds only; the candidate with the lowest primary loss is frozen.
2. What has to be beaten is what `_rivals` says: a trial's series are those of the comparisons in which it shows least.
3. `score_tests` treats candidates and baselines alike; what is kept in memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from karat.core import InputError
from karat.data import horizon_bars
from karat.evidence import Case, Check, Rival, TrialSeries, Verdict, judge
from karat.kernels import sharpe
from karat.market import Capacity, Simulation, volumes_on, with_impact
from karat.study._context import Run
from karat.study._entries import record_series
from karat.study._history import History, read_series, store_series, unstored
from karat.study._plan import Entrant
from karat.study._rivals import SCALE, hardest_in_money, hardest_in_skill, shown_on_valid
from karat.study._score import Scored, edges, score, trade

LOSSES = ("pinball", "crps", "log_loss", "brier")
_DELAY_SHARE = 10  # gate 3 enters a tenth of the horizon later, at least one bar


@dataclass(frozen=True)
class Selection:
    """What was chosen on `Valid`: losses[horizon][title], the frozen candidate, and shown[horizon]: the baseline
    that is worth something there, or cash, with the p-value.
    """

    losses: Mapping[str, Mapping[str, float]]
    selected: str
    trial: str
    shown: Mapping[str, tuple[str, float]]


@dataclass(frozen=True, eq=False)
class Summary:
    """What is kept of one model at one horizon on `Test`: losses by date and instrument, the trial's series."""

    entrant: Entrant
    horizon: str
    by_date: pl.DataFrame
    by_instrument: pl.DataFrame
    skill: np.ndarray
    money: Rival
    rival: str


@dataclass(frozen=True, eq=False)
class Tests:
    """Every model's summary, and the selected model and its baselines in full at the primary horizon."""

    summaries: tuple[Summary, ...]
    chosen: Scored
    skill_baseline: Scored
    money_baseline: Scored
    money_rival: Rival
    hold: Scored
    double_cost: Simulation
    delayed: Simulation
    seeds: tuple[tuple[int, float, float], ...]
    delay_bars: int
    capacity: Capacity | None


@dataclass(frozen=True)
class Printed:
    """Checks that gates 1 and 3 print and never decide by."""

    generalisation: Check
    neighbours: tuple[Check, ...]
    regimes: tuple[Check, ...]


def select(run: Run) -> Selection:
    """Return the selection made on `Valid`."""
    losses: dict[str, dict[str, float]] = {}
    money: dict[str, tuple[str, float]] = {}
    for horizon in run.config.horizons:
        scored = {entrant.title: _scored(run, entrant, horizon, "select") for entrant in run.plan.entrants}
        losses[horizon] = {title: item.loss for title, item in scored.items()}
        names = [entrant.title for entrant in run.plan.baselines]
        money[horizon] = shown_on_valid({title: scored[title].net for title in names})
    at_primary = losses[run.config.primary_horizon]
    best = min(run.plan.candidates, key=lambda entrant: at_primary[entrant.title])
    return Selection(losses, best.title, best.trial[run.config.primary_horizon], money)


def require_trades(run: Run) -> None:
    """Refuse to open `Test` for a policy under which no candidate trades: its worth could not be judged.

    Raises:
        InputError: the policy keeps every candidate in cash on `Valid`; says the largest edge that one forecast.
    """
    policy, largest = run.config.policy, -np.inf
    for entrant in run.plan.candidates:
        found = _scored(run, entrant, run.config.primary_horizon, "select")
        if not found.simulation.fills.is_empty():
            return
        edge = edges(found.forecast)
        largest = max(largest, float(edge.max() if policy.mode == "long_flat" else np.abs(edge).max()))
    why = f"no candidate trades on Valid (zero trades): the largest edge forecast is {largest:.3g}"
    fix = f"lower it below {largest:.3g}" if largest > 0 else "allow short positions: policy.mode: long_flat_short"
    if largest == 0:
        fix = "choose models whose medians are not zero"
    raise InputError("policy.flat_edge", policy.flat_edge, why=why, fix=f"{fix}; Test was not opened")


def score_tests(run: Run, selection: Selection) -> Tests:
    """Return what every model was worth on `Test`, and how the selected one bears being hurt."""
    primary = run.config.primary_horizon
    kept: dict[str, Scored] = {}
    summaries = []
    for horizon in run.config.horizons:
        full = {item.title: _scored(run, item, horizon, "test") for item in run.plan.baselines}
        for entrant in run.plan.entrants:
            item = full.get(entrant.title) or _scored(run, entrant, horizon, "test")
            summaries.append(_summary(entrant, item, full, selection.shown[horizon][0]))
            if horizon == primary and entrant.title == selection.selected:
                rival = summaries[-1].money
                kept |= {"chosen": item, "skill": full[summaries[-1].rival], "hold": full["buy_and_hold"]}
                kept |= {"money": full[SCALE if rival.comparison == "cash" else rival.name]}
    chosen = kept["chosen"]
    delay = max(1, round(horizon_bars(primary) / _DELAY_SHARE))
    return Tests(
        summaries=tuple(summaries),
        chosen=chosen,
        skill_baseline=kept["skill"],
        money_baseline=kept["money"],
        money_rival=rival,
        hold=kept["hold"],
        double_cost=trade(chosen.forecast, run.venue, cost_factor=2.0),
        delayed=trade(chosen.forecast, run.venue, delay=delay),
        seeds=tuple(_seeds(run, selection)),
        delay_bars=delay,
        capacity=_capacity(run, chosen.simulation),
    )


def store_trials(run: Run, tests: Tests) -> None:
    """Store every trial's losses and returns and write their hashes into the ledger."""
    for item in tests.summaries:
        if item.entrant.baseline:
            continue
        trial = item.entrant.trial[item.horizon]
        columns = {"date": item.by_date["date"], "skill": item.skill, "money": item.money.series}
        frame = pl.DataFrame(columns).with_columns(item.by_date.select(*LOSSES, "net"))
        record_series(run, trial, *store_series(run.workspace.series, trial, frame))


def judge_study(
    run: Run, selection: Selection, tests: Tests, history: History, checks: tuple[Check, ...], printed: Printed
) -> Verdict:
    """Return the verdict on the frozen selection; `printed` stands beside gates 1 and 3."""
    chosen, settings = tests.chosen, run.config.verdict
    case = Case(
        selected=selection.trial,
        trials=tuple(_family_series(run, history)),
        unstored=unstored(history.trials),
        prior_trials=settings.prior_trials,
        opening=history.opening,
        alpha=settings.alpha,
        min_sharpe=settings.min_sharpe,
        horizon_bars=horizon_bars(run.config.primary_horizon),
        bars_per_year=run.bars_per_year,
        guards=checks,
        dates=chosen.dates,
        net=chosen.net,
        net_double_cost=tests.double_cost.net_returns,
        net_delayed=tests.delayed.net_returns,
        baseline_net=tests.money_baseline.net,
        seed_sharpes=tuple(worth for _, _, worth in tests.seeds) if len(tests.seeds) > 1 else (),
        seed=run.config.seed,
        draws=settings.draws,
        loss=chosen.by_date("pinball"),
        baseline_loss=tests.skill_baseline.by_date("pinball"),
        baseline_name=tests.money_rival.name,
        comparison=tests.money_rival.comparison,
        skill_baseline_name=tests.skill_baseline.name,
        delay_bars=tests.delay_bars,
        net_at_capital=None if tests.capacity is None else tests.capacity.net_returns,
        capital_note=_capital_note(run, tests.capacity),
        generalisation=printed.generalisation,
        neighbours=printed.neighbours,
        regimes=printed.regimes,
    )
    return judge(case)


def _scored(run: Run, entrant: Entrant, horizon: str, role: str) -> Scored:
    return score(entrant.title, run.averaged(entrant, horizon, role), run.labels(horizon, role), run.venue)


def _summary(entrant: Entrant, item: Scored, baselines: Mapping[str, Scored], shown: str) -> Summary:
    by_date = pl.DataFrame({"date": item.dates, **{name: item.by_date(name) for name in LOSSES}, "net": item.net})
    by_instrument = (
        item.losses.group_by("instrument")
        .agg(pl.len().alias("n"), *(pl.col(name).mean() for name in LOSSES))
        .sort("instrument")
    )
    money = hardest_in_money(item, baselines, shown)
    rival, skill = hardest_in_skill(item, baselines)
    return Summary(entrant, item.horizon, by_date, by_instrument, skill, money, rival)


def _capacity(run: Run, account: Simulation) -> Capacity | None:
    volumes = volumes_on(account.bars, run.dataset.panel)
    return None if volumes is None else with_impact(account, volumes)


def _capital_note(run: Run, capacity: Capacity | None) -> str:
    if capacity is None:
        return "the data have no volume beside some fill"
    largest = float(capacity.participation.max(initial=0.0))
    capital = run.config.market.capital_usd
    return f"{capital:,.0f} USD; square-root impact; the largest fill is {largest:.2%} of a bar's usual volume"


def _seeds(run: Run, selection: Selection) -> Iterator[tuple[int, float, float]]:
    """Yield (seed, primary loss, net Sharpe) of the selected model, seed by seed."""
    entrant, primary = run.plan.entrant(selection.selected), run.config.primary_horizon
    labels = run.labels(primary, "test")
    for seed, forecast in run.forecast(entrant, primary, "test"):
        item = score(entrant.title, forecast, labels, run.venue)
        yield seed, item.loss, _finite(_sharpe(run, item.net))


def _family_series(run: Run, history: History) -> Iterator[TrialSeries]:
    for trial in history.trials:
        stored = read_series(run.workspace.series, trial)
        if stored is not None:
            yield TrialSeries(trial.id, trial.name, *stored)


def _sharpe(run: Run, net: np.ndarray) -> float:
    return sharpe(net, periods_per_year=run.bars_per_year)


def _finite(value: float) -> float:
    """A series that never moved has no Sharpe ratio; as a rank it is worth nothing."""
    return value if np.isfinite(value) else 0.0
