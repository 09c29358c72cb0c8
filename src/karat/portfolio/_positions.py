"""`Positions`: the target weights a policy decided, with the forecast they came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from karat.core import DataError
from karat.market import TargetWeights

_SCHEMA = {"ts": pl.Int64, "instrument": pl.String, "weight": pl.Float64}


@dataclass(frozen=True, eq=False)
class Positions:
    """Target weights: frame with ts (decision, UTC ns), instrument, weight (share of equity, negative for short).

    Every date has every instrument once, sorted by (ts, instrument). horizon, model: of the forecast behind them.
    """

    frame: pl.DataFrame
    horizon: str
    model: str

    def __post_init__(self) -> None:
        if dict(self.frame.schema) != _SCHEMA:
            raise DataError(
                "positions", "columns and types", seen=dict(self.frame.schema), fix=f"ts, instrument, weight: {_SCHEMA}"
            )
        keys = self.frame.select("ts", "instrument")
        full = self.frame["ts"].n_unique() * self.frame["instrument"].n_unique()
        if len(keys) != full or not keys.equals(keys.unique().sort("ts", "instrument")):
            raise DataError(
                "positions",
                "each date has each instrument once, sorted",
                seen=f"{len(keys)} of {full} rows",
                fix="sort",
            )

    @property
    def instruments(self) -> tuple[str, ...]:
        """The instruments, sorted."""
        return tuple(self.frame["instrument"].unique().sort().to_list())

    def targets(self) -> TargetWeights:
        """Return the weights as the market's intents; instruments of the bars that are not here are left alone."""
        names = self.instruments
        ts = self.frame["ts"].unique().sort().to_numpy().astype(np.int64)
        weights = self.frame["weight"].to_numpy().reshape(len(ts), len(names))
        return TargetWeights(ts, weights, names)
