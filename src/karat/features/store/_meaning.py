"""What the code of a feature means, as plain values to hash: a function with all that it carries and calls.

A Python function's value depends on more than its code: on its defaults, the variables of the function around it, the
arguments that `functools.partial` holds, the attributes of an object that is called, and on what its module calls by
the names that it uses. All of it is read: functions, classes and modules of the same package line by line, what comes
from another package by its name and the package's version. What cannot be told apart is refused, since it would be
served in another's place.
"""

from __future__ import annotations

import dis
import functools
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, EllipsisType, FunctionType, MethodType, ModuleType
from typing import Any, Final

import numpy as np

from karat.core import InputError, content_hash

_LITERALS: Final = (EllipsisType, complex, range, slice)
_CONSTANTS: Final = (bool, int, float, str, bytes, tuple, list, dict, np.ndarray)
"""What a class may hold beside its methods that an instance computes with."""


def meaning_of(function: Any, feature: str) -> list[Any]:
    """Return nested plain values that differ wherever two functions compute something else.

    feature: its name, for the message.

    Raises:
        InputError: the function carries something whose content is unknown, such as an open file.
    """
    return _meaning(function, feature, _package(function), set())


@functools.cache
def version_of(package: str) -> str:
    """Return the version that a package says it is of, nothing where it says none."""
    try:
        return str(getattr(importlib.import_module(package), "__version__", ""))
    except (ImportError, ValueError):  # a name that stands for no package
        return ""


def _meaning(value: Any, feature: str, package: str, seen: set[int]) -> list[Any]:
    value = getattr(value, "py_func", value)  # a compiled function is what it was compiled from
    inner = functools.partial(_meaning, feature=feature, package=package, seen=seen)
    if isinstance(value, CodeType):
        return [value.co_code.hex(), [inner(each) for each in value.co_consts], list(value.co_names)]
    if isinstance(value, _LITERALS):
        return [type(value).__name__, repr(value)]
    if isinstance(value, ModuleType):
        top, file = value.__name__.split(".")[0], getattr(value, "__file__", None)
        ours = file if top == package else None
        return [
            "module",
            value.__name__,
            content_hash(Path(ours).read_text(encoding="utf-8")) if ours else version_of(top),
        ]
    if isinstance(value, MethodType):
        return [inner(value.__func__), inner(value.__self__)]
    if isinstance(value, functools.partial):
        return [inner(value.func), inner(value.args), inner(value.keywords)]
    name = [str(getattr(value, key, "")) for key in ("__module__", "__qualname__", "__name__")]
    if id(value) in seen or (callable(value) and any(name[1:]) and _package(value) != package):
        return [*name, version_of(_package(value))]
    if isinstance(value, FunctionType | type):
        seen.add(id(value))
        return [*name, [[key, inner(each)] for key, each in _parts(value)]]
    if isinstance(value, list | tuple):
        return [type(value).__name__, [inner(each) for each in value]]
    if isinstance(value, dict):
        return ["dict", [[inner(key), inner(each)] for key, each in value.items()]]
    return _plain(value, feature, inner, seen)


def _plain(value: Any, feature: str, inner: Callable[[Any], list[Any]], seen: set[int]) -> list[Any]:
    """Return the hash of a value that has one, else the class of an object and what a copy of it is made from."""
    try:
        return [type(value).__qualname__, content_hash(value)]
    except InputError:
        seen.add(id(value))
    try:
        made = value.__reduce_ex__(4)
    except TypeError:  # an open file, a lock
        why, allowed = "its version cannot tell what this holds", "a function of plain values and arrays"
        fix = "write it as an expression"
        raise InputError(f"feature.{feature}", type(value).__name__, allowed=allowed, why=why, fix=fix) from None
    parts = [list(each) if isinstance(each, Iterator) else each for each in made] if isinstance(made, tuple) else [made]
    return [inner(type(value)), inner(parts)]


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what makes up a function or a class: code, what it carries, and what its names stand for."""
    if isinstance(value, type):
        yield "bases", value.__bases__
        # static methods as functions
        held = {key: getattr(each, "__func__", each) for key, each in vars(value).items()}
        constants = {key for key, each in held.items() if isinstance(each, _CONSTANTS) and not key.startswith("__")}
        yield from ((key, each) for key, each in held.items() if isinstance(each, FunctionType) or key in constants)
        return
    yield "code", value.__code__
    yield "defaults", [value.__defaults__, value.__kwdefaults__]
    for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
        yield name, cell.cell_contents
    for name in sorted(set(_names(value.__code__)) & value.__globals__.keys()):
        yield name, value.__globals__[name]


def _names(code: CodeType) -> Iterator[str]:
    """Yield the names that code and the functions inside it look up in their module."""
    yield from (str(each.argval) for each in dis.get_instructions(code) if each.opname in ("LOAD_GLOBAL", "LOAD_NAME"))
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def _package(value: Any) -> str:
    kept = value if hasattr(value, "__module__") else type(value)
    return str(getattr(kept, "__module__", "")).split(".")[0]
