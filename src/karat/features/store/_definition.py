"""`Definition`: what a selection of features means, as a hash. Another formula, constant or kernel is another version.

Invariants:
1. Two selections of the same features in the same order have one id, however they were named.
2. Whatever changes a value changes the id: expressions node by node, Python functions with all that they carry and
   call, sources of the engine and its kernels, versions of what compiles them, of TA-Lib with its settings and of other
   packages that are called.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import karat.features as features
import karat.kernels as kernels
from karat.core import content_hash, file_digests
from karat.features._graph import TS, Node, walk
from karat.features._select import Selection, chosen
from karat.features._spec import FeatureSpec
from karat.features.store._meaning import meaning_of
from karat.features.store._sources import compilers, version_of

_ENGINE: Final = ("_build.py", "_engine.py", "_expressions.py", "_graph.py", "_plan.py", "_rows.py", "_talib.py")
_UNSTABLE: Final = {
    **{name: name for name in ("ADX", "ATR", "EMA", "KAMA", "RSI")},
    "MACD": "EMA",
    "CCI": "",
    "MFI": "",
    "OBV": "",
    "SMA": "",
}
"""What TA-Lib calls the rows that a function leaves out where the user says so."""
_COMPILING: Final = ("_bundle.py", "_build.py", "_cache.py", "_jit.py", "_lower.py", "_memory.py", "_threads.py")


@dataclass(frozen=True)
class Definition:
    """A version of a selection. id: 64 hex digits. specs: its features in order."""

    id: str
    specs: tuple[FeatureSpec, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The feature names, in order."""
        return tuple(spec.name for spec in self.specs)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The value columns of a panel that the features read, sorted; `ts`, which every panel has, is none of them."""
        return tuple(sorted({name for spec in self.specs for name in spec.inputs} - {TS}))


def definition_of(selection: Selection) -> Definition:
    """Return the version of a selection.

    Raises:
        InputError: an unknown name, nothing selected, or a Python function that carries what cannot be told apart.

    Example:
        >>> definition_of("a20").id == definition_of(list(definition_of("a20").names)).id
        True
        >>> definition_of("a20").id == definition_of(["a20", "-ret_1"]).id
        False
    """
    specs = chosen(selection)
    return Definition(content_hash([computing(), [_meaning(spec) for spec in specs]]), specs)


@cache
def computing() -> list[Any]:
    """Return what tells the code apart that computes every feature: its files and the versions of what compiles it."""
    return [compilers(), [[path.name, file_digests(path)[0]] for path in computing_files()]]


def computing_files() -> tuple[Path, ...]:
    """Return the files of the engine, of the kernels of features and of what compiles and calls these."""
    engine, compiled = Path(features.__file__).parent, Path(kernels.__file__).parent
    one_by_one = [*(engine / name for name in _ENGINE), *(compiled / name for name in _COMPILING)]
    return (*one_by_one, *sorted((compiled / "features").glob("*.py")))


def _meaning(spec: FeatureSpec) -> list[Any]:
    made = _graph([spec.expression]) if isinstance(spec.compute, Node) else meaning_of(spec.compute, spec.name)
    return [spec.describe(), made]


def _graph(roots: Sequence[Node]) -> list[Any]:
    place: dict[Node, int] = {}
    lines = []
    for node in walk(roots):
        place[node] = len(place)
        given = [place[each] for each in node.inputs]
        library = [*node.library, version_of("talib"), _left_out(node.library.function)] if node.library else []
        lines.append([node.op, given, node.lag, node.window, *(list(node.constants), list(node.weights)), node.name])
        lines[-1].append([str(item) for item in library])
    return lines


def _left_out(function: str) -> int:
    """Return how many rows more a function of TA-Lib leaves out, as the user may have set it for the process."""
    unstable = _UNSTABLE[function]
    return int(importlib.import_module("talib").get_unstable_period(unstable)) if unstable else 0
