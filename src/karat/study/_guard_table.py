"""The table behind `karat guard`: every guard by name, and the one function that runs them on a study.

Invariants:
1. A guard never opens Test and writes nothing into a ledger; what it fits lies in a folder that is gone afterwards.
2. One line a guard here, one in `_guard_list`. `all` is every guard of the table.
3. A guard fails where a check is False. A check that is None was printed, or could not be evaluated, and says why.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from karat.core import NS_PER_SECOND, InputError, monotonic_ns, require
from karat.data import Forecast
from karat.evidence import Check, budget_check
from karat.models import create
from karat.study._cells import Task, moved_by_names, moved_by_the_future, read_forecast, run_cell
from karat.study._config import StudyConfig
from karat.study._context import venue_of
from karat.study._guard_list import QUESTIONS
from karat.study._guards import (
    FreshProcess,
    data_checks,
    forecaster_checks,
    future_checks,
    id_checks,
    label_checks,
    money_checks,
    shift_checks,
    split_checks,
)
from karat.study._names import check_names
from karat.study._plan import Plan, make_plan
from karat.study._plugins import model_plugins
from karat.study._prepare import Dataset, Prepared, assemble, prepare_dataset, save_dataset
from karat.study._score import Venue, trade

RUNS: Final = 3


@dataclass(frozen=True)
class Guard:
    """One guard: what it asks, and the checks that answer."""

    name: str
    question: str
    checks: Callable[[Bench], tuple[Check, ...]]


@dataclass(frozen=True)
class GuardReport:
    """What one guard found on one study."""

    guard: str
    checks: tuple[Check, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return all(check.passed is not False for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        checks = [check.to_dict() for check in self.checks]
        return {"guard": self.guard, "passed": self.passed, "seconds": round(self.seconds, 3), "checks": checks}


@dataclass(frozen=True, eq=False)
class Bench:
    """A study on the bench: its data are read, its folds cut and its first candidate fitted when a guard asks."""

    config: StudyConfig
    folder: Path

    @cached_property
    def dataset(self) -> Dataset:
        """The study's data and features."""
        return prepare_dataset(self.config)

    @cached_property
    def prepared(self) -> Prepared:
        """Table, labels and folds."""
        return assemble(self.dataset.panel, self.dataset.features, self.config.horizons, self.config.splits)

    @cached_property
    def task(self) -> Task:
        """The first candidate's last selection cell at the primary horizon."""
        place = save_dataset(self.dataset, self.folder)
        plan: Plan = make_plan(self.config, self.dataset.panel, self.prepared, place.name)
        cell = plan.of(plan.candidates[0], self.config.primary_horizon, "select")[-1]
        terms = (self.config.horizons, self.config.splits, self.config.plugins)
        return Task(cell, str(place), *terms, str(self.folder / "cell"))

    @cached_property
    def forecast(self) -> Forecast:
        """What that cell forecasts for Valid."""
        return read_forecast(self.folder / "cell", run_cell(self.task).forecast_hash)

    @cached_property
    def venue(self) -> Venue:
        """Policy and market."""
        return venue_of(self.config, self.dataset.panel)


def _forecaster(bench: Bench) -> tuple[Check, ...]:
    run_cell(bench.task)
    moved, renamed = moved_by_the_future(bench.task), moved_by_names(bench.task)
    return forecaster_checks({"moved_rows": moved, "renamed_rows": renamed})


def _market(bench: Bench) -> tuple[Check, ...]:
    panel = bench.dataset.panel
    return money_checks(trade(bench.forecast, bench.venue), panel)


def _determinism(bench: Bench) -> tuple[Check, ...]:
    """Run one cell in fresh processes: three times with its seed, and once with another where the seed matters."""
    task = bench.task
    plugins = model_plugins(bench.config.plugins)
    seeds = [task.cell.seed] * RUNS
    if create(task.cell.model, task.cell.params, seed=task.cell.seed, plugins=plugins).stochastic:
        seeds.append(task.cell.seed + 1)
    runs = []
    try:
        for number, seed in enumerate(seeds):
            scratch = bench.folder / f"run{number}"
            again = replace(task, cell=replace(task.cell, seed=seed, address=f"{task.cell.address[:32]}{number}"))
            runs.append(FreshProcess(again, "", scratch))
        found = [str(run.found()["forecast_hash"]) for run in runs]
    finally:
        for run in runs:
            run.stop()
    same, other = set(found[:RUNS]), found[RUNS:]
    equal = Check("determinism", float(len(same)), "1 hash", len(same) == 1, f"{RUNS} fresh processes, {found[0][:12]}")
    name = "another seed"
    if not other:
        return equal, Check(name, None, "another hash", None, "not evaluable: the forecaster is deterministic")
    return equal, Check(name, float(other[0] not in same), "another hash", other[0] not in same)


def _params(bench: Bench) -> tuple[Check, ...]:
    """Count the parameters of every model of the study that has a network."""
    plugins = model_plugins(bench.config.plugins)
    checks = []
    for item in bench.config.models:
        network = create(item.name, item.params, seed=bench.config.seed, plugins=plugins).network(
            len(bench.dataset.features.specs)
        )
        if network is not None:
            require("torch", "nets")
            from karat.nets import count_parameters

            checks.append(budget_check(item.title, count_parameters(network)))
    return tuple(checks) or (Check("parameters", None, "", None, "not evaluable: no model of the study has a network"),)


_CHECKS: Final[dict[str, Callable[[Bench], tuple[Check, ...]]]] = {
    "data": data_checks,
    "future": future_checks,
    "splits": split_checks,
    "ids": id_checks,
    "labels": label_checks,
    "shift": shift_checks,
    "forecaster": _forecaster,
    "market": _market,
    "determinism": _determinism,
    "params": _params,
}

GUARDS: Final = {name: Guard(name, question, _CHECKS[name]) for name, question in QUESTIONS.items()}
"""Every guard by name."""


def run_guards(names: Sequence[str], config: StudyConfig) -> Iterator[GuardReport]:
    """Yield what each named guard finds on a study; `all` stands for every guard.

    Raises:
        InputError: an unknown guard, with the nearest valid name; or what is wrong with the study.
    """
    wanted = [name for item in names for name in (GUARDS if item == "all" else (item,))]
    for name in wanted:
        if name not in GUARDS:
            raise InputError("guard", name, allowed=["all", *GUARDS])
    check_names(config)
    with tempfile.TemporaryDirectory(prefix="karat-guard-") as folder:
        bench = Bench(config, Path(folder))
        for name in wanted:
            started = monotonic_ns()
            checks = GUARDS[name].checks(bench)
            yield GuardReport(name, checks, (monotonic_ns() - started) / NS_PER_SECOND)
