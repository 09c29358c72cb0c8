"""What a run stands on: versions, sources, hardware, git. Part of it addresses cells, the rest is only recorded."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import karat
from karat.core import content_hash, file_digests, tree_hash
from karat.study._plugins import GROUPS

_ROOT = Path(karat.__file__).parent
_ADDRESSING_EXTRAS = ("torch", "ray", "skfolio")


@functools.cache
def source_hash() -> str:
    """Return the SHA-256 over karat's own Python sources."""
    return tree_hash(_ROOT)


@functools.cache
def versions() -> dict[str, str]:
    """Return name to version of Python and of the libraries karat declares, as installed."""
    found = {"python": platform.python_version(), "karat": _version("karat") or "unknown"}
    for requirement in importlib.metadata.requires("karat") or []:
        if "extra ==" not in requirement:
            name = re.split(r"[\s<>=!~\[;]", requirement, maxsplit=1)[0]
            found[name] = _version(name) or "missing"
    for name in _ADDRESSING_EXTRAS:
        version = _version(name)
        if version:
            found[name] = version
    return dict(sorted(found.items()))


def plugin_hashes(plugins: Sequence[str]) -> dict[str, str]:
    """Return for each plug-in the hash of its distribution's version and of all sources of its top-level package."""
    points = [point for group in GROUPS for point in importlib.metadata.entry_points(group=group)]
    found = {}
    for name in plugins:
        parts = [
            [point.group, point.value, point.dist.version if point.dist else "", _sources(point.module)]
            for point in points
            if point.name == name
        ]
        found[name] = content_hash(sorted(parts))
    return found


def _sources(module: str) -> str:
    spec = importlib.util.find_spec(module.partition(".")[0])
    if spec is None:
        return "unknown"
    if spec.submodule_search_locations:
        return content_hash([tree_hash(Path(place)) for place in spec.submodule_search_locations])
    return file_digests(Path(spec.origin))[0] if spec.origin else "unknown"


def code_identity(plugins: Sequence[str]) -> dict[str, Any]:
    """Return everything but configuration and data that can change a number."""
    return {
        "sources": source_hash(),
        "versions": versions(),
        "machine": platform.machine(),
        "plugins": plugin_hashes(plugins),
    }


def lock_file() -> Path | None:
    """Return the constraints file: inside an installed wheel, else at the root of the source tree."""
    for path in (_ROOT / "constraints.txt", _ROOT.parent.parent / "constraints.txt"):
        if path.is_file():
            return path
    return None


def lock_drift() -> list[str]:
    """Return a line for each locked library whose installed version differs; empty when all agree."""
    path = lock_file()
    if path is None:
        return ["constraints.txt is missing"]
    locked = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, found, version = line.split("#")[0].strip().partition("==")
        if found:
            locked[name.lower().replace("_", "-")] = version.split(";")[0].strip()
    drift = []
    for name, version in versions().items():
        wanted = locked.get(name.lower().replace("_", "-"))
        if wanted is not None and version.split("+")[0] != wanted:
            drift.append(f"{name}: locked {wanted}, installed {version}")
    return drift


def environment() -> dict[str, Any]:
    """Return the record of this machine and installation for run.json; unknown values say so."""
    lock = lock_file()
    return {
        "versions": versions(),
        "sources": source_hash(),
        "lock": file_digests(lock)[0] if lock else "unknown",
        "lock_drift": lock_drift(),
        "git": git_state(),
        "hardware": {
            "machine": platform.machine(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gib": _memory_gib(),
            "gpu": _gpu(),
        },
        "system": platform.platform(),
        "argv": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


def measured_on() -> dict[str, Any]:
    """Return where something was measured: processor, cores, memory, system, Python, karat's sources and commit."""
    found = environment()
    hardware = {key: found["hardware"][key] for key in ("processor", "cores", "memory_gib")}
    python = found["versions"]["python"]
    return {**hardware, "system": found["system"], "python": python, "sources": found["sources"], "git": found["git"]}


@functools.cache
def git_state() -> dict[str, Any]:
    """Return commit and dirty flag of the tree that holds karat's sources, or `unknown` outside a checkout."""
    tracked = _git("ls-files", "--error-unmatch", "__init__.py")  # else the checkout is somebody else's
    commit = _git("rev-parse", "HEAD")
    status = _git("status", "--porcelain")
    if not tracked or not commit or status is None:
        return {"commit": "unknown", "dirty": "unknown"}
    return {"commit": commit, "dirty": bool(status)}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _memory_gib() -> float:
    import psutil

    return round(psutil.virtual_memory().total / 2**30, 1)


def _gpu() -> dict[str, str] | str:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        driver = Path("/proc/driver/nvidia/version")
        return {"driver": driver.read_text(encoding="utf-8").splitlines()[0]} if driver.is_file() else "none"
    return {"name": str(torch.cuda.get_device_name(0)), "cuda": str(torch.version.cuda)}
