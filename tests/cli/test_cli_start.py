"""A fresh process with the network closed: help at once, a light import, one object on stdout, quiet ends."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from pathlib import Path

import pytest
from cli_factory import KARAT, fresh, write_study

HEAVY = ("torch", "polars", "pandas", "sklearn", "lightgbm", "matplotlib", "numba", "arch", "statsmodels", "scipy")
HELP_SECONDS, IMPORT_SECONDS = 0.5, 1.0


def cpu_seconds(*words: str, folder: Path, script: str | None = None) -> float:
    """Return user and system time of the best of three fresh processes: free of what else the machine does."""
    best = float("inf")
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = fresh(*words, folder=folder, script=script)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 0, done.stderr
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def test_help_answers_at_once_and_offline(tmp_path: Path) -> None:
    assert cpu_seconds("--help", folder=tmp_path) <= HELP_SECONDS
    assert cpu_seconds("run", "--help", folder=tmp_path) <= HELP_SECONDS
    assert cpu_seconds("--version", folder=tmp_path) <= HELP_SECONDS
    assert cpu_seconds("guard", "list", folder=tmp_path) <= HELP_SECONDS


def test_the_module_is_the_command(tmp_path: Path) -> None:
    script = 'import sys; from karat.cli import main; sys.argv[1:] = ["features", "--help"]; main()'
    module, command = fresh("features", "--help", folder=tmp_path), fresh(folder=tmp_path, script=script)
    assert (module.returncode, module.stderr) == (0, "")
    assert module.stdout == command.stdout
    assert "Usage: karat features [OPTIONS] COMMAND" in module.stdout
    assert fresh("features", "list", "a21", folder=tmp_path).returncode == 2


def test_importing_karat_is_light_and_offline(tmp_path: Path) -> None:
    script = f"import sys, karat; print([name for name in {HEAVY} if name in sys.modules])"
    assert cpu_seconds(folder=tmp_path, script=script) <= IMPORT_SECONDS
    assert fresh(folder=tmp_path, script=script).stdout == "[]\n"


def test_the_first_word_comes_within_a_second(tmp_path: Path) -> None:
    import psutil

    words = [*KARAT, "run", "nowhere.yaml"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, text=True) as command:
        assert command.stderr is not None
        first = command.stderr.readline()
        spent = psutil.Process(command.pid).cpu_times()
        rest = command.stderr.read()
    assert first == "reading the study\n"
    assert spent.user + spent.system <= IMPORT_SECONDS
    assert command.returncode == 2
    assert "no such file" in rest


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    script = f"import sys, karat.cli; print([name for name in {(*HEAVY, 'numpy', 'pydantic')} if name in sys.modules])"
    assert fresh(folder=tmp_path, script=script).stdout == "[]\n"


def test_listing_guards_loads_nothing_heavy(tmp_path: Path) -> None:
    script = f"""
import atexit, sys
atexit.register(lambda: print([name for name in {(*HEAVY, "numpy")} if name in sys.modules]))
sys.argv = ["karat", "guard", "list"]
from karat.cli import main
main()
"""
    lines = fresh(folder=tmp_path, script=script).stdout.splitlines()
    assert lines[1].split()[0] == "data"
    assert lines[-1] == "[]"


def test_listing_features_loads_no_data_frame_and_no_compiler(tmp_path: Path) -> None:
    heavy = (*HEAVY, "sqlalchemy", "talib", "cffi", "structlog")
    script = f"""
import atexit, sys
atexit.register(lambda: print([name for name in {heavy} if name in sys.modules]))
sys.argv = ["karat", "features", "list", "a20"]
from karat.cli import main
main()
"""
    lines = fresh(folder=tmp_path, script=script).stdout.splitlines()
    assert lines[1].split()[0] == "ret_1"
    assert lines[-1] == "[]"


def test_the_closed_network_is_closed(tmp_path: Path) -> None:
    script = "import socket; socket.create_connection(('127.0.0.1', 9))"
    assert "the network was asked for" in fresh(folder=tmp_path, script=script).stderr


def test_version_is_the_packages(tmp_path: Path) -> None:
    import karat

    assert fresh("--version", folder=tmp_path).stdout == f"karat {karat.__version__}\n"


@pytest.mark.slow
def test_a_study_runs_offline_in_workers_with_one_object_on_stdout(tmp_path: Path) -> None:
    study = write_study(tmp_path, splits={"test_frac": 0.45, "select_folds": 1, "test_folds": 1, "valid_bars": 120})
    done = fresh("run", study, "--json", folder=tmp_path, env={"KARAT_WORKSPACE": str(tmp_path / "w")})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["run_id"]
    assert done.stderr.startswith("reading the study\ndata: 0/1\n")
    assert (tmp_path / "w" / "ledger.sqlite").is_file()


def test_a_reader_who_has_seen_enough_ends_quietly(tmp_path: Path) -> None:
    command = subprocess.Popen(
        [*KARAT, "features", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=os.environ
    )
    assert command.stdout is not None
    command.stdout.close()
    _, trouble = command.communicate(timeout=60)
    assert (command.returncode, trouble) == (0, b"")


@pytest.mark.parametrize("module", ["polars", "pydantic"])
def test_a_library_that_cannot_be_imported_is_named(module: str, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("name: a\n", encoding="utf-8")
    script = f"""
import sys
sys.modules[{module!r}] = None
sys.argv = ["karat", "config", "check", "study.yaml"]
from karat.cli import main
main()
"""
    done = fresh(folder=tmp_path, script=script)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"error: {module}: this library is missing; `karat doctor` names every one that is\n"


def test_doctor_runs_where_karat_cannot_load(tmp_path: Path) -> None:
    script = """
import importlib.metadata as metadata, sys
version = metadata.version
def missing(name):
    if name == "numpy":
        raise metadata.PackageNotFoundError(name)
    return version(name)
metadata.version = missing
sys.modules["numpy"] = None
sys.argv = ["karat", "doctor"]
from karat.cli import main
main()
"""
    done = fresh(folder=tmp_path, script=script)
    assert done.returncode == 3, done.stderr
    assert done.stdout.endswith("missing or broken: package numpy\n")
