"""`karat reproduce`: equal hashes where nothing changed, the name of what differs where something did."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import Result
from study_factory import World, csv_data, edit_json, prices
from typer.testing import CliRunner

from karat.cli._app import app
from karat.core import DataError, InputError, Interrupted, Ledger
from karat.study import Reproduction, RunResult, Workspace, _cells, _pipeline, _plan, _reproduce, reproduce


def again(world: World, result: RunResult) -> Reproduction:
    """Reproduce a run, read from disk anew."""
    return reproduce(RunResult(result.folder), world.place, progress=lambda *_: None)


def differing(outcome: Reproduction) -> list[str]:
    """Return what differs."""
    return [row.what for row in outcome.rows if row.equal is False]


def said(world: World, *words: str) -> Result:
    """Run a verb of the command in this process."""
    return CliRunner().invoke(app, [*words, "--workspace", str(world.root)])


@pytest.mark.req("EXP-05", "EXP-21", "EXP-03")
def test_an_untouched_run_is_reproduced_and_counts_nothing(finished: World) -> None:
    result = finished.latest()
    before = finished.kinds()
    outcome = said(finished, "reproduce", "latest")
    assert outcome.exit_code == 0, outcome.output
    assert "reproduced: every hash is equal" in outcome.stdout
    assert result.manifest["results"]["scores"][:16] in outcome.stdout
    after = finished.kinds()
    assert after == before | {"reproduce": 1}
    assert finished.entries("reproduce")[0].payload == {"run_id": result.run_id, "equal": True, "differing": []}
    assert not list((finished.root / "scratch").iterdir())
    assert finished.verify()


@pytest.mark.req("EXP-05")
def test_a_run_on_slower_bars_is_reproduced(quick: World) -> None:
    data = {"source": "synthetic", "params": {"seed": 3, "n_days": 2000, "edge_sharpe": 3.0}, "bars": "2d"}
    result = quick.run(data=data)
    assert (result.manifest["bars_per_year"], result.config["policy"]["bars_per_year"]) == (126.0, 252.0)
    assert "bars_per_year" not in result.study.policy.model_fields_set, "252 was a default that the bars replaced"
    assert differing(again(quick, result)) == []
    edit_json(result.folder / "run.json", lambda run: run.update(bars_per_year=252.0))
    assert RunResult(result.folder).study.policy.model_fields_set >= {"bars_per_year"}, "it was set"


def test_json_says_the_same(finished: World) -> None:
    result = finished.latest()
    outcome = said(finished, "reproduce", result.run_id[:6], "--json")
    facts = json.loads(outcome.stdout)
    assert (facts["equal"], facts["run_id"]) == (True, result.run_id)
    assert {"what", "recorded", "found", "equal"} == set(facts["comparisons"][0])


def test_a_run_is_reproduced_with_the_history_it_had(finished: World) -> None:
    first = finished.latest()
    finished.run(models=[{"name": "linear_quantile"}, {"name": "climatology", "params": {"min_rows": 100}}])
    assert again(finished, first).equal


@pytest.mark.req("EXP-05")
def test_one_byte_of_the_data_is_noticed(quick: World, tmp_path: Path) -> None:
    data = csv_data(tmp_path / "prices.csv", prices())
    result = quick.run(data=data, features=["ret_1", "ret_5"])
    path = tmp_path / "prices.csv"
    text = path.read_bytes()
    place = text.rindex(b",", 0, text.rindex(b",") - 1) - 1  # the last digit of a late volume
    digit = b"1" if text[place : place + 1] != b"1" else b"2"
    path.write_bytes(text[:place] + digit + text[place + 1 :])
    outcome = said(quick, "reproduce", result.run_id)
    assert outcome.exit_code == 1, outcome.output
    row = next(line for line in outcome.stdout.splitlines() if line.startswith("data "))
    assert "DIFFERENT" in row
    assert "NOT reproduced" in outcome.stdout
    assert "forecasts" not in outcome.stdout, "it stops at the first stage that differs"
    assert quick.entries("reproduce")[0].payload["differing"] == ["data", "data provenance"]


def test_a_byte_that_changes_no_value_is_noticed_too(quick: World, tmp_path: Path) -> None:
    data = csv_data(tmp_path / "prices.csv", prices())
    result = quick.run(data=data, features=["ret_1", "ret_5"])
    path = tmp_path / "prices.csv"
    path.write_bytes(path.read_bytes().rstrip(b"\n") + b"0\n")
    assert differing(again(quick, result)) == ["data provenance"]


@pytest.mark.req("EXP-05")
@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda values: values["config"].update(seed=7), "configuration seed"),
        (
            lambda values: values["config"]["market"].update(proportional_bps=0.0),
            "configuration market.proportional_bps",
        ),
        (lambda values: values["config"].update(description="words"), "configuration description"),
        (lambda values: values["config"]["data"]["params"].update(seed=9), "configuration data.params.seed"),
        (lambda values: values["config"].pop("golden"), "configuration golden"),
    ],
)
def test_an_edited_configuration_is_named_by_its_key(finished: World, edit: Callable[[Any], None], named: str) -> None:
    result = finished.latest()
    edit_json(result.folder / "run.json", edit)
    outcome = said(finished, "reproduce", result.run_id)
    assert outcome.exit_code == 1, outcome.output
    assert named in outcome.stdout
    assert "DIFFERENT" in outcome.stdout


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda values: values["verdict"].update(outcome="rejected"), "run.json verdict"),
        (lambda values: values["history"]["trials"].clear(), "run.json history"),
        (lambda values: values["results"].update(scores="0" * 64), "run.json results"),
        (lambda values: values["selection"].update(selected="another"), "run.json selection"),
        (lambda values: values["cells"].update({next(iter(values["cells"])): "0" * 64}), "run.json cells"),
    ],
)
def test_edited_results_are_named_by_their_section(finished: World, edit: Callable[[Any], None], named: str) -> None:
    result = finished.latest()
    edit_json(result.folder / "run.json", edit)
    assert differing(again(finished, result)) == [named]


def test_a_changed_result_table_is_noticed(finished: World) -> None:
    result = finished.latest()
    path = result.folder / "results" / "equity.parquet"
    pl.read_parquet(path).with_columns(pl.col("selected") * 2).write_parquet(path)
    assert differing(again(finished, result)) == ["stored results/equity"]
    path.unlink()
    assert differing(again(finished, result)) == ["stored results/equity"]


def test_a_changed_cell_is_noticed(finished: World) -> None:
    result = finished.latest()
    address = next(iter(result.manifest["cells"]))
    path = finished.place.cells / address / "forecast.parquet"
    pl.read_parquet(path).with_columns(pl.col("q0.5") + 1e-12).write_parquet(path)
    assert differing(again(finished, result)) == [f"stored cell {address}"]


def test_cells_that_were_cleaned_away_do_not_decide(finished: World) -> None:
    result = finished.latest()
    shutil.rmtree(finished.place.cells)
    outcome = again(finished, result)
    assert outcome.equal
    row = next(row for row in outcome.rows if row.what == "stored cells")
    assert (row.found, row.equal) == ("0 present, all as recorded", None)


def test_a_lost_series_of_the_family_is_named(finished: World) -> None:
    first = finished.latest()
    second = finished.run(seed=7)
    (trial,) = first.manifest["history"]["trials"]
    (finished.place.series / trial["series"]).unlink()
    assert again(finished, second).equal or differing(again(finished, second)) == [
        f"series of trial {trial['id'][:12]}"
    ]
    assert differing(again(finished, first)) == [f"series of trial {trial['id'][:12]}"]


def test_other_code_is_told_and_does_not_decide(finished: World, monkeypatch: pytest.MonkeyPatch) -> None:
    result = finished.latest()
    real = _plan.code_of

    def other(config: Any) -> dict[str, Any]:
        code = real(config)
        return code | {"sources": "0" * 64, "versions": code["versions"] | {"polars": "0.1"}}

    monkeypatch.setattr(_reproduce, "code_of", other)
    outcome = again(finished, result)
    assert outcome.equal
    marks = {row.what: row.equal for row in outcome.rows}
    assert marks["sources"] is None
    assert marks["version of polars"] is None


def test_a_run_that_the_ledger_does_not_know_is_refused(finished: World) -> None:
    result = finished.latest()
    edit_json(result.folder / "run.json", lambda values: values.update(run_id="0" * 16))
    outcome = again(finished, result)
    assert (outcome.equal, differing(outcome)) == (False, ["run"])


def test_an_interrupted_reproduction_leaves_nothing(finished: World, monkeypatch: pytest.MonkeyPatch) -> None:
    result = finished.latest()

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_pipeline, "record_study", stop)
        with pytest.raises(Interrupted, match=f"karat reproduce {result.run_id}"):
            again(finished, result)
    assert not list((finished.root / "scratch").iterdir())
    assert "reproduce" not in finished.kinds()


@pytest.mark.req("DATA-11")
def test_prepared_folders_are_made_anew_from_the_source(finished: World) -> None:
    first = finished.latest()
    before = dict(first.manifest["results"])
    for name in ("prepared", "cells", "runs"):
        shutil.rmtree(finished.root / name)
    again_run = finished.run()
    assert dict(again_run.manifest["results"]) == before
    assert finished.kinds()["cell"] == len(again_run.manifest["cells"])


def test_a_cell_that_comes_out_otherwise_is_refused(finished: World) -> None:
    result = finished.latest()
    shutil.rmtree(finished.place.cells)
    with Ledger.open(finished.place.ledger, role="research") as ledger:
        entry = next(ledger.entries("cell"))
    real = _cells.content_hash

    def other(value: Any) -> str:
        return real(["changed", value]) if isinstance(value, pl.DataFrame) else real(value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_cells, "content_hash", other)
        with pytest.raises(DataError, match="a cell computed again gives the recorded forecast") as caught:
            finished.run()
    assert "make climatology deterministic" in str(caught.value)
    assert entry.payload["forecast"] in result.manifest["cells"].values()


def test_runs_are_found_by_id_beginning_or_latest(quick: World) -> None:
    place = Workspace.at(quick.root)
    with pytest.raises(InputError, match="make one with karat run"):
        place.run("latest")
    first, second = quick.run(), quick.run(seed=7)
    assert place.run("latest") == second.folder
    assert place.run(first.run_id[:8]) == first.folder
    with pytest.raises(InputError, match="no such run in this workspace"):
        place.run("zzzz")
    shutil.copytree(first.folder, place.runs / (first.run_id + "x"))
    assert place.run(first.run_id) == first.folder
    with pytest.raises(InputError, match="more than one run begins so"):
        place.run(first.run_id[:8])
