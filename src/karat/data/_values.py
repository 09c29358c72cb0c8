"""The value columns of a foreign table: numbers, holes, adjusted prices.

Invariants:
1. A column of words is left out and said; a word in a price column, or an infinite number, stops the load.
2. What a hole does is the caller's choice: error, drop the row, or keep it as NaN.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from karat._words import counted
from karat.core import DataError, InputError, iso
from karat.data._panel import KEYS, OHLCV

_PRICES: Final = OHLCV[:4]
_EMPTY: Final = ("", "na", "n/a", "nan", "null", "none", "-", ".")


def numbers(rows: pl.DataFrame, table: str, done: list[str], *, mapped: set[str]) -> pl.DataFrame:
    """Return the value columns as Float64; a column of words is left out, a word in a price column is an error."""
    kept: list[pl.Series] = []
    left_out: list[pl.Series] = []
    for column in rows.get_columns():
        if column.dtype != pl.String:
            numeric = column.dtype.is_numeric() or column.dtype == pl.Boolean
            (kept if numeric else left_out).append(column.cast(pl.Float64) if numeric else column)
            continue
        text = column.str.strip_chars()
        empty = text.is_null() | text.str.to_lowercase().is_in(_EMPTY)
        number = text.cast(pl.Float64, strict=False)
        bad = (number.is_null() & ~empty).arg_true().to_list()
        if bad and (column.name in OHLCV or column.name in mapped):
            rows_shown = [f"row {i + 1}: {text[i]!r}" for i in bad]
            raise DataError(
                table,
                f"column '{column.name}' holds numbers",
                rows=rows_shown,
                seen=text[bad[0]],
                fix="correct these cells",
            )
        (left_out if bad else kept).append(number if not bad else column)
    if left_out:
        done.append("left out columns that are no numbers: " + ", ".join(column.name for column in left_out))
    if not kept:
        raise InputError(f"{table}.columns", rows.columns, why="no column holds numbers", fix="check the separator")
    frame = pl.DataFrame(kept).with_columns(pl.all().fill_null(float("nan")))
    endless = frame.select(pl.any_horizontal(pl.all().is_infinite()))[:, 0].arg_true().to_list()
    if endless:
        rows_shown = [f"row {i + 1}" for i in endless]
        raise DataError(
            table, "values are finite", rows=rows_shown, seen="an infinite number", fix="correct these cells"
        )
    return frame


def holes(frame: pl.DataFrame, policy: str, table: str, done: list[str]) -> pl.DataFrame:
    """Apply the missing-data policy; volume may be missing: the quality rules judge it by instrument."""
    watched = [name for name in frame.columns if name not in KEYS and name != "volume"]
    if not watched:
        return frame
    hole = frame.select(pl.any_horizontal(pl.col(watched).is_nan() | pl.col(watched).is_null()))[:, 0]
    if not hole.any() or policy == "keep":
        return frame
    if policy == "error":
        fix = "fill them in, or pass missing='drop' or missing='keep'"
        empty = [name for name in watched if frame.select(pl.col(name).is_nan() | pl.col(name).is_null())[:, 0].any()]
        seen = f"{', '.join(empty)} without a value in {counted(int(hole.sum()), 'row')}"
        rows = where(frame.filter(hole))
        raise DataError(table, "no value is missing (NaN or empty)", rows=rows, seen=seen, fix=fix)
    done.append(f"dropped {counted(int(hole.sum()), 'row')} with a missing value")
    return frame.filter(~hole)


def adjust(frame: pl.DataFrame, table: str, done: list[str]) -> pl.DataFrame:
    """Scale prices by adj_close / close, so that splits and dividends leave no jumps."""
    if "adj_close" not in frame.columns or "close" not in frame.columns:
        why = "adjusted=true needs close and adj_close"
        raise InputError(f"{table}.adjusted", True, why=why, fix="map the columns, or leave adjusted out")
    factor = pl.col("adj_close") / pl.col("close")
    done.append("scaled open, high, low and close by adj_close / close")
    prices = [name for name in _PRICES if name in frame.columns]
    return frame.with_columns([(pl.col(name) * factor).alias(name) for name in prices]).drop("adj_close")


def where(frame: pl.DataFrame) -> list[str]:
    """Return instrument and time of every row, for messages."""
    return [f"{name} {iso(ts)}" for name, ts in frame.select("instrument", "ts").rows()]
