"""The checks of gate 0 that a study runs on itself: on its own panel, folds and cells, not on samples of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from karat.core import EnvironmentProblem
from karat.evidence import Check, shuffled_label_sentinel
from karat.features import check_invariance
from karat.labels import check_purged, views
from karat.study._cells import Task
from karat.study._config import StudyConfig
from karat.study._executor import interrupts_held, search_path
from karat.study._prepare import Dataset, Prepared
from karat.study._score import date_means

_NOT_YET = ("static ids", "adversarial validation", "market rules")


def static_checks(
    config: StudyConfig, dataset: Dataset, prepared: Prepared, *, bars_per_year: float
) -> tuple[Check, ...]:
    """Return the checks that need no fitted model."""
    invariance = check_invariance(dataset.panel, config.features, seed=config.seed)
    problems = [
        f"{horizon}: {problem}"
        for horizon, folds in prepared.folds.items()
        for problem in check_purged(folds, prepared.labels[horizon].start_ns, prepared.labels[horizon].end_ns)
    ]
    errors = [finding for finding in dataset.quality.findings if finding.severity == "error"]
    note = f"{len(dataset.quality.findings)} findings, {len(errors)} of them errors"
    return (
        Check("data quality", float(len(errors)), "no errors", not errors, note),
        Check("future invariance", float(invariance.worst), "0", invariance.passed, "; ".join(invariance.offending)),
        Check("purging", float(len(problems)), "no overlapping span", not problems, "; ".join(problems[:3])),
        _sentinel(config, prepared, bars_per_year),
        *(Check(name, None, "", None, "comes with a later version") for name in _NOT_YET),
    )


def _sentinel(config: StudyConfig, prepared: Prepared, bars_per_year: float) -> Check:
    """Return the shuffled-label check on the last selection fold; a panel earns the mean over instruments per date."""
    horizon = config.primary_horizon
    fold = [fold for fold in prepared.folds[horizon] if fold.role == "select"][-1]
    train, valid, _ = views(prepared.table, prepared.labels[horizon], fold, horizon)
    dates = np.unique(valid.ts)

    def per_date(forecasts: np.ndarray, returns: np.ndarray) -> np.ndarray:
        gross = forecasts * returns[:, None]
        return np.stack([date_means(dates, valid.ts, column) for column in gross.T], axis=1)

    return shuffled_label_sentinel(
        train.features,
        train.labels.value,
        valid.features,
        valid.labels.value,
        seed=config.seed,
        periods_per_year=bars_per_year,
        score=per_date if len(dates) < len(valid) else None,
    )


class FreshProcess:
    """One selection cell computed again by a new interpreter, while the study goes on."""

    def __init__(self, task: Task, expected: str, scratch: Path) -> None:
        self._expected, self._scratch = expected, scratch
        again = {**_plain(task), "target": str(scratch)}
        shutil.rmtree(scratch, ignore_errors=True)
        command = [sys.executable, "-m", "karat.study._again", json.dumps(again), str(os.getpid())]
        with interrupts_held():
            self._process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": search_path()},
            )

    def checks(self) -> tuple[Check, ...]:
        """Wait for the second result and judge it against the first.

        Raises:
            EnvironmentProblem: the process did not come to a result.
        """
        out, err = self._process.communicate()
        if self._process.returncode != 0:
            last = "".join(err.strip().splitlines()[-1:])
            raise EnvironmentProblem(f"repeated cell: the fresh process failed: {last}; the same command resumes")
        return repeated_checks(json.loads(out.strip().splitlines()[-1]), self._expected)

    def stop(self) -> None:
        """End the process if it still runs and drop what it wrote."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        shutil.rmtree(self._scratch, ignore_errors=True)


def repeated_checks(found: Mapping[str, Any], expected: str) -> tuple[Check, ...]:
    """Return what a repeated cell shows: the same forecast again, and none that moves with the future."""
    same, moved = found["forecast_hash"] == expected, int(found["moved_rows"])
    note = "one cell repeated in a fresh process" if same else f"{found['forecast_hash'][:12]} != {expected[:12]}"
    poison = "forecasts that moved when all later rows were replaced"
    return (
        Check("reproducible", float(same), "equal hashes", same, note),
        Check("forecaster invariance", float(moved), "0", moved == 0, poison),
    )


def _plain(task: Task) -> Mapping[str, object]:
    return {**asdict(task), "splits": task.splits.model_dump(mode="json")}
