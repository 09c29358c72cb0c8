"""Verbs over studies and the ledger: run, demo, report, reproduce, verify, trials."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from karat.cli._options import Debug, Json, Study, WorkspaceDir
from karat.cli._output import emit, errors, table
from karat.cli._progress import ProgressReporter
from karat.core import InputError

if TYPE_CHECKING:
    from karat.study import RunResult

_OUTCOMES = ("accepted", "rejected", "indistinguishable", "invalid")


def run(
    study: Study,
    workspace: WorkspaceDir = None,
    require: Annotated[str | None, typer.Option(help="Exit 1 unless the verdict is this one.")] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a study to its verdict and report; the same command resumes one that was stopped."""
    with errors(as_json=json, debug=debug):
        if require is not None and require not in _OUTCOMES:
            raise InputError("--require", require, allowed=_OUTCOMES)
        sys.stderr.write("reading the study\n")
        result = _run(study, workspace)
        emit(result.to_dict(), _describe(result), as_json=json)
        if require is not None and result.verdict != require:
            raise SystemExit(1)


def demo(workspace: WorkspaceDir = None, json: Json = False, debug: Debug = False) -> None:
    """Run the quick start that ships inside the package: real prices, no files needed."""
    with errors(as_json=json, debug=debug):
        from karat.study import shipped_study

        sys.stderr.write("running the shipped quick start\n")
        result = _run(shipped_study("quickstart"), workspace)
        emit(result.to_dict(), _describe(result), as_json=json)


def report(
    run: Annotated[str, typer.Argument(help="Run id, a unique beginning of it, or latest.")] = "latest",
    workspace: WorkspaceDir = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a run's report again from its stored results and print where it is."""
    with errors(as_json=json, debug=debug):
        from karat.study import RunResult, Workspace, write_report

        result = RunResult(Workspace.at(workspace).run(run))
        page, twin = write_report(result.folder)
        emit({"run_id": result.run_id, "html": str(page), "markdown": str(twin)}, f"{page}\n{twin}", as_json=json)


def reproduce(
    run: Annotated[str, typer.Argument(help="Run id, a unique beginning of it, or latest.")],
    workspace: WorkspaceDir = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a recorded study again from its sources and compare every hash; exit 1 if any differs."""
    with errors(as_json=json, debug=debug):
        from karat.study import RunResult, Workspace
        from karat.study import reproduce as again

        place = Workspace.at(workspace)
        with ProgressReporter() as progress:
            outcome = again(RunResult(place.run(run)), place, progress=progress)
        marks = {True: "equal", False: "DIFFERENT", None: "differs, does not decide"}
        rows = [(row.what, row.recorded, row.found, marks[row.equal]) for row in outcome.rows]
        text = table(("compared", "recorded", "found", ""), rows)
        text += "\n\nreproduced: every hash is equal" if outcome.equal else "\n\nNOT reproduced"
        emit(outcome.to_dict(), text, as_json=json)
        if not outcome.equal:
            raise SystemExit(1)


def verify(
    head: Annotated[list[Path] | None, typer.Option(help="An exported head to check against; may be repeated.")] = None,
    export: Annotated[Path | None, typer.Option(help="Write the ledger's head to this file.")] = None,
    workspace: WorkspaceDir = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Check the ledger: every hash, every Merkle head, and exported heads; exit 1 and name the first bad entry."""
    with errors(as_json=json, debug=debug):
        from karat.core import verify_ledger
        from karat.study import Workspace

        place = Workspace.at(workspace)
        if not place.ledger.exists():
            raise InputError("workspace", str(place.root), why="there is no ledger here yet", fix="run a study first")
        outcome = verify_ledger(place.ledger, heads=head or ())
        if export is not None and outcome.ok:
            from karat.core import Ledger

            with Ledger.open(place.ledger, role="research") as ledger:
                ledger.export_head(export)
        facts = outcome.to_dict()
        text = (
            f"ledger ok: {outcome.size} entries, root {outcome.root}"
            if outcome.ok
            else f"ledger BROKEN: {outcome.problem}"
        )
        emit(facts, text, as_json=json)
        if not outcome.ok:
            raise SystemExit(1)


def trials(workspace: WorkspaceDir = None, json: Json = False, debug: Debug = False) -> None:
    """List every trial the ledger counts, study by study."""
    with errors(as_json=json, debug=debug):
        from karat.core import Ledger
        from karat.study import Workspace

        place = Workspace.at(workspace)
        found: dict[str, dict[str, Any]] = {}
        if place.ledger.exists():
            with Ledger.open(place.ledger, role="research") as ledger:
                for entry in ledger.entries("trial"):
                    found.setdefault(entry.payload["trial"], dict(entry.payload))
        rows = [(key[:12], row["study"], row["name"], row["horizon"], row["run_id"]) for key, row in found.items()]
        text = table(("trial", "study", "model", "horizon", "run"), rows) + f"\n\n{len(rows)} trials"
        emit({"count": len(rows), "trials": list(found.values())}, text, as_json=json)


def _run(study: Path, workspace: Path | None) -> RunResult:
    with ProgressReporter() as progress:
        from karat.study import Workspace, read_study, run_study

        place = Workspace.at(workspace)
        resume = f"karat run {study}" + (f" --workspace {workspace}" if workspace else "")
        return run_study(read_study(study), place, progress=progress, resume=resume)


def _describe(result: RunResult) -> str:
    facts = result.to_dict()
    rows = []
    for gate in facts["gates"]:
        mark = {True: "passed", False: "failed", None: "not evaluated"}[gate["passed"]]
        p_value = "" if gate["p_value"] is None else f"p = {gate['p_value']:.4f}"
        rows.append((f"{gate['number']} {gate['name']}", mark, p_value, gate["reason"]))
    lines = [
        f"verdict: {facts['verdict']}",
        facts["reason"],
        "",
        table(("gate", "", "", ""), rows).split("\n", 1)[1],
        "",
    ]
    lines += [f"trials in this family: {facts['trials']}, openings of Test: {facts['openings']}"]
    lines += [f"run:    {facts['run_id']}", f"report: {facts['report']}"]
    return "\n".join(lines)
