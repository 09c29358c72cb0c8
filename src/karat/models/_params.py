"""`Param`: the default and the bounds of one model parameter, as data; checks and messages are made from it.

Invariants:
1. A value has the type of the default; a whole number is accepted where a real one is allowed, never the reverse.
2. Every unknown name and every value out of bounds is refused with what is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from karat.core import InputError

Value = int | float | str | bool


@dataclass(frozen=True)
class Param:
    """One parameter. low, high: inclusive bounds of a number. choices: the allowed texts."""

    default: Value
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """What a value may be, in words."""
        if isinstance(self.default, bool):
            return "true or false"
        if isinstance(self.default, str):
            return ", ".join(self.choices) or "text"
        kind = "a whole number" if isinstance(self.default, int) else "a number"
        return f"{kind} from {self.low:g} to {self.high:g}"

    def check(self, field: str, value: Any) -> Value:
        """Return the value in the type of the default.

        Raises:
            InputError: another type, or outside the bounds.
        """
        if isinstance(self.default, bool) or isinstance(value, bool):
            if isinstance(self.default, bool) and isinstance(value, bool):
                return value
        elif isinstance(self.default, str):
            if isinstance(value, str) and (not self.choices or value in self.choices):
                return value
        elif (
            isinstance(value, int if isinstance(self.default, int) else (int, float)) and self.low <= value <= self.high
        ):
            return type(self.default)(value)
        raise InputError(field, value, allowed=self.choices or self.allowed)


def _number(value: object, *, whole: bool) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and not whole)


def resolve(model: str, table: Mapping[str, Param], given: Mapping[str, Any]) -> dict[str, Value]:
    """Return every parameter of `table`, the given ones checked, the others at their defaults.

    Raises:
        InputError: an unknown name, with the nearest valid one, or a value out of bounds.
    """
    for name in given:
        if name not in table:
            why = None if table else f"{model} takes no parameters"
            raise InputError(f"{model} parameter", name, allowed=sorted(table) or None, why=why)
    return {
        name: param.check(f"{model}.{name}", given[name]) if name in given else param.default
        for name, param in table.items()
    }
