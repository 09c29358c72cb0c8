"""karat doctor: names what is missing, also when karat itself could not load."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_factory import karat

from karat.cli import _doctor, _packages
from karat.core import Ledger, LedgerError


def checks(*words: object) -> dict[str, tuple[str, str]]:
    """Return check to (state, detail)."""
    return {
        item["check"]: (item["state"], item["detail"]) for item in karat("doctor", *words, "--json").facts["checks"]
    }


@pytest.fixture
def no_polars(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without polars."""
    version = importlib.metadata.version

    def missing(name: str) -> str:
        if name == "polars":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)


@pytest.mark.req("EXP-18")
def test_a_whole_environment_is_ok() -> None:
    said = karat("doctor")
    assert said.code == 0, said.out
    assert said.out.endswith("all that is needed is here\n")
    rows = checks()
    for name in ("python", "lock file", "disk", "clock", "ledger"):
        assert rows[name][0] == "ok", rows[name]
    assert rows["ledger"][1] == "none yet in workspace"


@pytest.mark.req("EXP-18")
def test_thirty_packages_and_more_are_checked_against_the_lock_file() -> None:
    found = _packages.packages()
    assert len(found) >= 30
    assert {"numpy", "polars", "scikit-learn", "six", "llvmlite"} <= {item.name for item in found}
    assert all(item.locked for item in found), [item.name for item in found if not item.locked]
    assert sum(name.startswith("package ") for name in checks()) == len(found)


@pytest.mark.req("EXP-18")
def test_a_missing_package_is_named(no_polars: None) -> None:
    said = karat("doctor")
    assert said.code == 3
    assert said.out.endswith("missing or broken: package polars\n")
    (line,) = [line for line in said.out.splitlines() if line.startswith("package polars")]
    locked = _packages.locked_versions()["polars"]
    assert f"missing needed by karat: pip install 'polars=={locked}'" in " ".join(line.split())
    facts = karat("doctor", "--json").facts
    assert (facts["ok"], facts["bad"]) == (False, ["package polars"])


@pytest.mark.req("EXP-09", "EXP-18")
def test_another_version_than_the_locked_one_is_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_packages, "locked_versions", lambda: {"polars": "0.1.0"})
    said = karat("doctor")
    assert said.code == 0
    installed = importlib.metadata.version("polars")
    (line,) = [line for line in said.out.splitlines() if line.startswith("package polars")]
    assert line.split()[2:] == ["drift", f"{installed};", "locked:", "0.1.0"]
    assert "1 installed in another version" in said.out


def test_a_missing_lock_file_is_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_packages, "_ROOT", tmp_path / "a" / "b")
    assert _packages.locked_versions() == {}
    assert karat("doctor").code == 3
    assert checks()["lock file"][0] == "broken"


def test_requirements_of_packages_that_are_not_there_are_none() -> None:
    assert _packages.packages("no-such-package") == []


def test_extras_are_optional_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    said = karat("doctor", "--json")
    assert said.code == 0
    rows = {item["check"]: item for item in said.facts["checks"]}
    assert rows["torch"]["state"] == "optional"
    assert rows["torch"]["detail"] == "the patch transformer: pip install 'karat[nets]'"


def test_an_old_python_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 1, "final", 0))
    rows = {name: (state, detail) for name, state, detail in _doctor._python()}
    assert rows == {"python": ("missing", "3.10.1; needs 3.11 to 3.13")}


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: shutil._ntuple_diskusage(2**30, 2**29, 2**29))  # type: ignore[attr-defined]
    assert checks()["disk"] == ("missing", "0.5 GiB free; needs 1")


def test_a_clock_before_karats_own_files_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    stat = Path.stat

    class Later:
        st_mtime_ns = 4_102_444_800 * 10**9  # 2100

    monkeypatch.setattr(Path, "stat", lambda path, **key: Later() if path.suffix == ".py" else stat(path, **key))
    ((name, state, detail),) = _doctor._clock()
    assert (name, state) == ("clock", "drift")
    assert detail.endswith("s before them: set it")


def test_a_good_ledger_a_busy_one_and_a_broken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "workspace"
    place.mkdir()
    path = place / "ledger.sqlite"
    with Ledger.open(path, role="research") as ledger:
        ledger.append("note", {"k": 1})
    assert checks("-w", place)["ledger"] == ("ok", "1 entry")

    def busy(_path: Path) -> Any:
        raise LedgerError("it is in use by process 7", fix="wait")

    with monkeypatch.context() as patch:
        patch.setattr("karat.core.verify_ledger", busy)
        assert checks("-w", place)["ledger"] == ("busy", "it is in use by process 7")
    path.write_bytes(b"words")
    said = karat("doctor", "-w", place)
    assert said.code == 3
    assert said.out.endswith("missing or broken: ledger\n")
