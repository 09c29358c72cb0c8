"""Planted faults, end to end: each one makes the verdict invalid and is named in it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from study_factory import World, csv_data, prices

from karat.core import DataError, EnvironmentProblem, InputError
from karat.evidence import shuffled_label_sentinel
from karat.features import FEATURES, FeatureSpec
from karat.labels import Fold, WalkForward
from karat.study import RunResult, _guards, _pipeline, _prepare, _score
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


def test_too_few_dates_are_refused_before_anything_is_recorded(quick: World) -> None:
    splits = {"test_frac": 0.3, "select_folds": 1, "test_folds": 1, "valid_bars": 100}
    message = (
        r"test dates: got 298; the tests do not keep their error rates on less; allowed: >= 500; 202 more dates would"
        r" be enough; load more data, or give Test more of it with splits.test_frac or test_start; Test was not opened"
    )
    with pytest.raises(InputError, match=message):
        quick.run(splits=splits)
    assert not quick.place.ledger.exists()


@pytest.mark.parametrize(
    ("close", "message"),
    [
        (
            lambda close: close * 0 + 100.0,
            "data: got 'one value'; every return over 1d is 0: a constant series has nothin",
        ),
        (
            lambda close: pl.Series(100.0 * 1.001 ** np.arange(len(close)) + 0.01 * np.sin(np.arange(len(close)))),
            "data: got 'one class'; every return over 1d lies from 0.0.* there is one class only; allowed: returns of"
            " two classes or more; two classes would be enough",
        ),
    ],
    ids=["constant", "one class"],
)
def test_prices_that_leave_nothing_to_forecast_are_refused(
    close: Any, message: str, quick: World, tmp_path: Path
) -> None:
    frame = prices()
    made = close(frame["close"])
    opens = made if made.n_unique() == 1 else made - 0.05
    flat = frame.with_columns(open=opens, low=opens, high=made, close=made)
    with pytest.raises(InputError, match=message):
        quick.run(data=csv_data(tmp_path / "flat.csv", flat))


def test_folds_that_test_a_row_twice_are_refused(quick: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Twice:
        def split(self, ts: np.ndarray, start_ns: np.ndarray, end_ns: np.ndarray) -> list[Fold]:
            (fold,) = WalkForward(0, 1, None, 0.55, valid_bars=100).split(ts, start_ns, end_ns)
            return [fold, dataclasses.replace(fold, index=1, test=fold.test[100:])]

    monkeypatch.setattr(_prepare, "plugged_splitter", lambda _name: Twice())
    monkeypatch.setattr(_pipeline, "check_names", lambda _config: None)
    message = (
        "splits.splitter: got 'twice'; its test folds 0 and 1 share 4[0-9][0-9] rows; allowed: folds that test a row"
    )
    with pytest.raises(InputError, match=message):
        quick.run(splits={"splitter": "twice"})


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
