"""An automated researcher who does not stop trying: study after study on the same data without an edge.

Each study opens `Test` once more and adds its settings to the family. Families are found by fingerprints of prices, as
in a ledger, so that new names of studies and instruments change nothing. The researcher stops at the first acceptance.

Invariants:
1. Trials, openings and the level of each are counted as a study counts them: `fingerprints`, `connected`, `judge`.
2. A study whose skill fails its gate is not judged further, and one whose level no p-value can reach is not made:
   neither could be accepted. Judging everything in full gives the same end (a test).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from karat.core import content_hash, derive_seed, generator
from karat.data import Panel
from karat.evidence import TrialSeries, block_length, judge, max_t, max_t_exceeds, spend_alpha
from karat.kernels import sharpe
from karat.study._history import connected, fingerprints
from karat.study._score import Scored
from karat.study.rates._config import CalibrationConfig, CampaignConfig, NoEdge
from karat.study.rates._paths import YEAR, Floats
from karat.study.rates._play import (
    Hearing,
    Stage,
    Tried,
    baselines_on,
    case_of,
    choose,
    forecast_of,
    lay_out,
    scored,
    shown_in_money,
    tried_against,
)
from karat.study.rates._worlds import CLAIM, Candidate, make_world, noise_signals, scale_of

_ALIKE = 0.9


@dataclass
class _Researcher:
    """What the researcher knows: the market, each study's marks and trials, and the signal that did best on Test."""

    stage: Stage
    baselines: dict[str, Scored]
    shown: str
    spread: Floats
    marks: dict[str, set[str]] = field(default_factory=dict)
    trials: dict[str, list[TrialSeries]] = field(default_factory=dict)
    best: tuple[float, Floats | None] = (-math.inf, None)


def run_campaign(
    config: CalibrationConfig, kind: CampaignConfig, number: int, *, in_full: bool = False
) -> dict[str, Any]:
    """Return the study that was accepted, or None, and how many were made and counted; ready for JSON.

    in_full: judge every study, also where the outcome is known before.
    """
    seed = derive_seed(config.seed, "rates", "campaign", content_hash(config.identity(kind)), number)
    who = _start(config, seed)
    accepted, made = None, 0
    for study in range(1, kind.studies + 1):
        if not in_full and not _reachable(config, study):
            break
        made = study
        if _one_study(who, config, kind, study, seed, in_full):
            accepted = study
            break
    openings = len(connected(str(made), who.marks))
    return {"accepted": accepted, "judged": made, "openings": openings, "trials": sum(map(len, who.trials.values()))}


def _start(config: CalibrationConfig, seed: int) -> _Researcher:
    market = config.model_copy(update={"seed": seed})
    stage = lay_out(make_world(market, NoEdge(name="market", world="garch"), 0))
    return _Researcher(stage, baselines_on(stage, stage.test), shown_in_money(stage), scale_of(stage.world.returns))


def _reachable(config: CalibrationConfig, opening: int) -> bool:
    """Return whether the level of an opening is not below the smallest p-value that the draws can give."""
    return spend_alpha(config.verdict.alpha / 2.0, opening) >= 1.0 / (config.verdict.draws + 1.0)


def _one_study(
    who: _Researcher, config: CalibrationConfig, kind: CampaignConfig, study: int, seed: int, in_full: bool
) -> bool:
    """Return whether one more study ends in an acceptance."""
    found = _settings(who, kind, study, seed)
    entrants = [scored(who.stage, item.name, forecast_of(who.stage, item, who.stage.test)) for item in found]
    tried = [tried_against(item, who.baselines, who.shown, f"{study}-{k}") for k, item in enumerate(entrants)]
    who.marks[str(study)] = set(fingerprints(_panel(who, kind, study), *_span(who)))
    who.trials[str(study)] = [item.series for item in tried]
    chosen = choose(who.stage, found)
    if kind.learns:
        _remember(who, found, entrants)
    family = connected(str(study), who.marks)
    trials = tuple(series for name in who.trials if name in family for series in who.trials[name])
    if not in_full and not _skill_passes(config, tried[chosen], trials, len(family), seed):
        return False
    hearing = Hearing(who.baselines, config.verdict, seed, len(family))
    case = case_of(who.stage, entrants[chosen], tried[chosen], trials, hearing)
    return judge(case).outcome == "accepted"


def _skill_passes(
    config: CalibrationConfig, tried: Tried, trials: tuple[TrialSeries, ...], opening: int, seed: int
) -> bool:
    """Return whether gate 1 would pass, from the same test as the gate's."""
    matrix = np.column_stack([item.skill for item in trials])
    place = [item.id for item in trials].index(tried.series.id)
    level, draws = spend_alpha(config.verdict.alpha / 2.0, opening), config.verdict.draws
    block = block_length(matrix[:, place], 1)
    if max_t_exceeds(matrix[:, place], level, block=block, draws=draws, seed=seed):
        return False
    return max_t(matrix, place, block=block, draws=draws, seed=seed).p_value <= level


def _settings(who: _Researcher, kind: CampaignConfig, study: int, seed: int) -> list[Candidate]:
    """Return the settings of a study: fresh ones, or half of them small changes of the best on Test so far."""
    rng = generator(seed, "settings", study)
    signals = [signal for _, signal in noise_signals(rng, who.stage.world.returns, kind.settings)]
    best = who.best[1]
    if kind.learns and best is not None:
        for k in range(kind.settings // 2):
            signals[k] = math.sqrt(_ALIKE) * best + math.sqrt(1.0 - _ALIKE) * signals[k]
    return [
        Candidate(f"study_{study}_{k}", CLAIM * who.spread * signal, who.spread, False)
        for k, signal in enumerate(signals)
    ]


def _remember(who: _Researcher, found: list[Candidate], entrants: list[Scored]) -> None:
    for item, entrant in zip(found, entrants, strict=True):
        worth = sharpe(entrant.net, periods_per_year=YEAR)
        if worth > who.best[0]:
            who.best = worth, item.median / (CLAIM * who.spread)


def _panel(who: _Researcher, kind: CampaignConfig, study: int) -> Panel:
    """Return the prices as this study has them: under a name of its own where everything is renamed."""
    panel = who.stage.venue.panel
    if not kind.rename:
        return panel
    frame = panel.frame.with_columns(instrument=panel.frame["instrument"] + f"_{study}")
    return Panel(frame, panel.calendar, panel.provenance)


def _span(who: _Researcher) -> tuple[int, int]:
    days = who.stage.world.ts[who.stage.test]
    return int(days[0]), int(days[-1])
