"""Compile a bundle: numba's half in processes side by side, then LLVM over all of it at once.

Typing and lowering is Python code and takes two thirds of the time; shares of it go to fresh interpreters that write
LLVM bitcode. One module is made of their answers, optimised, and turned into object code, without numba here.

Invariants:
1. The kernels of a bundle follow from its modules alone, not from what the process has loaded, nor from the shares.
2. Where interpreters cannot be started, this process does all of it.
3. Object code asks for nothing but what the process has: functions of the C library.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Final

import llvmlite.binding as llvm

from karat.kernels._bundle import Bundle, machine
from karat.kernels._jit import Kernel, members

_MOST: Final = 4
_SHARE: Final = 8_000  # bytes of bytecode from which another process pays: it takes as long as the start of one
_CODE: Final = "from karat.kernels._build import work; work()"


def build(roots: Sequence[str]) -> Bundle:
    """Return the compiled bundle of all kernels that the modules lead to.

    Raises:
        RuntimeError: the code asks for a function that the process does not have.
    """
    kernels = list(members(roots).values())
    dealt = shares(kernels, _processes())
    whole, target = _linked(_spawned(roots, len(dealt)) or [_lowered(kernels)]), machine()
    _optimise(whole, target)
    asks = asked(whole)
    missing = lacking(asks)
    if missing:
        raise RuntimeError(f"kernels of {', '.join(roots)}: nothing defines {', '.join(missing)}")
    symbols = {each for kernel in kernels for each in kernel.symbols}
    return Bundle(bytes(target.emit_object(whole)), tuple(sorted(symbols)), tuple(sorted(asks)))


def asked(module: Any) -> list[str]:
    """Return the functions that a module calls and does not define, but for what LLVM itself replaces by code."""
    return [each.name for each in module.functions if each.is_declaration and not each.name.startswith("llvm.")]


def lacking(asks: Sequence[str]) -> list[str]:
    """Return those of the functions that the process does not have."""
    llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine())  # from the first one on, LLVM knows the process
    return [name for name in asks if not llvm.address_of_symbol(name)]


def shares(kernels: Sequence[Kernel], count: int) -> list[list[Kernel]]:
    """Return the kernels dealt to at most `count` shares of about the same size, fewer where they are small."""
    size = {kernel.symbol: len(kernel.function.__code__.co_code) for kernel in kernels}
    count = max(1, min(count, sum(size.values()) // _SHARE))
    dealt: list[list[Kernel]] = [[] for _ in range(count)]
    full = [0] * count
    for kernel in sorted(kernels, key=lambda each: (-size[each.symbol], each.symbol)):
        least = full.index(min(full))
        dealt[least].append(kernel)
        full[least] += size[kernel.symbol]
    return dealt


def work() -> None:
    """Be one of the processes: lower a share of a bundle's kernels and write the bitcode to the standard output."""
    place, count, *roots = sys.argv[1:]
    mine = shares(list(members(roots).values()), int(count))[int(place)]
    out, sys.stdout = sys.stdout, sys.stderr
    out.buffer.write(_lowered(mine))


def _processes() -> int:
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_MOST, there)


def _spawned(roots: Sequence[str], count: int) -> list[bytes] | None:
    """Return the bitcode of each share, or None where a process could not be started or failed."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(place or os.getcwd() for place in sys.path)}
    begun: list[subprocess.Popen[bytes]] = []
    try:
        for place in range(count):
            command = [sys.executable, "-c", _CODE, str(place), str(count), *roots]
            pipe = subprocess.PIPE
            begun.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=environment))
        done = [process.communicate()[0] for process in begun]
    except OSError:
        return None
    finally:
        for process in begun:
            process.kill()
            process.wait()
    return done if all(process.returncode == 0 for process in begun) else None


def _lowered(kernels: Sequence[Kernel]) -> bytes:
    from karat.kernels._lower import lowered

    return lowered(kernels)


def _linked(parts: Sequence[bytes]) -> Any:
    whole, *others = [llvm.parse_bitcode(part) for part in parts]
    for other in others:
        whole.link_in(other)
    whole.verify()
    return whole


def _optimise(whole: Any, target: Any) -> None:
    """Run LLVM's passes as numba sets them: full optimisation, loops vectorised, straight code not."""
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization, options.slp_vectorization = True, False
    builder = llvm.create_pass_builder(target, options)
    builder.getModulePassManager().run(whole, builder)
