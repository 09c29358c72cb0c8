"""Reports of folders that another version of karat wrote: rendered, or refused by what they lack."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from study_factory import World, command, edit_json

import karat
from karat.core import ConfigError, DataError, content_hash
from karat.study import RunResult, write_report
from karat.study._written import RUN, TABLES, Record, Shape, make_anew

CALIBRATED = {"classes": "temperature", "quantiles": "conformal"}


@pytest.fixture
def folder(quick: World, tmp_path: Path) -> Path:
    """A copy of a calibrated run's folder."""
    quick.first(calibration=CALIBRATED)
    return Path(shutil.copytree(quick.latest().folder, tmp_path / "old"))


def pruned(shape: Shape, value: Any) -> Any:
    """Return the part of a value that a shape names."""
    if isinstance(shape, list):
        return [pruned(shape[0], row) for row in value]
    if shape is None:
        return value
    inner = {**dict.fromkeys(shape.known), **shape.inner} if isinstance(shape, Record) else shape
    return {name: pruned(below, value[name]) for name, below in inner.items() if name in value}


def paths(shape: Shape, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every key that a shape cannot do without, from above."""
    if isinstance(shape, list):
        yield from paths(shape[0], (*at, "[]"))
    elif shape is not None:
        inner = shape.inner if isinstance(shape, Record) else shape
        names = [name for name, free in shape.known.items() if not free] if isinstance(shape, Record) else list(inner)
        for name in names:
            yield (*at, name)
        for name, below in inner.items():
            yield from paths(below, (*at, name))


def without(value: Any, path: tuple[str, ...]) -> None:
    """Take a key away in place, in every row of a list."""
    first, *rest = path
    if first == "[]":
        for row in value:
            without(row, tuple(rest))
    elif rest:
        without(value[first], tuple(rest))
    else:
        del value[first]


def rewrite(folder: Path, table: str, frame: pl.DataFrame) -> None:
    """Replace a result table and its hash."""
    frame.write_parquet(folder / "results" / f"{table}.parquet")
    edit_json(folder / "run.json", lambda run: run["results"].update({table: content_hash(frame)}))


def test_1_a_report_reads_nothing_but_what_is_declared(folder: Path) -> None:
    result = RunResult(folder)
    for table, columns in TABLES.items():
        rewrite(folder, table, result.frame(table).select(columns) if columns else result.frame(table))
    whole = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    few = pruned(RUN, whole) | {name: whole[name] for name in ("code", "cells")}  # sections of every run.json
    few["results"] = {name: digest for name, digest in whole["results"].items() if name in TABLES}
    (folder / "run.json").write_text(json.dumps(few), encoding="utf-8")
    page, twin = write_report(folder)
    assert page.stat().st_size > 10_000
    assert result.run_id in twin.read_text(encoding="utf-8")


def test_2_every_key_that_is_lacking_is_named(folder: Path) -> None:
    whole = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    needed = list(paths(RUN))
    assert len(needed) > 60
    for path in needed:
        if path[:3] == ("data", "findings", "[]") and not whole["data"]["findings"]:
            continue  # nothing was found in these data
        old = copy.deepcopy(whole)
        without(old, path)
        (folder / "run.json").write_text(json.dumps(old), encoding="utf-8")
        name = re.escape(".".join(path).replace(".[]", "[]"))
        with pytest.raises(DataError, match=rf"run\.json: got 'a run of karat .*{name}.*karat run "):
            write_report(folder)


def test_2_tables_columns_and_losses_that_are_lacking_are_named(folder: Path) -> None:
    result = RunResult(folder)
    scores, equity = result.frame("scores"), result.frame("equity")
    edit_json(folder / "run.json", lambda run: [run["results"].pop(name) for name in ("calibration", "reliability")])
    rewrite(folder, "equity", equity.drop("hold_net"))
    rewrite(folder, "scores", scores.filter(pl.col("metric") != "brier"))
    with pytest.raises(DataError, match="results/scores.metric brier, results/equity.hold_net, results/calibration"):
        write_report(folder)


@pytest.mark.req("REP-01")
def test_an_older_folder_says_who_wrote_it_and_what_to_do(folder: Path, quick: World) -> None:
    (folder / "report.html").write_text("the page of that time", encoding="utf-8")

    def older(run: dict[str, Any]) -> None:
        run["environment"]["versions"]["karat"] = "0.0.7"
        run["environment"]["git"]["commit"] = "0123456789abcdef"
        run["record"]["finished"] = "2025-01-02T03:04:05Z"
        del run["bars_per_year"], run["verdict"]["money_baseline"], run["verdict"]["alpha"]
        run["verdict"]["gates"][0]["colour"] = "green"

    edit_json(folder / "run.json", older)
    with pytest.raises(DataError) as caught:
        write_report(folder)
    said = str(caught.value)
    assert "karat 0.0.7, commit 0123456789ab, finished 2025-01-02T03:04:05Z" in said
    lacking = "bars_per_year, verdict.alpha, verdict.gates[].colour (unknown to this version)"
    assert lacking in said, "money_baseline has a default"
    assert f"karat run {folder / 'run.json'}" in said
    assert f"the page of that version is {folder / 'report.html'}" in said
    assert (folder / "report.html").read_text(encoding="utf-8") == "the page of that time"
    again = karat.run(folder / "run.json", workspace=quick.root)
    assert again.run_id == quick.latest().run_id, "the same study"
    edit_json(folder / "run.json", lambda run: run["config"].update({"modells": []}))
    with pytest.raises(ConfigError, match=r"modells.*unknown key.*did you mean 'models'"):
        karat.run(folder / "run.json", workspace=quick.root)


def test_the_command_refuses_with_code_2(finished: World) -> None:
    run = finished.latest().folder
    edit_json(run / "run.json", lambda values: values.pop("costs"))
    said = command("report", run.name, "--workspace", finished.root)
    assert said.returncode == 2
    assert re.search(r"error: run\.json: .*\bcosts\b.*make it anew with karat", said.stderr)
    edit_json(run / "run.json", lambda values: values.pop("verdict"))
    said = command("report", run.name, "--workspace", finished.root)
    assert said.returncode == 2
    assert re.search(r"every section is there.*verdict.*make it anew", said.stderr)


def test_a_run_that_has_lost_its_study_is_not_offered_as_one(tmp_path: Path) -> None:
    whole = make_anew(tmp_path, {"run_id": "1", "config": {"name": "small"}})
    assert whole.endswith(f"karat run {tmp_path / 'run.json'}")
    for rest in ({"config": {"name": "small"}}, {"run_id": "1"}, {"run_id": "1", "config": None}, {}):
        said = make_anew(tmp_path, rest)
        assert said.endswith("karat run the study file it was made from (run.json has lost its config)")
