"""The result tables of a run: plain frames, one row a fact, written as results/NAME.parquet.

| table | a row is |
|---|---|
| scores | the mean of a loss of one model, horizon and scope |
| by_date | the losses, skill and money of one model, horizon and date |
| forecast | one forecast of the selected model with what came true |
| equity | one bar of the accounts of the selected model, its baseline and buy and hold |
| fills, attribution | trades, and profit by instrument, of the selected model |
| seeds | one seed of the selected model |
| trials | one trial of the family |
| calibration | one figure of calibration of one model, horizon and stage: raw, and calibrated where it was |
| reliability | a level or bin of the selected model: what it promised, what happened, with its exact interval |

Invariants:
1. Scope "pooled" weighs every date alike, as the verdict does; "macro" weighs every instrument alike; any other scope
   is one instrument. Forecasts counted by instrument add up to the pooled count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from karat.core import derive_seed
from karat.data import horizon_bars
from karat.evidence import bootstrap_interval
from karat.market import attribution
from karat.study._calibration import calibration_table, reliability_table
from karat.study._context import Run
from karat.study._history import History
from karat.study._judge import LOSSES, Summary, Tests

_BLOCK_FLOOR = 10
_DRAWS = 1000


def result_tables(run: Run, tests: Tests, history: History) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield (name, frame) of every result table."""
    chosen = tests.chosen
    yield "scores", pl.DataFrame(list(_scores(run, tests)), infer_schema_length=None)
    yield "by_date", pl.concat([_by_date(item) for item in tests.summaries])
    yield "forecast", chosen.forecast.frame().with_columns(value=pl.Series(chosen.values))
    yield "equity", _equity(tests)
    yield "fills", chosen.simulation.fills
    yield "attribution", attribution(chosen.simulation)
    yield "seeds", pl.DataFrame([{"seed": seed, "pinball": loss, "sharpe": worth} for seed, loss, worth in tests.seeds])
    yield "trials", pl.DataFrame([vars(trial) for trial in history.trials], infer_schema_length=None)
    yield "calibration", calibration_table(run)
    yield "reliability", reliability_table(run, chosen.name)


def role_of(item: Summary, tests: Tests) -> str:
    """Return baseline, selected or candidate."""
    if item.entrant.baseline:
        return "baseline"
    return "selected" if item.entrant.title == tests.chosen.name else "candidate"


def _by_date(item: Summary) -> pl.DataFrame:
    return item.by_date.with_columns(
        model=pl.lit(item.entrant.title),
        horizon=pl.lit(item.horizon),
        skill=pl.Series(item.skill),
        money=pl.Series(item.money.series),
    )


def _equity(tests: Tests) -> pl.DataFrame:
    chosen, baseline, hold = tests.chosen, tests.money_baseline, tests.hold
    return pl.DataFrame(
        {
            "ts": chosen.dates,
            "selected": chosen.simulation.equity["equity_usd"],
            "baseline": baseline.simulation.equity["equity_usd"],
            "buy_and_hold": hold.simulation.equity["equity_usd"],
            "net": chosen.net,
            "baseline_net": baseline.net,
            "hold_net": hold.net,
        }
    )


def _scores(run: Run, tests: Tests) -> Iterator[dict[str, Any]]:
    """Yield one row per model, horizon, scope and loss; pooled rows carry a bootstrap interval over dates."""
    for item in tests.summaries:
        base = {"model": item.entrant.title, "role": role_of(item, tests), "horizon": item.horizon}
        count = int(item.by_instrument["n"].sum())
        for name in LOSSES:
            values = item.by_date[name].drop_nans().to_numpy()
            seed = derive_seed(run.config.seed, "scores", name)
            block = max(_BLOCK_FLOOR, 2 * horizon_bars(item.horizon))
            found = bootstrap_interval(values, _mean, block=block, draws=_DRAWS, level=0.95, seed=seed)
            yield _score(base, "pooled", count, name, float(values.mean())) | {"low": found.lower, "high": found.upper}
        if len(item.by_instrument) > 1:
            yield from _strata(base, item, count)


def _strata(base: Mapping[str, Any], item: Summary, count: int) -> Iterator[dict[str, Any]]:
    for name in LOSSES:
        yield _score(base, "macro", count, name, float(item.by_instrument[name].to_numpy().mean()))
    for row in item.by_instrument.iter_rows(named=True):
        for name in LOSSES:
            yield _score(base, row["instrument"], row["n"], name, row[name])


def _score(base: Mapping[str, Any], scope: str, count: int, metric: str, value: float) -> dict[str, Any]:
    return {**base, "scope": scope, "n": count, "metric": metric, "value": value, "low": None, "high": None}


def _mean(values: np.ndarray) -> float:
    return float(values.mean())
