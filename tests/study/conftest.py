"""Fixtures: a study file, a world whose cells run in this process, a world that also skips the report."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from study_factory import InlineExecutor, World, make_package, small_study, write_study

from karat.core import content_hash
from karat.evidence import Check, shuffled_label_sentinel
from karat.study import _again, _executor, _guards, _pipeline, _prepare, _publish, _tables

KNOWN: dict[str, Check] = {}
"""What the shuffled-label sentinel said of data it has seen: the slowest part of a small study."""


SHELF: list[Path] = []
"""Where workspaces are kept that tests start from."""


def remembered_sentinel(*arrays: Any, **settings: Any) -> Check:
    """The sentinel, asked once for each set of arguments."""
    plain = {name: value for name, value in settings.items() if name != "score"}
    key = content_hash([[vars(rows) for rows in arrays], plain])
    if key not in KNOWN:
        KNOWN[key] = shuffled_label_sentinel(*arrays, **settings)
    return KNOWN[key]


class InlineRepeat:
    """The repeated cell, computed in this process by the function that the fresh one runs."""

    def __init__(self, task: Any, expected: str, scratch: Path) -> None:
        self._text = json.dumps({**_guards._plain(task), "target": str(scratch)})
        self._expected, self._scratch = expected, scratch

    def checks(self) -> tuple[Check, ...]:
        """Compute and judge."""
        return _guards.repeated_checks(_again.main(self._text, os.getpid()), self._expected)

    def stop(self) -> None:
        """Drop what was written."""
        shutil.rmtree(self._scratch, ignore_errors=True)


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    """A study file on disk."""
    return write_study(tmp_path / "small.yaml", small_study())


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let studies run in this process, without workers."""
    _prepare.load_prepared.cache_clear()
    monkeypatch.setattr(_pipeline, "make_executor", lambda _config: InlineExecutor())
    monkeypatch.setattr(_pipeline, "FreshProcess", InlineRepeat)
    monkeypatch.setattr(_executor, "watch_parent", lambda _parent: None)


@pytest.fixture
def world(inline: None, tmp_path: Path) -> World:
    """An empty workspace whose studies run in this process."""
    return World(tmp_path / "workspace")


@pytest.fixture
def quick(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The same without reports, and with what is slow done less often."""
    monkeypatch.setattr(_publish, "write_report", lambda _folder: None)
    monkeypatch.setattr(_guards, "shuffled_label_sentinel", remembered_sentinel)
    monkeypatch.setattr(_tables, "_DRAWS", 50)
    if not SHELF:
        SHELF.append(tmp_path_factory.mktemp("shelf"))
    world.shelf = SHELF[0]
    return world


@pytest.fixture
def finished(quick: World) -> World:
    """A workspace in which the small study has been run."""
    quick.first()
    return quick


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of plug-ins that this process finds."""
    folder = make_package(tmp_path / "site")
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in [name for name in sys.modules if name == "toy" or name.startswith("toy.")]:
        del sys.modules[name]
