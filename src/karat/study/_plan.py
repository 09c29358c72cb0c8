"""The plan of a study: which cells, which trials, under which addresses.

Invariants:
1. Baselines are added by karat, the same five always; a study file can add candidates and never remove a baseline.
2. A trial's id depends on configuration and data, not on names, folds or averaged seeds; the choice of seeds is part
   of it, because picking a seed is a choice, and so are the code of a plug-in and how forecasts are calibrated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from karat.core import InputError, content_hash, short_id
from karat.data import Panel
from karat.models import BASELINES, create
from karat.study._cells import Cell, address_of
from karat.study._config import ModelConfig, StudyConfig
from karat.study._environment import code_identity
from karat.study._plugins import model_plugins
from karat.study._prepare import Prepared

PRIMARY_LOSS = "mean pinball over the levels 0.05 to 0.95, averaged per date"


@dataclass(frozen=True)
class Entrant:
    """A model of the study at every horizon. `trial` maps horizon to trial id; baselines have none."""

    title: str
    config: ModelConfig
    baseline: bool
    seeds: tuple[int, ...]
    trial: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """Everything a study will do, before it does any of it."""

    run_id: str
    run_hash: str
    entrants: tuple[Entrant, ...]
    cells: tuple[Cell, ...]
    identity: Mapping[str, Any]

    def of(self, entrant: Entrant, horizon: str, role: str) -> list[Cell]:
        """Return the entrant's cells of one horizon and role, by seed and fold."""
        return [cell for cell in self.of_role(role) if (cell.title, cell.horizon) == (entrant.title, horizon)]

    def of_role(self, role: str) -> list[Cell]:
        """Return the cells of one role."""
        return [cell for cell in self.cells if cell.role == role]

    def entrant(self, title: str) -> Entrant:
        """Return the entrant with a title."""
        return next(item for item in self.entrants if item.title == title)

    @property
    def candidates(self) -> tuple[Entrant, ...]:
        """The entrants that may be selected."""
        return tuple(item for item in self.entrants if not item.baseline)

    @property
    def baselines(self) -> tuple[Entrant, ...]:
        """The five entrants that every study has to beat."""
        return tuple(item for item in self.entrants if item.baseline)


def declaration(config: StudyConfig) -> dict[str, Any]:
    """Return what is fixed before `Test` opens; changing any of it makes new trials."""
    return {
        "primary_loss": PRIMARY_LOSS,
        "primary_horizon": config.primary_horizon,
        "policy": config.policy.model_dump(mode="json"),
        "alpha": config.verdict.alpha,
        "min_sharpe": config.verdict.min_sharpe,
    }


def code_of(config: StudyConfig) -> dict[str, Any]:
    """Return everything but configuration and data that can change a number of this study."""
    return code_identity(config.plugins)


def make_plan(config: StudyConfig, panel: Panel, prepared: Prepared, dataset: str) -> Plan:
    """Return the plan of a study on prepared data stored under the address `dataset`.

    Raises:
        InputError: models or parameters that do not exist, or nothing but baselines.
    """
    code = code_of(config)
    identity = {"config": config.identity(), "data": panel.content_hash, "code": code}
    run_hash = content_hash(identity)
    entrants = tuple(_entrants(config, panel, code["plugins"]))
    if all(item.baseline for item in entrants):
        seen = [model.name for model in config.models]
        raise InputError("models", seen, why="these baselines run in every study", fix="name a candidate to test")
    common = {"dataset": dataset, "splits": config.splits.model_dump(mode="json"), "code": content_hash(code)}
    cells = tuple(_cells(entrants, prepared, common))
    return Plan(short_id(run_hash), run_hash, entrants, cells, identity)


def _entrants(config: StudyConfig, panel: Panel, plugged: Mapping[str, str]) -> Iterator[Entrant]:
    models = [(ModelConfig(name=name), True) for name in BASELINES]
    models += [(model, False) for model in config.models if model.name not in BASELINES or model.params]
    taken: set[str] = set()
    plugins = model_plugins(config.plugins)
    for model, baseline in models:
        stochastic = create(model.name, model.params, seed=config.seed, plugins=plugins).stochastic
        seeds = tuple(config.seed + k for k in range(config.seeds)) if stochastic else (config.seed,)
        title = model.title if model.title not in taken else f"{model.title} #{len(taken)}"
        taken.add(title)
        choice = [model.name, model.params, list(seeds) if stochastic else [], plugged.get(model.name, "")]
        trial = (
            {} if baseline else {str(horizon): _trial(config, panel, choice, horizon) for horizon in config.horizons}
        )
        yield Entrant(title, model, baseline, seeds, trial)


def _trial(config: StudyConfig, panel: Panel, choice: Sequence[Any], horizon: str) -> str:
    facts = {
        "data": panel.content_hash,
        "features": list(config.features),
        "splits": config.splits.model_dump(mode="json"),
        "model": list(choice),
        "horizon": horizon,
        "market": config.market.model_dump(mode="json"),
        "declaration": declaration(config),
    }
    if config.calibration.used:  # raw forecasts keep the ids that they had before there was calibration
        facts["calibration"] = config.calibration.model_dump(mode="json")
    return content_hash(facts)[:40]


def _cells(entrants: Sequence[Entrant], prepared: Prepared, common: Mapping[str, Any]) -> Iterator[Cell]:
    for horizon, folds in prepared.folds.items():
        for position, fold in enumerate(folds):
            for entrant in entrants:
                name, params = entrant.config.name, entrant.config.params
                place = {"horizon": horizon, "fold": position, "role": fold.role}
                for seed in entrant.seeds:
                    address = address_of({**common, **place, "model": [name, params], "seed": seed})
                    yield Cell(address, entrant.title, name, params, seed, horizon, position, fold.role)
