"""Event streams on disk: a folder of Parquet chunks and a manifest, read chunk by chunk in bounded memory.

    folder/events.json           declarations, metadata, and for each chunk its file, rows, first and last ts, SHA-256
    folder/chunk-00000.parquet   the columns of `Events`, as they are

Invariants:
1. A chunk is checked like any events, and against the chunks before it: time, order at one instant, `known_at`, bars.
2. One chunk is in memory at a time; a chunk that was handed out is the caller's.
3. A folder becomes readable when it is complete: the manifest is written last, and never over another one.
4. Reading with `verify=True` compares every file with its SHA-256.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from karat._words import counted
from karat.core import DataError, InputError, content_hash, file_digests
from karat.data._event_rules import order_state
from karat.data._events import COLUMNS, OPTIONAL, TYPES, Events
from karat.data._instruments import Instrument

MANIFEST: Final = "events.json"
CHUNK_ROWS: Final = 1_000_000
_DECLARED: Final = ("instruments", "basis", "price_quanta", "lot_quanta", "locked")
_DECIMALS: Final = ("tick", "lot", "multiplier")


def write_events(path: str | Path, events: Events | Iterable[Events], *, chunk_rows: int = CHUNK_ROWS) -> EventChunks:
    """Write a stream, or an iterable of its pieces in order, as a folder of chunks; return its reader.

    Raises:
        InputError: a folder that holds a stream already, no piece, or pieces that declare different things.
        DataError: a piece that does not follow the one before.
    """
    root = Path(path)
    if chunk_rows < 1:
        raise InputError("chunk_rows", chunk_rows, allowed="1 or more")
    if (root / MANIFEST).exists():
        raise InputError("path", str(path), why="it holds a stream already", fix="choose another folder, or remove it")
    root.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any] | None = None
    state = np.zeros(0, np.int64)
    chunks: list[dict[str, Any]] = []
    for piece in [events] if isinstance(events, Events) else events:
        if facts is None:
            facts, state = _facts(piece), order_state(piece.basis)
        elif content_hash(_facts(piece)) != content_hash(facts):
            raise InputError(
                "events", "a piece", why="its declarations differ from the first one's", fix="make them equal"
            )
        for first in range(0, len(piece), chunk_rows):
            part = piece.slice(first, first + chunk_rows)
            _again(part, facts, state)
            chunks.append(_write_chunk(root, len(chunks), part))
    if facts is None:
        raise InputError("events", "no piece", allowed="one or more")
    _write_manifest(root, facts, chunks)
    return EventChunks(root)


class EventChunks:
    """The chunks of a stored stream, in order; iterating again starts again.

    start_ns, end_ns: only rows with start_ns <= ts < end_ns, reading only the chunks that hold some.

    Raises:
        InputError: a folder without a stream. DataError: a file that is not what was written, a row that breaks a rule.
    """

    def __init__(
        self, path: str | Path, *, start_ns: int | None = None, end_ns: int | None = None, verify: bool = False
    ) -> None:
        self.root = Path(path)
        if not (self.root / MANIFEST).is_file():
            why, fix = f"there is no {MANIFEST} in it", "write it with write_events"
            raise InputError("path", str(path), why=why, fix=fix)
        try:
            facts = json.loads((self.root / MANIFEST).read_text(encoding="utf-8"))
            self._facts = _from_json(facts)
            self.metadata: dict[str, Any] = facts["metadata"]
            self._all: list[dict[str, Any]] = facts["chunks"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(MANIFEST, "readable", seen=str(error), fix="write the stream again") from None
        self._start, self._end, self._verify = start_ns, end_ns, verify

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The instruments of the stream."""
        found: tuple[Instrument, ...] = self._facts["instruments"]
        return found

    @property
    def rows(self) -> int:
        """Rows in the folder, whatever the range."""
        return sum(int(chunk["rows"]) for chunk in self._all)

    def __len__(self) -> int:
        return len(self._wanted())

    def __iter__(self) -> Iterator[Events]:
        state = order_state(self._facts["basis"])
        for chunk in self._wanted():
            events = self._read(chunk, state)
            if self._start is not None or self._end is not None:
                low = self._start if self._start is not None else int(chunk["first"])
                events = events.between(low, self._end if self._end is not None else int(chunk["last"]) + 1)
            yield events

    def read(self) -> Events:
        """Return all rows of the range at once, checked as one stream.

        Raises:
            InputError: a range without rows.
        """
        parts = [part for part in self if len(part)]
        if not parts:
            raise InputError("start_ns", self._start, why="there are no rows in the range", allowed=self._span())
        columns = {name: _stacked(name, parts) for name in COLUMNS}
        return Events(**columns, **self._facts, metadata=self.metadata)

    def _wanted(self) -> list[dict[str, Any]]:
        low = -(2**63) if self._start is None else self._start
        high = 2**63 if self._end is None else self._end
        return [chunk for chunk in self._all if chunk["last"] >= low and chunk["first"] < high]

    def _span(self) -> str:
        return f"{self._all[0]['first']} to {self._all[-1]['last']}" if self._all else "nothing: the stream is empty"

    def _read(self, chunk: dict[str, Any], state: Any) -> Events:
        path = self.root / str(chunk["file"])
        if not path.is_file():
            raise DataError(path.name, "file exists", seen="no file", fix="restore the file, or write the stream again")
        if self._verify and file_digests(path)[0] != chunk["sha256"]:
            raise DataError(path.name, "stored as written", seen="another SHA-256", fix="restore the file from a copy")
        try:
            frame = pl.read_parquet(path, hive_partitioning=False, memory_map=False)
        except (pl.exceptions.ComputeError, OSError) as error:
            seen = str(error).splitlines()[0]
            raise DataError(path.name, "readable as Parquet", seen=seen, fix="restore the file from a copy") from None
        if len(frame) != chunk["rows"]:
            fix = "restore the file from a copy"
            raise DataError(path.name, counted(chunk["rows"], "row"), seen=counted(len(frame), "row"), fix=fix)
        columns: dict[str, Any] = {name: frame[name].to_numpy() for name in COLUMNS if name in frame.columns}
        return Events(**columns, **self._facts, metadata=self.metadata, after=state)


def _again(part: Events, facts: dict[str, Any], state: Any) -> None:
    """Check a piece against what was written before it."""
    columns = {name: getattr(part, name) for name in COLUMNS}
    declared = {name: facts[name] for name in _DECLARED}
    Events(**columns, **declared, after=state)


def _stacked(name: str, parts: list[Events]) -> Any:
    """Return one column of all chunks; a chunk may lack a column that another one has."""
    columns = [getattr(part, name) for part in parts]
    if name in OPTIONAL and all(column is None for column in columns):
        return None
    kind = TYPES.get(name, np.int64)
    filled = [np.zeros(len(part), kind) if column is None else column for part, column in zip(parts, columns)]
    return np.concatenate(filled)


def _facts(events: Events) -> dict[str, Any]:
    return {**{name: getattr(events, name) for name in _DECLARED}, "metadata": events.metadata}


def _write_chunk(root: Path, number: int, part: Events) -> dict[str, Any]:
    path = root / f"chunk-{number:05d}.parquet"
    part.to_frame().write_parquet(path, compression="lz4", statistics=False)
    sha, _ = file_digests(path)
    first, last = int(part.ts[0]), int(part.ts[-1])
    return {"file": path.name, "rows": len(part), "first": first, "last": last, "sha256": sha}


def _write_manifest(root: Path, facts: dict[str, Any], chunks: list[dict[str, Any]]) -> None:
    values = {
        "instruments": [
            {**vars(item), **{key: str(getattr(item, key)) for key in _DECIMALS}} for item in facts["instruments"]
        ],
        "basis": facts["basis"],
        "price_quanta": [str(value) for value in facts["price_quanta"]],
        "lot_quanta": [str(value) for value in facts["lot_quanta"]],
        "locked": facts["locked"],
        "metadata": _plain(facts["metadata"]),
        "chunks": chunks,
    }
    partial = root / f"{MANIFEST}.partial"
    partial.write_text(json.dumps(values, indent=1), encoding="utf-8")
    os.replace(partial, root / MANIFEST)


def _plain(value: Any) -> Any:
    """Return metadata as JSON has it: records as mappings, what JSON lacks as text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return _plain(vars(value))
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _from_json(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the declarations of a manifest."""
    members = [{**item, **{key: Decimal(item[key]) for key in _DECIMALS}} for item in facts["instruments"]]
    return {
        "instruments": tuple(Instrument(**item) for item in members),
        "basis": tuple(facts["basis"]),
        "price_quanta": tuple(Decimal(text) for text in facts["price_quanta"]),
        "lot_quanta": tuple(Decimal(text) for text in facts["lot_quanta"]),
        "locked": facts["locked"],
    }
