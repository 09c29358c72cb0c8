"""`karat guard`: the guards of gate 0 from the command line, one or all, on a study that was never run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from karat.cli._options import Debug, Json, Sets
from karat.cli._output import emit, errors, say, table

_MARKS = {True: "holds", False: "FAILED", None: "printed"}


def guard(
    name: Annotated[str, typer.Argument(help="A guard, all of them with `all`, or `list`.")],
    study: Annotated[Path | None, typer.Argument(help="A study file, e.g. studies/quickstart.yaml.")] = None,
    sets: Sets = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Prove on a study's own data and models that nothing leaks; exit 1 if a guard fails. Opens no Test."""
    with errors(as_json=json, debug=debug):
        if name == "list":
            _list(as_json=json)
            return
        say("reading the study")
        from karat.cli._settings import read_settings
        from karat.core import InputError
        from karat.study import GUARDS, run_guards

        if name not in ("all", *GUARDS) and Path(name).is_file():
            fix = f"the guard comes first: karat guard {study or 'all'} {name}"
            raise InputError("guard", name, why="it is a file", fix=fix)
        if name not in ("all", *GUARDS):
            raise InputError("guard", name, allowed=["list", "all", *GUARDS])
        if study is None:
            raise InputError("study", None, why="it is missing", fix=f"karat guard {name} STUDY")
        reports = []
        for report in run_guards([name], read_settings(study, sets).config):
            say(f"{report.guard}: {'holds' if report.passed else 'FAILED'} in {report.seconds:.1f} s")
            reports.append(report)
        rows = [
            (report.guard, check.name, _MARKS[check.passed], _number(check.value), check.threshold, check.note)
            for report in reports
            for check in report.checks
        ]
        passed = all(report.passed for report in reports)
        text = table(("guard", "check", "", "value", "asked for", ""), rows)
        facts = {"passed": passed, "guards": [report.to_dict() for report in reports]}
        emit(facts, text + ("\n\nevery guard holds" if passed else "\n\nFAILED"), as_json=json)
        if not passed:
            raise SystemExit(1)


def _number(value: float | str | None) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else value


def _list(*, as_json: bool) -> None:
    from karat.study import QUESTIONS

    emit({"guards": QUESTIONS}, table(("guard", "what it asks"), list(QUESTIONS.items())), as_json=as_json)
