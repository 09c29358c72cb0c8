"""Eight features of the panel column `vix`, an implied-volatility index joined as-of on `known_at`.

Windows count rows of the panel, that is sessions of the instrument, not of the index.

Regime encoding, stable by construction: 0 calm (below 15), 1 normal (15 to below 20), 2 elevated (20 to below 30),
3 crisis (30 and above).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from karat.features._rolling import change, rolling_mean, rolling_rank, rolling_zscore
from karat.features._spec import Columns, Compute, FeatureSpec, Floats

VIX_REGIME_EDGES: Final = (15.0, 20.0, 30.0)
"""Lower edges of the regimes 1, 2 and 3, index points."""


def _close(columns: Columns) -> Floats:
    return columns["vix"]


def _sma_10(columns: Columns) -> Floats:
    return rolling_mean(columns["vix"], 10)


def _sma_20(columns: Columns) -> Floats:
    return rolling_mean(columns["vix"], 20)


def _percentile_60d(columns: Columns) -> Floats:
    return rolling_rank(columns["vix"], 60)


def _zscore_20d(columns: Columns) -> Floats:
    return rolling_zscore(columns["vix"], 20)


def _regime(columns: Columns) -> Floats:
    return np.searchsorted(VIX_REGIME_EDGES, columns["vix"], side="right").astype(np.float64)


def _change_1d(columns: Columns) -> Floats:
    return change(columns["vix"], 1)


def _change_5d(columns: Columns) -> Floats:
    return change(columns["vix"], 5)


def _spec(name: str, lookback: int, unit: str, formula: str, compute: Compute) -> FeatureSpec:
    return FeatureSpec(
        name=f"vix_{name}",
        inputs=("vix",),
        lookback=lookback,
        category="vix",
        unit=unit,
        formula=formula,
        source="Cboe VIX, trailing windows",
        compute=compute,
    )


VIX_CLOSE = _spec("close", 0, "index points", "vix[t]", _close)
VIX_SMA_10 = _spec("sma_10", 9, "index points", "mean of the last 10 vix", _sma_10)
VIX_SMA_20 = _spec("sma_20", 19, "index points", "mean of the last 20 vix", _sma_20)
VIX_PERCENTILE_60D = _spec(
    "percentile_60d", 59, "fraction, 0 to 1", "average rank of vix[t] in the last 60, / 60", _percentile_60d
)
VIX_ZSCORE_20D = _spec(
    "zscore_20d", 19, "sample standard deviations", "(vix[t] - mean) / deviation of the last 20, 0 if flat", _zscore_20d
)
VIX_REGIME = _spec("regime", 0, "0, 1, 2 or 3", "number of the edges 15, 20, 30 that vix[t] has reached", _regime)
VIX_CHANGE_1D = _spec("change_1d", 1, "fraction", "vix[t] / vix[t-1] - 1", _change_1d)
VIX_CHANGE_5D = _spec("change_5d", 5, "fraction", "vix[t] / vix[t-5] - 1", _change_5d)
