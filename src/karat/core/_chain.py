"""The chain and the tree while they grow, and the checks of one row: what writing, reopening and verifying share.

Invariants:
1. An entry is good when its columns have their types, its number follows, its `prev_hash` is the hash before it and
   its hash is that of its columns.
2. A stored head is good when it follows the stored head before it and repeats size, root, last hash and frontier of
   the entries it stands for.
3. A `Tip` advanced entry by entry equals the one recovered from the stored heads and the entries after them.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing

from karat.core._errors import InputError, LedgerError
from karat.core._merkle import Frontier, leaf_hash
from karat.core._records import GENESIS, HEAD_INTERVAL, Draft, Head, entry_hash, head_hash, quoted
from karat.core._store import ENTRY_COLUMNS, HEAD_COLUMNS, Row

_RESTORE = "run `karat verify`, then restore the file from a backup"
_ENTRY_TYPES = ((int,), (int,), (str,), (str, type(None)), (str,), (str,), (str,))
_HEAD_TYPES = ((int,), (str,), (str,), (int,), (str,), (str,), (str,))


class Tip:
    """The end of a ledger: frontier and last hash of the entries, size and hash of the last stored head."""

    __slots__ = ("frontier", "head_hash", "head_size", "last_hash")

    def __init__(self, role: str) -> None:
        self.frontier = Frontier()
        self.last_hash = self.head_hash = GENESIS[role]
        self.head_size = 0

    @property
    def size(self) -> int:
        """Return the number of entries."""
        return self.frontier.size

    def copy(self) -> Tip:
        """Return an independent tip at the same place."""
        twin = object.__new__(Tip)
        twin.frontier, twin.last_hash = self.frontier.copy(), self.last_hash
        twin.head_hash, twin.head_size = self.head_hash, self.head_size
        return twin

    def head(self, ts_ns: int) -> Head:
        """Return the head of the entries so far."""
        return Head(self.size, self.frontier.root().hex(), self.last_hash, ts_ns)

    def link(self, drafts: Sequence[Draft], ts_ns: int) -> tuple[list[Row], list[Row]]:
        """Append drafts; return the rows of the entries, and of the heads that fell due on the way."""
        rows: list[Row] = []
        heads: list[Row] = []
        seq, prev = self.size, self.last_hash
        add, sha, kinds = self.frontier.add, hashlib.sha256, {item.kind: quoted(item.kind) for item in drafts}
        for kind, key, text in drafts:
            # the body of `entry_hash`, inlined: this loop is most of the time of a batch
            name = "null" if key is None else quoted(key)
            digest = sha(f'[{seq},{ts_ns},{kinds[kind]},{name},{text},"{prev}"]'.encode())
            last = digest.hexdigest()
            rows.append((seq, ts_ns, kind, key, text, prev, last))
            add(sha(b"\x00" + digest.digest()).digest())
            prev, seq = last, seq + 1
            if seq % HEAD_INTERVAL == 0:
                self.last_hash = prev
                heads.append(self.seal(ts_ns))
        self.last_hash = prev
        return rows, heads

    def seal(self, ts_ns: int) -> Row:
        """Return the row of a stored head of the entries so far."""
        head, frontier, prev = self.head(ts_ns), self.frontier.hex(), self.head_hash
        self.head_size, self.head_hash = head.size, head_hash(head, frontier, prev)
        return (head.size, head.root, head.last_hash, ts_ns, frontier, prev, self.head_hash)

    def follow(self, row: Row) -> None:
        """Advance over a stored entry.

        Raises:
            LedgerError: naming the first bad entry.
        """
        seq, size = row[0], self.size
        if seq != size:
            gap = type(seq) is int and seq > size
            what = f"entry {size} is missing" if gap else f"entry {seq!r} stands where {size} should"
            raise LedgerError(what, first_bad=size, fix=_RESTORE)
        fault = entry_fault(row)
        if fault is None and row[5] != self.last_hash:
            # the row agrees with itself, so it is the one before it that was exchanged, hash and all
            bad = max(size - 1, 0)
            fault = "is not the one that its successor was chained to" if size else "does not start a ledger"
            raise LedgerError(f"entry {bad} {fault}", first_bad=bad, fix=_RESTORE)
        if fault is not None:
            raise LedgerError(f"entry {size} {fault}", first_bad=size, fix=_RESTORE)
        self.last_hash = row[6]
        self.frontier.add(leaf_hash(bytes.fromhex(row[6])))

    def follow_all(self, db: sqlite3.Connection, each: Callable[[], None] | None = None) -> None:
        """Advance over every stored entry from here on, calling `each` after each.

        Raises:
            LedgerError: naming the first bad entry.
        """
        query = f"SELECT {ENTRY_COLUMNS} FROM entry WHERE seq >= ? ORDER BY seq"
        # closed here: a statement left open by an error would keep the file locked after the connection's close
        with closing(db.execute(query, (self.size,))) as rows:
            for row in rows:
                self.follow(row)
                if each is not None:
                    each()

    def follow_head(self, row: Row) -> Head:
        """Return the next stored head, after checking it against itself and the head before it.

        Raises:
            LedgerError: a head that was changed.
        """
        head = parse_head(row)
        _frontier(head, row[4])
        if row[5] != self.head_hash:
            raise LedgerError(f"the stored head before that of size {head.size} was exchanged", fix=_RESTORE)
        self.head_size, self.head_hash = head.size, row[6]
        return head


def entry_fault(row: Row) -> str | None:
    """Return what is wrong with a stored entry taken alone, None if nothing."""
    if any(type(value) not in allowed for value, allowed in zip(row, _ENTRY_TYPES, strict=True)):
        return "was changed: a column has another type"
    seq, ts_ns, kind, key, text, prev, digest = row
    if entry_hash(seq, ts_ns, kind, key, (text, prev)) != digest:
        return "was changed: its hash is not that of its columns"
    return None


def parse_head(row: Row) -> Head:
    """Return the stored head in a row.

    Raises:
        LedgerError: columns that do not give its hash.
    """
    typed = all(type(value) in allowed for value, allowed in zip(row, _HEAD_TYPES, strict=True))
    head = Head(*row[:4])
    if not typed or head_hash(head, row[4], row[5]) != row[6]:
        raise LedgerError(f"the stored head of size {row[0]!r} was changed", fix=_RESTORE)
    return head


def recover(db: sqlite3.Connection, role: str) -> Tip:
    """Return the tip of a stored ledger: the last stored head, then every entry after it, checked.

    Raises:
        LedgerError: a damaged head, a bad entry after it, or a ledger of another role.
    """
    tip = Tip(role)
    first = db.execute("SELECT prev_hash FROM entry WHERE seq = 0").fetchone()
    if first is not None and first[0] != tip.last_hash:
        theirs = next((name for name, digest in GENESIS.items() if digest == first[0]), None)
        problem = f"this is a {theirs} ledger, opened as {role}" if theirs else "entry 0 does not start a ledger"
        fix = f"open it with role={theirs!r}" if theirs else _RESTORE
        raise LedgerError(problem, first_bad=None if theirs else 0, fix=fix)
    row = db.execute(f"SELECT {HEAD_COLUMNS} FROM head ORDER BY size DESC LIMIT 1").fetchone()
    if row is not None:
        head = parse_head(row)
        last = db.execute("SELECT hash FROM entry WHERE seq = ?", (head.size - 1,)).fetchone()
        if last is None or last[0] != head.last_hash:
            what = "is missing" if last is None else "was exchanged"
            raise LedgerError(f"entry {head.size - 1} {what}", first_bad=head.size - 1, fix=_RESTORE)
        tip.frontier, tip.last_hash = _frontier(head, row[4]), head.last_hash
        tip.head_size, tip.head_hash = head.size, row[6]
    tip.follow_all(db)
    return tip


def _frontier(head: Head, text: str) -> Frontier:
    try:
        frontier = Frontier.from_hex(head.size, text)
    except InputError:
        frontier = Frontier()
    if frontier.root().hex() != head.root:
        raise LedgerError(f"the stored head of size {head.size} contradicts itself", fix=_RESTORE)
    return frontier
