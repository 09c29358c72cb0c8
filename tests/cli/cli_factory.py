"""The command in this process or in a fresh one, and a small study."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner

from karat.cli._app import app

ROOT = Path(__file__).resolve().parents[2]
KARAT = [sys.executable, "-m", "karat"]
SMALL: dict[str, Any] = {
    "name": "small",
    "data": {"source": "synthetic", "params": {"seed": 3, "n_days": 1400, "edge_sharpe": 3.0}},
    "features": ["ret_1", "ret_5", "signal"],
    "splits": {"test_frac": 0.45, "select_folds": 1, "test_folds": 2, "valid_bars": 120},
    "models": [{"name": "linear_quantile"}],
    "seeds": 2,
    "verdict": {"draws": 400},
}


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


def fresh(
    *words: object, folder: Path, script: str | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command, or Python code instead of it, in a fresh process whose network is closed."""
    sitecustomize = folder / "closed"
    sitecustomize.mkdir(exist_ok=True)
    (sitecustomize / "sitecustomize.py").write_text(CLOSED, encoding="utf-8")
    paths = [str(sitecustomize), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    line = [sys.executable, "-c", script] if script else [*KARAT, *map(str, words)]
    environment = {**os.environ, **(env or {}), "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return subprocess.run(line, capture_output=True, text=True, env=environment, cwd=folder, timeout=240, check=False)


CLOSED = """
import socket


class Closed(socket.socket):
    def connect(self, address):
        raise AssertionError(f"the network was asked for: {address}")


socket.socket = Closed
"""
