"""The `sqlite` source: what it loads, what it refuses, and that it cannot change a database."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from karat.core import DataError, InputError, iso_date
from karat.data import load, open_source
from karat.data._sqlite_read import read_only, read_tables
from karat.data._sqlite_schema import create_tables
from karat.data._sqlite_source import SqliteSource

Make = Callable[..., Path]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def small(path: Path, *statements: str) -> Path:
    """A hand-made database: A with bars, B closes only, C on another calendar."""
    create_tables(path).dispose()
    connection = sqlite3.connect(path)
    for name, calendar, licence in (("A.X", "XNYS", "L1"), ("B.X", "XNYS", "L2"), ("C.X", "24/7", "L1")):
        facts = (name, "equity", "USD", calendar, 0.01, 1.0, "raw", None, "me", "by hand", licence)
        connection.execute(f"INSERT INTO assets VALUES ({', '.join('?' * len(facts))})", facts)
    rows = [("A.X", "1d", t, t, 1.0, 2.0, 0.5, 1.5 + t, 10.0) for t in (1, 2, 3)]
    rows += [("B.X", "1d", t, t + 1, None, None, None, 2.5 + t, None) for t in (1, 2, 3)]
    rows += [("C.X", "1d", t, t, 1.0, 9.0, 0.5, 1.5 + t, 0.0) for t in (1, 2, 3)]
    rows = [(*row[:5], max(row[7], row[5]) if row[5] else None, *row[6:]) for row in rows]
    connection.executemany("INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path


@pytest.mark.req("DATA-14")
def test_a_dataset_is_loaded_from_the_database(database: Path, frames: dict[str, pl.DataFrame]):
    panel = load("sqlite", path=str(database))
    assert panel.values == ("open", "high", "low", "close", "volume")
    assert panel.instruments == ("SYN000.SYNTH", "SYN001.SYNTH")
    assert panel.calendar == "XNYS"
    assert panel.frame.select("ts", "known_at", "close").equals(frames["series"].select("ts", "known_at", "close"))
    assert panel.provenance.licence == "CC0-1.0"
    assert panel.provenance.origin == "market.db: karat make_fixture 1, seed 42"
    assert panel.provenance.prices == "synthetic"
    assert panel.content_hash == load("sqlite", path=database).content_hash
    assert panel.notes == ()


@pytest.mark.req("DATA-14")
def test_indicators_and_regimes_are_attached_on_request(database: Path, frames: dict[str, pl.DataFrame]):
    panel = load("sqlite", path=database, indicators=["signal", "volatility_20d"], regimes=True)
    assert panel.values[-3:] == ("signal", "volatility_20d", "regime")
    one = panel.frame.filter(pl.col("instrument") == "SYN001.SYNTH")
    assert one["regime"].is_nan().sum() == 504
    labels = frames["regimes"].filter(pl.col("instrument") == "SYN001.SYNTH")["label"].cast(pl.Float64)
    assert one["regime"][504:].to_list() == labels.to_list()
    assert one["volatility_20d"].is_nan().sum() == 20
    expected = one["close"].log().diff().rolling_std(20)[20:]
    assert one["volatility_20d"][20:].to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-9)


def test_a_value_known_late_makes_the_bar_known_late(tmp_path: Path):
    path = small(tmp_path / "s.db", "INSERT INTO indicators VALUES ('A.X', '1d', 2, 'late', 77, 5.0)")
    panel = SqliteSource(path=path, instruments=["A.X"], indicators=["late"]).load()
    assert panel.frame["known_at"].to_list() == [1, 77, 3]
    assert panel.frame["late"].to_numpy() == pytest.approx([np.nan, 5.0, np.nan], nan_ok=True)


def test_selection_range_and_used_tables(database: Path, broken: Make):
    panel = SqliteSource(path=database, instruments=["SYN001.SYNTH"], start="2006-01-03", end="2006-12-29").load()
    assert panel.instruments == ("SYN001.SYNTH",)
    dates = panel.frame["ts"].map_elements(iso_date, return_dtype=pl.String)
    assert (dates[0], dates[-1]) == ("2006-01-03", "2006-12-29")
    path = broken("UPDATE trades SET price = -1")
    used = SqliteSource(
        path=path, check="used", instruments=["SYN000.SYNTH"], regimes=True, indicators=["signal"]
    ).load()
    assert len(used.frame) == 1260
    with pytest.raises(DataError, match=r"trades: .*price above zero"):
        SqliteSource(path=path).load()


def test_prices_that_not_every_instrument_has_are_left_out(tmp_path: Path):
    path = small(tmp_path / "s.db")
    one = SqliteSource(path=path, instruments=["A.X"]).load()
    assert one.values == ("open", "high", "low", "close", "volume")
    both = SqliteSource(path=path, instruments=["A.X", "B.X"]).load()
    assert both.values == ("close", "volume")
    assert both.notes == ("open, high, low left out: not every instrument has them",)
    assert both.frame["volume"].is_nan().sum() == 3
    assert both.frame.filter(pl.col("instrument") == "B.X")["known_at"].to_list() == [2, 3, 4]
    assert both.provenance.licence == "L1; L2"
    closes = SqliteSource(path=path, instruments=["B.X"]).load()
    assert closes.values == ("close",)
    assert closes.notes == ()


def test_calendars_must_agree(tmp_path: Path):
    path = small(tmp_path / "s.db")
    message = (
        r"instruments: got '24/7: C\.X; XNYS: A\.X, B\.X'; one panel has one calendar; select instruments that share"
    )
    with pytest.raises(InputError, match=message):
        SqliteSource(path=path).load()


@pytest.mark.req("QUAL-04")
def test_lenient_leaves_broken_bars_out_and_says_so(broken: Make):
    path = broken("UPDATE series SET high = low / 2 WHERE instrument = 'SYN001.SYNTH' AND ts % 7 = 0")
    with pytest.raises(DataError, match="high is the highest price"):
        SqliteSource(path=path, strict_validation=True).load()
    panel = SqliteSource(path=path, strict_validation=False).load()
    bars = read_tables(path).frames["series"]
    gone = bars.filter((pl.col("instrument") == "SYN001.SYNTH") & (pl.col("ts") % 7 == 0))
    assert len(gone)
    assert len(panel.frame) == len(bars) - len(gone)
    assert panel.notes == ("lenient: 1 broken rule, broken bars left out",)


@pytest.mark.req("QUAL-04")
def test_lenient_sorts_and_keeps_the_first_of_duplicates(rowid: Make):
    path = rowid("series", "INSERT INTO series SELECT * FROM series WHERE rowid = 30")
    with pytest.raises(DataError, match="each instrument, frequency, ts once"):
        SqliteSource(path=path).load()
    panel = SqliteSource(path=path, strict_validation=False).load()
    assert len(panel.frame) == 2520
    assert panel.frame.equals(panel.frame.sort("instrument", "ts"))


@pytest.mark.req("DATA-14")
@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_the_database_is_never_altered(mode: str, broken: Make):
    path = broken(f"PRAGMA journal_mode = {mode}")
    before = digest(path)
    SqliteSource(path=path, indicators=["signal"], regimes=True).load()
    with read_only(path) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM assets").scalar_one() == 3
    assert digest(path) == before


def test_writing_through_the_source_is_an_error_of_sqlite(database: Path):
    with pytest.raises(DataError, match="attempt to write a readonly database"), read_only(database) as connection:
        connection.exec_driver_sql("DELETE FROM trades")


def test_paths_with_odd_characters(tmp_path: Path):
    path = small(tmp_path / "a b#c?d%20.db")
    assert len(SqliteSource(path=path, instruments=["A.X"]).load().frame) == 3


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"instruments": ["SYN00.SYNTH"]},
            r"instruments: got 'SYN00.SYNTH'; allowed: EW.SYNTH, .*; did you mean 'SYN0",
        ),
        ({"instruments": []}, r"instruments: got \[\]; allowed: a list of ids, or None for all"),
        ({"instruments": "SYN000.SYNTH"}, "allowed: a list of ids"),
        ({"instruments": ["EW.SYNTH"]}, "frequency: got '1d'; the selection has no such sound bars"),
        ({"frequency": "1h"}, "frequency: got '1h'; the selection has no such sound bars; allowed: 1d"),
        ({"frequency": "2d"}, "frequency: got '2d'; allowed: 1min"),
        ({"indicators": ["signl"]}, "indicators: got 'signl'; allowed: .*did you mean 'signal'"),
        ({"indicators": "signal"}, "indicators: got 'signal'; allowed: a list of names"),
        ({"check": "none"}, "check: got 'none'; allowed: all, used"),
        ({"start": "2020-01-01"}, "no data in range"),
        ({"end": "yesterday"}, "end: got 'yesterday'; allowed: an ISO date"),
        ({"strict": True}, "sqlite parameter: got 'strict'; allowed: path, .*; did you mean 'start'"),
    ],
)
def test_bad_parameters_name_field_value_and_fix(params: dict[str, object], message: str, database: Path):
    with pytest.raises(InputError, match=message):
        open_source("sqlite", {"path": database, **params}).load()


def test_asked_for_tables_must_exist(broken: Make):
    path = broken("DROP TABLE indicators")
    with pytest.raises(
        DataError, match=r"indicators: .*rule 'the table exists' is broken; add it, or do not ask for its"
    ):
        SqliteSource(path=path, indicators=["signal"]).load()
    with pytest.raises(DataError, match=r"indicators: .*docs/reference/sqlite_schema\.md"):
        SqliteSource(path=path, indicators=["signal"], check="used").load()
    with pytest.raises(InputError, match="table: got 'serie'; allowed: assets"):
        read_tables(path, only=["serie"])
