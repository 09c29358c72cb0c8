"""The workspace that a verb reads. Verbs that only look make no folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from karat.study import Workspace


def existing_workspace(root: Path | None) -> Workspace:
    """Return the workspace at `root`, else at ./workspace.

    Raises:
        InputError: there is none, and how to make one.
    """
    from karat.core import InputError
    from karat.study import Workspace

    place = root or Path("workspace")
    if not place.exists():
        fix = "name it with --workspace or KARAT_WORKSPACE, or make one: karat demo"
        raise InputError("workspace", str(place), why="there is no such folder", fix=fix)
    return Workspace.at(place)
