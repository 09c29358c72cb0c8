"""Clean studies raise no alarm: a handful here; `benchmarks/false_alarms.py` runs two hundred."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script that draws clean studies, where its workers find it as well."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    return importlib.import_module("false_alarms")


QUICK = ["data", "future", "splits", "ids", "labels", "shift", "forecaster", "market"]
"""Without `determinism`, which starts processes: `tests/study/test_study_guards.py` has it."""


@pytest.mark.req("DOC-08")
@pytest.mark.parametrize("world", ["plain", "mixed", "listed", "late", "vix", "endless"])
def test_a_clean_study_of_every_world_raises_no_alarm(script: ModuleType, world: str) -> None:
    seed = next(seed for seed in range(1, 200) if script.clean_study(seed)["world"] == world)
    line = script.guarded(seed, QUICK)
    assert line["alarms"] == []
    assert max(line["guards"].values()) < 30


def test_clean_studies_differ_and_depend_on_the_seed_alone(script: ModuleType) -> None:
    studies = [script.clean_study(seed) for seed in range(1, 201)]
    assert studies[6] == script.clean_study(7)
    assert {study["world"] for study in studies} == set(script.WORLDS)
    assert {study["primary_horizon"] for study in studies} == set(script.HORIZONS)
    assert {study["data"]["params"]["n_instruments"] for study in studies} == set(range(1, 9))
    assert {study["models"][0]["name"] for study in studies} == set(script.MODELS)


def test_a_study_that_has_its_line_is_not_run_again(script: ModuleType, tmp_path: Path) -> None:
    """The line that is there is changed, so that it can be told from a new one; one of other sources does not count."""
    out = tmp_path / "lines.jsonl"
    made_by = {"sources": script.measured_on()["sources"], "asked": script.content_hash(["splits"])[:12]}
    line = {
        "seed": 1,
        "world": "kept",
        "alarms": ["splits: purging: planted"],
        "seconds": 1.0,
        "guards": {"splits": 0.5},
    }
    out.write_text(
        json.dumps(line | made_by) + "\n" + json.dumps(line | made_by | {"seed": 2, "sources": "old"}) + "\n"
    )
    found = {line["seed"]: line for line in script.lines_of(range(1, 3), ["splits"], 1, out)}
    assert found[1]["world"] == "kept"
    assert found[2]["world"] in script.WORLDS
    assert json.loads(out.read_text().splitlines()[-1]) == found[2]
    told = script.summary(list(found.values()), ["splits"])
    assert (told["with_alarm"], told["studies"], told["guards"]["splits"]["alarms"]) == (1, 2, 1)
    assert told["upper_95"] == pytest.approx(0.9747, abs=1e-4)  # 1 of 2: sqrt(1 - 0.05), by hand
