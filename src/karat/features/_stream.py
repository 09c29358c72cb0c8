"""Features of data larger than memory: a few instruments at a time, from Parquet to Parquet.

Invariants:
1. The parts together hold the rows of the source, sorted by instrument and `ts`, and the values that `build` gives.
2. Memory is that of one chunk of instruments, whatever the number of chunks.
3. A part is written whole or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import polars as pl

from karat.core import DataError, InputError
from karat.data import KEYS, Panel, Provenance, check_file, check_folder
from karat.features._build import build
from karat.features._select import Selection, required_columns, served
from karat.features._spec import FeatureSpec


def build_files(
    source: Path | str,
    out: Path | str,
    selection: Selection,
    *,
    dtype: Literal["float32", "float64"] = "float64",
    chunk: int = 32,
    calendar: str = "XNYS",
) -> list[Path]:
    """Compute features of a Parquet file and write them as `part-0000.parquet` and so on into the folder `out`.

    source: a file with ts, known_at, instrument and value columns, rows of an instrument together or not. chunk: how
    many instruments are in memory at a time. Returns the parts, each with ts, known_at, instrument and one column a
    feature of the given type: those that the whole file can serve.

    Raises:
        InputError: no such file, a file where the folder should be, a folder with parts, an unknown type or name, a
            column is missing, or no feature can be served. DataError: the file is no Parquet, has no rows, or rows
            have no instrument.
    """
    if dtype not in ("float32", "float64"):
        raise InputError("dtype", dtype, allowed=["float32", "float64"])
    if not isinstance(chunk, int) or chunk < 1:
        raise InputError("chunk", chunk, allowed="instruments in memory at a time, 1 or more")
    folder, file = Path(out), Path(source)
    _check_file(file)
    check_folder(folder, "out")
    if there := sorted(path.name for path in folder.glob("part-*.parquet")):
        why = "it holds parts of an earlier build, which would be read with the new ones"
        raise InputError("out", str(folder), why=why, fix=f"delete {there[0]} and the like, or name another folder")
    specs, _ = resolve_file(file, selection)
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for number, panel in enumerate(_panels(file, specs, chunk, calendar)):
        made = build(panel, specs).frame
        if dtype == "float32":
            made = made.with_columns(pl.exclude(KEYS).cast(pl.Float32))
        path = folder / f"part-{number:04d}.parquet"
        draft = path.with_suffix(".draft")
        made.write_parquet(draft, compression="lz4", statistics=False)
        os.replace(draft, path)
        parts.append(path)
    return parts


def _check_file(file: Path) -> None:
    check_file(file, "source")
    try:
        pl.read_parquet_schema(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        why = str(error).splitlines()[0]
        raise DataError(file.name, "readable as Parquet", seen=why, fix="write the file again") from None


def resolve_file(source: Path | str, selection: Selection) -> tuple[tuple[FeatureSpec, ...], dict[str, str]]:
    """Return the features that a whole Parquet file can serve, and why others are absent, as `resolve` does of a panel.

    Raises:
        InputError: an unknown name, a column is missing, or no feature can be served. DataError: rows have no
            instrument.
    """
    file = Path(source)
    lazy = pl.scan_parquet(file)
    there = lazy.collect_schema().names()
    missing = [name for name in KEYS if name not in there]
    if missing:
        raise InputError("source", there, why=f"{missing[0]} is missing", allowed=list(KEYS))
    values = [name for name in there if name not in KEYS]
    read = [name for name in required_columns(selection) if name in values]
    some = [_has_values(name) for name in read]
    found = lazy.group_by("instrument").agg(some).collect(engine="streaming").sort("instrument")
    if found.is_empty():
        raise DataError(file.name, "holds rows", seen="none", fix="write the bars to it first")
    if found["instrument"].null_count():
        rule, fix = "every row has an instrument", "fill the column, or drop the rows"
        raise DataError(file.name, rule, seen="rows without one", fix=fix)
    empty = {name: where for name in read if (where := found.filter(~pl.col(name))["instrument"].to_list())}
    return served(selection, there=values, empty=empty, what=file.name)


def _has_values(column: str) -> pl.Expr:
    """Return whether a column has a value, volume one that is not zero."""
    values = pl.col(column).cast(pl.Float64)
    there = values.is_finite() & (values != 0.0) if column == "volume" else values.is_finite()
    return there.fill_null(False).any().alias(column)


def _panels(source: Path, specs: Selection, chunk: int, calendar: str) -> Iterator[Panel]:
    """Yield the panel of a few instruments at a time."""
    names = pl.scan_parquet(source).select(pl.col("instrument").unique()).collect()["instrument"].sort().to_list()
    provenance = Provenance(f"parquet:{source.name}", "a file of the user", "unknown")
    for begin in range(0, len(names), chunk):
        some = pl.col("instrument").is_in(names[begin : begin + chunk])
        rows = pl.scan_parquet(source).filter(some).select(*KEYS, *required_columns(specs)).collect()
        yield Panel(rows.sort("instrument", "ts"), calendar, provenance)
