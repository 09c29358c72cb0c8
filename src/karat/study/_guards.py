"""The checks of gate 0 that a study runs on itself: on its own panel, folds and cells, not on samples of them.

The same checks stand behind `karat guard`, see `_guard_table`.
"""

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
from karat.data import Panel
from karat.evidence import (
    Check,
    LabelledRows,
    adversarial_validation,
    known_check,
    shuffled_label_drop,
    shuffled_label_sentinel,
    survivor_check,
)
from karat.features import check_invariance
from karat.labels import views
from karat.market import Simulation
from karat.study._cells import Task
from karat.study._context import years_bars
from karat.study._executor import interrupts_held, search_path
from karat.study._guard_data import quality_check, source_check, split_check
from karat.study._guard_future import context_check, feature_check, label_check, market_check, policy_check
from karat.study._guard_ids import column_checks, probe_check, scan_check
from karat.study._guard_money import fill_check, rules_check
from karat.study._joins import origins_of
from karat.study._prepare import last_selection, selection_of
from karat.study._subject import Subject


def static_checks(subject: Subject) -> tuple[Check, ...]:
    """Return the checks that need no more than a study's data and its forecast on Valid."""
    return tuple(check for guard in STATIC for check in guard(subject))


def data_checks(subject: Subject) -> tuple[Check, ...]:
    """Return what the data say of themselves: quality, what was known when, who is missing."""
    panel = subject.dataset.finest
    return (
        quality_check(subject.dataset.quality),
        source_check(subject.config),
        known_check(panel),
        survivor_check(panel),
    )


def future_checks(subject: Subject) -> tuple[Check, ...]:
    """Return the future invariance of features, labels, policy and market."""
    config, panel = subject.config, subject.dataset.panel
    features = check_invariance(panel, selection_of(config), seed=config.seed)
    beside = [context_check(each.source, each.context) for each in subject.dataset.contexts]
    labels = [label_check(panel, horizon, seed=config.seed) for horizon in config.horizons]
    money = [check(subject.forecast, subject.venue, seed=config.seed) for check in (policy_check, market_check)]
    return (feature_check(features), *beside, *labels, *money)


def split_checks(subject: Subject) -> tuple[Check, ...]:
    """Return what the folds overlap."""
    return (split_check(subject.prepared),)


def id_checks(subject: Subject) -> tuple[Check, ...]:
    """Return whether a column, a source or an instrument's identity alone tells instruments apart."""
    config = subject.config
    return (
        *column_checks(subject.prepared, origins_of(config, subject.dataset.features.specs), seed=config.seed),
        scan_check(config.plugins),
        probe_check(subject.prepared, config.primary_horizon),
    )


def label_checks(subject: Subject) -> tuple[Check, ...]:
    """Return what shuffled labels earn and lose, on the last selection fold; a panel earns the mean per date.

    A position earns the return of its whole label, so that a year has its bars over the label's of them.
    """
    config, prepared = subject.config, subject.prepared
    horizon = config.primary_horizon
    train, valid = last_selection(prepared, horizon)
    order = np.argsort(valid.ts, kind="stable")
    dates, starts, rows = np.unique(valid.ts[order], return_index=True, return_counts=True)

    def per_date(forecasts: np.ndarray, returns: np.ndarray) -> np.ndarray:
        gross = (forecasts * returns[:, None])[order]
        means: np.ndarray = np.add.reduceat(gross, starts, axis=0) / rows[:, None]
        return means

    learned = LabelledRows(train.features, train.labels.value, valid.features, valid.labels.value)
    score = per_date if len(dates) < len(valid) else None
    bars = np.unique(valid.table.ts)
    held = np.median(np.searchsorted(bars, valid.labels.end_ns) - np.searchsorted(bars, valid.ts))
    periods = years_bars(config, subject.dataset.panel) / max(float(held), 1.0)
    terms: dict[str, Any] = {"seed": config.seed, "periods_per_year": periods}
    return (
        shuffled_label_sentinel(learned, score=score, **terms),
        shuffled_label_drop(learned, score=score, **terms),
    )


def shift_checks(subject: Subject) -> tuple[Check, ...]:
    """Return how well the rows of Train can be told from those of the last Test fold, by their features."""
    config, prepared = subject.config, subject.prepared
    fold = prepared.folds[config.primary_horizon][-1]
    train, _, test = views(prepared.table, prepared.labels[config.primary_horizon], fold)
    judged = test.inputs().features if test is not None else train.features[:0]
    return (adversarial_validation(train.features, judged, seed=config.seed),)


def money_checks(simulation: Simulation, panel: Panel) -> tuple[Check, ...]:
    """Return whether fills came after their decisions, and kept to the rules of their market."""
    return (fill_check(simulation, panel), rules_check(simulation, panel))


STATIC = (data_checks, future_checks, split_checks, id_checks, label_checks, shift_checks)
"""The guards of gate 0 that look at a study before its fills are judged, in the order they are printed."""


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
        return repeated_checks(self.found(), self._expected)

    def found(self) -> Mapping[str, Any]:
        """Wait for the second result and return it.

        Raises:
            EnvironmentProblem: the process did not come to a result.
        """
        out, err = self._process.communicate()
        if self._process.returncode != 0:
            last = "".join(err.strip().splitlines()[-1:])
            raise EnvironmentProblem(f"repeated cell: the fresh process failed: {last}; the same command resumes")
        result: Mapping[str, Any] = json.loads(out.strip().splitlines()[-1])
        return result

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
    """Return what a repeated cell shows: the same forecast again, none that moves with the future or with a name."""
    same = found["forecast_hash"] == expected
    note = "one cell repeated in a fresh process" if same else f"{found['forecast_hash'][:12]} != {expected[:12]}"
    return (Check("reproducible", float(same), "equal hashes", same, note), *forecaster_checks(found))


def forecaster_checks(found: Mapping[str, Any]) -> tuple[Check, ...]:
    """Return what a fitted forecaster showed when it was asked again with another future and with other names."""
    moved, renamed = int(found["moved_rows"]), found["renamed_rows"]
    poison = "forecasts that moved when all later rows were replaced"
    names = "forecasts that moved when instruments were permuted or unseen"
    identity = "forecaster identity"
    return (
        Check("forecaster invariance", float(moved), "0", moved == 0, poison),
        Check(identity, None, "0", None, "not evaluable: it keeps parameters for each instrument")
        if renamed is None
        else Check(identity, float(renamed), "0", renamed == 0, names),
    )


def _plain(task: Task) -> Mapping[str, object]:
    return {**asdict(task), "splits": task.splits.model_dump(mode="json")}
