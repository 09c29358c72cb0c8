"""The part of a report that is about calibration: PIT, reliability, figures before and after, and every map."""

from __future__ import annotations

import math
from collections.abc import Iterator

import polars as pl

from karat.data import LEVELS, Forecast
from karat.evidence import pit
from karat.report import Calibration, Estimate, FigureRow, MapRow, ReliabilityRow
from karat.study._calibration import CALIBRATED, RAW
from karat.study._result import RunResult


def calibration(result: RunResult) -> Calibration:
    """Return PIT values and reliability of the selected model's forecasts as they were used."""
    frame = result.frame("forecast")
    forecast, values = Forecast.from_frame(frame), frame["value"].to_numpy()
    used = result.frame("reliability").filter(stage=_used(result))
    quantiles, classes = (tuple(_rows(used.filter(kind=kind))) for kind in ("quantile", "class"))
    return Calibration(forecast.model, pit(values, forecast.quantiles, LEVELS), quantiles, classes)


def figures(result: RunResult) -> Iterator[FigureRow]:
    """Yield the figures of the selected model at the primary horizon."""
    key = {"model": result.manifest["selection"]["selected"], "horizon": result.config["primary_horizon"]}
    mine = result.frame("calibration").filter(**key)
    raw, used = (_by_name(mine.filter(stage=stage)) for stage in (RAW, _used(result)))
    for metric in raw:
        if not metric.endswith(("_p", "_low", "_high")):
            p_name = "pit_p" if metric == "pit_distance" else f"{metric}_p"
            yield FigureRow(
                metric,
                _estimate(raw, metric),
                _estimate(used, metric),
                raw.get(p_name, math.nan),
                used.get(p_name, math.nan),
            )


def maps(result: RunResult) -> Iterator[MapRow]:
    """Yield what became of every map."""
    for row in result.manifest["calibration"]:
        scores = {name: math.nan if row[name] is None else float(row[name]) for name in ("before", "after")}
        yield MapRow(**{**row, **scores})


def _used(result: RunResult) -> str:
    return CALIBRATED if result.manifest["calibration"] else RAW


def _rows(frame: pl.DataFrame) -> Iterator[ReliabilityRow]:
    for row in frame.iter_rows(named=True):
        yield ReliabilityRow(row["promised"], row["happened"], row["low"], row["high"], row["n"])


def _by_name(frame: pl.DataFrame) -> dict[str, float]:
    return dict(zip(frame["metric"].to_list(), frame["value"].to_list()))


def _estimate(facts: dict[str, float], metric: str) -> Estimate:
    return Estimate(facts[metric], facts.get(f"{metric}_low", math.nan), facts.get(f"{metric}_high", math.nan))
