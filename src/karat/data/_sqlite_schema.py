"""The SQLite contract: every table, column, type, key and foreign key, said once.

The DDL, the Pandera schemas, the foreign-key guard and `docs/reference/sqlite_schema.md` are all derived from or
compared with `TABLES`, so none of them can drift.

Invariants:
1. Times are INTEGER, UTC nanoseconds: `ts` is when a fact happened (a bar's close), `known_at` when it could be known.
2. Every table is STRICT and stored in primary-key order, so equal rows give equal bytes.
3. Tables are only ever created here; nothing in karat changes rows of a user's database.
4. `PRAGMA user_version` is the version of the contract; 0 means that its writer did not say.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from karat.core import InputError

SCHEMA_VERSION: Final = 1
"""The version of the contract that this module describes."""

_METADATA: Final = sa.MetaData()
_TYPES: Final[dict[str, Any]] = {
    "int": sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"),
    "real": sa.Double().with_variant(sa.REAL(), "sqlite"),
    "text": sa.TEXT(),
}


def _column(name: str, kind: str, *, key: bool = False) -> sa.Column[Any]:
    """Build a column; a kind that ends in '?' may be null."""
    return sa.Column(name, _TYPES[kind.rstrip("?")], nullable=kind.endswith("?"), primary_key=key)


def _table(name: str, keys: dict[str, str], columns: dict[str, str], links: dict[str, str] | None = None) -> sa.Table:
    """Declare a table: key columns, further columns, and 'a, b' -> 'table.a, table.b' foreign keys."""
    parts: list[Any] = [_column(item, kind, key=True) for item, kind in keys.items()]
    parts += [_column(item, kind) for item, kind in columns.items()]
    parts += [sa.ForeignKeyConstraint(a.split(", "), b.split(", ")) for a, b in (links or {}).items()]
    return sa.Table(name, _METADATA, *parts, sqlite_strict=True, sqlite_with_rowid=False)


_BAR = {"instrument": "text", "frequency": "text", "ts": "int"}
_TO_BAR = {"instrument, frequency, ts": "series.instrument, series.frequency, series.ts"}
_TO_ASSET = {"instrument": "assets.instrument"}

_table(
    "assets",
    {"instrument": "text"},
    {
        "asset_class": "text",
        "currency": "text",
        "calendar": "text",
        "tick_size": "real",
        "lot_size": "real",
        "prices": "text",
        "delisted_ts": "int?",
        "source": "text",
        "origin": "text",
        "licence": "text",
    },
)
_table(
    "series",
    _BAR,
    {"known_at": "int", "open": "real?", "high": "real?", "low": "real?", "close": "real", "volume": "real?"},
    _TO_ASSET,
)
_table("indicators", {**_BAR, "name": "text"}, {"known_at": "int", "value": "real"}, _TO_BAR)
_table(
    "regimes",
    {"instrument": "text", "frequency": "text", "kind": "text", "ts": "int"},
    {"known_at": "int", "measure": "real", "label": "int"},
    _TO_BAR,
)
_table(
    "regime_quantiles",
    {"instrument": "text", "frequency": "text", "kind": "text", "fit_end_ts": "int", "quantile": "real"},
    {"edge": "real", "n_rows": "int", "valid_until_ts": "int", "series_hash": "text"},
    {"instrument, frequency, fit_end_ts": "series.instrument, series.frequency, series.ts"},
)
_table(
    "trades",
    {"trade_id": "text"},
    {
        "instrument": "text",
        "ts": "int",
        "known_at": "int",
        "side": "text",
        "quantity": "real",
        "price": "real",
        "fee": "real",
    },
    _TO_ASSET,
)
_table(
    "benchmarks",
    {"benchmark": "text", "ts": "int"},
    {"known_at": "int", "level": "real"},
    {"benchmark": "assets.instrument"},
)
_table(
    "cross_asset_views",
    {"view_name": "text", "instrument": "text", "feature": "text", "ts": "int"},
    {"known_at": "int", "value": "real?", "age_bars": "int"},
    _TO_ASSET,
)
_table(
    "depth_snapshots",
    {"instrument": "text", "ts": "int", "side": "text", "level": "int"},
    {"known_at": "int", "price": "real", "quantity": "real"},
    _TO_ASSET,
)
_table(
    "funding_costs",
    {"instrument": "text", "ts": "int"},
    {"known_at": "int", "rate_frac": "real", "period_hours": "real"},
    _TO_ASSET,
)
_table(
    "macro_calendar",
    {"name": "text", "ts": "int", "known_at": "int"},
    {"actual": "real", "consensus": "real?", "unit": "text"},
)
_table(
    "sentiment",
    {"instrument": "text", "ts": "int", "feed": "text"},
    {"known_at": "int", "score": "real", "n_items": "int"},
    _TO_ASSET,
)
_table(
    "implied_volatility",
    {"instrument": "text", "ts": "int", "tenor_days": "int"},
    {"known_at": "int", "volatility": "real"},
    _TO_ASSET,
)
_table(
    "corporate_actions",
    {"instrument": "text", "ts": "int", "action": "text"},
    {"known_at": "int", "effective_ts": "int", "amount": "real"},
    _TO_ASSET,
)

TABLES: Final[dict[str, sa.Table]] = dict(_METADATA.tables)
"""Table name to its declaration, in the order of the document; parents come before children."""

CORE_TABLES: Final = ("assets", "series")
"""The tables without which nothing can be loaded; the others may be absent."""


def ddl() -> str:
    """Return the CREATE TABLE statements of the contract, one paragraph a table.

    Example:
        >>> ddl().startswith("CREATE TABLE assets (")
        True
    """
    dialect = sqlite.dialect()
    statements = [str(CreateTable(table).compile(dialect=dialect)) for table in TABLES.values()]
    return "\n\n".join(_tidy(statement) + ";" for statement in statements) + "\n"


def create_tables(path: Path) -> sa.Engine:
    """Create a new database with all tables and the contract's version, foreign keys enforced; return its engine.

    Raises:
        InputError: the path exists; a database is never written over.
    """
    if path.exists():
        raise InputError("path", str(path), why="it exists and is never written over", fix="choose a new path")
    # Not by URL: a path may hold '?', '#' or '%'.
    engine = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(path), poolclass=sa.NullPool)
    sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = ON"))
    with engine.begin() as connection:
        for statement in ddl().split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
        connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
    return engine


def primary_key(table: str) -> tuple[str, ...]:
    """Return the primary-key columns of a table, in order."""
    return tuple(column.name for column in TABLES[table].primary_key.columns)


def foreign_keys(table: str) -> tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]:
    """Return (parent table, own columns, parent columns) of every foreign key of a table."""
    found = [
        (link.referred_table.name, tuple(link.column_keys), tuple(part.column.name for part in link.elements))
        for link in TABLES[table].foreign_key_constraints
    ]
    return tuple(sorted(found))


def _tidy(statement: str) -> str:
    """Indent the columns and put the closing line of SQLAlchemy's text on one line."""
    lines = [line.strip() for line in statement.strip().splitlines() if line.strip()]
    end = lines.index(")")
    return "\n".join([lines[0], *(f"    {line}" for line in lines[1:end]), " ".join(lines[end:])])
