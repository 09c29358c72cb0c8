"""From forecasts to losses, positions and net returns: one path for candidates, baselines and sturdiness runs.

Invariants:
1. Losses are averaged over instruments per date first; every statistic downstream is over dates.
2. Every forecast goes through the same policy and the same market; only `delay` and `cost_factor` ever differ.
3. Net returns are known at bar closes; a decision at `ts` earns from its fill on, never before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from karat._words import counted
from karat.core import InputError
from karat.data import INNER, LEVELS, MEDIAN, Forecast, Panel
from karat.evidence import brier_classes, clark_west, log_loss_classes, pinball
from karat.labels import classify
from karat.market import Bars, MarketSpec, Simulation, bars_from_panel, simulate
from karat.portfolio import PolicySpec, to_positions

_NORMAL_90 = 3.2897072539029444  # distance between the 5 % and 95 % points of a standard normal


@dataclass(frozen=True, eq=False)
class Scored:
    """One model's forecasts at one horizon, with what they were worth.

    values: (n,) realised labels. losses: one row per forecast (ts, instrument, pinball, crps, log_loss, brier).
    dates: (d,) the bars of the simulated account; net, gross: (d,) its simple returns per bar.
    """

    name: str
    horizon: str
    forecast: Forecast
    values: np.ndarray
    losses: pl.DataFrame
    simulation: Simulation

    @property
    def dates(self) -> np.ndarray:
        """(d,) the bars from the first to the last decision."""
        return self.simulation.bars.ts

    @property
    def net(self) -> np.ndarray:
        """(d,) simple net returns per bar."""
        return self.simulation.net_returns

    @property
    def loss(self) -> float:
        """The primary loss: mean pinball over the 19 inner quantiles, averaged per date, then over dates."""
        return float(np.nanmean(self.by_date("pinball")))

    def by_date(self, column: str) -> np.ndarray:
        """Return (d,) the mean of a loss over instruments per date; NaN on bars without a forecast."""
        return date_means(self.dates, self.forecast.ts, self.losses[column].to_numpy())


@dataclass(frozen=True, eq=False)
class Venue:
    """What turns forecasts into money: bars, policy and market, the same for everybody."""

    panel: Panel
    policy: PolicySpec
    market: MarketSpec
    _bars: dict[tuple[int, int], Bars] = field(default_factory=dict, init=False, repr=False)

    def bars_between(self, first_ns: int, last_ns: int) -> Bars:
        """Return the panel's bars between two instants, both included; made once for all forecasts of a fold."""
        span = first_ns, last_ns
        if span not in self._bars:
            inside = self.panel.frame.filter(pl.col("ts").is_between(first_ns, last_ns))
            self._bars[span] = bars_from_panel(Panel(inside, self.panel.calendar, self.panel.provenance))
        return self._bars[span]


def merge_folds(forecasts: Sequence[Forecast]) -> Forecast:
    """Return the forecasts of successive folds as one, ordered by instrument and time."""
    frame = pl.concat([forecast.frame() for forecast in forecasts]).sort("instrument", "ts")
    return Forecast.from_frame(frame)


def average_seeds(forecasts: Sequence[Forecast]) -> Forecast:
    """Return the mean of quantiles and of probabilities over seeds (Vincentisation); rows must agree."""
    first = forecasts[0]
    if len(forecasts) == 1:
        return first
    quantiles = np.mean([item.quantiles for item in forecasts], axis=0)
    probabilities = np.mean([item.probabilities for item in forecasts], axis=0)
    return Forecast(
        first.ts,
        first.known_at,
        first.instrument,
        first.horizon,
        np.maximum.accumulate(quantiles, axis=1),
        probabilities,
        first.model,
        first.version,
    )


def score(name: str, forecast: Forecast, labels: pl.DataFrame, venue: Venue) -> Scored:
    """Return losses against `labels` (ts, instrument, value) and the simulated account of the forecast's positions."""
    keys = pl.DataFrame({"ts": forecast.ts, "instrument": forecast.instrument.tolist()})
    values = keys.join(labels, on=["ts", "instrument"], how="left", maintain_order="left")["value"].to_numpy()
    if np.isnan(values).any():
        raise InputError(
            "labels", f"{counted(int(np.isnan(values).sum()), 'forecast')} without a label", fix="score labelled rows"
        )
    inner = pinball(values, forecast.quantiles[:, INNER], LEVELS[INNER])
    classes = classify(values)
    losses = keys.with_columns(
        pl.Series("pinball", inner),
        pl.Series("crps", 2.0 * inner),
        pl.Series("log_loss", log_loss_classes(classes, forecast.probabilities)),
        pl.Series("brier", brier_classes(classes, forecast.probabilities)),
    )
    return Scored(name, forecast.horizon, forecast, values, losses, trade(forecast, venue))


def trade(forecast: Forecast, venue: Venue, *, delay: int = 0, cost_factor: float = 1.0) -> Simulation:
    """Return the simulated account of a forecast's positions over its own dates."""
    positions = to_positions(forecast, venue.policy)
    bars = venue.bars_between(int(forecast.ts.min()), int(forecast.ts.max()))
    spec = venue.market.model_copy(
        update={
            "delay_bars": venue.market.delay_bars + delay,
            "proportional_bps": venue.market.proportional_bps * cost_factor,
            "fixed_usd": venue.market.fixed_usd * cost_factor,
        }
    )
    return simulate(bars, positions.targets(), spec)


def skill_terms(candidate: Scored, baseline: Scored, scale: np.ndarray) -> np.ndarray:
    """Return (d,) Clark–West terms of the candidate's medians at a scale (n,) per forecast, averaged per date."""
    base, median = baseline.forecast.quantiles[:, MEDIAN], candidate.forecast.quantiles[:, MEDIAN]
    return date_means(candidate.dates, candidate.forecast.ts, clark_west(candidate.values, base, median, scale))


def edges(forecast: Forecast) -> np.ndarray:
    """Return (n,) median over scale: what the policy turns into a direction."""
    scale = scale_of(forecast)
    return np.asarray(np.divide(forecast.quantiles[:, MEDIAN], scale, out=np.zeros(len(scale)), where=scale > 0))


def scale_of(forecast: Forecast) -> np.ndarray:
    """Return (n,) the distance of the 5 % and 95 % quantiles in units of a standard normal's, fraction."""
    inner = forecast.quantiles[:, INNER]
    return np.asarray((inner[:, -1] - inner[:, 0]) / _NORMAL_90)


def date_means(dates: np.ndarray, ts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return (d,) the mean of `values` over the rows of each date; NaN where a date has none."""
    if np.array_equal(dates, ts):
        return values + 0.0
    at = np.searchsorted(dates, ts)
    counts = np.bincount(at, minlength=len(dates))
    sums = np.bincount(at, weights=values, minlength=len(dates))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
