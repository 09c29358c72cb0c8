"""run.json: everything needed to repeat a run and to see what it stood on, as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from karat.core import content_hash
from karat.data import Finding, Panel, Provenance
from karat.evidence import Verdict
from karat.study._cells import read_result
from karat.study._context import Run
from karat.study._entries import shown_facts
from karat.study._environment import environment
from karat.study._history import History
from karat.study._judge import Selection, Tests
from karat.study._maps import diagnosis_rows
from karat.study._plan import declaration


def make_manifest(run: Run, selection: Selection, tests: Tests, history: History, verdict: Verdict) -> dict[str, Any]:
    """Return all of run.json but the hashes of the result tables and the record of this writing."""
    return {
        "run_id": run.plan.run_id,
        "run_hash": run.plan.run_hash,
        "config": run.config.model_dump(mode="json"),
        "config_hash": content_hash(run.config.identity()),
        "declaration": declaration(run.config),
        "code": dict(run.plan.identity["code"]),
        "data": _data(run),
        "features": [
            {"name": spec.name, "category": spec.category, "formula": spec.formula, "lookback": spec.lookback}
            for spec in run.dataset.features.specs
        ],
        "features_absent": dict(run.dataset.features.absent),
        "folds": list(_folds(run)),
        "selection": _selection(selection),
        "cells": {
            cell.address: read_result(run.workspace.cells / cell.address).forecast_hash for cell in run.plan.cells
        },
        "calibration": list(_maps(run)),
        "history": history.to_dict(),
        "costs": _costs(run, tests),
        "bars_per_year": run.bars_per_year,
        "notes": [*tests.chosen.simulation.notes, *run.dataset.panel.notes],
        "verdict": verdict.to_dict(),
        "environment": environment(),
    }


def provenance_facts(provenance: Provenance) -> dict[str, Any]:
    """Return a provenance as plain values."""
    return {**vars(provenance), "preprocessing": list(provenance.preprocessing)}


def _data(run: Run) -> Mapping[str, Any]:
    panel: Panel = run.dataset.panel
    stamps = panel.frame["ts"].to_numpy()
    return {
        "content_hash": panel.content_hash,
        "rows": len(panel.frame),
        "instruments": list(panel.instruments),
        "first_ns": int(stamps.min()),
        "last_ns": int(stamps.max()),
        "calendar": panel.calendar,
        "provenance": provenance_facts(panel.provenance),
        "notes": list(panel.notes),
        "findings": [_finding(item) for item in run.dataset.quality.findings],
    }


def _maps(run: Run) -> Iterator[dict[str, Any]]:
    """Yield what became of every map of every model at every horizon."""
    for horizon in run.config.horizons:
        for entrant in run.plan.entrants:
            maps = run.maps(entrant, horizon)
            if maps is not None:
                yield from diagnosis_rows(entrant.title, horizon, maps)


def _finding(item: Finding) -> dict[str, Any]:
    return {
        "table": item.table,
        "rule": item.rule,
        "severity": item.severity,
        "rows": item.n_rows,
        "remedy": item.remedy,
    }


def _selection(selection: Selection) -> dict[str, Any]:
    return {
        "selected": selection.selected,
        "trial": selection.trial,
        "shown_on_valid": shown_facts(selection),
        "valid_losses": {key: dict(value) for key, value in selection.losses.items()},
    }


def _costs(run: Run, tests: Tests) -> dict[str, Any]:
    simulation = tests.chosen.simulation
    return {
        "gross_usd": float(simulation.gross_pnl_usd.sum()),
        "net_usd": float(simulation.equity["equity_usd"][-1]) - run.config.market.capital_usd,
        "items": {name: usd for name, usd in simulation.costs.items() if name != "total"},
    }


def _folds(run: Run) -> Iterator[dict[str, Any]]:
    for horizon, folds in run.prepared.folds.items():
        for fold in folds:
            row: dict[str, Any] = {"horizon": horizon, "index": fold.index, "role": fold.role}
            for name in ("train", "valid", "test"):
                rows = getattr(fold, name)
                stamps = run.prepared.labels[horizon].ts[rows] if rows is not None and len(rows) else None
                row[name] = None if stamps is None else [int(stamps.min()), int(stamps.max()), len(stamps)]
            yield row
