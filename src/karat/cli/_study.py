"""Verbs over studies and the ledger: run, demo, report, reproduce, verify, trials."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from karat._words import counted
from karat.cli._options import Debug, Json, Run, Sets, Study, WorkspaceDir
from karat.cli._output import emit, errors, say, table
from karat.cli._place import existing_workspace, recorded_run, study_file
from karat.cli._progress import ProgressReporter

if TYPE_CHECKING:
    from karat.study import RunResult, StudyConfig

_OUTCOMES = ("accepted", "rejected", "indistinguishable", "invalid")


def run(
    study: Study,
    workspace: WorkspaceDir = None,
    sets: Sets = None,
    require: Annotated[
        str | None,
        typer.Option(
            help="Exit 1 unless the verdict is accepted, rejected, indistinguishable or invalid, as named here."
        ),
    ] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a study to its verdict and report; the same command resumes one that was stopped."""
    with study_file(study, sets, as_json=json, debug=debug) as config:
        if require is not None and require not in _OUTCOMES:
            from karat.core import InputError

            raise InputError("--require", require, allowed=_OUTCOMES)
        options = [word for item in sets or () for word in ("--set", item)]
        result = _run(config, workspace, ["karat", "run", str(study), *options])
        emit(result.to_dict(), _describe(result), as_json=json)
        if require is not None and result.verdict != require:
            say(f"the verdict is {result.verdict}; --require asked for {require}")
            raise SystemExit(1)


def demo(workspace: WorkspaceDir = None, json: Json = False, debug: Debug = False) -> None:
    """Run the quick start that ships inside the package: real prices, no files needed."""
    with errors(as_json=json, debug=debug):
        say("reading the shipped quick start")
        from karat.cli._settings import read_settings
        from karat.study import shipped_study

        result = _run(read_settings(shipped_study("quickstart"), None).config, workspace, ["karat", "demo"])
        emit(result.to_dict(), _describe(result), as_json=json)


def report(
    run: Run = "latest",
    workspace: WorkspaceDir = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a run's report again from its stored results and print where it is."""
    with recorded_run(run, workspace, as_json=json, debug=debug) as (result, _):
        from karat.study import write_report

        page, twin = write_report(result.folder)
        emit({"run_id": result.run_id, "html": str(page), "markdown": str(twin)}, f"{page}\n{twin}", as_json=json)


def reproduce(
    run: Run,
    workspace: WorkspaceDir = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a recorded study again from its sources and compare every hash; exit 1 if any differs."""
    with recorded_run(run, workspace, as_json=json, debug=debug) as (result, place):
        from karat.study import reproduce as again

        with ProgressReporter() as progress:
            outcome = again(result, place, progress=progress)
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
        if workspace is None and not head and export is None and not Path("workspace").exists():
            emit({"ok": True, "size": 0}, "no ledger yet: nothing has been run in ./workspace", as_json=json)
            return
        from karat.core import InputError, Ledger, verify_ledger

        place = existing_workspace(workspace)
        if not place.ledger.exists():
            raise InputError(
                "workspace", str(place.root), why="it holds no ledger", fix="run a study first: karat demo"
            )
        outcome = verify_ledger(place.ledger, heads=head or ())
        if outcome.ok and export is not None:
            with Ledger.open(place.ledger, role="research") as ledger:
                ledger.export_head(export)
        where = "" if outcome.first_bad is None else f" (first bad entry: {outcome.first_bad})"
        good = f"ledger ok: {counted(outcome.size, 'entry')}, root {outcome.root}"
        emit(outcome.to_dict(), good if outcome.ok else f"ledger BROKEN: {outcome.problem}{where}", as_json=json)
        if not outcome.ok:
            raise SystemExit(1)


def trials(workspace: WorkspaceDir = None, json: Json = False, debug: Debug = False) -> None:
    """List every trial the ledger counts, and the families they belong to with their openings of Test."""
    with errors(as_json=json, debug=debug):
        place = existing_workspace(workspace)
        from karat.core import Ledger
        from karat.study import families

        found: dict[str, dict[str, Any]] = {}
        groups: list[dict[str, Any]] = []
        if place.ledger.exists():
            with Ledger.open(place.ledger, role="research") as ledger:
                for entry in ledger.entries("trial"):
                    found.setdefault(entry.payload["trial"], dict(entry.payload))
                groups = [vars(family) for family in families(ledger)]
        rows = [(key[:12], row["study"], row["name"], row["horizon"], row["run_id"]) for key, row in found.items()]
        text = f"{table(('trial', 'study', 'model', 'horizon', 'run'), rows)}\n\n{counted(len(rows), 'trial')}"
        if groups:
            text += "\n\n" + _families(groups)
        emit({"count": len(rows), "trials": list(found.values()), "families": groups}, text, as_json=json)


def _families(groups: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (k, ", ".join(row["studies"]), len(row["runs"]), row["trials"], row["openings"], f"{row['next_share']:.4f}")
        for k, row in enumerate(groups, start=1)
    ]
    return table(("family", "studies", "runs", "trials", "openings", "share of alpha next"), rows)


def _run(config: StudyConfig, workspace: Path | None, command: Sequence[str]) -> RunResult:
    from karat.study import Workspace, run_study

    place = Workspace.at(workspace)
    resume = shlex.join([*command, *(("--workspace", str(workspace)) if workspace else ())])
    with ProgressReporter() as progress:
        result = run_study(config, place, progress=progress, resume=resume)
    for line in result.warnings:
        say(f"warning: {line}")
    return result


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
