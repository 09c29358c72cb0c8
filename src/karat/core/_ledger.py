"""The ledger: an append-only, hash-chained log with Merkle heads, in one SQLite file with one writer.

Research writes data hashes, splits, openings of `Test`, trials and verdicts into it; a desk writes decisions, orders
and fills. An entry that `append` returned survives a kill and a power cut. Whoever edits the file is found by
`verify`; whoever rebuilds all of it is found by a head that was exported before.

Invariants:
1. Entries are numbered from 0 without gaps; nothing already written is altered or removed.
2. An entry is acknowledged after it is on the disk; a write that failed is not tried again, and after it the ledger
   takes no more until it is opened anew.
3. One key has one kind and payload for ever: `append_once` returns what is there, or refuses.
4. A head is stored at every 1024th entry and on close.

It does not hide anything: payloads are plain text. It does not stop an edit: it makes one visible.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from karat._words import counted
from karat.core._chain import Tip, entry_fault, recover
from karat.core._errors import InputError, LedgerError
from karat.core._lock import Note, ProcessLock
from karat.core._merkle import consistency_proof, inclusion_proof, leaf_hash
from karat.core._records import ROLES, Draft, Entry, Head, VerifyReport, as_heads, draft, write_head
from karat.core._store import DAMAGE, ENTRY_COLUMNS, Row, connect_writer, reported, write
from karat.core._time import now_ns
from karat.core._verify import verify_connection

_PAGE = 1000
_RESTORE = "run `karat verify`, then restore the file from a backup"


class Ledger:
    """An open ledger; make one with `Ledger.open`, in a `with` block. Threads may share it, processes may not.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder) / "research.db") as ledger:
        ...     entry = ledger.append("trial", {"loss": 0.25})
        ...     again = ledger.append_once("run-1/cell-1", "opening", {"alpha": 0.05})
        ...     (entry.seq, again.seq, len(ledger), ledger.verify().ok)
        (0, 1, 2, True)
    """

    def __init__(self, path: Path, role: str, lock: ProcessLock, db: sqlite3.Connection) -> None:
        self.path, self.role = path, role
        self._lock, self._db = lock, db
        self._owner = os.getpid()
        self._turn = threading.RLock()
        self._stopped: str | None = None  # why nothing more may be written
        self._open = True
        self._tip = recover(db, role)

    @classmethod
    def open(cls, path: Path | str, *, role: str = "research") -> Self:
        """Open the ledger at `path` for writing, making it and its folder if there is none.

        Raises:
            InputError: an unknown role.
            LedgerError: in use by another process (named), no ledger, of another role, damaged, or not writable.
        """
        if role not in ROLES:
            raise InputError("role", role, allowed=ROLES)
        path = Path(path)
        with reported(f"the folder {path.parent} cannot be made"):
            path.parent.mkdir(parents=True, exist_ok=True)
        lock = ProcessLock(path)
        try:
            db = connect_writer(path)
            try:
                with reported(f"{path} cannot be read", fix=_RESTORE):
                    ledger = cls(path, role, lock, db)
                    ledger._check_acknowledged(lock.note)
            except BaseException:
                db.close()
                raise
        except BaseException:
            lock.release()
            raise
        return ledger

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self._tip.size

    def append(self, kind: str, payload: Mapping[str, Any]) -> Entry:
        """Write one entry and return it when it is on the disk.

        Raises:
            InputError: a kind or payload that cannot be written.
            LedgerError: the ledger cannot be written.
        """
        return _entry(self._commit([draft(kind, payload)])[0])

    def extend(self, items: Iterable[tuple[str, Mapping[str, Any]]]) -> range:
        """Write (kind, payload) pairs in one transaction, all or none; return their sequence numbers.

        Raises:
            InputError: a kind or payload that cannot be written; then none is.
            LedgerError: the ledger cannot be written.
        """
        drafts = [draft(kind, payload) for kind, payload in items]
        rows = self._commit(drafts) if drafts else []
        return range(rows[0][0], rows[-1][0] + 1) if rows else range(0)

    def append_once(self, key: str, kind: str, payload: Mapping[str, Any]) -> Entry:
        """Write an entry under a key that is used once; where it is there already, return it.

        Raises:
            InputError: a key, kind or payload that cannot be written.
            LedgerError: the key holds another kind or payload, or the ledger cannot be written.
        """
        new = draft(kind, payload, key)
        with self._turn:
            row = self._row("key = ?", key)
            if row is None:
                return _entry(self._commit([new])[0])
        if (row[2], row[4]) != (new.kind, new.text):
            raise LedgerError(
                f"key {key!r} already holds another kind or payload, in entry {row[0]}",
                fix="what was written stays; use another key",
            )
        return _entry(row)

    def find(self, key: str) -> Entry | None:
        """Return the entry under a key, None if there is none.

        Raises:
            LedgerError: the entry was changed, or the file cannot be read.
        """
        row = self._row("key = ?", key)
        return None if row is None else _entry(row)

    def entries(self, kind: str | None = None, *, start: int = 0) -> Iterator[Entry]:
        """Yield the entries that are there now, in order, each checked against its hash; `kind` keeps one kind.

        Raises:
            LedgerError: an entry was changed, or the file cannot be read.
        """
        end = self._tip.size
        while start < end:
            # pages instead of one open cursor: appending while reading stays possible
            with self._reading() as db:
                where, values = ("AND kind = ?", [kind]) if kind is not None else ("", [])
                query = f"SELECT {ENTRY_COLUMNS} FROM entry WHERE seq >= ? AND seq < ? {where} ORDER BY seq LIMIT ?"
                rows = db.execute(query, [start, end, *values, _PAGE]).fetchall()
            for row in rows:
                yield _entry(row)
            start = rows[-1][0] + 1 if len(rows) == _PAGE else end

    def head(self) -> Head:
        """Return size, Merkle root and last hash now."""
        return self._tip.head(now_ns())

    def export_head(self, path: Path | str) -> Head:
        """Write the head as JSON to `path` and return it; keep it where nobody who edits the ledger can write.

        Raises:
            LedgerError: the file cannot be written.
        """
        head = self.head()
        write_head(head, Path(path))
        return head

    def verify(self, heads: Iterable[Head | Mapping[str, Any] | Path | str] = ()) -> VerifyReport:
        """Check every entry and stored head, the file, and that exported heads were taken of these entries.

        Raises:
            InputError: something that is no exported head.
            LedgerError: the ledger is closed.
        """
        known = as_heads(heads)
        with self._reading() as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.execute("PRAGMA shrink_memory")  # read pages from the file again, not from the cache
            return verify_connection(db, known, Note(self._tip.size, self._tip.last_hash))

    def inclusion_proof(self, seq: int, size: int | None = None) -> tuple[str, ...]:
        """Return the audit path (hex) of entry `seq` in the tree of the first `size` entries; see `Head.includes`.

        Raises:
            InputError: a size or sequence number outside the ledger.
        """
        return tuple(node.hex() for node in inclusion_proof(self._leaves(size), seq))

    def consistency_proof(self, old_size: int, size: int | None = None) -> tuple[str, ...]:
        """Return the proof (hex) that the first `old_size` entries are a prefix; see `Head.extends`.

        Raises:
            InputError: sizes outside the ledger.
        """
        return tuple(node.hex() for node in consistency_proof(self._leaves(size), old_size))

    def close(self) -> None:
        """Store a head, close the file and give the lock back; a second call does nothing.

        Raises:
            LedgerError: the head cannot be written.
        """
        with self._turn:
            if not self._open or os.getpid() != self._owner:  # in a forked child the file is the parent's to close
                return
            try:
                if self._stopped is None and self._tip.size > self._tip.head_size:
                    self._seal()
            finally:
                self._open = False
                self._db.close()
                self._lock.release()

    def _commit(self, drafts: Sequence[Draft]) -> list[Row]:
        with self._turn:
            self._check_usable(writing=True)
            tip = self._tip.copy()
            rows, heads = tip.link(drafts, now_ns())
            self._write(rows, heads, tip)
        return rows

    def _seal(self) -> None:
        self._check_usable(writing=True)
        tip = self._tip.copy()
        self._write([], [tip.seal(now_ns())], tip)

    def _write(self, rows: Sequence[Row], heads: Sequence[Row], tip: Tip) -> None:
        try:
            write(self._db, rows, heads)
            self._tip = tip
            self._lock.remember(Note(tip.size, tip.last_hash))
        except DAMAGE as error:
            self._stopped = f"an earlier write failed ({error})"
            self._roll_back()
            raise LedgerError(
                f"writing to {self.path} failed: {error}",
                fix="nothing was retried; check the disk, then open the ledger again to see what it holds",
            ) from error
        except BaseException:
            # interrupted from outside, perhaps after the commit: ask the file what it holds
            self._stopped = "a write was interrupted"
            self._roll_back()
            self._tip = recover(self._db, self.role)
            self._stopped = None
            raise

    def _roll_back(self) -> None:
        # the failure that led here is what is reported; a transaction left open dies with the connection
        with suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _check_usable(self, *, writing: bool) -> None:
        if os.getpid() != self._owner:
            raise LedgerError(
                f"{self.path} was opened by process {self._owner} and is used in process {os.getpid()}",
                fix="write to the ledger in the process that opened it",
            )
        if not self._open:
            raise LedgerError(f"{self.path} is closed", fix="open it again")
        if writing and self._stopped is not None:
            raise LedgerError(
                f"{self.path} takes no more entries: {self._stopped}", fix="open it again to see what it holds"
            )

    def _check_acknowledged(self, note: Note | None) -> None:
        if note is None:
            return
        size, lock = self._tip.size, self.path.name + ".lock"
        if note.size > size:
            raise LedgerError(
                f"{counted(note.size, 'entry')} acknowledged, {size} there: the tail was cut",
                first_bad=size,
                fix=f"restore the file; if you put an older copy there on purpose, delete {lock}",
            )
        row = self._row("seq = ?", note.size - 1)
        if row is None or row[6] != note.last_hash:
            raise LedgerError(
                f"entry {note.size - 1} is not the one that was acknowledged",
                first_bad=note.size - 1,
                fix=f"restore the file; if you put another ledger there on purpose, delete {lock}",
            )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        self._check_usable(writing=False)
        with self._turn, reported(f"{self.path} cannot be read", fix=_RESTORE):
            yield self._db

    def _row(self, where: str, value: str | int) -> Row | None:
        with self._reading() as db:
            row: Row | None = db.execute(f"SELECT {ENTRY_COLUMNS} FROM entry WHERE {where}", (value,)).fetchone()
        return row

    def _leaves(self, size: int | None) -> list[bytes]:
        end = len(self) if size is None else size
        if not 0 <= end <= len(self):
            raise InputError("size", size, allowed=f"0 to {len(self)}")
        with self._reading() as db:
            rows = db.execute("SELECT hash FROM entry WHERE seq < ? ORDER BY seq", (end,))
            return [leaf_hash(bytes.fromhex(row[0])) for row in rows]


def _entry(row: Row) -> Entry:
    fault = entry_fault(row)
    if fault is not None:
        raise LedgerError(f"entry {row[0]} {fault}", first_bad=row[0], fix=_RESTORE)
    seq, ts_ns, kind, key, text, prev_hash, digest = row
    return Entry(seq, ts_ns, kind, key, json.loads(text), prev_hash, digest)
