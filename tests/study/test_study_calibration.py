"""Forecasts of a study are calibrated on `Valid` only, used where that helps, kept, and reproduced."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from study_factory import World, small_study
from test_study_order import make_run

from karat.core import ConfigError, InputError, LeakageError, Ledger, content_hash
from karat.data import MEDIAN, Forecast, Permit, Valid
from karat.evidence.calibration import Calibrator, Pairs, QuantileCalibrator, pair
from karat.labels import views
from karat.study import RunResult, StudyConfig, reproduce, write_report
from karat.study._cells import run_cell
from karat.study._config import MapsConfig
from karat.study._context import Run
from karat.study._entries import open_tests
from karat.study._maps import Maps, learn, walk_forward
from karat.study._story import make_story

LONG: dict[str, Any] = {
    "data": {"source": "synthetic", "params": {"seed": 3, "n_days": 1200, "edge_sharpe": 3.0, "regimes": False}},
    "splits": {"test_frac": 0.45, "select_folds": 1, "test_folds": 2, "valid_bars": 300},
}
NARROW = {"models": [{"name": "toy_narrow"}], "plugins": ["toy_narrow"]}
BOTH = {"classes": "temperature", "quantiles": "conformal"}


def figures(result: RunResult, stage: str, model: str = "toy_narrow") -> dict[str, float]:
    """Return the figures of a model on Test."""
    rows = result.frame("calibration").filter(stage=stage, model=model)
    return dict(zip(rows["metric"], rows["value"]))


@pytest.mark.req("EVAL-18")
def test_figures_are_collected_for_every_model_of_every_run(finished: World) -> None:
    result = finished.latest()
    table = result.frame("calibration")
    assert set(table["stage"]) == {"raw"}
    assert table["value"].is_finite().all()
    counts = table.group_by("model").len()
    assert set(counts["model"]) == {*result.manifest["selection"]["valid_losses"]["1d"]}
    assert counts["len"].n_unique() == 1
    assert {"crps", "ece_top_label", "ece_class_wise", "pit_p", "coverage_0.9", "coverage_0.9_low"} <= {
        *table["metric"]
    }
    assert result.manifest["calibration"] == []
    assert result.manifest["maps"] == {}
    assert not (result.folder / "maps").exists()
    assert "maps" not in finished.entries("freeze")[0].payload
    figure = next(row for row in make_story(result).figures if row.metric == "coverage_0.9")
    assert figure.raw == figure.used
    assert figure.raw.low < figure.raw.value < figure.raw.high
    twin = write_report(result.folder)[1].read_text(encoding="utf-8")
    assert "ECE, class-wise" in twin
    assert "As they were used" not in twin


def test_reliability_of_quantiles_and_classes_has_exact_bands(finished: World) -> None:
    result = finished.latest()
    rows, frame = result.frame("reliability"), result.frame("forecast")
    lowest = rows.filter(kind="quantile").row(0, named=True)
    assert lowest["happened"] == float((frame["value"] <= frame["q0.01"]).mean())
    assert (rows["low"] <= rows["happened"]).all()
    assert (rows["happened"] <= rows["high"]).all()
    assert int(rows.filter(kind="class")["n"].sum()) == len(frame)
    story = make_story(result)
    assert story.calibration is not None
    assert len(story.calibration.coverage) == 23
    assert story.calibration.classes


@pytest.mark.req("MOD-35", "EVAL-18")
def test_a_forecaster_that_is_too_sure_is_calibrated_out_of_sample(quick: World, plugins: Path) -> None:
    result = quick.run(**LONG, **NARROW, calibration=BOTH)
    raw, used = figures(result, "raw"), figures(result, "calibrated")
    for name in ("crps", "quantile_error", "pit_distance", "ece_top_label", "ece_class_wise", "brier"):
        assert used[name] < raw[name], name
    assert raw["coverage_0.9"] < 0.7
    assert abs(used["coverage_0.9"] - 0.9) < abs(raw["coverage_0.9"] - 0.9) / 2
    mine = [row for row in result.manifest["calibration"] if row["model"] == "toy_narrow"]
    assert [(row["part"], row["method"]) for row in mine] == [("classes", "temperature"), ("quantiles", "conformal")]
    assert all(row["after"] < row["before"] for row in mine)
    assert {row["model"] for row in result.manifest["calibration"]} >= {"climatology", "buy_and_hold"}, "baselines too"
    folder = result.folder / "maps"
    assert (
        {path.name for path in folder.iterdir()}
        == {"1d-classes.json", "1d-quantiles.json"}
        == {*result.manifest["maps"]}
    )
    kept = Maps(Calibrator.load(folder / "1d-classes.json"), QuantileCalibrator.load(folder / "1d-quantiles.json"), 0)
    assert [row for _, row in kept.diagnoses()] == [row for _, row in Maps.load(folder, "1d", 0).diagnoses()]
    freeze = quick.entries("freeze")[0]
    assert len(freeze.payload["maps"]["1d"]) == 64
    assert freeze.seq < min(entry.seq for entry in quick.entries("open")), "learned before Test was opened"
    twin = write_report(result.folder)[1].read_text(encoding="utf-8")
    assert "As they were used" in twin
    assert "it helps on the later third" in twin
    assert reproduce(result, quick.place, progress=lambda *_: None).equal
    (folder / "1d-quantiles.json").write_text("{}", encoding="utf-8")
    outcome = reproduce(RunResult(result.folder), quick.place, progress=lambda *_: None)
    assert [row.what for row in outcome.rows if row.equal is False] == ["stored maps/1d-quantiles.json"]


@pytest.mark.req("MOD-35")
def test_too_few_rows_fall_back_to_the_raw_forecast_and_say_so(finished: World, quick: World) -> None:
    plain = finished.latest()
    result = quick.run(calibration=BOTH)
    assert result.run_id != plain.run_id
    assert result.manifest["cells"] == plain.manifest["cells"], "cells are shared: calibration comes after them"
    assert result.frame("forecast").equals(plain.frame("forecast"))
    assert result.frame("equity").equals(plain.frame("equity"))
    assert {row["method"] for row in result.manifest["calibration"]} == {"identity"}
    twin = write_report(result.folder)[1].read_text(encoding="utf-8")
    assert "100 rows; 225 are needed" in twin
    assert "100 rows; 150 are needed" in twin
    assert result.manifest["selection"]["trial"] != plain.manifest["selection"]["trial"], (
        "another choice, another trial"
    )
    assert result.manifest["selection"]["valid_losses"] == plain.manifest["selection"]["valid_losses"]


def test_a_plain_study_keeps_the_trial_id_it_had_before_there_was_calibration(world: World) -> None:
    with Ledger.open(world.place.ledger, role="research") as ledger:
        plan = make_run(world, ledger).plan
        same = make_run(world, ledger, calibration={"classes": "none"}).plan
        other = make_run(world, ledger, calibration={"classes": "platt"}).plan
    assert plan.candidates[0].trial == same.candidates[0].trial
    assert plan.candidates[0].trial != other.candidates[0].trial
    assert [cell.address for cell in plan.cells] == [cell.address for cell in other.cells]


def prepared_run(world: World, ledger: Ledger, **changes: Any) -> Run:
    """Return a study whose candidate has forecast Valid and Test."""
    run = make_run(world, ledger, **LONG, **changes)
    for cell in run.plan.cells:
        if cell.title == run.plan.candidates[0].title:
            run_cell(run.task(cell))
    open_tests(run)
    return run


@pytest.mark.req("MOD-35")
def test_a_calibrator_fitted_on_test_is_refused(world: World, plugins: Path) -> None:
    with Ledger.open(world.place.ledger, role="research") as ledger:
        run = prepared_run(world, ledger, **NARROW, calibration=BOTH)
        entrant, fold = run.plan.candidates[0], run.prepared.folds["1d"][1]
        _, _, test = views(run.prepared.table, run.prepared.labels["1d"], fold, "1d")
        assert test is not None
        raw = run._by_fold(entrant, "1d", "test")[42][1]
        with pytest.raises(InputError, match=r"valid: got 'Test'; .*Test would be spent"):
            pair(test, raw)  # type: ignore[arg-type]
        # The same rows dressed as a Valid view: the type cannot tell, the instants can.
        dressed = Valid(test.table, test.rows, test.horizon, test.open(Permit("run", "cell", "0" * 64)))
        cheat = learn(run.config.calibration, pair(dressed, raw))
        with pytest.raises(LeakageError, match="calibration depends on the future: it learned an outcome of"):
            cheat.calibrate(raw, None)
        honest = run.maps(entrant, "1d")
        assert honest is not None
        assert honest.learned_ns <= int(raw.known_at.min())
        found = run.averaged(entrant, "1d", "test")
        assert not np.array_equal(found.quantiles, run.raw(entrant, "1d", "test").quantiles)
        assert np.array_equal(found.quantiles[:, MEDIAN], run.raw(entrant, "1d", "test").quantiles[:, MEDIAN])
        assert np.array_equal(run.forecast(entrant, "1d", "test")[0][1].quantiles, found.quantiles), "one seed"


def test_on_valid_no_row_is_fitted_and_judged(world: World, plugins: Path) -> None:
    with Ledger.open(world.place.ledger, role="research") as ledger:
        run = prepared_run(world, ledger, **NARROW, calibration=BOTH)
        entrant = run.plan.candidates[0]
        raw, pairs = run.raw(entrant, "1d", "select"), run._pairs("1d", run._averaged_folds(entrant, "1d"))
        spec, found = run.config.calibration, run.averaged(entrant, "1d", "select")
    assert isinstance(found, Forecast)
    moved = (found.quantiles != raw.quantiles).any(axis=1)
    assert moved.any()
    assert not moved[:225].any(), "the first rows have nothing to learn from"
    cut = int(np.quantile(raw.known_at, 0.9, method="lower"))
    later = pairs.end_ns > cut
    wild = np.where(later, 0.5, pairs.value)
    changed = dataclasses.replace(pairs, value=wild, klass=np.where(later, 8, pairs.klass))
    again = walk_forward(spec, changed, raw, None)
    early = raw.known_at <= cut
    assert np.array_equal(again.quantiles[early], found.quantiles[early])
    assert np.array_equal(again.probabilities[early], found.probabilities[early])
    with pytest.raises(InputError, match="pairs: got '299 rows'; allowed: 300"):
        walk_forward(spec, pairs.take(slice(0, 299)), raw, None)
    _one_class(spec, pairs)


def _one_class(spec: MapsConfig, pairs: Pairs) -> None:
    """A period in which one class alone happened leaves the probabilities as they are."""
    flat = dataclasses.replace(pairs, klass=np.full(len(pairs), 4))
    maps = learn(spec, flat)
    assert maps.classes is not None
    assert np.array_equal(maps.classes.apply(flat.probabilities), flat.probabilities)


def test_maps_by_regime_use_what_was_known_the_day_before(world: World, plugins: Path) -> None:
    with Ledger.open(world.place.ledger, role="research") as ledger:
        run = prepared_run(world, ledger, **NARROW, calibration=BOTH | {"by_regime": "volatility"})
        maps = run.maps(run.plan.candidates[0], "1d")
    assert maps is not None
    assert {row.regime for _, row in maps.diagnoses()} >= {"", "calm", "turbulent"}


def test_settings_that_cannot_work_are_refused(quick: World) -> None:
    with pytest.raises(ConfigError, match=r"by_regime: got 'vix'; nothing is calibrated; set classes or quantiles"):
        StudyConfig.parse(small_study(calibration={"by_regime": "vix"}), source="test")
    with pytest.raises(ConfigError, match=r"calibration\.classes"):
        StudyConfig.parse(small_study(calibration={"classes": "isotonik"}), source="test")
    with pytest.raises(InputError, match=r"calibration.by_regime: got 'vix'; it reads vix; .*joins: \["):
        quick.run(calibration=BOTH | {"by_regime": "vix"})
    assert not quick.place.ledger.exists(), "refused before anything is recorded"


def test_what_was_calibrated_is_part_of_the_run_and_of_its_identity(finished: World) -> None:
    plain = StudyConfig.parse(small_study(), source="a")
    other = StudyConfig.parse(small_study(calibration={"quantiles": "conformal"}), source="a")
    assert content_hash(plain.identity()) != content_hash(other.identity())
    assert finished.latest().config["calibration"] == {"classes": "none", "quantiles": "none", "by_regime": "none"}
    assert pl.Series(finished.latest().frame("calibration")["model"]).n_unique() == 6
