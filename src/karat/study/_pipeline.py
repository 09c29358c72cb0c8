"""The study: data to cells to evidence to verdict to report, in an order that cannot be reversed.

Invariants:
1. Selection is written into the ledger, with everything the verdict depends on, before any test cell starts.
2. Each test cell's opening is in the ledger before the cell is dispatched.
3. Every candidate is a trial in the ledger from the moment its score on `Valid` exists, finished study or not.
4. A finished cell is never run twice; the ledger holds one entry for each.
5. Everything after the cells depends on their stored forecasts and on the recorded history only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from karat.core import Interrupted, Ledger
from karat.data import Catalog, Forecast
from karat.study._cells import Cell, Task, read_forecast, read_result, run_cell
from karat.study._config import StudyConfig
from karat.study._executor import Executor, make_executor
from karat.study._guards import FreshProcess, static_checks
from karat.study._history import History, fingerprints, read_history
from karat.study._judge import Selection, judge_study, record_series, score_tests, select
from karat.study._plan import Entrant, Plan, declaration, make_plan
from karat.study._prepare import Dataset, Prepared, assemble, prepare_dataset, save_dataset, span_of_tests
from karat.study._publish import publish
from karat.study._result import RunResult
from karat.study._score import Venue, average_seeds, merge_folds
from karat.study._workspace import Workspace

_BAR_SESSIONS = {"1d": 1.0, "2d": 2.0, "3d": 3.0, "5d": 5.0, "week": 252.0 / 52.0}

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


@dataclass(frozen=True, eq=False)
class Run:
    """One study under way: what it works on and where it writes."""

    config: StudyConfig
    workspace: Workspace
    ledger: Ledger
    dataset: Dataset
    prepared: Prepared
    plan: Plan
    folder: Path
    progress: Progress
    resume: str

    def task(self, cell: Cell, target: Path | None = None) -> Task:
        """Return the work order of a cell."""
        place = target or self.workspace.cells / cell.address
        return Task(cell, str(self.folder), self.config.horizons, self.config.splits, self.config.plugins, str(place))

    def forecast(self, entrant: Entrant, horizon: str, role: str) -> list[tuple[int, Forecast]]:
        """Return (seed, forecast over all folds) for each seed of an entrant, from finished cells."""
        per_seed: dict[int, list[Forecast]] = {}
        for cell in self.plan.of(entrant, horizon, role):
            place = self.workspace.cells / cell.address
            per_seed.setdefault(cell.seed, []).append(read_forecast(place, read_result(place).forecast_hash))
        return [(seed, merge_folds(parts)) for seed, parts in per_seed.items()]

    def averaged(self, entrant: Entrant, horizon: str, role: str) -> Forecast:
        """Return the forecast averaged over seeds."""
        return average_seeds([forecast for _, forecast in self.forecast(entrant, horizon, role)])

    @property
    def bars_per_year(self) -> float:
        """Bars in a year: what the study says, else 252 (365 where trading never stops) over the bar's length."""
        policy = self.config.policy
        if "bars_per_year" in policy.model_fields_set:
            return float(policy.bars_per_year)
        sessions = 365.0 if self.dataset.panel.calendar == "24/7" else 252.0
        return sessions / _BAR_SESSIONS[self.config.data.bars]

    @property
    def venue(self) -> Venue:
        """The policy and market everybody trades through."""
        policy = self.config.policy.model_copy(update={"bars_per_year": self.bars_per_year})
        return Venue(self.dataset.panel, policy, self.config.market)


def run_study(
    config: StudyConfig,
    workspace: Workspace,
    *,
    progress: Progress,
    resume: str = "karat run",
    history: History | None = None,
) -> RunResult:
    """Run a study to its verdict, or go on where it was stopped; `history` replaces the ledger's when reproducing.

    Raises:
        InputError, DataError: wrong configuration or data. Interrupted: stopped by the user, says how to go on.
    """
    progress("data", 0, 1)
    dataset = prepare_dataset(config)
    prepared = assemble(dataset.panel, dataset.features, config.horizons, config.splits)
    folder = save_dataset(dataset, workspace.prepared)
    plan = make_plan(config, dataset.panel, prepared, folder.name)
    Catalog(workspace.catalog).add(dataset.panel, config.name)
    progress("data", 1, 1)
    executor = make_executor(config.executor)
    with Ledger.open(workspace.ledger, role="research") as ledger:
        run = Run(config, workspace, ledger, dataset, prepared, plan, folder, progress, resume)
        try:
            return _stages(run, executor, history)
        except KeyboardInterrupt:
            raise Interrupted(resume) from None
        finally:
            executor.close()


def _stages(run: Run, executor: Executor, recorded: History | None) -> RunResult:
    _open_study(run)
    selecting = [cell for cell in run.plan.cells if cell.role == "select"]
    _finish(run, executor, selecting, "selection")
    selection = select(run)
    _freeze(run, selection)
    repeated = _repeat(run, selection)
    try:
        testing = [cell for cell in run.plan.cells if cell.role == "test"]
        for cell in testing:
            run.ledger.append_once(
                f"open:{run.plan.run_id}:{cell.address}", "open", {"run_id": run.plan.run_id, "cell": cell.address}
            )
        _finish(run, executor, testing, "test")
        run.progress("evidence", 0, 3)
        checks = static_checks(run.config, run.dataset, run.prepared)
        scores = score_tests(run, selection)
        run.progress("evidence", 1, 3)
        checks = (*checks, repeated.check())
    finally:
        repeated.stop()
    record_series(run, scores)
    history = read_history(run.ledger, run.plan.run_id, run.workspace.series)
    if recorded is not None:
        history = recorded.with_series_of(history)
    run.progress("evidence", 2, 3)
    judged = judge_study(run, selection, scores, history, checks)
    run.progress("evidence", 3, 3)
    result = publish(run, selection, scores, history, judged)
    run.progress("report", 1, 1)
    return result


def _open_study(run: Run) -> None:
    first, last = span_of_tests(run.prepared, run.config.primary_horizon)
    facts = {
        "run_id": run.plan.run_id,
        "run_hash": run.plan.run_hash,
        "name": run.config.name,
        "config": run.config.model_dump(mode="json"),
        "data": run.dataset.panel.content_hash,
        "code": dict(run.plan.identity["code"]),
    }
    run.ledger.append_once(f"study:{run.plan.run_hash}:{run.config.name}", "study", facts)
    marks = fingerprints(run.dataset.panel, first, last)
    run.ledger.append_once(f"family:{run.plan.run_hash}", "family", {"run_id": run.plan.run_id, "marks": marks})


def _finish(run: Run, executor: Executor, cells: Sequence[Cell], stage: str) -> None:
    """Run the cells that are not finished and record every finished one once."""
    missing = [cell for cell in cells if not (run.workspace.cells / cell.address / "cell.json").exists()]
    present = [cell for cell in cells if cell not in missing]
    for cell in present:
        _record(run, cell)
    run.progress(stage, len(present), len(cells))
    for done, (task, _) in enumerate(executor.map(run_cell, [run.task(cell) for cell in missing]), start=1):
        _record(run, task.cell)
        run.progress(stage, len(present) + done, len(cells))


def _record(run: Run, cell: Cell) -> None:
    result = read_result(run.workspace.cells / cell.address)
    payload = {"cell": cell.address, "forecast": result.forecast_hash, "model": cell.model, "seed": cell.seed}
    run.ledger.append_once(f"cell:{cell.address}", "cell", payload)


def _freeze(run: Run, selection: Selection) -> None:
    for entrant in run.plan.candidates:
        for horizon, trial in entrant.trial.items():
            payload = {
                "run_id": run.plan.run_id,
                "trial": trial,
                "name": entrant.title,
                "study": run.config.name,
                "horizon": horizon,
                "valid_loss": selection.losses[horizon][entrant.title],
            }
            run.ledger.append_once(f"trial:{run.plan.run_id}:{trial}", "trial", payload)
    payload = {
        "run_id": run.plan.run_id,
        "declaration": declaration(run.config),
        "selected": selection.selected,
        "trial": selection.trial,
        "skill_baseline": dict(selection.skill_baseline),
        "money_baseline": dict(selection.money_baseline),
    }
    run.ledger.append_once(f"freeze:{run.plan.run_id}", "freeze", payload)


def _repeat(run: Run, selection: Selection) -> FreshProcess:
    """Start one selection cell of the selected model again in a fresh interpreter."""
    entrant = next(item for item in run.plan.candidates if item.title == selection.selected)
    cell = run.plan.of(entrant, run.config.primary_horizon, "select")[0]
    expected = read_result(run.workspace.cells / cell.address).forecast_hash
    scratch = run.workspace.root / "scratch" / f"{run.plan.run_id}-{cell.address}"
    return FreshProcess(run.task(cell, scratch), expected, scratch)
