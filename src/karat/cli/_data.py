"""`karat data`: sources, quality and the catalog from the command line."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated, Any

import typer

from karat.cli._options import Debug, Json, WorkspaceDir
from karat.cli._output import emit, errors, table

app = typer.Typer(no_args_is_help=True)
Source = Annotated[str, typer.Argument(help="A source, e.g. bundled, csv, synthetic.")]
Param = Annotated[list[str] | None, typer.Option("--param", "-p", help="A parameter as key=value; may be repeated.")]


@app.command("list")
def list_(workspace: WorkspaceDir = None, json: Json = False, debug: Debug = False) -> None:
    """List the sources and what the catalog holds."""
    with errors(as_json=json, debug=debug):
        from karat.data import SOURCES, Catalog
        from karat.study import Workspace

        entries = Catalog(Workspace.at(workspace).catalog).entries()
        rows = [(entry.name, entry.content[:16], str(entry.rows)) for entry in entries]
        text = "sources: " + ", ".join(SOURCES) + "\n\n" + table(("in the catalog", "content", "rows"), rows)
        facts = {
            "sources": list(SOURCES),
            "catalog": [dict(zip(("name", "content", "rows"), row, strict=True)) for row in rows],
        }
        emit(facts, text, as_json=json)


@app.command()
def show(source: Source, param: Param = None, json: Json = False, debug: Debug = False) -> None:
    """Load a source and show what it holds."""
    with errors(as_json=json, debug=debug):
        panel = _load(source, param)
        facts = _facts(panel)
        text = "\n".join(f"{key:<12} {value}" for key, value in facts.items()) + f"\n\n{panel.frame.tail(5)}"
        emit(facts, text, as_json=json)


@app.command()
def check(
    source: Source,
    param: Param = None,
    strict: Annotated[
        bool, typer.Option("--strict-validation/--lenient", help="Stop on errors, or report them.")
    ] = True,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Check a source's quality; strict stops at errors, lenient reports them."""
    with errors(as_json=json, debug=debug):
        from karat.data import check_quality

        report = check_quality(_load(source, param), strict=strict)
        rows = [(item.severity, item.rule, str(len(item.rows)), item.remedy) for item in report.findings]
        facts = {
            "passed": report.passed,
            "findings": [dict(zip(("severity", "rule", "rows", "remedy"), row, strict=True)) for row in rows],
        }
        emit(facts, table(("severity", "rule", "rows", "remedy"), rows) if rows else "no findings", as_json=json)


@app.command()
def add(
    source: Source,
    name: Annotated[str, typer.Option(help="Name in the catalog.")],
    param: Param = None,
    workspace: WorkspaceDir = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Load a source, check it strictly and keep it in the catalog with digests, provenance and licence."""
    with errors(as_json=json, debug=debug):
        from karat.data import Catalog, check_quality
        from karat.study import Workspace

        panel = _load(source, param)
        check_quality(panel, strict=True)
        entry = Catalog(Workspace.at(workspace).catalog).add(panel, name)
        emit(
            {"name": entry.name, "content": entry.content, "rows": entry.rows}, f"{name}: {entry.content}", as_json=json
        )


@app.command()
def verify(workspace: WorkspaceDir = None, json: Json = False, debug: Debug = False) -> None:
    """Check every file of the catalog against its digests; exit 1 if one differs."""
    with errors(as_json=json, debug=debug):
        from karat.data import Catalog
        from karat.study import Workspace

        problems = [str(problem) for problem in Catalog(Workspace.at(workspace).catalog).verify()]
        emit({"ok": not problems, "problems": problems}, "\n".join(problems) or "catalog ok", as_json=json)
        if problems:
            raise SystemExit(1)


@app.command()
def query(sql: Annotated[str, typer.Argument(help="SQL over the catalog's names.")], workspace: WorkspaceDir = None,
          json: Json = False, debug: Debug = False) -> None:  # fmt: skip
    """Query the catalog with SQL (extra `lake`)."""
    with errors(as_json=json, debug=debug):
        from karat.data import Catalog
        from karat.study import Workspace

        frame = Catalog(Workspace.at(workspace).catalog).sql(sql)
        emit({"columns": frame.columns, "rows": frame.rows()}, str(frame), as_json=json)


@app.command("resample")
def resample_(
    source: Source,
    bars: Annotated[str, typer.Option(help="2d, 3d, 5d or week.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    param: Param = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Resample daily bars; the last bar is left out where it is not complete."""
    with errors(as_json=json, debug=debug):
        from karat.data import resample

        panel = resample(_load(source, param), bars)
        out.parent.mkdir(parents=True, exist_ok=True)
        panel.frame.write_parquet(out)
        emit({"rows": len(panel.frame), "out": str(out)}, f"{len(panel.frame)} bars, written to {out}", as_json=json)


@app.command("init")
def init_(
    root: Annotated[Path, typer.Argument(help="Folder to make.")], json: Json = False, debug: Debug = False
) -> None:
    """Make the standard data folders: raw, processed, samples."""
    with errors(as_json=json, debug=debug):
        from karat.data import scaffold

        base = scaffold(root)
        made = sorted(str(path) for path in base.iterdir())
        emit({"made": made}, "\n".join(made), as_json=json)


def _load(source: str, params: list[str] | None) -> Any:
    from karat.data import open_source

    return open_source(source, dict(_pair(item) for item in params or [])).load()


def _pair(text: str) -> tuple[str, Any]:
    from karat.core import InputError

    key, found, value = text.partition("=")
    if not found or not key:
        raise InputError("--param", text, allowed="key=value, e.g. dataset=nasdaq")
    try:
        return key, jsonlib.loads(value)
    except jsonlib.JSONDecodeError:
        return key, value


def _facts(panel: Any) -> dict[str, Any]:
    from karat.core import iso_date

    frame = panel.frame
    return {
        "rows": len(frame),
        "instruments": ", ".join(panel.instruments),
        "values": ", ".join(panel.values),
        "first": iso_date(int(frame["ts"].min())),
        "last": iso_date(int(frame["ts"].max())),
        "calendar": panel.calendar,
        "licence": panel.provenance.licence,
        "origin": panel.provenance.origin,
        "content": panel.content_hash,
    }
