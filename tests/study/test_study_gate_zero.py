"""Planted faults, end to end: each one makes the verdict invalid and is named in it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_factory import World, csv_data, prices

from karat.core import DataError, EnvironmentProblem
from karat.evidence import shuffled_label_sentinel
from karat.features import FEATURES, FeatureSpec
from karat.study import RunResult, _guards, _prepare, _score
from karat.study._guards import FreshProcess


def failed(result: RunResult) -> list[str]:
    """Return the checks of gate 0 that failed."""
    return [check["name"] for check in result.manifest["verdict"]["gates"][0]["checks"] if check["passed"] is False]


def tomorrow(columns: Any) -> np.ndarray:
    """Return the next bar's return: what nobody can know."""
    close = columns["close"]
    return np.append(close[1:] / close[:-1] - 1.0, 0.0)


def test_a_clean_study_passes(finished: World) -> None:
    result = finished.latest()
    assert failed(result) == []
    names = {check["name"] for check in result.manifest["verdict"]["gates"][0]["checks"]}
    assert names >= {
        "data quality",
        "future invariance",
        "purging",
        "shuffled labels",
        "reproducible",
        "forecaster invariance",
        "test dates",
        "independent horizons",
    }


def test_a_feature_that_reads_the_future(quick: World, monkeypatch: pytest.MonkeyPatch) -> None:
    leak = FeatureSpec("leak", ("close",), 0, "custom", "1", "tomorrow's return", "planted", tomorrow)
    monkeypatch.setitem(FEATURES, "leak", leak)
    result = quick.run(features=["ret_1", "leak"])
    assert result.verdict == "invalid"
    assert "future invariance" in failed(result)
    assert "future invariance" in result.manifest["verdict"]["reason"]


def test_a_forecaster_that_is_never_the_same_twice(quick: World, plugins: Path) -> None:
    result = quick.run(models=[{"name": "toy_restless"}], plugins=["toy_restless"])
    assert result.verdict == "invalid"
    assert "reproducible" in failed(result)
    assert "reproducible" in result.manifest["verdict"]["reason"]


def test_a_forecaster_that_looks_ahead_in_its_table(quick: World, plugins: Path) -> None:
    result = quick.run(models=[{"name": "toy_peeker"}], plugins=["toy_peeker"])
    assert result.verdict == "invalid"
    assert failed(result) == ["forecaster invariance"]


def test_folds_that_overlap(quick: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = _prepare._split

    def overlapping(labels: Any, splits: Any) -> Any:
        folds = real(labels, splits)
        first = folds[0]
        return [dataclasses.replace(first, train=np.append(first.train, first.valid[:3])), *folds[1:]]

    monkeypatch.setattr(_prepare, "_split", overlapping)
    result = quick.run()
    assert result.verdict == "invalid"
    assert failed(result) == ["purging"]


def test_scoring_that_holds_the_label(quick: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def gained(forecasts: np.ndarray, returns: np.ndarray) -> np.ndarray:
        return np.abs(forecasts * returns[:, None])

    def leaking(*arrays: Any, **settings: Any) -> Any:
        return shuffled_label_sentinel(*arrays, **(settings | {"score": gained}))

    monkeypatch.setattr(_guards, "shuffled_label_sentinel", leaking)
    result = quick.run()
    assert result.verdict == "invalid"
    assert failed(result) == ["shuffled labels"]


def test_too_few_dates(quick: World) -> None:
    splits = {"test_frac": 0.3, "select_folds": 1, "test_folds": 1, "valid_bars": 100}
    assert failed(quick.run(splits=splits)) == ["test dates"]


@pytest.mark.req("QUAL-01")
def test_data_that_failed_strict_validation_never_reaches_a_model(quick: World, tmp_path: Path) -> None:
    frame = prices()
    wrong = frame.with_columns(high=frame["low"] * 0.5)
    data = csv_data(tmp_path / "wrong.csv", wrong)
    with pytest.raises(DataError, match="high"):
        quick.run(data=data, features=["ret_1"])
    assert not (quick.root / "ledger.sqlite").exists()
    lenient = quick.run(data=data | {"validation": "lenient"}, features=["ret_1"])
    assert lenient.verdict == "invalid"
    assert "data quality" in failed(lenient)


def test_a_fresh_process_that_fails_says_why(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_guards, "_plain", lambda task: task)
    fresh = FreshProcess({"cell": {}}, "0" * 64, tmp_path / "scratch")  # type: ignore[arg-type]
    try:
        with pytest.raises(EnvironmentProblem, match=r"the fresh process failed: .*; the same command resumes"):
            fresh.checks()
    finally:
        fresh.stop()
        fresh.stop()


def test_a_fresh_process_is_ended_with_its_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_guards, "_plain", lambda task: task)
    fresh = FreshProcess({"cell": {}}, "0" * 64, tmp_path / "scratch")  # type: ignore[arg-type]
    fresh.stop()
    assert fresh._process.returncode == -9


def test_a_panel_is_judged_per_date(quick: World) -> None:
    data = {"source": "synthetic", "params": {"seed": 3, "n_days": 1000, "edge_sharpe": 3.0, "n_instruments": 3}}
    result = quick.run(data=data)
    assert failed(result) == []
    checks = {row["name"]: row["note"] for row in result.manifest["verdict"]["gates"][0]["checks"]}
    assert "annual gross Sharpe" in checks["shuffled labels"]


def test_a_mean_per_date_has_gaps_where_no_row_is() -> None:
    means = _score.date_means(np.array([1, 2, 3]), np.array([1, 1, 3]), np.array([2.0, 4.0, 5.0]))
    np.testing.assert_array_equal(means, [3.0, np.nan, 5.0])
