"""The whole environment: every package that karat needs, directly or through another, against the lock file.

Invariants:
1. A package that is missing is named, also when only a package of a package needs it.
2. Nothing but the standard library is imported: what is missing may be anything.
3. Requirements of extras, and those bound to a platform or Python that is not this one, count only where installed.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Package:
    """One package karat stands on; `locked` and `installed` are versions, None where there is none."""

    name: str
    locked: str | None
    installed: str | None
    needed_by: str

    @property
    def state(self) -> str:
        """ok, missing, or drift where the installed version is not the locked one."""
        if self.installed is None:
            return "missing"
        return "drift" if self.locked not in (None, self.installed.split("+")[0]) else "ok"


def packages(root: str = "karat") -> list[Package]:
    """Return every package that `root` needs, sorted by name."""
    locked = locked_versions()
    needed_by: dict[str, str] = {}
    waiting = [root]
    while waiting:
        parent = waiting.pop()
        for name in _requirements(parent):
            if name not in needed_by and name != root:
                needed_by[name] = parent
                waiting.append(name)
    return [Package(name, locked.get(name), _installed(name), parent) for name, parent in sorted(needed_by.items())]


def locked_versions() -> dict[str, str]:
    """Return package to version of the lock file; empty where there is none."""
    places = (_ROOT / "constraints.txt", _ROOT.parents[1] / "constraints.txt")  # in a wheel, in the source tree
    path = next((place for place in places if place.is_file()), None)
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path else ():
        name, pinned, version = line.split("#")[0].partition("==")
        if pinned:
            found[_plain(name)] = version.split(";")[0].strip()
    return found


def _requirements(name: str) -> Iterator[str]:
    try:
        lines = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for line in lines:
        needed, bound, marker = line.partition(";")
        found = _plain(re.split(r"[\s<>=!~\[(]", needed.strip(), maxsplit=1)[0])
        if not bound or ("extra" not in marker and _installed(found)):
            yield found


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
