"""What the ledger knows about earlier tries: families by overlap of data, trials, openings of `Test`.

A family is every study whose instruments and test dates overlap. Overlap is read from the data: successive returns of
each instrument over the test dates leave marks, and two runs that share one belong together, whatever their
instruments, files or studies are called. Families join: overlap is followed from run to run.

Invariants:
1. A trial is counted once by its id however often it is run; nothing typed in can lower the count.
2. A run keeps the number of its first opening of `Test`, so resuming or repeating it spends nothing more.
3. A stored series whose content no longer matches the ledger counts as a trial without one.
4. Marks depend on prices and weeks only, and two instruments that are not the same never share one by chance: a mark
   needs three successive returns that agree to a millionth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from karat.core import NS_PER_DAY, Ledger, content_hash
from karat.data import Panel
from karat.evidence import spend_alpha
from karat.study._stored import is_intact, stored_frame

_LAGS = (1, 2, 3, 5)  # bars: daily marks meet those of 2-, 3- and 5-day bars made elsewhere
_KEPT = 4096  # marks of a run, the smallest ones: two runs that share many share some of these
_RESOLUTION = 1e6


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
    """Return sorted marks, 12 hex digits each, of every instrument's closes between two instants.

    One mark is made of three successive returns over 1, 2, 3 or 5 bars and the week in which the last one ends; at
    least two of the returns have moved. Returns make units irrelevant, and names take no part.
    """
    inside = panel.frame.filter(pl.col("ts").is_between(first_ns, last_ns) & (pl.col("close") > 0))
    found = [np.empty(0, dtype=np.uint64)]
    for _, part in inside.group_by("instrument"):
        close, week = part["close"].to_numpy(), (part["ts"].to_numpy() // NS_PER_DAY + 3) // 7  # weeks begin on Monday
        found += [_marks(close, week, lag) for lag in _LAGS if len(close) > 3 * lag]
    return [f"{mark:012x}" for mark in np.unique(np.concatenate(found))[:_KEPT].tolist()]


def _marks(close: np.ndarray, week: np.ndarray, lag: int) -> np.ndarray:
    moves = np.rint((close[lag:] / close[:-lag] - 1.0) * _RESOLUTION)
    steps = np.stack([moves[: -2 * lag], moves[lag:-lag], moves[2 * lag :]])
    good = np.isfinite(steps).all(axis=0) & ((steps != 0).sum(axis=0) >= 2)
    mark = week[3 * lag :][good].astype(np.uint64)
    for step in steps[:, good].astype(np.int64).view(np.uint64):
        mark = _mixed(mark) + step
    return _mixed(mark) >> np.uint64(16)


def _mixed(values: np.ndarray) -> np.ndarray:
    """Return 64-bit values spread evenly, the same on every machine. Source: splitmix64 (Steele and others 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ (values >> np.uint64(31)))


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
    """Return (dates, skill, money) of a stored trial, or None where it has no valid series.

    Raises:
        DataError: the file is not what its name says.
    """
    if trial.series is None:
        return None
    fix = f"delete {folder / trial.series}: the trial then counts as one without a series"
    frame = stored_frame(folder / trial.series, digest_in(trial.series), table="trial series", fix=fix)
    return frame["date"].to_numpy(), frame["skill"].to_numpy(), frame["money"].to_numpy()


def digest_in(name: str) -> str:
    """Return the beginning of the content hash that is part of a series file's name."""
    return Path(name).stem.rpartition("-")[2]


def read_history(ledger: Ledger, run_id: str, folder: Path) -> History:
    """Return the family of a run that is already in the ledger, with every trial of it."""
    marks = {entry.payload["run_id"]: set(entry.payload["marks"]) for entry in ledger.entries("family")}
    family = connected(run_id, marks)
    files: dict[str, list[Mapping[str, Any]]] = {}
    for entry in ledger.entries("series"):
        files.setdefault(entry.payload["trial"], []).append(entry.payload)
    trials: dict[str, StoredTrial] = {}
    for entry in ledger.entries("trial"):
        key = entry.payload["trial"]
        if entry.payload["run_id"] in family and key not in trials:
            name = next(_intact_files(files.get(key, []), run_id, folder), None)
            facts = {field: str(entry.payload[field]) for field in ("name", "study", "run_id", "horizon")}
            trials[key] = StoredTrial(id=key, series=name, **facts)
    opened = dict.fromkeys(entry.payload["run_id"] for entry in ledger.entries("open"))
    ranks = [name for name in opened if name in family]
    opening = ranks.index(run_id) + 1 if run_id in ranks else len(ranks) + 1
    names = {entry.payload["run_id"]: str(entry.payload["name"]) for entry in ledger.entries("study")}
    openings = tuple((name, names[name]) for name in ranks[:opening])
    return History(opening, openings, tuple(sorted(family)), tuple(trials.values()), fresh=set(names) <= {run_id})


@dataclass(frozen=True)
class Family:
    """A family as it stands: its runs, studies by name, trials, openings of `Test`, the share of α that comes next."""

    runs: tuple[str, ...]
    studies: tuple[str, ...]
    trials: int
    openings: int
    next_share: float


def families(ledger: Ledger) -> list[Family]:
    """Return every family of a ledger, in the order in which they began; runs that left no marks are in none."""
    marks = {entry.payload["run_id"]: set(entry.payload["marks"]) for entry in ledger.entries("family")}
    names = {entry.payload["run_id"]: str(entry.payload["name"]) for entry in ledger.entries("study")}
    opened = {entry.payload["run_id"] for entry in ledger.entries("open")}
    tried = [(entry.payload["run_id"], entry.payload["trial"]) for entry in ledger.entries("trial")]
    found, seen = [], set[str]()
    for run in marks:
        if run in seen:
            continue
        family = connected(run, marks)
        seen |= family
        runs = tuple(name for name in marks if name in family)
        count = len({trial for owner, trial in tried if owner in family})
        openings = len(family & opened)
        studies = tuple(dict.fromkeys(names[name] for name in runs))
        found.append(Family(runs, studies, count, openings, spend_alpha(0.5, openings + 1) / 0.5))
    return found


def _intact_files(entries: Sequence[Mapping[str, Any]], run_id: str, folder: Path) -> Iterator[str]:
    """Yield the intact series files of one trial: those of the run itself first, then the newest."""
    newest = entries[::-1]
    own = [entry for entry in newest if entry["run_id"] == run_id]
    for entry in [*own, *(entry for entry in newest if entry["run_id"] != run_id)]:
        if is_intact(folder / entry["file"], entry["content"]):
            yield str(entry["file"])


def connected(run_id: str, marks: Mapping[str, set[str]]) -> set[str]:
    """Return the family of a run: every run that is reached from it by shared marks, from one to the next."""
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


def unstored(trials: Iterable[StoredTrial]) -> int:
    """Return how many trials have no stored series."""
    return sum(trial.series is None for trial in trials)
