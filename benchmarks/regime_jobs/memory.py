"""`memory`: how often band labels change where edges have a memory: days of two indices, hours of other series."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from market_jobs import Asked

from karat.data import Panel, load
from karat.features.regimes import REGIMES, describe, intraday_rate, label
from regime_jobs import _series

HALVES = (0.0, 0.025, 0.05, 0.075)
"""From an edge to either of its quantiles, share of the past."""


def series_of(asked: Asked) -> Iterator[tuple[str, Panel, tuple[str, ...]]]:
    """Yield name, panel and systems; `rotation` is that of each index beside the mean of both."""
    indices = {name: load("bundled", dataset=name) for name in ("nasdaq", "sp500")}
    for name, panel in indices.items():
        yield name, panel, ("volatility", "liquidity")
    first = next(iter(indices.values()))
    both = pl.concat([panel.frame for panel in indices.values()]).sort("instrument", "ts")
    yield "nasdaq and sp500", Panel(both, first.calendar, first.provenance), ("rotation",)
    root = _series.folder()
    if root is not None and not asked.quick:
        for name, panel in _series.intraday(root):
            yield name, panel, ("volatility", "liquidity")


def facts(asked: Asked) -> Iterator[dict[str, Any]]:
    """Yield rates of change, shares, and on how many rows the label is that of edges without memory."""
    for series, panel, systems in series_of(asked):
        for name in systems:
            plain = label(panel, name).frame["state"].to_numpy()
            for half in HALVES:
                found = label(panel, name, bands=[(level - half, level + half) for level in REGIMES[name].bands])
                shape, within = describe(found), intraday_rate(found)
                codes = found.frame["state"].to_numpy()
                same = float((codes == plain)[np.isfinite(plain)].mean())
                yield {
                    "job": "memory",
                    "series": series,
                    "regime": name,
                    "half": half,
                    "changes": round(shape.changes, 4),
                    "within_day": None if within is None else round(within.rate, 4),
                    "same": round(same, 3),
                    "shares": [round(share, 3) for share in shape.states["share"].to_list()],
                }
