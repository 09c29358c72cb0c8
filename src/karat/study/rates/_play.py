"""A world through the verdict: baselines fitted, candidates traded, one selected on Valid, the frozen one judged.

Nothing is computed here a second way: forecasts become money by `trade`, what has to be beaten is
what `_rivals` says, and `judge` decides, all as in a study. Forecasts of candidates come from the world; the five
baselines are the real ones, fitted on Train for Valid and again, on what is known by then, for Test.

Invariants:
1. The candidate with the lowest primary loss on Valid is selected; Test takes no part in that.
2. Figures that stand beside the gates and never decide are left out: `Case.printed`, losses on Test.
3. The naive verdict looks at the same money: the best Sharpe ratio on Test, a t-test, nothing counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl
from scipy.special import ndtri

from karat.data import (
    INNER,
    LEVELS,
    MEDIAN,
    N_CLASSES,
    Forecast,
    Inputs,
    Labels,
    Panel,
    Provenance,
    Table,
    Train,
    Valid,
)
from karat.evidence import Case, Rival, TrialSeries, clark_west, judge, pinball, spend_alpha
from karat.kernels import sharpe
from karat.models import BASELINES, create
from karat.study._rivals import SCALE, hardest_in_money, hardest_in_skill, mean_above_zero, shown_on_valid
from karat.study._score import Scored, Venue, scale_of, trade
from karat.study.rates._config import JudgeConfig
from karat.study.rates._paths import YEAR
from karat.study.rates._worlds import POLICY, Candidate, World

_FITTED: Final = 378
"""Days of Valid that belong to Train when baselines are fitted again for Test; the rest stays Valid."""


@dataclass(frozen=True, eq=False)
class Stage:
    """A world laid out for forecasters and market: table, bars, and which days select and which judge.

    inputs: those of a run of days, made once for all candidates.
    """

    world: World
    table: Table
    venue: Venue
    valid: np.ndarray
    test: np.ndarray
    inputs: dict[tuple[int, int], Inputs] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, eq=False)
class Tried:
    """A trial's series on Test, the baseline over which its skill is counted, and its hardest comparison in money."""

    series: TrialSeries
    rival: Scored
    money: Rival


@dataclass(frozen=True, eq=False)
class Hearing:
    """What a verdict is given beside the series: the baselines, the settings, a seed, which opening it is."""

    baselines: Mapping[str, Scored]
    settings: JudgeConfig
    seed: int
    opening: int = 1


def play(world: World, settings: JudgeConfig, seed: int) -> dict[str, Any]:
    """Return what the verdict and the naive one say of a world, ready for JSON."""
    stage = lay_out(world)
    baselines, shown = baselines_on(stage, stage.test), shown_in_money(stage)
    chosen = choose(stage, world.candidates)
    entrants = [scored(stage, item.name, forecast_of(stage, item, stage.test)) for item in world.candidates]
    tried = [tried_against(item, baselines, shown, str(k)) for k, item in enumerate(entrants)]
    trials = tuple(item.series for item in tried)
    hearing = Hearing(baselines, settings, seed)
    verdict = judge(case_of(stage, entrants[chosen], tried[chosen], trials, hearing))
    said = verdict.to_dict()
    facts = {
        "outcome": verdict.outcome,
        "gates": {gate["name"]: gate["passed"] for gate in said["gates"]},
        "p_values": {gate["name"]: gate["p_value"] for gate in said["gates"] if gate["p_value"] is not None},
        "real": world.candidates[chosen].real,
        "shown_on_valid": shown,
        "money_baseline": verdict.money_baseline,
        "money_comparison": verdict.money_comparison,
        "net_excess_sharpe": said["net_excess_sharpe"],
        "detectable_sharpe": said["detectable_sharpe"],
        "naive": naive_verdict([item.net for item in entrants], settings.alpha),
    }
    if len(world.instruments) > 1:
        facts["stacked"] = _stacked(
            entrants[chosen], tried[chosen].rival, baselines[SCALE], settings.alpha, len(entrants)
        )
    return facts


def lay_out(world: World) -> Stage:
    """Return the world as a table, a panel and its days."""
    t, n = world.returns.shape
    names = world.instruments
    close = 100.0 * np.cumprod(1.0 + world.returns, axis=0)
    opening = np.vstack([np.full((1, n), 100.0), close[:-1]])
    ts = np.tile(world.ts, n)
    frame = pl.DataFrame(
        {
            "ts": ts,
            "known_at": ts,
            "instrument": np.repeat(names, t).tolist(),
            "open": opening.T.ravel(),
            "close": close.T.ravel(),
        }
    )
    bar = np.vstack([np.full((1, n), np.nan), world.returns[1:]]).T.ravel()
    code = np.repeat(np.arange(n, dtype=np.int64), t)
    table = Table(ts, ts, code, names, np.zeros((t * n, 1)), ("none",), bar)
    panel = Panel(frame, "24/7", Provenance("world", "made for a calibration", "CC0-1.0"))
    first, judged = world.days.train, world.days.train + world.days.valid
    valid, test = np.arange(first, judged - 1), np.arange(judged, judged + world.days.test)
    return Stage(world, table, Venue(panel, POLICY, world.market), valid, test)


def choose(stage: Stage, candidates: Sequence[Candidate]) -> int:
    """Return the place of the candidate with the lowest primary loss on Valid."""
    actual, losses = _ahead(stage, stage.valid), []
    for item in candidates:
        quantiles = forecast_of(stage, item, stage.valid).quantiles[:, INNER]
        losses.append(float(pinball(actual, quantiles, LEVELS[INNER]).mean()))
    return int(np.argmin(losses))


def shown_in_money(stage: Stage) -> str:
    """Return the baseline that has to be beaten at the same risk: the one that Valid shows, or cash."""
    return shown_on_valid({name: item.net for name, item in baselines_on(stage, stage.valid).items()})[0]


def baselines_on(stage: Stage, days: np.ndarray) -> dict[str, Scored]:
    """Return the five baselines, fitted on what is known before `days`, forecasting and trading on them."""
    world = stage.world.days
    cut = world.train if days[0] == world.train else min(world.train + _FITTED, int(days[0]) - 100)
    until = int(days[-1]) if days[0] == world.train else int(days[0]) - 2
    train, valid = _view(stage, Train, np.arange(1, cut - 1)), _view(stage, Valid, np.arange(cut, until + 1))
    inputs = _inputs(stage, days)
    models = {name: create(name, {}, seed=0).fit(train, valid) for name in BASELINES}
    return {name: scored(stage, name, model.predict(inputs)) for name, model in models.items()}


def scored(stage: Stage, name: str, forecast: Forecast) -> Scored:
    """Return a forecast with its account, as a study scores it; without losses, which no gate reads."""
    days = np.searchsorted(stage.world.ts, np.unique(forecast.ts))
    return Scored(name, forecast.horizon, forecast, _ahead(stage, days), pl.DataFrame(), trade(forecast, stage.venue))


def tried_against(item: Scored, baselines: Mapping[str, Scored], shown: str, trial: str) -> Tried:
    """Return what a candidate leaves in the family: its series in the comparisons in which it shows least."""
    name, skill = hardest_in_skill(item, baselines)
    money = hardest_in_money(item, baselines, shown)
    return Tried(TrialSeries(trial, item.name, item.dates, skill, money.series), baselines[name], money)


def case_of(stage: Stage, chosen: Scored, tried: Tried, trials: tuple[TrialSeries, ...], hearing: Hearing) -> Case:
    """Return the case of the chosen candidate among all trials of its family."""
    settings, money = hearing.settings, tried.money
    return Case(
        selected=tried.series.id,
        trials=trials,
        unstored=0,
        prior_trials=0,
        opening=hearing.opening,
        horizon_bars=1,
        bars_per_year=YEAR,
        guards=(),
        dates=chosen.dates,
        net=chosen.net,
        net_double_cost=trade(chosen.forecast, stage.venue, cost_factor=2.0).net_returns,
        net_delayed=trade(chosen.forecast, stage.venue, delay=1).net_returns,
        baseline_net=hearing.baselines[SCALE if money.comparison == "cash" else money.name].net,
        seed_sharpes=(),
        seed=hearing.seed,
        alpha=settings.alpha,
        min_sharpe=settings.min_sharpe,
        draws=settings.draws,
        baseline_name=money.name,
        comparison=money.comparison,
        skill_baseline_name=tried.rival.name,
        printed=False,
        sure_above=spend_alpha(settings.alpha, hearing.opening),
    )


def naive_verdict(nets: Sequence[np.ndarray], alpha: float) -> bool:
    """Return whether the net returns (n,) with the best Sharpe ratio pass a t-test, as if nothing else was tried."""
    best = max(nets, key=lambda net: np.nan_to_num(sharpe(net, periods_per_year=YEAR), nan=-math.inf))
    return mean_above_zero(best) <= alpha


def _stacked(chosen: Scored, rival: Scored, scale: Scored, alpha: float, trials: int) -> bool:
    """Return whether skill would be shown if every instrument's row counted as independent evidence (Sidak)."""
    base, median = (item.forecast.quantiles[:, MEDIAN] for item in (rival, chosen))
    terms = clark_west(chosen.values, base, median, scale_of(scale.forecast))
    return -math.expm1(trials * math.log1p(-mean_above_zero(terms))) <= spend_alpha(alpha / 2.0, 1)


def _ahead(stage: Stage, days: np.ndarray) -> np.ndarray:
    """Return (n,) the next day's return of every row of `days`, instrument by instrument."""
    return np.asarray(stage.world.returns[days + 1].T.ravel())


def forecast_of(stage: Stage, item: Candidate, days: np.ndarray) -> Forecast:
    """Return a candidate's normal forecast; class probabilities are even, because nothing here scores classes."""
    median, spread = item.median[days].T.ravel(), item.spread[days].T.ravel()
    inputs = _inputs(stage, days)
    quantiles = np.maximum(median[:, None] + spread[:, None] * ndtri(LEVELS)[None, :], -1.0)
    probabilities = np.full((len(median), N_CLASSES), 1.0 / N_CLASSES)
    return Forecast.of(inputs, quantiles, probabilities, model=item.name)


def _rows(stage: Stage, days: np.ndarray, length: int) -> np.ndarray:
    """Return the rows of days in a table whose instruments have `length` days each."""
    return np.concatenate([k * length + days for k in range(len(stage.world.instruments))])


def _cut(stage: Stage, days: np.ndarray) -> tuple[Table, np.ndarray]:
    """Return the table that ends with the last of the days, and their rows in it."""
    length, whole = int(days[-1]) + 1, len(stage.world.returns)
    kept = _rows(stage, np.arange(length), whole)
    return stage.table.take(kept), _rows(stage, days, length)


def _inputs(stage: Stage, days: np.ndarray) -> Inputs:
    span = int(days[0]), int(days[-1])  # days without a gap
    if span not in stage.inputs:
        table, rows = _cut(stage, days)
        stage.inputs[span] = Inputs(table, rows, "1d")
    return stage.inputs[span]


def _view(stage: Stage, kind: type[Train] | type[Valid], days: np.ndarray) -> Any:
    table, rows = _cut(stage, days)
    ends = table.ts[rows] + int(stage.world.ts[1] - stage.world.ts[0])
    return kind(table, rows, "1d", Labels(_ahead(stage, days), table.ts[rows] + 1, ends))
