"""`reproduce`: the whole run again from its sources, in a scratch workspace, compared hash by hash.

Invariants:
1. What stands in run.json and forward.json is compared with the ledger first: an edited configuration is named key by
   key, edited results, history or verdict by their section.
2. Stored results, cells and series of earlier trials are compared with their recorded hashes. Of these only the
   series are used: cells, features and results are made anew.
3. Equal means equal hashes of every cell's forecast, every result table and the verdict; versions are only reported.
4. The ledger gets one entry that says the run was reproduced; no trial, no opening.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from karat._words import counted
from karat.core import DataError, Ledger, content_hash, file_digests
from karat.study._cells import is_finished, read_forecast
from karat.study._context import Progress
from karat.study._entries import published_hashes
from karat.study._forward import standing
from karat.study._history import History, digest_in
from karat.study._manifest import provenance_facts
from karat.study._pipeline import run_study
from karat.study._plan import code_of
from karat.study._prepare import load_panel
from karat.study._publish import MAPS
from karat.study._result import RunResult
from karat.study._stored import is_intact
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
    """Run a recorded study again and compare; stops at the first stage that differs.

    Raises:
        InputError, DataError: the source cannot be loaded, or run.json is no record of a run.
    """
    rows: list[Comparison] = []
    for stage in (_recorded, _stored, _sources, _again):
        rows += stage(result, workspace, progress)
        if any(row.equal is False for row in rows):
            break
    outcome = Reproduction(result.run_id, tuple(rows))
    with Ledger.open(workspace.ledger, role="research") as ledger:
        differing = [row.what for row in rows if row.equal is False]
        ledger.append("reproduce", {"run_id": result.run_id, "equal": outcome.equal, "differing": differing})
    return outcome


def _recorded(result: RunResult, workspace: Workspace, _progress: Progress) -> Iterator[Comparison]:
    """Yield how run.json compares with what the ledger says of this run."""
    manifest, run_id = result.manifest, result.run_id
    with Ledger.open(workspace.ledger, role="research") as ledger:
        studies = [entry.payload["config"] for entry in ledger.entries("study") if entry.payload["run_id"] == run_id]
        verdicts = [entry.payload for entry in ledger.entries("verdict") if entry.payload["run_id"] == run_id]
        days = standing(ledger, run_id)
    if not studies or not verdicts:
        yield Comparison("run", "not in this ledger", run_id, False)
        return
    if result.forward is not None or days is not None:
        yield _row(
            "forward days", *(content_hash(None if it is None else it.to_dict()) for it in (days, result.forward))
        )
    found = manifest["config"]
    recorded = min(studies, key=lambda config: len(list(_differences(config, found))))
    for path, was, now in _differences(recorded, found):
        yield Comparison(f"configuration {path}", was, now, False)
    yield _row("configuration", content_hash(recorded), content_hash(found))
    hashes = published_hashes(manifest)
    known = max(verdicts, key=lambda payload: sum(payload[name] == digest for name, digest in hashes.items()))
    for name, digest in hashes.items():
        yield _row(f"run.json {name}", known[name], digest)


def _differences(was: Any, now: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for key in sorted({*was, *now}):
            yield from _differences(was.get(key), now.get(key), f"{path}.{key}" if path else str(key))
    elif was != now:
        yield path, repr(was), repr(now)


def _stored(result: RunResult, workspace: Workspace, _progress: Progress) -> Iterator[Comparison]:
    """Yield how the files beside run.json, the cells and the series of the family compare with their hashes."""
    for name, digest in result.manifest["results"].items():
        whole = is_intact(result.folder / "results" / f"{name}.parquet", digest)
        yield Comparison(f"stored results/{name}", digest[:16], digest[:16] if whole else "changed or missing", whole)
    for name, digest in result.manifest.get("maps", {}).items():
        path = result.folder / MAPS / name
        found = file_digests(path)[0] if path.is_file() else "missing"
        yield _row(f"stored {MAPS}/{name}", digest, found)
    there = {address: digest for address, digest in result.manifest["cells"].items()
             if is_finished(workspace.cells / address)}  # fmt: skip
    changed = [address for address, digest in there.items() if not _cell_intact(workspace, address, digest)]
    for address in changed:
        yield Comparison(f"stored cell {address}", there[address][:16], "changed", False)
    if not changed:
        total = len(result.manifest["cells"])
        same = True if len(there) == total else None
        yield Comparison("stored cells", f"{total}", f"{len(there)} present, all as recorded", same)
    for trial in History.from_dict(result.manifest["history"]).trials:
        if trial.series is not None and not is_intact(workspace.series / trial.series, digest_in(trial.series)):
            yield Comparison(f"series of trial {trial.id[:12]}", digest_in(trial.series), "changed or missing", False)


def _cell_intact(workspace: Workspace, address: str, digest: str) -> bool:
    try:
        read_forecast(workspace.cells / address, digest)
    except DataError:
        return False
    return True


def _sources(result: RunResult, _workspace: Workspace, _progress: Progress) -> Iterator[Comparison]:
    """Yield how data, plug-ins and code compare; of the code, versions are only reported."""
    config, recorded = result.study, result.manifest["data"]
    panel = load_panel(config)
    yield _row("data", recorded["content_hash"], panel.content_hash)
    facts = provenance_facts(panel.provenance)
    yield _row("data provenance", content_hash(recorded["provenance"]), content_hash(facts))
    was, now = result.manifest["code"], code_of(config)
    for key in ("sources", "machine"):
        same = True if was[key] == now[key] else None
        yield Comparison(key, str(was[key])[:16], str(now[key])[:16], same)
    for name in sorted({*was["versions"], *now["versions"]}):
        before, after = was["versions"].get(name, "absent"), now["versions"].get(name, "absent")
        if before != after:
            yield Comparison(f"version of {name}", before, after, None)
    for name, digest in was["plugins"].items():
        yield _row(f"plug-in {name}", digest, now["plugins"].get(name, "absent"))


def _again(result: RunResult, workspace: Workspace, progress: Progress) -> Iterator[Comparison]:
    """Yield how the results of a second run, in a scratch workspace, compare with the first."""
    manifest = result.manifest
    scratch = workspace.scratch / f"reproduce-{result.run_id}"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        place = Workspace.at(scratch)
        history = History.from_dict(manifest["history"])
        for trial in history.trials:
            if trial.series is not None:
                shutil.copy(workspace.series / trial.series, place.series / trial.series)
        command = f"karat reproduce {result.run_id}"
        fresh = run_study(result.study, place, progress=progress, resume=command, history=history).manifest
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    was, now = list(manifest["cells"].values()), list(fresh["cells"].values())
    yield _row(counted(len(was), "forecast"), content_hash(was), content_hash(now))
    for name, digest in manifest["results"].items():
        yield _row(f"results/{name}", digest, fresh["results"].get(name, "absent"))
    for name, digest in manifest.get("maps", {}).items():
        yield _row(f"{MAPS}/{name}", digest, fresh["maps"].get(name, "absent"))
    yield _row("verdict", content_hash(manifest["verdict"]), content_hash(fresh["verdict"]))


def _row(what: str, recorded: str, found: str) -> Comparison:
    return Comparison(what, recorded[:16], found[:16], recorded == found)
