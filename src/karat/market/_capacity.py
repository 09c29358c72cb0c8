"""What a simulated account would have earned if its own orders moved the prices: the square-root law on bars.

| symbol | meaning | shape | unit |
|---|---|---|---|
| Q | units traded in a fill | (F,) | units |
| V | mean volume of the 20 bars before the fill's | (T, N) | units a bar |
| s | standard deviation of close-to-close returns over the same bars | (T, N) | fraction |
| y | coefficient of the law, of order one | | |

A fill of Q costs y s sqrt(Q / V) of its value more than the simulation charged. Source: the square-root law of market
impact, Almgren, Thum, Hauptmann and Li (2005), Toth and others (2011); `SquareRootImpact` is the same law in the event
market.

Invariants:
1. V and s of a fill were known before its bar; the first bars take the first full window.
2. Impact only costs: net returns are never above the simulation's, and equal where nothing is traded.
3. Where some of the traded value has no volume beside it, there is no answer rather than a kind one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from karat.data import Panel
from karat.market._bars import Bars, Floats
from karat.market._simulation import Simulation

WINDOW: Final = 20
Y: Final = 1.0


@dataclass(frozen=True, eq=False)
class Capacity:
    """Net returns (T,) with impact; impact_usd: its sum; participation: of every fill, Q over V, (F,)."""

    net_returns: Floats
    impact_usd: float
    participation: Floats


def volumes_on(bars: Bars, panel: Panel) -> Floats | None:
    """Return (T, N) the panel's volumes on the bars, NaN where there is none; None without a column `volume`."""
    if "volume" not in panel.values:
        return None
    out = np.full((len(bars.ts), len(bars.instruments)), np.nan)
    place = {name: k for k, name in enumerate(bars.instruments)}
    for (name,), part in panel.frame.group_by("instrument"):
        ts, volume = part["ts"].to_numpy(), part["volume"].to_numpy()
        inside = np.isin(ts, bars.ts)
        if str(name) in place:
            out[np.searchsorted(bars.ts, ts[inside]), place[str(name)]] = volume[inside]
    return out


def with_impact(simulation: Simulation, volumes: Floats, *, y: float = Y) -> Capacity | None:
    """Return the account with the impact of its own fills, or None where a fill has no volume to be held against.

    volumes: (T, N) units traded in each bar, as `volumes_on` gives them.
    """
    fills, bars = simulation.run.records, simulation.bars
    usual, spread = _before(volumes), _spread(bars.close)
    size = np.abs(fills.lots) / float(1 / simulation.spec.quanta.lot)
    known, sigma = usual[fills.row, fills.column], spread[fills.row, fills.column]
    if len(size) and not ((known > 0) & np.isfinite(sigma)).all():
        return None
    share = size / known
    price = fills.price / float(1 / simulation.spec.quanta.tick)
    cost = np.bincount(fills.row, weights=y * sigma * np.sqrt(share) * size * price, minlength=len(bars.ts))
    equity = np.concatenate([[simulation.spec.capital_usd], simulation.equity_usd[:-1]])
    alive = equity > 0
    less = np.where(alive, cost / np.where(alive, equity, 1.0), 0.0)
    return Capacity(simulation.net_returns - less, float(cost.sum()), share)


def _before(values: Floats) -> Floats:
    """Return (T, N) means over the 20 rows before each; the first rows take the first full window."""
    length = min(WINDOW, len(values))
    there = np.isfinite(values)
    sums = np.vstack([np.zeros((1, values.shape[1])), np.cumsum(np.where(there, values, 0.0), axis=0)])
    counts = np.vstack([np.zeros((1, values.shape[1])), np.cumsum(there, axis=0)])
    number = counts[length:] - counts[:-length]
    means = np.where(number > 0, (sums[length:] - sums[:-length]) / np.maximum(number, 1.0), np.nan)
    rows = np.clip(np.arange(len(values)) - length, 0, len(means) - 1)
    return np.asarray(means[rows])


def _spread(close: Floats) -> Floats:
    returns = np.full_like(close, np.nan)
    returns[1:] = close[1:] / close[:-1] - 1.0
    mean = _before(returns)
    return np.asarray(np.sqrt(np.maximum(_before(returns**2) - mean**2, 0.0)))
