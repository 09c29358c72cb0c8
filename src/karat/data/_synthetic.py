"""Synthetic markets: fat tails, volatility clusters, hidden regimes, and an edge of exactly known size, or none.

| symbol  | meaning                                                             | shape  | unit            |
|---------|---------------------------------------------------------------------|--------|-----------------|
| x_t     | `signal`, AR(1), observable at the close of t, N(0, 1) in population | (T, N) | 1               |
| phi     | its persistence, 0.5 ** (1 / half_life_days)                        | scalar | 1               |
| z_t     | shock, standardised Student-t, cut at ±12                           | (T, N) | 1               |
| h_t     | GARCH(1,1) variance, mean 1: h_t = w + a e²_{t-1} + b h_{t-1}, e = √h z | (T, N) | 1           |
| m_t     | volatility multiplier of the hidden two-state regime, E[m²] = 1     | (T, N) | 1               |
| s_t     | volatility of the open-to-close log return: s m_t √h_t              | (T, N) | per session     |
| k       | edge: E[r_{t+1} | x_t] = k s_{t+1} x_t                              | scalar | 1               |
| r_t     | open-to-close log return k s_t x_{t-1} + s_t z_t - s_t²/2           | (T, N) | per session     |

The oracle holds w_t = x_t / s_{t+1} (proportional to E[r | x] / s²) from the open to the close of t+1. It earns
k x² + x z up to scale: mean k, variance 1 + 2 k² (x normal, z independent of it with variance 1), and its profits in
different instruments are uncorrelated. Equally weighted over N instruments its annualised Sharpe ratio is therefore
S = √(252 N) k / √(1 + 2 k²), which is solved for k.

Invariants:
1. The same parameters give the same bytes in every process. Adding instruments or days never shifts another's draws.
2. `edge_sharpe` enters through k alone: same code path, draws, volatility, signal and volume with and without an edge.
3. Without an edge the simple open-to-close return has mean zero given everything known before, up to the cut of z.
4. low <= open, close <= high; every price is positive; overnight moves carry no edge.
5. `signal` at t speaks of session t+1 only through the edge; nothing else in the panel looks ahead.
"""

from __future__ import annotations

import datetime as dt
import math
import numbers
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from karat.core import InputError, generator
from karat.data._calendars import sessions, to_date
from karat.data._panel import Panel, Provenance
from karat.data._source import Source

Floats = NDArray[np.float64]

PERIODS: Final = 252
_ALPHA, _BETA = 0.06, 0.92  # daily equity indices, e.g. Bollerslev (1986) to date: a small, b large, a + b near 1
_MAX_SHOCK: Final = 12.0
_CALM, _TURBULENT = 1.0, 2.0  # ratio of the two regimes' volatilities
_LEAVE_CALM, _LEAVE_TURBULENT = 1 / 250, 1 / 60  # mean durations of 250 and 60 sessions
_OVERNIGHT: Final = 0.2  # overnight volatility as a share of the session's
_WICK: Final = 0.35  # scale of the range beyond open and close as a share of the session's volatility


@dataclass(frozen=True)
class _World:
    """Hidden states, all (T, N): row t holds what session t was made of."""

    sigma: Floats
    signal: Floats
    regime: Floats
    expected: Floats


class SyntheticSource(Source):
    """A generated daily OHLCV panel with an observable `signal`; see the module for the model.

    edge_sharpe: annualised gross Sharpe ratio of the oracle over all instruments together; 0 plants nothing.
    """

    name = "synthetic"

    def __init__(
        self,
        *,
        seed: int = 42,
        n_days: int = 2500,
        n_instruments: int = 1,
        start: dt.date | str = "2005-01-03",
        edge_sharpe: float = 0.0,
        half_life_days: float = 5.0,
        df: float = 5.0,
        volatility: float = 0.16,
        correlation: float = 0.3,
        regimes: bool = True,
        regime_column: bool = False,
        calendar: str = "XNYS",
    ) -> None:
        _between("seed", seed, 0, 2**32 - 1, whole=True)
        _between("n_days", n_days, 2, 100_000, whole=True)
        _between("n_instruments", n_instruments, 1, 999, whole=True)
        _between("half_life_days", half_life_days, 0.1, 1000.0)
        _between("df", df, 2.5, 1000.0)
        _between("volatility", volatility, 0.001, 5.0)
        _between("correlation", correlation, 0.0, 0.99)
        self._seed, self._days, self._n = seed, n_days, n_instruments
        self._start, self._calendar = to_date(start, "start"), calendar
        self._phi = 0.5 ** (1.0 / half_life_days)
        self._k = _effect(edge_sharpe, n_instruments)
        self._df, self._sigma, self._rho = df, volatility / math.sqrt(PERIODS), correlation
        self._regimes, self._show_regime = regimes, regime_column
        self._edge = edge_sharpe

    def load(self) -> Panel:
        """Return the panel: open high low close volume signal (and regime where asked for)."""
        world, shocks = self._world()
        columns = self._bars(world, shocks)
        columns["signal"] = world.signal
        if self._show_regime:
            columns["regime"] = world.regime
        frame = self._keys().with_columns(**{name: pl.Series(x.T.ravel()) for name, x in columns.items()})
        origin = f"karat synthetic generator 1, seed {self._seed}, edge_sharpe {self._edge:g}"
        return Panel(frame, self._calendar, Provenance("synthetic", origin, "CC0-1.0"))

    def truth(self) -> pl.DataFrame:
        """Return what the oracle knows at the close of t of session t+1: ts, instrument, sigma, expected.

        sigma: volatility of the next open-to-close log return. expected: its drift k sigma x. NaN on the last day.
        """
        world, _ = self._world()
        ahead = np.full_like(world.sigma, np.nan)
        ahead[:-1] = world.sigma[1:]
        drift = np.full_like(ahead, np.nan)
        drift[:-1] = world.expected[1:]
        keys = self._keys().select("ts", "instrument")
        return keys.with_columns(sigma=pl.Series(ahead.T.ravel()), expected=pl.Series(drift.T.ravel()))

    def _keys(self) -> pl.DataFrame:
        span = dt.timedelta(days=int(self._days * 1.6) + 30)
        days = sessions(self._calendar, self._start, self._start + span).head(self._days)
        if len(days) < self._days:
            raise InputError("calendar", self._calendar, why="it has too few sessions", fix="use XNYS or 24/7")
        ts = np.tile(days["close_ns"].to_numpy(), self._n)
        names = np.repeat([f"SYN{i:03d}.SYNTH" for i in range(self._n)], self._days)
        return pl.DataFrame({"ts": ts, "known_at": ts, "instrument": names.tolist()})

    def _draw(self, kind: str) -> list[np.random.Generator]:
        return [generator(self._seed, "synthetic", kind, i) for i in range(self._n)]

    def _normals(self, kind: str) -> Floats:
        return np.column_stack([rng.standard_normal(self._days) for rng in self._draw(kind)])

    def _world(self) -> tuple[_World, Floats]:
        shocks = self._shocks()
        multiplier, regime = self._regime_path()
        sigma = self._sigma * multiplier * np.sqrt(_garch(shocks))
        signal = _ar1(self._normals("signal"), self._phi)
        before = np.vstack([np.zeros((1, self._n)), signal[:-1]])
        return _World(sigma, signal, regime, self._k * sigma * before), shocks

    def _shocks(self) -> Floats:
        """Standardised Student-t with a common factor: normals share `correlation`, one mixing variable a series."""
        common = generator(self._seed, "synthetic", "market").standard_normal(self._days)[:, None]
        normal = math.sqrt(self._rho) * common + math.sqrt(1.0 - self._rho) * self._normals("shock")
        mixing = np.column_stack([rng.chisquare(self._df, self._days) for rng in self._draw("mixing")]) / self._df
        z = normal / np.sqrt(mixing) * math.sqrt((self._df - 2.0) / self._df)
        return np.clip(z, -_MAX_SHOCK, _MAX_SHOCK)

    def _regime_path(self) -> tuple[Floats, Floats]:
        """Two-state chain, common to all instruments: a market's turbulence is shared."""
        if not self._regimes:
            return np.ones((self._days, self._n)), np.zeros((self._days, self._n))
        u = generator(self._seed, "synthetic", "regime").random(self._days)
        share = _LEAVE_CALM / (_LEAVE_CALM + _LEAVE_TURBULENT)
        state, path = int(u[0] < share), np.empty(self._days)
        for t in range(self._days):
            if t:
                state ^= int(u[t] < (_LEAVE_TURBULENT if state else _LEAVE_CALM))
            path[t] = state
        level = np.where(path > 0, _TURBULENT, _CALM)
        level /= math.sqrt(share * _TURBULENT**2 + (1.0 - share) * _CALM**2)
        return np.repeat(level[:, None], self._n, axis=1), np.repeat(path[:, None], self._n, axis=1)

    def _bars(self, world: _World, shocks: Floats) -> dict[str, Floats]:
        sigma = world.sigma
        session = world.expected + sigma * shocks - 0.5 * sigma**2
        night = _OVERNIGHT * sigma * self._normals("overnight")
        night[0] = 0.0
        close = np.cumsum(session + night, axis=0) + math.log(100.0)
        opening = close - session
        up, down = np.abs(self._normals("high")), np.abs(self._normals("low"))
        high = np.maximum(opening, close) + _WICK * sigma * up
        low = np.minimum(opening, close) - _WICK * sigma * down
        volume = np.round(1e6 * np.exp(0.3 * self._normals("volume") + 0.25 * np.minimum(np.abs(shocks), 4.0)))
        prices = {"open": opening, "high": high, "low": low, "close": close}
        return {name: np.exp(value) for name, value in prices.items()} | {"volume": volume}


def _effect(edge_sharpe: float, n: int) -> float:
    """Return k: invert S = √(252 N) k / √(1 + 2 k²)."""
    per_session = edge_sharpe / math.sqrt(PERIODS * n)
    if not 0.0 <= per_session < 0.5:
        limit = 0.5 * math.sqrt(PERIODS * n)
        raise InputError("edge_sharpe", edge_sharpe, allowed=f"0 up to (not including) {limit:.1f} a year")
    return per_session / math.sqrt(1.0 - 2.0 * per_session**2)


def _ar1(u: Floats, phi: float) -> Floats:
    x = np.empty_like(u)
    x[0] = u[0]
    scale = math.sqrt(1.0 - phi * phi)
    for t in range(1, len(u)):
        x[t] = phi * x[t - 1] + scale * u[t]
    return x


def _garch(z: Floats) -> Floats:
    """(T, N) variances with mean 1, driven by the shocks alone: an edge cannot move them."""
    h = np.empty_like(z)
    h[0] = 1.0
    for t in range(1, len(z)):
        h[t] = (1.0 - _ALPHA - _BETA) + (_ALPHA * z[t - 1] ** 2 + _BETA) * h[t - 1]
    return h


def _between(field: str, value: float, low: float, high: float, *, whole: bool = False) -> None:
    kind = numbers.Integral if whole else numbers.Real
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
        raise InputError(field, value, allowed=f"{'a whole number' if whole else 'a number'} from {low:g} to {high:g}")
