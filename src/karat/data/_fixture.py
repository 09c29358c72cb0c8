"""A realistic database of the SQLite contract, made from a seed: what tests, tutorials and smoke runs load.

Bars come from the synthetic source (fat tails, volatility clusters, hidden turbulent regimes); every other table is
derived from them or drawn from its own stream, so that adding a table never changes another.

Invariants:
1. The same parameters give byte-identical tables in every process.
2. Every table passes the strict gate.
3. An existing file is never written over; a half-written one never appears under the final name.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl

from karat.core import InputError
from karat.data._fixture_tables import BUILDERS, World
from karat.data._schemas import columns
from karat.data._sqlite_regimes import FIRST_FIT
from karat.data._sqlite_schema import TABLES, create_tables, primary_key
from karat.data._synthetic import SyntheticSource


def make_fixture(
    path: str | Path,
    *,
    seed: int = 42,
    n_bars: int = 3780,
    n_instruments: int = 3,
    start: dt.date | str = "2005-01-03",
    volatility: float = 0.25,
) -> dict[str, int]:
    """Write a new database of daily bars and every side table, and return the number of rows of each table.

    n_bars: per instrument, at least 1008, so that regimes have two fits. volatility: per year, of the open-to-close log
    return.

    Raises:
        InputError: the path exists, its folder does not, or a parameter is out of range.

    Example:
        >>> rows = make_fixture("market.db", seed=7, n_bars=1260, n_instruments=2)  # doctest: +SKIP
        >>> rows["series"]  # doctest: +SKIP
        2520
    """
    target = Path(path)
    if target.exists():
        raise InputError("path", str(target), why="it exists and is never written over", fix="choose a new path")
    if not target.parent.is_dir():
        raise InputError("path", str(target), why=f"no folder {target.parent}", fix="make the folder first")
    if n_bars < 2 * FIRST_FIT:
        raise InputError("n_bars", n_bars, allowed=f"{2 * FIRST_FIT} or more", why="regimes need two fits")
    source = SyntheticSource(
        seed=seed,
        n_days=n_bars,
        n_instruments=n_instruments,
        start=start,
        volatility=volatility,
        df=4.0,
    )
    world = World(source.load().frame, seed)
    frames = {name: _ready(name, builder(world)) for name, builder in BUILDERS.items()}
    _write(target, frames)
    return {name: len(frame) for name, frame in frames.items()}


def _ready(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    schema = {name: kind for name, (kind, _) in columns(table).items()}
    return frame.select(pl.col(name).cast(kind) for name, kind in schema.items()).sort(primary_key(table))


def _write(target: Path, frames: dict[str, pl.DataFrame]) -> None:
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    engine = create_tables(partial)
    with engine.begin() as connection:
        for name in TABLES:
            frame = frames[name]
            marks = ", ".join("?" for _ in frame.columns)
            connection.exec_driver_sql(f"INSERT INTO {name} VALUES ({marks})", frame.rows())
    engine.dispose()
    partial.rename(target)
