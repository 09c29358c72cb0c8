"""What a report reads of a run's folder, so that a folder of another version of karat is refused by what it lacks.

Invariants:
1. A report reads nothing of run.json and of result tables but what stands here: a test takes all else away.
2. Everything that is lacking is named at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import karat
from karat.core import DataError
from karat.data import KEYS, LEVELS, N_CLASSES
from karat.evidence import Check, Gate, Verdict
from karat.report import FeatureRow, FindingRow, MapRow, ScoreRow

if TYPE_CHECKING:
    from karat.study._result import RunResult

Shape: TypeAlias = "Mapping[str, Shape] | list[Shape] | Record | None"


@dataclass(frozen=True)
class Record:
    """Keys that become the fields of a dataclass: those without a default are there, and no others."""

    kind: type
    inner: Mapping[str, Shape] = field(default_factory=dict)

    @property
    def known(self) -> dict[str, bool]:
        """Field to whether it may be missing."""
        missing = dataclasses.MISSING
        fields = dataclasses.fields(self.kind)
        return {item.name: item.default is not missing or item.default_factory is not missing for item in fields}


def _keys(*names: str, **inner: Shape) -> dict[str, Shape]:
    return {**dict.fromkeys(names), **inner}


_SPAN: Final = _keys("index", "role", "horizon", "train", "valid", "test")
_TRIAL: Final = _keys("id", "name", "study", "run_id", "horizon", "series")
RUN: Final[Shape] = _keys(
    "run_id",
    "environment",
    "features_absent",
    "notes",
    "bars_per_year",
    "results",
    config=_keys(
        "name",
        "description",
        "primary_horizon",
        "seed",
        policy=_keys("mode", "flat_edge"),
        verdict=_keys("alpha", "prior_trials"),
    ),
    data=_keys(
        "content_hash",
        "rows",
        "instruments",
        "first_ns",
        "last_ns",
        "calendar",
        "notes",
        provenance=_keys("source", "origin", "licence", "prices", "preprocessing"),
        findings=[Record(FindingRow)],
    ),
    features=[Record(FeatureRow)],
    folds=[_SPAN],
    selection=_keys("selected", "trial"),
    calibration=[Record(MapRow)],
    history=_keys("fresh", "openings", trials=[_TRIAL]),
    costs=_keys("gross_usd", "items", "net_usd"),
    verdict=Record(Verdict, {"gates": [Record(Gate, {"checks": [Record(Check)]})]}),
)
"""What a report reads of run.json."""
_QUANTILES: Final = tuple(f"q{level:g}" for level in LEVELS)
_CLASSES: Final = tuple(f"p{k}" for k in range(N_CLASSES))
_ACCOUNTS: Final = ("selected", "baseline", "buy_and_hold", "net", "baseline_net", "hold_net")
TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "scores": ("model", "role", "horizon", "scope", "n", "metric", "value", "low", "high"),
    "forecast": (*KEYS, "horizon", "model", "version", "value", *_QUANTILES, *_CLASSES),
    "equity": ("ts", *_ACCOUNTS),
    "fills": (),
    "attribution": ("instrument", "gross_pnl_usd", "cost_proportional_usd", "cost_fixed_usd", "net_pnl_usd"),
    "seeds": ("seed", "pinball", "sharpe"),
    "calibration": ("model", "horizon", "stage", "metric", "value"),
    "reliability": ("stage", "kind", "promised", "happened", "low", "high", "n"),
}
"""What a report reads of the result tables."""


def require_written(result: RunResult) -> None:
    """Refuse a folder that lacks something that a report shows.

    Raises:
        DataError: what is lacking, which version wrote it, and how to make the run anew.
    """
    gaps = list(dict.fromkeys(_gaps(RUN, result.manifest, "")))
    if not gaps:
        gaps = list(_table_gaps(result))
    if gaps:
        raise DataError(
            "run.json",
            "everything that a report shows is there",
            rows=gaps,
            seen=f"a run of {written_by(result.manifest)}",
            fix=make_anew(result.folder, result.manifest),
        )


def written_by(manifest: Mapping[str, Any]) -> str:
    """Return version, commit and time of what wrote a run, as far as run.json tells."""
    facts = manifest.get("environment") or {}
    version = facts.get("versions", {}).get("karat", "of unknown version")
    commit = str(facts.get("git", {}).get("commit", "unknown"))[:12]
    finished = manifest.get("record", {}).get("finished", "")
    return f"karat {version}, commit {commit}" + (f", finished {finished}" if finished else "")


def make_anew(folder: Path, manifest: Mapping[str, Any]) -> str:
    """Return how a run is made anew by this version, and where the page lies that its own version wrote.

    A run.json that has lost its study is no study file: the file it was made from is run again.
    """
    whole = isinstance(manifest.get("config"), Mapping) and "run_id" in manifest
    study = folder / "run.json" if whole else "the study file it was made from (run.json has lost its config)"
    page = folder / "report.html"
    kept = f"; the page of that version is {page}" if page.is_file() else ""
    return f"make it anew with karat {karat.__version__}: karat run {study}{kept}"


def _gaps(shape: Shape, found: Any, path: str) -> Iterator[str]:
    if isinstance(shape, list):
        if not isinstance(found, list):
            yield f"{path} (no list)"
            return
        for row in found:
            yield from _gaps(shape[0], row, f"{path}[]")
    elif shape is not None:
        if not isinstance(found, Mapping):
            yield f"{path} (no keys)"
            return
        yield from _key_gaps(shape, found, f"{path}." if path else "")


def _key_gaps(shape: Mapping[str, Shape] | Record, found: Mapping[str, Any], path: str) -> Iterator[str]:
    inner = shape.inner if isinstance(shape, Record) else shape
    needed = [name for name, optional in shape.known.items() if not optional] if isinstance(shape, Record) else inner
    yield from (f"{path}{name}" for name in needed if name not in found)
    if isinstance(shape, Record):
        yield from (f"{path}{name} (unknown to this version)" for name in found if name not in shape.known)
    for name, below in inner.items():
        if name in found:
            yield from _gaps(below, found[name], f"{path}{name}")


def _table_gaps(result: RunResult) -> Iterator[str]:
    there = result.manifest["results"]
    for table, columns in TABLES.items():
        if table not in there:
            yield f"results/{table}"
            continue
        frame = result.frame(table)
        yield from (f"results/{table}.{name}" for name in columns if name not in frame.columns)
        if table == "scores" and "metric" in frame.columns:
            losses = {item.name for item in dataclasses.fields(ScoreRow)} - {*columns}
            yield from (f"results/scores.metric {name}" for name in sorted(losses ^ {*frame["metric"].to_list()}))
