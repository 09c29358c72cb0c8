"""The shape that candidates share, how they deviate from it, and how far `Valid` lets them.

A candidate forecasts the standardised label z = y / s. Its starting point is the unconditional shape a of z on Train;
it learns a shift m and a log-stretch g of it, and the deviation is multiplied by the one of `GRID` that does best on
Valid: daily returns have so little signal that an unshrunk forecast is worse than none.

| symbol | meaning                                                      | shape   | unit |
|--------|--------------------------------------------------------------|---------|------|
| z      | y / s                                                        | (n,)    | 1    |
| a_k    | quantile of z on Train at level t_k; a_0 its median          | (23,)   | 1    |
| m, g   | shift and log-stretch of a row                               | (n,)    | 1    |
| q_k    | a_0 + m + (a_k - a_0) exp(g)                                 | (n, 23) | 1    |
| h      | half width of the smoothing kernel                           | scalar  | 1    |
| l_k    | pinball loss smoothed by a uniform kernel on [-h, h]         |         | 1    |

The derivative of l_k by q_k is F_h(q_k - z) - t_k with F_h(u) = clip(u / 2h + 1/2, 0, 1): convolution-type smoothed
quantile regression (Fernandes, Guerre and Horta, 2021). One slope for all levels: composite quantile regression (Zou
and Yuan, 2008), which on heavy tails estimates a location about as well as least squares does on normal ones.

Averaged over levels, the derivative by m depends on z - m alone, and with a kernel of half width h exp(g) the
derivative by g is exp(g) times a function of v = (z - m - a_0) exp(-g) alone. Both functions are tabulated once, so
that a gradient costs one look-up a row instead of one comparison a row and level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from karat.data import INNER, LEVELS, MEDIAN
from karat.models._types import Floats

GRID: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
WIDTH: Final = 0.3  # h in units of the scale: a few times the distance between neighbouring inner quantiles
_MAX_STRETCH: Final = 1.0
PATIENCE: Final = 3
_TABLE: Final = 2001


@dataclass(frozen=True, eq=False)
class Shape:
    """Quantiles of the standardised label, (23,) at `LEVELS`, non-decreasing."""

    values: Floats

    @classmethod
    def fit(cls, z: Floats) -> Shape:
        """Return the empirical shape of (n,) standardised labels."""
        return cls(np.quantile(z, LEVELS))

    def quantiles(self, shift: Floats, stretch: Floats) -> Floats:
        """Return (n, 23) q for (n,) shifts and (n,) log-stretches, clipped at a factor e either way."""
        centre = self.values[MEDIAN]
        factor = np.exp(np.clip(stretch, -_MAX_STRETCH, _MAX_STRETCH))
        return np.asarray((centre + shift)[:, None] + (self.values - centre)[None, :] * factor[:, None])

    def shift_pull(self, z: Floats, shift: Floats) -> Floats:
        """Return (n,) d loss / d m at g = 0: the mean over the inner levels."""
        knots, values = self._shift_table
        return np.asarray(np.interp(z - shift, knots, values))

    def stretch_pull(self, z: Floats, shift: Floats, stretch: Floats) -> Floats:
        """Return (n,) d loss / d g."""
        knots, values = self._stretch_table
        factor = np.exp(np.clip(stretch, -_MAX_STRETCH, _MAX_STRETCH))
        return np.asarray(factor * np.interp((z - shift - self.values[MEDIAN]) / factor, knots, values))

    def curvature(self) -> tuple[float, float]:
        """Return upper bounds of the second derivatives by m and by g (for |g| up to a half), for step sizes."""
        knots, values = self._shift_table
        steepest = float(np.abs(np.diff(values) / np.diff(knots)).max())
        knots, values = self._stretch_table
        bend = values - knots * np.gradient(values, knots)
        return max(steepest, 1e-3), max(float(np.exp(0.5) * np.abs(bend).max()), 1e-3)

    def mean_curvature(self) -> tuple[float, float]:
        """Return typical second derivatives by m and by g, for Newton steps: means over the inner quantiles as rows."""
        inner = self.values[INNER]
        near = np.abs(inner[:, None] - inner[None, :]) <= WIDTH
        away = (inner - self.values[MEDIAN])[None, :] ** 2
        shift = float(near.mean()) / (2.0 * WIDTH)
        return max(shift, 1e-3), max(float((near * away).mean()) / (2.0 * WIDTH), 1e-3)

    @cached_property
    def _shift_table(self) -> tuple[Floats, Floats]:
        """The pull as a function of z - m: piecewise linear, exact at its knots a_k +- h and constant beyond them."""
        inner = self.values[INNER]
        knots = np.unique(np.r_[inner - WIDTH, inner + WIDTH])
        return knots, _excess(knots[:, None], inner[None, :]).mean(axis=1)

    @cached_property
    def _stretch_table(self) -> tuple[Floats, Floats]:
        """The pull at g = 0 as a function of v: mean of l(v - b) - v l'(v - b) with b = a_k - a_0; constant far out."""
        reach = self.values[INNER] - self.values[MEDIAN]
        knots = np.linspace(reach[0] - WIDTH, reach[-1] + WIDTH, _TABLE)
        excess = _excess(knots[:, None], reach[None, :])
        loss = _smoothed(knots[:, None], reach[None, :])
        return knots, (loss + knots[:, None] * excess).mean(axis=1)


def _excess(z: Floats, quantiles: Floats) -> Floats:
    """Return F_h(q - z) - t over the inner levels: d loss / d q."""
    return np.asarray(np.clip((quantiles - z) / (2.0 * WIDTH) + 0.5, 0.0, 1.0) - LEVELS[INNER])


def _smoothed(z: Floats, quantiles: Floats) -> Floats:
    """Return the smoothed pinball loss over the inner levels: (t - 1/2) u + E |u + uniform(-h, h)| / 2, u = z - q."""
    gap = z - quantiles
    near = np.abs(gap) < WIDTH
    return np.asarray((LEVELS[INNER] - 0.5) * gap + np.where(near, (gap**2 / WIDTH + WIDTH) / 4.0, np.abs(gap) / 2.0))


def mean_pinball(z: Floats, quantiles: Floats) -> float:
    """Return the primary loss: pinball averaged over the 19 inner levels and the rows; quantiles are (n, 23)."""
    gap = z[:, None] - quantiles[:, INNER]
    return float(np.mean(np.maximum(LEVELS[INNER] * gap, (LEVELS[INNER] - 1.0) * gap)))


def shrinkage(z: Floats, base: Floats, model: Floats) -> float:
    """Return the multiplier of `GRID` with which base + multiplier (model - base) has the least pinball on Valid.

    z: (n,) standardised labels of Valid. base, model: (n, 23) quantiles. Ties go to the smaller multiplier.
    """
    return min(GRID, key=lambda part: (mean_pinball(z, base + part * (model - base)), part))


def best_slopes(z: Floats, path: Iterable[Floats], base: Floats, quantiles: Callable[[Floats], Floats]) -> Floats:
    """Return the slopes of a regularisation path that do best on Valid, already shrunk; zero where none helps.

    z: (n,) standardised labels of Valid. path: (p,) slopes, zero first; it is followed until `PATIENCE` points in a row
    do no better. base: (n, 23) quantiles of the unconditional model. quantiles: slopes to (n, 23) quantiles.
    """
    points = iter(path)
    best, least, waited = next(points), mean_pinball(z, base), 0
    for slopes in points:
        shrunk = slopes * shrinkage(z, base, quantiles(slopes))
        loss = mean_pinball(z, quantiles(shrunk))
        waited += 1
        if loss < least:
            best, least, waited = shrunk, loss, 0
        if waited == PATIENCE:
            break
    return best
