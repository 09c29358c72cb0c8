"""Versions of the store: whatever a value hangs on is part of its definition, and nothing else is."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pytest
from features_factory import panel
from store_factory import CHOSEN, elsewhere, equal

from karat.core import InputError
from karat.features import FEATURES, FeatureSpec
from karat.features.store import (
    Definition,
    FeatureStore,
    definition_of,
)
from karat.features.store._sources import version_of


@pytest.mark.req("FEAT-48")
def test_another_definition_is_another_version_and_the_old_one_stays(tmp_path: Path) -> None:
    whole, store = panel(120), FeatureStore(tmp_path)
    known = FEATURES["ret_1"]
    spec = replace(known, name="mine")
    other = replace(spec, compute=known.expression * 2.0)
    old, new = definition_of([spec]), definition_of([other])
    assert old.id != new.id
    first = store.features(whole, [spec]).frame
    second = store.features(whole, [other]).frame
    np.testing.assert_allclose(second[spec.name].to_numpy(), 2 * first[spec.name].to_numpy())
    assert store.versions() == tuple(sorted((old.id[:32], new.id[:32])))
    assert equal(store.features(whole, [spec]).frame, first)
    assert store.use.hits == 1


@pytest.mark.req("FEAT-48")
def test_code_of_a_python_function_is_part_of_the_version() -> None:
    def spec(compute: object) -> FeatureSpec:
        return FeatureSpec("mine", ("close",), 0, "custom", "fraction", "x", "here", compute)  # type: ignore[arg-type]

    same = [definition_of([spec(lambda columns: columns["close"] + 1.0)]).id for _ in range(2)]
    other = definition_of([spec(lambda columns: columns["close"] + 2.0)]).id
    assert same[0] == same[1] != other


FACTOR = 1.0


def of_the_module(columns: dict[str, np.ndarray]) -> np.ndarray:
    return columns["close"] * FACTOR


class Times:
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        return columns["close"] * self.factor

    def by(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        return columns["close"] * self.factor


def carries(kind: str, factor: float) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """Return the close times a factor that is anywhere but in the code of the function."""

    def with_default(columns: dict[str, np.ndarray], factor: float = factor) -> np.ndarray:
        return columns["close"] * factor

    def with_array(columns: dict[str, np.ndarray]) -> np.ndarray:
        return np.convolve(columns["close"], weights)[: len(columns["close"])]

    weights, helper = np.array([factor]), lambda columns: columns["close"] * factor
    plain = {"__init__": object.__init__, "__module__": __name__}
    line = np.polynomial.Polynomial([0.0, factor])  # an object of another package
    kinds: dict[str, Any] = {
        "closure": lambda columns: columns["close"] * factor,
        "default": with_default,
        "array": with_array,
        "helper": lambda columns: helper(columns),
        "partial": functools.partial(with_default, factor=factor),
        "object": Times(factor),
        "method": Times(factor).by,
        "class": type("Times", (Times,), {"factor": factor, **plain})(),
        "base": type("Derived", (type("Base", (Times,), {"factor": factor, **plain}),), plain)(),
        "static": type(
            "Static",
            (),
            {"of": staticmethod(with_default), "__call__": lambda self, c: self.of(c), "__module__": __name__},
        )(),
        "line": lambda columns: line(columns["close"]),
        "global": FunctionType(of_the_module.__code__, {"FACTOR": factor, "__name__": __name__}),
    }
    return kinds[kind]  # type: ignore[no-any-return]


CARRIERS = (
    "class",
    "base",
    "static",
    "closure",
    "default",
    "array",
    "helper",
    "partial",
    "object",
    "method",
    "global",
    "line",
)


@pytest.mark.req("FEAT-48")
@pytest.mark.parametrize("kind", CARRIERS)
def test_a_parameter_of_a_python_function_is_part_of_the_version(kind: str, tmp_path: Path) -> None:
    def spec(factor: float) -> FeatureSpec:
        return FeatureSpec("mine", ("close",), 0, "custom", "price", "x", "here", carries(kind, factor))

    whole, store = panel(60), FeatureStore(tmp_path)
    store.features(whole, [spec(1.0)])
    found = store.features(whole, [spec(2.0)]).frame["mine"]
    assert found.to_list() == (2.0 * whole.frame["close"]).to_list(), "the value of another parameter was served"
    assert definition_of([spec(2.0)]).id == definition_of([spec(2.0)]).id != definition_of([spec(1.0)]).id
    assert len(store.versions()) == 2


@pytest.mark.req("FEAT-48")
def test_a_version_is_the_same_in_every_process_and_what_has_none_is_refused(tmp_path: Path) -> None:
    code = (
        "from karat.features import FeatureSpec\n"
        "from karat.features.store import definition_of\n"
        "def mine(columns): return columns['close'] if 'x' in {'x', 'y', 'z', 'w'} else columns['open'][..., 0]\n"
        "spec = FeatureSpec('mine', ('close',), 0, 'custom', 'price', 'x', 'here', mine)\n"
        "print(definition_of([spec]).id)"
    )
    assert len({elsewhere(code, tmp_path)[0] for _ in range(3)}) == 1  # a set of words has another order in each
    with (tmp_path / "words").open("w") as opened:
        spec = FeatureSpec("mine", ("close",), 0, "custom", "price", "x", "here", lambda columns: opened or columns)  # type: ignore[arg-type,return-value]
        message = "feature.mine: got '.*'; its version cannot tell what this holds; allowed: a function of plain values"
        with pytest.raises(InputError, match=message):
            definition_of([spec])


@pytest.mark.req("FEAT-50")
def test_a_module_of_the_same_package_is_part_of_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "house").mkdir()
    tools = tmp_path / "house" / "tools.py"
    tools.write_text("FACTOR = 1.0\n")
    (tmp_path / "house" / "__init__.py").write_text(
        "from house import tools\n\n\ndef mine(columns):\n    return columns['close'] * tools.FACTOR\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    spec = replace(FEATURES["ret_1"], name="mine", compute=importlib.import_module("house").mine)
    before = definition_of([spec]).id
    assert definition_of([spec]).id == before
    tools.write_text("FACTOR = 2.0\n")
    assert definition_of([spec]).id != before


def test_versions_of_talib_and_numpy_are_part_of_the_version_where_they_compute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = replace(FEATURES["ret_1"], name="mine", compute=lambda columns: np.log(columns["close"]))
    chosen = {"talib": ["rsi_14"], "numpy": [spec], "": ["ret_1"]}
    before = {name: definition_of(selection).id for name, selection in chosen.items()}
    for name in ("talib", "numpy"):
        version_of.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(f"{name}.__version__", "0.0.1")
            moved = {which for which, selection in chosen.items() if definition_of(selection).id != before[which]}
        assert moved == {name}
    version_of.cache_clear()
    assert {name: definition_of(selection).id for name, selection in chosen.items()} == before
    assert version_of("no_such_package") == version_of("") == ""


def test_a_definition_names_its_inputs() -> None:
    made = definition_of(CHOSEN)
    assert isinstance(made, Definition)
    assert made.names == tuple(CHOSEN)
    assert "close" in made.inputs
