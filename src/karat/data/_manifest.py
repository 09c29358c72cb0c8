"""The manifest of a catalog: its records and how they are written and read back.

Invariants:
1. An entry is sealed by the hash of its own fields: an edited one is seen.
2. The file is replaced in one step: a reader or a crash sees the old manifest or the new one, never a part.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

from karat.core import content_hash
from karat.data._panel import Provenance

MANIFEST: Final = "manifest.json"


@dataclass(frozen=True)
class CatalogEntry:
    """One dataset. `calendar` and `content` are empty for raw files that are no panels."""

    name: str
    version: int
    kind: str
    file: str
    sha256: str
    md5: str
    size_bytes: int
    rows: int
    first: str
    last: str
    content: str
    calendar: str
    source: str
    origin: str
    licence: str
    preprocessing: tuple[str, ...]
    prices: str
    notes: tuple[str, ...]

    @property
    def seal(self) -> str:
        """SHA-256 of all fields."""
        return content_hash(asdict(self))

    @property
    def provenance(self) -> Provenance:
        """Where the dataset came from."""
        return Provenance(self.source, self.origin, self.licence, self.preprocessing, self.prices)


@dataclass(frozen=True)
class CatalogProblem:
    """A stored thing that is not what was registered."""

    file: str
    rule: str
    expected: str
    seen: str

    def __str__(self) -> str:
        return f"{self.file}: {self.rule}: expected {self.expected}, seen {self.seen}"


def write_manifest(path: Path, entries: list[CatalogEntry]) -> None:
    """Replace the manifest, durably."""
    body = {"format": 1, "datasets": [{**asdict(item), "seal": item.seal} for item in entries]}
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as stream:
        json.dump(body, stream, indent=1, sort_keys=True, ensure_ascii=False)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(partial, path)


def read_manifest(path: Path) -> tuple[list[CatalogEntry], list[CatalogProblem]]:
    """Return the entries that are as they were written, and a problem for everything else."""
    try:
        items = json.loads(path.read_text(encoding="utf-8"))["datasets"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [], [CatalogProblem(MANIFEST, "readable", "a manifest of format 1", f"{type(error).__name__}: {error}")]
    entries, problems = [], []
    for number, item in enumerate(items):
        entry, seal = _entry(item)
        if entry is None or entry.seal != seal:
            seen = "unreadable" if entry is None else entry.seal
            problems.append(CatalogProblem(MANIFEST, f"seal of entry {number}", str(seal), seen))
        else:
            entries.append(entry)
    return entries, problems


def _entry(item: Any) -> tuple[CatalogEntry | None, object]:
    if not isinstance(item, dict):
        return None, None
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in item.items() if key != "seal"}
    try:
        return CatalogEntry(**cast(dict[str, Any], values)), item.get("seal")
    except TypeError:
        return None, item.get("seal")
