"""What regimes are read from: measures of the last few rows of one instrument, written in the vocabulary of features.

| symbol | meaning | shape | unit |
|---|---|---|---|
| p_t, h_t, l_t | close, high, low | (n,) | price |
| q_t | volume | (n,) | shares |
| r_t | ln(p_t / p_{t-1}) | (n,) | log return per bar |
| M_t | `market_return`: simple return of the market that the instrument belongs to | (n,) | fraction per bar |
| x_t | the measure | (n, D) | see its formula |

Invariants:
1. x_t reads rows t - window + 1 to t and no others: computed on these rows alone it is the same number, to the bit.
2. A column of x is NaN before its own window is full, so that none of the first window - 1 rows is whole, and where it
   is not finite (a flat price has no log volatility).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from karat.features._engine import compute_rows
from karat.features._expressions import (
    CLOSE,
    VOLUME,
    diff,
    highest,
    log,
    lowest,
    mean,
    positive,
    std,
    total,
)
from karat.features._graph import Node, column, columns
from karat.features._returns import LOG_CLOSE, LOG_RANGE, LOG_RETURN, SIZE, SQUARE, VIX
from karat.features._spec import Floats

MARKET: Final = "market_return"


@dataclass(frozen=True)
class Measure:
    """A measure of one instrument. formula: as documented. parts: the expression of each of its D columns."""

    name: str
    formula: str
    parts: tuple[Node, ...]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """What it reads of a panel."""
        return tuple(dict.fromkeys(name for part in self.parts for name in columns(part)))

    @cached_property
    def window(self) -> int:
        """Rows that a value reads, its own included."""
        return 1 + max(part.warm_up for part in self.parts)

    def of(self, values: Mapping[str, Floats]) -> Floats:
        """Return x, (n, D), NaN where there is none; values: (n,) each of its columns, finite."""
        return np.ascontiguousarray(compute_rows(self.parts, self.columns, values).T)


def _illiquidity(w: int) -> Node:
    """Return the sum of absolute log returns over the sum of traded values (Amihud, 2002, as a ratio of sums)."""
    return total(SIZE, w) / total(CLOSE * VOLUME, w)


_THIN: Final = log(_illiquidity(20) / _illiquidity(250))


def _market_state() -> tuple[Node, ...]:
    usual, falls = std(LOG_RETURN, 250), positive(-LOG_RETURN)
    return (
        *(diff(LOG_CLOSE, w) / (usual * math.sqrt(w)) for w in (1, 5, 20, 60, 120)),
        *(log(std(LOG_RETURN, w) / usual) for w in (5, 20, 60)),
        log(std(LOG_RETURN, 20)),
        total(falls * falls, 20) / total(SQUARE, 20),
        log(CLOSE / highest(CLOSE, 250)) / usual,
        log(CLOSE / lowest(CLOSE, 250)) / usual,
        log(mean(LOG_RANGE, 20)),
        *(log(CLOSE / mean(CLOSE, w)) / usual for w in (50, 200)),
        log(mean(VOLUME, 5) / mean(VOLUME, 60)),
        _THIN,
    )


RETURN_20, RETURN_60, LOUDNESS = 2, 3, 6
"""Columns of `MARKET_STATE` that its states are named by."""

VOLATILITY: Final = Measure("volatility_20", "sample deviation of the last 20 r", (std(LOG_RETURN, 20),))
LIQUIDITY: Final = Measure(
    "illiquidity_20_250", "ln of (sum of |r| / sum of p q) over 20 bars, less the same over 250", (_THIN,)
)
ROTATION: Final = Measure(
    "relative_strength_60",
    "ln p[t] / p[t-60] less the sum of the last 60 ln(1 + M)",
    (diff(LOG_CLOSE, 60) - total(log(1.0 + column(MARKET)), 60),),
)
VIX_LEVEL: Final = Measure("vix", "vix[t], index points", (VIX,))
TREND_AND_VOLATILITY: Final = Measure(
    "trend_and_volatility_20",
    "mean of the last 20 r; ln of their sample deviation",
    (mean(LOG_RETURN, 20), log(std(LOG_RETURN, 20))),
)
RETURNS: Final = Measure("log_return", "r[t]", (LOG_RETURN,))
MARKET_STATE: Final = Measure(
    "market_state",
    "17 columns, d the deviation of r over 250 bars: returns over 1, 5, 20, 60, 120 bars in deviations; ln of the "
    "deviation over 5, 20, 60 to d; ln of that over 20; share of losses in squared r over 20; ln p over its highest "
    "and lowest of 250 in d; ln of the mean high-low range over 20; ln p over its mean of 50 and 200 in d; ln of "
    "volume over 5 to 60; illiquidity_20_250",
    _market_state(),
)
