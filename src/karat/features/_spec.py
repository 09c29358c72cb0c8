"""`FeatureSpec`: what a feature is, what it reads, when it has its first value and how it is computed.

A family of features is a table of `Function`s, each at up to five windows, in a file of its own.

Invariants:
1. A feature's value in a row depends on that row and earlier rows of its own instrument, never on later ones.
2. `lookback` is the number of leading rows without a value. A windowed feature reads exactly `lookback` earlier rows;
   a `recursive` one (exponential averages) depends on the whole past, with weights that fade.
3. Every feature is Float64: categories are encoded as numbers with documented thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from karat.core import InputError
from karat.features._graph import Node, columns, lagged

Floats = NDArray[np.float64]
Columns = Mapping[str, Floats]
Compute = Callable[[Columns], Floats]
Category = Literal[
    "price",
    "trend",
    "momentum",
    "volatility",
    "volume",
    "moments",
    "liquidity",
    "index",
    "complexity",
    "spectral",
    "seasonal",
    "alpha158",
    "indicators",
    "vix",
    "regulatory",
    "raw",
    "signal",
    "regime",
    "custom",
]

NAN_RULE = (
    "rows where an input is NaN are skipped and get NaN; "
    "0/0 of a flat window gets the neutral value that the formula states, 0 where it states none"
)
FLAT_RULE = "rows where an input is NaN are skipped and get NaN; NaN where the window is flat"


@dataclass(frozen=True)
class FeatureSpec:
    """One feature.

    name: column name. inputs: panel columns it reads. lookback: warm-up rows of a function, and recursive whether it
    reads the whole past; an expression's own are taken. lag: rows that the computed value is shifted by, for inputs
    that are published late. compute: an expression, or a function that maps the input columns of
    one instrument, each (n,) float64 in time order and finite, to the (n,) values, NaN during warm-up. function,
    window: features of one function differ in their window only, 0 where it has none.
    """

    name: str
    inputs: tuple[str, ...]
    lookback: int
    category: Category
    unit: str
    formula: str
    source: str
    compute: Compute | Node
    lag: int = 0
    recursive: bool = False
    nan_rule: str = NAN_RULE
    function: str = ""
    window: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise InputError("feature.name", self.name, allowed="a Python identifier, such as ret_1")
        for field in ("unit", "formula", "source"):
            if not isinstance(getattr(self, field), str) or not getattr(self, field).strip():
                why = "the data dictionary describes every column"
                seen = "nothing" if isinstance(getattr(self, field), str) else getattr(self, field)
                raise InputError(f"feature.{self.name}.{field}", seen, allowed="a description", why=why)
        if not isinstance(self.inputs, tuple | list) or not self.inputs:
            raise InputError(f"feature.{self.name}.inputs", self.inputs, allowed="panel columns, such as ('close',)")
        if self.category not in get_args(Category):
            raise InputError(f"feature.{self.name}.category", self.category, allowed=list(get_args(Category)))
        for field in ("lookback", "lag"):
            rows, why = getattr(self, field), "a negative one reads ahead"
            if not isinstance(rows, int) or isinstance(rows, bool) or rows < 0:
                raise InputError(f"feature.{self.name}.{field}", rows, allowed="rows, 0 or more", why=why)
        object.__setattr__(self, "inputs", tuple(self.inputs))
        self._check_compute()

    def _check_compute(self) -> None:
        """Refuse what is neither an expression nor a function; an expression knows its warm-up itself."""
        field = f"feature.{self.name}"
        if not isinstance(self.compute, Node):
            if not callable(self.compute):
                allowed = "an expression, or a function of the columns"
                raise InputError(f"{field}.compute", type(self.compute).__name__, allowed=allowed)
            return
        if unread := [name for name in columns(self.compute) if name not in self.inputs]:
            why = f"the expression reads {', '.join(unread)}"
            raise InputError(f"{field}.inputs", list(self.inputs), why=why, allowed=list(columns(self.compute)))
        object.__setattr__(self, "lookback", self.compute.warm_up)
        object.__setattr__(self, "recursive", self.compute.recursive)

    @property
    def warm_up(self) -> int:
        """Leading rows without a value, the lag included."""
        return self.lookback + self.lag

    @property
    def expression(self) -> Node:
        """The expression of the column: `compute`, shifted by `lag`.

        Raises:
            InputError: the feature is a Python function.
        """
        if not isinstance(self.compute, Node):
            raise InputError(f"feature.{self.name}", self.compute, allowed="an expression")
        return lagged(self.compute, self.lag)

    def describe(self) -> dict[str, str | int | bool | list[str]]:
        """Return the metadata as plain values, for listings and hashes."""
        return {
            "name": self.name,
            "inputs": list(self.inputs),
            "lookback": self.lookback,
            "lag": self.lag,
            "recursive": self.recursive,
            "category": self.category,
            "function": self.function or self.name,
            "window": self.window,
            "unit": self.unit,
            "formula": self.formula,
            "nan_rule": self.nan_rule,
            "source": self.source,
        }


@dataclass(frozen=True)
class Function:
    """A line of a family's table: a function of bars, at each of its windows a feature.

    make: window to expression. windows: 0 for a function without. label: column name, `{w}` for the window; without
    it the name and the window. formula, unit, source: as in `FeatureSpec`, `{w}` for the window.
    """

    name: str
    make: Callable[[int], Node]
    windows: tuple[int, ...]
    unit: str
    formula: str
    source: str
    nan_rule: str = NAN_RULE
    label: str = ""


def family(category: Category, *functions: Function) -> tuple[FeatureSpec, ...]:
    """Return the features of a family's table, in its order."""
    return tuple(_spec(category, each, w) for each in functions for w in each.windows)


def _spec(category: Category, each: Function, w: int) -> FeatureSpec:
    made = each.make(w)
    return FeatureSpec(
        name=(each.label or (each.name + ("_{w}" if w else ""))).replace("{w}", str(w)),
        inputs=columns(made),
        lookback=made.warm_up,
        category=category,
        unit=each.unit,
        formula=each.formula.replace("{w}", str(w)),
        source=each.source,
        compute=made,
        recursive=made.recursive,
        nan_rule=each.nan_rule,
        function=each.name,
        window=w,
    )
