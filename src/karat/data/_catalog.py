"""The catalog: every dataset that was used, by content, with where it came from and under which licence.

    root/manifest.json      one entry a dataset: hashes, rows, range, provenance, licence
    root/raw                files as they were received
    root/processed          panels, as Parquet, named by content hash
    root/samples            small panels for tests and demonstrations

Invariants:
1. Content-addressed: the same content under the same name is one entry; other content under that name is a new
   version, and no entry or file is ever altered or removed.
2. Every entry has SHA-256 and MD5 of its bytes, the row count, and a provenance with a licence.
3. `get` hands out nothing whose bytes or content differ from the manifest; `verify` names every file that differs.
4. An entry carries the hash of its own fields, so an edited manifest is found too.

One process writes a catalog at a time; any number may read.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Final

import polars as pl

from karat.core import DataError, InputError, file_digests, iso, short_id
from karat.data._lake import select
from karat.data._manifest import MANIFEST, CatalogEntry, CatalogProblem, read_manifest, write_manifest
from karat.data._panel import Panel, Provenance, extent

FOLDERS: Final = ("raw", "processed", "samples")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


def scaffold(root: str | Path) -> Path:
    """Create the standard folders raw, processed and samples with an empty manifest; what exists is left alone."""
    base = Path(root)
    for name in FOLDERS:
        (base / name).mkdir(parents=True, exist_ok=True)
    if not (base / MANIFEST).exists():
        write_manifest(base / MANIFEST, [])
    return base


class Catalog:
    """Datasets of one folder, registered for good."""

    def __init__(self, root: str | Path) -> None:
        self.root = scaffold(root)

    def entries(self) -> tuple[CatalogEntry, ...]:
        """Return all entries in the order of their registration.

        Raises:
            DataError: the manifest was edited.
        """
        entries, problems = read_manifest(self.root / MANIFEST)
        if problems:
            rows = [str(problem) for problem in problems]
            fix = "restore the manifest from a copy"
            raise DataError(MANIFEST, "entries are as written", seen=problems[0].seen, rows=rows, fix=fix)
        return tuple(entries)

    def add(self, panel: Panel, name: str, *, kind: str = "processed") -> CatalogEntry:
        """Store a panel under a name and return its entry; the same content again returns the entry there is."""
        _check(name, kind)
        known = [item for item in self.entries() if item.name == name]
        for item in known:
            if item.content == panel.content_hash:
                return item
        file = f"{kind}/{short_id(panel.content_hash)}.parquet"
        target = self.root / file
        if not target.exists():
            partial = target.with_suffix(".partial")
            panel.frame.write_parquet(partial)
            os.replace(partial, target)
        return self._register(name, len(known) + 1, file, panel)

    def add_file(self, path: str | Path, name: str, provenance: Provenance) -> CatalogEntry:
        """Copy a file as received into raw/ and return its entry."""
        _check(name, "raw")
        source = Path(path)
        if not source.is_file():
            raise InputError("path", str(path), why="there is no such file", fix="correct the path")
        sha, _ = file_digests(source)
        known = [item for item in self.entries() if item.name == name]
        for item in known:
            if item.sha256 == sha:
                return item
        file = f"raw/{short_id(sha)}{''.join(source.suffixes)}"
        if not (self.root / file).exists():
            partial = self.root / f"{file}.partial"
            shutil.copyfile(source, partial)
            os.replace(partial, self.root / file)
        return self._register(name, len(known) + 1, file, provenance)

    def find(self, key: str) -> CatalogEntry:
        """Return the entry of a name (newest version), `name@version`, or content hash (at least 8 digits).

        Raises:
            InputError: nothing of that name or hash.
        """
        entries = self.entries()
        for item in reversed(entries):
            full = item.content or item.sha256
            if key in (item.name, f"{item.name}@{item.version}") or (len(key) >= 8 and full.startswith(key)):
                return item
        raise InputError("dataset", key, why="it is not in the catalog", allowed=[item.name for item in entries])

    def get(self, key: str) -> Panel:
        """Return the panel of a name or hash, checked against the manifest.

        Raises:
            InputError: unknown, or a raw file.
            DataError: the stored bytes or their content are not what was registered.
        """
        entry = self.find(key)
        if not entry.content:
            raise InputError(
                "dataset", key, why="it is a raw file, not a panel", fix=f"load('csv', path='{entry.file}')"
            )
        problems = list(_check_bytes(self.root, entry))
        if not problems:
            panel = _panel(self.root, entry)
            if panel.content_hash == entry.content:
                return panel
            problems = [CatalogProblem(entry.file, "content hash", entry.content, panel.content_hash)]
        fix = "restore the file from a copy, or add the dataset under a new name"
        rows = [str(problem) for problem in problems]
        raise DataError(entry.file, "stored as registered", seen=problems[0].seen, rows=rows, fix=fix)

    def verify(self) -> list[CatalogProblem]:
        """Return every difference between the manifest and what is stored; an empty list means none."""
        entries, problems = read_manifest(self.root / MANIFEST)
        for entry in entries:
            found = list(_check_bytes(self.root, entry))
            problems += found
            if entry.content and not found:
                seen = _panel(self.root, entry).content_hash
                if seen != entry.content:
                    problems.append(CatalogProblem(entry.file, "content hash", entry.content, seen))
        return problems

    def sql(self, query: str) -> pl.DataFrame:
        """Return the result of one SELECT over the panels, each a table of its name (newest version), by DuckDB.

        Raises:
            MissingExtraError: without the extra `lake`.
            InputError: anything but one SELECT, or a query that DuckDB refuses.
        """
        files = {item.name: self.root / item.file for item in self.entries() if item.content}
        return select(files, query)

    def _register(self, name: str, version: int, file: str, what: Panel | Provenance) -> CatalogEntry:
        sha, md5 = file_digests(self.root / file)
        panel = what if isinstance(what, Panel) else None
        ts = panel.frame["ts"] if panel else pl.Series(dtype=pl.Int64)
        first, last = map(iso, extent(ts)) if len(ts) else ("", "")
        entry = CatalogEntry(
            name=name,
            version=version,
            kind=file.partition("/")[0],
            file=file,
            sha256=sha,
            md5=md5,
            size_bytes=(self.root / file).stat().st_size,
            rows=len(ts),
            first=first,
            last=last,
            content=panel.content_hash if panel else "",
            calendar=panel.calendar if panel else "",
            notes=panel.notes if panel else (),
            **vars(panel.provenance if panel else what),
        )
        write_manifest(self.root / MANIFEST, [*self.entries(), entry])
        return entry


def _check(name: str, kind: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise InputError("name", name, allowed="a to z, 0 to 9 and _, starting with a letter")
    if kind not in FOLDERS:
        raise InputError("kind", kind, allowed=FOLDERS)


def _panel(root: Path, entry: CatalogEntry) -> Panel:
    frame = pl.read_parquet(root / entry.file, hive_partitioning=False)
    return Panel(frame, entry.calendar, entry.provenance, entry.notes)


def _check_bytes(root: Path, entry: CatalogEntry) -> list[CatalogProblem]:
    path = root / entry.file
    if not path.is_file():
        return [CatalogProblem(entry.file, "file exists", entry.sha256, "no file")]
    sha, md5 = file_digests(path)
    pairs = (("SHA-256", entry.sha256, sha), ("MD5", entry.md5, md5))
    return [CatalogProblem(entry.file, rule, want, seen) for rule, want, seen in pairs if want != seen]
