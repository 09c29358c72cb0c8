"""Features of the panel column `vix`, an implied-volatility index joined as-of on `known_at`; eight are `vix8`.

Windows count rows of the panel, that is sessions of the instrument, not of the index.

Regime encoding, stable by construction: 0 calm (below 15), 1 normal (15 to below 20), 2 elevated (20 to below 30),
3 crisis (30 and above).
"""

from __future__ import annotations

from typing import Final

from karat.features._expressions import (
    age,
    at_least,
    beta,
    change,
    correlation,
    highest,
    log,
    mean,
    rank,
    slope,
    std,
    zscore,
)
from karat.features._graph import Node
from karat.features._returns import LOG_RETURN, SIZE, SQUARE, VIX, VIX_RETURN
from karat.features._spec import Function, family

VIX_REGIME_EDGES: Final = (15.0, 20.0, 30.0)
"""Lower edges of the regimes 1, 2 and 3, index points."""

_SOURCE: Final = "Cboe VIX, trailing windows"


def _regime(_: int) -> Node:
    low, middle, high = (at_least(VIX, edge) for edge in VIX_REGIME_EDGES)
    return low + middle + high


def _premium(w: int) -> Node:
    """Return implied less realised variance, per year."""
    return VIX * VIX * 1e-4 - mean(SQUARE, w) * 252.0


BASIC = family(
    "vix",
    Function("vix_close", lambda _: VIX, (0,), "index points", "vix[t]", _SOURCE),
    Function("vix_sma", lambda w: mean(VIX, w), (10, 20), "index points", "mean of the last {w} vix", _SOURCE),
    Function("vix_percentile", lambda w: rank(VIX, w), (60,), "fraction, 0 to 1",
             "average rank of vix[t] in the last {w}, / {w}", _SOURCE, label="vix_percentile_{w}d"),
    Function("vix_zscore", lambda w: zscore(VIX, w), (20,), "sample standard deviations",
             "(vix[t] - mean) / deviation of the last {w}, 0 if flat", _SOURCE, label="vix_zscore_{w}d"),
    Function("vix_regime", _regime, (0,), "0, 1, 2 or 3", "number of the edges 15, 20, 30 that vix[t] has reached",
             _SOURCE),
    Function("vix_return", lambda _: change(VIX, 1), (0,), "fraction", "vix[t] / vix[t-1] - 1", _SOURCE,
             label="vix_change_1d"),
    Function("vix_change", lambda w: change(VIX, w), (5,), "fraction", "vix[t] / vix[t-{w}] - 1", _SOURCE,
             label="vix_change_{w}d"),
)  # fmt: skip

MORE = family(
    "vix",
    Function("vix_gap", lambda w: VIX / mean(VIX, w) - 1.0, (10, 60, 120, 250), "fraction",
             "vix[t] / mean of the last {w} - 1", _SOURCE),
    Function("vix_percentile", lambda w: rank(VIX, w), (120, 250), "0 to 1",
             "average rank of vix[t] in the last {w}, / {w}", _SOURCE, label="vix_percentile_{w}d"),
    Function("vix_change", lambda w: change(VIX, w), (10, 20, 60, 120), "fraction", "vix[t] / vix[t-{w}] - 1", _SOURCE,
             label="vix_change_{w}d"),
    Function("vix_trend", lambda w: slope(log(VIX), w), (5, 10, 20, 60), "log, per bar",
             "slope of log vix on time over {w} bars", _SOURCE),
    Function("vix_vol", lambda w: std(VIX_RETURN, w), (10, 20, 60, 120, 250), "log, per bar",
             "deviation of log changes of vix over {w} bars", _SOURCE),
    Function("vix_drawdown", lambda w: VIX / highest(VIX, w) - 1.0, (20, 60, 120, 250), "fraction",
             "vix / its highest of {w} bars - 1", _SOURCE),
    Function("vix_beta", lambda w: beta(LOG_RETURN, VIX_RETURN, w), (20, 60, 120, 250), "ratio",
             "slope of log returns on log changes of vix over {w} bars", _SOURCE),
    Function("vix_correlation", lambda w: correlation(LOG_RETURN, VIX_RETURN, w), (10, 20, 60, 120, 250), "-1 to 1",
             "correlation of log returns with log changes of vix over {w} bars", _SOURCE),
    Function("vix_size", lambda w: correlation(SIZE, VIX_RETURN, w), (20, 60, 120, 250), "-1 to 1",
             "correlation of |log return| with log changes of vix over {w} bars", _SOURCE),
    Function("variance_premium", _premium, (10, 20, 60), "per year",
             "(vix / 100)^2 - 252 x mean squared log return over {w} bars", "Bollerslev, Tauchen and Zhou 2009"),
    Function("vix_spike_age", lambda w: age(at_least(VIX / mean(VIX, 20), 1.2), w) / w, (250,), "0 to 1",
             "bars since vix was 1.2 times its mean of 20 bars, / {w}, 1 at the most", _SOURCE),
)  # fmt: skip
