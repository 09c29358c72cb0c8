"""Conformal quantiles: every level of a forecast moved until it lies where `Valid` says it should.

| symbol | meaning | shape |
|---|---|---|
| q_a | the forecast's quantile at level a | (n, 23) |
| w | distance of its 5 % and 95 % quantiles, at least 1e-9: moves scale with the forecast's own width | (n,) |
| m_a | the move: conformal quantile at a of (y - q_a) / w; below the median from the other side | (23,) |

The moved quantiles are sorted, which brings them no further from the truth (Chernozhukov, Fernandez-Val and Galichon
2010), and kept at or above -1.

Invariants:
1. Where `Valid` is too small for a level its move is that of the nearest level towards the median that has one.
2. Class probabilities stay: they have calibrators of their own.
3. With `keep_median` the median is the forecast's own to the bit, and no other level crosses it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Self

import numpy as np

from karat._words import counted
from karat.core import InputError
from karat.data import LEVELS, MEDIAN, Forecast
from karat.evidence._shapes import Floats
from karat.evidence.calibration._conformal import LEAST_WIDTH, conformal_quantile, own_interval
from karat.evidence.calibration._diagnostics import MIN_ROWS
from karat.evidence.calibration._pairs import Pairs


@dataclass(frozen=True, eq=False)
class QuantileShift:
    """The moves (23,), in widths, learned from `rows` rows; `keep_median`: the median stays where the model put it."""

    moves: Floats
    rows: int
    keep_median: bool = False

    @classmethod
    def fit(cls, pairs: Pairs, *, keep_median: bool = False) -> Self:
        """Learn from the rows of `Valid`.

        Raises:
            InputError: too few rows.
        """
        if len(pairs) < MIN_ROWS:
            raise InputError(
                "pairs", counted(len(pairs), "row"), allowed=f"{MIN_ROWS} or more", fix="use more folds of Valid"
            )
        gaps = (pairs.value[:, None] - pairs.quantiles) / _width(pairs.quantiles)[:, None]
        moves = np.array([_move(gaps[:, k], float(level)) for k, level in enumerate(LEVELS)])
        for inward in (range(MEDIAN - 1, -1, -1), range(MEDIAN + 1, len(LEVELS))):
            for k in inward:
                if not np.isfinite(moves[k]):
                    moves[k] = moves[k + 1] if k < MEDIAN else moves[k - 1]
        return cls(moves, len(pairs), keep_median)

    def calibrate(self, forecast: Forecast) -> Forecast:
        """Return the forecast with moved quantiles."""
        return dataclasses.replace(forecast, quantiles=self.apply(forecast.quantiles))

    def apply(self, quantiles: Floats) -> Floats:
        """Return the moved quantiles, (n, 23)."""
        moved = quantiles + self.moves * _width(quantiles)[:, None]
        if self.keep_median:
            middle = quantiles[:, [MEDIAN]]
            below, above = np.minimum(moved[:, :MEDIAN], middle), np.maximum(moved[:, MEDIAN + 1 :], middle)
            moved = np.concatenate([below, middle, above], axis=1)
        return np.maximum(np.sort(moved, axis=1), -1.0)


def _width(quantiles: Floats) -> Floats:
    lower, upper = own_interval(quantiles, 0.9)
    return np.maximum(upper - lower, LEAST_WIDTH)


def _move(gaps: Floats, level: float) -> float:
    if level >= 0.5:
        return conformal_quantile(gaps, level)
    return -conformal_quantile(-gaps, round(1.0 - level, 10))
