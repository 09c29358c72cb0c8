"""What the cheats share: a clean straight line as a forecaster, and clean synthetic prices as a source."""

import numpy as np
import polars as pl

from karat.data import LEVELS, Panel, Provenance, Source, load
from karat.models import Forecaster, State


class Line(Forecaster):
    """Residual quantiles around a straight line through `feature(inputs)`, clean unless a cheat changes that."""

    name = "line"

    def feature(self, inputs):
        return inputs.features[:, -1]

    def _fit(self, train, valid):
        x, y = self.feature(train), train.labels.value
        slope = float(np.cov(x, y)[0, 1] / max(float(np.var(x)), 1e-18))
        self._line = np.array([slope, float(y.mean() - slope * x.mean())])
        self._residual = np.quantile(y - slope * x - self._line[1], LEVELS)

    def _predict(self, inputs):
        centre = self._line[1] + self._line[0] * self.feature(inputs)
        return centre[:, None] + self._residual[None, :], None

    def _state(self):
        return State({"line": self._line, "residual": self._residual})

    def _restore(self, state):
        self._line, self._residual = state.arrays["line"], state.arrays["residual"]


class Prices(Source):
    """Synthetic prices of `n` instruments, changed by `change(frame)`."""

    name = "prices"
    n = 1
    days = 1000

    def __init__(self, seed: int = 3) -> None:
        self.seed = seed

    def change(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame

    def load(self) -> Panel:
        made = load("synthetic", seed=self.seed, n_days=self.days, n_instruments=self.n, edge_sharpe=2.0)
        frame = self.change(made.frame).sort("instrument", "ts").select(made.frame.columns)
        return Panel(frame, made.calendar, Provenance(self.name, "planted", "CC0"))
