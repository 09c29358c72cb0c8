"""Fixtures: one finished run shared by the whole session, and a workspace of one's own that holds it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from cli_factory import Said, karat, write_study

from karat.study import _executor, _pipeline

sys.path.insert(0, str(Path(__file__).parents[1] / "study"))  # for study_factory, as the study tests have it
from study_factory import InlineExecutor


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of whoever runs the tests, no files where they run them."""
    for name in [name for name in os.environ if name.startswith("KARAT__") or name == "KARAT_WORKSPACE"]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let cells run in this process."""
    monkeypatch.setattr(_pipeline, "make_executor", lambda _config: InlineExecutor())
    monkeypatch.setattr(_executor, "watch_parent", lambda _parent: None)


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Said]:
    """One finished run: study file, workspace, and what `karat run --json` said."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(_pipeline, "make_executor", lambda _config: InlineExecutor())
        study = write_study(folder)
        said = karat("run", study, "--workspace", folder / "workspace", "--json")
    return study, folder / "workspace", said


@pytest.fixture
def finished(first_run: tuple[Path, Path, Said], tmp_path: Path, inline: None) -> tuple[Path, Path]:
    """Study file and a workspace of one's own that holds the finished run."""
    study, workspace, _ = first_run
    shutil.copytree(workspace, tmp_path / "workspace")
    return study, tmp_path / "workspace"
