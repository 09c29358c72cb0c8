"""Configuration records: frozen, closed (unknown keys are refused), all problems reported at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from karat.core._errors import ConfigError, nearest, shorten

Path = tuple[int | str, ...]
Line = Callable[[Path], int | None]

_ALLOWED: Final[dict[str, str]] = {
    "literal_error": "{options}",
    "enum": "{options}",
    "greater_than": "above {gt:.12g}",
    "greater_than_equal": "{ge:.12g} or more",
    "less_than": "below {lt:.12g}",
    "less_than_equal": "{le:.12g} or less",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "string_pattern_mismatch": "text of the form {pattern}",
    "too_short": "a list of {min_length} or more entries",
    "tuple_type": "a list, e.g. [first, second]",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "date_type": "a date, e.g. 2015-12-31",
    "date_parsing": "a date, e.g. 2015-12-31",
    "date_from_datetime_parsing": "a date, e.g. 2015-12-31",
    "date_from_datetime_inexact": "a date, e.g. 2015-12-31",
}


class Config(BaseModel):
    """Base of every configuration model; `None` means off."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, source: str, line: Line | None = None) -> Self:
        """Return the validated record; `line` tells in which line of the source a path stands, where that is known.

        Raises:
            ConfigError: with one line per problem: path, value seen, what is allowed, the nearest valid name.
        """
        if not isinstance(values, Mapping):
            raise ConfigError(source, [f"(top level): got {shorten(values)}; allowed: keys and values"])
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            problems = [f"{_place(path, line)}: {text}" for path, text in _problems(cls, error)]
            raise ConfigError(source, problems) from None


def _place(path: Path, line: Line | None) -> str:
    number = line(path) if line else None
    return (".".join(str(part) for part in path) or "(top level)") + (f" (line {number})" if number else "")


def _problems(model: type[BaseModel], error: ValidationError) -> Iterator[tuple[Path, str]]:
    for item in error.errors(include_url=False):
        path, kind, seen, context = item["loc"], item["type"], item["input"], item.get("ctx", {})
        if kind == "extra_forbidden":
            names = _field_names(model, path[:-1])
            guess = nearest(str(path[-1]), names)
            yield path, f"unknown key; allowed: {', '.join(names)}" + (f"; did you mean '{guess}'?" if guess else "")
        elif kind == "missing":
            yield path, "required key is missing; add it"
        elif kind == "value_error" and isinstance(seen, Mapping):  # a record's own check: `field: what is wrong`
            field, _, text = str(context["error"]).partition(": ")
            yield (*path, field), text
        elif kind != "too_short" or len(seen) < context["min_length"]:  # else its entries were refused already
            guess = _guess(seen, kind, context)
            if kind == "tuple_type" and isinstance(seen, str | Mapping):
                guess = f"; write [{seen}]" if isinstance(seen, str) else "; put it between [ and ]"
            yield path, f"got {shorten(seen)}; {_allowed(item['msg'], kind, context)}{guess}"


def _allowed(message: str, kind: str, context: Mapping[str, Any]) -> str:
    """Return what is allowed, in the words of every other message of karat."""
    words = _ALLOWED.get(kind)
    if words is None:
        return str(context["error"]) if kind == "value_error" else message
    options = {"options": ", ".join(_options(context))} if "expected" in context else {}
    return "allowed: " + words.format(**{**context, **options})


def _guess(value: object, kind: str, context: Mapping[str, Any]) -> str:
    guess = nearest(value, _options(context)) if kind in ("literal_error", "enum") and isinstance(value, str) else None
    return f"; did you mean '{guess}'?" if guess else ""


def _options(context: Mapping[str, Any]) -> list[str]:
    return [part.strip(" '") for part in str(context.get("expected", "")).replace(" or ", ",").split(",")]


def _field_names(model: type[BaseModel], path: Path) -> list[str]:
    """Return the field names of the model reached by `path`, following nested models, lists, maps and unions."""
    found: list[type[BaseModel]] = [model]
    for part in path:
        inner: list[type[BaseModel]] = []
        for candidate in found:
            field = candidate.model_fields.get(str(part))
            inner += list(_models_in(field.annotation)) if field else [candidate]
        found = inner or found
    return sorted({name for item in found for name in item.model_fields})


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
