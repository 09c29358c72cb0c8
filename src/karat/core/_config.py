"""Configuration records: frozen, closed (unknown keys are refused), all problems reported at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from karat.core._errors import ConfigError, nearest, shorten


class Config(BaseModel):
    """Base of every configuration model; `None` means off."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, source: str) -> Self:
        """Return the validated record.

        Raises:
            ConfigError: with one line per problem: path, value seen, what is allowed, the nearest valid name.
        """
        if not isinstance(values, Mapping):
            raise ConfigError(source, [f"(top level): got {shorten(values)}; expected keys and values"])
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError(source, list(_problems(cls, error))) from None


def _problems(model: type[BaseModel], error: ValidationError) -> Iterator[str]:
    for item in error.errors(include_url=False):
        path = ".".join(str(part) for part in item["loc"]) or "(top level)"
        if item["type"] == "extra_forbidden":
            names = _field_names(model, item["loc"][:-1])
            guess = nearest(str(item["loc"][-1]), names)
            hint = f"; did you mean '{guess}'?" if guess else ""
            yield f"{path}: unknown key; allowed: {', '.join(names)}{hint}"
        elif item["type"] == "missing":
            yield f"{path}: required key is missing; add it"
        else:
            context = item.get("ctx", {})
            hint = ""
            if item["type"] in ("literal_error", "enum") and isinstance(item["input"], str):
                options = [
                    part.strip(" '") for part in str(context.get("expected", "")).replace(" or ", ",").split(",")
                ]
                guess = nearest(item["input"], options)
                hint = f"; did you mean '{guess}'?" if guess else ""
            yield f"{path}: got {shorten(item['input'])}; {item['msg']}{hint}"


def _field_names(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
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
