"""`reproduce`: the whole run again from its sources, in a scratch workspace, compared hash by hash.

Invariants:
1. The recorded configuration is compared with the ledger's copy first: an edited run.json is named key by key.
2. Nothing computed before is read but the family's recorded history: cells, features and results are made anew.
3. Equal means equal hashes of every cell's forecast, every result table and the verdict; versions are only reported.
4. The ledger gets one entry that says the run was reproduced; no trial, no opening.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from karat.core import Interrupted, Ledger, content_hash
from karat.study._config import StudyConfig
from karat.study._history import History
from karat.study._pipeline import Progress, run_study
from karat.study._plan import code_of
from karat.study._prepare import load_panel
from karat.study._result import RunResult
from karat.study._workspace import Workspace


@dataclass(frozen=True)
class Comparison:
    """One thing compared: `equal` is None where a difference does not decide."""

    what: str
    recorded: str
    found: str
    equal: bool | None


@dataclass(frozen=True)
class Reproduction:
    """Every comparison of one reproduction, in the order it was made."""

    run_id: str
    rows: tuple[Comparison, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing that decides differs."""
        return all(row.equal is not False for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return what `karat reproduce --json` prints."""
        return {"run_id": self.run_id, "equal": self.equal, "comparisons": [vars(row) for row in self.rows]}


def reproduce(result: RunResult, workspace: Workspace, *, progress: Progress) -> Reproduction:
    """Run a recorded study again and compare; stops at the first stage that differs."""
    manifest = result.manifest
    rows = list(_configuration(result, workspace))
    if all(row.equal for row in rows):
        config = StudyConfig.parse(manifest["config"], source=str(result.folder / "run.json"))
        panel, _ = load_panel(config)
        found = {"content": panel.content_hash, "provenance": content_hash(_provenance(panel.provenance))}
        recorded = manifest["data"]
        rows.append(_row("data", recorded["content_hash"], found["content"]))
        rows.append(_row("data provenance", content_hash(recorded["provenance"]), found["provenance"]))
        rows += list(_code(manifest, config))
        if all(row.equal is not False for row in rows):
            rows += _again(result, config, workspace, progress)
    outcome = Reproduction(result.run_id, tuple(rows))
    with Ledger.open(workspace.ledger, role="research") as ledger:
        differing = [row.what for row in rows if row.equal is False]
        ledger.append("reproduce", {"run_id": result.run_id, "equal": outcome.equal, "differing": differing})
    return outcome


def _configuration(result: RunResult, workspace: Workspace) -> Iterator[Comparison]:
    manifest = result.manifest
    with Ledger.open(workspace.ledger, role="research") as ledger:
        studies = [entry.payload for entry in ledger.entries("study") if entry.payload["run_id"] == result.run_id]
    if not studies:
        yield Comparison("configuration", "not in this ledger", manifest["config_hash"][:16], False)
        return
    recorded = min(
        (item["config"] for item in studies), key=lambda item: len(list(_differences(item, manifest["config"])))
    )
    for path, was, now in _differences(recorded, manifest["config"]):
        yield Comparison(f"configuration {path}", was, now, False)
    yield _row("configuration", content_hash(recorded), content_hash(manifest["config"]))


def _differences(was: Any, now: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for key in sorted({*was, *now}):
            yield from _differences(was.get(key), now.get(key), f"{path}.{key}" if path else str(key))
    elif was != now and path not in ("name", "description"):
        yield path, repr(was), repr(now)


def _code(manifest: Mapping[str, Any], config: StudyConfig) -> Iterator[Comparison]:
    """Yield what of the code differs: worth knowing, but only results decide."""
    recorded, found = manifest["code"], code_of(config)
    for key in ("sources", "machine"):
        equal = recorded[key] == found[key]
        yield Comparison(key, str(recorded[key])[:16], str(found[key])[:16], True if equal else None)
    for name in sorted({*recorded["versions"], *found["versions"]}):
        was, now = recorded["versions"].get(name, "absent"), found["versions"].get(name, "absent")
        if was != now:
            yield Comparison(f"version of {name}", was, now, None)
    for name, was in recorded["plugins"].items():
        yield _row(f"plug-in {name}", was, found["plugins"].get(name, "absent"))


def _again(result: RunResult, config: StudyConfig, workspace: Workspace, progress: Progress) -> list[Comparison]:
    manifest = result.manifest
    scratch = workspace.root / "scratch" / f"reproduce-{result.run_id}"
    shutil.rmtree(scratch, ignore_errors=True)
    place = Workspace.at(scratch)
    history = History.from_dict(manifest["history"])
    for trial in history.trials:
        if trial.series is not None:
            shutil.copy(workspace.series / trial.series, place.series / trial.series)
    command = f"karat reproduce {result.run_id}"
    try:
        fresh = run_study(config, place, progress=progress, resume=command, history=history).manifest
    except Interrupted:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    was, now = list(manifest["cells"].values()), list(fresh["cells"].values())
    rows = [_row(f"{len(was)} forecasts", content_hash(was), content_hash(now))]
    rows += [
        _row(f"results/{name}", digest, fresh["results"].get(name, "absent"))
        for name, digest in manifest["results"].items()
    ]
    rows.append(_row("verdict", content_hash(manifest["verdict"]), content_hash(fresh["verdict"])))
    shutil.rmtree(scratch, ignore_errors=True)
    return rows


def _row(what: str, recorded: str, found: str) -> Comparison:
    return Comparison(what, recorded[:16], found[:16], recorded == found)


def _provenance(provenance: Any) -> dict[str, Any]:
    return {**vars(provenance), "preprocessing": list(provenance.preprocessing)}
