"""`Panel`: values of one or many instruments over time, each with when it happened and when it could be known.

Invariants:
1. Columns `ts` (Int64, a bar's close, UTC ns), `known_at` (Int64, UTC ns, never before `ts`), `instrument` (String),
   then value columns (Float64). Rows are sorted by (instrument, ts); a pair occurs once.
2. `as_of(t)` returns only rows with `known_at <= t`; changing later rows cannot change it.
3. `content_hash` depends on the frame and the calendar, never on the provenance or on when it was read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

import polars as pl

from karat.core import DataError, InputError, content_hash

KEYS = ("ts", "known_at", "instrument")
OHLCV = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Provenance:
    """Where data came from. `source`, `origin` and `licence` must not be empty."""

    source: str
    origin: str
    licence: str
    preprocessing: tuple[str, ...] = ()
    prices: str = "raw"

    def __post_init__(self) -> None:
        for name in ("source", "origin", "licence"):
            if not getattr(self, name).strip():
                raise InputError(
                    f"provenance.{name}", getattr(self, name), why="every dataset states it", fix="fill it in"
                )


@dataclass(frozen=True, eq=False)
class Panel:
    """A validated long frame with its calendar and provenance; see the module for its invariants."""

    frame: pl.DataFrame
    calendar: str
    provenance: Provenance
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        missing = [name for name in KEYS if name not in self.frame.columns]
        if missing:
            raise DataError(
                "panel", "key columns", rows=missing, seen=self.frame.columns, fix=f"add {', '.join(missing)}"
            )
        wanted = {"ts": pl.Int64, "known_at": pl.Int64, "instrument": pl.String}
        wrong = {name: str(dtype) for name, dtype in self.frame.schema.items() if dtype != wanted.get(name, pl.Float64)}
        if wrong:
            fix = "ts, known_at Int64; instrument String; values Float64"
            raise DataError("panel", "column types", seen=wrong, rows=list(wrong), fix=fix)
        if holes := {name: count for name in KEYS if (count := self.frame[name].null_count())}:
            fix = "fill them, or leave these rows out"
            raise DataError("panel", "every row has its keys", seen=f"nulls: {holes}", rows=list(holes), fix=fix)
        _check_order(self.frame)

    @property
    def values(self) -> tuple[str, ...]:
        """The value columns, in order."""
        return tuple(name for name in self.frame.columns if name not in KEYS)

    @property
    def instruments(self) -> tuple[str, ...]:
        """The instruments, sorted."""
        return tuple(self.frame["instrument"].unique().sort().to_list())

    @cached_property
    def blocks(self) -> tuple[tuple[int, int], ...]:
        """The row range of each instrument."""
        return blocks(self.frame)

    @property
    def has_open(self) -> bool:
        """Whether fills at the next open are possible."""
        return "open" in self.frame.columns

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the frame's columns and the calendar."""
        return content_hash({"frame": self.frame, "calendar": self.calendar})

    def as_of(self, known_ns: int) -> Panel:
        """Return the panel as it could be known at `known_ns` (inclusive)."""
        frame = self.frame.filter(pl.col("known_at") <= known_ns)
        return Panel(frame, self.calendar, self.provenance, self.notes)


def blocks(frame: pl.DataFrame) -> tuple[tuple[int, int], ...]:
    """Return the row range of each instrument of a frame sorted by instrument."""
    lengths = frame["instrument"].rle().struct.field("len").to_list()
    ends = list(accumulate(lengths))
    return tuple((end - length, end) for end, length in zip(ends, lengths, strict=True))


def extent(times: pl.Series) -> tuple[int, int]:
    """Return the first and the last of (n,) instants, UTC ns, whatever their order.

    Raises:
        ValueError: there is none.
    """
    values = times.to_numpy()
    return int(values.min()), int(values.max())


def _check_order(frame: pl.DataFrame) -> None:
    early = frame.filter(pl.col("known_at") < pl.col("ts"))
    if len(early):
        rule, rows = "known_at is never before ts", early["ts"].to_list()
        raise DataError("panel", rule, seen=f"known_at {early['known_at'][0]}", rows=rows, fix="correct known_at")
    keys = frame.select("instrument", "ts")
    step = keys.select(
        (
            (pl.col("instrument") > pl.col("instrument").shift(1))
            | ((pl.col("instrument") == pl.col("instrument").shift(1)) & (pl.col("ts") > pl.col("ts").shift(1)))
        )
        .fill_null(True)
        .alias("ok")
    )["ok"]
    bad = (~step).arg_true().to_list()
    if bad:
        rows = ["@".join(map(str, row)) for row in keys[bad].rows()]
        rule, seen = (
            "sorted by instrument and ts, each once",
            f"{rows[0]} after {'@'.join(map(str, keys.row(bad[0] - 1)))}",
        )
        raise DataError("panel", rule, seen=seen, rows=rows, fix="sort and drop duplicates")


def check_panel(panel: object, field: str = "panel") -> None:
    """Refuse what is no panel, such as a table that was not loaded.

    Raises:
        InputError: under `field`.
    """
    if not isinstance(panel, Panel):
        fix = "load('frame', frame=..., instrument=..., licence=...) makes one of a table"
        raise InputError(field, type(panel).__name__, allowed="a Panel", fix=fix)
