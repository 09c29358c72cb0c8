"""SQL over stored panels by DuckDB (the extra `lake`).

Invariants:
1. One statement, and it selects: nothing that is stored can be written through it.
2. Each query has its own in-memory database; files are read as views and nothing else of the disk can be reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from karat.core import InputError, require


def select(files: Mapping[str, Path], query: str) -> pl.DataFrame:
    """Return the result of one SELECT over Parquet files, each a table of its key.

    Raises:
        MissingExtraError: without the extra `lake`.
        InputError: anything but one SELECT, or a query that DuckDB refuses.
    """
    duckdb = require("duckdb", "lake")
    require("pyarrow", "lake")
    allowed = "one SELECT over: " + (", ".join(sorted(files)) or "nothing: the catalog is empty")
    with duckdb.connect(":memory:") as connection:
        try:
            statements = connection.extract_statements(query)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise InputError("sql", query, why="it is not a single SELECT", allowed=allowed)
            paths = [str(path.resolve()) for path in files.values()]
            for name, path in zip(files, paths):
                connection.read_parquet(path).create_view(name)
            connection.execute("SET allowed_paths = ?", [paths])
            connection.execute("SET enable_external_access = false")
            answer: pl.DataFrame = connection.sql(query).pl()
            return answer
        except duckdb.Error as error:
            raise InputError("sql", query, why=str(error).splitlines()[0], allowed=allowed) from None
