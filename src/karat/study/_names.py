"""Everything that a study calls by name exists: plug-ins, sources, features, models and their parameters.

Invariants:
1. All problems are reported at once, each under its path in the study file.
2. Nothing is loaded but the classes behind the names; data is not touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from karat.core import ConfigError, InputError
from karat.data import open_source
from karat.features import FEATURES, TIERS, check_regimes
from karat.models import create
from karat.study._config import StudyConfig
from karat.study._plugins import WALK_FORWARD, model_plugins, plugged_features, plugged_splitter, source_plugins
from karat.study._regimes import NONE


def check_names(config: StudyConfig) -> None:
    """Refuse a study that names what does not exist.

    Raises:
        ConfigError: one line per problem: path, value seen, what is allowed, the nearest valid name.
    """
    try:
        models, sources = model_plugins(config.plugins), source_plugins(config.plugins)
    except InputError as error:
        raise ConfigError(f"study {config.name}", [str(error)]) from None
    problems = [*_source("data", config.data.source, config.data.params, sources)]
    for k, join in enumerate(config.joins):
        problems += _source(f"joins.{k}", join.source, join.params, sources) if join.source is not None else ()
    problems += [*_features(config), *_regimes(config), *_splitter(config)]
    for k, model in enumerate(config.models):
        try:
            create(model.name, model.params, seed=config.seed, plugins=models)
        except InputError as error:
            problems.append(_under(f"models.{k}", "name" if error.field == "model" else "params", error))
    if problems:
        raise ConfigError(f"study {config.name}", problems)


def _source(path: str, name: str, params: Mapping[str, Any], plugins: tuple[str, ...]) -> Iterator[str]:
    if name == "frame":  # `karat.run` has written a table in memory to a file by now
        why = "a study file cannot hold a table"
        yield f"{path}.source: got 'frame'; {why}; allowed: csv or parquet with a path, or karat.run in Python"
        return
    try:
        open_source(name, params, plugins=plugins)
    except ConfigError as error:
        yield from (f"{path}.params.{line}" for line in error.problems)
    except InputError as error:
        yield _under(path, "source" if error.field == "source" else "params", error)


def _features(config: StudyConfig) -> Iterator[str]:
    try:
        plugged = plugged_features(config.plugins)
    except InputError as error:
        yield str(error)
        return
    named = {
        "features": config.features,
        **{f"joins.{k}.features": each.features for k, each in enumerate(config.joins)},
    }
    for path, names in named.items():
        picked: set[str] = set()
        for k, name in enumerate(names):
            plain = name.removeprefix("-")
            meant = {*TIERS.get(plain, (plain,))}
            if plain not in {*FEATURES, *TIERS} and name not in plugged:
                allowed = [*TIERS, *sorted({*FEATURES} - {*TIERS}), *sorted(plugged)]
                yield str(InputError(f"{path}.{k}", name, allowed=allowed))
            elif name.startswith("-") and picked.isdisjoint(meant):
                why, fix = f"no entry before it selects {plain}", "remove it, or put it after what it takes out"
                yield str(InputError(f"{path}.{k}", name, why=why, fix=fix))
            picked = picked - meant if name.startswith("-") else picked | meant


def _regimes(config: StudyConfig) -> Iterator[str]:
    own = config.calibration.by_regime
    named = {} if own == NONE else {"calibration.by_regime": own}
    named |= {f"regimes.{k}": name for k, name in enumerate(config.regimes)}
    for k, join in enumerate(config.joins):
        named |= {f"joins.{k}.regimes.{place}": name for place, name in enumerate(join.regimes)}
    for path, name in named.items():
        try:
            check_regimes(path, [name])
        except InputError as error:
            yield str(error)


def _splitter(config: StudyConfig) -> Iterator[str]:
    name = config.splits.splitter
    if name == WALK_FORWARD:
        return
    if name not in config.plugins:
        named = [WALK_FORWARD, *config.plugins]
        yield str(InputError("splits.splitter", name, why="it is not listed under plugins", allowed=named))
        return
    try:
        plugged_splitter(name)
    except InputError as error:
        yield str(error)


def _under(path: str, key: str, error: InputError) -> str:
    """Return the error's sentence under the path of the study file where its value stands."""
    text = str(error).removeprefix(f"{error.field}: ")
    if error.field.endswith(" parameter"):
        return f"{path}.{key}.{error.value.strip(chr(39))}: unknown parameter; {text.partition('; ')[2]}"
    return f"{path}.{key}.{error.field.rpartition('.')[2]}: {text}" if key == "params" else f"{path}.{key}: {text}"
