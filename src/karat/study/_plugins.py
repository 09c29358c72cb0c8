"""Plug-ins named by a study: one list in YAML, told apart by the entry-point group that offers them."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence

from karat.core import InputError

MODEL_GROUP = "karat.model"
SOURCE_GROUP = "karat.source"


def split_plugins(plugins: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return (model plug-ins, source plug-ins) of the names a study lists.

    Raises:
        InputError: a name that no installed package offers.
    """
    if not plugins:
        return (), ()  # reading the metadata of every installed package takes 25 ms
    models = {point.name for point in importlib.metadata.entry_points(group=MODEL_GROUP)}
    sources = {point.name for point in importlib.metadata.entry_points(group=SOURCE_GROUP)}
    for name in plugins:
        if name not in models | sources:
            offered = sorted(models | sources)
            fix = None if offered else "install the package that offers it; nothing is offered here"
            raise InputError("plugins", name, why="no installed package offers it", allowed=offered or None, fix=fix)
    return tuple(name for name in plugins if name in models), tuple(name for name in plugins if name in sources)
