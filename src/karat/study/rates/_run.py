"""Worlds and campaigns on the executor of a study: in parallel, kept when finished, never made twice.

Invariants:
1. Worlds are dealt out over the kinds in turn: more worlds keep the first ones, and every kind gets its share.
2. A result is addressed by all that decides it, karat's sources included; the order of completion reaches nothing.
3. Ctrl-C ends with `Interrupted`, which says how to go on; what is finished stays finished.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from karat.core import InputError, Interrupted, content_hash, derive_seed
from karat.study._config import StudyConfig, read_record
from karat.study._context import Progress
from karat.study._environment import code_identity
from karat.study._executor import make_executor
from karat.study._workspace import Workspace
from karat.study.rates._campaign import run_campaign
from karat.study.rates._config import CalibrationConfig, CampaignConfig, Kind, Whole
from karat.study.rates._play import play
from karat.study.rates._whole import read_whole, run_whole
from karat.study.rates._worlds import make_world


@dataclass(frozen=True)
class Calibration:
    """A calibration's file, read, with the whole studies that it names."""

    config: CalibrationConfig
    studies: Mapping[str, StudyConfig] = field(default_factory=dict)

    def only(self, names: Sequence[str]) -> tuple[Kind, ...]:
        """Return the kinds of the given names, or of the groups no_edge, planted and whole; all without a name.

        Raises:
            InputError: a name that is neither.
        """
        groups: dict[str, tuple[Kind, ...]] = {
            "no_edge": self.config.no_edge,
            "planted": self.config.planted,
            "whole": self.config.whole,
        }
        single: dict[str, tuple[Kind, ...]] = {kind.name: (kind,) for kind in self.config.kinds}
        known = groups | single
        for name in names:
            if name not in known:
                raise InputError("kinds", name, allowed=list(known))
        wanted = {kind.name for name in names for kind in known[name]}
        return tuple(kind for kind in self.config.kinds if kind.name in wanted or not names)


@dataclass(frozen=True)
class WorldTask:
    """One world to be made and judged. study: of a whole one, else None. scratch: a folder for what it leaves."""

    config: CalibrationConfig
    kind: Kind
    number: int
    seed: int
    study: StudyConfig | None
    scratch: str

    def run(self) -> dict[str, Any]:
        """Return what was found."""
        if isinstance(self.kind, Whole):
            assert self.study is not None
            return run_whole(self.study, self.seed, self.scratch)
        return play(make_world(self.config, self.kind, self.number), self.config.verdict, self.seed)


@dataclass(frozen=True)
class CampaignTask:
    """One campaign of an automated researcher."""

    config: CalibrationConfig
    kind: CampaignConfig
    number: int

    def run(self) -> dict[str, Any]:
        """Return what was found."""
        return run_campaign(self.config, self.kind, self.number)


Task = WorldTask | CampaignTask


def read_calibration(path: str | Path) -> Calibration:
    """Read and validate the file of a calibration and the studies that it names.

    Raises:
        InputError: no such file, not YAML, a repeated key. ConfigError: every problem of the content at once.
    """
    config = read_record(path, CalibrationConfig)
    return Calibration(config, {kind.name: read_whole(kind, Path(path).parent) for kind in config.whole})


def run_worlds(
    given: Calibration,
    workspace: Workspace,
    *,
    worlds: int,
    kinds: Sequence[str] = (),
    progress: Progress,
    resume: str = "karat calibrate",
) -> list[dict[str, Any]]:
    """Return one line per world, by kind and number: kind, number, and what the verdict said.

    worlds: how many in all, dealt out over the kinds in turn. kinds: names of kinds or groups; all without one.

    Raises:
        InputError: an unknown kind. Interrupted: stopped by the user, says how to go on.
    """
    chosen = given.only(kinds)
    if not chosen:
        return []
    tasks = [_world(given, chosen[k % len(chosen)], k // len(chosen), workspace) for k in range(worlds)]
    return _finish(given.config, tasks, workspace, _named(progress, "worlds"), resume)


def run_campaigns(
    given: Calibration, workspace: Workspace, *, campaigns: int, progress: Progress, resume: str = "karat calibrate"
) -> list[dict[str, Any]]:
    """Return one line per campaign, so many of each kind of the file.

    Raises:
        Interrupted: stopped by the user, says how to go on.
    """
    tasks = [CampaignTask(given.config, kind, n) for n in range(campaigns) for kind in given.config.campaigns]
    return _finish(given.config, tasks, workspace, _named(progress, "campaigns"), resume)


def read_finished(
    given: Calibration, workspace: Workspace, *, kinds: Sequence[str] = ()
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the lines of worlds and of campaigns that a workspace has, whatever commands made them; makes nothing.

    Of each kind those numbered from 0 to the first one missing: of worlds that were stopped together the quick ones
    are finished first, and must not be counted without the slow ones. kinds: as in `run_worlds`; with a name no
    campaigns.

    Raises:
        InputError: an unknown kind.
    """
    code = content_hash(code_identity(()))
    worlds = [line for kind in given.only(kinds) for line in _stored(given, kind, workspace, code)]
    campaigns = () if kinds else given.config.campaigns
    return worlds, [line for kind in campaigns for line in _stored(given, kind, workspace, code)]


def _stored(
    given: Calibration, kind: Kind | CampaignConfig, workspace: Workspace, code: str
) -> Iterator[dict[str, Any]]:
    for number in count():
        task: Task = (
            CampaignTask(given.config, kind, number)
            if isinstance(kind, CampaignConfig)
            else _world(given, kind, number, workspace)
        )
        facts = _read(_place(given.config, task, workspace, code))
        if facts is None:
            return
        yield {"kind": kind.name, "number": number, **facts}


def run_task(task: Task) -> dict[str, Any]:
    """Run one task; the function that executors call."""
    return task.run()


def _world(given: Calibration, kind: Kind, number: int, workspace: Workspace) -> WorldTask:
    study = given.studies.get(kind.name)
    address = content_hash(_identity(given.config, kind, study))
    seed = derive_seed(given.config.seed, "rates", "judge", address, number)
    return WorldTask(given.config, kind, number, seed, study, str(workspace.scratch))


def _identity(config: CalibrationConfig, kind: Kind | CampaignConfig, study: StudyConfig | None) -> dict[str, Any]:
    return config.identity(kind) | ({"study": study.identity()} if study else {})


def _finish(
    config: CalibrationConfig,
    tasks: Sequence[Task],
    workspace: Workspace,
    progress: Callable[[int, int], None],
    resume: str,
) -> list[dict[str, Any]]:
    if not tasks:
        return []
    progress(0, len(tasks))
    code, found = content_hash(code_identity(())), {}
    places = [_place(config, task, workspace, code) for task in tasks]
    missing = {}
    for place, task in zip(places, tasks, strict=True):
        kept = _read(place)
        if kept is None:
            missing[task.kind.name, task.number] = place
        else:
            found[task.kind.name, task.number] = kept
    progress(len(found), len(tasks))
    executor = make_executor(config.executor)
    try:
        for task, facts in executor.map(run_task, [t for t in tasks if (t.kind.name, t.number) in missing]):
            key = task.kind.name, task.number
            _write(missing[key], facts)
            found[key] = facts
            progress(len(found), len(tasks))
    except KeyboardInterrupt:
        raise Interrupted(resume) from None
    finally:
        executor.close()
    order = {task.kind.name: None for task in tasks}
    keys = sorted(found, key=lambda key: (list(order).index(key[0]), key[1]))
    return [{"kind": name, "number": number, **found[name, number]} for name, number in keys]


def _place(config: CalibrationConfig, task: Task, workspace: Workspace, code: str) -> Path:
    study = task.study if isinstance(task, WorldTask) else None
    address = content_hash([_identity(config, task.kind, study), task.number, code])[:40]
    return workspace.worlds / f"{address}.json"


def _read(place: Path) -> dict[str, Any] | None:
    """Return a finished result, or None where there is none or it was cut short."""
    try:
        facts = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None


def _write(place: Path, facts: Mapping[str, Any]) -> None:
    partial = place.with_suffix(".partial")
    partial.write_text(json.dumps(facts, sort_keys=True), encoding="utf-8")
    partial.replace(place)


def _named(progress: Progress, stage: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(stage, done, total)
