"""Where code comes from: packages that state a version are told by it, all other code by the text of its files."""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from karat.core import content_hash, tree_hash


@functools.cache
def version_of(package: str) -> str:
    """Return the version that a package says it is of, Python's for what comes with it, nothing where there is none."""
    if package in sys.stdlib_module_names:
        return platform.python_version()
    try:
        return str(getattr(importlib.import_module(package), "__version__", "") or metadata.version(package))
    except (ImportError, ValueError):  # it stands for no package, or for one that was never installed
        return ""


@functools.cache
def compilers() -> str:
    """Return the versions of what compiles kernels and functions of users, without importing it."""
    return " ".join(metadata.version(name) for name in ("numba", "llvmlite"))


def package_of(value: Any) -> str:
    """Return the name of the package in which a function, a class, or the class of an object was written."""
    kept = value if hasattr(value, "__module__") else type(value)
    return str(getattr(kept, "__module__", None) or "").split(".")[0]


def is_named(value: Any) -> bool:
    """Return whether a loaded module has a function or a class under its own name: the name then tells which it is."""
    found: Any = sys.modules.get(str(getattr(value, "__module__", "")))
    for part in str(getattr(value, "__qualname__", "")).split("."):
        found = getattr(found, part, None)
    name = str(getattr(value, "__name__", ""))
    return found is value or any(vars(each).get(name) is value for each in [*sys.modules.values()] if _is_module(each))


def is_installed(package: str) -> bool:
    """Return whether a package has a version and lies where installers put packages, so that nobody writes there."""
    installed = {"site-packages", "dist-packages"}
    return bool(version_of(package)) and all(installed & {*path.parts} for path in _files(package))


def source_of(module: ModuleType) -> list[Any]:
    """Return the hash of all files of a module's package and of what they import, packages with a version by that."""
    found: dict[str, str] = {}
    waiting = [_top(module.__name__)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            files = list(_files(name))
            found[name] = content_hash([tree_hash(path) if path.is_dir() else path.read_bytes() for path in files])
            waiting += [each for path in files for each in _imported(path) if not version_of(each)]
    return sorted(found.items())


def _is_module(value: object) -> bool:
    return isinstance(value, ModuleType)


def _top(name: str) -> str:
    return name.split(".")[0]


def _files(package: str) -> Iterator[Path]:
    """Yield the folders of a package, or the file of a module; nothing where there is neither, as in an interpreter."""
    module = sys.modules.get(package)
    if module is None:
        spec = importlib.util.find_spec(package) if package else None
        folders, file = (spec.submodule_search_locations, spec.origin) if spec else (None, None)
    else:
        folders, file = getattr(module, "__path__", None), getattr(module, "__file__", None)
    yield from (path for path in map(Path, folders or ([file] if file else [])) if path.exists())


def _imported(path: Path) -> Iterator[str]:
    """Yield the packages that a file, or any file of a folder, imports."""
    for file in sorted(path.glob("**/*.py")) if path.is_dir() else [path]:
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):  # compiled, or a file that is never imported
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (_top(each.name) for each in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield _top(node.module)
