"""Pandera schemas (Polars back end) for every table of the SQLite contract and for every joined table.

A schema is derived from the table's declaration (types, nullability, key) plus the rules of `_sqlite_rules`, so that
DDL, schema and document say the same. A frame that breaks rules gives one `Violation` a rule, with the rows and
Pandera's own failure cases.

Invariants:
1. A missing, surplus or mistyped column is reported alone: value rules need the declared types.
2. One broken fact breaks one rule: relations between prices are looked at only where the prices themselves are sound.
3. Rows are named by their key, times in ISO 8601.
4. Nothing is repaired here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import polars as pl
import sqlalchemy as sa

from karat.core import InputError, iso
from karat.data._quality import Finding
from karat.data._sqlite_rules import RULES, TIMES, ValueRule, finite, known_rule, once, ordered
from karat.data._sqlite_schema import TABLES, primary_key
from karat.data._views import Ints

_ERROR: Final = "error"
_NONE: Final = np.empty(0, dtype=np.int64)
_SHOWN_CASES: Final = 10
SHOWN_ROWS: Final = 20
"""How many rows a finding names; `n_rows` counts them all."""


@dataclass(frozen=True, eq=False)
class Violation:
    """One rule that one table breaks.

    rows: (n,) text, the keys of the broken rows. index: (n,) int64, their positions in the frame that was checked.
    cases: Pandera's failure cases as text, empty where another guard found it. seen: the first broken row's values.
    """

    table: str
    rule: str
    severity: str
    rows: tuple[str, ...]
    remedy: str
    index: Ints
    cases: str = ""
    seen: str | None = None

    @property
    def finding(self) -> Finding:
        """The same fact in the shape of every quality report."""
        return Finding(self.table, self.rule, self.severity, self.rows[:SHOWN_ROWS], len(self.rows), self.remedy)


@dataclass(frozen=True)
class Join:
    """A joined table: `right` attached to `left` on the columns `on`; its key is that of `key`."""

    left: str
    right: str
    on: tuple[str, ...]
    key: tuple[str, ...]


_BAR: Final = ("instrument", "frequency", "ts")
JOINS: Final[dict[str, Join]] = {
    "series_assets": Join("series", "assets", ("instrument",), _BAR),
    "series_indicators": Join("series", "indicators", _BAR, (*_BAR, "name")),
    "series_regimes": Join("series", "regimes", _BAR, (*_BAR, "kind")),
    "trades_assets": Join("trades", "assets", ("instrument",), ("trade_id",)),
}
"""Joined table to how it is made."""


def check_frame(table: str, frame: pl.DataFrame) -> tuple[Violation, ...]:
    """Return what `frame` breaks of the schema of `table`, a name of the contract or of `JOINS`; empty when sound.

    Raises:
        InputError: an unknown table.

    Example:
        >>> frame = pl.DataFrame({"instrument": ["A.X"]})
        >>> check_frame("assets", frame)[0].rule
        'declared columns'
    """
    import pandera.polars as pa  # 0.4 s: only where something is checked
    from pandera.config import ValidationDepth, config_context

    shape = _shape(table, frame)
    if shape is not None:
        return (shape,)
    declared = schema(table)
    # The environment can switch Pandera off or down to types; a gate that can be switched off from outside is none.
    with config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA):
        try:
            declared.validate(frame, lazy=True)
        except pa.errors.SchemaErrors as error:
            return _violations(table, frame, error)
    return ()


def join_tables(name: str, left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    """Return the joined table `name`: left rows that have a partner, `known_at` the later of the two.

    Raises:
        InputError: an unknown joined table.
    """
    join = _join(name)
    partner = right.rename({"known_at": "_known_at"}) if "known_at" in right.columns else right
    joined = left.join(partner, on=list(join.on), how="inner", validate="m:m")
    if "_known_at" in joined.columns:
        joined = joined.with_columns(known_at=pl.max_horizontal("known_at", "_known_at")).drop("_known_at")
    return joined.sort(join.key)


def columns(table: str) -> dict[str, tuple[pl.DataType, bool]]:
    """Return column name to (Polars type, may be null) of a table of the contract or of `JOINS`."""
    if table in TABLES:
        return {column.name: (_polars(column), bool(column.nullable)) for column in TABLES[table].columns}
    join = _join(table)
    return {**columns(join.left), **{k: v for k, v in columns(join.right).items() if k not in columns(join.left)}}


def rules(table: str) -> tuple[ValueRule, ...]:
    """Return the value rules of a table: order, key, times, finite numbers, then the table's own."""
    join = None if table in TABLES else _join(table)
    key = primary_key(table) if join is None else join.key
    names = columns(table)
    own = RULES.get(table, ()) if join is None else (*RULES.get(join.left, ()), *RULES.get(join.right, ()))
    reals = [name for name, (kind, _) in names.items() if kind == pl.Float64]
    found = [once(key), ordered(key)]
    found += [known_rule()] if {"ts", "known_at"} <= set(names) else []
    found += [finite(name) for name in reals]
    return (*found, *own)


@cache
def schema(table: str) -> Any:
    """Return the Pandera schema of a table.

    Raises:
        InputError: an unknown table.
    """
    import pandera.polars as pa

    declared = {name: pa.Column(kind, nullable=null) for name, (kind, null) in columns(table).items()}
    checks = [pa.Check(_runner(rule.holds), name=rule.name, error=rule.name) for rule in rules(table)]
    return pa.DataFrameSchema(declared, checks=checks, strict=True, name=table)


def _runner(holds: pl.Expr) -> Any:
    # A rule says nothing about a row where one of its columns is null: that is the null rule's business.
    return lambda data: data.lazyframe.select(holds.fill_null(True).alias("holds"))


def _violations(table: str, frame: pl.DataFrame, error: Any) -> tuple[Violation, ...]:
    cases = error.failure_cases
    by_name = {rule.name: rule for rule in rules(table)}
    found = []
    for item in error.schema_errors:
        if item.reason_code.name == "SERIES_CONTAINS_NULLS":
            column = item.schema.name
            picked = cases.filter((pl.col("check") == "not_nullable") & (pl.col("column") == column))
            rule = ValueRule(
                f"no nulls in {column}", pl.col(column).is_not_null(), f"fill in {column} or delete the row"
            )
        else:
            rule = by_name[item.check.error]
            picked = cases.filter(pl.col("check") == rule.name)
        index = picked["index"].unique().sort().to_numpy().astype(np.int64)
        names = row_names(table, frame, index)
        seen = _seen(table, frame, rule, int(index[0]))
        found.append(Violation(table, rule.name, rule.severity, names, rule.remedy, index, _text(picked), seen))
    return tuple(found)


def _seen(table: str, frame: pl.DataFrame, rule: ValueRule, row: int) -> str:
    """Return the values that the rule looked at in one row; the rule's roots are the columns of its expression."""
    used = [name for name in columns(table) if name in rule.holds.meta.root_names()]
    cells = {name: frame[name][row] for name in used}
    shown = {name: f"{cell:.6g}" if isinstance(cell, float) else _cell(name, cell) for name, cell in cells.items()}
    return ", ".join(f"{name}={text}" for name, text in shown.items())


def _shape(table: str, frame: pl.DataFrame) -> Violation | None:
    """Compare names and types before Pandera does: 0.35 recurses without end when it reports a type under Polars 2."""
    wanted = {name: kind for name, (kind, _) in columns(table).items()}
    missing = [f"{name} is missing" for name in wanted if name not in frame.columns]
    surplus = [f"{name} is not declared" for name in frame.columns if name not in wanted]
    remedy = "give the table exactly: " + ", ".join(f"{name} {kind}" for name, kind in wanted.items())
    if missing or surplus:
        return Violation(table, "declared columns", _ERROR, (*missing, *surplus), remedy, _NONE)
    wrong = [f"{name} is {frame.schema[name]}" for name, kind in wanted.items() if frame.schema[name] != kind]
    return Violation(table, "column types", _ERROR, tuple(wrong), remedy, _NONE) if wrong else None


def row_names(table: str, frame: pl.DataFrame, index: Ints) -> tuple[str, ...]:
    """Return the rows' keys as text, e.g. 'SPY.XNYS/1d/2003-01-02T21:00:00Z'."""
    key = primary_key(table) if table in TABLES else _join(table).key
    picked = frame.select(key)[index.tolist()] if len(index) else frame.select(key).clear()
    return tuple(
        "/".join(_cell(name, value) for name, value in zip(key, row, strict=True)) for row in picked.iter_rows()
    )


def _cell(name: str, value: object) -> str:
    return iso(value) if name in TIMES and isinstance(value, int) else str(value)


def _text(cases: pl.DataFrame) -> str:
    shown = cases.head(_SHOWN_CASES)
    lines = [
        f"{row['check']}: {row['column'] or 'row'} at index {row['index']}: {row['failure_case']}"
        for row in shown.iter_rows(named=True)
    ]
    more = len(cases) - len(shown)
    return "\n".join([*lines, *([f"(+{more} more)"] if more else [])])


def _join(name: str) -> Join:
    if name not in JOINS:
        raise InputError("table", name, allowed=[*TABLES, *JOINS])
    return JOINS[name]


def _polars(column: sa.Column[Any]) -> pl.DataType:
    kind = column.type
    if isinstance(kind, sa.BigInteger):
        return pl.Int64()
    return pl.Float64() if isinstance(kind, sa.Double) else pl.String()
