"""The table of sources, and the two verbs over it: `open_source` and `load`.

Invariants:
1. `SOURCES` is the whole list of built-in sources: one line each.
2. Sources of other packages come by the entry-point group `karat.source` and are off until they are named.
3. A plug-in never replaces a built-in source.
"""

from __future__ import annotations

import importlib.metadata
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from karat.core import InputError
from karat.data._bundled import BundledSource
from karat.data._files import CsvSource, ParquetSource
from karat.data._frames import FrameSource
from karat.data._panel import Panel
from karat.data._source import Source
from karat.data._sqlite_source import SqliteSource
from karat.data._synthetic import SyntheticSource

GROUP: Final = "karat.source"

SOURCES: Final[dict[str, type[Source]]] = {
    "bundled": BundledSource,
    "csv": CsvSource,
    "frame": FrameSource,
    "parquet": ParquetSource,
    "sqlite": SqliteSource,
    "synthetic": SyntheticSource,
}


def available_sources(plugins: Sequence[str] = ()) -> dict[str, type[Source]]:
    """Return the built-in sources and the named plug-ins, by name.

    Raises:
        InputError: a plug-in that is not installed, that is no `Source`, or that takes a built-in name.
    """
    table = dict(SOURCES)
    if not plugins:
        return table
    offered = {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}
    for name in plugins:
        if name in SOURCES:
            raise InputError("plugins", name, why="it is the name of a built-in source", fix="rename the plug-in")
        if name not in offered:
            fix = None if offered else "install the package that offers it"
            raise InputError("plugins", name, why=f"no installed package offers it as {GROUP}", allowed=sorted(offered),
                             fix=fix)  # fmt: skip
        table[name] = _checked(name, offered[name].load())
    return table


def open_source(name: str, params: Mapping[str, Any] | None = None, *, plugins: Sequence[str] = ()) -> Source:
    """Return the source `name` with the given parameters.

    Raises:
        InputError: an unknown source or parameter, with the nearest valid name.
    """
    table = available_sources(plugins)
    if not isinstance(name, str):
        fix = "a table in memory is load('frame', frame=...)"
        raise InputError("source", type(name).__name__, allowed=list(table), fix=fix)
    if name not in table:
        if Path(name).is_file():
            fix = f"name the source that reads it and give it the path: path={name}"
            raise InputError("source", name, why="it is a file", allowed=list(table), fix=fix)
        raise InputError("source", name, allowed=list(table))
    kind, values = table[name], dict(params or {})
    allowed = kind.parameters()
    for key in values:
        if key not in allowed:
            raise InputError(f"{name} parameter", key, allowed=allowed)
    for parameter in inspect.signature(kind).parameters.values():
        needed = parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
        if needed and parameter.name not in values:
            raise InputError(f"{name}.{parameter.name}", None, why=f"{name} needs it", fix=f"add {parameter.name}")
    return kind(**values)


def load(source: str, *, plugins: Sequence[str] = (), **params: Any) -> Panel:
    """Return the panel of a source.

    Example:
        >>> load("synthetic", n_days=5, seed=1).frame.shape
        (5, 9)
    """
    return open_source(source, params, plugins=plugins).load()


def _checked(name: str, kind: object) -> type[Source]:
    if not (isinstance(kind, type) and issubclass(kind, Source)):
        raise InputError("plugins", name, why=f"it is {kind!r}", allowed="a subclass of karat.data.Source")
    return kind
