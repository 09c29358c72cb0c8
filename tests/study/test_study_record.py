"""run.json: everything needed to repeat a run; what it stood on; the tables beside it."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from study_factory import World, csv_data, edit_json, prices, small_study, trials_of, write_study

import karat
from karat.core import ConfigError, DataError, InputError, Interrupted
from karat.data import Catalog
from karat.study import (
    RunResult,
    StudyConfig,
    Workspace,
    _environment,
    _pipeline,
    shipped_study,
    write_report,
)
from karat.study._environment import environment, git_state, lock_drift


@pytest.mark.req("EXP-05", "EXP-02")
def test_every_default_is_written_back(finished: World) -> None:
    config = finished.latest().config
    assert config == StudyConfig.parse(small_study(), source="x").model_dump(mode="json")
    assert (config["seed"], config["market"]["proportional_bps"], config["verdict"]["alpha"]) == (42, 1.0, 0.05)
    assert StudyConfig.parse(config, source="run.json").model_dump(mode="json") == config


@pytest.mark.req("EXP-07", "EXP-09")
def test_what_a_run_stood_on_is_recorded(finished: World) -> None:
    manifest = finished.latest().manifest
    facts = manifest["environment"]
    assert len(facts["lock"]) == 64
    assert len(facts["sources"]) == 64
    assert isinstance(facts["lock_drift"], list)
    assert {"python", "karat", "polars", "numpy", "torch"} <= set(facts["versions"])
    assert all(facts["versions"].values())
    assert all(facts["hardware"][name] for name in ("machine", "processor", "cores", "memory_gib", "gpu"))
    assert facts["git"]["commit"]
    assert facts["git"]["dirty"] in (True, False, "unknown")
    assert facts["system"]
    assert facts["argv"]
    assert manifest["code"]["versions"] == facts["versions"]
    for section in ("data", "features", "folds", "selection", "history", "costs", "declaration", "record"):
        assert manifest[section], section
    assert manifest["data"]["provenance"]["licence"]
    json.dumps(manifest, allow_nan=False)


@pytest.mark.req("EXP-09")
def test_drift_from_the_lock_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "constraints.txt"
    versions = _environment.versions()
    lock.write_text(
        f"# the lock\nPolars==0.1.0  # old\nnumpy=={versions['numpy']}\nnot-installed==1\nplain\n", encoding="utf-8"
    )
    monkeypatch.setattr(_environment, "lock_file", lambda: lock)
    assert lock_drift() == [f"polars: locked 0.1.0, installed {versions['polars']}"]
    assert environment()["lock_drift"] == lock_drift()
    monkeypatch.setattr(_environment, "lock_file", lambda: None)
    assert lock_drift() == ["constraints.txt is missing"]
    assert environment()["lock"] == "unknown"


def test_the_lock_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _environment.lock_file() is not None
    monkeypatch.setattr(_environment, "_ROOT", tmp_path / "a" / "b")
    assert _environment.lock_file() is None


@pytest.mark.req("EXP-07")
def test_a_dirty_tree_is_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: dict[str, str | None] = {"ls-files": "__init__.py", "rev-parse": "a" * 40, "status": " M file"}
    monkeypatch.setattr(_environment, "_git", lambda *words: answers[words[0]])
    ask = git_state.__wrapped__
    assert ask() == {"commit": "a" * 40, "dirty": True}
    answers["status"] = ""
    assert ask() == {"commit": "a" * 40, "dirty": False}
    answers["ls-files"] = None
    assert ask() == {"commit": "unknown", "dirty": "unknown"}, "the checkout of somebody else says nothing of karat"


def test_git_that_is_absent_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: Any, **__: Any) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(_environment.subprocess, "run", absent)
    assert _environment._git("status") is None
    assert git_state.__wrapped__()["commit"] == "unknown"


def test_hardware_that_cannot_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_environment, "Path", lambda *_: tmp_path / "absent")
    monkeypatch.setattr(_environment.platform, "processor", lambda: "")
    assert _environment._processor() == "unknown"
    monkeypatch.delitem(_environment.sys.modules, "torch", raising=False)
    assert _environment._gpu() == "none"


class FakeCuda:
    """A torch that sees a GPU."""

    class cuda:  # the name is torch's
        """Its CUDA half."""

        @staticmethod
        def is_available() -> bool:
            """There is one."""
            return True

        @staticmethod
        def get_device_name(_index: int) -> str:
            """Its name."""
            return "Fake 9000"

    class version:  # the name is torch's
        """Versions."""

        cuda = "13.0"


def test_a_gpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_environment.sys.modules, "torch", FakeCuda)  # type: ignore[arg-type]
    assert _environment._gpu() == {"name": "Fake 9000", "cuda": "13.0"}


@pytest.mark.req("EXP-06", "EVAL-16")
def test_five_seeds_are_five_cells_a_fold_and_one_trial(quick: World, plugins: Path) -> None:
    result = quick.run(models=[{"name": "toy_chance"}], plugins=["toy_chance"], seeds=5, golden=True)
    seeds = result.frame("seeds")
    assert seeds["seed"].to_list() == [42, 43, 44, 45, 46]
    assert seeds["sharpe"].n_unique() == 5
    assert trials_of(result) == 1
    drawn = [entry.payload["seed"] for entry in quick.entries("cell") if entry.payload["model"] == "toy_chance"]
    assert sorted(drawn) == sorted([42, 43, 44, 45, 46] * 3)
    check = result.manifest["verdict"]["gates"][3]["checks"]
    assert any("median seed" in row["name"] and row["value"] is not None for row in check)


@pytest.mark.req("EVAL-19")
def test_scores_by_instrument_pooled_and_macro(quick: World, tmp_path: Path) -> None:
    long, short = prices(), prices(seed=9).head(700)
    frame = pl.concat(
        [long.with_columns(instrument=pl.lit("AAA.XNYS")), short.with_columns(instrument=pl.lit("BBB.XNYS"))]
    )
    source = {"source": "frame", "params": {"frame": frame, "licence": "own data"}}
    result = quick.run(data=source, features=["ret_1", "ret_5"], horizons=["1d", "2d"])
    scores = result.metrics.filter(pl.col("metric") == "pinball")
    assert set(scores["scope"]) == {"pooled", "macro", "AAA.XNYS", "BBB.XNYS"}
    for (_, _), part in scores.group_by("model", "horizon"):
        rows = {row["scope"]: row for row in part.iter_rows(named=True)}
        parts = [rows["AAA.XNYS"], rows["BBB.XNYS"]]
        assert sum(row["n"] for row in parts) == rows["pooled"]["n"] == rows["macro"]["n"]
        assert rows["macro"]["value"] == pytest.approx(np.mean([row["value"] for row in parts]))
        assert rows["pooled"]["low"] < rows["pooled"]["value"] < rows["pooled"]["high"]
        assert rows["macro"]["low"] is None
    one = scores.filter((pl.col("model") == "ewma") & (pl.col("horizon") == "1d"))
    values = dict(zip(one["scope"], one["value"]))
    assert not math.isclose(values["pooled"], values["macro"], rel_tol=1e-6), "dates alike is not instruments alike"
    assert result.frame("by_date")["horizon"].unique().sort().to_list() == ["1d", "2d"]


def test_a_single_instrument_has_no_strata(finished: World) -> None:
    assert finished.latest().metrics["scope"].unique().to_list() == ["pooled"]


def test_tables_are_read_back_only_as_they_were_written(finished: World) -> None:
    result = finished.latest()
    assert set(result.metrics["role"]) == {"baseline", "selected"}
    assert set(result.trades.columns) >= {"ts", "instrument"}
    assert result.equity.columns[0] == "ts"
    with pytest.raises(InputError, match=r"table: got 'equities'; allowed: .*did you mean 'equity'"):
        result.frame("equities")
    path = result.folder / "results" / "equity.parquet"
    pl.read_parquet(path).with_columns(pl.col("net") * 2).write_parquet(path)
    with pytest.raises(DataError, match="content equals its recorded hash"):
        result.frame("equity")
    with pytest.raises(DataError, match="results/equity"):
        write_report(result.folder)


@pytest.mark.parametrize(("text", "rule"), [("{", "readable JSON"), ("{}", "every section is there")])
def test_a_broken_record_is_refused(tmp_path: Path, text: str, rule: str) -> None:
    (tmp_path / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=rule):
        _ = RunResult(tmp_path).run_id
    with pytest.raises(DataError, match=r"run.json: got .\[Errno 2\] .*; rule 'readable JSON'"):
        _ = RunResult(tmp_path / "absent").run_id


def test_notebooks_show_text_not_markup(finished: World) -> None:
    result = finished.latest()

    def edit(values: Any) -> None:
        values["verdict"]["reason"] = "<script>alert(1)</script>"
        values["verdict"]["gates"][0]["reason"] = "a < b & c"

    edit_json(result.folder / "run.json", edit)
    page = RunResult(result.folder)._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "a &lt; b &amp; c" in page
    assert "passed" in page


def test_run_takes_a_path_a_mapping_or_a_configuration(quick: World, tmp_path: Path) -> None:
    values = small_study()
    path = write_study(tmp_path / "study.yaml", values)
    config = StudyConfig.parse(values, source="x")
    found = [karat.run(study, workspace=quick.root).run_id for study in (str(path), path, values, config)]
    assert len(set(found)) == 1
    assert karat.run(path, workspace=str(quick.root)).folder.parent == Workspace.at(quick.root).runs
    with pytest.raises(InputError, match="no such file"):
        karat.run(tmp_path / "absent.yaml", workspace=quick.root)
    with pytest.raises(ConfigError, match="unknown key"):
        karat.run(values | {"modls": []}, workspace=quick.root)
    with pytest.raises(InputError, match=r"study: got 'DataFrame'; allowed: a study file, .*'source': 'frame'"):
        karat.run(pl.DataFrame({"close": [1.0]}), workspace=quick.root)  # type: ignore[arg-type]


def test_to_dict_is_what_the_command_prints(finished: World) -> None:
    facts = finished.latest().to_dict()
    assert {"verdict", "gates", "trials", "report", "run_id"} <= set(facts)
    assert facts["report"].endswith("report.html")


@pytest.mark.parametrize("kind", ["polars", "pandas", "mapping"])
def test_a_table_in_memory_can_be_run_and_repeated(quick: World, kind: str) -> None:
    from karat.study import reproduce

    frame = prices()
    given: Any = {"polars": frame, "pandas": _pandas(frame), "mapping": frame.to_dict(as_series=False)}[kind]
    params = {"frame": given, "instrument": "ABC.XNYS", "licence": "own data", "origin": "a notebook"}
    result = quick.run(data={"source": "frame", "params": params}, features=["ret_1"])
    assert result.config["data"]["source"] == "parquet"
    assert result.manifest["data"]["provenance"]["licence"] == "own data"
    assert "a notebook" in result.manifest["data"]["provenance"]["origin"]
    assert reproduce(result, quick.place, progress=lambda *_: None).equal
    again = quick.run(data={"source": "frame", "params": params}, features=["ret_1"])
    assert again.run_id == result.run_id
    assert len(list((quick.root / "inputs").glob("*.parquet"))) == 1


def _pandas(frame: pl.DataFrame) -> pd.DataFrame:
    columns = {name: frame[name].to_numpy() for name in frame.columns if name != "date"}
    return pd.DataFrame({"date": [str(day) for day in frame["date"].to_list()], **columns})


def test_what_run_json_cannot_hold_is_refused(quick: World) -> None:
    with pytest.raises(InputError, match=r"run\.json cannot hold it; give numbers, text"):
        quick.run(data={"source": "synthetic", "params": {"seed": object()}})
    with pytest.raises(InputError, match="every dataset states its licence"):
        quick.run(data={"source": "frame", "params": {"frame": prices()}})
    assert not list((quick.root / "inputs").glob("*")) if (quick.root / "inputs").exists() else True


@pytest.mark.parametrize(("name", "stored"), [("my-study", "my_study"), ("2nd", "study_2nd"), ("plain", "plain")])
def test_the_catalog_holds_the_panel_whatever_the_study_is_called(quick: World, name: str, stored: str) -> None:
    result = quick.run(name=name)
    (entry,) = Catalog(quick.place.catalog).entries()
    assert (entry.name, entry.content) == (stored, result.manifest["data"]["content_hash"])
    assert len(_pipeline._dataset_name("9" * 64)) <= 63


def test_baselines_alone_are_no_study(quick: World) -> None:
    with pytest.raises(InputError, match="these baselines run in every study; name a candidate to test"):
        quick.run(models=[{"name": "ewma"}])


def test_joins_bars_and_dates(quick: World, tmp_path: Path) -> None:
    data = csv_data(tmp_path / "a.csv", prices()) | {"start": dt.date(2005, 2, 1), "end": "2008-11-28"}
    other = csv_data(tmp_path / "b.csv", prices(seed=9), "OTHER.XNYS")
    join = {"source": "csv", "params": other["params"], "column": "close", "name": "rival"}
    result = quick.run(data=data, joins=[join], features=["ret_1"])
    assert result.manifest["data"]["first_ns"] >= 1_107_216_000_000_000_000
    with pytest.raises(InputError, match=r"joins\.0\.column: got 'clsoe'; .*allowed: .*did you mean 'close'"):
        quick.run(data=data, joins=[join | {"column": "clsoe"}], features=["ret_1"])
    with pytest.raises(InputError, match="no data there"):
        quick.run(data=data | {"start": "2090-01-01", "end": None}, features=["ret_1"])


def test_bars_per_year_follow_calendar_and_bars(finished: World, quick: World) -> None:
    assert finished.latest().manifest["bars_per_year"] == 252.0
    stated = quick.run(policy={"bars_per_year": 260})
    assert stated.manifest["bars_per_year"] == 260.0


def test_ctrl_c_before_the_first_cell_says_how_to_go_on(quick: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_config: StudyConfig) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_pipeline, "prepare_dataset", stop)
    with pytest.raises(Interrupted, match="resume with: karat run"):
        quick.run()


def test_shipped_studies_are_found() -> None:
    assert shipped_study("quickstart").name == "quickstart.yaml"
    with pytest.raises(InputError, match="it does not ship with this installation"):
        shipped_study("nothing")


def test_a_workspace_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="it is a file; name a folder"):
        Workspace.at(tmp_path / "file")
    monkeypatch.setenv("KARAT_WORKSPACE", str(tmp_path / "here"))
    assert Workspace.at().root == tmp_path / "here"
    monkeypatch.delenv("KARAT_WORKSPACE")
    monkeypatch.chdir(tmp_path)
    assert Workspace.at().root == tmp_path / "workspace"
