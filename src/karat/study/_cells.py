"""Cells: one model, seed, fold and horizon. Idempotent, content-addressed, the unit of work and of resuming.

Invariants:
1. A cell's address is the hash of everything that can change its result and of nothing else.
2. A cell is finished when its folder exists under its final name; it gets that name in one rename.
3. A worker sees `Inputs` of a test fold, never its labels.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from karat.core import DataError, content_hash, monotonic_ns, set_all_seeds
from karat.data import Forecast
from karat.labels import views
from karat.models import create
from karat.study._config import SplitConfig
from karat.study._plugins import split_plugins
from karat.study._prepare import load_prepared


@dataclass(frozen=True)
class Cell:
    """What to compute. `title` names the model in reports and takes no part in the address."""

    address: str
    title: str
    model: str
    params: Mapping[str, Any]
    seed: int
    horizon: str
    fold: int
    role: str


@dataclass(frozen=True)
class Task:
    """A cell with where its inputs lie and where its result goes."""

    cell: Cell
    dataset: str
    horizons: tuple[str, ...]
    splits: SplitConfig
    plugins: tuple[str, ...]
    target: str


@dataclass(frozen=True)
class CellResult:
    """What a finished cell says of itself."""

    address: str
    forecast_hash: str
    seconds: float
    notes: tuple[str, ...] = ()


def address_of(values: Mapping[str, Any]) -> str:
    """Return the address for the given facts."""
    return content_hash(values)[:40]


def run_cell(task: Task) -> CellResult:
    """Fit, forecast and store one cell; a cell that is already there is only read."""
    target = Path(task.target)
    if (target / "cell.json").exists():
        return read_result(target)
    started = monotonic_ns()
    set_all_seeds(task.cell.seed)
    prepared = load_prepared(task.dataset, task.horizons, task.splits)
    fold = prepared.folds[task.cell.horizon][task.cell.fold]
    train, valid, test = views(prepared.table, prepared.labels[task.cell.horizon], fold, task.cell.horizon)
    model = create(task.cell.model, task.cell.params, seed=task.cell.seed, plugins=split_plugins(task.plugins)[0]).fit(
        train, valid
    )
    forecast = model.predict(valid if test is None else test.inputs())
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "model").mkdir(parents=True)
    model.save(partial / "model")
    frame = forecast.frame()
    frame.write_parquet(partial / "forecast.parquet")
    result = CellResult(
        task.cell.address, content_hash(frame), (monotonic_ns() - started) / 1e9, tuple(getattr(model, "notes", ()))
    )
    (partial / "cell.json").write_text(json.dumps({**vars(result), "cell": vars(task.cell)}), encoding="utf-8")
    try:
        partial.rename(target)
    except OSError:  # another process finished the same cell first: content is the same by address
        shutil.rmtree(partial, ignore_errors=True)
    return result


def read_result(folder: Path) -> CellResult:
    """Return what a finished cell recorded."""
    values = json.loads((folder / "cell.json").read_text(encoding="utf-8"))
    return CellResult(values["address"], values["forecast_hash"], float(values["seconds"]), tuple(values["notes"]))


def read_forecast(folder: Path, expected: str) -> Forecast:
    """Return a finished cell's forecast.

    Raises:
        DataError: the file's content is not what the cell recorded.
    """
    frame = pl.read_parquet(folder / "forecast.parquet")
    if content_hash(frame) != expected:
        raise DataError(
            "cell", "forecast equals its recorded hash", rows=[folder.name], fix=f"delete {folder} and run again"
        )
    return Forecast.from_frame(frame)
