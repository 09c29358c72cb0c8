"""Planted faults: every way to edit a ledger behind karat's back, and that `verify` finds each and names the entry."""

import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from ledger_factory import KEYED, SIZE, make_ledger

from karat._words import counted
from karat.core import Head, Ledger, LedgerError, verify_ledger
from karat.core._chain import Tip
from karat.core._merkle import Frontier
from karat.core._records import Draft, entry_hash, head_hash
from karat.core._store import ENTRY_COLUMNS, HEAD_COLUMNS

ENTRY_TEXT = ("kind", "key", "payload", "prev_hash", "hash")
HEAD_TEXT = ("root", "last_hash", "frontier", "prev_hash", "hash")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make_ledger(tmp_path / "research.db")
    (tmp_path / "research.db.lock").unlink()  # an editor may remove it: nothing here may depend on it
    return tmp_path / "research.db"


def _sql(path: Path, statement: str, *values: object) -> None:
    db = sqlite3.connect(path)
    db.execute(statement, values)
    db.commit()
    db.execute("PRAGMA journal_mode=DELETE")
    db.close()


def _cell(path: Path, query: str) -> bytes:
    db = sqlite3.connect(path)
    value = db.execute(query).fetchone()[0]
    db.close()
    return value if isinstance(value, bytes) else bytes(str(value), "utf-8")


@pytest.mark.parametrize("column", ENTRY_TEXT)
def test_1_every_byte_of_every_text_column_of_an_entry_is_covered(path: Path, tmp_path: Path, column: str) -> None:
    copy = tmp_path / "copy.db"
    for seq in (0, KEYED, SIZE - 1) if column != "key" else (KEYED,):
        raw = _cell(path, f"SELECT CAST({column} AS BLOB) FROM entry WHERE seq = {seq}")
        for at in range(len(raw)):
            shutil.copyfile(path, copy)
            bit = 1 << (at % 8)
            new = raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :]
            _sql(copy, f"UPDATE entry SET {column} = CAST(? AS TEXT) WHERE seq = {seq}", new)
            report = verify_ledger(copy)
            assert (report.ok, report.first_bad, report.size) == (False, seq, seq), (seq, at, bit)
            assert report.problem == f"entry {seq} was changed: its hash is not that of its columns"


@pytest.mark.parametrize("bit", range(63))
def test_1_every_bit_of_a_time_stamp_is_covered(path: Path, bit: int) -> None:
    _sql(path, f"UPDATE entry SET ts_ns = (ts_ns | {1 << bit}) - (ts_ns & {1 << bit}) WHERE seq = 4")
    assert verify_ledger(path).first_bad == 4


@pytest.mark.parametrize("bit", range(12))
def test_1_a_changed_number_is_a_gap(path: Path, bit: int) -> None:
    _sql(path, f"UPDATE entry SET seq = seq + {1 << (bit + 8)} WHERE seq = 4")
    report = verify_ledger(path)
    assert (report.first_bad, report.problem) == (4, "entry 4 is missing")


@pytest.mark.parametrize("column", [*ENTRY_TEXT, "ts_ns"])
def test_1_the_same_bytes_under_another_type_are_found(path: Path, column: str) -> None:
    _sql(path, f"UPDATE entry SET {column} = CAST({column} AS BLOB) WHERE seq = {KEYED}")
    report = verify_ledger(path)
    assert (report.first_bad, report.problem) == (KEYED, f"entry {KEYED} was changed: a column has another type")


def test_1_a_key_put_in_or_taken_away_is_found(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    for seq, value in ((3, ""), (3, "null"), (KEYED, None)):
        shutil.copyfile(path, copy)
        _sql(copy, f"UPDATE entry SET key = ? WHERE seq = {seq}", value)
        assert verify_ledger(copy).first_bad == seq


@pytest.mark.parametrize("column", HEAD_TEXT)
def test_1_every_byte_of_a_stored_head_is_covered(path: Path, tmp_path: Path, column: str) -> None:
    copy = tmp_path / "copy.db"
    for size in (KEYED + 1, SIZE):
        raw = _cell(path, f"SELECT {column} FROM head WHERE size = {size}")
        for at in range(len(raw)):
            shutil.copyfile(path, copy)
            new = raw[:at] + bytes([raw[at] ^ 1 << (at % 8)]) + raw[at + 1 :]
            _sql(copy, f"UPDATE head SET {column} = CAST(? AS TEXT) WHERE size = {size}", new)
            report = verify_ledger(copy)
            assert (report.ok, report.first_bad) == (False, None)
            assert report.problem == f"the stored head of size {size} was changed"


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE head SET ts_ns = ts_ns + 1 WHERE size = 12", "the stored head of size 12 was changed"),
        ("UPDATE head SET size = 9 WHERE size = 8", "the stored head of size 9 was changed"),
        ("UPDATE head SET size = -8 WHERE size = 8", "the stored head of size -8 was changed"),
        ("UPDATE head SET root = CAST(root AS BLOB) WHERE size = 8", "the stored head of size 8 was changed"),
        ("DELETE FROM head WHERE size = 8", "the stored head before that of size 12 was exchanged"),
        ("DROP TABLE head", "the stored heads cannot be read: no such table: head"),
        ("CREATE TABLE mine (x)", "the schema was changed: 'mine'"),
        ("CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry; END", "the schema was changed: 't'"),
        ("DROP INDEX entry_key", "the schema was changed: 'entry_key'"),
        ("PRAGMA user_version = 2", "the file is no karat ledger of format 1 (application id 0x6b617274, format 2)"),
        ("PRAGMA application_id = 5", "the file is no karat ledger of format 1 (application id 0x5, format 1)"),
    ],
)
def test_1_edits_outside_the_entries_are_found(path: Path, statement: str, problem: str) -> None:
    _sql(path, statement)
    report = verify_ledger(path)
    assert (report.ok, report.first_bad, report.problem, report.size) == (False, None, problem, SIZE)


@pytest.mark.parametrize("seq", range(SIZE))
def test_2_a_deleted_entry_is_found(path: Path, seq: int) -> None:
    _sql(path, "DELETE FROM entry WHERE seq = ?", seq)
    report = verify_ledger(path)
    assert (report.ok, report.first_bad) == (False, seq)
    last = "the stored head of size 12 speaks of 1 more entry: the tail was cut"
    assert report.problem == (last if seq == SIZE - 1 else f"entry {seq} is missing")


def test_2_a_deleted_entry_with_the_rest_moved_up_is_found(path: Path) -> None:
    _sql(path, "DELETE FROM entry WHERE seq = 5")
    for seq in range(6, SIZE):
        _sql(path, "UPDATE entry SET seq = seq - 1 WHERE seq = ?", seq)
    assert verify_ledger(path).first_bad == 5


def test_2_two_entries_that_changed_places_are_found(path: Path) -> None:
    for old, new in ((5, 99), (6, 5), (99, 6)):
        _sql(path, "UPDATE entry SET seq = ? WHERE seq = ?", new, old)
    assert verify_ledger(path).first_bad == 5


@pytest.mark.parametrize("seq", [0, 4, SIZE - 2, SIZE - 1])
def test_2_an_entry_exchanged_with_its_hash_is_named(path: Path, seq: int) -> None:
    db = sqlite3.connect(path)
    row = db.execute(f"SELECT {ENTRY_COLUMNS} FROM entry WHERE seq = ?", (seq,)).fetchone()
    db.close()
    new = entry_hash(seq, row[1], row[2], row[3], ('{"loss":0}', row[5]))
    _sql(path, """UPDATE entry SET payload = '{"loss":0}', hash = ? WHERE seq = ?""", new, seq)
    report = verify_ledger(path)
    if seq == SIZE - 1:  # nothing is chained to it yet, but the head is
        problem = "the stored head of size 12 was taken of other entries: from entry 8 on, the log was rewritten"
        assert (report.first_bad, report.problem) == (8, problem)
    else:
        problem = f"entry {seq} is not the one that its successor was chained to"
        assert (report.first_bad, report.problem) == (seq, problem)


def test_2_a_ledger_that_does_not_start_at_its_beginning_is_found(path: Path) -> None:
    db = sqlite3.connect(path)
    row = db.execute(f"SELECT {ENTRY_COLUMNS} FROM entry WHERE seq = 0").fetchone()
    db.close()
    new = entry_hash(0, row[1], row[2], row[3], (row[4], "0" * 64))
    _sql(path, "UPDATE entry SET prev_hash = ?, hash = ? WHERE seq = 0", "0" * 64, new)
    report = verify_ledger(path)
    assert (report.first_bad, report.problem) == (0, "entry 0 does not start a ledger")
    with pytest.raises(LedgerError, match=r"entry 0 does not start a ledger \(first bad entry: 0\)"):
        Ledger.open(path)


def test_2_a_stored_head_that_was_due_and_is_gone_is_found(tmp_path: Path) -> None:
    path = tmp_path / "research.db"
    with Ledger.open(path) as ledger:
        ledger.extend(("e", {}) for _ in range(2050))
    copy = tmp_path / "copy.db"
    for sizes, missing in (((1024,), 1024), ((1024, 2048, 2050), 1024), ((2048, 2050), 2048)):
        shutil.copyfile(path, copy)
        for size in sizes:
            _sql(copy, "DELETE FROM head WHERE size = ?", size)
        problem = verify_ledger(copy).problem
        chained = f"the stored head before that of size {2048} was exchanged"
        assert problem == (chained if sizes == (1024,) else f"the stored head of size {missing} is missing")


def test_2_a_due_head_left_out_of_a_rebuilt_chain_of_heads_is_found(tmp_path: Path) -> None:
    path = tmp_path / "research.db"
    with Ledger.open(path) as ledger:
        ledger.extend(("e", {}) for _ in range(1030))
    db = sqlite3.connect(path)
    tip = Tip("research")
    tip.follow_all(db)  # the heads are not followed: the next one sealed is the first
    db.execute("DELETE FROM head")
    db.execute("INSERT INTO head VALUES (?,?,?,?,?,?,?)", tip.seal(1))
    db.commit()
    db.close()
    report = verify_ledger(path)
    assert (report.first_bad, report.problem) == (None, "the stored head of size 1024 is missing")


def _rewrite(path: Path, change: Callable[[list[Draft]], list[Draft]]) -> None:
    """Do what a knowing editor does: rebuild chain, tree and heads around other content."""
    db = sqlite3.connect(path)
    rows = db.execute(f"SELECT {ENTRY_COLUMNS} FROM entry ORDER BY seq").fetchall()
    tip = Tip("research")
    entries = []
    for row, draft in zip(rows, change([Draft(row[2], row[3], row[4]) for row in rows])):
        entries += tip.link([draft], row[1])[0]
    heads = [tip.seal(rows[0][1])]
    db.execute("DELETE FROM entry")
    db.execute("DELETE FROM head")
    db.executemany("INSERT INTO entry VALUES (?,?,?,?,?,?,?)", entries)
    db.executemany("INSERT INTO head VALUES (?,?,?,?,?,?,?)", heads)
    db.commit()
    db.close()


def _other_fifth(drafts: list[Draft]) -> list[Draft]:
    return [*drafts[:5], Draft("trial", None, '{"loss":0}'), *drafts[6:]]


def test_2_a_rewritten_log_is_found_by_an_exported_head_only(path: Path, tmp_path: Path) -> None:
    with Ledger.open(path) as ledger:
        head = ledger.export_head(tmp_path / "head.json")
    path.with_name("research.db.lock").unlink()
    _rewrite(path, _other_fifth)
    assert verify_ledger(path).ok  # a different, consistent ledger
    report = verify_ledger(path, [head])
    assert (report.ok, report.first_bad) == (False, 0)
    assert report.problem == (
        "the exported head of size 12 was taken of other entries: from entry 0 on, the log was rewritten"
    )
    assert verify_ledger(path, [tmp_path / "head.json"]) == report
    with Ledger.open(path) as ledger:
        assert ledger.verify([head]) == report


def test_2_exported_heads_that_agree_bound_the_place(tmp_path: Path) -> None:
    path = tmp_path / "research.db"
    heads = []
    for number in range(9):
        with Ledger.open(path) as ledger:
            ledger.append("trial", {"i": number})
            heads.append(ledger.head())
    assert verify_ledger(path, heads).ok
    path.with_name("research.db.lock").unlink()
    _rewrite(path, _other_fifth)
    report = verify_ledger(path, heads[::-1])
    assert report.first_bad == 5
    assert report.problem == (
        "the exported head of size 6 was taken of other entries: from entry 5 on, the log was rewritten"
    )


@pytest.mark.parametrize("cut", [1, 3, SIZE])
def test_2_a_cut_tail_is_found_by_stored_exported_and_acknowledged_heads(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "research.db"
    head = make_ledger(path)
    left = SIZE - cut
    _sql(path, "DELETE FROM entry WHERE seq >= ?", left)
    report = verify_ledger(path)
    assert (report.ok, report.first_bad) == (False, min(left, SIZE))
    _sql(path, "DELETE FROM head WHERE size > ?", left)
    report = verify_ledger(path)
    assert (report.ok, report.first_bad) == (False, left)
    text = f"the lock file, which acknowledged 12 entries, speaks of {counted(cut, 'more entry')}: the tail was cut"
    assert report.problem == text
    with pytest.raises(LedgerError) as caught:
        Ledger.open(path)
    assert str(caught.value) == (
        f"ledger: 12 entries acknowledged, {left} there: the tail was cut (first bad entry: {left}); "
        "restore the file; if you put an older copy there on purpose, delete research.db.lock"
    )
    path.with_name("research.db.lock").unlink()
    assert verify_ledger(path).ok
    report = verify_ledger(path, [head])
    assert (report.ok, report.first_bad) == (False, left)
    assert report.problem == f"the exported head of size 12 speaks of {counted(cut, 'more entry')}: the tail was cut"


def test_2_a_rewritten_log_of_the_same_length_is_refused_to_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "research.db"
    make_ledger(path)
    _rewrite(path, _other_fifth)
    with pytest.raises(LedgerError) as caught:
        Ledger.open(path)
    assert str(caught.value) == (
        "ledger: entry 11 is not the one that was acknowledged (first bad entry: 11); "
        "restore the file; if you put another ledger there on purpose, delete research.db.lock"
    )
    assert verify_ledger(path).problem == (
        "the lock file, which acknowledged 12 entries, was taken of other entries: "
        "from entry 0 on, the log was rewritten"
    )


def test_2_an_exported_head_of_another_empty_ledger_is_found(path: Path, tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "paper.db", role="paper") as ledger:
        head = ledger.head()
    report = verify_ledger(path, [head])
    assert (report.first_bad, report.problem) == (None, "the exported head of size 0 belongs to another ledger")


def test_reopening_finds_damage_in_the_last_head_and_after_it(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    db = sqlite3.connect(path)
    row = db.execute(f"SELECT {HEAD_COLUMNS} FROM head WHERE size = 12").fetchone()
    db.close()
    wrong = Frontier(SIZE, [hashlib.sha256(b"x").digest()] * 2).hex()
    head = Head(*row[:4])
    for frontier in (wrong, wrong[:-2], "no hex"):
        shutil.copyfile(path, copy)
        new = head_hash(head, frontier, row[5])
        _sql(copy, "UPDATE head SET frontier = ?, hash = ? WHERE size = 12", frontier, new)
        with pytest.raises(LedgerError) as caught:
            Ledger.open(copy)
        assert str(caught.value) == (
            "ledger: the stored head of size 12 contradicts itself; "
            "run `karat verify`, then restore the file from a backup"
        )
        copy.with_name("copy.db.lock").unlink()
        assert verify_ledger(copy).problem == "the stored head of size 12 contradicts itself"
    for statement, problem in (
        ("DELETE FROM entry WHERE seq = 11", "entry 11 is missing (first bad entry: 11)"),
        ("UPDATE entry SET hash = prev_hash WHERE seq = 11", "entry 11 was exchanged (first bad entry: 11)"),
        ("UPDATE head SET ts_ns = 1 WHERE size = 12", "the stored head of size 12 was changed"),
        ("DELETE FROM head WHERE size = 12; UPDATE entry SET ts_ns = 1 WHERE seq = 10", "entry 10 was changed"),
        ("DROP TABLE entry", "cannot be read: no such table: entry"),
    ):
        shutil.copyfile(path, copy)
        for part in statement.split(";"):
            _sql(copy, part)
        with pytest.raises(LedgerError) as caught:
            Ledger.open(copy)
        assert problem in str(caught.value)
        copy.with_name("copy.db.lock").unlink()


def test_reading_a_changed_entry_is_refused(path: Path) -> None:
    _sql(path, "UPDATE entry SET payload = '{}' WHERE seq IN (3, 7)")
    with Ledger.open(path) as ledger:
        reader = ledger.entries()
        assert [next(reader).seq for _ in range(3)] == [0, 1, 2]
        with pytest.raises(LedgerError) as caught:
            next(reader)
        assert str(caught.value) == (
            "ledger: entry 3 was changed: its hash is not that of its columns (first bad entry: 3); "
            "run `karat verify`, then restore the file from a backup"
        )
        with pytest.raises(LedgerError, match="entry 7 was changed"):
            ledger.find("run/cell-é")
        assert ledger.verify().first_bad == 3
