"""What the ledger knows about earlier tries: families by overlap of data, trials, openings of `Test`.

A family is every study whose instruments and test dates overlap. Overlap is read from the data: each instrument's
weekly returns over the test dates leave fingerprints, and two runs that share one belong together, whatever their
instruments, files or studies are called. Families join: overlap is followed from run to run.

Invariants:
1. A trial is counted once by its id however often it is run; nothing typed in can lower the count.
2. A run keeps the number of its first opening of `Test`, so resuming or repeating it spends nothing more.
3. A stored series whose bytes no longer match the ledger counts as a trial without one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from karat.core import Ledger, content_hash
from karat.data import Panel

_DIGITS = 12
_RETURN_DECIMALS = 6


@dataclass(frozen=True)
class StoredTrial:
    """One trial of the family: its series file if it has one whose content is as recorded."""

    id: str
    name: str
    study: str
    run_id: str
    horizon: str
    series: str | None


@dataclass(frozen=True)
class History:
    """The family as it stood for one run: `openings` holds (run id, study) of every opening of `Test`, in order."""

    opening: int
    openings: tuple[tuple[str, str], ...]
    family: tuple[str, ...]
    trials: tuple[StoredTrial, ...]
    fresh: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for run.json."""
        return {
            "opening": self.opening,
            "openings": [list(item) for item in self.openings],
            "family": list(self.family),
            "fresh": self.fresh,
            "trials": [vars(trial) for trial in self.trials],
        }

    def with_series_of(self, fresh: History) -> History:
        """Return this history with the trials that `fresh` computed again pointing at the new series."""
        made = {trial.id: trial.series for trial in fresh.trials}
        trials = tuple(replace(trial, series=made.get(trial.id, trial.series)) for trial in self.trials)
        return replace(self, trials=trials)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> History:
        """Rebuild from `to_dict`."""
        trials = tuple(StoredTrial(**trial) for trial in values["trials"])
        openings = tuple((str(run), str(study)) for run, study in values["openings"])
        return cls(int(values["opening"]), openings, tuple(values["family"]), trials, bool(values["fresh"]))


def fingerprints(panel: Panel, first_ns: int, last_ns: int) -> list[str]:
    """Return sorted digests of (ISO week, weekly simple return) of every instrument between two instants.

    Weekly closes make daily, 5-day and weekly bars of one instrument meet; returns make units and names irrelevant.
    Weeks without a move leave no digest.
    """
    frame = panel.frame.filter(pl.col("ts").is_between(first_ns, last_ns)).select("ts", "instrument", "close")
    stamp = pl.from_epoch("ts", time_unit="ns")
    weekly = (
        frame.with_columns((stamp.dt.iso_year() * 100 + stamp.dt.week()).alias("week"))
        .group_by("instrument", "week")
        .agg(pl.col("close").sort_by("ts").last())
        .sort("instrument", "week")
        .with_columns((pl.col("close") / pl.col("close").shift(1).over("instrument") - 1).alias("move"))
        .filter(pl.col("move").is_finite() & (pl.col("move") != 0))
    )
    marks = {f"{week}:{move:.{_RETURN_DECIMALS}f}" for week, move in weekly.select("week", "move").iter_rows()}
    return sorted(hashlib.sha256(mark.encode()).hexdigest()[:_DIGITS] for mark in marks)


def store_series(folder: Path, trial_id: str, series: pl.DataFrame) -> tuple[str, str]:
    """Write a trial's per-date series once; return (file name, content hash)."""
    digest = content_hash(series)
    name = f"{trial_id[:16]}-{digest[:16]}.parquet"
    target = folder / name
    if not target.exists():
        partial = target.with_suffix(".partial")
        series.write_parquet(partial)
        partial.replace(target)
    return name, digest


def read_series(folder: Path, trial: StoredTrial) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return (dates, skill, money) of a stored trial, or None where it has no valid series."""
    if trial.series is None:
        return None
    frame = pl.read_parquet(folder / trial.series)
    return frame["date"].to_numpy(), frame["skill"].to_numpy(), frame["money"].to_numpy()


def read_history(ledger: Ledger, run_id: str, folder: Path) -> History:
    """Return the family of a run that is already in the ledger, with every trial of it."""
    marks = {entry.payload["run_id"]: set(entry.payload["marks"]) for entry in ledger.entries("family")}
    family = _connected(run_id, marks)
    series = {entry.payload["trial"]: entry.payload for entry in ledger.entries("series")}
    trials: dict[str, StoredTrial] = {}
    for entry in ledger.entries("trial"):
        if entry.payload["run_id"] in family and entry.payload["trial"] not in trials:
            trials[entry.payload["trial"]] = _stored(entry.payload, series.get(entry.payload["trial"]), folder)
    opened = list(dict.fromkeys(entry.payload["run_id"] for entry in ledger.entries("open")))
    ranks = [name for name in opened if name in family]
    opening = ranks.index(run_id) + 1 if run_id in ranks else len(ranks) + 1
    names = {entry.payload["run_id"]: str(entry.payload["name"]) for entry in ledger.entries("study")}
    openings = tuple((name, names[name]) for name in ranks[:opening])
    return History(opening, openings, tuple(sorted(family)), tuple(trials.values()), fresh=set(names) <= {run_id})


def _connected(run_id: str, marks: Mapping[str, set[str]]) -> set[str]:
    family, reached = {run_id}, set(marks.get(run_id, set()))
    grown = True
    while grown:
        grown = False
        for other, theirs in marks.items():
            if other not in family and not reached.isdisjoint(theirs):
                family.add(other)
                reached |= theirs
                grown = True
    return family


def _stored(trial: Mapping[str, Any], series: Mapping[str, Any] | None, folder: Path) -> StoredTrial:
    name = None
    if series is not None and _intact(folder / series["file"], series["content"]):
        name = str(series["file"])
    return StoredTrial(trial["trial"], trial["name"], trial["study"], trial["run_id"], trial["horizon"], name)


def _intact(path: Path, digest: str) -> bool:
    if not path.is_file():
        return False
    try:
        return content_hash(pl.read_parquet(path)) == digest
    except (pl.exceptions.ComputeError, pl.exceptions.PolarsError, OSError):
        return False


def unstored(trials: Iterable[StoredTrial]) -> int:
    """Return how many trials have no stored series."""
    return sum(trial.series is None for trial in trials)
