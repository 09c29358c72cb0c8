"""`Definition`: what a selection of features means, as a hash. Another formula, constant or kernel is another version.

Invariants:
1. Two selections of the same features in the same order have one id, however they were named.
2. Whatever changes a value changes the id: expressions node by node, Python functions with all that they carry and
   call, sources of the kernels, versions of TA-Lib and of other packages that are called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import karat.kernels.features as kernels
from karat.core import content_hash, tree_hash
from karat.features._graph import TS, Node, walk
from karat.features._select import Selection, chosen
from karat.features._spec import FeatureSpec
from karat.features.store._meaning import meaning_of, version_of


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
        InputError: an unknown name, nothing selected, or a Python function that carries what cannot be hashed.

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
    made = _graph([spec.expression]) if isinstance(spec.compute, Node) else meaning_of(spec.compute, spec.name)
    return [spec.describe(), made]


def _graph(roots: Sequence[Node]) -> list[Any]:
    place: dict[Node, int] = {}
    lines = []
    for node in walk(roots):
        place[node] = len(place)
        given = [place[each] for each in node.inputs]
        library = [*node.library, version_of("talib")] if node.library else []
        lines.append([node.op, given, node.lag, node.window, *(list(node.constants), list(node.weights)), node.name])
        lines[-1].append([str(item) for item in library])
    return lines
