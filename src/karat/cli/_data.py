"""`karat data`: sources, quality and the catalog from the command line."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from karat._words import counted
from karat.cli._options import Debug, Json, WorkspaceDir, named
from karat.cli._output import emit, errors, listed, table
from karat.cli._place import existing_workspace, parquet_to_write

if TYPE_CHECKING:
    from karat.data import Catalog, Panel

app = typer.Typer(no_args_is_help=True)
Source = Annotated[str, typer.Argument(help="A source, e.g. bundled, csv, synthetic.")]
Param = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", help="A parameter as key=value, e.g. 'columns={Day: date}'; may be repeated."),
]


@app.command("list")
def list_(workspace: WorkspaceDir = None, json: Json = False, debug: Debug = False) -> None:
    """List the sources and what the catalog holds."""
    with errors(as_json=json, debug=debug):
        from karat.data import SOURCES

        place = workspace or Path("workspace")
        entries = _catalog(place).entries() if place.exists() else ()
        keys = ("name", "version", "rows", "first", "last", "content", "licence")
        kept = [{key: getattr(entry, key) for key in keys} for entry in entries]
        sources = {name: list(kind.parameters()) for name, kind in SOURCES.items()}
        text = table(
            ("source", "parameters (-p key=value)"), [(name, ", ".join(keys)) for name, keys in sources.items()]
        )
        rows = [
            (row["name"], row["version"], row["rows"], row["first"], row["last"], row["content"][:16]) for row in kept
        ]
        header = ("in the catalog", "version", "rows", "first", "last", "content")
        text += "\n\n" + (table(header, rows) if rows else f"the catalog of {place} is empty")
        emit({"sources": sources, "catalog": kept}, text, as_json=json)


@app.command()
def show(source: Source, param: Param = None, json: Json = False, debug: Debug = False) -> None:
    """Load a source and show what it holds."""
    with errors(as_json=json, debug=debug):
        panel = load_source(source, param)
        facts = _facts(panel)
        text = f"{listed(facts)}\n\n{panel.frame.tail(5)}"
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
    """Check a source's quality; strict refuses data with errors, lenient reports every finding and exits 1."""
    with errors(as_json=json, debug=debug):
        from karat.data import check_quality

        report = check_quality(load_source(source, param), strict=strict)
        rows = [
            (item.severity, item.rule, item.n_rows, item.rows[0] if item.rows else "", item.remedy)
            for item in report.findings
        ]
        header = ("severity", "rule", "rows", "first", "what to do")
        verdict = "passed" if report.passed else "NOT passed"
        text = f"{counted(len(report.rules), 'rule')}, {counted(report.n_rows, 'row')}: {verdict}"
        text += "\n\n" + table(header, rows) if rows else ", no findings"
        emit(report.to_dict(), text, as_json=json)
        if not report.passed:
            raise SystemExit(1)


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
        from karat.data import check_quality

        panel = load_source(source, param)
        check_quality(panel, strict=True)
        entry = _catalog(workspace or Path("workspace")).add(panel, name)
        keys = ("name", "version", "rows", "file", "sha256", "md5", "content", "licence")
        text = f"{name} version {entry.version}: {counted(entry.rows, 'row')}, content {entry.content}"
        emit({key: getattr(entry, key) for key in keys}, text, as_json=json)


@app.command()
def verify(workspace: WorkspaceDir = None, json: Json = False, debug: Debug = False) -> None:
    """Check every file of the catalog against its digests; exit 1 if one differs."""
    with errors(as_json=json, debug=debug):
        problems = [str(problem) for problem in _catalog(existing_workspace(workspace).root).verify()]
        emit({"ok": not problems, "problems": problems}, "\n".join(problems) or "catalog ok", as_json=json)
        if problems:
            raise SystemExit(1)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over the catalog's names.")],
    workspace: WorkspaceDir = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Query the catalog with SQL (extra `lake`)."""
    with errors(as_json=json, debug=debug):
        frame = _catalog(existing_workspace(workspace).root).sql(sql)
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

        parquet_to_write(out)
        panel = resample(load_source(source, param), bars)
        panel.frame.write_parquet(out)
        emit(
            {"rows": len(panel.frame), "out": str(out)},
            f"{counted(len(panel.frame), 'bar')}, written to {out}",
            as_json=json,
        )


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


def _catalog(workspace: Path) -> Catalog:
    from karat.data import Catalog
    from karat.study import Workspace

    return Catalog(Workspace.at(workspace).catalog)


def load_source(source: str, params: list[str] | None) -> Panel:
    """Return the panel of a source with parameters as typed."""
    from karat.data import open_source

    return open_source(source, dict(_pair(item) for item in params or [])).load()


def _pair(text: str) -> tuple[str, Any]:
    key, value = named("--param", text, "key=value, e.g. dataset=nasdaq")
    try:
        return key, jsonlib.loads(value)
    except jsonlib.JSONDecodeError:
        return key, _flow(value) if value[:1] in ("{", "[") else value


def _flow(text: str) -> Any:
    """Return a mapping or a list as a study file has it, `{Settle: close}`; what is none stays text."""
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _facts(panel: Panel) -> dict[str, Any]:
    from karat.core import iso_date

    frame = panel.frame
    return {
        "rows": len(frame),
        "instruments": ", ".join(panel.instruments),
        "values": ", ".join(panel.values),
        "first": iso_date(int(frame["ts"].to_numpy().min())),
        "last": iso_date(int(frame["ts"].to_numpy().max())),
        "calendar": panel.calendar,
        "licence": panel.provenance.licence,
        "origin": panel.provenance.origin,
        "content": panel.content_hash,
    }
