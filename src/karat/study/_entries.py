"""Everything a study writes into the ledger, in the order it happens.

| kind | when | key |
|---|---|---|
| study, family | before the first cell | the run's hash; the configuration as written |
| cell | when a cell is finished | the cell's address |
| trial | when its score on `Valid` exists | run and trial |
| freeze | after selection, with the hash of every map by which forecasts are calibrated | run |
| open | before a test cell is dispatched | run and cell |
| series | when `Test` is scored | run and trial |
| verdict | when the run is published | none: each publication is recorded |
| frozen | by `karat freeze`: model, configuration and data by hash, and the test of forward days | run |
| forward | by `karat forward`: one day of a frozen selection | run and day |

Invariants:
1. Each entry is written once under its key; resuming or repeating a run finds what is there.
2. Names (of the study, of a model's label) may change between repetitions; the first ones stay in the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from karat.core import DataError, content_hash
from karat.study._cells import Cell, read_result
from karat.study._context import Run, opening_key
from karat.study._history import History, fingerprints
from karat.study._plan import declaration
from karat.study._prepare import span_of_tests

if TYPE_CHECKING:
    from karat.study._judge import Selection


def record_study(run: Run) -> None:
    """Record what will be run and on which data, and the marks by which its family is found."""
    config = run.config.model_dump(mode="json")
    facts = {
        "run_id": run.plan.run_id,
        "run_hash": run.plan.run_hash,
        "name": run.config.name,
        "config": config,
        "data": run.dataset.panel.content_hash,
        "code": dict(run.plan.identity["code"]),
    }
    _once(run, f"study:{run.plan.run_hash}:{content_hash(config)[:16]}", "study", facts)
    first, last = span_of_tests(run.prepared, run.config.primary_horizon)
    marks = fingerprints(run.dataset.finest, first, last)
    _once(run, f"family:{run.plan.run_hash}", "family", {"run_id": run.plan.run_id, "marks": marks})


def record_cell(run: Run, cell: Cell) -> None:
    """Record a finished cell.

    Raises:
        DataError: the ledger knows this cell with another forecast.
    """
    found = read_result(run.workspace.cells / cell.address).forecast_hash
    known = run.ledger.find(f"cell:{cell.address}")
    if known is not None and known.payload["forecast"] != found:
        raise DataError(
            "cell",
            "a cell computed again gives the recorded forecast",
            rows=[cell.address],
            seen=f"{found[:16]}, recorded {known.payload['forecast'][:16]}",
            fix=f"make {cell.model} deterministic, or restore the folder of this cell from a copy",
        )
    payload = {"cell": cell.address, "forecast": found, "model": cell.model, "seed": cell.seed}
    _once(run, f"cell:{cell.address}", "cell", payload)


def record_selection(run: Run, selection: Selection) -> None:
    """Record every candidate as a trial, then the frozen choice with all that the verdict depends on."""
    for entrant in run.plan.candidates:
        for horizon, trial in entrant.trial.items():
            payload = {
                "run_id": run.plan.run_id,
                "trial": trial,
                "name": entrant.title,
                "study": run.config.name,
                "horizon": horizon,
                "valid_loss": selection.losses[horizon][entrant.title],
            }
            _once(run, f"trial:{run.plan.run_id}:{trial}", "trial", payload)
    chosen = run.plan.entrant(selection.selected).config
    payload = {
        "run_id": run.plan.run_id,
        "declaration": declaration(run.config),
        "trial": selection.trial,
        "model": [chosen.name, dict(chosen.params)],
        "shown_on_valid": shown_facts(selection),
    }
    maps = {horizon: run.maps(run.plan.entrant(selection.selected), horizon) for horizon in run.config.horizons}
    if run.config.calibration.used:
        payload["maps"] = {horizon: found.content_hash for horizon, found in maps.items() if found is not None}
    run.ledger.append_once(f"freeze:{run.plan.run_id}", "freeze", payload)


def shown_facts(selection: Selection) -> dict[str, dict[str, Any]]:
    """Return by horizon the baseline that `Valid` shows to be worth something, or cash, and the p-value."""
    return {horizon: {"baseline": name, "p_value": p} for horizon, (name, p) in selection.shown.items()}


def open_tests(run: Run) -> None:
    """Record the opening of `Test` by every test cell."""
    for cell in run.plan.of_role("test"):
        payload = {"run_id": run.plan.run_id, "cell": cell.address}
        run.ledger.append_once(opening_key(run.plan.run_id, cell.address), "open", payload)


def record_series(run: Run, trial: str, file: str, digest: str) -> None:
    """Record where a trial's losses and returns are stored and the hash of their content."""
    payload = {"run_id": run.plan.run_id, "trial": trial, "file": file, "content": digest}
    _once(run, f"series:{run.plan.run_id}:{trial}:{digest[:16]}", "series", payload)


def record_verdict(run: Run, manifest: Mapping[str, Any], history: History) -> None:
    """Record a verdict with the hashes of all that stands in run.json beside it."""
    payload = {
        "run_id": run.plan.run_id,
        "outcome": manifest["verdict"]["outcome"],
        "opening": history.opening,
        "trials": manifest["verdict"]["family_trials"],
        **published_hashes(manifest),
    }
    run.ledger.append("verdict", payload)


def published_hashes(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the hashes of those parts of run.json that are results, as the ledger keeps them."""
    return {name: content_hash(manifest[name]) for name in ("verdict", "results", "cells", "selection", "history")}


def _once(run: Run, key: str, kind: str, payload: Mapping[str, Any]) -> None:
    if run.ledger.find(key) is None:
        run.ledger.append_once(key, kind, payload)
