"""`history`: how much the classifier has to learn from, by fits on the last rows before the same held-out days."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from market_jobs import Asked

from karat.data import Panel
from karat.features.regimes._measures import MARKET_STATE
from regime_jobs._scores import FromAnyHistory, baselines, macro_f1, outlook
from regime_jobs.neural import HELD_OUT, neural_series

ROWS = (300, 400, 500, 700, 900, 1100, 1300, 1500, 1750, 2000, 2500, 3000, 4000)
SEEDS = range(2)
MOST_HELD_OUT = 2000
SERIES = 17
"""The indices, the daily series that no regime was made with, and four of the single stocks."""


def facts(asked: Asked) -> Iterator[dict[str, Any]]:
    """Yield macro-F1 beside that of the state of today, and how many states occur, for each length of history."""
    for series, panel, _ in itertools.islice(neural_series(asked.quick), SERIES):
        for rows, seed in itertools.product(ROWS[::6] if asked.quick else ROWS, SEEDS[:1] if asked.quick else SEEDS):
            yield from _judged(series, panel, rows, seed)


def _judged(series: str, panel: Panel, rows: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield a line, none where a series has no such history."""
    x = MARKET_STATE.of({name: panel.frame[name].to_numpy() for name in MARKET_STATE.columns})
    x = x[np.isfinite(x).all(axis=1)]
    cut = int(len(x) * (1 - HELD_OUT))
    if rows > cut:
        return
    part, model = x[cut - rows : cut + MOST_HELD_OUT], FromAnyHistory(seed)
    model.fit(part[:rows])
    codes = model.scan(part)[0][rows:]
    today = baselines(part, rows, model)["today"]
    true = outlook(today)
    known = true >= 0
    share = np.bincount(codes, minlength=len(model.names)) / len(codes)
    yield {
        "job": "history",
        "series": series,
        "fitted_rows": rows,
        "seed": seed,
        "rows": len(codes),
        "macro_f1": round(macro_f1(true[known], codes[known]), 3),
        "today": round(macro_f1(true[known], today[known]), 3),
        "states": int((share > 0).sum()),
        "least_share": round(float(share.min()), 4),
        "changes": round(float((codes[1:] != codes[:-1]).mean()), 4),
    }
