"""The generalisation gap: Train against Test, relative to climatology, printed and never deciding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from study_factory import World

from karat.data import INNER, LEVELS
from karat.evidence import PRINTED
from karat.models import load_model
from karat.study import RunResult, _cells, _gap
from karat.study._gap import NAME, TARGET


def gap_of(result: RunResult) -> dict[str, Any]:
    checks = result.manifest["verdict"]["gates"][1]["checks"]
    return next(row for row in checks if row["name"] == NAME)


def plain_loss(task: _cells.Task) -> float:
    """The mean over dates of the mean pinball loss on Train, one row and level at a time."""
    train, _, _ = _cells._views(task)
    forecast = load_model(Path(task.target) / "model").predict(train)
    by_date: dict[int, list[float]] = {}
    for row, (ts, value) in enumerate(zip(forecast.ts.tolist(), train.labels.value.tolist(), strict=True)):
        parts = []
        for level, quantile in zip(LEVELS[INNER], forecast.quantiles[row, INNER], strict=True):
            parts.append(level * (value - quantile) if value >= quantile else (1 - level) * (quantile - value))
        by_date.setdefault(ts, []).append(float(np.mean(parts)))
    return float(np.mean([np.mean(losses) for losses in by_date.values()]))


@pytest.mark.req("EVAL-06")
def test_a_study_prints_its_gap_against_the_target(quick: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[float]] = {}

    def remembered(task: _cells.Task) -> float:
        found = _cells.loss_on_train(task)
        assert found == pytest.approx(plain_loss(task), rel=1e-9)
        seen.setdefault(task.cell.title, []).append(found)
        return found

    monkeypatch.setattr(_gap, "loss_on_train", remembered)
    result = quick.run()
    row, chosen = gap_of(result), result.manifest["selection"]["selected"]
    assert (row["threshold"], row["passed"]) == (PRINTED, None)
    scores = result.metrics.filter((pl.col("scope") == "pooled") & (pl.col("metric") == "pinball"))
    loss = dict(scores.select("model", "value").iter_rows())
    train = np.mean(seen[chosen]) / np.mean(seen["climatology"])
    assert len(seen[chosen]) == len(seen["climatology"]) == 2  # test folds
    assert row["value"] == pytest.approx(loss[chosen] / loss["climatology"] / train - 1.0)
    assert ("not below" in row["note"]) == (row["value"] >= TARGET)


@pytest.mark.req("EVAL-06")
def test_a_model_that_remembers_train_misses_the_target(quick: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(task: _cells.Task) -> float:
        return _cells.loss_on_train(task) * (0.5 if task.cell.title == "linear_quantile" else 1.0)

    monkeypatch.setattr(_gap, "loss_on_train", half)
    row = gap_of(quick.run())
    assert row["value"] > 0.8
    assert row["note"].endswith("not below the target of 10%")
