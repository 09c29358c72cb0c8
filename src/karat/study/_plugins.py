"""Plug-ins named by a study: one list in YAML, told apart by the entry-point group that offers them.

| group | what it offers | named in the study under |
|---|---|---|
| `karat.model` | a `Forecaster` class | `models` |
| `karat.source` | a `Source` class | `data.source`, `joins` |
| `karat.feature` | a `FeatureSpec` | `features`, `joins` |
| `karat.splitter` | a `Splitter` class without arguments | `splits.splitter` |
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence

from karat.core import InputError
from karat.features import FEATURES, TIERS, FeatureSpec
from karat.labels import Splitter

MODEL_GROUP = "karat.model"
SOURCE_GROUP = "karat.source"
FEATURE_GROUP = "karat.feature"
SPLITTER_GROUP = "karat.splitter"
GROUPS = (MODEL_GROUP, SOURCE_GROUP, FEATURE_GROUP, SPLITTER_GROUP)
WALK_FORWARD = "walk_forward"


def model_plugins(plugins: Sequence[str]) -> tuple[str, ...]:
    """Return the names that offer a forecaster.

    Raises:
        InputError: a name that no installed package offers.
    """
    return _offering(MODEL_GROUP, plugins)


def source_plugins(plugins: Sequence[str]) -> tuple[str, ...]:
    """Return the names that offer a source.

    Raises:
        InputError: a name that no installed package offers.
    """
    return _offering(SOURCE_GROUP, plugins)


def plugged_features(plugins: Sequence[str]) -> dict[str, FeatureSpec]:
    """Return the features that the named plug-ins offer.

    Raises:
        InputError: one that is no `FeatureSpec`, is called otherwise, or takes a name of karat's own.
    """
    if not plugins:
        return {}
    found = {}
    for point in importlib.metadata.entry_points(group=FEATURE_GROUP):
        if point.name in plugins:
            spec = point.load()
            if not isinstance(spec, FeatureSpec) or spec.name != point.name:
                allowed = f"a karat.features.FeatureSpec named {point.name!r}"
                raise InputError("plugins", point.name, why=f"it is {spec!r}", allowed=allowed)
            if spec.name in FEATURES or spec.name in TIERS:
                raise InputError("plugins", spec.name, why="it is the name of a built-in feature", fix="rename it")
            found[point.name] = spec
    return found


def plugged_splitter(name: str) -> Splitter:
    """Return the splitter of a plug-in.

    Raises:
        InputError: no installed package offers it, or it has no `split`.
    """
    points = [point for point in importlib.metadata.entry_points(group=SPLITTER_GROUP) if point.name == name]
    if not points:
        offered = [point.name for point in importlib.metadata.entry_points(group=SPLITTER_GROUP)]
        raise InputError("splits.splitter", name, allowed=[WALK_FORWARD, *sorted(offered)])
    kind = points[0].load()
    if not isinstance(kind, type) or not callable(getattr(kind, "split", None)):
        raise InputError("plugins", name, why=f"it is {kind!r}", allowed="a class with split(ts, start_ns, end_ns)")
    splitter: Splitter = kind()
    return splitter


def _offering(group: str, plugins: Sequence[str]) -> tuple[str, ...]:
    """Return the names that a group of entry points has, of names that some group has."""
    if not plugins:
        return ()  # reading the metadata of every installed package takes 25 ms
    found = {each: {point.name for point in importlib.metadata.entry_points(group=each)} for each in GROUPS}
    for name in plugins:
        if not any(name in names for names in found.values()):
            offered = sorted(set().union(*found.values()))
            fix = None if offered else "install the package that offers it; nothing is offered here"
            raise InputError("plugins", name, why="no installed package offers it", allowed=offered or None, fix=fix)
    return tuple(name for name in plugins if name in found[group])
