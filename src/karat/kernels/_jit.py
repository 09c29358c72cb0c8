"""Functions that will be compiled: here they are only declared, by a symbol and a signature.

Declaring costs nothing and imports no compiler. The first use of a kernel loads the bundle it belongs to: machine code
of many kernels in one file on disk, made by `_build` where it is not there yet.

| who | how a kernel is reached |
|---|---|
| a kernel | by its symbol: LLVM sees all kernels of a bundle at once and inlines as it sees fit |
| Python | by calling the object, with whole numbers, floats and contiguous arrays |
| Python, with the same arrays each time | by what `bound` returns: one word goes over, the address of the arguments |
| C, cffi, another block | by `address`, that of a C function of the same signature |
| a function that a user compiles with numba | as a global of its module; numba takes the symbol and the signature |

Invariants:
1. With `NUMBA_DISABLE_JIT=1` the function itself takes the place of its kernel.
2. A symbol is a function's module and name, so a process has one version of it.
3. Files of kernels define a function before its callers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property, partial
from importlib import import_module
from typing import Any, Final

from karat._words import counted

BUNDLES: Final = {
    "panel": (
        "karat.kernels._checks_jit",
        "karat.kernels._signals_jit",
        "karat.kernels._rebalance_jit",
        "karat.kernels._column_jit",
    ),
    "market": (
        "karat.kernels.market._advance",
        "karat.kernels.market._gateway",
        "karat.kernels.market._strategy",
        "karat.kernels.market._calls",
        "karat.kernels.market._rule_hooks",
        "karat.kernels.market._match_orders",
    ),
    "features": (
        "karat.kernels.features._execute",
        "karat.kernels.features._elements",
        "karat.kernels.features._windows",
        "karat.kernels.features._steps",
    ),
    "regimes": ("karat.kernels._hmm_jit", "karat.kernels._runs_jit"),
    "resample": ("karat.kernels._resample_jit",),
    "events": ("karat.kernels.market._event_checks",),
    "orders": (
        "karat.kernels.market._l3",
        "karat.kernels.market._l3_records",
        "karat.kernels.market._l3_room",
        "karat.kernels.market._flow",
    ),
}
"""What is compiled together: the kernels of these modules and all they use. Others are compiled module by module."""

ARRAYS: Final = {"int64": "int64", "f8": "float64", "uint16": "uint16", "uint8": "uint8", "int8": "int8"}
"""Elements of arrays, as signatures write them, and their names in numpy."""

_PLAIN: Final = {"int64": "int64_t", "f8": "double", "none": "void"}


class Kernel:
    """A function with one explicit signature, compiled on first use.

    inner: small enough, or called often enough, to become part of its callers where LLVM has the choice.
    """

    def __init__(self, function: Callable[..., Any], signature: str, *, inner: bool) -> None:
        self.function, self.signature, self.inner = function, signature, inner
        self.symbol = f"{function.__module__}.{function.__qualname__}"
        self.__doc__, self.__name__ = function.__doc__, function.__name__
        result, _, given = signature.removesuffix(")").partition("(")
        self.result, self.given = result, tuple(_split(given))

    def __repr__(self) -> str:
        return f"<kernel {self.symbol} {self.signature}>"

    def __call__(self, *given: Any) -> Any:
        return self._call(*given)

    @property
    def entry(self) -> str:
        """The symbol of the C function for Python: the kernel's own, or one that takes arrays apart."""
        return f"{self.symbol}[]" if any(dimensions(kind) for kind in self.given) else self.symbol

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol by which something outside of the bundle asks for the kernel."""
        return tuple(dict.fromkeys(each for each in (self.symbol, self.entry, self.entry_of_words) if each))

    @property
    def entry_of_words(self) -> str | None:
        """The symbol of the C function for `bound`, which reads all arguments from one array; only exported ones."""
        return f"{self.symbol}[:]" if self.entry != self.symbol and not self.inner else None

    @cached_property
    def address(self) -> int:
        """The address of a C function with the same signature, an array as its address and its shape."""
        from karat.kernels._bundle import library_of

        return library_of(self).address(self.entry)

    @cached_property
    def _call(self) -> Callable[..., Any]:
        call = self._function
        return call if self.entry == self.symbol else lambda *given: call(*self._words(given))

    @cached_property
    def _function(self) -> Callable[..., Any]:
        import cffi

        if not {self.result, *flat(self.given)} <= _PLAIN.keys():
            raise TypeError(f"{self.symbol}: got a call from Python; allowed: from kernels, it is {self.signature}")
        kinds = [_PLAIN[kind] for kind in flat(self.given)]
        return cffi.FFI().cast(f"{_PLAIN[self.result]}(*)({', '.join(kinds)})", self.address)  # type: ignore[no-any-return]

    def bound(self, *given: Any) -> Callable[[], Any]:
        """Return a call of these very arrays and numbers: they are looked at now, not at each call, which takes long.

        The arrays must not be replaced by others; their content is read at each call.
        """
        import numpy as np

        plain = list(self._words(given))
        if self.entry_of_words is None:  # no arrays, or a kernel that is meant for others: its arguments go one by one
            return partial(self._one_by_one, given, plain)
        words, call = np.empty(len(plain), dtype=np.int64), self._function_of_words
        for place, (kind, value) in enumerate(zip(flat(self.given), plain, strict=True)):
            (words.view(np.float64) if kind == "f8" else words)[place] = value
        at = address_of(words)

        def again(kept: Any = (given, words)) -> Any:  # it keeps the arrays alive
            return call(at)

        return again

    @cached_property
    def _function_of_words(self) -> Callable[[int], Any]:
        from karat.kernels._bundle import library_of

        assert self.entry_of_words is not None
        return _of_a_word(_PLAIN[self.result])(library_of(self).address(self.entry_of_words))

    def _one_by_one(self, kept: Any, plain: Sequence[Any]) -> Any:
        return self._function(*plain)

    @cached_property
    def _wanted(self) -> tuple[tuple[str, int, Any], ...]:
        """Of each argument its kind, its dimensions and the type of its elements, None for a number."""
        import numpy as np

        counts = [dimensions(kind) for kind in self.given]
        types = [np.dtype(ARRAYS[kind.partition("[")[0]]) if n else None for kind, n in zip(self.given, counts)]
        return tuple(zip(self.given, counts, types, strict=True))

    def _words(self, given: Sequence[Any]) -> Iterator[Any]:
        """Yield the arguments of the C function; an array of another type, shape or order is refused."""
        if len(given) != len(self.given):
            raise TypeError(f"{self.symbol}: got {counted(len(given), 'argument')}; allowed: {len(self.given)}")
        for (kind, count, dtype), value in zip(self._wanted, given, strict=True):
            if not count:
                yield value
                continue
            if value.dtype != dtype or value.ndim != count or not value.flags.c_contiguous:
                seen = f"{value.dtype} of {counted(value.ndim, 'dimension')}, C order {value.flags.c_contiguous}"
                raise TypeError(f"{self.symbol}: got an array of {seen}; allowed: {kind}")
            yield address_of(value)
            yield from value.shape

    @property
    def _numba_type_(self) -> Any:
        """What numba takes for the type of this object where a function that it compiles names it."""
        from karat.kernels._lower import function_type

        return function_type(self)


def compiled(signature: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that declares a kernel which becomes part of its callers wherever that pays.

    Reductions keep their order and NaN its meaning (no fast maths); a division by zero gives infinity as in numpy.
    """
    return lambda function: function if off() else Kernel(function, signature, inner=True)


def exported(signature: str) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator like `compiled` for the larger functions of an engine, called more often than inlined."""
    return lambda function: function if off() else Kernel(function, signature, inner=False)


def bound(kernel: Any, *given: Any) -> Callable[[], Any]:
    """Return a call of a kernel with these very arrays and numbers, whose content is read at each call.

    It looks at no argument again, which takes longer than many a kernel does.
    """
    return kernel.bound(*given) if isinstance(kernel, Kernel) else lambda: kernel(*given)


def address_of(values: Any) -> int:
    """Return where a C-contiguous array lies; half the time that `values.ctypes.data` takes."""
    return _address()(values)


@cache
def _address() -> Callable[[Any], int]:
    import cffi

    ffi = cffi.FFI()
    word = ffi.typeof("uintptr_t")
    return lambda values: int(ffi.cast(word, ffi.from_buffer(values)))


@cache
def _of_a_word(result: str) -> Callable[[int], Callable[[int], Any]]:
    """Return what makes a call of an address: parsing the C type takes a hundred times as long as the rest of it."""
    import cffi

    ffi = cffi.FFI()
    return partial(ffi.cast, ffi.typeof(f"{result}(*)(int64_t)"))


def off() -> bool:
    """Return whether the environment says that nothing is compiled."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


def members(roots: Sequence[str]) -> dict[str, Kernel]:
    """Return the kernels of the modules and of all modules whose kernels these name, by symbol."""
    modules, found = list(roots), {}
    for name in modules:  # grows as it goes
        for value in vars(import_module(name)).values():
            if isinstance(value, Kernel):
                found[value.symbol] = value
                if value.function.__module__ not in modules:
                    modules.append(value.function.__module__)
    return found


def bundle_of(kernel: Kernel) -> tuple[str, tuple[str, ...]]:
    """Return the name and the roots of the bundle that a kernel is loaded from."""
    home = kernel.function.__module__
    for name, roots in BUNDLES.items():
        if home in roots:
            return name, roots
    for name, roots in BUNDLES.items():
        if home.startswith(roots[0].rpartition(".")[0]) and kernel.symbol in members(roots):
            return name, roots
    return home, (home,)


def dimensions(kind: str) -> int:
    """Return how many dimensions an argument has, 0 for a number.

    Example:
        >>> dimensions("f8[:, ::1]"), dimensions("int64")
        (2, 0)
    """
    return kind.count(",") + 1 if "[" in kind else 0


def flat(kinds: Sequence[str]) -> list[str]:
    """Return the kinds of the C function's arguments: an array is its address and its shape."""
    return [part for kind in kinds for part in (["int64"] * (1 + dimensions(kind)) if dimensions(kind) else [kind])]


def _split(given: str) -> Iterator[str]:
    """Yield the arguments of a signature: what is between commas that are in no bracket."""
    depth, start = 0, 0
    for place, sign in enumerate(given):
        depth += (sign in "[(") - (sign in "])")
        if sign == "," and depth == 0:
            yield given[start:place].strip()
            start = place + 1
    yield given[start:].strip()
