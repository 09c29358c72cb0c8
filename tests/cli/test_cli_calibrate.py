"""calibrate: the same lines twice, in parallel or not; resuming, bad words, and what is written beside the rates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli_factory import Said, fresh, karat
from study_factory import InlineExecutor

from karat.study.rates import _run

SMALL: dict[str, Any] = {
    "name": "small",
    "days": {"train": 260, "valid": 250, "test": 500},
    "verdict": {"draws": 200},
    "no_edge": [{"name": "coin", "world": "sign_flips"}, {"name": "drift", "world": "drift"}],
    "planted": [{"name": "strong", "net_sharpe": 5.0}],
    "campaigns": [{"name": "tries", "settings": 2, "studies": 2}],
}


@pytest.fixture
def inline_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let worlds run in this process."""
    monkeypatch.setattr(_run, "make_executor", lambda _config: InlineExecutor())


def write(folder: Path, **changes: Any) -> Path:
    """Write a small calibration and return its path."""
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({**SMALL, **changes}), encoding="utf-8")
    return path


def test_four_worlds_twice_and_in_parallel_or_not_are_the_same_bytes(tmp_path: Path) -> None:
    words = ["calibrate", "small.yaml", "--worlds", "4", "--json", "-w"]
    said = {}
    for workers in (1, 2):
        write(tmp_path, executor={"workers": workers})
        said[workers] = fresh(*words, str(workers), folder=tmp_path)
        assert said[workers].returncode == 0, said[workers].stderr
    assert said[1].stdout == said[2].stdout
    assert [(line["kind"], line["number"]) for line in json.loads(said[1].stdout)["lines"]] == [
        ("coin", 0),
        ("coin", 1),
        ("drift", 0),
        ("strong", 0),
    ]
    assert said[1].stderr.splitlines()[:2] == ["reading the calibration", "worlds: 0/4"]
    resumed = fresh(*words, "2", folder=tmp_path)
    assert resumed.stdout == said[1].stdout
    assert "worlds: 1/4" not in resumed.stderr, "nothing was made again"


def test_four_worlds_in_this_process_are_the_same_twice(tmp_path: Path, inline_worlds: None) -> None:
    one, two = (karat("calibrate", write(tmp_path), "--worlds", 4, "-w", tmp_path / n, "--json") for n in ("a", "b"))
    assert one.code == 0, one.err
    assert one.out == two.out


def test_a_table_with_bounds_and_the_campaigns(tmp_path: Path, inline_worlds: None) -> None:
    said = karat("calibrate", write(tmp_path), "--worlds", 3, "--campaigns", 1, "-w", tmp_path / "w")
    lines = said.out.splitlines()
    assert lines[0].split()[:4] == ["world", "edge", "n", "accepted"]
    assert lines[1].split()[:4] == ["coin", "no", "1", "0.000"]
    assert any(line.startswith("all without an edge") for line in lines)
    assert "campaign tries: ever accepted 0.000 [0.000, 0.950] of 1" in lines
    assert lines[-1] == "share [bounds], each one-sided at 95 %; for a gate the share that passed it"


def test_parts_are_reported_together(tmp_path: Path, inline_worlds: None) -> None:
    path, out = write(tmp_path), tmp_path / "out.jsonl"
    for kind, worlds in (("coin", 2), ("strong", 1)):
        karat("calibrate", path, "--kind", kind, "--worlds", worlds, "-w", tmp_path / "w")
    said = karat("calibrate", path, "--finished", "--out", out, "-w", tmp_path / "w", "--json")
    assert [(line["kind"], line["number"]) for line in said.facts["lines"]] == [("coin", 0), ("coin", 1), ("strong", 0)]
    head = json.loads(out.read_text(encoding="utf-8").splitlines()[0])
    assert head["command"].endswith("--finished")
    wrong = karat("calibrate", path, "--finished", "--worlds", 3, "-w", tmp_path / "w")
    assert wrong.code == 2
    assert "nothing is made; leave out --worlds and --campaigns" in wrong.err


def test_only_one_kind_and_the_files_own_number(tmp_path: Path, inline_worlds: None) -> None:
    said = karat("calibrate", write(tmp_path, worlds=2), "--kind", "no_edge", "-w", tmp_path / "w", "--json")
    assert [line["kind"] for line in said.facts["lines"]] == ["coin", "drift"]
    wrong = karat("calibrate", write(tmp_path), "--kind", "coyn", "-w", tmp_path / "w")
    assert wrong.code == 2
    assert "kinds: got 'coyn'; allowed: no_edge, planted, whole, coin, drift, strong; did you mean 'coin'?" in wrong.err


def test_what_is_written_says_where_when_and_by_which_command(tmp_path: Path, inline_worlds: None) -> None:
    out = tmp_path / "results" / "small.jsonl"
    study = write(tmp_path)
    said = karat("calibrate", study, "--worlds", 3, "--out", out, "-w", tmp_path / "w", "--json")
    head, *rest = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert head["command"] == f"karat calibrate {study} --worlds 3 --out {out}"
    assert {"date", "processor", "cores", "memory_gib", "system", "python", "sources", "git"} <= set(head)
    assert [line["name"] for line in rest] == ["coin", "drift", "strong", "all without an edge"]
    assert rest[0] == said.facts["kinds"][0]


def test_ctrl_c_prints_the_command_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(InlineExecutor):
        def map(self, function: Any, tasks: Any) -> Any:
            yield next(super().map(function, tasks))
            raise KeyboardInterrupt

    monkeypatch.setattr(_run, "make_executor", lambda _config: Stopped())
    study, place = write(tmp_path), tmp_path / "w"
    said: Said = karat("calibrate", study, "--worlds", 3, "--kind", "coin", "-w", place, "--json")
    assert said.code == 130
    resume = f"karat calibrate {study} --worlds 3 --kind coin --workspace {place}"
    assert said.facts["resume"] == resume
    assert f"resume with: {resume}" in said.err
    assert len(list((place / "worlds").iterdir())) == 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    said = karat("calibrate", tmp_path / "smal.yaml", "-w", tmp_path / "w")
    assert said.code == 2
    assert f"no such file; did you mean {tmp_path / 'small.yaml'}?" in said.err
