"""The study: data to cells to evidence to verdict to report, in an order that cannot be reversed.

Invariants:
1. Selection is written into the ledger, with everything the verdict depends on, before any test cell starts.
2. Each test cell's opening is in the ledger before the cell is dispatched.
3. Every candidate is a trial in the ledger from the moment its score on `Valid` exists, finished study or not.
4. A finished cell is never run twice; the ledger holds one entry for each.
5. Everything after the cells depends on their stored forecasts and on the recorded history only.
6. Ctrl-C anywhere ends with `Interrupted`, which says how to go on; what is finished stays finished.
7. Too few test dates, a constant series and a policy under which no candidate trades are refused before `Test` is
   opened.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from karat.core import Interrupted, Ledger
from karat.data import Catalog
from karat.evidence import Check
from karat.study._cells import PARTIAL, Cell, is_finished, read_result, run_cell
from karat.study._config import StudyConfig
from karat.study._context import Progress, Run
from karat.study._entries import open_tests, record_cell, record_selection, record_study
from karat.study._executor import Executor, make_executor
from karat.study._gap import gap_check
from karat.study._guards import FreshProcess, money_checks, static_checks
from karat.study._history import History, read_history
from karat.study._judge import Printed, Selection, Tests, judge_study, require_trades, score_tests, select, store_trials
from karat.study._names import check_names
from karat.study._plan import Plan, make_plan
from karat.study._prepare import Dataset, Prepared, assemble, prepare_dataset, require_testable, save_dataset
from karat.study._publish import publish
from karat.study._result import RunResult
from karat.study._sturdiness import neighbour_checks, regime_checks
from karat.study._subject import Running
from karat.study._workspace import Workspace


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
    try:
        return _run(config, workspace, progress, history)
    except KeyboardInterrupt:
        raise Interrupted(resume) from None


def _run(config: StudyConfig, workspace: Workspace, progress: Progress, recorded: History | None) -> RunResult:
    progress("data", 0, 1)
    dataset, prepared, plan, folder = plan_study(config, workspace)
    require_testable(prepared, config.primary_horizon)
    with Ledger.open(workspace.ledger, role="research") as ledger:
        Catalog(workspace.catalog).add(dataset.panel, _dataset_name(config.name))
        progress("data", 1, 1)
        run = Run(config, workspace, ledger, dataset, prepared, plan, folder, progress)
        executor = make_executor(config.executor)
        try:
            return _stages(run, executor, recorded)
        finally:
            executor.close()


def plan_study(config: StudyConfig, workspace: Workspace) -> tuple[Dataset, Prepared, Plan, Path]:
    """Return a study's data, folds and plan, and the folder where workers find the data; the ledger is not touched."""
    check_names(config)
    dataset = prepare_dataset(config)
    prepared = assemble(dataset.panel, dataset.features, config.horizons, config.splits)
    folder = save_dataset(dataset, workspace.prepared)
    return dataset, prepared, make_plan(config, dataset.panel, prepared, folder.name), folder


def _stages(run: Run, executor: Executor, recorded: History | None) -> RunResult:
    for stale in run.workspace.cells.glob(f"*{PARTIAL}"):  # of a killed study: this process holds the ledger alone
        shutil.rmtree(stale, ignore_errors=True)
    record_study(run)
    _finish(run, executor, run.plan.of_role("select"), "selection")
    selection = select(run)
    record_selection(run, selection)
    require_trades(run)
    repeated = _repeat(run, selection)
    try:
        open_tests(run)
        _finish(run, executor, run.plan.of_role("test"), "test")
        run.progress("evidence", 0, 3)
        checks = static_checks(Running.of(run, run.plan.entrant(selection.selected)))
        tests = score_tests(run, selection)
        run.progress("evidence", 1, 3)
        checks = (*checks, *money_checks(tests.chosen.simulation, run.dataset.panel), *repeated.checks())
    finally:
        repeated.stop()
    return _conclude(run, selection, tests, checks, recorded)


def _conclude(
    run: Run, selection: Selection, tests: Tests, checks: tuple[Check, ...], recorded: History | None
) -> RunResult:
    store_trials(run, tests)
    history = read_history(run.ledger, run.plan.run_id, run.workspace.series)
    if recorded is not None:
        history = recorded.with_series_of(history)
    run.progress("evidence", 2, 3)
    printed = Printed(gap_check(run, tests), neighbour_checks(run, tests), regime_checks(run, tests))
    verdict = judge_study(run, selection, tests, history, checks, printed)
    run.progress("evidence", 3, 3)
    result = publish(run, selection, tests, history, verdict)
    run.progress("report", 1, 1)
    return result


def _finish(run: Run, executor: Executor, cells: Sequence[Cell], stage: str) -> None:
    """Run the cells that are not finished and record every finished one once."""
    missing = []
    for cell in cells:
        if is_finished(run.workspace.cells / cell.address):
            record_cell(run, cell)
        else:
            missing.append(cell)
    done = len(cells) - len(missing)
    run.progress(stage, done, len(cells))
    for task, _ in executor.map(run_cell, [run.task(cell) for cell in missing]):
        record_cell(run, task.cell)
        done += 1
        run.progress(stage, done, len(cells))


def _repeat(run: Run, selection: Selection) -> FreshProcess:
    """Start one selection cell of the selected model again in a fresh interpreter."""
    entrant = run.plan.entrant(selection.selected)
    cell = run.plan.of(entrant, run.config.primary_horizon, "select")[0]
    expected = read_result(run.workspace.cells / cell.address).forecast_hash
    scratch = run.workspace.scratch / f"{run.plan.run_id}-{cell.address}"
    return FreshProcess(run.task(cell, scratch), expected, scratch)


def _dataset_name(study: str) -> str:
    """Return a study's name as the catalog takes it: a table name of SQL."""
    name = re.sub(r"\W", "_", study)[:57]
    return name if name[0].isalpha() else f"study_{name}"
