"""Reading databases of the SQLite contract, without ever being able to change one.

Invariants:
1. The file is opened with `mode=ro`: a write is an error of SQLite itself.
2. A cell of the wrong storage class is reported, never converted: it reads as null.
3. Tables are read in stored order, so that the sort guard sees what the writer wrote.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import sqlalchemy as sa

from karat.core import DataError, InputError
from karat.data._schemas import Violation, columns
from karat.data._sqlite_schema import CORE_TABLES, SCHEMA_VERSION, TABLES, primary_key

_STORED: Final = {"String": ("text",), "Int64": ("integer",), "Float64": ("real", "integer")}
_CONTRACT: Final = "docs/reference/sqlite_schema.md"


@dataclass(frozen=True, eq=False)
class Tables:
    """What was read: table name to frame, and what reading alone already found."""

    frames: Mapping[str, pl.DataFrame]
    violations: tuple[Violation, ...]


@contextmanager
def read_only(path: Path) -> Iterator[sa.Connection]:
    """Open a database that cannot be written to through the connection.

    Raises:
        InputError: no such file.
        DataError: the file is no SQLite database, is damaged, or follows a newer contract.
    """
    if not path.is_file():
        raise InputError("path", str(path), why="no such file", fix="check the path, or make one with make_fixture")
    uri = f"{path.resolve().as_uri()}?mode=ro"
    engine = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(uri, uri=True), poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            _check_file(path, connection)
            yield connection
    except sa.exc.DatabaseError as error:
        fix = "restore the file from a backup; 'PRAGMA integrity_check' of sqlite3 tells more"
        raise DataError(str(path), "a readable SQLite database", seen=str(error.orig), fix=fix) from error
    finally:
        engine.dispose()


def read_tables(path: Path, *, only: Sequence[str] = (), instruments: Sequence[str] | None = None) -> Tables:
    """Return the contract's tables of a database: those in `only`, or all that there are.

    instruments: keep the rows of these alone (`assets` and tables without an instrument are whole); None keeps all.

    Raises:
        InputError, DataError: as `read_only`; DataError also for a missing table or a missing column.
    """
    frames: dict[str, pl.DataFrame] = {}
    violations: list[Violation] = []
    with read_only(path) as connection:
        there = _tables_there(connection, only)
        for name in there:
            _check_columns(connection, name)
            query, where = TABLES[name], _where(name, instruments)
            bad = _mistyped(connection, query, where)
            statement = sa.select(*(_clean(column) for column in query.columns)).where(where)
            rows = connection.execute(_stored_order(connection, name, statement)).fetchall()
            schema = {column: kind for column, (kind, _) in columns(name).items()}
            frames[name] = pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")
            violations += bad
    return Tables(frames, tuple(violations))


def _check_file(path: Path, connection: sa.Connection) -> None:
    problems = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA quick_check(5)") if row[0] != "ok"]
    if problems:
        seen, fix = "; ".join(problems), "restore the file from a backup"
        raise DataError(str(path), "an undamaged SQLite database", seen=seen, fix=fix)
    version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    if version > SCHEMA_VERSION:
        fix = "read it with a newer karat"
        raise DataError(str(path), f"contract version at most {SCHEMA_VERSION}", seen=version, fix=fix)


def _tables_there(connection: sa.Connection, only: Sequence[str]) -> list[str]:
    there = set(sa.inspect(connection).get_table_names())
    wanted = list(only) or [name for name in TABLES if name in there or name in CORE_TABLES]
    for name in wanted:
        if name not in TABLES:
            raise InputError("table", name, allowed=list(TABLES))
        if name not in there:
            raise DataError(name, "the table exists", seen=sorted(there), fix=f"create it with the DDL in {_CONTRACT}")
    return wanted


def _check_columns(connection: sa.Connection, name: str) -> None:
    there = [item["name"] for item in sa.inspect(connection).get_columns(name)]
    missing = [item.name for item in TABLES[name].columns if item.name not in there]
    if missing:
        raise DataError(name, "declared columns", rows=missing, seen=there, fix=f"add them as in {_CONTRACT}")


def _where(name: str, instruments: Sequence[str] | None) -> Any:
    table = TABLES[name]
    if instruments is None or name == "assets" or "instrument" not in table.columns:
        return sa.true()
    return table.columns["instrument"].in_(list(instruments))


def _bad_cell(column: sa.Column[Any]) -> Any:
    kind = str(columns(column.table.name)[column.name][0])
    return sa.func.typeof(column).not_in([*_STORED[kind], "null"])


def _clean(column: sa.Column[Any]) -> Any:
    kind = str(columns(column.table.name)[column.name][0])
    # SQLAlchemy must not convert either: its result processors would raise before the guard has named the row.
    plain = sa.type_coerce(column, sa.types.NullType())
    value = sa.cast(column, sa.REAL()) if kind == "Float64" else plain
    return sa.case((_bad_cell(column), sa.null()), else_=value).label(column.name)


def _mistyped(connection: sa.Connection, table: sa.Table, where: Any) -> list[Violation]:
    found = []
    for column in table.columns:
        keys = [table.columns[name] for name in primary_key(table.name)]
        query = sa.select(*(sa.cast(key, sa.TEXT()) for key in keys), sa.func.typeof(column))
        rows = connection.execute(query.where(where, _bad_cell(column))).fetchall()
        if rows:
            kind = str(columns(table.name)[column.name][0])
            names = tuple("/".join(map(str, row[:-1])) + f" is {row[-1]}" for row in rows)
            rule, remedy = f"{column.name} is stored as {_STORED[kind][0]}", "write the cell again with the right type"
            found.append(Violation(table.name, rule, "error", names, remedy, np.empty(0, dtype=np.int64)))
    return found


def _stored_order(connection: sa.Connection, name: str, statement: Any) -> Any:
    sql = connection.execute(sa.text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": name}).scalar_one()
    # A table WITHOUT ROWID is stored, and read, in the order of its key.
    return statement if "WITHOUT ROWID" in str(sql).upper() else statement.order_by(sa.text("rowid"))
