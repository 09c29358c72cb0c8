"""The declaration of the SQLite contract: tables, keys, DDL, creation."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from karat.core import InputError
from karat.data._schemas import columns
from karat.data._sqlite_schema import (
    CORE_TABLES,
    SCHEMA_VERSION,
    TABLES,
    create_tables,
    ddl,
    foreign_keys,
    primary_key,
)

REQUIRED = ("assets", "series", "indicators", "regimes", "trades", "benchmarks", "cross_asset_views")


@pytest.mark.req("DATA-14")
def test_the_tables_of_the_requirement_exist():
    assert set(REQUIRED) <= set(TABLES)
    assert set(CORE_TABLES) <= set(REQUIRED)
    assert len(TABLES) == 14


@pytest.mark.req("DATA-14")
def test_a_database_created_from_the_ddl_has_the_declared_columns(tmp_path: Path):
    path = tmp_path / "new.db"
    create_tables(path).dispose()
    connection = sqlite3.connect(path)
    types = {"String": "TEXT", "Int64": "INTEGER", "Float64": "REAL"}
    for name in TABLES:
        there = {row[1]: (row[2], bool(row[3])) for row in connection.execute(f"PRAGMA table_info({name})")}
        assert there == {column: (types[str(kind)], not null) for column, (kind, null) in columns(name).items()}
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    connection.close()


def test_series_stores_when_a_bar_was_known():
    assert "known_at" in columns("series")
    assert columns("series")["known_at"][1] is False


def test_keys_are_those_of_the_ddl():
    assert primary_key("regimes") == ("instrument", "frequency", "kind", "ts")
    assert foreign_keys("indicators") == (
        ("series", ("instrument", "frequency", "ts"), ("instrument", "frequency", "ts")),
    )
    assert foreign_keys("macro_calendar") == ()
    assert ddl().count("CREATE TABLE") == len(TABLES)
    assert ddl().count(") WITHOUT ROWID, STRICT;") == len(TABLES)


def test_writing_through_the_engine_enforces_foreign_keys(tmp_path: Path):
    from sqlalchemy.exc import IntegrityError

    engine = create_tables(tmp_path / "new.db")
    with engine.connect() as connection, pytest.raises(IntegrityError, match="FOREIGN KEY"):
        connection.exec_driver_sql("INSERT INTO benchmarks VALUES ('SPY.XNYS', 1, 1, 1.0)")
    engine.dispose()


def test_an_existing_file_is_never_written_over(tmp_path: Path):
    path = tmp_path / "kept.db"
    path.write_bytes(b"mine")
    with pytest.raises(InputError, match=r"path: got '.*kept\.db'; it exists and is never written over; choose a new"):
        create_tables(path)
    assert path.read_bytes() == b"mine"
