"""How well every model's forecasts on `Test` were calibrated, as the models made them and as they were used.

Invariants:
1. Stage `raw` is there for every model, `calibrated` where the study calibrates; else raw is what was used.
2. Rows of a date are one row for every band and p-value, whatever the number of instruments, and so are the bars of a
   horizon: intervals are too wide rather than too narrow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import polars as pl

from karat.data import LEVELS, Forecast, horizon_bars
from karat.evidence.calibration import calibration_summary, coverage, reliability_curves
from karat.labels import classify
from karat.study._context import Run
from karat.study._plan import Entrant

RAW: Final = "raw"
CALIBRATED: Final = "calibrated"
_LEAST_ROWS: Final = 20
_SCHEMA: Final = dict.fromkeys(("model", "horizon", "stage", "metric"), pl.String) | {"value": pl.Float64}


def calibration_table(run: Run) -> pl.DataFrame:
    """Return one row for each model, horizon, stage and figure of `calibration_summary` on `Test`."""
    rows = []
    for horizon in run.config.horizons:
        labels = run.labels(horizon, "test")
        for entrant in run.plan.entrants:
            for stage, forecast in _stages(run, entrant, horizon):
                keys = {"model": entrant.title, "horizon": horizon, "stage": stage}
                rows += [{**keys, "metric": name, "value": value} for name, value in _figures(forecast, labels)]
    return pl.DataFrame(rows, schema=_SCHEMA)


def reliability_table(run: Run, selected: str) -> pl.DataFrame:
    """Return what was promised and what happened with its exact 95 % interval, for the selected model.

    `kind`: `quantile` rows are the levels of a forecast, `class` rows the bins of the most probable class.
    """
    horizon = run.config.primary_horizon
    labels, entrant = run.labels(horizon, "test"), run.plan.entrant(selected)
    rows = [
        {"stage": stage, **row}
        for stage, forecast in _stages(run, entrant, horizon)
        for row in _reliability(forecast, _values(forecast, labels))
    ]
    return pl.DataFrame(rows)


def _stages(run: Run, entrant: Entrant, horizon: str) -> Iterator[tuple[str, Forecast]]:
    yield RAW, run.raw(entrant, horizon, "test")
    if run.config.calibration.used:
        yield CALIBRATED, run.averaged(entrant, horizon, "test")


def _figures(forecast: Forecast, labels: pl.DataFrame) -> Iterator[tuple[str, float]]:
    overlap = _overlap(forecast)
    if len(forecast.ts) >= _LEAST_ROWS * overlap:
        yield from calibration_summary(forecast, _values(forecast, labels), overlap=overlap).items()


def _reliability(forecast: Forecast, values: np.ndarray) -> Iterator[Mapping[str, Any]]:
    overlap = _overlap(forecast)
    for k, level in enumerate(LEVELS):
        found = coverage((values <= forecast.quantiles[:, k]).astype(np.float64), float(level), overlap=overlap)
        facts = {"happened": found.share, "low": found.lower, "high": found.upper, "n": len(values)}
        yield {"kind": "quantile", "promised": float(level), **facts}
    curve = reliability_curves(classify(values), forecast.probabilities, meaning="top_label")[0]
    for promised, happened, n in zip(curve.promised, curve.happened, curve.counts):
        hits = np.repeat([1.0, 0.0], [round(happened * n), n - round(happened * n)])
        found = coverage(hits, min(max(float(promised), 1e-9), 1.0 - 1e-9), overlap=overlap)
        facts = {"happened": float(happened), "low": found.lower, "high": found.upper, "n": int(n)}
        yield {"kind": "class", "promised": float(promised), **facts}


def _overlap(forecast: Forecast) -> int:
    return horizon_bars(forecast.horizon) * len(np.unique(forecast.instrument))


def _values(forecast: Forecast, labels: pl.DataFrame) -> np.ndarray:
    keys = pl.DataFrame({"ts": forecast.ts, "instrument": forecast.instrument.tolist()})
    return keys.join(labels, on=["ts", "instrument"], how="left", maintain_order="left")["value"].to_numpy()
