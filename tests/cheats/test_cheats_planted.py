"""Ten ways to cheat, each built twice: every one makes the verdict invalid, and the guard that should names it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from cheats_table import CHEATS, PLANTED, Cheat, install
from study_factory import World, command, environment, small_study, write_study

from karat.study import StudyConfig, run_guards

# cheats that two guards see: a model or a source that reads a name is found in its source as well, and what is left of
# a label that a feature knows earns something even when labels are shuffled
SEEN_TWICE = {"labels", "ids"}


def test_there_are_ten_cheats_and_each_is_built_twice() -> None:
    counted = Counter(cheat.title for cheat in CHEATS)
    assert len(counted) == 10
    assert set(counted.values()) == {2}
    assert len({str(cheat.points) for cheat in CHEATS}) == len(CHEATS)


@pytest.mark.req("EVAL-09", "DOC-08")
@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: "-".join(cheat.plugins))
def test_a_cheat_is_caught_by_the_check_that_should(cheat: Cheat, quick: World, planted: None) -> None:
    result = quick.run(**cheat.study())
    gate = result.manifest["verdict"]["gates"][0]
    assert result.verdict == "invalid"
    assert cheat.check in [check["name"] for check in gate["checks"] if check["passed"] is False]
    assert cheat.check in gate["reason"]


@pytest.mark.req("EVAL-09", "DOC-08")
@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: "-".join(cheat.plugins))
def test_a_cheat_is_caught_by_the_guard_that_should(cheat: Cheat, planted: None) -> None:
    config = StudyConfig.parse(small_study(**cheat.study()), source="cheat")
    names = ["data", "future", "splits", "ids", "labels", "forecaster", "market"]
    failed = {
        report.guard: [check.name for check in report.checks if check.passed is False]
        for report in run_guards(names, config)
        if not report.passed
    }
    assert cheat.check in failed[cheat.guard]
    assert set(failed) - {cheat.guard} <= SEEN_TWICE


@pytest.mark.req("EVAL-09")
@pytest.mark.slow
def test_a_cheat_runs_through_the_command_and_is_named(tmp_path: Path) -> None:
    cheat = CHEATS[0]
    env = environment(install(tmp_path / "site"), PLANTED)
    study = write_study(tmp_path / "cheat.yaml", small_study(**cheat.study()))
    done = command("run", study, "--workspace", tmp_path / "w", env=env)
    assert done.stdout.startswith("verdict: invalid\n"), done.stderr
    assert cheat.check in done.stdout
    guarded = command("guard", cheat.guard, study, env=env)
    assert guarded.returncode == 1, guarded.stderr
    assert f"{cheat.guard}: FAILED" in guarded.stderr
