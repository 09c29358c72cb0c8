"""What a finished study leaves behind: results/*.parquet, run.json, report.html, report.md and the verdict's entry.

Where forecasts are calibrated, maps/*.json hold what the selected model's are calibrated with.

Invariants:
1. Result tables are written first and hashed by content; run.json names them; the report reads only those.
2. Nothing that is compared by `reproduce` holds a time stamp; times and durations sit under `record`.
3. A run folder appears under its final name in one rename. One that is there is replaced only by the same run,
   judged with the history as it is known now; the ledger keeps every verdict.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from karat.core import NS_PER_SECOND, content_hash, iso, now_ns
from karat.evidence import Verdict
from karat.study._context import Run
from karat.study._entries import record_verdict
from karat.study._history import History
from karat.study._judge import Selection, Tests
from karat.study._manifest import make_manifest
from karat.study._result import FORWARD, RunResult
from karat.study._story import write_report
from karat.study._tables import result_tables

MAPS = "maps"
"""Folder of a run that holds what the selected model's forecasts are calibrated with, as JSON."""


def publish(run: Run, selection: Selection, tests: Tests, history: History, verdict: Verdict) -> RunResult:
    """Write the run's folder, record the verdict and return the result."""
    folder = run.workspace.runs / run.plan.run_id
    partial, replaced = (run.workspace.scratch / f"{run.plan.run_id}{end}" for end in (".partial", ".replaced"))
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "results").mkdir(parents=True)
    hashes = {}
    for name, frame in result_tables(run, tests, history):
        frame.write_parquet(partial / "results" / f"{name}.parquet")
        hashes[name] = content_hash(frame)
    maps = save_maps(run, selection.selected, partial)
    manifest = make_manifest(run, selection, tests, history, verdict) | {"results": hashes, "maps": maps}
    record_verdict(run, manifest, history)
    head = run.ledger.head()
    finished = iso(now_ns() // NS_PER_SECOND * NS_PER_SECOND)
    manifest["record"] = {"finished": finished, "ledger": {"size": head.size, "root": head.root}}
    (partial / "run.json").write_text(json.dumps(manifest, indent=1, allow_nan=False), encoding="utf-8")
    if (folder / FORWARD).is_file():  # forward days outlive a repetition of their run
        shutil.copy(folder / FORWARD, partial / FORWARD)
    write_report(partial)
    shutil.rmtree(replaced, ignore_errors=True)
    if folder.exists():
        folder.rename(replaced)
    partial.rename(folder)
    shutil.rmtree(replaced, ignore_errors=True)
    return RunResult(folder)


def save_maps(run: Run, model: str, folder: Path) -> dict[str, str]:
    """Write the maps of a model at every horizon below a folder and return file names with their SHA-256."""
    found: dict[str, str] = {}
    for horizon in run.config.horizons:
        maps = run.maps(run.plan.entrant(model), horizon)
        if maps is not None:
            (folder / MAPS).mkdir(exist_ok=True)
            found |= maps.save(folder / MAPS, horizon)
    return found
