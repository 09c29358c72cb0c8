"""One bar of a20 for one instrument: the compiled step alone, and through `OnlineFeatures.update`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from feature_jobs._bars import Bars
from karat.features import OnlineFeatures, build


def facts(bars: Bars, repeat: int) -> Iterator[dict[str, Any]]:
    """Yield the facts of the one job."""
    days = bars.shape[1]
    live = OnlineFeatures("a20")
    rows = np.column_stack([bars.arrays[name][0, :days] for name in live.columns])
    dicts = [dict(zip(live.columns, map(float, row), strict=True)) for row in rows]
    found = np.array([live.update(row) for row in rows])
    wanted = build(bars.panel(1, days), "a20").frame.select(live.names).to_numpy()
    size = np.nanmax(np.abs(wanted), axis=0)
    step = live._advance
    yield {
        "job": "online a20",
        "karat_s": round(_tail(lambda _: step(), rows, 0.5) / 1e9, 9),
        "check_equal": bool(np.nanmax(np.abs(found - wanted) / size) <= 1e-12),
        "step_p99_us": round(_tail(lambda _: step(), rows, 0.99) / 1e3, 2),
        "update_p50_us": round(_tail(live.update, rows, 0.5) / 1e3, 2),
        "update_p99_us": round(_tail(live.update, rows, 0.99) / 1e3, 2),
        "update_of_a_mapping_p99_us": round(_tail(live.update, dicts, 0.99) / 1e3, 2),
        "state_bytes": len(live.state()),
    }


def _tail(call: Callable[[Any], Any], items: Any, level: float) -> float:
    """Return a quantile of the time of a call, ns."""
    taken = np.empty(len(items))
    for k, item in enumerate(items):
        started = time.perf_counter_ns()
        call(item)
        taken[k] = time.perf_counter_ns() - started
    return float(np.quantile(taken, level))
