"""`karat doctor`: what of this machine and installation is missing, by name."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from karat._words import counted
from karat.cli._options import Debug, Json, WorkspaceDir
from karat.cli._output import emit, errors, table
from karat.cli._packages import packages

_EXTRAS: Final = {
    "torch": ("nets", "the patch transformer"),
    "duckdb": ("lake", "SQL over the catalog"),
    "skfolio": ("portfolio", "the bundled 20 stocks"),
    "ray": ("distributed", "running cells on a cluster"),
    "redis": ("online", "features served to several processes"),
}
_MINIMUM_FREE_GIB: Final = 1.0
_SKEW_SECONDS: Final = 1.0
_BAD: Final = ("missing", "broken")

Row = tuple[str, str, str]


def doctor(workspace: WorkspaceDir = None, json: Json = False, debug: Debug = False) -> None:
    """Check Python, every package, lock file, disk, clock and ledger; exit 3 if something needed is missing."""
    with errors(as_json=json, debug=debug):
        place = workspace or Path("workspace")
        rows = [*_python(), *_packages(), *_extras(), *_disk(place), *_clock()]
        if not any(row[1] == "missing" for row in rows):  # karat itself may not even load
            rows += _ledger(place)
        bad = [row[0] for row in rows if row[1] in _BAD]
        facts = {
            "ok": not bad,
            "bad": bad,
            "checks": [dict(zip(("check", "state", "detail"), row, strict=True)) for row in rows],
        }
        shown = [row for row in rows if not (row[0].startswith("package ") and row[1] == "ok")]
        text = table(("check", "state", "detail"), shown) + "\n\n"
        text += f"missing or broken: {', '.join(bad)}" if bad else "all that is needed is here"
        emit(facts, text, as_json=json)
        if bad:
            raise SystemExit(3)


def _python() -> Iterator[Row]:
    version = sys.version_info
    fits = (3, 11) <= tuple(version[:2]) <= (3, 13)
    yield "python", "ok" if fits else "missing", f"{version[0]}.{version[1]}.{version[2]}; needs 3.11 to 3.13"


def _packages() -> Iterator[Row]:
    """Yield one row for every package karat needs, also through others, and one for the lock file."""
    found = packages()
    for item in found:
        wanted = f"{item.name}=={item.locked}" if item.locked else item.name
        detail = f"{item.installed}" if item.state == "ok" else f"{item.installed}; locked: {item.locked}"
        if item.state == "missing":
            detail = f"needed by {item.needed_by}: pip install '{wanted}'"
        yield f"package {item.name}", item.state, detail
    drifted = sum(item.state == "drift" for item in found)
    known = sum(item.locked is not None for item in found)
    state = "broken" if not known else "drift" if drifted else "ok"
    listed = f"{known} of {counted(len(found), 'package')} are in it"
    yield "lock file", state, f"{listed}, {drifted} installed in another version"


def _extras() -> Iterator[Row]:
    for module, (extra, what) in _EXTRAS.items():
        there = importlib.util.find_spec(module) is not None
        yield module, "ok" if there else "optional", what if there else f"{what}: pip install 'karat[{extra}]'"


def _disk(place: Path) -> Iterator[Row]:
    free = shutil.disk_usage(place if place.exists() else Path.cwd()).free / 2**30
    yield "disk", "ok" if free >= _MINIMUM_FREE_GIB else "missing", f"{free:.1f} GiB free; needs {_MINIMUM_FREE_GIB:g}"


def _clock() -> Iterator[Row]:
    """Compare the wall clock with the newest of karat's own files: a clock before it is wrong."""
    newest = max(path.stat().st_mtime_ns for path in Path(__file__).parent.glob("*.py"))
    with tempfile.NamedTemporaryFile() as stamp:  # the file system's clock: the seam of karat.core may not load
        behind = (newest - Path(stamp.name).stat().st_mtime_ns) / 1e9
    good = behind < _SKEW_SECONDS
    yield (
        "clock",
        "ok" if good else "drift",
        "after karat's own files" if good else f"{behind:.0f} s before them: set it",
    )


def _ledger(place: Path) -> Iterator[Row]:
    from karat.core import LedgerError, verify_ledger

    path = place / "ledger.sqlite"
    if not path.exists():
        yield "ledger", "ok", f"none yet in {place}"
        return
    try:
        outcome = verify_ledger(path)
    except LedgerError as error:  # a study is running: its writer holds the ledger
        yield "ledger", "busy", error.problem
        return
    yield (
        "ledger",
        "ok" if outcome.ok else "broken",
        counted(outcome.size, "entry") if outcome.ok else str(outcome.problem),
    )
