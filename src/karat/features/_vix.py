"""Eight features of the panel column `vix`, an implied-volatility index joined as-of on `known_at`.

Windows count rows of the panel, that is sessions of the instrument, not of the index.

Regime encoding, stable by construction: 0 calm (below 15), 1 normal (15 to below 20), 2 elevated (20 to below 30),
3 crisis (30 and above).
"""

from __future__ import annotations

from typing import Final

from karat.features._expressions import at_least, change, mean, rank, zscore
from karat.features._graph import Node, column
from karat.features._spec import Function, family

VIX_REGIME_EDGES: Final = (15.0, 20.0, 30.0)
"""Lower edges of the regimes 1, 2 and 3, index points."""

_VIX: Final = column("vix")
_SOURCE: Final = "Cboe VIX, trailing windows"


def _regime(_: int) -> Node:
    low, middle, high = (at_least(_VIX, edge) for edge in VIX_REGIME_EDGES)
    return low + middle + high


BASIC = family(
    "vix",
    Function("vix_close", lambda _: _VIX, (0,), "index points", "vix[t]", _SOURCE),
    Function("vix_sma", lambda w: mean(_VIX, w), (10, 20), "index points", "mean of the last {w} vix", _SOURCE),
    Function("vix_percentile", lambda w: rank(_VIX, w), (60,), "fraction, 0 to 1",
             "average rank of vix[t] in the last {w}, / {w}", _SOURCE, label="vix_percentile_{w}d"),
    Function("vix_zscore", lambda w: zscore(_VIX, w), (20,), "sample standard deviations",
             "(vix[t] - mean) / deviation of the last {w}, 0 if flat", _SOURCE, label="vix_zscore_{w}d"),
    Function("vix_regime", _regime, (0,), "0, 1, 2 or 3", "number of the edges 15, 20, 30 that vix[t] has reached",
             _SOURCE),
    Function("vix_return", lambda _: change(_VIX, 1), (0,), "fraction", "vix[t] / vix[t-1] - 1", _SOURCE,
             label="vix_change_1d"),
    Function("vix_change", lambda w: change(_VIX, w), (5,), "fraction", "vix[t] / vix[t-{w}] - 1", _SOURCE,
             label="vix_change_{w}d"),
)  # fmt: skip
