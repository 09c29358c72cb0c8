"""Future invariance of what a study computes: labels, policy and market, by cutting the future off and replacing it.

Features have `karat.features.check_invariance`, and a fitted forecaster, its scaler with it, is asked again in a fresh
process. Splitters read times and spans only; `_guard_data.split_problems` looks at what they made of them.

Invariants:
1. A label may not move once every bar of its span is known; weights and returns once their own bar is known.
2. What is checked is what the study uses: its own panel, labels, policy, market and a forecast of its own.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from karat.data import KEYS, LEVELS, Forecast, Panel
from karat.evidence import Check
from karat.features import Context, InvarianceReport, check_context, check_future
from karat.labels import make_labels
from karat.market import Simulation, bars_from_panel, simulate
from karat.portfolio import to_positions
from karat.study._score import Venue

_NEVER: Final = np.iinfo(np.int64).max
_NEAR: Final = 0.02
_QUANTILES: Final = [f"q{k}" for k in range(len(LEVELS))]


def label_check(panel: Panel, horizon: str, *, seed: int) -> Check:
    """Return the check that no label reads beyond the end of its own span."""
    columns = [name for name in ("open", "close") if name in panel.values]
    frame = panel.frame.select(*KEYS, *columns)

    def labels(part: pl.DataFrame) -> np.ndarray:
        made = make_labels(Panel(part, panel.calendar, panel.provenance), horizon).frame
        joined = part.join(made.select("ts", "instrument", "value"), on=["ts", "instrument"], how="left")
        return joined.sort("instrument", "ts")["value"].fill_null(np.nan).to_numpy()[:, None]

    made = make_labels(panel, horizon).frame.select("ts", "instrument", "end_ns")
    ends = frame.select(pl.col("ts").alias("end_ns"), "instrument", pl.col("known_at").alias("settled"))
    spans = made.join(ends, on=["end_ns", "instrument"], how="left").select("ts", "instrument", "settled")
    settled = frame.join(spans, on=["ts", "instrument"], how="left").sort("instrument", "ts")["settled"]
    found = check_future(
        frame,
        labels,
        [f"label {horizon}"],
        seed=seed,
        settled=settled.fill_null(_NEVER).to_numpy(),
    )
    return _check(f"label invariance {horizon}", found)


def policy_check(forecast: Forecast, venue: Venue, *, seed: int) -> Check:
    """Return the check that no weight reads a later forecast."""
    frame = _forecast_frame(forecast)
    first = np.full((1, forecast.probabilities.shape[1]), 1.0 / forecast.probabilities.shape[1])

    def weights(part: pl.DataFrame) -> np.ndarray:
        quantiles = np.maximum(np.sort(part.select(_QUANTILES).to_numpy(), axis=1), -1.0)
        names = np.asarray(part["instrument"].to_list(), dtype=np.str_)
        keys = part["ts"].to_numpy(), part["known_at"].to_numpy(), names
        probabilities = np.repeat(first, len(part), axis=0)
        made = to_positions(Forecast(*keys, forecast.horizon, quantiles, probabilities, forecast.model), venue.policy)
        joined = part.select("ts", "instrument").join(made.frame, on=["ts", "instrument"], how="left")
        return joined.sort("instrument", "ts")["weight"].to_numpy()[:, None]

    return _check("policy invariance", check_future(frame, weights, ["weight"], seed=seed))


def market_check(forecast: Forecast, venue: Venue, *, seed: int) -> Check:
    """Return the check that no bar's net return, and no order decided at its close, reads a later bar.

    Orders are compared where they may borrow: else what a fill costs may rightly cut them.
    """
    positions = to_positions(forecast, venue.policy)
    panel, dates = venue.panel, np.unique(forecast.ts)
    columns = [name for name in ("open", "close") if name in panel.values]
    inside = pl.col("ts").is_between(int(dates[0]), int(dates[-1])) & pl.col("instrument").is_in(positions.instruments)
    frame = panel.frame.filter(inside).select(*KEYS, *columns)

    def returns(part: pl.DataFrame) -> np.ndarray:
        # replaced prices are drawn far away: the account would be ruined, or leave the range of its quanta
        real = part.join(frame, on=list(KEYS), how="left", suffix="_real").sort("instrument", "ts")
        near = [pl.col(f"{name}_real") * (pl.col(name) / pl.col(f"{name}_real")) ** _NEAR for name in columns]
        mild = real.select(*KEYS, *(value.alias(name) for name, value in zip(columns, near, strict=True)))
        bars = bars_from_panel(Panel(mild, panel.calendar, panel.provenance))
        known = positions.frame.filter(
            pl.col("ts").is_in(bars.ts.tolist()), pl.col("instrument").is_in(list(bars.instruments))
        )
        targets = type(positions)(known, positions.horizon, positions.model).targets()
        made = simulate(bars, targets, venue.market)
        net = made.net_returns[np.searchsorted(bars.ts, part["ts"].to_numpy())]
        return np.column_stack([net, _orders(made, part)])

    settled = frame.select(pl.col("known_at").max().over("ts")).to_series().to_numpy()
    found = check_future(frame, returns, ["net return", "order"], seed=seed, settled=settled)
    return _check("market invariance", found)


def _orders(made: Simulation, part: pl.DataFrame) -> np.ndarray:
    """Return (n,) the units ordered at each row's close, NaN where the bar of the fill is not there yet."""
    if made.spec.cash != "borrow":
        return np.zeros(len(part))
    fills = made.fills.select(pl.col("decision_ts").alias("ts"), "instrument", "quantity")
    joined = part.select("ts", "instrument").join(fills, on=["ts", "instrument"], how="left")
    ordered = joined.sort("instrument", "ts")["quantity"].fill_null(0.0).to_numpy()
    lag = made.lag_bars
    open_from = made.bars.ts[max(len(made.bars.ts) - lag, 0)] if lag else _NEVER
    return np.where(part["ts"].to_numpy() >= open_from, np.nan, ordered)


def feature_check(found: InvarianceReport) -> Check:
    """Return what `check_invariance` found of the features as the check of gate 0."""
    return Check("future invariance", float(found.worst), "0", found.passed, "; ".join(found.offending))


def context_check(source: Panel, context: Context) -> Check:
    """Return the check that no column of a context reads what was not known, a bar that has not closed included."""
    return _check(f"context invariance {context.name}", check_context(source, context))


def _check(name: str, found: InvarianceReport) -> Check:
    return Check(name, float(found.worst), "0", found.passed, "; ".join(found.evidence))


def _forecast_frame(forecast: Forecast) -> pl.DataFrame:
    keys = {"ts": forecast.ts, "known_at": forecast.known_at, "instrument": forecast.instrument.tolist()}
    columns = {name: forecast.quantiles[:, k] for k, name in enumerate(_QUANTILES)}
    return pl.DataFrame({**keys, **columns}).sort("instrument", "ts")
