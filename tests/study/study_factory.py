"""Small studies that run in seconds, an executor without workers, a workspace, and plug-ins made on the spot."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml

import karat
from karat.core import Entry, Ledger, content_hash, verify_ledger
from karat.data import load
from karat.study import RunResult, Workspace

KARAT = [sys.executable, "-m", "karat"]


def small_study(**changes: Any) -> dict[str, Any]:
    """Return a study on 1,000 synthetic days with one cheap candidate; `changes` replace top-level keys."""
    study: dict[str, Any] = {
        "name": "small",
        "data": {"source": "synthetic", "params": {"seed": 3, "n_days": 1000, "edge_sharpe": 3.0}},
        "features": ["ret_1", "ret_5", "signal"],
        "splits": {"test_frac": 0.55, "select_folds": 1, "test_folds": 2, "valid_bars": 100},
        "models": [{"name": "linear_quantile"}],
        "seeds": 2,
        "verdict": {"draws": 400},
    }
    return study | changes


def prices(days: int = 1000, **params: Any) -> pl.DataFrame:
    """Return a synthetic panel's frame with `date` instead of instants, as a user's file would have it."""
    frame = load("synthetic", n_days=days, **({"seed": 3, "edge_sharpe": 3.0} | params)).frame
    stamp = pl.from_epoch("ts", time_unit="ns").dt.date().alias("date")
    return frame.select(stamp, "open", "high", "low", "close", "volume", "signal")


def csv_data(path: Path, frame: pl.DataFrame, instrument: str = "ABC.XNYS") -> dict[str, Any]:
    """Write a CSV file and return the data block that reads it."""
    frame.write_csv(path)
    return {"source": "csv", "params": {"path": str(path), "instrument": instrument, "licence": "own data"}}


def write_study(path: Path, study: dict[str, Any]) -> Path:
    """Write a study file."""
    path.write_text(yaml.safe_dump(study), encoding="utf-8")
    return path


class InlineExecutor:
    """Runs cells in this process, one after the other."""

    def map(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield (task, result)."""
        for task in tasks:
            yield task, function(task)

    def close(self) -> None:
        """Nothing to free."""


@dataclass
class World:
    """A workspace with the verbs the tests need."""

    root: Path
    shelf: Path | None = None

    def first(self, **changes: Any) -> RunResult:
        """Run the small study with changes in this empty workspace, or copy one in which that was done before."""
        assert self.shelf is not None
        assert not self.root.exists()
        kept = self.shelf / content_hash(changes)[:16]
        if not kept.exists():
            World(kept).run(**changes)
        shutil.copytree(kept, self.root)
        return self.latest()

    def run(self, study: dict[str, Any] | None = None, **changes: Any) -> RunResult:
        """Run the small study with changes, or the study given."""
        return karat.run(small_study(**changes) if study is None else study, workspace=self.root)

    @property
    def place(self) -> Workspace:
        """The workspace."""
        return Workspace.at(self.root)

    def latest(self) -> RunResult:
        """Return the run that was written last, read from disk anew."""
        return RunResult(self.place.run("latest"))

    def entries(self, kind: str | None = None) -> list[Entry]:
        """Return the ledger's entries."""
        with Ledger.open(self.place.ledger, role="research") as ledger:
            return list(ledger.entries(kind))

    def kinds(self) -> dict[str, int]:
        """Return how many entries of each kind there are."""
        kinds = [entry.kind for entry in self.entries()]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds))}

    def verify(self) -> bool:
        """Return whether the ledger's chain holds."""
        return bool(verify_ledger(self.place.ledger).ok)


def trials_of(result: RunResult) -> int:
    """Return how many trials the verdict counted."""
    return int(result.manifest["verdict"]["family_trials"])


def p_values(result: RunResult) -> tuple[float, float]:
    """Return the adjusted p-values of gates 1 and 2."""
    gates = result.manifest["verdict"]["gates"]
    return float(gates[1]["p_value"]), float(gates[2]["p_value"])


def environment(*paths: Path) -> dict[str, str]:
    """Return an environment for a child process that also finds modules below `paths`."""
    found = [str(path) for path in paths] + [str(Path(karat.__file__).parents[1])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*found, os.environ.get("PYTHONPATH", "")])}


def command(
    *words: object, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `karat` with the words given and return what came of it."""
    line = [*KARAT, *map(str, words)]
    return subprocess.run(
        line, capture_output=True, text=True, env=env or environment(), cwd=cwd, timeout=240, check=False
    )


def edit_json(path: Path, edit: Any) -> None:
    """Change a JSON file in place."""
    values = json.loads(path.read_text(encoding="utf-8"))
    edit(values)
    path.write_text(json.dumps(values), encoding="utf-8")


MODELS = '''
"""Forecasters of somebody else's."""

import os

import numpy as np

from karat.data import LEVELS
from karat.models import Forecaster, Param, State


class Tilt(Forecaster):
    """Residual quantiles around a straight line through the last feature; notes each fit in a file."""

    name = "toy_tilt"
    PARAMS = {"shrink": Param(0.5, 0.0, 1.0)}

    def _fit(self, train, valid):
        if "TOY_LOG" in os.environ:
            with open(os.environ["TOY_LOG"], "a", encoding="utf-8") as stream:
                stream.write(f"{self.seed} {train.horizon} {len(train)} {train.ts[-1]} {os.getpid()}\\n")
        x, y = train.features[:, -1], train.labels.value
        slope = float(self.params["shrink"]) * float(np.cov(x, y)[0, 1] / np.var(x))
        self._line = np.array([slope, float(y.mean())])
        self._residual = np.quantile(y - slope * x - y.mean(), LEVELS)

    def _predict(self, inputs):
        centre = self._line[1] + self._line[0] * inputs.features[:, -1]
        return centre[:, None] + self._residual[None, :], None

    def _state(self):
        return State({"line": self._line, "residual": self._residual})

    def _restore(self, state):
        self._line, self._residual = state.arrays["line"], state.arrays["residual"]


class Chance(Tilt):
    """A line whose slope is drawn."""

    name = "toy_chance"
    stochastic = True

    def _fit(self, train, valid):
        super()._fit(train, valid)
        self._line = self._line * np.random.Generator(np.random.Philox(self.seed)).uniform(0.5, 1.5, 2)


class Narrow(Tilt):
    """Half as unsure as it should be."""

    name = "toy_narrow"

    def _fit(self, train, valid):
        super()._fit(train, valid)
        self._residual = 0.5 * self._residual


class Restless(Tilt):
    """Never the same twice."""

    name = "toy_restless"

    def _predict(self, inputs):
        quantiles, _ = super()._predict(inputs)
        return quantiles + 1e-9 * os.urandom(1)[0] / 255 + 1e-9 * os.urandom(1)[0], None


class Peeker(Tilt):
    """Reads the returns of rows that come after the one it forecasts."""

    name = "toy_peeker"

    def _predict(self, inputs):
        later = np.append(inputs.table.returns[1:], 0.0)
        return later[inputs.rows][:, None] + 0.1 * self._residual[None, :], None


class Broken(Tilt):
    """Fails on the row it is fitted on."""

    name = "toy_broken"

    def _fit(self, train, valid):
        raise ZeroDivisionError("a bug of somebody else's")
'''

SOURCES = '''
"""A source of somebody else's: the synthetic market under another name."""

from karat.data import Panel, Provenance, Source, load


class Market(Source):
    name = "toy_market"

    def __init__(self, *, seed: int = 3, n_days: int = 1000) -> None:
        self._seed, self._n_days = seed, n_days

    def load(self) -> Panel:
        panel = load("synthetic", seed=self._seed, n_days=self._n_days, edge_sharpe=3.0)
        return Panel(panel.frame, panel.calendar, Provenance("toy_market", "counted by toy", "CC0-1.0"))
'''

ENTRY_POINTS = """[karat.model]
toy_tilt = toy.models:Tilt
toy_chance = toy.models:Chance
toy_narrow = toy.models:Narrow
toy_restless = toy.models:Restless
toy_peeker = toy.models:Peeker
toy_broken = toy.models:Broken

[karat.source]
toy_market = toy.sources:Market
"""


def make_package(folder: Path) -> Path:
    """Write an installed package `toy` 1.0 with its metadata into a folder and return the folder."""
    (folder / "toy").mkdir(parents=True)
    (folder / "toy" / "__init__.py").write_text('"""A package of plug-ins."""\n', encoding="utf-8")
    (folder / "toy" / "models.py").write_text(MODELS, encoding="utf-8")
    (folder / "toy" / "sources.py").write_text(SOURCES, encoding="utf-8")
    info = folder / "toy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")
    return folder
