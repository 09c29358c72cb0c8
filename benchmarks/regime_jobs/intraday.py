"""`intraday`: how often labels change within a day, recomputed at every bar (D-08)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
from market_jobs import Asked

from karat.features.regimes import RegimeFrame, describe, intraday_rate, label
from regime_jobs import _series

INTRADAY = (("volatility", False), ("liquidity", False), ("change", False), ("hidden", True), ("neural", True))
"""Systems, and whether they are fitted on the first half of the bars and judged on the second."""


def facts(asked: Asked) -> Iterator[dict[str, Any]]:
    """Yield how often labels change within a day (D-08), recomputed at every bar."""
    root = _series.folder()
    if root is None:
        yield {"job": "intraday", "not_run": "KARAT_DATA names no folder"}
        return
    for series, panel in _series.intraday(root):
        frame = panel.frame
        half = int(frame["ts"][len(frame) // 2])
        for name, on_half in (("volatility", False),) if asked.quick else INTRADAY:
            if on_half:
                found = label(panel, name, train_until=half, refits=None)
                found = RegimeFrame(name, found.states, found.frame.filter(pl.col("ts") > half))
            else:
                found = label(panel, name)
            within, shape = intraday_rate(found), describe(found)
            assert within is not None
            rates = {key: round(value, 5) for key, value in within.describe().items() if isinstance(value, float)}
            shares = [round(value, 3) for value in shape.states["share"].to_list()]
            line = {"job": "intraday", "series": series, "regime": name, **within.describe(), **rates}
            yield {**line, "changes": round(shape.changes, 5), "shares": shares}
