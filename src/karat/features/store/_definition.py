"""`Definition`: what a selection of features means, as a hash. Another formula, constant or kernel is another version.

Invariants:
1. Two selections of the same features in the same order have one id, however they were named.
2. Whatever changes a value changes the id: expressions node by node, code of Python functions, sources of the kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

import karat.kernels.features as kernels
from karat.core import content_hash, tree_hash
from karat.features._graph import Node, walk
from karat.features._select import Selection, chosen
from karat.features._spec import Compute, FeatureSpec


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
        """The panel columns that the features read, sorted."""
        return tuple(sorted({name for spec in self.specs for name in spec.inputs}))


def definition_of(selection: Selection) -> Definition:
    """Return the version of a selection.

    Raises:
        InputError: an unknown name, or nothing selected.

    Example:
        >>> definition_of("a20").id == definition_of(list(definition_of("a20").names)).id
        True
        >>> definition_of("a20").id == definition_of(["a20", "-ret_1"]).id
        False
    """
    specs = chosen(selection)
    return Definition(content_hash([_kernels(), [_meaning(spec) for spec in specs]]), specs)


@cache
def _kernels() -> str:
    return tree_hash(Path(kernels.__file__).parent)


def _meaning(spec: FeatureSpec) -> list[Any]:
    made = _graph([spec.expression]) if isinstance(spec.compute, Node) else _function(spec.compute)
    return [spec.describe(), made]


def _graph(roots: Sequence[Node]) -> list[Any]:
    place: dict[Node, int] = {}
    lines = []
    for node in walk(roots):
        place[node] = len(place)
        given = [place[each] for each in node.inputs]
        library = list(node.library) if node.library else []
        lines.append([node.op, given, node.lag, node.window, *(list(node.constants), list(node.weights)), node.name])
        lines[-1].append([str(item) for item in library])
    return lines


def _function(function: Compute) -> list[Any]:
    code = getattr(function, "__code__", None)
    name = [getattr(function, "__module__", ""), getattr(function, "__qualname__", type(function).__qualname__)]
    return [*name, _code(code) if isinstance(code, CodeType) else []]


def _code(code: CodeType) -> list[Any]:
    nested = [_code(item) if isinstance(item, CodeType) else repr(item) for item in code.co_consts]
    return [code.co_code.hex(), nested, list(code.co_names)]
