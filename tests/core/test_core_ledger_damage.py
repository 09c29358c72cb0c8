"""Damage to the files of a ledger: bytes flipped, cut or lost are caught or harmless; verifying changes nothing."""

import shutil
from pathlib import Path

import pytest
from ledger_factory import SIZE, make_ledger

from karat.core import Head, InputError, Ledger, LedgerError, generator, verify_ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make_ledger(tmp_path / "research.db")
    (tmp_path / "research.db.lock").unlink()  # an editor may remove it: nothing here may depend on it
    return tmp_path / "research.db"


def _flip(path: Path, good: bytes, at: int, mask: int) -> None:
    path.write_bytes(good[:at] + bytes([good[at] ^ mask]) + good[at + 1 :])
    for end in ("-wal", "-journal", ".lock"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def _caught_or_harmless(path: Path, entries: list[object], head: Head) -> bool:
    """Return whether damage was caught; where it was not, show that nothing of the ledger changed."""
    report = verify_ledger(path, [head])
    if not report.ok:
        assert report.problem
        return True
    assert (report.size, report.root) == (head.size, head.root)
    try:
        with Ledger.open(path) as ledger:
            assert list(ledger.entries()) == entries
            assert ledger.head() == head
            more = ledger.append_once("after", "e", {"x": 1})
            assert ledger.verify([head]).ok
    except LedgerError:
        return True  # it reads as it was and cannot be written: the writer is told
    report = verify_ledger(path, [head])
    assert (report.ok, report.size, more.seq) == (True, head.size + 1, head.size)
    return False


def _flips(path: Path, spots: list[tuple[int, int]]) -> int:
    with Ledger.open(path) as ledger:
        entries: list[object] = list(ledger.entries())
        head = ledger.head()
    good = path.read_bytes()
    caught = 0
    for at, mask in spots:
        _flip(path, good, at, mask)
        caught += _caught_or_harmless(path, entries, head)
    return caught


def test_3_a_byte_flipped_in_the_file_header_is_caught_or_harmless(path: Path) -> None:
    assert _flips(path, [(at, 1 << (at % 8)) for at in range(100)]) > 20


def test_3_a_byte_flipped_anywhere_is_caught_or_harmless(path: Path) -> None:
    rng = generator(42, "flips")
    size = path.stat().st_size
    spots = [(int(rng.integers(size)), 1 << int(rng.integers(8))) for _ in range(250)]
    assert _flips(path, spots) > 20


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_3_every_byte_of_the_file_flipped_is_caught_or_harmless(path: Path) -> None:
    assert _flips(path, [(at, 1 << (at % 8)) for at in range(path.stat().st_size)]) > 3000


@pytest.mark.parametrize("keep", [0, 1, 50, 100, 4096, 5000, 8192, 12288])
def test_3_a_truncated_file_gives_a_report(path: Path, keep: int) -> None:
    with Ledger.open(path) as ledger:
        head = ledger.head()
    path.write_bytes(path.read_bytes()[:keep])
    path.with_name("research.db.lock").unlink()
    report = verify_ledger(path, [head])
    assert not report.ok
    assert report.problem


def test_3_a_schema_that_is_no_text_gives_a_report(path: Path) -> None:
    # found by flipping every byte: Python's sqlite3 cannot decode the message that quotes the damaged schema
    good = path.read_bytes()
    for word in (b"CREATE TABLE entry", b"CREATE UNIQUE INDEX", b"indexentry_key"):
        for at in range(good.index(word), good.index(word) + len(word)):
            path.write_bytes(good[:at] + bytes([good[at] | 0x80]) + good[at + 1 :])
            report = verify_ledger(path)
            assert not report.ok
            with pytest.raises(LedgerError):
                Ledger.open(path)
            path.with_name("research.db.lock").unlink()


def test_3_a_file_that_cannot_be_copied_gives_a_report(path: Path) -> None:
    path.with_name("research.db-wal").mkdir()
    (path.with_name("research.db-wal") / "x").write_text("")
    report = verify_ledger(path)
    assert (report.ok, report.size, report.first_bad) == (False, 0, None)
    assert str(report.problem).startswith(f"{path} cannot be opened: [Errno 21] Is a directory")


def test_3_rubbish_gives_a_report(path: Path) -> None:
    path.write_bytes(b"\xff" * 9000)
    report = verify_ledger(path)
    assert (report.ok, report.size, report.first_bad) == (False, 0, 0)
    assert report.problem == "the entries cannot be read: file is not a database"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        verify_ledger(tmp_path / "none.db")
    assert str(caught.value) == (
        f"ledger: got '{tmp_path}/none.db'; there is no such file; name the ledger of a workspace"
    )


def test_4_verifying_changes_nothing(path: Path, tmp_path: Path) -> None:
    def state() -> dict[str, tuple[bytes, int]]:
        return {item.name: (item.read_bytes(), item.stat().st_mtime_ns) for item in tmp_path.iterdir()}

    before = state()
    assert verify_ledger(path).ok
    assert state() == before


def test_4_a_ledger_left_with_a_journal_is_verified_from_a_copy(path: Path, tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    with Ledger.open(path) as ledger:
        ledger.append("e", {"last": True})
        for end in ("", "-wal"):  # what a kill now would leave
            shutil.copyfile(path.with_name(path.name + end), left / f"research.db{end}")
    before = {item.name: item.read_bytes() for item in left.iterdir()}
    assert before["research.db-wal"]
    assert verify_ledger(left / "research.db").size == SIZE + 1
    assert {item.name: item.read_bytes() for item in left.iterdir()} == before


def test_3_a_damaged_journal_cannot_hide_an_acknowledged_entry(path: Path, tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    with Ledger.open(path) as ledger:
        for i in range(3):
            ledger.append("e", {"i": i})
        for end in ("", "-wal", ".lock"):
            shutil.copyfile(path.with_name(path.name + end), left / f"research.db{end}")
    target = left / "research.db"
    assert verify_ledger(target).size == SIZE + 3
    journal = left / "research.db-wal"
    good = journal.read_bytes()
    rng = generator(42, "journal")
    for at in (0, 8, 20, *(int(rng.integers(len(good))) for _ in range(40)), len(good) - 1):
        _flip_journal = bytes([good[at] ^ 1])
        journal.write_bytes(good[:at] + _flip_journal + good[at + 1 :])
        report = verify_ledger(target)
        assert report.ok == (report.size == SIZE + 3), at
    journal.unlink()
    report = verify_ledger(target)
    assert (report.ok, report.first_bad) == (False, SIZE)
    with pytest.raises(LedgerError, match="15 entries acknowledged, 12 there: the tail was cut"):
        Ledger.open(target)


@pytest.mark.parametrize("text", ["", "\x00" * 192, "rubbish", "[1]", '{"pid": 1}', '{"size": 0, "last_hash": ""}'])
def test_a_lock_file_that_says_nothing_hides_nothing(path: Path, text: str) -> None:
    path.with_name("research.db.lock").write_text(text)
    assert verify_ledger(path).ok
    with Ledger.open(path) as ledger:
        assert len(ledger) == SIZE
