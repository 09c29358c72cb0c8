"""The checks of gate 0 that a study runs on itself: on its own panel, folds and cells, not on samples of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from karat.core import EnvironmentProblem
from karat.evidence import Check, shuffled_label_sentinel
from karat.features import check_invariance
from karat.labels import check_purged, views
from karat.study._cells import Task
from karat.study._config import StudyConfig
from karat.study._prepare import Dataset, Prepared

_NOT_YET = ("static ids", "adversarial validation", "market rules")


def static_checks(config: StudyConfig, dataset: Dataset, prepared: Prepared) -> tuple[Check, ...]:
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
        _sentinel(config, prepared),
        *(Check(name, None, "", None, "comes with a later version") for name in _NOT_YET),
    )


def _sentinel(config: StudyConfig, prepared: Prepared) -> Check:
    horizon = config.primary_horizon
    fold = [fold for fold in prepared.folds[horizon] if fold.role == "select"][-1]
    train, valid, _ = views(prepared.table, prepared.labels[horizon], fold, horizon)
    return shuffled_label_sentinel(
        _filled(train.features), train.labels.value, _filled(valid.features), valid.labels.value, seed=config.seed
    )


def _filled(features: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(features), features, 0.0)


class FreshProcess:
    """One selection cell computed again by a new interpreter, while the study goes on."""

    def __init__(self, task: Task, expected: str, scratch: Path) -> None:
        self._expected = expected
        self._target = scratch
        again = {**_plain(task), "target": str(scratch)}
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "karat.study._again", json.dumps(again)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def check(self) -> Check:
        """Wait for the second result and compare its hash with the first."""
        out, err = self._process.communicate()
        if self._process.returncode != 0:
            raise EnvironmentProblem(f"repeated cell: the fresh process failed: {err.strip().splitlines()[-1:]}")
        found = json.loads(out.strip().splitlines()[-1])["forecast_hash"]
        note = (
            "one cell repeated in a fresh process"
            if found == self._expected
            else f"{found[:12]} != {self._expected[:12]}"
        )
        return Check("reproducible", float(found == self._expected), "equal hashes", found == self._expected, note)

    def stop(self) -> None:
        """End the process if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


def _plain(task: Task) -> Mapping[str, object]:
    return {**asdict(task), "splits": task.splits.model_dump(mode="json")}
