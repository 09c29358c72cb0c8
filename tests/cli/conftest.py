"""Fixtures: the command in this process, a small study, one finished run shared by the whole session."""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from karat.cli._app import app
from karat.study import _executor, _pipeline

SMALL: dict[str, Any] = {
    "name": "small",
    "data": {"source": "synthetic", "params": {"seed": 3, "n_days": 1400, "edge_sharpe": 3.0}},
    "features": ["ret_1", "ret_5", "signal"],
    "splits": {"test_frac": 0.45, "select_folds": 1, "test_folds": 2, "valid_bars": 120},
    "models": [{"name": "linear_quantile"}],
    "seeds": 2,
    "verdict": {"draws": 400},
}


class InlineExecutor:
    """Runs cells in this process, one after the other."""

    def map(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield (task, result)."""
        for task in tasks:
            yield task, function(task)

    def close(self) -> None:
        """Nothing to free."""


@dataclass(frozen=True)
class Said:
    """What a command did: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def facts(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        value: dict[str, Any] = json.loads(self.out)
        assert isinstance(value, dict)
        return value


def karat(*words: object, env: dict[str, str] | None = None) -> Said:
    """Run the command in this process."""
    outcome = CliRunner().invoke(app, [str(word) for word in words], env=env)
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome.exception
    assert "Traceback" not in outcome.stderr or "--debug" in words, outcome.stderr
    return Said(outcome.exit_code, outcome.stdout, outcome.stderr)


def write_study(folder: Path, **changes: Any) -> Path:
    """Write the small study with changed top-level keys and return its path."""
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({**copy.deepcopy(SMALL), **changes}), encoding="utf-8")
    return path


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
