"""What the code of a feature means, as plain values to hash: a function with all that it carries and calls.

A Python function's value depends on more than its code: on its defaults and attributes, the variables of the function
around it, the arguments that `functools.partial` holds, the class of an object that is called, what it imports, and on
what its module calls by the names that it uses. All of it is read: functions and classes of the same package, and those
of code without a version, line by line; modules by their files and those that they import; what comes from another
package, or was installed, by its name and the package's version. What cannot be told apart is refused, since it would
be served in another's place.
"""

from __future__ import annotations

import copyreg
import dis
import functools
import importlib
import importlib.util
import types
from collections.abc import Iterator
from types import CodeType, FunctionType, MappingProxyType, ModuleType
from typing import Any, Final

import numpy as np

from karat.core import InputError, canonical_json, content_hash
from karat.features.store._sources import compilers, is_installed, is_named, package_of, source_of, version_of

_LITERALS: Final = (types.NoneType, types.EllipsisType, types.NotImplementedType, bool, int, float, complex, str, bytes)
_HELD: Final[dict[type, tuple[str, ...]]] = {
    functools.partial: ("func", "args", "keywords"),
    functools.partialmethod: ("func", "args", "keywords"),
    functools.cached_property: ("func",),
    functools.singledispatchmethod: ("dispatcher", "func"),
    type(functools.cache(len)): ("__wrapped__",),
    types.MethodType: ("__func__", "__self__"),
    classmethod: ("__func__",),
    staticmethod: ("__func__",),
    property: ("fget", "fset", "fdel"),
    slice: ("start", "stop", "step"),
    range: ("start", "stop", "step"),
}
"""What hides a function or plain values, and where."""
_SLOTS: Final = (
    *(types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType),
    *(types.GetSetDescriptorType, types.MemberDescriptorType),
)
_BOUND: Final = (types.BuiltinFunctionType, types.MethodWrapperType)
_CODE: Final = ("argcount", "kwonlyargcount", "posonlyargcount", "flags", "names", "varnames", "freevars", "cellvars")


def meaning_of(function: Any, feature: str) -> list[Any]:
    """Return nested plain values that differ wherever two functions compute something else.

    feature: its name, for the message.

    Raises:
        InputError: the function carries something whose content is unknown, such as an open file or a ufunc that was
        made of a Python function.
    """
    package = package_of(_innermost(function))
    return _Reader(feature, "" if is_installed(package) else package).read(function)


def _innermost(function: Any) -> Any:
    """Return the function inside of what hides one."""
    for key in ("func", "__func__", "__wrapped__", "py_func", "pyfunc"):
        if callable(inner := getattr(function, key, None)):
            return _innermost(inner)
    return function


class _Reader:
    """What was read of one function. package: what is read line by line, whatever its version."""

    def __init__(self, feature: str, package: str) -> None:
        self._feature, self._package = feature, package
        self._seen: dict[int, tuple[int, Any]] = {}  # with the value itself, since another one may take its id
        self._read_packages: set[str] = set()

    def read(self, value: Any) -> list[Any]:
        kind = type(value)
        if kind in _LITERALS:
            return [kind.__name__, repr(value)]
        if isinstance(value, np.generic) or kind is np.ndarray:
            return self._array(value)
        if id(value) in self._seen:
            return ["seen", self._seen[id(value)][0]]
        if kind in _HELD:
            return [kind.__name__, [self.read(getattr(value, key)) for key in _HELD[kind]]]
        if kind in (list, tuple, dict, set, frozenset, MappingProxyType):
            return self._container(value)
        if isinstance(value, CodeType):
            given = [getattr(value, f"co_{key}") for key in _CODE]
            return [value.co_code.hex(), value.co_exceptiontable.hex(), given, self.read(value.co_consts)]
        if isinstance(value, ModuleType):
            return ["module", value.__name__, self._source(value) if self._ours(value) else _version(value)]
        return self._thing(value)

    def _source(self, module: ModuleType) -> list[Any]:
        package = module.__name__.split(".")[0]
        if package in self._read_packages:
            return []
        self._read_packages.add(package)
        return source_of(module)

    def _thing(self, value: Any) -> list[Any]:
        """Return what a function, a class or an object is made of."""
        name = [str(getattr(value, key, "")) for key in ("__module__", "__qualname__", "__name__")]
        if hasattr(value, "py_func"):  # compiled by numba
            return ["compiled", compilers(), repr(getattr(value, "targetoptions", "")), self.read(value.py_func)]
        if isinstance(value, _SLOTS):
            return [*name, _version(value.__objclass__)]
        if isinstance(value, _BOUND) and not isinstance(value.__self__, ModuleType | types.NoneType):
            return [*name, self.read(value.__self__)]
        if isinstance(value, FunctionType | type):
            # a function that another package made at run time has a name that says nothing of what it holds
            if self._ours(value) or (isinstance(value, FunctionType) and "<" in value.__qualname__):
                self._mark(value)
                return [*name, [[key, self.read(each)] for key, each in self._parts(value)]]
            return [*name, _version(value)]
        if callable(value) and is_named(value):
            return [*name, _version(value)]
        if isinstance(value, types.BuiltinFunctionType | np.ufunc):
            raise self._unknown(value)
        return self._object(value)

    def _object(self, value: Any) -> list[Any]:
        """Return the class of an object and what a copy of it is made from."""
        self._mark(value)
        if not self._ours(type(value)) and (hasattr(value, "get_columns") or hasattr(value, "cpu")):
            return [self.read(type(value)), content_hash(value)]  # a frame, a tensor
        try:
            reduced = copyreg.dispatch_table.get(type(value))
            made = reduced(value) if reduced else value.__reduce_ex__(4)
        except TypeError:  # an open file, a lock
            raise self._unknown(value) from None
        if not isinstance(made, tuple):  # the name of a global: nothing of what it holds
            raise self._unknown(value)
        parts = [list(each) if isinstance(each, Iterator) else each for each in made]
        return [self.read(type(value)), self.read(parts)]

    def _array(self, value: Any) -> list[Any]:
        kind = [repr(value.dtype), list(value.shape)]
        if value.dtype.hasobject:
            return [*kind, self.read(value.tolist())]
        return [*kind, content_hash(value.tobytes())]

    def _container(self, value: Any) -> list[Any]:
        self._mark(value)  # while it is read: it may hold itself, and an equal one must read alike
        if isinstance(value, dict | MappingProxyType):
            parts = [[self.read(key), self.read(each)] for key, each in value.items()]
        elif isinstance(value, set | frozenset):
            ordered = sorted(value, key=lambda each: (type(each).__name__, str(getattr(each, "__qualname__", each))))
            parts = sorted((self.read(each) for each in ordered), key=canonical_json)
        else:
            parts = [self.read(each) for each in value]
        del self._seen[id(value)]
        return [type(value).__name__, parts]

    def _parts(self, value: Any) -> Iterator[tuple[str, Any]]:
        """Yield what makes up a function or a class: code, what it carries, and what its names stand for."""
        if isinstance(value, type):
            yield "bases", value.__bases__
            yield "class", type(value)
            for key, each in vars(value).items():
                hidden = key.startswith("__") and not (callable(each) or type(each) in _HELD)
                if not (hidden or key.startswith("_abc_")):
                    yield key, each
            return
        yield "code", value.__code__
        yield "defaults", [value.__defaults__, value.__kwdefaults__]
        if isinstance(getattr(value, "registry", None), MappingProxyType):
            yield "registry", value.registry
            return  # functools.singledispatch: the rest is a cache and what fills it
        yield "attributes", vars(value)
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            yield from self._reached(name, cell.cell_contents, value.__code__)
        looked_up, imported = _names(value.__code__)
        for name in sorted(looked_up & value.__globals__.keys()):
            yield from self._reached(name, value.__globals__[name], value.__code__)
        for level, name in sorted(imported):
            yield from self._reached(name, _imported(level, name, value.__globals__), value.__code__)

    def _reached(self, name: str, value: Any, code: CodeType) -> Iterator[tuple[str, Any]]:
        """Yield what a name stands for; of a module, whose values may have been set, also what the code asks it for."""
        yield name, value
        if isinstance(value, ModuleType) and self._ours(value):
            asked = sorted({*_all_names(code)} & vars(value).keys())
            yield from ((f"{name}.{each}", vars(value)[each]) for each in asked if not each.startswith("__"))

    def _ours(self, value: Any) -> bool:
        """Return whether code is read: that of the function's package, and where no version tells what it is."""
        package = value.__name__.split(".")[0] if isinstance(value, ModuleType) else package_of(value)
        return bool(package) and (package == self._package or not version_of(package))

    def _mark(self, value: Any) -> None:
        self._seen[id(value)] = (len(self._seen), value)

    def _unknown(self, value: Any) -> InputError:
        why, allowed = "its version cannot tell what this holds", "a function of plain values and arrays"
        fix = "write it as an expression"
        return InputError(f"feature.{self._feature}", type(value).__name__, allowed=allowed, why=why, fix=fix)


def _version(value: Any) -> str:
    return version_of(value.__name__.split(".")[0] if isinstance(value, ModuleType) else package_of(value))


def _imported(level: int, name: str, known: dict[str, Any]) -> ModuleType | None:
    """Return what an import inside a function gives, None where it gives nothing here, as that of an extra."""
    try:
        return importlib.import_module(importlib.util.resolve_name("." * level + name, known.get("__package__") or ""))
    except ImportError:
        return None


def _names(code: CodeType) -> tuple[set[str], set[tuple[int, str]]]:
    """Return the names that code and the functions inside it look up in their module, and what they import."""
    looked_up, imported = set(), set()
    before: list[Any] = [None, None]
    for each in dis.get_instructions(code):
        if each.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            looked_up.add(str(each.argval))
        elif each.opname == "IMPORT_NAME":  # after the level of a relative import and the names to take
            imported.add((int(before[-2]), str(each.argval)))
        before = [before[-1], each.argval]
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            more = _names(inner)
            looked_up, imported = looked_up | more[0], imported | more[1]
    return looked_up, imported


def _all_names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _all_names(inner)
