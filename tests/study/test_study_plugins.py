"""A forecaster and a source of somebody else's, installed as a package with entry points and named in a study."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from study_factory import World, trials_of

from karat.core import InputError
from karat.study import reproduce
from karat.study._environment import plugin_hashes

FOREIGN: dict[str, Any] = {
    "data": {"source": "toy_market", "params": {"seed": 3, "n_days": 1000}},
    "models": [{"name": "toy_tilt", "params": {"shrink": 0.9}}],
    "plugins": ["toy_tilt", "toy_market"],
}


@pytest.mark.req("EXP-08")
def test_a_package_runs_through_the_whole_study_and_is_reproduced(quick: World, plugins: Path) -> None:
    result = quick.run(**FOREIGN)
    assert result.manifest["selection"]["selected"] == "toy_tilt(shrink=0.9)"
    assert result.verdict != "invalid"
    assert set(result.manifest["code"]["plugins"]) == {"toy_tilt", "toy_market"}
    assert result.manifest["data"]["provenance"]["origin"] == "counted by toy"
    assert reproduce(result, quick.place, progress=lambda *_: None).equal


def test_a_run_is_not_reproduced_with_other_code_of_a_package_or_without_it(quick: World, plugins: Path) -> None:
    result = quick.run(**FOREIGN)
    (plugins / "toy" / "helpers.py").write_text("CHANGED = True\n", encoding="utf-8")
    outcome = reproduce(result, quick.place, progress=lambda *_: None)
    assert [row.what for row in outcome.rows if row.equal is False] == ["plug-in toy_tilt", "plug-in toy_market"]
    shutil.rmtree(plugins / "toy-1.0.dist-info")
    with pytest.raises(InputError, match="plugins: got 'toy_tilt'; no installed package offers it"):
        reproduce(result, quick.place, progress=lambda *_: None)


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
