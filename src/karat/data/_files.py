"""CSV and Parquet files as sources.

Invariants:
1. A file is read as it is; its name and SHA-256 go into the provenance.
2. Every file states its licence: as the parameter `licence` or in `FILE.provenance.json` beside it.
3. `path` is one file, or a mapping from instrument to file; several files must agree in their columns.
"""

from __future__ import annotations

import gzip
import json
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from karat.core import Config, DataError, InputError, file_digests, nearest
from karat.data._ingest import IngestOptions, ingest
from karat.data._joins import combine
from karat.data._panel import Panel, Provenance
from karat.data._source import Source

SIDECAR: Final = ".provenance.json"
_SEPARATORS: Final = "\t;|,"


class _Sidecar(Config):
    """What stands in `FILE.provenance.json`."""

    licence: str
    origin: str = ""


class _FileSource(Source):
    """What CSV and Parquet share: paths, licence, options."""

    def __init__(self, path: str | Path | Mapping[str, str], *, licence: str = "", **options: Any) -> None:
        if not isinstance(path, str | Path | Mapping):
            raise InputError("path", path, allowed="a file name; for several files, instrument: file name")
        self._paths = dict(path) if isinstance(path, Mapping) else {"": path}
        self._licence = licence
        self._options = IngestOptions.parse(options, source=self.name)

    @classmethod
    def parameters(cls) -> tuple[str, ...]:
        """Return path, licence and the shared options."""
        return ("path", "licence", *IngestOptions.model_fields)

    def load(self) -> Panel:
        """Return the panel of the file or files."""
        panels = [self._one(name, Path(path)) for name, path in self._paths.items()]
        return panels[0] if len(panels) == 1 else combine(panels)

    def _one(self, instrument: str, path: Path) -> Panel:
        check_file(path)
        options = self._options.model_copy(update={"instrument": instrument}) if instrument else self._options
        sha, _ = file_digests(path)
        licence, origin = self._stated(path)
        provenance = Provenance(self.name, f"{origin or path.name} sha256:{sha}", licence)
        return ingest(self._read(path), options, provenance, table=path.name)

    def _stated(self, path: Path) -> tuple[str, str]:
        """Return (licence, origin) of a file."""
        beside = path.with_name(path.name + SIDECAR)
        if not beside.is_file():
            if not self._licence.strip():
                fix = f"pass licence, e.g. licence='own data', or write {beside.name}"
                raise InputError("licence", self._licence, why="every dataset states its licence", fix=fix)
            return self._licence, ""
        try:
            values = json.loads(beside.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(beside.name, "unreadable", why=str(error), fix="write one JSON object") from None
        if not isinstance(values, dict):
            raise InputError(beside.name, values, allowed='an object, e.g. {"licence": "MIT", "origin": "…"}')
        sidecar = _Sidecar.parse(values, source=beside.name)
        return self._licence or sidecar.licence, sidecar.origin

    @abstractmethod
    def _read(self, path: Path) -> pl.DataFrame:
        """Return the raw table of one file."""


class CsvSource(_FileSource):
    """Text tables, plain or gzip; the separator (tab, semicolon, bar, comma) is seen from the first line."""

    name = "csv"

    def _read(self, path: Path) -> pl.DataFrame:
        opener = gzip.open if path.suffix == ".gz" else open
        try:
            with opener(path, "rt", encoding="utf-8-sig") as stream:
                first = stream.readline()
            separator = max(_SEPARATORS, key=first.count)
            frame = pl.read_csv(path, separator=separator, infer_schema=False)
            _check_header(frame.columns, path.name)
            return frame
        except pl.exceptions.NoDataError:
            raise DataError(
                path.name, "there are rows", seen="0 bytes", fix="the file is empty: write it again"
            ) from None
        except (pl.exceptions.ComputeError, UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
            why = str(error).splitlines()[0]
            fix = "every row needs as many cells as the header"
            if isinstance(error, UnicodeDecodeError) or "utf" in why.lower():
                fix = "write the file in UTF-8"
            raise DataError(path.name, "readable as CSV", seen=why, fix=fix) from None


def _check_header(names: list[str], table: str) -> None:
    """Refuse a header that names a column twice: the reader has given the second one a name of its own."""
    for name in names:
        first, again, _ = name.rpartition("_duplicated_")
        if again and first in names:
            fix = "rename or delete one of them"
            raise DataError(table, "each column once", seen=f"the column '{first}' twice", fix=fix)


class ParquetSource(_FileSource):
    """Parquet files; a file written from a panel's frame is taken as it is."""

    name = "parquet"

    def _read(self, path: Path) -> pl.DataFrame:
        try:
            return pl.read_parquet(path, hive_partitioning=False)
        except (pl.exceptions.ComputeError, OSError) as error:
            why = str(error).splitlines()[0]
            raise DataError(path.name, "readable as Parquet", seen=why, fix="write the file again") from None


def check_folder(path: Path, field: str) -> None:
    """Refuse a path at which no folder can be, since it or a part of it is a file; nothing has to be there.

    Raises:
        InputError: under `field`, with the part that is a file.
    """
    taken = next((part for part in (path, *path.parents) if part.exists() and not part.is_dir()), None)
    if taken is not None:
        raise InputError(
            field, str(path), why=f"{taken} is a file", allowed="a folder, which is made where there is none"
        )


def check_target(path: Path, field: str) -> None:
    """Refuse a path at which no file can be written, since it is a folder or a part of it is a file.

    Raises:
        InputError: under `field`.
    """
    if path.is_dir():
        raise InputError(
            field, str(path), why="it is a folder", allowed="a file", fix=f"name one, e.g. {path / 'out.parquet'}"
        )
    check_folder(path.parent, field)


def check_file(path: Path, field: str = "path") -> None:
    """Refuse a path that is no file.

    Raises:
        InputError: with the nearest file name, or what the folder holds.
    """
    if path.is_file():
        return
    if not path.parent.is_dir():
        raise InputError(
            field,
            str(path),
            why=f"there is no folder '{path.parent}'",
            fix="correct the path; it starts at the current folder",
        )
    if path.is_dir():
        raise InputError(field, str(path), why="it is a folder", fix="name a file in it")
    there = sorted(item.name for item in path.parent.iterdir() if item.is_file())
    guess = nearest(path.name, there)
    fix = (
        f"did you mean '{path.parent / guess}'?" if guess else f"the folder holds: {', '.join(there[:8]) or 'nothing'}"
    )
    raise InputError(field, str(path), why="there is no such file", fix=fix)
