"""The quality gate between a source and everything that learns from it.

Each rule looks at one frame and returns the rows that break it; `RULES` is the whole list, one line a rule, and
`docs/reference/data-provenance.md` shows the same table.

Invariants:
1. Nothing is changed: the gate reports.
2. Strict stops at errors with table, rule, rows and remedy. Lenient returns the same findings. Warnings never stop.
3. Each finding is written as one structured log record.
4. A series without any volume (an index, a rate) may have NaN or 0 there; a series with volume may not have holes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from karat._words import counted
from karat.core import DataError, iso, iso_date
from karat.data._calendars import ALWAYS, NO_CALENDAR, sessions
from karat.data._log import log_violation
from karat.data._panel import KEYS, OHLCV, Panel, check_panel, extent

_PRICES: Final = OHLCV[:4]
_STALE_RUN: Final = 5
_JUMP_SIGMAS: Final = 12.0
_OPEN_SHARE: Final = 0.05
_SHOWN: Final = 20


@dataclass(frozen=True)
class Finding:
    """One broken rule: the first rows that break it, how many there are, and what to do."""

    table: str
    rule: str
    severity: str
    rows: tuple[str, ...]
    n_rows: int
    remedy: str

    def to_dict(self) -> dict[str, Any]:
        """Return the plain facts."""
        return {**vars(self), "rows": list(self.rows)}


@dataclass(frozen=True)
class QualityReport:
    """What the gate saw. `passed`: no rule of severity error is broken."""

    table: str
    passed: bool
    n_rows: int
    findings: tuple[Finding, ...]
    rules: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the plain facts."""
        return {**vars(self), "findings": [item.to_dict() for item in self.findings], "rules": list(self.rules)}


@dataclass(frozen=True)
class Rule:
    """One quality rule. `check(frame, calendar)` returns the rows that break it; `needs` are columns it cannot lack."""

    name: str
    severity: str
    needs: tuple[str, ...]
    check: Callable[[pl.DataFrame, str], pl.DataFrame]
    remedy: str


def check_quality(panel: Panel, *, strict: bool = True) -> QualityReport:
    """Check a panel against every rule.

    Raises:
        DataError: strict, and a rule of severity error is broken.

    Example:
        >>> from karat.data import load
        >>> check_quality(load("synthetic", n_days=30)).passed
        True
    """
    check_panel(panel)
    return check_rows(panel.frame, calendar=panel.calendar, table=panel.provenance.source, strict=strict)


def check_rows(frame: pl.DataFrame, *, calendar: str, table: str, strict: bool = True) -> QualityReport:
    """Check a frame with the key columns, which need not be a valid panel.

    Raises:
        DataError: strict, and a rule of severity error is broken.
    """
    applied = [rule for rule in RULES if set(rule.needs) <= set(frame.columns)]
    broken = {rule: bad for rule in applied if len(bad := rule.check(frame, calendar))}
    findings = [_finding(table, rule, bad) for rule, bad in broken.items()]
    for item in findings:
        log_violation("data rule broken", **item.to_dict())
    errors = [item for item in findings if item.severity == "error"]
    if strict and errors:
        first, others = errors[0], [item.rule for item in errors[1:]]
        fix = first.remedy + (f"; also broken: {'; '.join(others)}" if others else "")
        seen = next(_seen(bad) for rule, bad in broken.items() if rule.name == first.rule)
        raise DataError(table, first.rule, rows=first.rows, seen=seen, fix=fix)
    return QualityReport(table, not errors, len(frame), tuple(findings), tuple(rule.name for rule in applied))


def _finding(table: str, rule: Rule, bad: pl.DataFrame) -> Finding:
    shown = [f"{name} {iso(ts)}" for name, ts in bad.select("instrument", "ts").head(_SHOWN).rows()]
    return Finding(table, rule.name, rule.severity, tuple(shown), len(bad), rule.remedy)


def _seen(bad: pl.DataFrame) -> str:
    """Return how many rows are bad and the values of the first one, for a message."""
    values = bad.select(pl.exclude("ts", "known_at", "instrument")).row(0, named=True)
    shown = ", ".join(f"{name} {'nothing' if value is None else f'{value:.10g}'}" for name, value in values.items())
    return f"{counted(len(bad), 'bad row')}, first {shown}"


def _duplicates(frame: pl.DataFrame, _: str) -> pl.DataFrame:
    return frame.filter(frame.select("instrument", "ts").is_duplicated())


def _unsorted(frame: pl.DataFrame, _: str) -> pl.DataFrame:
    return frame.filter((pl.col("ts") < pl.col("ts").shift(1).over("instrument")).fill_null(False))


def _known_early(frame: pl.DataFrame, _: str) -> pl.DataFrame:
    return frame.filter(pl.col("known_at") < pl.col("ts"))


def _holes(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    return frame.filter(pl.any_horizontal(pl.col(names).is_null() | pl.col(names).is_nan())) if names else frame.clear()


def _price_holes(frame: pl.DataFrame, _: str) -> pl.DataFrame:
    return _holes(frame, [name for name in _PRICES if name in frame.columns])


def _value_holes(frame: pl.DataFrame, _: str) -> pl.DataFrame:
    return _holes(frame, [name for name in frame.columns if name not in (*KEYS, *OHLCV)])


def _infinite(frame: pl.DataFrame, _: str) -> pl.DataFrame:
    values = [name for name in frame.columns if name not in KEYS]
    return frame.filter(pl.any_horizontal(pl.col(values).is_infinite())) if values else frame.clear()


def _not_positive(frame: pl.DataFrame, _: str) -> pl.DataFrame:
    prices = [name for name in _PRICES if name in frame.columns]
    return frame.filter(pl.any_horizontal(pl.col(prices) <= 0)) if prices else frame.clear()


def _inconsistent(frame: pl.DataFrame, _: str) -> pl.DataFrame:
    slack = pl.col("close").abs() * 1e-9  # adjusted prices are products: equal prices may differ in the last digits
    body = [name for name in ("open", "close") if name in frame.columns]
    above = pl.max_horizontal(*body, "low") - pl.col("high") > slack
    below = pl.col("low") - pl.min_horizontal(*body, "high") > slack
    return frame.filter(above | below)


def _negative_volume(frame: pl.DataFrame, _: str) -> pl.DataFrame:
    return frame.filter(pl.col("volume") < 0)


def _volume_holes(frame: pl.DataFrame, _: str) -> pl.DataFrame:
    has = (pl.col("volume").fill_nan(0.0).fill_null(0.0) > 0).any().over("instrument")
    return frame.filter(has & (pl.col("volume").is_nan() | pl.col("volume").is_null()))


def _idle(frame: pl.DataFrame, _: str) -> pl.DataFrame:
    has = (pl.col("volume").fill_nan(0.0) > 0).any().over("instrument")
    return frame.filter(has & (pl.col("volume") == 0))


def _schedule(frame: pl.DataFrame, calendar: str) -> pl.DataFrame | None:
    """Return the sessions around the frame, numbered, or None where the calendar has nothing to say."""
    if calendar == NO_CALENDAR or len(frame) == 0:
        return None
    # a bar that closes at midnight belongs to the day before
    low, high = extent(frame["ts"])
    return sessions(calendar, iso_date(low - 1), iso_date(high)).with_row_index("session")


def _off_session(frame: pl.DataFrame, calendar: str) -> pl.DataFrame:
    """Bars that close at no moment at which the exchange was open."""
    table = None if calendar == ALWAYS else _schedule(frame, calendar)
    if table is None:
        return frame.clear()
    spans = table.select(pl.col("close_ns").alias("at"), "open_ns").sort("at")
    placed = frame.sort("ts").join_asof(spans, left_on="ts", right_on="at", strategy="forward")
    outside = (pl.col("ts") <= pl.col("open_ns")) | pl.col("open_ns").is_null()
    return placed.filter(outside).sort("instrument", "ts").select(frame.columns)


def _missing_sessions(frame: pl.DataFrame, calendar: str) -> pl.DataFrame:
    """The bar after each hole in a daily series; slower and faster series have no session to miss."""
    table = _schedule(frame, calendar)
    if table is None:
        return frame.clear()
    numbered = frame.join(table.select("session", pl.col("close_ns").alias("ts")), on="ts", how="left")
    step = pl.col("session").cast(pl.Int64).diff().over("instrument")
    stepped = numbered.with_columns(step.alias("step"))
    daily = pl.col("step").median().over("instrument") == 1
    return stepped.filter(daily & (pl.col("step") > 1)).select(frame.columns)


def _stale(frame: pl.DataFrame, _: str) -> pl.DataFrame:
    run = pl.col("close").rle_id().over("instrument")
    marked = frame.with_columns(run.alias("run"))
    long = pl.len().over("instrument", "run") >= _STALE_RUN
    return marked.filter(long & pl.col("close").is_not_nan()).select(frame.columns)


def _open_is_previous_close(frame: pl.DataFrame, calendar: str) -> pl.DataFrame:
    """Rows of instruments where it happens often: such an open is no price that anybody traded after the close."""
    if calendar == ALWAYS:  # there the previous close and the open are the same moment
        return frame.clear()
    before = pl.col("close").shift(1).over("instrument")
    same = ((pl.col("open") - before).abs() <= 1e-5 * before).fill_null(False)
    marked = frame.with_columns(same.alias("same"))
    often = pl.col("same").mean().over("instrument") > _OPEN_SHARE
    return marked.filter(often & pl.col("same")).select(frame.columns)


def _jumps(frame: pl.DataFrame, _: str) -> pl.DataFrame:
    """Close-to-close log returns beyond 12 robust standard deviations (1.4826 times the median absolute deviation)."""
    close = pl.when(pl.col("close") > 0).then(pl.col("close"))
    moved = frame.with_columns(close.log().diff().over("instrument").alias("move"))
    centre = pl.col("move").median().over("instrument")
    moved = moved.with_columns((pl.col("move") - centre).abs().alias("away"))
    scale = 1.4826 * pl.col("away").median().over("instrument")
    return moved.filter((scale > 0) & (pl.col("away") > _JUMP_SIGMAS * scale)).select(frame.columns)


_OHL = ("high", "low", "close")

RULES: Final[tuple[Rule, ...]] = (
    Rule("one row for an instrument and time", "error", (), _duplicates, "drop or correct the repeated rows"),
    Rule("sorted by time", "error", (), _unsorted, "sort by instrument and ts"),
    Rule("known_at is never before ts", "error", (), _known_early, "correct known_at: a bar is known at its close"),
    Rule("no price is missing", "error", (), _price_holes, "fill in the rows, or load with missing='drop'"),
    Rule("values are finite", "error", (), _infinite, "correct the cells"),
    Rule("prices are positive", "error", (), _not_positive, "correct the rows; a zero is often a missing price"),
    Rule("low <= open, close <= high", "error", _OHL, _inconsistent, "correct the rows or drop them"),
    Rule("volume is not negative", "error", ("volume",), _negative_volume, "correct the rows"),
    Rule("no volume is missing where there is volume", "error", ("volume",), _volume_holes, "fill in the rows"),
    Rule("bars close within a session", "error", (), _off_session, "correct the dates or the calendar"),
    Rule("no value is missing", "warning", (), _value_holes, "models drop these rows; load with missing='drop'"),
    Rule("no session is missing", "warning", (), _missing_sessions, "look for a halt or a hole before this bar"),
    Rule("no day without volume", "warning", ("volume",), _idle, "look for a halt: nothing traded at this price"),
    Rule("prices move", "warning", ("close",), _stale, "look for a halted or carried-on price"),
    Rule("open is not the previous close", "warning", ("open", "close"), _open_is_previous_close,
         "do not fill at the open: it is the previous close"),
    Rule("no jump beyond 12 sigma", "warning", ("close",), _jumps, "look for a split or a wrong price"),
)  # fmt: skip
