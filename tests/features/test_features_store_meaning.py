"""What the code of a feature means: two functions that compute something else never have one version."""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import talib
from features_factory import panel
from numba import njit
from scipy.signal import savgol_filter

import karat
from karat.core import InputError
from karat.features import FEATURES, build
from karat.features._graph import walk
from karat.features.store import definition_of
from karat.features.store._definition import computing_files

Function = Callable[[dict[str, np.ndarray]], np.ndarray]


def of(function: object) -> str:
    return definition_of([replace(FEATURES["ret_1"], name="mine", compute=function)]).id  # type: ignore[arg-type]


@dataclass(frozen=True)
class Once:
    factor: float

    def __call__(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        return columns["close"] * self.factor


@dataclass(frozen=True)
class Twice:
    factor: float

    def __call__(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        return 2.0 * columns["close"] * self.factor


def same_name(*classes: type) -> None:
    for each in classes:
        each.__qualname__ = each.__name__ = "Same"


class Constant:
    FACTOR: ClassVar[Any] = np.int64(1)

    def __call__(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        return columns["close"] * self.FACTOR


def read(factor: float) -> Any:
    """Return a class whose property is a factor."""

    class Read:
        @property
        def factor(self) -> float:
            return inner(1.0)

        def __call__(self, columns: dict[str, np.ndarray]) -> np.ndarray:
            return columns["close"] * self.factor

    inner = (lambda x: x) if factor == 1.0 else (lambda x: x * 2.0)
    return Read()


def constant(factor: float) -> Any:
    return type("Constant", (Constant,), {"FACTOR": np.int64(factor), "__module__": __name__})()


def attribute(factor: float) -> Function:
    def mine(columns: dict[str, np.ndarray]) -> np.ndarray:
        return columns["close"] * mine.factor  # type: ignore[attr-defined,no-any-return]

    mine.factor = factor  # type: ignore[attr-defined]
    return mine


def cached(factor: float) -> Function:
    helper = functools.cache((lambda: 1.0) if factor == 1.0 else (lambda: 2.0))
    return lambda columns: columns["close"] * helper()


def dispatched(factor: float) -> Function:
    @functools.singledispatch
    def scale(x: object) -> float:
        return 0.0

    scale.register(float, (lambda x: x) if factor == 1.0 else (lambda x: 2.0 * x))
    return lambda columns: columns["close"] * scale(1.0)


def partly(factor: float) -> Any:
    def once(columns: dict[str, np.ndarray]) -> np.ndarray:
        return columns["close"]

    def twice(columns: dict[str, np.ndarray]) -> np.ndarray:
        return columns["close"] * 2.0

    twice.__qualname__, twice.__name__ = once.__qualname__, once.__name__
    return functools.partial(once if factor == 1.0 else twice)


def order(factor: float) -> Function:
    one, two = lambda x: x, lambda x: 2.0 * x
    chain = (one, two, one) if factor == 1.0 else (one, two, two)
    return lambda columns: chain[2](columns["close"])


def renamed(factor: float) -> Function:
    helper = (lambda a, b: a - b) if factor == 1.0 else (lambda b, a: b - a)
    return lambda columns: helper(a=columns["close"], b=1.0)


def signed(factor: float) -> Function:
    zero = 0.0 if factor == 1.0 else -0.0
    return lambda columns: np.copysign(columns["close"], zero)


def bound(factor: float) -> Any:
    return np.array([factor]).dot


def compiled(factor: float) -> Any:
    def mine(columns: dict[str, np.ndarray]) -> np.ndarray:
        return columns["close"]

    return njit(mine) if factor == 1.0 else njit(fastmath=True)(mine)


def masked(factor: float) -> Function:
    given = np.ma.MaskedArray([1.0, 2.0], mask=[factor == 1.0, False])
    return lambda columns: columns["close"] * given.sum()


KINDS = {
    made.__name__: made
    for made in (read, constant, attribute, cached, dispatched, partly, order, renamed, signed, bound, compiled, masked)
}


@pytest.mark.req("FEAT-48")
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_function_reaches_is_part_of_the_version_however_it_reaches_it(kind: str) -> None:
    made = KINDS[kind]
    assert of(made(1.0)) == of(made(1.0)), "the same function has the same version"
    assert of(made(1.0)) != of(made(2.0))


@pytest.mark.req("FEAT-48")
def test_the_code_of_a_dataclass_is_part_of_the_version() -> None:
    assert of(Once(1.0)) != of(Once(2.0))
    same_name(Once, Twice)
    assert of(Once(1.0)) != of(Twice(1.0))
    held = [lambda columns, by=by: by(columns) for by in (Once(1.0), Twice(1.0))]  # type: ignore[misc]
    assert of(held[0]) != of(held[1])


@pytest.mark.req("FEAT-48")
@pytest.mark.parametrize("layout", ["package", "flat"])
@pytest.mark.parametrize("way", ["import of an import", "inside the function"])
def test_what_an_imported_module_imports_is_part_of_the_version(
    layout: str, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{layout}{way[:6].strip()}"
    folder, dot = (tmp_path / name, f"{name}.") if layout == "package" else (tmp_path, f"{name}_")
    folder.mkdir(exist_ok=True)

    def write(part: str, text: str) -> None:
        (folder / (f"{part}.py" if layout == "package" else f"{name}_{part}.py")).write_text(text)

    write("deep", "FACTOR = 1.0\n")
    write("tools", f"from {dot}deep import FACTOR\n\n\ndef scale(x):\n    return x * FACTOR\n")
    inside = way == "inside the function"
    head, lead = ("", f"    import {dot}tools as tools\n") if inside else (f"import {dot}tools as tools\n", "")
    write("mine", f"{head}\n\ndef mine(columns):\n{lead}    return tools.scale(columns['close'])\n")
    if layout == "package":
        (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    mine = importlib.import_module(f"{dot}mine").mine
    before = of(mine)
    assert of(mine) == before
    write("deep", "FACTOR = 2.0\n")
    assert of(mine) != before


def test_a_constant_that_was_set_in_a_module_is_part_of_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings_of_mine.py").write_text("FACTOR = 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    settings = importlib.import_module("settings_of_mine")
    code = (lambda columns: columns["close"] * settings.FACTOR).__code__
    free = FunctionType(code, {}, None, None, (lambda: settings).__closure__)
    before = of(free)
    settings.FACTOR = 2.0
    assert of(free) != before


def test_what_cannot_be_told_apart_is_refused() -> None:
    hidden = np.frompyfunc(lambda x: x * 2.0, 1, 1)
    lock = threading.Lock()
    lost: list[Any] = [hidden, lambda columns: hidden(columns["close"]), lambda columns: lock and columns["close"]]
    for function in lost:
        with pytest.raises(InputError, match=r"feature\.mine: got '.*'; its version cannot tell what this holds"):
            of(function)


def test_what_plain_code_uses_is_not_refused() -> None:
    import re

    pattern, table = re.compile("a"), {"a": {1.0, 2.0}, "b": frozenset({"x"}), "c": SimpleNamespace(x=1)}
    functions: list[Any] = [
        lambda columns: np.log(np.convolve(columns["close"], np.ones(3))[2:]),
        lambda columns: np.add.reduce(columns["close"]) if pattern.match("a") else table,
        np.vectorize(lambda x: x),
        np.log,
        functools.partial(np.convolve, np.ones(3)),
        savgol_filter,
        njit(lambda columns: columns),
    ]
    assert len({of(each) for each in functions}) == len(functions)


def test_settings_of_talib_are_part_of_the_version_where_it_computes() -> None:
    chosen = {name: definition_of([name]).id for name in ("rsi_14", "talib_macd", "ret_1")}
    every = [name for name, spec in FEATURES.items() if any(node.library for node in walk([spec.expression]))]
    assert len(definition_of(every).id) == 64  # whatever function of it a feature uses
    for function, moved in (("RSI", {"rsi_14"}), ("EMA", {"talib_macd"})):
        talib.set_unstable_period(function, 30)
        try:
            assert {name for name, made in chosen.items() if definition_of([name]).id != made} == moved
        finally:
            talib.set_unstable_period(function, 0)
    assert {name: definition_of([name]).id for name in chosen} == chosen


def test_every_file_that_computes_an_expression_is_part_of_the_version() -> None:
    """By its definition: the files of karat that run while features are built."""
    root, run, whole = Path(karat.__file__).parent, set(), panel(300)

    def note(frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(str(root)):
            run.add(Path(frame.f_code.co_filename))

    before = sys.getprofile()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        build(whole, "a100")
    finally:
        sys.setprofile(before)
        threading.setprofile(None)  # type: ignore[arg-type]
    chooses = {"_select.py", "_spec.py", "_panel.py", "_provenance.py", "_words.py"}  # what is computed, not how
    assert {path for path in run if path.name not in chooses} <= set(computing_files())
    assert set((root / "kernels" / "features").glob("*.py")) <= set(computing_files())


def test_another_compiler_is_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    from karat.features.store import _definition

    before = definition_of("ret_1").id
    _definition.computing.cache_clear()
    monkeypatch.setattr(_definition, "compilers", lambda: "0.0.1")
    assert definition_of("ret_1").id != before
    _definition.computing.cache_clear()
