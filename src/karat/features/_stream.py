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
from karat.features._select import Selection, chosen, missing_inputs, require_some, required_columns


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
    feature of the given type.

    Raises:
        InputError: no such file, a file where the folder should be, an unknown type or name, a column is missing, or
            no feature can be served. DataError: the file is no Parquet.
    """
    if dtype not in ("float32", "float64"):
        raise InputError("dtype", dtype, allowed=["float32", "float64"])
    folder, file = Path(out), Path(source)
    _check_file(file)
    check_folder(folder, "out")
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for number, panel in enumerate(_panels(file, selection, chunk, calendar)):
        made = build(panel, selection).frame
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


def _panels(source: Path, selection: Selection, chunk: int, calendar: str) -> Iterator[Panel]:
    """Yield the panel of a few instruments at a time."""
    lazy = pl.scan_parquet(source)
    there = lazy.collect_schema().names()
    missing = [name for name in KEYS if name not in there]
    if missing:
        raise InputError("source", there, why=f"{missing[0]} is missing", allowed=list(KEYS))
    names = lazy.select(pl.col("instrument").unique()).collect()["instrument"].sort()
    values = [name for name in there if name not in KEYS]
    specs = chosen(selection)
    require_some(selection, specs, absent=missing_inputs(specs, values), there=values, what=source.name)
    wanted = [name for name in required_columns(specs) if name in there]
    provenance = Provenance(f"parquet:{source.name}", "a file of the user", "unknown")
    for begin in range(0, len(names), chunk):
        some = names[begin : begin + chunk]
        rows = lazy.filter(pl.col("instrument").is_in(some.implode())).select(*KEYS, *wanted).collect()
        yield Panel(rows.sort("instrument", "ts"), calendar, provenance)
