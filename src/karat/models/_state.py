"""`State`: all that a fitted forecaster knows, and how it lies on disk. Arrays, plain values and texts; never code.

A saved model is a folder: `model.json` (name, parameters, plain values, digests), `weights.safetensors` (arrays) and
one `.txt` a text (a boosting library's own format).

Invariants:
1. Reading gives the same bits that were written.
2. Nothing that is read can run: no pickle in any form.
3. A file that is not the one that was written is refused by its SHA-256.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from karat.core import DataError, InputError, canonical_json, file_digests

CARD: Final = "model.json"
_WEIGHTS: Final = "weights.safetensors"
_FORMAT: Final = 1
_AGAIN: Final = "fit and save the model again"


@dataclass(frozen=True, eq=False)
class State:
    """arrays: float or integer arrays. values: JSON without NaN. texts: native text of a library, by file stem."""

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


def write_state(directory: Path, card: dict[str, Any], state: State) -> None:
    """Write the folder of a model; `card` holds what identifies it."""
    from safetensors.numpy import save_file

    directory.mkdir(parents=True, exist_ok=True)
    names = []
    if state.arrays:
        save_file({key: np.ascontiguousarray(value) for key, value in state.arrays.items()}, directory / _WEIGHTS)
        names.append(_WEIGHTS)
    for stem, text in sorted(state.texts.items()):
        (directory / f"{stem}.txt").write_bytes(text.encode("utf-8"))
        names.append(f"{stem}.txt")
    files = {name: file_digests(directory / name)[0] for name in names}
    whole = {**card, "format": _FORMAT, "values": state.values, "files": files}
    (directory / CARD).write_text(canonical_json(whole), encoding="utf-8")


def read_card(directory: Path) -> dict[str, Any]:
    """Return what `model.json` says.

    Raises:
        InputError: no saved model there. DataError: a card that is not one.
    """
    path = directory / CARD
    if not path.is_file():
        raise InputError("directory", str(directory), why=f"it has no {CARD}", fix="give a folder that `save` wrote")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError("model", "model.json is JSON", seen=str(error), fix=_AGAIN) from None
    written = card.get("format") if isinstance(card, dict) else type(card).__name__
    if written != _FORMAT:
        raise DataError("model", f"model.json has format {_FORMAT}", seen=written, fix=_AGAIN)
    return dict(card)


def read_state(directory: Path, card: dict[str, Any]) -> State:
    """Return the state that belongs to a card.

    Raises:
        DataError: a file is missing or is not the one that was written.
    """
    from safetensors.numpy import load_file

    for name, digest in card["files"].items():
        path = directory / Path(name).name  # a card cannot point outside its folder
        found = file_digests(path)[0] if path.is_file() else "no such file"
        if found != digest:
            raise DataError("model", "files equal their recorded SHA-256", seen=found, rows=[name], fix=_AGAIN)
    arrays = load_file(directory / _WEIGHTS) if _WEIGHTS in card["files"] else {}
    texts = {
        name.removesuffix(".txt"): (directory / name).read_bytes().decode("utf-8")
        for name in card["files"]
        if name.endswith(".txt")
    }
    return State(arrays, card["values"], texts)
