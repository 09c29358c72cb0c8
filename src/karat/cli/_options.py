"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
WorkspaceDir = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        "-w",
        help="Folder of ledger, cells and runs.",
        envvar="KARAT_WORKSPACE",
        show_default="workspace",
    ),
]
Run = Annotated[str, typer.Argument(help="Run id, a unique beginning of it, or latest.")]
Study = Annotated[Path, typer.Argument(help="A study file, e.g. studies/quickstart.yaml.")]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Change one value, e.g. splits.test_frac=0.4; quote spaces; may be repeated. Wins over the file.",
    ),
]


def named(option: str, text: str, allowed: str) -> tuple[str, str]:
    """Return name and value of an option written as name=value; allowed: what to say where it is not.

    Raises:
        InputError: no name, or no equals sign.
    """
    from karat.core import InputError

    name, found, value = text.partition("=")
    if not found or not name:
        raise InputError(option, text, allowed=allowed)
    return name, value
