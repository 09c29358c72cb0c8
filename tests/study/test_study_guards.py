"""`run_guards`: every guard holds on a clean study, and each room it looks at has a planted fault that it catches."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from study_factory import environment, small_study

import karat
from karat.core import InputError
from karat.evidence import Check
from karat.models import MODELS, Forecaster, create
from karat.nets import count_parameters
from karat.study import GUARDS, StudyConfig, _guards, run_guards, scan_for_static_ids, shipped_study
from karat.study import _guard_future as future
from karat.study._config import read_study
from karat.study._guard_data import split_problems
from karat.study._guard_ids import ALLOWED, ROOMS
from karat.study._guard_table import Bench

torch = pytest.importorskip("torch")


def config(**changes: Any) -> StudyConfig:
    return StudyConfig.parse(small_study(**changes), source="test")


def checks(name: str, **changes: Any) -> dict[str, Check]:
    """Return the checks of one guard on the small study with changes, by name."""
    (report,) = run_guards([name], config(**changes))
    return {check.name: check for check in report.checks}


@pytest.mark.req("EVAL-03", "EVAL-07", "PERF-19")
def test_every_guard_holds_on_a_clean_panel_and_takes_less_than_thirty_seconds() -> None:
    data = {"source": "synthetic", "params": {"seed": 3, "n_days": 1000, "edge_sharpe": 3.0, "n_instruments": 4}}
    names = [name for name in GUARDS if name != "determinism"]
    reports = list(run_guards(names, config(data=data, horizons=["1d", "week"])))
    assert [report.guard for report in reports] == names
    for report in reports:
        assert report.passed, report.to_dict()
        assert report.seconds < 30
    found = {check.name: check for report in reports for check in report.checks}
    for name in ("static ids", "static ids in source", "id-only probe", "label invariance week", "market invariance"):
        assert found[name].passed is True
    assert found["edge lost with shuffled labels"].passed is True
    assert found["market rules"].passed is None


@pytest.mark.req("EXP-03", "PERF-19")
def test_three_fresh_processes_agree_and_another_seed_differs(plugins: Path) -> None:
    (report,) = run_guards(["determinism"], config(models=[{"name": "toy_chance"}], plugins=["toy_chance"]))
    assert report.seconds < 30
    found = {check.name: check for check in report.checks}
    assert found["determinism"].passed
    assert found["determinism"].note.startswith("3 fresh processes, ")
    assert found["another seed"].passed


@pytest.mark.req("EXP-03")
def test_a_forecaster_that_is_never_the_same_twice_is_caught(plugins: Path) -> None:
    found = checks("determinism", models=[{"name": "toy_restless"}], plugins=["toy_restless"])
    assert found["determinism"].passed is False
    assert found["another seed"].note == "not evaluable: the forecaster is deterministic"


def test_a_label_that_reads_beyond_its_span(monkeypatch: pytest.MonkeyPatch) -> None:
    real = future.make_labels

    def longer(panel: Any, horizon: str) -> Any:
        """Five days of return under the span of one."""
        made, far = real(panel, horizon), real(panel, "5d")
        joined = made.frame.drop("value").join(far.frame.select("ts", "instrument", "value"), on=["ts", "instrument"])
        return dataclasses.replace(made, frame=joined.sort("instrument", "ts"))

    monkeypatch.setattr(future, "make_labels", longer)
    found = checks("future")
    assert found["label invariance 1d"].passed is False
    assert "when the rows after" in found["label invariance 1d"].note
    assert found["future invariance"].passed


def test_a_policy_that_scales_by_its_whole_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    real = future.to_positions

    def scaled(forecast: Any, spec: Any) -> Any:
        made = real(forecast, spec)
        frame = made.frame.with_columns(pl.col("weight") / (1e-9 + pl.col("weight").abs().max()))
        return dataclasses.replace(made, frame=frame)

    monkeypatch.setattr(future, "to_positions", scaled)
    found = checks("future")
    assert found["policy invariance"].passed is False
    assert found["label invariance 1d"].passed


def test_a_market_that_skips_the_trades_that_lose(monkeypatch: pytest.MonkeyPatch) -> None:
    real = future.simulate

    def generous(bars: Any, intents: Any, spec: Any) -> Any:
        rises = np.vstack([np.diff(bars.close, axis=0), np.zeros((1, bars.close.shape[1]))])
        moved = rises[np.searchsorted(bars.ts, intents.ts)]
        return real(bars, dataclasses.replace(intents, weights=intents.weights * (intents.weights * moved > 0)), spec)

    monkeypatch.setattr(future, "simulate", generous)
    assert checks("future")["market invariance"].passed is False


def test_rows_that_become_known_late_are_no_false_alarm(tmp_path: Path) -> None:
    made = karat.data.load("synthetic", seed=3, n_days=1000, edge_sharpe=3.0)
    frame = made.frame.with_columns(known_at=pl.col("ts") + 26 * 3_600_000_000_000)
    frame.write_parquet(tmp_path / "late.parquet")
    data = {"source": "parquet", "params": {"path": str(tmp_path / "late.parquet"), "licence": "own data"}}
    assert all(check.passed is not False for check in checks("future", data=data).values())


def test_train_that_lies_after_test_is_named() -> None:
    bench = Bench(config(), Path("unused"))
    labels = bench.prepared.labels["1d"]
    fold = next(fold for fold in bench.prepared.folds["1d"] if fold.test is not None)
    turned = dataclasses.replace(fold, train=fold.test, valid=fold.valid, test=fold.train)
    assert f"test fold 0: {len(fold.test) + len(fold.valid)} rows of train and valid ending after test begins" in (
        split_problems([turned], labels)
    )
    assert split_problems([fold], labels) == []


class Sized(MODELS["linear_quantile"]):  # type: ignore[name-defined, misc]
    """A model whose network has as many parameters as it is told."""

    name = "sized"
    size = 27_500_000

    def network(self, n_features: int) -> Any:
        module = torch.nn.Module()
        module.core = torch.nn.Embedding(self.size - n_features, 1, device="meta")
        module.head = torch.nn.Linear(n_features, 1, bias=False, device="meta")
        module.tied = module.head
        return module


@pytest.mark.req("MOD-03", "MOD-04")
@pytest.mark.parametrize(("size", "passed"), [(27_500_000, True), (27_500_001, False)])
def test_the_parameter_gate_stands_between_two_neighbours(
    size: int, passed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, "sized", Sized)
    monkeypatch.setattr(Sized, "size", size)
    (check,) = checks("params", models=[{"name": "sized"}]).values()
    assert (check.passed, check.value) == (passed, float(size))
    assert check.note == f"core {size - 3:,}, head 3"  # shared weights count once


@pytest.mark.req("MOD-03", "MOD-04")
def test_the_shipped_network_is_counted_as_by_hand() -> None:
    """p = 20 features, d = 32, 4 patches of 8 bars and one token of now, 2 blocks of width 64, 23 + 9 + 1 outputs."""
    found = checks("params", models=[{"name": "patch_transformer"}], features=["a20"])
    (check,) = found.values()
    assert check.passed
    network = create("patch_transformer").network(20)
    counts = count_parameters(network)
    assert sum(counts.values()) == sum(weight.numel() for weight in network.parameters()) == 24_265
    attention = 4 * 32 * 32 + 4 * 32
    assert counts["blocks"] == 2 * (attention + 2 * 32 * 64 + 64 + 32 + 4 * 32)
    assert counts["embed"] == 8 * 20 * 32 + 32
    assert counts["now"] == 20 * 32 + 32


def test_a_study_without_a_network_has_nothing_to_count() -> None:
    (check,) = checks("params").values()
    assert check.note == "not evaluable: no model of the study has a network"
    assert create("ewma").network(3) is None


@pytest.mark.req("EVAL-01")
def test_karat_s_own_rooms_are_clean_and_no_allowance_is_idle() -> None:
    sources = Path(karat.__file__).parent
    found = {f"{room}/{hit.where}::{hit.function}" for room in ROOMS for hit in scan_for_static_ids(sources / room)}
    files = {place.partition("::")[0] for place in found}
    assert {place for place in ALLOWED if place not in found | files} == set()
    assert {place for place in found if place not in ALLOWED and place.partition("::")[0] not in ALLOWED} == set()


@pytest.mark.req("EVAL-01")
def test_a_planted_line_in_a_code_base_is_found(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "features.py").write_text("def build(row):\n    return [row.close, row.puzzle_id]\n")
    (tmp_path / "logs.py").write_text("def say(log, row):\n    log.info('puzzle %s', row.puzzle_id)\n")
    assert [str(hit) for hit in scan_for_static_ids(tmp_path)] == ["inner/features.py:2 attribute: row.puzzle_id"]
    assert scan_for_static_ids(tmp_path, {"inner/features.py::build": "debugging"}) == []
    with pytest.raises(InputError, match="codebase_path: got .*; no such file or folder"):
        scan_for_static_ids(tmp_path / "gone")


@pytest.mark.req("EVAL-01")
def test_the_scanner_is_a_tool_that_fails_on_a_hit(tmp_path: Path) -> None:
    tool = Path(__file__).resolve().parents[2] / "tools" / "check_no_static_ids.py"
    (tmp_path / "a.py").write_text("x = row.puzzle_id\n")
    words = [sys.executable, str(tool), str(tmp_path)]
    found = subprocess.run(words, capture_output=True, text=True, env=environment(), check=False)
    assert (found.returncode, found.stdout) == (1, "a.py:1 attribute: row.puzzle_id\n1 hit\n"), found.stderr
    allowed = subprocess.run(
        [*words, "--allow", "a.py"], capture_output=True, text=True, env=environment(), check=False
    )
    assert (allowed.returncode, allowed.stdout) == (0, "0 hits\n")


@pytest.mark.req("EVAL-07")
@pytest.mark.parametrize(
    ("horizon", "bars", "years"), [("1d", "1d", 252.0), ("5d", "1d", 50.4), ("week", "week", 52.0)]
)
def test_shuffled_labels_are_annualised_by_the_span_of_a_label(
    horizon: str, bars: str, years: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five days of return are earned 50.4 times a year: by 252 a clean ratio would be read as 2.2 times itself."""
    seen = []
    for name in ("shuffled_label_sentinel", "shuffled_label_drop"):
        monkeypatch.setattr(
            _guards, name, lambda *_a, **terms: seen.append(terms["periods_per_year"]) or Check("", None, "", None)
        )
    data = {"source": "synthetic", "params": {"seed": 3, "n_days": 4000}, "bars": bars}
    splits = {"test_frac": 0.3, "select_folds": 1, "test_folds": 1, "valid_bars": 60}
    checks("labels", data=data, horizons=[horizon], primary_horizon=horizon, features=["ret_1"], splits=splits)
    assert seen == [pytest.approx(years)] * 2


def test_an_unknown_guard_is_named() -> None:
    with pytest.raises(InputError, match="guard: got 'splitz'; allowed: all, data, .*; did you mean 'splits'"):
        list(run_guards(["splitz"], config()))


@pytest.mark.parametrize("name", ["climatology", "garch_t", "arima"])
def test_models_that_route_say_so(name: str) -> None:
    assert MODELS[name].routes
    assert not Forecaster.routes


def test_a_model_that_routes_is_printed_and_the_others_do_not_move() -> None:
    panel = {"source": "synthetic", "params": {"seed": 3, "n_days": 600, "n_instruments": 3}}
    splits = {"test_frac": 0.2, "select_folds": 1, "test_folds": 1, "valid_bars": 80}
    routed = checks("forecaster", data=panel, splits=splits, models=[{"name": "arima"}])
    assert routed["forecaster identity"].passed is None
    for name in ("logistic", "linear_quantile", "lightgbm"):
        found = checks("forecaster", data=panel, splits=splits, models=[{"name": name}])
        assert found["forecaster identity"].passed, name
        assert found["forecaster invariance"].passed, name


@pytest.mark.req("MOD-04")
def test_the_shipped_quick_start_is_within_the_budget() -> None:
    (report,) = run_guards(["params"], read_study(shipped_study("quickstart")))
    assert report.passed
