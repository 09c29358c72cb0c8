"""One writer process for a ledger: a lock file beside it, which also remembers the last acknowledged entry.

The lock is a POSIX record lock. The kernel drops it when the process ends, however it ends, and a forked child does
not inherit it, so a worker that outlives a killed parent cannot keep the ledger locked. The file's text is not the
lock: it names the holder, and the size and last hash that were acknowledged, written after each commit. It is not
synced, so after a power cut it may be older than the ledger, never newer: a ledger shorter than its lock file says
has lost acknowledged entries.

Invariants:
1. At most one lock a path and process, and one process a path.
2. A refused lock names the process that holds it.
3. The acknowledged size is written after the entries are durable, never before.
"""

from __future__ import annotations

import importlib
import json
import os
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

from karat.core._errors import EnvironmentProblem, LedgerError

_WIDTH = 192  # the text is padded to one length so that one write replaces all of it
_HELD: Final[weakref.WeakValueDictionary[str, ProcessLock]] = weakref.WeakValueDictionary()
_GUARD: Final = threading.Lock()


class Note(NamedTuple):
    """The last acknowledged state of a ledger: number of entries and last hash."""

    size: int
    last_hash: str


class ProcessLock:
    """The lock on one ledger path, held until `release`; `note` is what the file said when it was taken.

    A `reader` makes no lock file: where there is none, or it cannot be written, it goes on without the lock, because
    then no writer of this machine's karat can be at work there either.
    """

    def __init__(self, path: Path, *, reader: bool = False) -> None:
        fcntl = _posix()
        self._path, self._owner, self._name = path, os.getpid(), os.path.realpath(lock_path(path))
        with _GUARD:
            other = _HELD.get(self._name)
            if other is not None and other._owner == self._owner:
                # POSIX locks do not exclude their own process, and closing any handle of the file would drop them
                raise _in_use(path, self._owner)
            self._file = _open(lock_path(path), reader=reader)
            if self._file is not None:
                # also where a ledger is dropped without `close`: a handle left open would keep others out
                self._closer = weakref.finalize(self, os.close, self._file)
            facts = _facts(lock_path(path) if self._file is None else self._file)
            self.note = _noted(facts)
            if self._file is not None:
                self._take(fcntl, self._file, facts)
            _HELD[self._name] = self

    def remember(self, note: Note) -> None:
        """Write the acknowledged state.

        Raises:
            OSError: the file cannot be written.
        """
        facts = {"pid": self._owner, "size": note.size, "last_hash": note.last_hash}
        if self._file is not None:
            os.pwrite(self._file, json.dumps(facts).ljust(_WIDTH - 1).encode() + b"\n", 0)

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        with _GUARD:
            if self._file is not None:
                self._closer()
            self._file = None
            if _HELD.get(self._name) is self:
                del _HELD[self._name]

    def _take(self, fcntl: ModuleType, file: int, facts: Mapping[str, Any]) -> None:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._closer()
            if isinstance(error, BlockingIOError | PermissionError):
                raise _in_use(self._path, facts.get("pid")) from None
            raise LedgerError(f"{self._path} cannot be locked: {error}", fix="use a file system with locks") from error
        self.note = _noted(_facts(file))  # read again: only now can nobody else write it
        self.remember(self.note or Note(0, ""))


def lock_path(path: Path) -> Path:
    """Return the lock file of a ledger."""
    return path.with_name(path.name + ".lock")


def _open(path: Path, *, reader: bool) -> int | None:
    if reader and not os.access(path, os.W_OK):
        return None
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LedgerError(
            f"the lock file {path} cannot be opened: {error.strerror}", fix="choose a path in a writable folder"
        ) from error


def _facts(source: Path | int) -> Mapping[str, Any]:
    try:
        facts = json.loads(source.read_bytes() if isinstance(source, Path) else os.pread(source, _WIDTH, 0))
    except (OSError, ValueError):  # absent, new, or cut by a power failure: it says nothing
        return {}
    return facts if isinstance(facts, dict) else {}


def _noted(facts: Mapping[str, Any]) -> Note | None:
    size, last_hash = facts.get("size"), facts.get("last_hash")
    return Note(size, last_hash) if type(size) is int and size > 0 and isinstance(last_hash, str) else None


def _in_use(path: Path, pid: object) -> LedgerError:
    who = "unknown" if pid is None else pid
    me = " (this one)" if pid == os.getpid() else ""
    return LedgerError(
        f"{path} is in use by process {who}{me}", fix="a ledger has one writer process: wait for it to end, or close it"
    )


def _posix() -> ModuleType:
    try:
        return importlib.import_module("fcntl")
    except ModuleNotFoundError:
        raise EnvironmentProblem(
            "ledger: this system has no POSIX file locks; run karat on Linux, macOS or in WSL"
        ) from None
