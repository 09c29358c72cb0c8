"""run, demo, report, reproduce, verify, trials: results on stdout, progress on stderr, codes that do not change."""

from __future__ import annotations

import json
import math
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from cli_factory import Said, karat, write_study

import karat.study as room
from karat.core import Interrupted, Ledger
from karat.study import RunResult, _publish


@pytest.fixture
def unreported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave reports out where they are not looked at: they take most of the time of a repeated run."""
    monkeypatch.setattr(_publish, "write_report", lambda _folder: None)


@pytest.fixture
def instant(finished: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Return the finished run at once, where the run itself is not what is tested."""
    _, workspace = finished
    result = RunResult(next((workspace / "runs").iterdir()))
    monkeypatch.setattr(room, "run_study", lambda *_args, **_options: result)


def test_run_prints_one_object_and_progress_elsewhere(first_run: tuple[Path, Path, Said]) -> None:
    _, workspace, said = first_run
    assert said.code == 0
    facts = said.facts
    assert {"verdict", "gates", "trials", "report", "run_id", "warnings"} <= set(facts)
    assert facts["verdict"] in ("accepted", "rejected", "indistinguishable", "invalid")
    assert [gate["number"] for gate in facts["gates"]] == [0, 1, 2, 3]
    assert (facts["trials"], facts["openings"], facts["warnings"]) == (1, 1, [])
    assert Path(facts["report"]).is_file()
    assert Path(facts["report"]).is_relative_to(workspace)
    lines = said.err.splitlines()
    assert lines[:2] == ["reading the study", "data: 0/1"]
    assert lines[-1] == "report: 1/1"


def test_run_again_finishes_at_once(finished: tuple[Path, Path], unreported: None) -> None:
    study, workspace = finished
    said = karat("run", study, "-w", workspace)
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0] == "verdict: accepted"
    assert [line[:1] for line in lines[3:7]] == ["0", "1", "2", "3"]
    assert "trials in this family: 1, openings of Test: 1" in lines
    assert lines[-2].startswith("run: ")
    assert Path(lines[-1].removeprefix("report: ")).name == "report.html"
    assert "selection: 6/6" in said.err  # all cells were there: nothing was counted up
    assert "selection: 0/6" not in said.err


@pytest.mark.parametrize(("required", "code"), [("accepted", 0), ("rejected", 1)])
def test_a_verdict_may_be_required(required: str, code: int, finished: tuple[Path, Path], instant: None) -> None:
    study, workspace = finished
    said = karat("run", study, "-w", workspace, "--require", required)
    assert said.code == code
    assert said.out.startswith("verdict: accepted\n")
    assert ("the verdict is accepted; --require asked for rejected" in said.err) == bool(code)


def test_demo_runs_the_shipped_study(
    finished: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, instant: None
) -> None:
    study, workspace = finished
    asked: list[str] = []

    def shipped(name: str) -> Path:
        asked.append(name)
        return study

    monkeypatch.setattr(room, "shipped_study", shipped)
    said = karat("demo", "-w", workspace, "--json")
    assert (said.code, asked) == (0, ["quickstart"])
    assert said.facts["verdict"] == "accepted"
    assert said.err.startswith("reading the shipped quick start\n")


def test_the_quick_start_ships() -> None:
    assert room.read_study(room.shipped_study("quickstart")).name == "quickstart"


@pytest.mark.parametrize(
    ("words", "resume"),
    [
        (["run", "my study.yaml"], "karat run 'my study.yaml' --workspace w"),
        (["run", "my study.yaml", "--set", "seeds=3"], "karat run 'my study.yaml' --set seeds=3 --workspace w"),
        (["demo"], "karat demo --workspace w"),
    ],
)
def test_an_interrupted_run_says_how_to_go_on(
    words: list[str], resume: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study(tmp_path).rename("my study.yaml")

    def stopped(*_: object, resume: str, **__: object) -> None:
        raise Interrupted(resume)

    monkeypatch.setattr(room, "run_study", stopped)
    said = karat(*words, "-w", "w", "--json")
    assert said.code == 130
    assert said.facts["resume"] == resume
    assert f"resume with: {resume}" in said.err


def test_ctrl_c_outside_a_study_ends_quietly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(room, "check_names", stopped)
    said = karat("config", "check", write_study(tmp_path))
    assert (said.code, said.out, said.err) == (130, "", "error: interrupted\n")


def test_settings_reach_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def ends(config: Any, *_: object, **__: object) -> None:
        seen.append(config)
        raise Interrupted("karat run")

    monkeypatch.setattr(room, "run_study", ends)
    study = write_study(tmp_path)
    karat("run", study, "--set", "seeds=7", "--set", "splits.valid_bars=99", env={"KARAT__SEEDS": "3"})
    assert (seen[0].seeds, seen[0].splits.valid_bars, seen[0].splits.test_frac) == (7, 99, 0.45)


def test_a_run_that_trades_nothing_warns(
    finished: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, instant: None
) -> None:
    study, workspace = finished
    monkeypatch.setattr(RunResult, "trades", property(lambda self: self.frame("fills").clear()))
    said = karat("run", study, "-w", workspace, "--json")
    assert said.code == 0
    (warning,) = said.facts["warnings"]
    assert warning.startswith("No trades: the policy never left cash on the test dates")
    assert "mode long_flat_short, flat_edge 0" in warning
    assert f"warning: {warning}" in said.err


def test_features_that_the_data_cannot_serve_are_named(finished: tuple[Path, Path]) -> None:
    _, workspace = finished
    run = next((workspace / "runs").iterdir())
    path = run / "run.json"
    facts = json.loads(path.read_text())
    facts["features_absent"] = {"vix_close": "needs vix", "vix_sma_10": "needs vix", "gap": "needs open"}
    path.write_text(json.dumps(facts))
    assert RunResult(run).warnings == (
        "Absent features: gap: needs open.",
        "Absent features: vix_close, vix_sma_10: needs vix.",
    )


def test_report_writes_the_report_again(finished: tuple[Path, Path]) -> None:
    _, workspace = finished
    run = next((workspace / "runs").iterdir())
    before = (run / "report.html").read_text(encoding="utf-8")
    (run / "report.html").unlink()
    said = karat("report", run.name[:5], "--json", env={"KARAT_WORKSPACE": str(workspace)})
    assert said.code == 0
    assert said.facts == {"run_id": run.name, "html": str(run / "report.html"), "markdown": str(run / "report.md")}
    assert (run / "report.html").read_text(encoding="utf-8") == before
    assert karat("report", "-w", workspace).out.split() == [str(run / "report.html"), str(run / "report.md")]


@pytest.mark.req("EXP-05")
def test_reproduce_finds_every_hash_equal(finished: tuple[Path, Path]) -> None:
    _, workspace = finished
    said = karat("reproduce", "latest", "-w", workspace, "--json")
    assert said.code == 0, said.out
    assert said.facts["equal"] is True
    assert said.err.startswith("reading the run\n")


@pytest.mark.req("EXP-05")
def test_reproduce_names_the_setting_that_was_changed(finished: tuple[Path, Path]) -> None:
    _, workspace = finished
    path = next((workspace / "runs").iterdir()) / "run.json"
    facts = json.loads(path.read_text())
    facts["config"]["seed"] = 43
    path.write_text(json.dumps(facts))
    said = karat("reproduce", "latest", "-w", workspace)
    assert said.code == 1
    (line,) = [line for line in said.out.splitlines() if line.startswith("configuration seed")]
    assert line.split()[2:] == ["42", "43", "DIFFERENT"]
    assert said.out.endswith("NOT reproduced\n")
    assert karat("reproduce", "latest", "-w", workspace, "--json").facts["equal"] is False


def test_verify_counts_what_is_good(finished: tuple[Path, Path]) -> None:
    _, workspace = finished
    said = karat("verify", "-w", workspace)
    assert said.code == 0
    assert said.out.startswith("ledger ok: ")
    facts = karat("verify", "-w", workspace, "--json").facts
    assert (facts["ok"], facts["problem"]) == (True, None)
    assert f"{facts['size']} entries, root {facts['root']}" in said.out


@pytest.mark.parametrize("words", [["--json"], []])
def test_verify_names_the_first_bad_entry(words: list[str], finished: tuple[Path, Path]) -> None:
    _, workspace = finished
    with sqlite3.connect(workspace / "ledger.sqlite") as db:
        db.execute("UPDATE entry SET kind = 'trail' WHERE seq = 3")
    db.close()
    said = karat("verify", "-w", workspace, *words)
    assert said.code == 1
    if words:
        assert (said.facts["ok"], said.facts["first_bad"]) == (False, 3)
    else:
        assert "ledger BROKEN" in said.out
        assert "first bad entry: 3" in said.out


def test_verify_holds_the_ledger_against_an_exported_head(finished: tuple[Path, Path], tmp_path: Path) -> None:
    _, workspace = finished
    head = tmp_path / "head.json"
    assert karat("verify", "-w", workspace, "--export", head).code == 0
    assert karat("verify", "-w", workspace, "--head", head).code == 0
    with Ledger.open(tmp_path / "other.sqlite", role="research") as other:
        for k in range(40):
            other.append("note", {"k": k})
    (tmp_path / "other").mkdir()
    (tmp_path / "other.sqlite").rename(tmp_path / "other" / "ledger.sqlite")
    said = karat("verify", "-w", tmp_path / "other", "--head", head, "--json")
    assert said.code == 1
    assert "exported head" in said.facts["problem"]


@pytest.mark.req("EXP-24")
def test_verify_has_nothing_to_do_before_the_first_run() -> None:
    said = karat("verify")
    assert (said.code, said.out) == (0, "no ledger yet: nothing has been run in ./workspace\n")
    assert karat("verify", "--json").facts == {"ok": True, "size": 0}
    assert not Path("workspace").exists()


def test_trials_lists_what_the_ledger_counts(finished: tuple[Path, Path]) -> None:
    _, workspace = finished
    facts = karat("trials", "-w", workspace, "--json").facts
    assert facts["count"] == len(facts["trials"]) == 1
    assert facts["trials"][0]["study"] == "small"
    text = karat("trials", "-w", workspace).out
    assert text.splitlines()[0].split() == ["trial", "study", "model", "horizon", "run"]
    assert "linear_quantile" in text
    assert "\n1 trial\n" in text
    assert text.splitlines()[-1].split() == ["1", "small", "1", "1", "1", "0.1520"]
    (family,) = facts["families"]
    assert (family["studies"], family["trials"], family["openings"]) == (["small"], 1, 1)
    assert family["next_share"] == pytest.approx(6 / math.pi**2 / 4)


def test_verbs_that_look_make_no_folders() -> None:
    for words in (["report"], ["reproduce", "latest"], ["trials"], ["data", "verify"], ["data", "query", "select 1"]):
        said = karat(*words)
        assert said.code == 2, words
        assert "workspace: got 'workspace'; there is no such folder; name it with --workspace" in said.err
    assert karat("data", "list").code == 0
    assert not Path("workspace").exists()


def test_a_workspace_without_a_ledger_has_no_trials(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    assert karat("trials", "--json").facts == {"count": 0, "trials": [], "families": []}
