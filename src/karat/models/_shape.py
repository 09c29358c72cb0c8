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
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from karat.data import INNER, LEVELS, MEDIAN
from karat.models._types import Floats

GRID: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
WIDTH: Final = 0.3  # h in units of the scale: a few times the distance between neighbouring inner quantiles
_MAX_STRETCH: Final = 1.0


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
        return np.asarray(_excess(z, self.values[INNER][None, :] + shift[:, None]).mean(axis=1))

    def stretch_pull(self, z: Floats, shift: Floats, stretch: Floats) -> Floats:
        """Return (n,) d loss / d g."""
        inner = (self.values - self.values[MEDIAN])[INNER]
        quantiles = self.quantiles(shift, stretch)[:, INNER]
        reach = inner[None, :] * np.exp(np.clip(stretch, -_MAX_STRETCH, _MAX_STRETCH))[:, None]
        return np.asarray((_excess(z, quantiles) * reach).mean(axis=1))

    def curvature(self) -> tuple[float, float]:
        """Return upper bounds of the second derivatives by m and by g, for step sizes."""
        inner = self.values[INNER]
        near = np.abs(inner[:, None] - inner[None, :]) <= 2.0 * WIDTH
        away = (inner - self.values[MEDIAN]) ** 2
        bound = float(near.sum(axis=0).max()) / (2.0 * WIDTH * len(inner))
        # The second term of g's curvature is the pull itself times the reach: at most the mean distance.
        twist = float((near * away[:, None]).sum(axis=0).max()) / (2.0 * WIDTH * len(inner))
        return max(bound, 1e-3), max(twist + float(np.sqrt(away).mean()), 1e-3)

    def mean_curvature(self) -> tuple[float, float]:
        """Return typical second derivatives by m and by g, for Newton steps: means over the inner levels as rows."""
        inner = self.values[INNER]
        near = np.abs(inner[:, None] - inner[None, :]) <= WIDTH
        away = (inner - self.values[MEDIAN])[None, :] ** 2
        shift = float(near.mean()) / (2.0 * WIDTH)
        return max(shift, 1e-3), max(float((near * away).mean()) / (2.0 * WIDTH), 1e-3)


def _excess(z: Floats, quantiles: Floats) -> Floats:
    """Return F_h(q - z) - t over the inner levels."""
    below = np.clip((quantiles - z[:, None]) / (2.0 * WIDTH) + 0.5, 0.0, 1.0)
    return np.asarray(below - LEVELS[INNER][None, :])


def mean_pinball(z: Floats, quantiles: Floats) -> float:
    """Return the primary loss: pinball averaged over the 19 inner levels and the rows; quantiles are (n, 23)."""
    gap = z[:, None] - quantiles[:, INNER]
    return float(np.mean(np.maximum(LEVELS[INNER] * gap, (LEVELS[INNER] - 1.0) * gap)))


def shrinkage(z: Floats, base: Floats, model: Floats) -> float:
    """Return the multiplier of `GRID` with which base + multiplier (model - base) has the least pinball on Valid.

    z: (n,) standardised labels of Valid. base, model: (n, 23) quantiles. Ties go to the smaller multiplier.
    """
    return min(GRID, key=lambda part: (mean_pinball(z, base + part * (model - base)), part))


def best_slopes(z: Floats, path: Floats, base: Floats, quantiles: Callable[[Floats], Floats]) -> Floats:
    """Return the slopes of a regularisation path that do best on Valid, already shrunk.

    z: (n,) standardised labels of Valid. path: (k, p) slopes. base: (n, 23) quantiles of the unconditional model.
    quantiles: slopes to (n, 23) quantiles.
    """
    best, least = np.zeros(path.shape[1]), mean_pinball(z, base)
    for slopes in path:
        shrunk = slopes * shrinkage(z, base, quantiles(slopes))
        loss = mean_pinball(z, quantiles(shrunk))
        if loss < least:
            best, least = shrunk, loss
    return best
