"""`karat config`: what a study file becomes, and its schema."""

from __future__ import annotations

from typing import Any

import typer

from karat.cli._options import Debug, Json, Study
from karat.cli._output import emit, errors

app = typer.Typer(no_args_is_help=True)


@app.command()
def show(study: Study, json: Json = False, debug: Debug = False) -> None:
    """Print a study with every default filled in, and where each value came from."""
    with errors(as_json=json, debug=debug):
        from karat.study import read_study

        config = read_study(study)
        lines = list(_lines(config.model_dump(mode="json"), config.model_dump(mode="json", exclude_unset=True)))
        emit(config.model_dump(mode="json"), "\n".join(lines), as_json=json)


@app.command()
def check(study: Study, json: Json = False, debug: Debug = False) -> None:
    """Validate a study file without running it."""
    with errors(as_json=json, debug=debug):
        from karat.study import read_study

        config = read_study(study)
        emit({"ok": True, "name": config.name}, f"{study}: ok", as_json=json)


@app.command()
def schema(debug: Debug = False) -> None:
    """Print the JSON Schema of study files."""
    with errors(as_json=False, debug=debug):
        from karat.study import study_schema

        emit(study_schema(), "", as_json=True)


def _lines(values: Any, given: Any, path: str = "") -> Any:
    if isinstance(values, dict) and values:
        for key, value in values.items():
            inner = given.get(key) if isinstance(given, dict) else None
            yield from _lines(value, inner, f"{path}.{key}" if path else key)
    elif isinstance(values, list) and values and isinstance(values[0], dict):
        for k, value in enumerate(values):
            inner = given[k] if isinstance(given, list) and k < len(given) else None
            yield from _lines(value, inner, f"{path}.{k}")
    else:
        yield f"{path} = {values!r}  ({'file' if given is not None else 'default'})"
