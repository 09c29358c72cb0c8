"""`karat config`: what a study file becomes, and its schema."""

from __future__ import annotations

import typer

from karat.cli._options import Debug, Json, Sets, Study
from karat.cli._output import emit, errors, table

app = typer.Typer(no_args_is_help=True)


@app.command()
def show(study: Study, sets: Sets = None, json: Json = False, debug: Debug = False) -> None:
    """Print a study with every default filled in, and where each value came from."""
    with errors(as_json=json, debug=debug):
        from karat.cli._settings import read_settings

        settings = read_settings(study, sets)
        rows = settings.rows()
        facts = {
            "config": settings.config.model_dump(mode="json"),
            "sources": {path: source for path, _, source in rows},
        }
        shown = [(path, _plain(value), source) for path, value, source in rows]
        emit(facts, table(("setting", "value", "from"), shown), as_json=json)


@app.command()
def check(study: Study, sets: Sets = None, json: Json = False, debug: Debug = False) -> None:
    """Check a study file without running it: keys, values, and every name it mentions; data is not read."""
    with errors(as_json=json, debug=debug):
        from karat.cli._settings import read_settings

        config = read_settings(study, sets).config
        emit({"ok": True, "name": config.name}, f"{study}: ok", as_json=json)


@app.command()
def schema(
    json: Json = False,  # it is JSON anyway: accepted so that every verb takes it
    debug: Debug = False,
) -> None:
    """Print the JSON Schema of study files."""
    with errors(as_json=json, debug=debug):
        from karat.study import study_schema

        emit(study_schema(), "", as_json=True)


def _plain(value: object) -> str:
    """Return a value as YAML would have it on one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(_plain, value))}]"
    return (
        {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else str(value)
    )
