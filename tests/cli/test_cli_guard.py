"""karat guard: the list, one guard, all of them, a planted fault, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from cli_factory import karat, write_study

from karat.features import FEATURES
from karat.study import GUARDS


def test_list_names_every_guard_and_what_it_asks() -> None:
    said = karat("guard", "list", "--json")
    assert said.code == 0
    assert said.facts["guards"] == {name: guard.question for name, guard in GUARDS.items()}
    assert karat("guard", "list").out.splitlines()[0].split() == ["guard", "what", "it", "asks"]


@pytest.mark.req("EVAL-04")
def test_one_guard_holds_on_a_clean_study(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    said = karat("guard", "splits", study, "--json")
    assert said.code == 0
    assert said.facts["passed"] is True
    (report,) = said.facts["guards"]
    assert (report["guard"], report["passed"]) == ("splits", True)
    assert report["checks"][0]["name"] == "purging"
    assert said.err.startswith("reading the study\nsplits: holds in ")
    assert karat("guard", "params", study).out.endswith("every guard holds\n")


def test_a_planted_fault_is_answered_no(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = FEATURES["ret_1"]
    leak = dataclasses.replace(spec, compute=lambda columns: columns["close"][::-1].copy())
    monkeypatch.setitem(FEATURES, "ret_1", leak)
    study = write_study(tmp_path)
    said = karat("guard", "future", study, "--json")
    assert said.code == 1
    assert said.facts["passed"] is False
    failed = [check["name"] for check in said.facts["guards"][0]["checks"] if check["passed"] is False]
    assert failed == ["future invariance"]
    text = karat("guard", "future", study)
    assert text.code == 1
    assert text.out.endswith("FAILED\n")


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    said = karat("guard", "futur", write_study(tmp_path), "--json")
    assert said.code == 2
    assert "guard: got 'futur'; allowed: list, all, data, future" in said.facts["message"]
    said = karat("guard", "ids", "--json")
    assert said.code == 2
    assert said.facts["message"] == "study: got None; it is missing; karat guard ids STUDY"
    said = karat("guard", "ids", tmp_path / "gone.yaml", "--json")
    assert said.code == 2
