"""`karat doctor`: what of this machine and installation is missing, by name."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from karat.cli._options import Debug, Json, WorkspaceDir
from karat.cli._output import emit, errors, table

_EXTRAS = {
    "torch": ("nets", "the patch transformer"),
    "duckdb": ("lake", "SQL over the catalog"),
    "skfolio": ("portfolio", "the bundled 20 stocks"),
    "ray": ("distributed", "running cells on a cluster"),
}
_MINIMUM_FREE_GIB = 1.0
_SKEW_SECONDS = 1.0


def doctor(workspace: WorkspaceDir = None, json: Json = False, debug: Debug = False) -> None:
    """Check Python, libraries, lock file, disk, clock and ledger; exit 3 if something needed is missing."""
    with errors(as_json=json, debug=debug):
        rows = [*_python(), *_libraries(), *_lock(), *_disk(workspace), *_clock(), *_ledger(workspace)]
        bad = [row for row in rows if row[1] == "missing"]
        text = table(("check", "state", "detail"), rows)
        text += f"\n\nmissing: {', '.join(row[0] for row in bad)}" if bad else "\n\nall that is needed is here"
        emit(
            {"ok": not bad, "checks": [dict(zip(("check", "state", "detail"), row, strict=True)) for row in rows]},
            text,
            as_json=json,
        )
        if bad:
            raise typer.Exit(3)


def _python() -> Iterator[tuple[str, str, str]]:
    version = sys.version_info
    fits = (3, 11) <= version[:2] <= (3, 13)
    yield "python", "ok" if fits else "missing", f"{version.major}.{version.minor}.{version.micro}; needs 3.11 to 3.13"


def _libraries() -> Iterator[tuple[str, str, str]]:
    from karat.study import installed_versions

    for name, found in installed_versions().items():
        if found == "missing":
            yield name, "missing", f"pip install {name}"
    for module, (extra, what) in _EXTRAS.items():
        there = importlib.util.find_spec(module) is not None
        yield module, "ok" if there else "optional", what if there else f"{what}: pip install 'karat[{extra}]'"


def _lock() -> Iterator[tuple[str, str, str]]:
    from karat.study import lock_drift

    drift = lock_drift()
    yield "lock file", "drift" if drift else "ok", "; ".join(drift) or "installed versions are the locked ones"


def _disk(workspace: Path | None) -> Iterator[tuple[str, str, str]]:
    free = shutil.disk_usage(workspace if workspace and workspace.exists() else Path.cwd()).free / 2**30
    yield "disk", "ok" if free >= _MINIMUM_FREE_GIB else "missing", f"{free:.1f} GiB free; needs {_MINIMUM_FREE_GIB:g}"


def _clock() -> Iterator[tuple[str, str, str]]:
    """Compare the wall clock with the newest of karat's own files: a clock before it is wrong."""
    from karat.core import iso, now_ns

    newest = max(path.stat().st_mtime_ns for path in Path(__file__).parent.glob("*.py"))
    behind = (newest - now_ns()) / 1e9
    state = "ok" if behind < _SKEW_SECONDS else "drift"
    yield (
        "clock",
        state,
        iso(now_ns() // 10**9 * 10**9) if state == "ok" else f"{behind:.0f} s before karat's own files",
    )


def _ledger(workspace: Path | None) -> Iterator[tuple[str, str, str]]:
    from karat.core import verify_ledger

    path = Path(workspace or "workspace") / "ledger.sqlite"
    if not path.exists():
        yield "ledger", "ok", "none yet"
        return
    outcome = verify_ledger(path)
    yield "ledger", "ok" if outcome.ok else "missing", f"{outcome.size} entries" if outcome.ok else str(outcome.problem)
