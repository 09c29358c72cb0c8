"""A small fixture database, made once, and copies of it to plant faults in."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from karat.data._fixture import make_fixture
from karat.data._sqlite_read import read_tables


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fixture") / "market.db"
    make_fixture(path, seed=42, n_bars=1260, n_instruments=2)
    return path


@pytest.fixture(scope="session")
def frames(database: Path) -> dict[str, pl.DataFrame]:
    return dict(read_tables(database).frames)


@pytest.fixture
def broken(database: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a copy of the database after the given statements ran on it, foreign keys not enforced."""

    def make(*statements: str) -> Path:
        path = tmp_path / "broken.db"
        shutil.copy(database, path)
        connection = sqlite3.connect(path)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()
        return path

    return make


@pytest.fixture
def rowid(broken: Callable[..., Path]) -> Callable[..., Path]:
    """Return a copy in which one table is an ordinary one without types and keys, as a careless writer makes it."""

    def make(table: str, *statements: str) -> Path:
        loose = f"CREATE TABLE loose AS SELECT * FROM {table}"
        return broken(loose, f"DROP TABLE {table}", f"ALTER TABLE loose RENAME TO {table}", *statements)

    return make
