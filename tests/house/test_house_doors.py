"""The rules of the house that a machine can hold: public names, seams, what an import may load."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src" / "karat"
PACKAGES = sorted(path.parent.name for path in SOURCES.glob("*/__init__.py"))
FILES = sorted(SOURCES.rglob("*.py"))
HEAVY = ("torch", "polars", "numba", "sklearn", "lightgbm", "pandas")
TARGETS = ("setup", "run", "test", "check", "bench", "docs", "verify", "features", "report", "clean")

# (call, where it may stand): one seam for the clock, one for randomness, no loader that runs code
SEAMS = {
    "time.time": {"core/_time.py"},
    "time.time_ns": {"core/_time.py"},
    "time.monotonic_ns": {"core/_time.py"},
    "datetime.now": set(),
    "dt.datetime.now": set(),
    "np.random.seed": {"core/_rng.py"},
    "np.random.default_rng": set(),
    "random.seed": {"core/_rng.py"},
    "random.random": set(),
    "uuid.uuid4": set(),
    "torch.load": set(),
    "pickle.load": set(),
    "pickle.loads": set(),
    "joblib.load": set(),
    "eval": set(),
    "exec": set(),
}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_door_lists_what_it_offers(package: str) -> None:
    module = importlib.import_module(f"karat.{package}")
    names = module.__all__
    assert (module.__doc__ or "").strip()
    assert len(set(names)) == len(names)
    assert all(hasattr(module, name) for name in names)  # a room may load a name when it is first asked for
    offered = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType) and name != "annotations"
    }
    assert offered == set(names)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_thing_has_a_docstring(package: str) -> None:
    module = importlib.import_module(f"karat.{package}")
    things = {name: getattr(module, name) for name in module.__all__}
    bare = [
        name for name, thing in things.items() if isinstance(thing, type | types.FunctionType) and not thing.__doc__
    ]
    assert bare == []


def calls(source: str) -> set[str]:
    """Return the dotted names that a source calls."""
    return {ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)}


def test_seams_are_used_and_nothing_else() -> None:
    broken = []
    for path in FILES:
        name = path.relative_to(SOURCES).as_posix()
        broken += [f"{name}: {call}" for call in calls(path.read_text()) if call in SEAMS and name not in SEAMS[call]]
    assert broken == []


def test_the_seam_check_sees_a_planted_call() -> None:
    assert calls("import time\nstamp = time.time()\n") & set(SEAMS) == {"time.time"}


def test_other_packages_are_entered_by_their_door() -> None:
    broken = []
    for path in FILES:
        package = path.relative_to(SOURCES).parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("karat."):
                parts = node.module.split(".")
                if len(parts) > 2 and parts[2].startswith("_") and parts[1] != package:
                    broken.append(f"{path.relative_to(SOURCES)}: {node.module}")
    assert broken == []


def test_files_stay_readable() -> None:
    long = [f"{path.relative_to(SOURCES)}: {n}" for path in FILES if (n := len(path.read_text().splitlines())) > 500]
    assert long == []


def test_nothing_unfinished_landed() -> None:
    words = ("NotImplementedError", "TODO", "FIXME", "except Exception")
    found = {f"{path.parent.name}/{path.name}: {word}" for path in FILES for word in words if word in path.read_text()}
    # the supervisor of every verb turns what nobody expected into a message and exit code 3
    assert found == {"cli/_output.py: except Exception"}


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_importing_karat_is_light() -> None:
    code = f"import sys, karat; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert run(code).stdout.strip() == "[]"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom karat.cli._app import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    assert run(code).stdout.strip() == "[]"


def test_importing_everything_opens_no_connection() -> None:
    code = (
        "import socket\n"
        "def refuse(*a, **k): raise AssertionError('network at import')\n"
        "socket.socket.connect = refuse\n"
        f"import importlib\nfor name in {PACKAGES!r}: importlib.import_module('karat.' + name)\nprint('ok')"
    )
    assert run(code).stdout.strip() == "ok"


@pytest.mark.req("DOC-06")
def test_compile_check_names_a_syntax_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("def f(:\n")
    tool = ROOT / "tools" / "ci_compile.py"
    command = [sys.executable, str(tool), "--quiet"]
    found = subprocess.run([*command, str(broken)], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "broken.py" in found.stderr
    clean = subprocess.run(command, capture_output=True, text=True, check=False)
    assert clean.returncode == 0, clean.stderr
    assert clean.stdout == ""


@pytest.mark.req("EXP-24")
@pytest.mark.parametrize("target", TARGETS)
def test_make_knows_its_targets(target: str) -> None:
    found = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


@pytest.mark.req("DOC-10")
def test_the_citation_file_is_complete() -> None:
    import yaml

    values = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert values["cff-version"] == "1.2.0"
    assert all(values.get(key) for key in ("message", "title", "authors", "version", "license", "date-released"))
    for page in ("model-card.md", "reproducibility-checklist.md"):
        assert (ROOT / "docs" / "reference" / page).is_file()
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


@pytest.mark.req("DOC-18")
def test_the_hook_can_be_installed() -> None:
    hook = ROOT / "tools" / "hooks" / "pre-commit"
    assert hook.stat().st_mode & 0o111
    assert "core.hooksPath tools/hooks" in (ROOT / "Makefile").read_text()


def test_examples_in_docstrings_run() -> None:
    import doctest

    failed = []
    for path in FILES:
        if ">>>" in path.read_text():
            name = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
            found = doctest.testmod(importlib.import_module(name))
            failed += [f"{name}: {found.failed} of {found.attempted}"] if found.failed else []
    assert failed == []


@pytest.mark.req("DOC-14")
def test_the_package_says_which_pythons_it_supports() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    for minor in (11, 12, 13):
        assert f"Programming Language :: Python :: 3.{minor}" in project["classifiers"]
    assert any(line.startswith("torch>=2.11") for line in project["optional-dependencies"]["nets"])


@pytest.mark.req("EXP-09")
def test_the_lock_file_pins_everything_that_is_declared() -> None:
    import re
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for name, lines in project["optional-dependencies"].items() if name != "types" for line in lines]
    declared = {re.split(r"[\s<>=!~\[;]", line, maxsplit=1)[0].lower() for line in [*project["dependencies"], *extras]}
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9A-Za-z.]*", line) for line in lines), "exact versions only"
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    assert sorted(declared - pinned) == []
    assert "torch==2.13.0" in lines


@pytest.mark.req("DOC-05")
def test_ci_is_one_script_that_starts_from_a_clean_checkout() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    for step in ("make setup", "make check", "coverage_gate.py", "make run", "run_readme.py"):
        assert step in script
