"""Offline storage: rows of one definition and instrument, part by part, each with the moment it became known.

A row is a bar's ts, known_at, the inputs that its features read (`bar.close`, ...) and the features.

Invariants:
1. A part is written whole, under its final name in one rename; its name says how many rows come before it. Parts are
   merged when there are many: the first one then holds the rows of all, and the others go.
2. The rows of an instrument are those of its parts, in the order of storing; of equal `ts` the one with the highest
   `known_at` among those known is the value.
3. Writers of an instrument, threads or processes, wait for each other from reading its parts until its values are
   recorded. Where the file system has no locks, the second writer of a part is refused; nothing of the first is lost.
4. `panels.json` says of each panel, by its hash, how many rows there were once its values were stored: the latest of
   these rows are its values, whatever was stored since. It holds the last 512 panels of an instrument; one of more rows
   than there are is none of them.
"""

from __future__ import annotations

import importlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
import polars as pl

from karat.core import DataError, canonical_json
from karat.features.store._definition import Definition

TIMES = ("ts", "known_at")
BAR = "bar."
"""What the columns of the inputs begin with, so that no feature has their name."""
_NAMELESS = "%"  # which no name becomes
PANELS = 512
"""Panels of an instrument that are served without computing: those of two years of days. Earlier ones are forgotten."""
MOST_PARTS = 8
"""Files of an instrument: a bar a day would make hundreds, each of which takes as long to read as a year in one."""


class Offline:
    """The folder of one definition."""

    def __init__(self, root: Path, definition: Definition) -> None:
        self.folder, self.definition = root / definition.id[:32], definition
        self.columns = (*TIMES, *(f"{BAR}{name}" for name in definition.inputs), *definition.names)

    def instruments(self) -> tuple[str, ...]:
        """Return the instruments that have rows, sorted."""
        return tuple(sorted({_instrument(part.parent.name) for part in self.folder.glob("*/part-*.parquet")}))

    @contextmanager
    def writing(self, instrument: str) -> Iterator[None]:
        """Keep other writers of an instrument out, threads and processes, until the block ends."""
        place, fcntl = self._place(instrument), importlib.import_module("fcntl")  # as the ledger: POSIX only
        place.mkdir(parents=True, exist_ok=True)
        with (place / "lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)  # said, since a child that was forked meanwhile has the file open too

    def rows(self, instrument: str) -> pl.DataFrame:
        """Return ts, known_at and the features of every row that was ever stored, in the order of storing.

        Raises:
            DataError: as `whole`.
        """
        return self.whole(instrument).select(*TIMES, *self.definition.names)

    def whole(self, instrument: str, rows: int | None = None) -> pl.DataFrame:
        """Return every row that was ever stored, or the first so many, with all columns, in the order of storing.

        Raises:
            DataError: a part is broken or of another definition.
        """
        first = self._part(instrument, 0)
        while True:
            before, frames, end = _mark(first), [], 0
            try:
                while (path := self._part(instrument, end)).is_file() and (rows is None or end < rows):
                    frames.append(self._read(path))
                    end += len(frames[-1])
            except DataError:
                if _mark(first) == before:
                    raise
            if _mark(first) == before:  # else parts were merged while they were read
                break
        schema = dict.fromkeys(self.columns, pl.Float64) | dict.fromkeys(TIMES, pl.Int64)
        return pl.concat([pl.DataFrame(schema=schema), *frames]).head(end if rows is None else rows)

    def panels(self, instrument: str) -> dict[str, int]:
        """Return the panels whose values were stored: hash to number of rows, the latest last."""
        path = self._place(instrument) / "panels.json"
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}

    def record(self, instrument: str, panels: Mapping[str, int]) -> None:
        """Say of panels how many rows hold their values: the latest last."""
        _replace(self._place(instrument) / "panels.json", canonical_json([*panels.items()][-PANELS:]))

    def append(self, instrument: str, stored: pl.DataFrame, added: pl.DataFrame) -> pl.DataFrame:
        """Add rows with the columns of this definition to those that are stored; return all.

        Raises:
            DataError: another writer added the same part.
        """
        self._describe()
        rows = pl.concat([stored, added])
        if added.is_empty():
            return rows
        parts, path = self._parts(instrument), self._part(instrument, len(stored))
        partial = self._written(path, added)
        try:
            if not path.exists():  # else the rows that follow are another writer's
                for begin in [begin for begin in parts if begin > len(stored)]:  # what followed one that was deleted
                    parts.pop(begin).unlink()
            os.link(partial, path)
        except FileExistsError:
            rule, fix = "one writer of a store at a time", "run the other writer to its end, then this one again"
            raise DataError("store", rule, rows=[path.name], seen="a part of another writer", fix=fix) from None
        finally:
            partial.unlink(missing_ok=True)
        if len(parts) >= MOST_PARTS:
            first = self._part(instrument, 0)
            os.replace(self._written(first, rows), first)
            for begin, old in self._parts(instrument).items():
                if begin:
                    old.unlink()
        return rows

    def _written(self, path: Path, rows: pl.DataFrame) -> Path:
        partial = _partial(path)
        rows.write_parquet(partial, compression="lz4", statistics=False, metadata={"definition": self.definition.id})
        return partial

    def _describe(self) -> None:
        path = self.folder / "definition.json"
        if not path.is_file():
            features = [spec.describe() for spec in self.definition.specs]
            _replace(path, canonical_json({"id": self.definition.id, "features": features}))

    def _place(self, instrument: str) -> Path:
        return self.folder / _folder(instrument)

    def _part(self, instrument: str, begin: int) -> Path:
        return self._place(instrument) / f"part-{begin:010d}.parquet"

    def _parts(self, instrument: str) -> dict[int, Path]:
        """Return the parts by the number of rows before them."""
        return {int(path.stem[5:]): path for path in self._place(instrument).glob("part-*.parquet")}

    def _read(self, path: Path) -> pl.DataFrame:
        try:
            frame = pl.read_parquet(path)
            written = pl.read_parquet_metadata(path).get("definition")
        except (pl.exceptions.PolarsError, OSError) as error:
            fix = f"delete {path.parent} and store the instrument again"
            raise DataError(
                "store", "parts are as they were written", rows=[path.name], seen=str(error), fix=fix
            ) from None
        if written != self.definition.id or frame.columns != [*self.columns]:
            fix = f"delete {path.parent} and store the instrument again"
            raise DataError("store", "a part is of its folder's definition", rows=[path.name], seen=written, fix=fix)
        return frame


def _folder(instrument: str) -> str:
    """Return a name of a folder for any instrument: neither that of a folder above nor none."""
    dots = not instrument.strip(".")
    return (quote(instrument, safe="") if not dots else "%2E" * len(instrument)) or _NAMELESS


def _instrument(folder: str) -> str:
    return "" if folder == _NAMELESS else unquote(folder)


def latest(rows: pl.DataFrame, at_ns: int | None = None) -> pl.DataFrame:
    """Return one row a `ts`, ascending: of the rows known at a moment (None: ever) the one that became known last."""
    known = rows if at_ns is None else rows.filter(pl.col("known_at") <= at_ns)
    # a stable sort: of two rows that became known at once the later one stored is the correction
    return known.sort("ts", "known_at", maintain_order=True).unique("ts", keep="last", maintain_order=True)


def current_at(rows: pl.DataFrame, times: np.ndarray) -> np.ndarray:
    """Return (m,) the place in `rows` of the value to use at each time, -1 where nothing was known.

    It is the newest bar known then, in the version known then: a correction of an older bar does not replace it.
    """
    ts, known = rows["ts"].to_numpy(), rows["known_at"].to_numpy()
    order = np.lexsort((np.arange(len(ts)), ts, known))
    ahead = np.maximum.accumulate(ts[order]) if len(order) else ts
    newest = np.where(ts[order] >= ahead, np.arange(len(order)), -1)
    held = np.maximum.accumulate(newest) if len(order) else newest
    found = np.searchsorted(known[order], times, side="right") - 1
    if not len(order):
        return np.full(len(times), -1, dtype=np.int64)
    return np.where(found >= 0, order[held[np.maximum(found, 0)]], -1)


def _mark(path: Path) -> tuple[int, int, int] | None:
    """Return what tells a file from the one that takes its place, None where there is none."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    return facts.st_ino, facts.st_mtime_ns, facts.st_size


def _partial(path: Path) -> Path:
    """Return where a file is written before it has its name: another place for every writer."""
    return path.with_suffix(f".{secrets.token_hex(8)}.partial")


def _replace(path: Path, text: str) -> None:
    partial = _partial(path)
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
