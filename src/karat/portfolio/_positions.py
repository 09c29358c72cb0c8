"""`Positions`: the target weights a policy decided, with the forecast they came from."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from karat._words import counted
from karat.core import DataError
from karat.kernels import increasing
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
        if not self._is_grid():
            full = self.frame["ts"].n_unique() * self.frame["instrument"].n_unique()
            raise DataError(
                "positions",
                "each date has each instrument once, sorted",
                seen=f"{len(self.frame)} of {counted(full, 'row')}",
                fix="sort",
            )

    @property
    def instruments(self) -> tuple[str, ...]:
        """The instruments, sorted."""
        return tuple(self.frame["instrument"].head(self._width).to_list())

    def targets(self) -> TargetWeights:
        """Return the weights as the market's intents; instruments of the bars that are not here are left alone."""
        names = self.instruments
        ts = self.frame["ts"].to_numpy()[:: max(len(names), 1)].astype(np.int64)
        weights = self.frame["weight"].to_numpy().reshape(len(ts), len(names))
        return TargetWeights(ts, weights, names)

    @property
    def _width(self) -> int:
        """Rows of the first date."""
        ts = self.frame["ts"]
        return int((ts == ts[0]).sum()) if len(ts) else 0

    def _is_grid(self) -> bool:
        """Return whether every date has every instrument once, both increasing."""
        width = self._width
        if not width:
            return self.frame.is_empty()
        if len(self.frame) % width or self.frame.null_count().select("ts", "instrument").row(0) != (0, 0):
            return False
        grid, names = self.frame["ts"].to_numpy().reshape(-1, width), self.frame["instrument"]
        first = names.head(width).to_list()
        once = all(one < other for one, other in pairwise(first)) and increasing(np.ascontiguousarray(grid[:, 0]))
        return once and bool((grid == grid[:, :1]).all()) and names.equals(pl.Series(first * len(grid)))
