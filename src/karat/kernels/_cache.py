"""Where compiled kernels are kept on disk, and under which name: the place decides whether code may be trusted.

numba's own cache looks at the file of the function it compiles and at no other, so an edited callee in another file
goes unnoticed. Here the directory itself is named by everything that decides the machine code.

Invariants:
1. The directory's name is a hash of every source file of this package, the versions of numba and llvmlite, that of
   Python and the processor.
2. `KARAT_CACHE` names the root; without it, it is the user's cache directory. A root that cannot be written falls back
   to a private directory under the temporary one, and where that fails too, kernels compile without a cache.
3. A directory that another user owns or may write to is never read: a cached kernel is code.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).resolve().parent
VARIABLE: Final = "KARAT_CACHE"
_TEMPORARY: Final = "karat-cache"


@cache
def processor() -> str:
    """Return name and features of this machine's processor."""
    import llvmlite.binding as llvm

    return f"{llvm.get_process_triple()} {llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"


@cache
def compilers() -> str:
    """Return the versions of what compiles, without importing it."""
    from importlib import metadata  # it imports the mail parser

    return f"{metadata.version('numba')} {metadata.version('llvmlite')}"


def cache_key(package: Path = PACKAGE, *, version: str | None = None, cpu: str | None = None) -> str:
    """Return 16 hex digits that change with any source file under `package`, the compilers' versions or the processor.

    version, cpu: those of this machine unless given.
    """
    facts = (version or compilers(), cpu or processor(), str(sys.version_info[:2]))
    digest = hashlib.sha256("\0".join(facts).encode())
    for path in sorted(package.glob("**/*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def cache_directory(environment: Mapping[str, str], key: str | None = None) -> Path | None:
    """Return the writable directory of this build's kernels, created private to the user; None when there is none."""
    return next((place for root, place in _places(environment, key) if _usable(root, place)), None)


def readable_directories(environment: Mapping[str, str], key: str | None = None) -> Iterator[Path]:
    """Yield the directories of this build's kernels that may be read, whether they can be written or not."""
    return (place for root, place in _places(environment, key) if _safe(root, place))


def user_cache(environment: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Return the root of the cache: `KARAT_CACHE`, or the user's cache directory as the platform defines it."""
    if environment.get(VARIABLE):
        return Path(environment[VARIABLE]).expanduser()
    if platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "karat" / "cache"
    if platform == "darwin":
        return Path.home() / "Library" / "Caches" / "karat"
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "karat"


def _places(environment: Mapping[str, str], key: str | None) -> Iterator[tuple[Path, Path]]:
    key = key or cache_key()
    for root in (user_cache(environment), Path(tempfile.gettempdir()) / f"{_TEMPORARY}-{_user()}"):
        yield root, root / "kernels" / key


def _usable(root: Path, directory: Path) -> bool:
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.parent.mkdir(mode=0o700, exist_ok=True)
        directory.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError:
        return False
    return _safe(root, directory)


def _safe(root: Path, directory: Path) -> bool:
    # The root may be open to the user's group; what lies below it holds code and is the user's alone.
    others = stat.S_IWGRP | stat.S_IWOTH
    try:
        return _owned(root) and _owned(directory.parent, but_not=others) and _owned(directory, but_not=others)
    except OSError:
        return False


def _owned(path: Path, *, but_not: int = 0) -> bool:
    """Return whether this user owns `path` and nobody in `but_not` may write; where there are no owners, it is so."""
    facts = path.stat()
    return not hasattr(os, "getuid") or (facts.st_uid == _user() and not facts.st_mode & but_not)


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0
