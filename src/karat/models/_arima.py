"""`arima`: the location of an ARMA model for returns, at the shared scale and shape.

| symbol  | meaning                                                    | shape  |
|---------|------------------------------------------------------------|--------|
| r_t     | simple return less its mean mu                             | (n,)   |
| e_t     | innovation: phi(B) r_t = theta(B) e_t                      | (n,)   |
| f_{t,k} | forecast of r_{t+k} at t                                   | (n,)   |

statsmodels estimates phi and theta for each instrument on the returns known at Train's end, by exact maximum
likelihood. Forecasting is ours, because it has to be causal for every row at once: e is the filter theta^-1(B) phi(B)
r from rest, and f_{t,k} follows by recursion with future innovations zero. The location is the sum over the bars of
the label, the first left out where the label starts after the next bar's close; how much of it is believed is chosen
on Valid.

Invariants:
1. f_{t,k} reads r up to and with t.
2. Parameters that are not stationary and invertible are replaced by white noise, with a note.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from karat._words import counted
from karat.data import Inputs, Table, Train, Valid, horizon_bars
from karat.models._forecaster import Forecaster
from karat.models._params import Param
from karat.models._problem import Frame
from karat.models._scale import spans
from karat.models._shape import shrinkage
from karat.models._state import State
from karat.models._types import Floats

_LEAST = 50
_FLAT = 1e-5


class Arima(Forecaster):
    """ARIMA(p, 0, q) of returns, which is ARIMA(p, 1, q) of log prices to first order. p, q: orders.

    An instrument not in Train is white noise.
    """

    name = "arima"
    routes = True
    PARAMS: ClassVar[Mapping[str, Param]] = {"p": Param(1, 0, 10), "q": Param(1, 0, 10)}

    def _fit(self, train: Train, valid: Valid) -> None:
        p, q = int(self.params["p"]), int(self.params["q"])
        self._frame = Frame.fit(train)
        self._known: dict[str, int] = {}
        rows = [np.zeros(1 + p + q)]
        for part in spans(train.table.code):
            name = train.table.instruments[int(train.table.code[part.start])]
            returns = train.table.returns[part]
            values, problem = fit_arma(returns[np.isfinite(returns)], p, q)
            if problem:
                self.notes += (f"arima: white noise for {name}: {problem}",)
            self._known[name] = len(rows)
            rows.append(values)
        self._rows = np.array(rows)
        self._skip = _starts_late(train)
        self._bars, self._part = horizon_bars(train.horizon), 1.0
        z, still = self._frame.target(valid), np.zeros(len(valid))
        base = self._frame.shape.quantiles(still, still)
        self._part = shrinkage(z, base, self._frame.shape.quantiles(self._shift(valid), still))

    def _shift(self, inputs: Inputs) -> Floats:
        """Return (n,) the location's deviation from the mean, in units of the scale."""
        sums = self._sums(inputs.table)[inputs.rows]
        return np.asarray(self._part * sums / self._frame.scale.of(inputs))

    def _sums(self, table: Table) -> Floats:
        p = int(self.params["p"])
        out = np.empty(len(table.code))
        for part in spans(table.code):
            name = table.instruments[int(table.code[part.start])]
            row = self._rows[self._known.get(name, 0)]
            returns = table.returns[part]
            seen = np.isfinite(returns)
            steps = forecast_arma(returns[seen] - row[0], row[1 : 1 + p], row[1 + p :], self._skip + self._bars)
            sums = steps[:, self._skip :].sum(axis=1)
            out[part] = np.r_[0.0, sums][np.cumsum(seen)]
        return out

    def _predict(self, inputs: Inputs) -> tuple[Floats, Floats | None]:
        quantiles = self._frame.shape.quantiles(self._shift(inputs), np.zeros(len(inputs)))
        return self._frame.scale.of(inputs)[:, None] * quantiles, None

    def _state(self) -> State:
        state = self._frame.state(parameters=self._rows)
        more = {"known": self._known, "skip": self._skip, "bars": self._bars, "part": self._part}
        return State(state.arrays, {**state.values, **more})

    def _restore(self, state: State) -> None:
        values = state.values
        self._frame, self._rows, self._known = Frame.restore(state), state.arrays["parameters"], values["known"]
        self._skip, self._bars, self._part = values["skip"], values["bars"], values["part"]


def fit_arma(returns: Floats, p: int, q: int) -> tuple[Floats, str | None]:
    """Return [mu, phi (p), theta (q)] for (n,) returns without NaN, and why it is white noise instead, or None."""
    mean = float(np.mean(returns)) if len(returns) else 0.0
    noise = np.r_[mean, np.zeros(p + q)]
    spread = float(np.std(returns)) if len(returns) else 0.0
    if len(returns) < _LEAST or spread <= 1e-9 * abs(mean):
        few = f"{counted(len(returns), 'return')}, fewer than {_LEAST}"
        return noise, few if len(returns) < _LEAST else "the returns do not vary"
    if p + q == 0:
        return noise, None
    from statsmodels.tools.sm_exceptions import ConvergenceWarning, ModelWarning
    from statsmodels.tsa.arima.estimators.innovations import innovations_mle

    with warnings.catch_warnings():
        for category in (ConvergenceWarning, ModelWarning, RuntimeWarning, UserWarning):
            warnings.simplefilter("ignore", category)  # the result's own flags decide below
        found, details = innovations_mle((returns - mean) / spread, order=(p, 0, q), demean=False)
    values = np.r_[mean, found.ar_params, found.ma_params]
    # BFGS on a flat likelihood often ends with "precision loss": what counts is the slope, per observation.
    steepest = float(np.abs(details.minimize_results.jac).max())
    if not steepest <= _FLAT * len(returns) or not np.isfinite(values).all():
        return noise, "the likelihood was not maximised"
    if not (_stable(found.ar_params) and _stable(-found.ma_params)):
        return noise, "the estimates are not stationary and invertible"
    return values, None


def _stable(weights: Floats) -> bool:
    """Return whether x_t = sum w_i x_{t-i} dies out: the roots of z^k - w_1 z^(k-1) - ... are inside the circle."""
    return bool((np.abs(np.roots(np.r_[1.0, -weights])) < 1.0).all())


def forecast_arma(errors: Floats, phi: Floats, theta: Floats, steps: int) -> Floats:
    """Return (n, steps) forecasts f_{t,k}, k = 1 to `steps`, of demeaned returns (n,) without NaN."""
    from scipy.signal import lfilter

    innovations = lfilter(np.r_[1.0, -phi], np.r_[1.0, theta], errors)
    out = np.zeros((len(errors), steps))
    for k in range(steps):
        for i, weight in enumerate(phi):
            out[:, k] += weight * (out[:, k - 1 - i] if k > i else _back(errors, i - k))
        for j in range(k, len(theta)):
            out[:, k] += theta[j] * _back(innovations, j - k)
    return out


def _back(values: Floats, lag: int) -> Floats:
    """Return values `lag` rows earlier, 0 before the first."""
    return np.r_[np.zeros(lag), values[: len(values) - lag]] if lag else values


def _starts_late(train: Train) -> int:
    """Return 1 where labels start at or after the next bar's close (no open to trade at), else 0."""
    table, following = train.table, train.rows + 1
    inside = following < len(table.ts)
    same = inside.copy()
    same[inside] = table.code[following[inside]] == table.code[train.rows[inside]]
    late = train.labels.start_ns[same] >= table.ts[following[same]]
    return int(late.mean() > 0.5) if len(late) else 0
