"""What a finished study leaves behind: results/*.parquet, run.json, report.html, report.md and the verdict's entry.

Invariants:
1. Result tables are written first and hashed by content; run.json names them; the report reads only those.
2. Nothing that is compared by `reproduce` holds a time stamp; times and durations sit under `record`.
3. A run folder appears under its final name in one rename; an existing one is replaced only by an equal run.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from karat.core import NS_PER_SECOND, canonical_json, content_hash, derive_seed, iso, now_ns
from karat.data import horizon_bars
from karat.evidence import Case, Verdict, bootstrap_interval
from karat.market import attribution
from karat.study._environment import environment
from karat.study._history import History
from karat.study._judge import LOSSES, Selection, Summary, Tests
from karat.study._plan import declaration
from karat.study._result import RunResult
from karat.study._story import write_report

if TYPE_CHECKING:
    from karat.study._pipeline import Run

_BLOCK_FLOOR = 10
_DRAWS = 1000


def publish(run: Run, selection: Selection, tests: Tests, history: History, judged: tuple[Verdict, Case]) -> RunResult:
    """Write the run's folder, record the verdict and return the result."""
    verdict, _ = judged
    folder = run.workspace.runs / run.plan.run_id
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "results").mkdir(parents=True)
    hashes = {}
    for name, frame in _tables(run, tests, history):
        frame.write_parquet(partial / "results" / f"{name}.parquet")
        hashes[name] = content_hash(frame)
    manifest = _manifest(run, selection, tests, history, verdict) | {"results": hashes}
    payload: dict[str, Any] = {
        "run_id": run.plan.run_id,
        "outcome": verdict.outcome,
        "verdict": content_hash(manifest["verdict"]),
    }
    payload |= {"opening": history.opening, "trials": verdict.family_trials, "results": content_hash(hashes)}
    run.ledger.append("verdict", payload)
    head = run.ledger.head()
    manifest["record"] = {"finished": iso(now_ns() // NS_PER_SECOND * NS_PER_SECOND), "ledger": {"size": head.size, "root": head.root}}
    (partial / "run.json").write_text(json.dumps(manifest, indent=1, allow_nan=False), encoding="utf-8")
    write_report(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return RunResult(folder)


def _tables(run: Run, tests: Tests, history: History) -> Iterator[tuple[str, pl.DataFrame]]:
    chosen = tests.chosen
    yield "scores", pl.DataFrame(list(_scores(run, tests)), infer_schema_length=None)
    yield (
        "by_date",
        pl.concat(
            [
                _tagged(item.by_date, item).with_columns(skill=pl.Series(item.skill), money=pl.Series(item.money))
                for item in tests.summaries
            ]
        ),
    )
    yield "forecast", chosen.forecast.frame().with_columns(value=pl.Series(chosen.values))
    yield (
        "equity",
        pl.DataFrame(
            {
                "ts": chosen.dates,
                "selected": chosen.simulation.equity["equity_usd"],
                "baseline": tests.money_baseline.simulation.equity["equity_usd"],
                "buy_and_hold": tests.hold.simulation.equity["equity_usd"],
                "net": chosen.net,
                "baseline_net": tests.money_baseline.net,
                "hold_net": tests.hold.net,
            }
        ),
    )
    yield "fills", chosen.simulation.fills
    yield "attribution", attribution(chosen.simulation)
    seeds = [{"seed": seed, "pinball": loss, "sharpe": worth} for seed, loss, worth in tests.seeds]
    yield "seeds", pl.DataFrame(seeds)
    yield "trials", pl.DataFrame([vars(trial) for trial in history.trials], infer_schema_length=None)


def _tagged(frame: pl.DataFrame, item: Summary) -> pl.DataFrame:
    return frame.with_columns(model=pl.lit(item.entrant.title), horizon=pl.lit(item.horizon))


def _scores(run: Run, tests: Tests) -> Iterator[dict[str, Any]]:
    """Yield one row per model, horizon, scope and loss; pooled rows carry a bootstrap interval over dates."""
    for item in tests.summaries:
        base = {"model": item.entrant.title, "role": _role(item, tests), "horizon": item.horizon}
        for name in LOSSES:
            values = item.by_date[name].drop_nans().to_numpy()
            seed = derive_seed(run.config.seed, "scores", name)
            block = max(_BLOCK_FLOOR, 2 * horizon_bars(item.horizon))
            found = bootstrap_interval(values, _mean, block=block, draws=_DRAWS, level=0.95, seed=seed)
            count = int(item.by_instrument["n"].sum())
            mean = float(values.mean())
            yield base | {
                "scope": "pooled",
                "n": count,
                "metric": name,
                "value": mean,
                "low": found.lower,
                "high": found.upper,
            }
        if len(item.by_instrument) > 1:
            yield from _strata(base, item)


def _strata(base: Mapping[str, Any], item: Summary) -> Iterator[dict[str, Any]]:
    for row in item.by_instrument.iter_rows(named=True):
        for name in LOSSES:
            yield {
                **base,
                "scope": row["instrument"],
                "n": row["n"],
                "metric": name,
                "value": row[name],
                "low": None,
                "high": None,
            }


def _mean(values: np.ndarray) -> float:
    return float(values.mean())


def _role(item: Summary, tests: Tests) -> str:
    if item.entrant.baseline:
        return "baseline"
    return "selected" if item.entrant.title == tests.chosen.name else "candidate"


def _manifest(run: Run, selection: Selection, tests: Tests, history: History, verdict: Verdict) -> dict[str, Any]:
    config = run.config.model_dump(mode="json")
    provenance = run.dataset.panel.provenance
    frame = run.dataset.panel.frame
    stamps = frame["ts"].to_numpy()
    chosen_equity = tests.chosen.simulation.equity["equity_usd"]
    return {
        "run_id": run.plan.run_id,
        "run_hash": run.plan.run_hash,
        "config": config,
        "config_hash": content_hash(canonical_json(run.config.identity())),
        "declaration": declaration(run.config),
        "code": dict(run.plan.identity["code"]),
        "data": {
            "content_hash": run.dataset.panel.content_hash,
            "rows": len(frame),
            "instruments": list(run.dataset.panel.instruments),
            "first_ns": int(stamps.min()),
            "last_ns": int(stamps.max()),
            "calendar": run.dataset.panel.calendar,
            "provenance": vars(provenance) | {"preprocessing": list(provenance.preprocessing)},
            "notes": list(run.dataset.panel.notes),
            "findings": [_finding(item) for item in run.dataset.quality.findings],
        },
        "features": [
            {"name": spec.name, "category": spec.category, "formula": spec.formula, "lookback": spec.lookback}
            for spec in run.dataset.features.specs
        ],
        "features_absent": dict(run.dataset.features.absent),
        "folds": list(_folds(run)),
        "selection": {
            "selected": selection.selected,
            "trial": selection.trial,
            "skill_baseline": dict(selection.skill_baseline),
            "money_baseline": dict(selection.money_baseline),
            "valid_losses": {key: dict(value) for key, value in selection.losses.items()},
        },
        "cells": {cell.address: _forecast_hash(run, cell.address) for cell in run.plan.cells},
        "history": history.to_dict(),
        "costs": {
            "gross_usd": float(tests.chosen.simulation.gross_pnl_usd.sum()),
            "net_usd": float(chosen_equity[-1]) - run.config.market.capital_usd,
            "items": {name: usd for name, usd in tests.chosen.simulation.costs.items() if name != "total"},
        },
        "bars_per_year": run.bars_per_year,
        "notes": [*tests.chosen.simulation.notes, *run.dataset.panel.notes],
        "verdict": verdict.to_dict(),
        "environment": environment(),
    }


def _finding(item: Any) -> dict[str, Any]:
    return {
        "table": item.table,
        "rule": item.rule,
        "severity": item.severity,
        "rows": item.n_rows,
        "remedy": item.remedy,
    }


def _forecast_hash(run: Run, address: str) -> str:
    values = json.loads((run.workspace.cells / address / "cell.json").read_text(encoding="utf-8"))
    return str(values["forecast_hash"])


def _folds(run: Run) -> Iterator[dict[str, Any]]:
    for horizon, folds in run.prepared.folds.items():
        for fold in folds:
            row: dict[str, Any] = {"horizon": horizon, "index": fold.index, "role": fold.role}
            for name in ("train", "valid", "test"):
                rows = getattr(fold, name)
                stamps = run.prepared.labels[horizon].ts[rows] if rows is not None and len(rows) else None
                row[name] = None if stamps is None else [int(stamps.min()), int(stamps.max()), len(stamps)]
            yield row
