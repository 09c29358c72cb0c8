"""A bundle: machine code of many kernels in one file, loaded by LLVM's linker without a compiler in the process.

The file: a line with the SHA-256 of everything after it, a line of JSON (the cache key, the symbols, and the functions
of the process that the code calls), object code.

Invariants:
1. Only a file whose hash and key are right is loaded; any other is thrown away and compiled anew.
2. A file is written whole or not at all, so processes that compile at the same time end with one good file.
3. What cannot be kept on disk still runs.
4. Whoever waits can be told: a compilation is announced to the logger of this module, level INFO, before it begins.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from karat.kernels._cache import cache_directory, cache_key, readable_directories
from karat.kernels._jit import Kernel, bundle_of

_LOG: Final = logging.getLogger(__name__)
_LOCK: Final = threading.RLock()
_LOADED: Final[dict[str, Library]] = {}
_COMPILED: Final[list[str]] = []


@dataclass(frozen=True)
class Bundle:
    """Object code, the symbols it defines, and the functions it asks the process for."""

    code: bytes
    symbols: tuple[str, ...]
    asks: tuple[str, ...]


class Library:
    """A bundle's machine code in this process; it stays as long as the process."""

    def __init__(self, bundle: Bundle) -> None:
        import llvmlite.binding as llvm

        self.symbols, self.asks = frozenset(bundle.symbols), bundle.asks
        self._engine: Any = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine())
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(bundle.code))
        self._engine.finalize_object()

    def address(self, symbol: str) -> int:
        """Return the address of a symbol of this bundle."""
        return int(self._engine.get_function_address(symbol))


def machine() -> Any:
    """Return LLVM's description of this machine: code for this processor, at full optimisation.

    As numba makes it, but with vectors as long as the processor has where LLVM would take half of that.
    """
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    found = llvm.get_host_cpu_features()
    features = found.flatten()
    if found.get("avx512vbmi2"):  # from Ice Lake on, long vectors do not slow the clock: a third off the target panel
        features += ",-prefer-256-bit"
    reloc = "static" if target.name.startswith("x86") else "default"
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=3, reloc=reloc, codemodel="jitdefault", jit=True
    )


def library_of(kernel: Kernel) -> Library:
    """Return the loaded bundle of a kernel: from disk, or compiled now."""
    for made in list(_LOADED.values()):
        if kernel.entry in made.symbols:
            return made
    return library(*bundle_of(kernel))


def library(name: str, roots: Sequence[str]) -> Library:
    """Return the bundle of the name, loaded once: from disk, or compiled now and kept there."""
    with _LOCK:
        if name not in _LOADED:
            key = cache_key()
            found = _from_disk(f"{name}.bundle", key) or _compiled(name, roots, key)
            _LOADED[name] = Library(found)
        return _LOADED[name]


def bundles_compiled() -> int:
    """Return how many bundles this process has compiled so far: 0 where all that it uses came from disk.

    Example:
        >>> bundles_compiled() >= 0
        True
    """
    return len(_COMPILED)


def pack(bundle: Bundle, key: str) -> bytes:
    """Return the content of a bundle's file."""
    head = {"key": key, "symbols": bundle.symbols, "asks": bundle.asks}
    body = json.dumps(head).encode() + b"\n" + bundle.code
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def unpack(content: bytes, key: str) -> Bundle | None:
    """Return what a bundle's file holds, or None where it is not what was written for this key."""
    digest, _, body = content.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        return None
    head, _, code = body.partition(b"\n")
    facts = json.loads(head)
    return Bundle(code, tuple(facts["symbols"]), tuple(facts["asks"])) if facts["key"] == key else None


def _from_disk(name: str, key: str) -> Bundle | None:
    for directory in readable_directories(os.environ, key):
        path = directory / name
        with suppress(OSError):
            found = unpack(path.read_bytes(), key)
            if found:
                return found
            path.unlink()
    return None


def _compiled(name: str, roots: Sequence[str], key: str) -> Bundle:
    from karat.kernels._build import build

    _LOG.info("compiling the kernels of %s, once", name.rpartition(".")[2].strip("_"))
    made = build(roots)
    directory = cache_directory(os.environ, key)
    if directory is not None:
        with suppress(OSError):  # a full disk, or a directory that vanished: the cache is a convenience
            _write(directory / f"{name}.bundle", pack(made, key))
    _COMPILED.append(name)
    return made


def _write(path: Path, content: bytes) -> None:
    number, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except OSError:
        os.unlink(name)
        raise
