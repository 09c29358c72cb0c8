"""A forecaster and a source of somebody else's, installed as a package with entry points and named in a study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from study_factory import World, command, environment, make_package, small_study, trials_of, write_study

from karat.core import InputError
from karat.study._environment import plugin_hashes

FOREIGN: dict[str, Any] = {
    "data": {"source": "toy_market", "params": {"seed": 3, "n_days": 1000}},
    "models": [{"name": "toy_tilt", "params": {"shrink": 0.9}}],
    "plugins": ["toy_tilt", "toy_market"],
}


@pytest.mark.req("EXP-08")
def test_a_package_runs_through_workers_and_is_reproduced(tmp_path: Path) -> None:
    env = environment(make_package(tmp_path / "site"))
    study = write_study(tmp_path / "study.yaml", small_study(**FOREIGN, executor={"workers": 1}))
    done = command("run", study, "-w", tmp_path / "w", "--json", env=env)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["selected"] == "toy_tilt(shrink=0.9)"
    assert facts["verdict"] != "invalid"
    assert {"verdict", "gates", "trials", "report", "run_id"} <= set(facts)
    manifest = json.loads((tmp_path / "w" / "runs" / facts["run_id"] / "run.json").read_text())
    assert set(manifest["code"]["plugins"]) == {"toy_tilt", "toy_market"}
    assert manifest["data"]["provenance"]["origin"] == "counted by toy"
    again = command("reproduce", "latest", "-w", tmp_path / "w", env=env)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "reproduced: every hash is equal" in again.stdout
    absent = command("reproduce", "latest", "-w", tmp_path / "w")
    assert absent.returncode == 2
    assert "no installed package offers it" in absent.stderr


def test_a_package_is_off_until_it_is_named(quick: World, plugins: Path) -> None:
    with pytest.raises(InputError, match="add 'toy_tilt' to plugins"):
        quick.run(models=[{"name": "toy_tilt"}])
    with pytest.raises(InputError, match="source: got 'toy_market'; allowed: bundled"):
        quick.run(data={"source": "toy_market"})


@pytest.mark.req("EXP-08")
def test_changed_code_of_a_package_is_a_new_trial_and_a_new_run(quick: World, plugins: Path) -> None:
    first = quick.run(**FOREIGN)
    (plugins / "toy" / "helpers.py").write_text("CHANGED = True\n", encoding="utf-8")
    second = quick.run(**FOREIGN)
    assert first.run_id != second.run_id
    assert (trials_of(first), trials_of(second)) == (1, 2)


def test_hashes_of_plugins_cover_the_whole_package_or_the_one_file(plugins: Path) -> None:
    before = plugin_hashes(["toy_tilt", "toy_market"])
    assert before["toy_tilt"] != before["toy_market"]
    (plugins / "toy" / "sources.py").write_text("CHANGED = True\n", encoding="utf-8")
    after = plugin_hashes(["toy_tilt"])
    assert after["toy_tilt"] != before["toy_tilt"]
    info = plugins / "single-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: single\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[karat.model]\none = single:One\ngone = nowhere:At\n", encoding="utf-8")
    (plugins / "single.py").write_text("A = 1\n", encoding="utf-8")
    one, gone = plugin_hashes(["one"]), plugin_hashes(["gone"])
    (plugins / "single.py").write_text("A = 2\n", encoding="utf-8")
    assert plugin_hashes(["one"]) != one
    assert plugin_hashes(["gone"]) == gone


def test_a_bug_in_a_package_is_shown_as_it_is(quick: World, plugins: Path) -> None:
    with pytest.raises(ZeroDivisionError, match="a bug of somebody else's"):
        quick.run(models=[{"name": "toy_broken"}], plugins=["toy_broken"])
