"""`freeze`: the selection of a finished run, put away with its hash before the days on which it will be tested.

What is frozen is what made the last test fold's forecasts: the fitted models of the selection and of every baseline,
all seeds, and their maps. Nothing is fitted again.

Invariants:
1. A run is frozen once, and only while its data, configuration and code give the run's own id.
2. Every model that is frozen forecasts the last test fold again, to the recorded hash.
3. The ledger's entry holds the hash of all frozen files, of configuration and data, where the data ended, and the test
   that will be asked of forward days; its time is the freeze.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from karat.core import (
    DataError,
    Entry,
    EnvironmentProblem,
    InputError,
    Ledger,
    canonical_json,
    content_hash,
    iso,
    now_ns,
    tree_hash,
)
from karat.data import horizon_bars
from karat.evidence import USUAL_DAYS, ForwardTest, spend_alpha
from karat.study._cells import Cell, forecast_again, is_finished
from karat.study._context import Progress, Run
from karat.study._history import connected
from karat.study._pipeline import plan_study
from karat.study._plan import Entrant
from karat.study._result import RunResult
from karat.study._workspace import Workspace

CARD: Final = "frozen.json"


@dataclass(frozen=True)
class Frozen:
    """A frozen selection: its ledger entry, and the folder with models and maps."""

    run_id: str
    entry: Entry
    folder: Path

    @property
    def test(self) -> ForwardTest:
        """What is asked of the forward days."""
        return ForwardTest(**self.entry.payload["test"])

    def to_dict(self) -> dict[str, Any]:
        """Return what `karat freeze --json` prints."""
        return {"frozen_ns": self.entry.ts_ns, "entry": self.entry.hash, **self.entry.payload}


def freeze(result: RunResult, workspace: Workspace, *, days: int = USUAL_DAYS, progress: Progress) -> Frozen:
    """Freeze the selection of a run for a test on `days` forward days; one that is frozen already is returned.

    Raises:
        InputError: data, configuration or code that are no longer those of the run, or too few days.
        DataError: a stored model that is not the one that made the forecasts.
    """
    progress("freeze", 0, 1)
    known = _known(result, workspace)
    if known is not None:
        return known
    config = result.study
    dataset, prepared, plan, folder = plan_study(config, workspace)
    if plan.run_id != result.run_id:
        why = f"configuration, data and code now give run {plan.run_id}"
        raise InputError("run", result.run_id, why=why, fix="run the study again and freeze the new run")
    with Ledger.open(workspace.ledger, role="research") as ledger:
        run = Run(config, workspace, ledger, dataset, prepared, plan, folder, progress)
        _require_published(run, result)
        test = _test(run, days)
        place = _store(run, result)
        payload = _payload(run, result) | {"model_hash": frozen_hash(place), "test": dataclasses.asdict(test)}
        entry = ledger.append_once(_key(run.plan.run_id), "frozen", payload)
    progress("freeze", 1, 1)
    return Frozen(result.run_id, entry, place)


def read_frozen(result: RunResult, workspace: Workspace) -> Frozen:
    """Return a frozen selection whose files and configuration are as the ledger says.

    Raises:
        InputError: it was never frozen. DataError: models, maps or configuration were changed since.
    """
    found = _known(result, workspace)
    if found is None:
        fix = f"freeze it first: karat freeze {result.run_id}"
        raise InputError("run", result.run_id, why="its selection is not frozen", fix=fix)
    return found


def frozen_hash(folder: Path) -> str:
    """Return the hash of the paths and bytes of all frozen files."""
    return tree_hash(folder, "**/*")


def _known(result: RunResult, workspace: Workspace) -> Frozen | None:
    with Ledger.open(workspace.ledger, role="research") as ledger:
        entry = ledger.find(_key(result.run_id))
    if entry is None:
        return None
    place = workspace.frozen / result.run_id
    config = result.study
    checks = (
        ("model_hash", "models and maps", frozen_hash(place), f"restore {place} from a copy"),
        ("config_hash", "configuration", content_hash(config.identity()), "restore run.json, or run the new study"),
    )
    for name, what, found, fix in checks:
        if found != entry.payload[name]:
            seen = f"{found[:16]}, frozen {entry.payload[name][:16]}"
            raise DataError("frozen selection", f"{what} as they were frozen", rows=[result.run_id], seen=seen, fix=fix)
    return Frozen(result.run_id, entry, place)


def _require_published(run: Run, result: RunResult) -> None:
    verdicts = [entry for entry in run.ledger.entries("verdict") if entry.payload["run_id"] == result.run_id]
    chosen = run.ledger.find(f"freeze:{result.run_id}")
    if verdicts and verdicts[-1].ts_ns > now_ns():
        seen = f"the clock says {iso(now_ns())}, the verdict was written at {iso(verdicts[-1].ts_ns)}"
        raise EnvironmentProblem(f"clock: {seen}; set the clock: a freeze before its verdict would make old days new")
    if not verdicts or chosen is None:
        fix = "freeze a run of this workspace: karat run FILE"
        raise InputError("run", result.run_id, why="the ledger has no verdict on it", fix=fix)
    selected = run.plan.entrant(result.manifest["selection"]["selected"]).trial[run.config.primary_horizon]
    if selected != chosen.payload["trial"]:
        seen = f"trial {selected[:12]}, the ledger selected {chosen.payload['trial'][:12]}"
        raise DataError("run.json", "the selection is the ledger's", seen=seen, fix="restore run.json from a copy")


def _test(run: Run, days: int) -> ForwardTest:
    """Return the test; every selection of the family that was frozen before leaves less of alpha to spend."""
    marks = {entry.payload["run_id"]: set(entry.payload["marks"]) for entry in run.ledger.entries("family")}
    family = connected(run.plan.run_id, marks)
    rank = 1 + sum(entry.payload["run_id"] in family for entry in run.ledger.entries("frozen"))
    verdict = run.config.verdict
    level, bars = spend_alpha(verdict.alpha, rank), horizon_bars(run.config.primary_horizon)
    return ForwardTest(days, rank, level, bars, run.bars_per_year, verdict.draws, run.config.seed)


def _payload(run: Run, result: RunResult) -> dict[str, Any]:
    frame, manifest = run.dataset.panel.frame, result.manifest
    selection = manifest["selection"]
    return {
        "run_id": result.run_id,
        "selected": selection["selected"],
        "trial": selection["trial"],
        "shown_on_valid": selection["shown_on_valid"][run.config.primary_horizon]["baseline"],
        "outcome": manifest["verdict"]["outcome"],
        "config_hash": content_hash(run.config.identity()),
        "code": dict(run.plan.identity["code"]),
        "data": run.dataset.panel.content_hash,
        "last_ns": int(frame["ts"].to_numpy().max()),
        "known_ns": int(frame["known_at"].to_numpy().max()),
    }


def _store(run: Run, result: RunResult) -> Path:
    """Write models, maps and their card below the run's frozen folder, whole or not at all."""
    target = run.workspace.frozen / result.run_id
    partial = run.workspace.scratch / f"{result.run_id}.frozen"
    for stale in (partial, target):  # a folder without an entry was left by a freeze that was killed
        shutil.rmtree(stale, ignore_errors=True)
    rows = []
    wanted = [run.plan.entrant(result.manifest["selection"]["selected"]), *run.plan.baselines]
    for number, entrant in enumerate(wanted):
        place = partial / str(number)
        place.mkdir(parents=True)
        seeds = []
        for cell in _last_cells(run, entrant):
            shutil.copytree(run.workspace.cells / cell.address / "model", place / f"model-{cell.seed}")
            seeds.append(cell.seed)
        maps = run.maps(entrant, run.config.primary_horizon)
        if maps is not None:
            maps.save(place, "map")
        learned = None if maps is None else maps.learned_ns
        rows.append({"title": entrant.title, "baseline": entrant.baseline, "seeds": seeds, "learned_ns": learned})
    (partial / CARD).write_text(canonical_json({"models": rows}), encoding="utf-8")
    partial.rename(target)
    return target


def _last_cells(run: Run, entrant: Entrant) -> Iterator[Cell]:
    """Yield the cells of the last test fold, seed by seed, each proven to be what made its forecast.

    Raises:
        DataError: the cell is gone, or its model forecasts something else.
    """
    cells = run.plan.of(entrant, run.config.primary_horizon, "test")
    for cell in (item for item in cells if item.fold == max(each.fold for each in cells)):
        place = run.workspace.cells / cell.address
        entry = run.ledger.find(f"cell:{cell.address}")
        found = forecast_again(run.task(cell)) if is_finished(place) else "missing"
        if entry is None or found != entry.payload["forecast"]:
            rule = "a frozen model forecasts what the ledger recorded of its cell"
            fix = "delete the cell's folder and run the study again"
            raise DataError("cell", rule, rows=[cell.address], seen=found[:16], fix=fix)
        yield cell


def read_card(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of a frozen folder's card: the selection first, then the baselines."""
    rows: list[dict[str, Any]] = json.loads((folder / CARD).read_text(encoding="utf-8"))["models"]
    return rows


def _key(run_id: str) -> str:
    return f"frozen:{run_id}"
