"""calibrate: how often the verdict is wrong, measured on worlds whose truth is known."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from karat.cli._options import Debug, Json, WorkspaceDir
from karat.cli._output import emit, errors, say, table
from karat.cli._place import file_to_write
from karat.cli._progress import ProgressReporter

File = Annotated[Path, typer.Argument(help="A calibration file, e.g. studies/calibration.yaml.")]


def calibrate(
    study: File,
    worlds: Annotated[
        int | None, typer.Option(min=0, help="Worlds in all, dealt out over the kinds in turn; without it the file's.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="Only this kind, or no_edge, planted, whole; may be repeated."),
    ] = None,
    campaigns: Annotated[int, typer.Option(min=0, help="Campaigns of an automated researcher, of each kind.")] = 0,
    finished: Annotated[
        bool, typer.Option("--finished", help="Make nothing; report all that is finished in the workspace.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write machine, date, command and rates as JSON lines.")] = None,
    workspace: WorkspaceDir = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Measure how often the verdict is wrong; the same command resumes one that was stopped."""
    with errors(as_json=json, debug=debug):
        say("reading the calibration")
        from karat.core import InputError
        from karat.study import Workspace, error_rates, read_calibration, read_finished, run_campaigns, run_worlds

        given, place = read_calibration(study), Workspace.at(workspace)
        if finished and (worlds is not None or campaigns):
            raise InputError("finished", True, why="nothing is made", fix="leave out --worlds and --campaigns")
        count = given.config.worlds if worlds is None else worlds
        command = [*_command(study, worlds, kind or (), campaigns, out), *(("--finished",) if finished else ())]
        resume = shlex.join([*command, *(("--workspace", str(workspace)) if workspace else ())])
        if finished:
            lines, tried = read_finished(given, place, kinds=kind or ())
        else:
            with ProgressReporter() as progress:
                lines = run_worlds(given, place, worlds=count, kinds=kind or (), progress=progress, resume=resume)
                tried = run_campaigns(given, place, campaigns=campaigns, progress=progress, resume=resume)
        found = error_rates(given.config, lines, tried)
        if out is not None:
            _write(out, shlex.join(command), given.config.name, found)
        value = {"name": given.config.name, **found, "lines": lines, "campaign_lines": tried}
        emit(value, _describe(found), as_json=json)


def _command(study: Path, worlds: int | None, kinds: Sequence[str], campaigns: int, out: Path | None) -> list[str]:
    words = ["karat", "calibrate", str(study)]
    words += ["--worlds", str(worlds)] if worlds is not None else []
    words += [word for name in kinds for word in ("--kind", name)]
    words += ["--campaigns", str(campaigns)] if campaigns else []
    return words + (["--out", str(out)] if out else [])


def _write(out: Path, command: str, name: str, found: Mapping[str, Any]) -> None:
    """Write a line on where and when this was measured, then one line per kind and campaign."""
    import json

    from karat.core import iso, now_ns
    from karat.study import measured_on

    head = {"calibration": name, "date": iso(now_ns()), "command": command, **measured_on()}
    pooled = [{"name": "all without an edge", **found["no_edge"]}] if found["no_edge"] else []
    lines = [head, *found["kinds"], *pooled, *found["campaigns"]]
    file_to_write(out).write_text("".join(json.dumps(line, sort_keys=True) + "\n" for line in lines), encoding="utf-8")


def _describe(found: Mapping[str, Any]) -> str:
    headers = ("world", "edge", "n", "accepted", "rejected", "skill", "money", "sturdy", "naive")
    parts = [table(headers, list(_rows(found)))] if found["kinds"] else []
    for item in found["campaigns"]:
        ever = item["ever_accepted"]
        parts.append(f"campaign {item['name']}: ever accepted {_rate(ever)} of {ever['of']}")
    parts.append("share [bounds], each one-sided at 95 %; for a gate the share that passed it")
    return "\n\n".join(parts)


def _rows(found: Mapping[str, Any]) -> Iterator[Sequence[object]]:
    pooled = [{"name": "all without an edge", "edge": False, **found["no_edge"]}] if found["no_edge"] else []
    for item in [*found["kinds"], *pooled]:
        gates = (f"{item['gates'][name]['rate']:.3f}" for name in ("skill", "money", "sturdy"))
        rejected = f"{item['outcomes']['rejected'] / item['worlds']:.3f}"
        edge = "yes" if item["edge"] else "no"
        yield item["name"], edge, item["worlds"], _rate(item["accepted"]), rejected, *gates, _rate(item["naive"])


def _rate(value: Mapping[str, Any]) -> str:
    return f"{value['rate']:.3f} [{value['lower']:.3f}, {value['upper']:.3f}]"
