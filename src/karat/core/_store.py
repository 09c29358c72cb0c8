"""The SQLite file under a ledger: two tables, one connection, every commit on the disk before it is acknowledged.

The journal is a write-ahead log: one sync a commit. SQLite is known to lose data where two connections write and
checkpoint one WAL at the same time, so a writer locks the file exclusively: no second connection can open it at all.
A reader sees a file that nobody writes (the process lock says so) and never changes it: a closed ledger is read as
immutable, one that a killed writer left with a journal is read from a copy.

Invariants:
1. `synchronous=FULL` (and a full flush on macOS): a commit that returned survives a power cut.
2. A statement that failed is not tried again.
3. A forked child never closes the connection it inherited.
4. The schema is compared with `SCHEMA`; a table, index, trigger or view more or less is damage.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from karat.core._errors import LedgerError

APPLICATION_ID: Final = 0x6B617274  # "kart"
FORMAT: Final = 1
SCHEMA: Final = {
    "entry": "CREATE TABLE entry (seq INTEGER PRIMARY KEY, ts_ns INTEGER NOT NULL, kind TEXT NOT NULL, key TEXT, "
    "payload TEXT NOT NULL, prev_hash TEXT NOT NULL, hash TEXT NOT NULL)",
    "entry_key": "CREATE UNIQUE INDEX entry_key ON entry (key) WHERE key IS NOT NULL",
    "head": "CREATE TABLE head (size INTEGER PRIMARY KEY, root TEXT NOT NULL, last_hash TEXT NOT NULL, "
    "ts_ns INTEGER NOT NULL, frontier TEXT NOT NULL, prev_hash TEXT NOT NULL, hash TEXT NOT NULL)",
}
ENTRY_COLUMNS: Final = "seq, ts_ns, kind, key, payload, prev_hash, hash"
HEAD_COLUMNS: Final = "size, root, last_hash, ts_ns, frontier, prev_hash, hash"
_SIDECARS: Final = ("-wal", "-journal")
_JOURNAL_PAGES: Final = 4000  # 16 MB: with SQLite's 1000 a batch of 10,000 entries pays for a checkpoint of its own
_VERIFY = "run `karat verify` and restore the file from a backup"

# UnicodeDecodeError: Python's sqlite3 raises it for an error message that quotes damaged text
DAMAGE: Final = (sqlite3.Error, OSError, UnicodeDecodeError)

Row = tuple[Any, ...]


class _Writer(sqlite3.Connection):
    """A writer's connection; unlike its base it can be referred to weakly."""


_WRITERS: Final[weakref.WeakSet[_Writer]] = weakref.WeakSet()


def _leave_to_parent() -> None:
    """Keep connections that a fork copied from ever closing: in the child that would write back and remove the journal
    under the parent, which goes on using both."""
    for db in _WRITERS:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(db))


if hasattr(os, "register_at_fork"):  # systems without it cannot fork
    os.register_at_fork(after_in_child=_leave_to_parent)


def connect_writer(path: Path) -> sqlite3.Connection:
    """Open a ledger file for its one writer, making it if there is none.

    Raises:
        LedgerError: no ledger, another format, damaged, locked or not writable.
    """
    with reported(f"{path} cannot be opened"):
        db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False, factory=_Writer)
        _WRITERS.add(db)
    try:
        with reported(f"{path} cannot be opened"):
            db.text_factory = _text
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
            new = not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if not new:  # before the journal mode is set: a file that is no ledger stays as it is
                check_format(db, path)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA fullfsync=ON")
            db.execute(f"PRAGMA wal_autocheckpoint={_JOURNAL_PAGES}")
            db.execute("BEGIN IMMEDIATE")  # takes the lock for good
            if new:
                _create(db)
            db.execute("COMMIT")
        if new:
            _sync_folder(path.parent)
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def connect_reader(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a ledger file that nobody writes, without changing it or anything beside it.

    Raises:
        LedgerError: the file cannot be opened or copied.
    """
    left = [path.with_name(path.name + end) for end in _SIDECARS]
    left = [item for item in left if item.exists() and item.stat().st_size]
    with ExitStack() as stack:
        with reported(f"{path} cannot be opened"):
            uri = _uri(path, "mode=ro&immutable=1")
            if left:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="karat-verify-"))
                for item in [path, *left]:
                    shutil.copyfile(item, Path(folder) / item.name)
                uri = _uri(Path(folder) / path.name, "mode=rw")
            db = stack.enter_context(closing(sqlite3.connect(uri, uri=True, isolation_level=None)))
        db.text_factory = _text
        yield db


def check_format(db: sqlite3.Connection, path: Path) -> None:
    """Raise LedgerError unless the file says that it is a ledger of this format."""
    found = db.execute("PRAGMA application_id").fetchone()[0], db.execute("PRAGMA user_version").fetchone()[0]
    if found != (APPLICATION_ID, FORMAT):
        raise LedgerError(
            f"{path} is no karat ledger of format {FORMAT} (application id {found[0]:#x}, format {found[1]})",
            fix="name a ledger file, or a path where none exists yet",
        )


def check_file(db: sqlite3.Connection) -> None:
    """Check everything of the file that is no row: format, schema, and SQLite's own structure.

    Raises:
        LedgerError: naming the first thing that is wrong.
    """
    check_format(db, Path("the file"))
    schema = dict(db.execute("SELECT name, sql FROM sqlite_master"))
    if schema != SCHEMA:
        odd = sorted((name for name in {*schema, *SCHEMA} if schema.get(name) != SCHEMA.get(name)), key=str)
        raise LedgerError(f"the schema was changed: {', '.join(map(repr, odd))}", fix=_VERIFY)
    found = [row[0] for row in db.execute("PRAGMA integrity_check")]
    if found != ["ok"]:
        raise LedgerError(f"the file's structure is damaged: {found[0]}", fix=_VERIFY)


def write(db: sqlite3.Connection, entries: Sequence[Row], heads: Sequence[Row]) -> None:
    """Write rows in one transaction; when this returns they are on the disk."""
    db.execute("BEGIN IMMEDIATE")
    db.executemany(f"INSERT INTO entry ({ENTRY_COLUMNS}) VALUES (?,?,?,?,?,?,?)", entries)
    if heads:
        db.executemany(f"INSERT INTO head ({HEAD_COLUMNS}) VALUES (?,?,?,?,?,?,?)", heads)
    db.execute("COMMIT")


@contextmanager
def reported(problem: str, *, fix: str = "check the path, the disk and its free space") -> Iterator[None]:
    """Turn what SQLite and the system raise into a LedgerError that says what could not be done."""
    try:
        yield
    except DAMAGE as error:
        raise LedgerError(f"{problem}: {error}", fix=fix) from error


def _create(db: sqlite3.Connection) -> None:
    db.execute(f"PRAGMA application_id={APPLICATION_ID}")
    db.execute(f"PRAGMA user_version={FORMAT}")
    for statement in SCHEMA.values():
        db.execute(statement)


def _sync_folder(folder: Path) -> None:
    """Make the new file's name durable; SQLite syncs the folder for journals only."""
    with reported(f"the folder {folder} cannot be synced"):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _uri(path: Path, options: str) -> str:
    return f"file:{quote(str(path.absolute()))}?{options}"


def _text(raw: bytes) -> str:
    # damaged text must reach the hash check as what it is, not fail in the decoder
    return raw.decode("utf-8", "surrogateescape")
