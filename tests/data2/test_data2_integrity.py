"""The gate over a database: planted faults give one record each, strict stops, lenient warns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from karat.core import DataError, InputError
from karat.data._integrity import check_database, check_foreign_keys, check_tables, enforce
from karat.data._schemas import Violation
from karat.data._sqlite_source import SqliteSource

Make = Callable[..., Path]

TYPED = [
    ("series", "UPDATE series SET close = -1, open = NULL, high = NULL, low = NULL WHERE {one}", "close above zero"),
    ("series", "UPDATE series SET known_at = ts - 1 WHERE {one}", "known_at is never before ts"),
    ("trades", "UPDATE trades SET side = 'hold' WHERE trade_id = 'T00000003'", "side is a known one"),
    ("trades", "UPDATE trades SET instrument = 'GONE.XNYS' WHERE trade_id = 'T00000003'", "instrument is in assets"),
    ("indicators", "INSERT INTO indicators VALUES ('SYN000.SYNTH', '1d', 5, 'x', 5, 1.0)",
     "instrument, frequency, ts is in series"),
    ("benchmarks", "UPDATE benchmarks SET benchmark = 'GONE.XNYS' WHERE ts = (SELECT max(ts) FROM benchmarks)",
     "benchmark is in assets"),
]  # fmt: skip

LOOSE = [
    ("trades", "INSERT INTO trades SELECT * FROM trades ORDER BY rowid DESC LIMIT 1", "each trade_id once"),
    ("trades", "UPDATE trades SET trade_id = 'Z' WHERE rowid = 1", "sorted by trade_id"),
    ("trades", "UPDATE trades SET price = NULL WHERE rowid = 7", "no nulls in price"),
    ("benchmarks", "UPDATE benchmarks SET level = NULL WHERE rowid = 7", "no nulls in level"),
    ("funding_costs", "UPDATE funding_costs SET rate_frac = 9e999 WHERE rowid = 2", "rate_frac is finite"),
]


def logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [json.loads(record.message) for record in caplog.records if record.name == "karat.data"]


@pytest.mark.req("QUAL-02")
def test_a_sound_database_logs_nothing(database: Path, caplog: pytest.LogCaptureFixture):
    report = check_database(database, strict=True)
    assert (report.passed, report.findings, logged(caplog)) == (True, (), [])
    assert report.n_rows > 20_000
    assert "series: close above zero" in report.rules


@pytest.mark.req("QUAL-02", "QUAL-04")
@pytest.mark.parametrize(("table", "statement", "rule"), TYPED)
def test_a_planted_fault_gives_one_record(
    table: str, statement: str, rule: str, broken: Make, caplog: pytest.LogCaptureFixture
):
    one = "ts = (SELECT ts FROM series LIMIT 1 OFFSET 40) AND instrument = 'SYN000.SYNTH'"
    path = broken(statement.format(one=one))
    if rule == "close above zero":  # the label tables rest on closes, and rightly complain too
        path = broken(statement.format(one=one), "DELETE FROM regimes", "DELETE FROM regime_quantiles")
    check_database(path, strict=False)
    (record,) = logged(caplog)
    assert (record["table"], record["rule"], record["n_rows"]) == (table, rule, 1)
    assert record["event"] == "data rule broken"
    assert (record["level"], record["severity"]) == ("error", "error")
    assert len(record["rows"]) == 1  # type: ignore[arg-type]
    assert record["remedy"]


@pytest.mark.req("QUAL-02")
@pytest.mark.parametrize(("table", "statement", "rule"), LOOSE)
def test_a_fault_of_a_careless_writer_gives_one_record(
    table: str, statement: str, rule: str, rowid: Make, caplog: pytest.LogCaptureFixture
):
    check_database(rowid(table, statement), strict=False)
    (record,) = logged(caplog)
    assert (record["table"], record["rule"], record["n_rows"]) == (table, rule, 1)


@pytest.mark.req("QUAL-03", "QUAL-04")
def test_strict_stops_and_lenient_warns_on_the_same_file(broken: Make, caplog: pytest.LogCaptureFixture):
    path = broken("UPDATE trades SET price = -3 WHERE trade_id IN ('T00000003', 'T00000005')")
    with pytest.raises(DataError) as caught:
        check_database(path, strict=True)
    error = caught.value
    assert str(error) == (
        "trades: got 'price=-3'; rule 'price above zero' is broken at T00000003, T00000005; "
        "correct price, or delete the row"
    )
    assert (error.table, error.rule, error.rows) == ("trades", "price above zero", ["T00000003", "T00000005"])
    assert error.exit_code == 2
    (note,) = error.__notes__
    assert note.startswith(
        "Pandera failure cases of trades, rule 'price above zero':\nprice above zero: trades at index 3:"
    )
    assert len(logged(caplog)) == 1
    report = check_database(path, strict=False)
    (finding,) = report.findings
    assert not report.passed
    assert finding.rows == ("T00000003", "T00000005")


@pytest.mark.req("QUAL-03")
def test_training_data_never_leaves_a_broken_database(broken: Make):
    path = broken("UPDATE series SET high = low / 2 WHERE instrument = 'SYN001.SYNTH'")
    with pytest.raises(DataError, match="rule 'high is the highest price' is broken"):
        SqliteSource(path=path).load()


def test_several_errors_are_all_logged_and_counted_in_the_message(broken: Make, caplog: pytest.LogCaptureFixture):
    path = broken(
        "UPDATE trades SET price = -3 WHERE trade_id = 'T00000003'",
        "UPDATE benchmarks SET benchmark = 'GONE.XNYS' WHERE ts = (SELECT max(ts) FROM benchmarks)",
    )
    with pytest.raises(DataError, match=r"; the log has 1 more broken rule"):
        check_database(path)
    assert len(logged(caplog)) == 2


def test_warnings_never_stop():
    import numpy as np

    warning = Violation("series", "odd", "warning", ("x",), "look", np.zeros(1, dtype=np.int64))
    assert enforce([warning], strict=True) == (warning,)


def test_a_parent_table_that_is_not_there_has_no_rows(frames: dict[str, pl.DataFrame]):
    (found,) = check_foreign_keys({"trades": frames["trades"]})
    assert found.rule == "instrument is in assets"
    assert len(found.rows) == len(frames["trades"])


def test_a_malformed_table_is_left_out_of_the_checks_across_tables(frames: dict[str, pl.DataFrame]):
    found = check_tables({**frames, "regimes": frames["regimes"].drop("label")})
    assert [(item.table, item.rule) for item in found] == [("regimes", "declared columns")]


@pytest.mark.req("QUAL-03")
def test_files_that_are_no_database(tmp_path: Path, database: Path):
    with pytest.raises(InputError, match=r"path: got '.*none\.db'; no such file; check the path"):
        check_database(tmp_path / "none.db")
    text = tmp_path / "text.db"
    text.write_text("ts,close\n" * 500)
    with pytest.raises(DataError, match=r"file is not a database.*rule 'a readable SQLite database'.*backup"):
        check_database(text)
    data = bytearray(database.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 5000] = b"\xff" * 5000
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(data)
    with pytest.raises(DataError, match="SQLite database"):
        check_database(damaged)


@pytest.mark.req("QUAL-03")
def test_a_file_that_contradicts_its_own_constraints_is_damaged(broken: Make):
    path = broken(
        "UPDATE series SET volume = NULL WHERE ts = (SELECT max(ts) FROM series)",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = replace(sql, 'volume REAL', 'volume REAL NOT NULL') WHERE name = 'series'",
    )
    with pytest.raises(
        DataError, match=r"got 'NULL value in series\.volume.*; rule 'an undamaged SQLite database' is broken; restore"
    ):
        check_database(path)


def test_a_newer_contract_is_refused(broken: Make):
    path = broken("PRAGMA user_version = 99")
    with pytest.raises(
        DataError, match="got 99; rule 'contract version at most 1' is broken; read it with a newer karat"
    ):
        check_database(path)


@pytest.mark.req("QUAL-03")
def test_a_missing_table_or_column_names_the_contract(broken: Make):
    with pytest.raises(DataError, match=r"assets: .*rule 'the table exists'.*docs/reference/sqlite_schema\.md"):
        check_database(broken("DROP TABLE assets"))
    with pytest.raises(DataError, match=r"series: .*rule 'declared columns' is broken at known_at; add them"):
        check_database(broken("CREATE TABLE s AS SELECT instrument, frequency, ts, open, high, low, close, volume "
                              "FROM series", "DROP TABLE series", "ALTER TABLE s RENAME TO series"))  # fmt: skip


def test_side_tables_may_be_absent(broken: Make):
    assert check_database(broken("DROP TABLE sentiment", "DROP TABLE depth_snapshots")).findings == ()


@pytest.mark.req("QUAL-03")
def test_a_cell_of_the_wrong_kind_is_named_and_never_converted(rowid: Make):
    path = rowid("trades", "UPDATE trades SET price = 'cheap' WHERE rowid = 4")
    found = check_database(path, strict=False).findings
    assert [(item.rule, item.rows) for item in found] == [
        ("price is stored as real", ("T00000003 is text",)),
        ("no nulls in price", ("T00000003",)),
    ]
    with pytest.raises(DataError, match="rule 'price is stored as real' is broken at T00000003 is text"):
        check_database(path)
    path = rowid("benchmarks", "UPDATE benchmarks SET known_at = 1.5 WHERE rowid = 4")
    assert check_database(path, strict=False).findings[0].rule == "known_at is stored as integer"
