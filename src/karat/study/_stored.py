"""Frames that karat wrote itself, read back only if they are what was written."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from karat.core import DataError, content_hash


def stored_frame(path: Path, digest: str, *, table: str, fix: str) -> pl.DataFrame:
    """Return a Parquet file's frame whose content hash begins with `digest`.

    Raises:
        DataError: no such file, not readable, or other content than was recorded.
    """
    try:
        frame = pl.read_parquet(path, hive_partitioning=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        why = str(error).splitlines()[0]
        raise DataError(table, "readable as it was written", rows=[path.name], seen=why, fix=fix) from None
    found = content_hash(frame)
    if not found.startswith(digest):
        seen = f"{found[:16]}, recorded {digest[:16]}"
        raise DataError(table, "content equals its recorded hash", rows=[path.name], seen=seen, fix=fix)
    return frame


def is_intact(path: Path, digest: str) -> bool:
    """Return whether `stored_frame` would give the frame."""
    try:
        stored_frame(path, digest, table=path.stem, fix="")
    except DataError:
        return False
    return True
