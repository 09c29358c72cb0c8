"""Compile once per machine: a disk cache for compiled kernels that can never serve stale code.

numba's own cache looks at the file of the function it compiles and at no other, so an edited callee in another file
goes unnoticed. Here the directory itself is named by everything that decides the machine code.

Invariants:
1. The directory's name is a hash of every source file of this package, the numba version and the CPU's name.
2. `KARAT_CACHE` names the root; without it, it is the user's cache directory. A root that cannot be written falls back
   to a private directory under the temporary one, and where that fails too, kernels compile without a cache.
3. A directory that another user owns or may write to is never read: a cached kernel is code.
4. Other users of numba in the process are not affected: its configuration is restored.

Importing this module imports numba; only the modules of compiled code do so, inside the first call.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba.core import types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.datamodel.models import OpaqueModel
from numba.core.datamodel.registry import register_default
from numba.core.registry import cpu_target

_CONFIG: Any = numba.config
PACKAGE: Final = Path(__file__).resolve().parent
VARIABLE: Final = "KARAT_CACHE"
_LOCK = threading.Lock()
_TEMPORARY = "karat-cache"


def compiled(signature: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that compiles a function for one explicit signature, or loads it from the disk cache.

    Reductions keep their order and NaN its meaning (no fast maths); a division by zero gives infinity as in numpy.
    With `NUMBA_DISABLE_JIT=1` the function itself is returned.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if _CONFIG.DISABLE_JIT:
            return function
        directory = cache_directory(os.environ)
        try:
            made: Callable[..., Any] = _compile(function, signature, directory)
        except OSError:  # a full disk, or a directory that vanished: the cache is a convenience, the kernel is not
            made = _compile(function, signature, None)
        return made

    return decorate


class Exported(types.ExternalFunction):
    """A compiled function that compiled callers reach by its symbol: it is compiled once and never linked into them.

    `address` is that of a C function with the same signature; calling the object calls it, with integers and floats.
    """

    def __init__(self, symbol: str, function: Any) -> None:
        super().__init__(symbol, function._sig)
        self.function = function
        self.address: int = function.address

    def __call__(self, *given: Any) -> Any:
        return self.function.ctypes(*given)


register_default(Exported)(OpaqueModel)


def exported(signature: str) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator like `compiled` for functions of a large engine: called by symbol, not linked into callers.

    A chain of linked functions is optimised again in each of its callers: ninety functions took 40 s to compile that
    way and take a quarter of that by symbol. What is called for every event is `compiled` and so part of its caller.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        if _CONFIG.DISABLE_JIT:
            return function
        directory = cache_directory(os.environ)
        try:
            made = _compile(function, signature, directory, numba.cfunc)
        except OSError:
            made = _compile(function, signature, None, numba.cfunc)
        symbol = f"{function.__module__}.{function.__qualname__}"
        llvm.add_symbol(symbol, made.address)
        return Exported(symbol, made)

    return decorate


@contextmanager
def _bare_entry(name: str) -> Iterator[None]:
    """Let numba make C entry points that contain the function, while this context is open.

    Its own entry points call the function, never inline it, and look for a Python exception afterwards: 4 ns a call, a
    third of the time of an order. Kernels raise nothing. Open it with numba's lock held: others compile too.
    """
    context: Any = cpu_target.target_context

    def entry(library: Any, described: Any, *_: Any) -> None:
        if described.qualname != name:  # of a helper of numba's own, which is called from compiled code only
            return
        convention, module = context.call_conv, context.create_module("cfunc_wrapper")
        kinds = [context.get_value_type(kind) for kind in described.argtypes]
        result = context.get_value_type(described.restype)
        inner_type = convention.get_function_type(described.restype, described.argtypes)
        inner = ir.Function(module, inner_type, described.llvm_func_name)
        outer = ir.Function(module, ir.FunctionType(result, kinds), described.llvm_cfunc_wrapper_name)
        builder = ir.IRBuilder(outer.append_basic_block("entry"))
        given = described.restype, described.argtypes, outer.args
        builder.ret(convention.call_function(builder, inner, *given)[1])
        library.add_ir_module(module)

    context.create_cfunc_wrapper = entry
    try:
        yield
    finally:
        del context.create_cfunc_wrapper


def _compile(function: Callable[..., Any], signature: str, directory: Path | None, make: Any = numba.njit) -> Any:
    with _LOCK:
        before = _CONFIG.CACHE_DIR
        _CONFIG.CACHE_DIR = "" if directory is None else str(directory)
        try:
            cache = directory is not None
            with global_compiler_lock, _bare_entry(function.__qualname__ if make is numba.cfunc else ""):
                if make is numba.cfunc:
                    return numba.cfunc(signature, cache=cache, error_model="numpy", forceinline=True)(function)
                result: Any = numba.njit(cache=cache, error_model="numpy", nogil=True)(function)
                result.compile(signature)  # given to the decorator, it would make callers call by pointer, uncached
        finally:
            _CONFIG.CACHE_DIR = before
    return result


def cache_key(package: Path = PACKAGE, *, version: str = numba.__version__, cpu: str | None = None) -> str:
    """Return 16 hex digits that change with any source file under `package`, the numba version or the CPU.

    cpu: name and features of the processor, those of this machine unless given.
    """
    cpu = cpu or str(cpu_target.target_context.codegen().magic_tuple())
    digest = hashlib.sha256(f"{version}\0{cpu}\0{sys.version_info[:2]}\0".encode())
    for path in sorted(package.glob("**/*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def cache_directory(environment: Mapping[str, str]) -> Path | None:
    """Return the writable directory of this build's kernels, created private to the user; None when there is none."""
    for root in (user_cache(environment), Path(tempfile.gettempdir()) / f"{_TEMPORARY}-{_user()}"):
        directory = root / "kernels" / cache_key()
        if _usable(root, directory):
            return directory
    return None


def user_cache(environment: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Return the root of the cache: `KARAT_CACHE`, or the user's cache directory as the platform defines it."""
    if environment.get(VARIABLE):
        return Path(environment[VARIABLE]).expanduser()
    if platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "karat" / "cache"
    if platform == "darwin":
        return Path.home() / "Library" / "Caches" / "karat"
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "karat"


def _usable(root: Path, directory: Path) -> bool:
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.parent.mkdir(mode=0o700, exist_ok=True)
        directory.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
        # The root may be open to the user's group; what lies below it holds code and is the user's alone.
        others = stat.S_IWGRP | stat.S_IWOTH
        return _owned(root) and _owned(directory.parent, but_not=others) and _owned(directory, but_not=others)
    except OSError:
        return False


def _owned(path: Path, *, but_not: int = 0) -> bool:
    """Return whether this user owns `path` and nobody in `but_not` may write; where there are no owners, it is so."""
    facts = path.stat()
    return not hasattr(os, "getuid") or (facts.st_uid == _user() and not facts.st_mode & but_not)


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0
