"""A study as the command line sees it: the file, changed by the environment, changed by `--set`.

Invariants:
1. `--set` wins over the environment, the environment over the file, the file over the defaults.
2. Each value knows where it came from; a study that was changed is validated again as a whole.
3. What the environment changes is said aloud.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karat.cli._options import named
from karat.cli._output import say

if TYPE_CHECKING:
    from karat.study import StudyConfig

PREFIX = "KARAT__"


@dataclass(frozen=True)
class Override:
    """One value from outside the file; `origin` is what the user wrote."""

    path: tuple[str, ...]
    text: str
    origin: str


@dataclass(frozen=True)
class Settings:
    """A validated study with the values that came from outside its file, the strongest last."""

    config: StudyConfig
    given: Mapping[str, Any]
    overrides: tuple[Override, ...]

    def rows(self) -> list[tuple[str, Any, str]]:
        """Return (path, value, source) of every value."""
        return list(self._rows(self.config.model_dump(mode="json"), self.given, ()))

    def _rows(self, values: Any, given: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any, str]]:
        inner: list[tuple[str, Any, Any]] = []
        if isinstance(values, dict):
            inner = [(key, value, given.get(key) if isinstance(given, dict) else None) for key, value in values.items()]
        elif isinstance(values, list) and values and isinstance(values[0], dict):
            listed = given if isinstance(given, list) else []
            inner = [(str(k), value, listed[k] if k < len(listed) else None) for k, value in enumerate(values)]
        if not inner:
            yield ".".join(path), values, self._source(path, given is not None)
        for key, value, known in inner:
            yield from self._rows(value, known, (*path, key))

    def _source(self, path: tuple[str, ...], given: bool) -> str:
        for item in reversed(self.overrides):
            if all(mine == its for mine, its in zip(path, item.path, strict=False)):  # one lies within the other
                return item.origin
        return "file" if given else "default"


def read_settings(study: Path, sets: Sequence[str] | None = None) -> Settings:
    """Return the study in a file as environment and `--set` change it.

    Raises:
        InputError: no such file, or a path that leads nowhere. ConfigError: values that do not fit, all at once.
    """
    from karat.study import StudyConfig, check_names, read_study

    config = read_study(study)
    given = config.model_dump(mode="json", exclude_unset=True)
    overrides = (*_environment(), *map(_option, sets or ()))
    if overrides:
        values = config.model_dump(mode="json", exclude_unset=True)
        for item in overrides:
            _put(values, item)
        config = StudyConfig.parse(values, source=f"{study} with {', '.join(item.origin for item in overrides)}")
    for item in overrides:
        if item.origin.startswith(PREFIX):
            say(f"from the environment: {item.origin}={item.text}")
    check_names(config)
    return Settings(config, given, overrides)


def _environment() -> Iterator[Override]:
    for name, text in sorted(os.environ.items()):
        if name.startswith(PREFIX):
            yield Override(tuple(name.removeprefix(PREFIX).lower().split("__")), text, name)


def _option(text: str) -> Override:
    path, value = named("--set", text, "path=value, e.g. splits.test_frac=0.4")
    return Override(tuple(path.split(".")), value, f"--set {path}")


def _put(values: Any, item: Override) -> None:
    """Set one value by its path; numbers name entries of a list."""
    import yaml

    from karat.core import InputError

    try:
        value = yaml.safe_load(item.text)
    except yaml.YAMLError:
        raise InputError(item.origin, item.text, allowed="a value as YAML writes it") from None
    place = values
    for k, part in enumerate(item.path):
        key: Any = _index(place, part, item) if isinstance(place, list) else _key(place, k, item)
        if k == len(item.path) - 1:
            place[key] = value
            return
        place = place[key] if isinstance(place, list) else place.setdefault(key, {})
        if not isinstance(place, dict | list):
            raise InputError(item.origin, item.text, why=f"'{part}' is one value and has no keys below it")


def _key(place: Mapping[str, Any], k: int, item: Override) -> str:
    """Return the key of a path's k-th part; a number counts the entries of a list that is not there."""
    from karat.core import InputError

    part, outer = item.path[k], ".".join(item.path[:k])
    if outer and part.isdecimal() and part not in place:
        why, fix = "it counts the entries of a list", f"give the whole list: {outer}=[...]"
        raise InputError(item.origin, part, why=f"{why}, and nothing is set at {outer}", fix=fix)
    return part


def _index(place: Sequence[Any], part: str, item: Override) -> int:
    from karat.core import InputError

    if not part.isdecimal() or int(part) >= len(place):
        last = len(place) - 1
        allowed = ("0, the only one" if last == 0 else f"0 to {last}") if place else "nothing: the list is empty"
        raise InputError(item.origin, part, why="it counts the entries of a list", allowed=allowed)
    return int(part)
