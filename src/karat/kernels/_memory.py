"""Words in raw memory, for compiled code: load, store, add, and multiply with wrap-around, each with a plain twin.

The market's state is one block of 8-byte words without pointers. Kernels read and write it by address: an array of
numba costs a bounds pattern and a wrap-around test at every access, a bare load costs a load.

| symbol | meaning | unit |
|---|---|---|
| address | where word 0 lies, as an int64 | bytes |
| i | index of a word (or of a byte, half or whole 32-bit number where the name says so) | elements of that size |

Invariants:
1. Nothing here checks anything: the caller owns the block and knows its layout.
2. Called from Python, every function is plain Python on the same memory, with the same results.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

from karat.kernels._jit import off

_MASK: Final = (1 << 64) - 1


def _signed(value: int) -> int:
    value &= _MASK
    return value - (1 << 64) if value >> 63 else value


class Word:
    """A function of words: plain Python when Python calls it, a few instructions where a kernel does."""

    def __init__(self, name: str, slow: Callable[..., Any], typed: Callable[..., Any]) -> None:
        self.__name__, self._slow, self._typed = name, slow, typed

    def __call__(self, *given: Any) -> Any:
        return self._slow(*given)

    @cached_property
    def _numba_type_(self) -> Any:
        """What numba takes for the type of this object where a function that it compiles names it."""
        from numba.core.registry import cpu_target
        from numba.extending import intrinsic

        context, made = cpu_target.typing_context, intrinsic(self._typed)
        context.refresh()
        return context.resolve_value_type(made)


def _reader(name: str, kind: str, plain: type[Any]) -> Any:
    """Return `name(address, i)`: the element i of a row of `kind` at the address, sign-extended to 64 bits."""
    width = ctypes.sizeof(plain)

    def slow(address: int, i: int) -> Any:
        return plain.from_address(address + width * i).value

    def typed(_: Any, address: Any, i: Any) -> tuple[Any, Callable[..., Any]]:
        from numba.core import types

        def generate(__: Any, builder: Any, ___: Any, args: Any) -> Any:
            row = builder.inttoptr(args[0], _kind(kind).as_pointer())
            value = builder.load(builder.gep(row, [args[1]]))
            return builder.sext(value, _kind("i64")) if kind in ("i8", "i32") else value

        result = types.float64 if kind == "double" else types.int64
        return result(types.int64, types.int64), generate

    return _made(name, slow, typed)


def _writer(name: str, kind: str, plain: type[Any]) -> Any:
    """Return `name(address, i, value)`: set the element i of a row of `kind` at the address."""
    width = ctypes.sizeof(plain)

    def slow(address: int, i: int, value: Any) -> None:
        plain.from_address(address + width * i).value = value

    def typed(_: Any, address: Any, i: Any, value: Any) -> tuple[Any, Callable[..., Any]]:
        from numba.core import types

        def generate(context: Any, builder: Any, ___: Any, args: Any) -> Any:
            row = builder.inttoptr(args[0], _kind(kind).as_pointer())
            builder.store(args[2], builder.gep(row, [args[1]]))
            return context.get_dummy_value()

        argument = types.float64 if kind == "double" else types.int64
        return types.none(types.int64, types.int64, argument), generate

    return _made(name, slow, typed)


def _wrapping(name: str, operation: Callable[[int, int], int], build: str) -> Any:
    """Return `name(a, b)`: the operation on two words, modulo 2**64, without a warning."""

    def slow(a: int, b: int) -> int:
        return _signed(operation(a & _MASK, b & _MASK))

    def typed(_: Any, a: Any, b: Any) -> tuple[Any, Callable[..., Any]]:
        from numba.core import types

        def generate(__: Any, builder: Any, ___: Any, args: Any) -> Any:
            return getattr(builder, build)(args[0], args[1])

        return types.int64(types.int64, types.int64), generate

    return _made(name, slow, typed)


def _made(name: str, slow: Callable[..., Any], typed: Callable[..., Any]) -> Any:
    typed.__name__ = name
    return slow if off() else Word(name, slow, typed)


def _floats() -> Any:
    """Return `floats_at(address, n)`: the n floats at the address as an array that owns nothing."""

    def slow(address: int, n: int) -> Any:
        import numpy as np

        return np.ctypeslib.as_array((ctypes.c_double * int(n)).from_address(int(address)))

    def typed(_: Any, address: Any, n: Any) -> tuple[Any, Callable[..., Any]]:
        from numba.core import types

        from karat.kernels._lower import array_at

        kind = types.Array(types.float64, 1, "C")

        def generate(__: Any, builder: Any, ___: Any, args: Any) -> Any:
            return array_at(builder, kind, args[0], [args[1]])

        return kind(types.int64, types.int64), generate

    return _made("floats_at", slow, typed)


def _kind(name: str) -> Any:
    from llvmlite import ir

    return ir.DoubleType() if name == "double" else ir.IntType(int(name[1:]))


def _called(count: int) -> Any:
    """Return `call(address, a1, ... a_count)`: call an int64 function of int64 arguments at an address."""
    plain = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * count)

    def slow(address: int, *given: int) -> int:
        return int(plain(address)(*given))

    def generate(_: Any, builder: Any, __: Any, args: Any) -> Any:
        from llvmlite import ir

        kind = ir.FunctionType(_kind("i64"), [_kind("i64")] * count)
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), list(args[1:]))

    if count == 2:

        def typed2(_: Any, address: Any, a: Any, b: Any) -> tuple[Any, Callable[..., Any]]:
            from numba.core import types

            return types.int64(*[types.int64] * 3), generate

        return _made("call2", slow, typed2)

    def typed4(_: Any, address: Any, a: Any, b: Any, c: Any, d: Any) -> tuple[Any, Callable[..., Any]]:
        from numba.core import types

        return types.int64(*[types.int64] * 5), generate

    return _made("call4", slow, typed4)


floats_at = _floats()
load = _reader("load", "i64", ctypes.c_int64)
load_real = _reader("load_real", "double", ctypes.c_double)
load_byte = _reader("load_byte", "i8", ctypes.c_int8)
load_half = _reader("load_half", "i32", ctypes.c_int32)
store = _writer("store", "i64", ctypes.c_int64)
store_real = _writer("store_real", "double", ctypes.c_double)
add_wrap = _wrapping("add_wrap", lambda a, b: a + b, "add")
mul_wrap = _wrapping("mul_wrap", lambda a, b: a * b, "mul")
xor = _wrapping("xor", lambda a, b: a ^ b, "xor")
shift_right = _wrapping("shift_right", lambda a, b: a >> b, "lshr")
call2 = _called(2)
call4 = _called(4)
