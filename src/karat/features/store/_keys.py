"""Keys: the times and instruments that `as_of` is asked for, refused where they can only be a mistake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from karat._words import counted
from karat.core import NS_PER_DAY, InputError, iso
from karat.data import extent
from karat.features.store._offline import current_at

PLACE: Final = "_place"
"""A column in which `as_of` notes the order of the keys."""


def times_of(keys: pl.DataFrame, answer: Sequence[str]) -> pl.Series:
    """Return the times of keys as Int64; refuse keys to which the columns of the answer cannot be joined."""
    if not isinstance(keys, pl.DataFrame):
        raise InputError("keys", type(keys).__name__, allowed="a Polars frame with columns time and instrument")
    if not {"time", "instrument"} <= set(keys.columns):
        raise InputError("keys", keys.columns, allowed="columns time and instrument")
    if not keys.schema["time"].is_integer():
        fix = "cast times, e.g. pl.col('time').dt.epoch('ns')"
        raise InputError("keys.time", str(keys.schema["time"]), allowed="Int64, UTC ns", fix=fix)
    if taken := [name for name in keys.columns if name in (*answer, PLACE)]:
        raise InputError("keys", taken, why="the answer has these columns too", fix="rename or drop them")
    if nulls := keys["time"].null_count():
        raise InputError(
            "keys.time", counted(nulls, "null"), allowed="a time in every row", fix="drop the rows without"
        )
    times = keys["time"].cast(pl.Int64, strict=False)  # never through a float, which holds 53 bits of 64
    if times.null_count():
        raise InputError("keys.time", keys["time"].max(), allowed="Int64, UTC ns")
    return times


def check_unit(times: pl.Series, rows: dict[str, pl.DataFrame]) -> None:
    """Refuse times that all lie so long before anything was known that they are in another unit."""
    begins = [extent(each["known_at"])[0] for each in rows.values()]
    if begins and extent(times)[1] < min(begins) - 3_653 * NS_PER_DAY:
        why = f"all of it lies more than 10 years before {iso(min(begins))}, when the first bar became known"
        fix = "cast times, e.g. pl.col('time').dt.epoch('ns')"
        raise InputError("keys.time", extent(times)[1], why=why, allowed="Int64, UTC ns", fix=fix)


def joined(keys: pl.DataFrame, times: pl.Series, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the keys of an instrument with what was known of it at each time, null where nothing was."""
    place = current_at(rows, times.to_numpy())
    if rows.is_empty():
        found = pl.DataFrame({name: pl.Series([None] * len(keys), dtype=kind) for name, kind in rows.schema.items()})
    else:
        found = rows[np.maximum(place, 0).tolist()]
    known = pl.Series(place >= 0)
    found = found.select(pl.when(known).then(pl.col(column)).alias(column) for column in found.columns)
    return pl.concat([keys, found], how="horizontal")
