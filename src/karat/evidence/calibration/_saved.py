"""Calibrators on disk: one JSON object with its own hash. Nothing that is read can run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from karat.core import DataError, InputError, canonical_json, content_hash

FORMAT: Final = 1
_AGAIN: Final = "fit and save the calibrator again"


def write_saved(path: Path, body: dict[str, Any]) -> None:
    """Write a body of plain values with its format and its hash."""
    whole = {"format": FORMAT, **body}
    Path(path).write_text(canonical_json({**whole, "hash": content_hash(whole)}), encoding="utf-8")


def read_saved(path: Path) -> dict[str, Any]:
    """Return the body that `write_saved` wrote.

    Raises:
        InputError: no such file. DataError: a file that is not the one that was written.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError("path", str(path), why="there is no such file", fix="give a file that `save` wrote")
    try:
        body = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError("calibrator", "the file is JSON", seen=str(error), rows=[file.name], fix=_AGAIN) from None
    written = body.get("format") if isinstance(body, dict) else type(body).__name__
    if written != FORMAT:
        raise DataError("calibrator", f"the file has format {FORMAT}", seen=written, rows=[file.name], fix=_AGAIN)
    recorded, found = body.pop("hash", None), content_hash(body)
    if recorded != found:
        rule = "the content equals its recorded hash"
        raise DataError("calibrator", rule, seen=found, rows=[file.name], fix=_AGAIN)
    return dict(body)
