"""`garch_t`: GARCH(1,1) with Student-t errors for each instrument, the strongest of the classical baselines.

The parameters come from all returns known at Train's end. Forecasts filter the variance forward with these parameters.
The standardised t at sqrt(sum of the next variances) is scaled to the labels by the factor with the least pinball on
Train, because a label may leave out the first overnight move, and located at the mean return.
"""

from __future__ import annotations

import numpy as np

from karat.data import LEVELS, Inputs, Table, Train, Valid, horizon_bars
from karat.models._forecaster import Forecaster
from karat.models._garch import Garch, fit_garch, next_variance, summed_variance
from karat.models._scale import spans
from karat.models._shape import mean_pinball
from karat.models._state import State
from karat.models._types import Floats

_FLOOR = 1e-8  # per cent²: a series that stopped moving still has a scale


class GarchT(Forecaster):
    """Constant mean, GARCH(1,1), Student-t. An instrument not in Train takes the median parameters."""

    name = "garch_t"
    routes = True
    baseline = True

    def _fit(self, train: Train, valid: Valid) -> None:
        self._known: dict[str, int] = {}
        rows: list[Floats] = []
        for part in spans(train.table.code):
            name = train.table.instruments[int(train.table.code[part.start])]
            returns = train.table.returns[part]
            garch, problem = fit_garch(100.0 * returns[np.isfinite(returns)])
            if problem:
                self.notes += (f"garch_t: EWMA parameters for {name}: {problem}",)
            self._known[name] = 1 + len(rows)
            rows.append(garch.row())
        self._rows = np.vstack([np.median(rows, axis=0), *rows])
        self._bars = horizon_bars(train.horizon)
        centre, spread, shape = self._standard(train)
        self._ratio = 1.0
        values = train.labels.value
        grid = np.exp(np.linspace(np.log(0.5), np.log(1.5), 23))
        losses = [mean_pinball(values, centre[:, None] + part * spread[:, None] * shape) for part in grid]
        self._ratio = float(grid[int(np.argmin(losses))])

    def _predict(self, inputs: Inputs) -> tuple[Floats, Floats | None]:
        centre, spread, shape = self._standard(inputs)
        return centre[:, None] + self._ratio * spread[:, None] * shape, None

    def _standard(self, inputs: Inputs) -> tuple[Floats, Floats, Floats]:
        """Return (n,) mean and (n,) standard deviation of the sum of the next returns, and the (n, 23) unit shape."""
        from scipy.special import stdtrit

        centre, spread, nu = self._filter(inputs.table)
        freedom = nu[inputs.rows]
        unique, at = np.unique(freedom, return_inverse=True)
        unit = np.array([stdtrit(df, LEVELS) * np.sqrt((df - 2.0) / df) for df in unique])
        return centre[inputs.rows], spread[inputs.rows], unit[at]

    def _filter(self, table: Table) -> tuple[Floats, Floats, Floats]:
        centre, spread, nu = (np.empty(len(table.code)) for _ in range(3))
        for part in spans(table.code):
            name = table.instruments[int(table.code[part.start])]
            garch = Garch(*map(float, self._rows[self._known.get(name, 0)]))
            returns = 100.0 * table.returns[part]
            seen = np.isfinite(returns)
            ahead = next_variance(returns[seen] - garch.mu, garch)
            ahead = np.r_[garch.start, ahead][np.cumsum(seen)]
            spread[part] = np.sqrt(np.maximum(summed_variance(ahead, garch, self._bars), _FLOOR)) / 100.0
            centre[part] = self._bars * garch.mu / 100.0
            nu[part] = garch.nu
        return centre, spread, nu

    def _state(self) -> State:
        values = {"known": self._known, "ratio": self._ratio, "bars": self._bars}
        return State({"parameters": self._rows}, values)

    def _restore(self, state: State) -> None:
        self._rows, self._known = state.arrays["parameters"], state.values["known"]
        self._ratio, self._bars = state.values["ratio"], state.values["bars"]
