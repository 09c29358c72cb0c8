"""In-memory tables as a source: Polars, pandas, Arrow, or a mapping of columns.

Invariants:
1. The caller's frame is never changed.
2. pandas and Arrow are read through what they offer; neither is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from karat.core import InputError
from karat.data._ingest import IngestOptions, ingest
from karat.data._panel import Panel, Provenance
from karat.data._source import Source

_ACCEPTED: Final = "a Polars, pandas or Arrow table, or a mapping of columns"


class FrameSource(Source):
    """A table that is already in memory."""

    name = "frame"

    def __init__(self, frame: Any, *, licence: str = "", origin: str = "in memory", **options: Any) -> None:
        if not licence.strip():
            fix = "pass licence, e.g. licence='own data'"
            raise InputError("licence", licence, why="every dataset states its licence", fix=fix)
        self._frame, self._provenance = frame, Provenance("frame", origin, licence)
        self._options = IngestOptions.parse(options, source=self.name)

    @classmethod
    def parameters(cls) -> tuple[str, ...]:
        """Return frame, licence, origin and the shared options."""
        return ("frame", "licence", "origin", *IngestOptions.model_fields)

    def load(self) -> Panel:
        """Return the panel of the table."""
        return ingest(to_polars(self._frame), self._options, self._provenance, table="frame")


def to_polars(frame: Any) -> pl.DataFrame:
    """Return any accepted table as a Polars frame.

    A pandas index that has a name or holds times becomes a column; an unnamed one is called `ts`.

    Raises:
        InputError: a type that is no table.
    """
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    if isinstance(frame, pl.DataFrame):
        return frame
    if type(frame).__module__.partition(".")[0] == "pandas" and hasattr(frame, "reset_index"):
        return _from_pandas(frame)
    if hasattr(frame, "__arrow_c_stream__") or isinstance(frame, Mapping):
        try:
            return pl.DataFrame(frame)
        except (pl.exceptions.PolarsError, TypeError) as error:
            seen = str(error).splitlines()[0]
            raise InputError("frame", seen, allowed="columns of one length, each of one type") from None
    raise InputError("frame", type(frame).__name__, allowed=_ACCEPTED)


def _from_pandas(frame: Any) -> pl.DataFrame:
    if getattr(frame, "columns", None) is None or frame.columns.nlevels > 1:
        raise InputError("frame.columns", "no single row of column names", allowed="one level", fix="flatten them")
    named = any(name is not None for name in frame.index.names)
    if named or frame.index.dtype.kind == "M" or hasattr(frame.index, "tz"):
        frame = (frame if named else frame.rename_axis("ts")).reset_index()
    return pl.DataFrame([_from_column(str(name), frame[name]) for name in frame.columns])


def _from_column(name: str, column: Any) -> pl.Series:
    zone = getattr(column.dtype, "tz", None)
    if zone is not None:
        utc = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[ns]")
        return pl.Series(name, utc).dt.replace_time_zone("UTC").dt.convert_time_zone(str(zone))
    if column.dtype.kind == "M":
        return pl.Series(name, column.to_numpy("datetime64[ns]"))
    if column.dtype.kind in "iu" and not column.hasnans:
        return pl.Series(name, column.to_numpy("int64"))
    if column.dtype.kind in "iufb":
        return pl.Series(name, column.to_numpy("float64", na_value=float("nan")))
    absent = column.isna().tolist()
    return pl.Series(name, [None if gone else str(item) for item, gone in zip(column.tolist(), absent)], pl.String)
