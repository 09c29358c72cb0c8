"""Killed at any moment, a study goes on where it was: same hashes, no finished cell run twice, nothing left behind.

The study is one of somebody else's forecaster and source, so that a package passes through workers, resuming and
`reproduce` as well.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
from study_factory import KARAT, World, command, environment, make_package, small_study, write_study

from karat.core import generator

SEEDS = 5
COMPARED = ("results", "cells", "verdict", "selection", "history")


class Killable:
    """A study of somebody else's forecaster, which notes each fit, with the command that runs it."""

    def __init__(self, folder: Path, workers: int = 1) -> None:
        site = make_package(folder / "site")
        study = small_study(
            data={"source": "toy_market", "params": {"seed": 3}},
            models=[{"name": "toy_chance"}],
            plugins=["toy_chance", "toy_market"],
            seeds=SEEDS,
            golden=True,
            executor={"workers": workers},
        )
        self.folder, self.file = folder, write_study(folder / "study.yaml", study)
        self.env = environment(site)

    def run(self, workspace: str) -> dict[str, Any]:
        """Run to the end; return run.json."""
        done = command("run", self.file, "-w", self.folder / workspace, "--json", env=self.logged(workspace))
        assert done.returncode == 0, done.stderr
        run_id = json.loads(done.stdout)["run_id"]
        values: dict[str, Any] = json.loads((self.folder / workspace / "runs" / run_id / "run.json").read_text())
        return values

    def start(self, workspace: str) -> subprocess.Popen[str]:
        """Start in a session of its own."""
        line = [*KARAT, "run", str(self.file), "-w", str(self.folder / workspace)]
        pipes: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(line, env=self.logged(workspace), start_new_session=True, **pipes)

    def logged(self, workspace: str) -> dict[str, str]:
        """Return the environment with the file that fits are noted in."""
        return self.env | {"TOY_LOG": str(self.folder / f"{workspace}.log")}

    def cells(self, workspace: str) -> dict[str, tuple[int, int]]:
        """Return inode and time of writing of every finished cell."""
        found = {}
        for path in (self.folder / workspace / "cells").glob("*/cell.json"):
            if not path.parent.name.endswith(".partial"):
                facts = path.stat()
                found[path.parent.name] = (facts.st_ino, facts.st_mtime_ns)
        return found


def survivors(session: int) -> list[psutil.Process]:
    """Return the processes of a session that still run."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            continue
    return found


def wait_until_alone(session: int, seconds: float = 20.0) -> None:
    """Wait until no process of the session is left; a worker that has started looks for its parent twice a second."""
    waited = 0.0
    while survivors(session) and waited < seconds:
        threading.Event().wait(0.1)
        waited += 0.1
    assert survivors(session) == []


def wait_for(process: subprocess.Popen[str], pattern: str) -> None:
    """Read the progress until a line matches."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if re.search(pattern, line):
            return
    process.wait()
    process.stderr.close()
    raise AssertionError(f"the study ended before {pattern!r} was seen: {''.join(lines)}")


def kill(process: subprocess.Popen[str]) -> None:
    """Kill the parent alone: its workers have to notice by themselves."""
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stderr is not None
    process.stderr.close()
    wait_until_alone(process.pid)


def check_once(study: Killable, manifest: dict[str, Any], seen: dict[str, tuple[int, int]]) -> None:
    """Assert that what was finished before was not run again, and that nothing is written twice or left behind."""
    final = study.cells("killed")
    assert {name: final[name] for name in seen} == seen, "a finished cell was written again"
    assert set(final) == set(manifest["cells"])
    world = World(study.folder / "killed")
    assert world.verify()
    cells = Counter(entry.payload["cell"] for entry in world.entries("cell"))
    assert cells == Counter(manifest["cells"].keys()), "one entry for each cell"
    for kind, count in {"freeze": 1, "trial": 1, "study": 1, "family": 1, "verdict": 1}.items():
        assert world.kinds()[kind] == count, kind
    assert not list((study.folder / "killed" / "cells").glob("*.partial"))
    assert not list((study.folder / "killed" / "scratch").iterdir())
    assert [item.name for item in (study.folder / "killed" / "runs").iterdir()] == [manifest["run_id"]]


def patience() -> float:
    """Return two seconds, or as much longer as this machine has more to do than it has cores."""
    return 2.0 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def hears_ctrl_c(pid: int) -> bool:
    """Return whether a process would be ended by SIGINT: it neither blocks nor ignores it."""
    status = Path(f"/proc/{pid}/status")
    if not status.is_file():
        return False
    masks = dict(line.split(":\t") for line in status.read_text().splitlines() if line.startswith(("SigBlk", "SigIgn")))
    bit = 1 << (signal.SIGINT - 1)
    return not any(int(mask, 16) & bit for mask in masks.values())


def interrupt(study: Killable, workspace: str, pattern: str) -> tuple[int, str, float]:
    """Press Ctrl-C, which reaches every process of the terminal; return exit code, words and seconds until the end."""
    process = study.start(workspace)
    wait_for(process, pattern)
    hearing = [hears_ctrl_c(child.pid) for child in psutil.Process(process.pid).children(recursive=True)]
    assert not any(hearing), "only the parent listens"
    os.killpg(process.pid, signal.SIGINT)
    waited = 0.0
    while process.poll() is None and waited < 30.0:
        threading.Event().wait(0.05)
        waited += 0.05
    assert process.stderr is not None
    words = process.stderr.read()
    process.stderr.close()
    wait_until_alone(process.pid)
    return int(process.returncode), words, waited


@pytest.mark.req("EXP-06", "EXP-08", "EXP-21")
def test_two_kills_and_ctrl_c_and_still_reproduced(tmp_path: Path) -> None:
    study = Killable(tmp_path)
    seen: dict[str, tuple[int, int]] = {}
    for pattern in ("selection: 0/", "test: 0/"):
        process = study.start("killed")
        wait_for(process, pattern)
        threading.Event().wait(1.0)
        kill(process)
        now = study.cells("killed")
        assert {name: now[name] for name in seen} == seen, "a finished cell was written again"
        seen = now
    code, words, seconds = interrupt(study, "killed", "evidence: 0/")
    assert code == 130, words
    assert f"resume with: karat run {study.file} --workspace {tmp_path / 'killed'}" in words
    assert "Traceback" not in words
    assert seconds < patience()
    seen = study.cells("killed")
    assert seen, "some cells were finished"
    manifest = study.run("killed")
    check_once(study, manifest, seen)
    assert set(manifest["code"]["plugins"]) == {"toy_chance", "toy_market"}
    again = command("reproduce", "latest", "-w", tmp_path / "killed", env=study.env)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "reproduced: every hash is equal" in again.stdout


@pytest.mark.slow
@pytest.mark.req("EXP-06")
def test_twenty_kills_at_random_moments(tmp_path: Path) -> None:
    study = Killable(tmp_path, workers=2)
    rng = generator(20, "kills")
    watch, seconds = threading.Event(), 0.0
    process = study.start("calm")
    while process.poll() is None:
        watch.wait(0.1)
        seconds += 0.1
    assert process.returncode == 0
    assert process.stderr is not None
    process.stderr.close()
    fits = (tmp_path / "calm.log").read_text().splitlines()
    assert len(fits) == 3 * SEEDS + 1, "each cell once, and one of them again in the fresh process"
    seen: dict[str, tuple[int, int]] = {}
    for _ in range(20):  # what is finished is kept: kills in the first half of a whole run reach every stage
        process = study.start("killed")
        watch.wait(float(rng.uniform(0.1, seconds / 2.0)))
        kill(process)
        now = study.cells("killed")
        assert {name: now[name] for name in seen} == seen, "a finished cell was written again"
        seen = now
    left, right = study.run("killed"), study.run("calm")
    for name in COMPARED:
        assert left[name] == right[name], name
    world = World(study.folder / "killed")
    published = world.kinds()["verdict"]
    assert published >= 1
    final = study.cells("killed")
    assert {name: final[name] for name in seen} == seen
    assert world.verify()
    cells = Counter(entry.payload["cell"] for entry in world.entries("cell"))
    assert cells == Counter(left["cells"].keys())


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["data: 0/", "data: 1/", "selection: 0/", "test: 0/", "evidence: 0/"])
def test_ctrl_c_at_every_stage_says_how_to_go_on(tmp_path: Path, pattern: str) -> None:
    study = Killable(tmp_path)
    code, words, seconds = interrupt(study, "stopped", pattern)
    assert code == 130, words
    assert f"resume with: karat run {study.file} --workspace {tmp_path / 'stopped'}" in words
    assert "Traceback" not in words
    assert seconds < patience()
