"""What verbs begin with: a workspace, a recorded run in it, a study file, or a file to write to.

Verbs that only look make no folders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from karat.cli._output import errors, say

if TYPE_CHECKING:
    from karat.study import RunResult, StudyConfig, Workspace


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


def file_to_write(out: Path, option: str = "--out") -> Path:
    """Return the path of a file to write, its folder made.

    Raises:
        InputError: it is a folder, or a part of it is a file.
    """
    from karat.data import check_target

    check_target(out, option)
    out.parent.mkdir(parents=True, exist_ok=True)
    return out


def parquet_to_write(out: Path) -> Path:
    """Return the path of a Parquet file to write, its folder made.

    Raises:
        InputError: it is a folder, a part of it is a file, or its name is that of another format.
    """
    from karat.core import InputError
    from karat.data import check_target

    check_target(out, "--out")
    if out.suffix != ".parquet":
        why, fix = "Parquet is what is written", f"write --out {out.with_suffix('.parquet')}"
        raise InputError("--out", str(out), why=why, allowed="a name that ends in .parquet", fix=fix)
    return file_to_write(out)


@contextmanager
def recorded_run(
    run: str, workspace: Path | None, *, as_json: bool, debug: bool
) -> Iterator[tuple[RunResult, Workspace]]:
    """Give a run and its workspace to the body of a verb; errors end as messages and exit codes."""
    with errors(as_json=as_json, debug=debug):
        say("reading the run")
        place = existing_workspace(workspace)
        from karat.study import RunResult

        yield RunResult(place.run(run)), place


@contextmanager
def study_file(study: Path, sets: Sequence[str] | None, *, as_json: bool, debug: bool) -> Iterator[StudyConfig]:
    """Give a validated study, changed by `--set`, to the body of a verb; errors end as messages and exit codes."""
    with errors(as_json=as_json, debug=debug):
        say("reading the study")
        from karat.cli._settings import read_settings

        yield read_settings(study, sets).config
