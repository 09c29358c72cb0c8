"""Cells: one model, seed, fold and horizon. Idempotent, content-addressed, the unit of work and of resuming.

Invariants:
1. A cell's address is the hash of everything that can change its result and of nothing else.
2. A cell is finished when its folder exists under its final name; it gets that name in one rename.
3. A forecaster is asked with `Inputs`, which have no labels, and fitted on `Train` and `Valid` only.
4. What is read back is what was written: a changed or broken file stops the study that meets it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from karat.core import DataError, content_hash, generator, monotonic_ns, set_all_seeds
from karat.data import INNER, LEVELS, Forecast, Inputs, Train, Valid
from karat.evidence import pinball
from karat.labels import views
from karat.models import Forecaster, create, load_model
from karat.study._config import SplitConfig
from karat.study._plugins import model_plugins
from karat.study._prepare import load_prepared
from karat.study._stored import stored_frame

PARTIAL = ".partial"


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
    if is_finished(target):
        return read_result(target)
    started = monotonic_ns()
    set_all_seeds(task.cell.seed)
    train, valid, inputs = _views(task)
    plugins = model_plugins(task.plugins)
    model = create(task.cell.model, task.cell.params, seed=task.cell.seed, plugins=plugins).fit(train, valid)
    frame = model.predict(inputs).frame()
    partial = target.with_name(f"{target.name}.{os.getpid()}{PARTIAL}")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "model").mkdir(parents=True)
    model.save(partial / "model")
    frame.write_parquet(partial / "forecast.parquet")
    seconds = (monotonic_ns() - started) / 1e9
    result = CellResult(task.cell.address, content_hash(frame), seconds, tuple(model.notes))
    (partial / "cell.json").write_text(json.dumps({**vars(result), "cell": vars(task.cell)}), encoding="utf-8")
    try:
        partial.rename(target)
    except OSError:  # a worker of a killed study finished the same cell first: what is there stays
        shutil.rmtree(partial, ignore_errors=True)
        return read_result(target)
    return result


def forecast_again(task: Task) -> str:
    """Return the content hash of what the stored model of a finished cell forecasts for the cell's rows now."""
    _, _, inputs = _views(task)
    model = _stored(task)
    set_all_seeds(task.cell.seed)
    return content_hash(model.predict(inputs).frame())


def loss_on_train(task: Task) -> float:
    """Return the mean pinball loss of a finished cell's model on the rows that it was fitted on, averaged per date."""
    train, _, _ = _views(task)
    model = _stored(task)
    set_all_seeds(task.cell.seed)
    forecast = model.predict(Inputs(train.table, train.rows, train.horizon))
    losses = pinball(train.labels.value, forecast.quantiles[:, INNER], LEVELS[INNER])
    _, date = np.unique(forecast.ts, return_inverse=True)
    return float((np.bincount(date, weights=losses) / np.bincount(date)).mean())


def moved_by_the_future(task: Task) -> int:
    """Return how many forecasts of a finished cell change when every later row of its table is replaced.

    The stored model is asked twice, on tables of equal shape that agree up to the median instant of the rows.
    """
    _, _, inputs = _views(task)
    model = _stored(task)
    table = inputs.table
    instant = np.quantile(inputs.known_at, 0.5, method="lower")
    late = table.known_at > instant
    rng = generator(task.cell.seed, "forecaster", "poison")
    wild = rng.normal(size=(int(late.sum()), table.features.shape[1] + 1))
    features, returns = table.features.copy(), table.returns.copy()
    # far outside of what was seen: a scale that is a minimum or a maximum has to move as well
    reach = 10.0 * np.nan_to_num(np.abs(features)).max(axis=0, initial=0.0)
    features[late] = np.where(reach > 0, reach, 1.0) * wild[:, :-1]
    returns[late] = np.maximum(0.1 * wild[:, -1], -0.5)
    early = inputs.known_at <= instant
    poisoned = Inputs(replace(table, features=features, returns=returns), inputs.rows, inputs.horizon)
    set_all_seeds(task.cell.seed)
    before = model.predict(inputs)
    set_all_seeds(task.cell.seed)
    after = model.predict(poisoned)
    same = (before.quantiles == after.quantiles).all(axis=1) & (before.probabilities == after.probabilities).all(axis=1)
    return int((~same[early]).sum())


def moved_by_names(task: Task) -> int | None:
    """Return how many forecasts of a finished cell change with the names of the instruments, None where it routes.

    The stored model is asked for the same rows with the names permuted and with names that it has never seen.
    """
    _, _, inputs = _views(task)
    model = _stored(task)
    if model.routes:
        return None
    set_all_seeds(task.cell.seed)
    before = model.predict(inputs).quantiles
    names = inputs.table.instruments
    moved = np.zeros(len(inputs), dtype=np.bool_)
    for others in (names, tuple(f"UNSEEN{k:05d}" for k in range(len(names)))):
        set_all_seeds(task.cell.seed)
        after = model.predict(_renamed(inputs, others)).quantiles
        moved |= ~np.isclose(before, after, rtol=1e-9, atol=1e-12).all(axis=1)
    return int(moved.sum())


def _stored(task: Task) -> Forecaster:
    """Return the fitted model of a finished cell."""
    return load_model(Path(task.target) / "model", plugins=model_plugins(task.plugins))


def _renamed(inputs: Inputs, names: tuple[str, ...]) -> Inputs:
    """Return the inputs with the instruments in reverse order under the given ascending names."""
    table = inputs.table
    order = np.argsort(-table.code, kind="stable").astype(np.int64)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    turned = table.take(order)
    code = len(table.instruments) - 1 - turned.code
    return Inputs(replace(turned, code=code, instruments=names), place[inputs.rows], inputs.horizon)


def is_finished(folder: Path) -> bool:
    """Return whether a cell has its final name."""
    return (folder / "cell.json").is_file()


def read_result(folder: Path) -> CellResult:
    """Return what a finished cell recorded.

    Raises:
        DataError: the record cannot be read.
    """
    try:
        values = json.loads((folder / "cell.json").read_text(encoding="utf-8"))
        return CellResult(values["address"], values["forecast_hash"], float(values["seconds"]), tuple(values["notes"]))
    except (ValueError, KeyError, TypeError, OSError) as error:
        rule = "cell.json as it was written"
        raise DataError("cell", rule, rows=[folder.name], seen=str(error), fix=_remedy(folder)) from None


def read_forecast(folder: Path, expected: str) -> Forecast:
    """Return a finished cell's forecast.

    Raises:
        DataError: the file cannot be read, or its content is not what the cell recorded.
    """
    path = folder / "forecast.parquet"
    return Forecast.from_frame(stored_frame(path, expected, table=f"cell {folder.name}", fix=_remedy(folder)))


def _views(task: Task) -> tuple[Train, Valid, Inputs]:
    """Return what to fit on and what to forecast for: a selection fold's `Valid`, a test fold's `Test`, label-free."""
    prepared = load_prepared(task.dataset, task.horizons, task.splits)
    fold = prepared.folds[task.cell.horizon][task.cell.fold]
    train, valid, test = views(prepared.table, prepared.labels[task.cell.horizon], fold, task.cell.horizon)
    return train, valid, Inputs(valid.table, valid.rows, valid.horizon) if test is None else test.inputs()


def _remedy(folder: Path) -> str:
    return f"delete {folder} and run again"
