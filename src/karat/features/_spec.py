"""`FeatureSpec`: what a feature is, what it reads, when it has its first value and how it is computed.

Invariants:
1. A feature's value in a row depends on that row and earlier rows of its own instrument, never on later ones.
2. `lookback` is the number of leading rows without a value. A windowed feature reads exactly `lookback` earlier rows;
   a `recursive` one (exponential averages) depends on the whole past, with weights that fade.
3. Every feature is Float64: categories are encoded as numbers with documented thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from karat.core import InputError

Floats = NDArray[np.float64]
Columns = Mapping[str, Floats]
Compute = Callable[[Columns], Floats]
Category = Literal["price", "trend", "momentum", "volatility", "volume", "vix", "regulatory", "raw", "signal", "custom"]

NAN_RULE = "rows where an input is NaN are skipped and get NaN; 0/0 of a flat window gets the stated neutral value"


@dataclass(frozen=True)
class FeatureSpec:
    """One feature.

    name: column name. inputs: panel columns it reads. lookback: warm-up rows. lag: rows that the computed value is
    shifted by, for inputs that are published late. compute: maps the input columns of one instrument, each (n,)
    float64 in time order and finite, to the (n,) values, NaN during warm-up.
    """

    name: str
    inputs: tuple[str, ...]
    lookback: int
    category: Category
    unit: str
    formula: str
    source: str
    compute: Compute
    lag: int = 0
    recursive: bool = False
    nan_rule: str = NAN_RULE

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise InputError("feature.name", self.name, allowed="a Python identifier, such as ret_1")
        if not self.inputs:
            raise InputError(f"feature.{self.name}.inputs", self.inputs, allowed="one or more panel columns")
        if self.lookback < 0 or self.lag < 0:
            seen = (self.lookback, self.lag)
            raise InputError(
                f"feature.{self.name}", seen, allowed="lookback and lag of 0 or more", why="a negative lag reads ahead"
            )

    @property
    def warm_up(self) -> int:
        """Leading rows without a value, the lag included."""
        return self.lookback + self.lag

    def describe(self) -> dict[str, str | int | bool | list[str]]:
        """Return the metadata as plain values, for listings and hashes."""
        return {
            "name": self.name,
            "inputs": list(self.inputs),
            "lookback": self.lookback,
            "lag": self.lag,
            "recursive": self.recursive,
            "category": self.category,
            "unit": self.unit,
            "formula": self.formula,
            "nan_rule": self.nan_rule,
            "source": self.source,
        }


def as_array(series: pl.Series) -> Floats:
    """Return a value column as contiguous (n,) float64, null as NaN."""
    return np.ascontiguousarray(series.fill_null(np.nan).to_numpy(), dtype=np.float64)
