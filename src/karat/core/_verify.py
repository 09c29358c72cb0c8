"""Is a ledger what was written? Every entry, every stored head, the file itself, and heads kept elsewhere.

The checks run from the inside out, and the first that fails is reported: entries (types, numbers, chain), stored
heads (Merkle roots), format, schema and page structure, the size that was acknowledged to the writer, exported heads.
An edit that rebuilds chain, tree and stored heads is a different, consistent ledger: only a head that was exported
before can tell, so export heads to where the editor cannot write.

Invariants:
1. One byte changed in any stored column is reported, with the entry's number where it is an entry's.
2. A deleted entry, a cut tail and a rewritten log are reported, the last two against a head from outside the file.
3. A damaged file gives a report, never an exception of SQLite.
4. Verifying changes nothing, but for the name of the holder in the lock file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from karat._words import counted
from karat.core._chain import Tip
from karat.core._errors import InputError, LedgerError
from karat.core._lock import Note, ProcessLock
from karat.core._records import GENESIS, HEAD_INTERVAL, Head, VerifyReport, as_heads
from karat.core._store import DAMAGE, HEAD_COLUMNS, Row, check_file, connect_reader

_RESTORE = "restore the file from a backup"


def verify_ledger(path: Path | str, heads: Iterable[Head | Mapping[str, Any] | Path | str] = ()) -> VerifyReport:
    """Check the ledger file at `path`, which no process may be writing, against itself and against exported heads.

    A file that is damaged, even beyond opening, gives a report that is not ok.

    Raises:
        InputError: no such file, or something that is no exported head.
        LedgerError: the ledger is in use by a process, which the message names.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("ledger", str(path), why="there is no such file", fix="name the ledger of a workspace")
    known = as_heads(heads)
    lock = ProcessLock(path, reader=True)
    try:
        with connect_reader(path) as db:
            return verify_connection(db, known, lock.note)
    except LedgerError as error:  # not even to be opened
        return VerifyReport(False, 0, Tip("research").head(0).root, error.first_bad, error.problem)
    finally:
        lock.release()


def verify_connection(db: sqlite3.Connection, heads: Sequence[Head], note: Note | None) -> VerifyReport:
    """Check the ledger behind an open connection; `heads` in order of size, `note` the acknowledged state."""
    check = _Check(heads, note)
    try:
        check.run(db)
    except LedgerError as error:
        return VerifyReport(False, check.tip.size, check.tip.head(0).root, error.first_bad, error.problem)
    return VerifyReport(True, check.tip.size, check.tip.head(0).root)


class _Check:
    """One pass over a ledger; `seen` keeps the head at every size that something outside the entries speaks of."""

    def __init__(self, heads: Sequence[Head], note: Note | None) -> None:
        self.exported, self.note = heads, note
        self.tip = Tip("research")
        self.seen: dict[int, Head] = {}

    def run(self, db: sqlite3.Connection) -> None:
        stored: list[Row] = []
        trouble: LedgerError | None = None
        try:
            with _readable("stored heads"):
                stored = db.execute(f"SELECT {HEAD_COLUMNS} FROM head ORDER BY size").fetchall()
        except LedgerError as error:
            trouble = error  # the entries come first: they may name the entry that is bad
        self._entries(db, {row[0] for row in stored})
        if trouble is not None:
            raise trouble
        self._stored_heads(stored)
        with _readable("file"):
            check_file(db)
        self._acknowledged()
        self._exported()

    def _entries(self, db: sqlite3.Connection, sizes: set[object]) -> None:
        wanted = {*sizes, *(head.size for head in self.exported), self.note.size if self.note else 0}
        with _readable("entries", self):
            first = db.execute("SELECT prev_hash FROM entry WHERE seq = 0").fetchone()
            role = next((name for name, digest in GENESIS.items() if first and digest == first[0]), "research")
            self.tip = Tip(role)
            self._see(wanted)
            self.tip.follow_all(db, lambda: self._see(wanted))

    def _see(self, wanted: set[object]) -> None:
        size = self.tip.size
        if size % HEAD_INTERVAL == 0 or size in wanted:
            self.seen[size] = self.tip.head(0)

    def _stored_heads(self, rows: Sequence[Row]) -> None:
        good = 0
        due = iter(range(HEAD_INTERVAL, self.tip.size + 1, HEAD_INTERVAL))
        expected = next(due, None)
        for row in rows:
            head = self.tip.follow_head(row)
            self._compare(head, good, f"the stored head of size {head.size}")
            if expected is not None and head.size >= expected:
                if head.size > expected:
                    break
                expected = next(due, None)
            good = head.size
        if expected is not None:
            raise LedgerError(f"the stored head of size {expected} is missing", fix=_RESTORE)

    def _acknowledged(self) -> None:
        if self.note is not None:
            head = Head(self.note.size, "", self.note.last_hash)
            self._compare(head, 0, f"the lock file, which acknowledged {counted(head.size, 'entry')},")

    def _exported(self) -> None:
        good = 0
        for head in self.exported:
            self._compare(head, good, f"the exported head of size {head.size}")
            good = head.size

    def _compare(self, head: Head, good: int, witness: str) -> None:
        """Raise LedgerError unless the first entries are those that `head` was taken of."""
        size = self.tip.size
        if head.size > size:
            problem = f"{witness} speaks of {counted(head.size - size, 'more entry')}: the tail was cut"
            raise LedgerError(problem, first_bad=size, fix=_RESTORE)
        mine = self.seen[head.size]
        if head.last_hash == mine.last_hash and head.root in ("", mine.root):
            return
        if head.size == 0:
            raise LedgerError(f"{witness} belongs to another ledger", fix=_RESTORE)
        # the heads that agree bound the place; without one the log may differ from its first entry on
        problem = f"{witness} was taken of other entries: from entry {good} on, the log was rewritten"
        raise LedgerError(problem, first_bad=good, fix=_RESTORE)


@contextmanager
def _readable(what: str, check: _Check | None = None) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        bad = check.tip.size if check else None
        raise LedgerError(f"the {what} cannot be read: {error}", first_bad=bad, fix=_RESTORE) from error
