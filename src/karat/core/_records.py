"""What a ledger holds: entries, heads and the report of a check, and how each is hashed.

    hash(entry) = SHA-256 of the UTF-8 text  [seq,ts_ns,kind,key,payload,prev_hash]
    hash(head)  = SHA-256 of the UTF-8 text  ["head",size,root,last_hash,ts_ns,frontier,prev_hash]

Both texts are canonical JSON, and the payload stands in it as it is stored. The first entry's and the first head's
`prev_hash` is the SHA-256 of "karat ledger 1 ROLE", so that a ledger of one role is never taken for another.

Invariants:
1. Every stored column of an entry and of a head is part of its hash; no two different rows have the same text.
2. Equal payloads have equal stored text; NaN, infinities and anything that is no JSON are refused.
3. An exported head is JSON {size, root, last_hash, ts}; it is written whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from karat._words import counted
from karat.core._errors import InputError, LedgerError
from karat.core._hashing import canonical_json
from karat.core._merkle import leaf_hash, verify_consistency, verify_inclusion

ROLES: Final = ("research", "paper", "live")
GENESIS: Final = {role: hashlib.sha256(f"karat ledger 1 {role}".encode()).hexdigest() for role in ROLES}
HEAD_INTERVAL: Final = 1024
MAX_PAYLOAD_BYTES: Final = 8 * 2**20
_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAX_KEY = 512


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger: `seq` counts from 0, `ts_ns` is when it was written (UTC ns), `key` is unique or None."""

    seq: int
    ts_ns: int
    kind: str
    key: str | None
    payload: dict[str, Any]
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """The state of a ledger in three values: number of entries, Merkle root and last entry's hash (both hex).

    `ts_ns` says when the head was taken and takes no part in comparisons.
    """

    size: int
    root: str
    last_hash: str
    ts_ns: int = field(default=0, compare=False)

    def to_dict(self) -> dict[str, object]:
        """Return {size, root, last_hash, ts}, the form in which a head is exported."""
        return {"size": self.size, "root": self.root, "last_hash": self.last_hash, "ts": self.ts_ns}

    def includes(self, entry: Entry, proof: Sequence[str]) -> bool:
        """Return whether `proof` (hex, of `Ledger.inclusion_proof`) shows that the entry is under this head."""
        try:
            path = [bytes.fromhex(item) for item in proof]
            leaf = leaf_hash(bytes.fromhex(entry.hash))
        except ValueError:
            return False
        return verify_inclusion((entry.seq, leaf), (self.size, bytes.fromhex(self.root)), path)

    def extends(self, old: Head, proof: Sequence[str]) -> bool:
        """Return whether `proof` (hex, of `Ledger.consistency_proof`) shows that the log under `old` only grew."""
        try:
            path = [bytes.fromhex(item) for item in proof]
        except ValueError:
            return False
        return verify_consistency((old.size, bytes.fromhex(old.root)), (self.size, bytes.fromhex(self.root)), path)

    @classmethod
    def from_dict(cls, facts: object, *, source: str = "head") -> Head:
        """Return the head of exported facts.

        Raises:
            InputError: facts that are not {size, root, last_hash, ts}.
        """
        if isinstance(facts, Mapping) and set(facts) == {"size", "root", "last_hash", "ts"}:
            size, root, last, ts = facts["size"], facts["root"], facts["last_hash"], facts["ts"]
            digests = all(isinstance(text, str) and _DIGEST.fullmatch(text) for text in (root, last))
            if type(size) is int and size >= 0 and type(ts) is int and digests:
                return cls(size, root, last, ts)
        raise InputError(
            source,
            facts,
            allowed='{"size": n, "root": 64 hex digits, "last_hash": 64 hex digits, "ts": ns}',
            why="this is no exported head",
            fix="export one with Ledger.export_head",
        )


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a check found: `size` entries are good and have the Merkle root `root`.

    Where `ok` is False, `problem` says why in plain words and `first_bad` names the first entry that is not what was
    written (None where the damage is outside the entries).
    """

    ok: bool
    size: int
    root: str
    first_bad: int | None = None
    problem: str | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the facts for machine-readable output."""
        return asdict(self)


class Draft(NamedTuple):
    """A checked entry that has no place in the ledger yet; `text` is the payload as it will be stored."""

    kind: str
    key: str | None
    text: str


def draft(kind: str, payload: Mapping[str, Any], key: str | None = None) -> Draft:
    """Return the checked entry.

    Raises:
        InputError: a kind or key outside its form, a payload that is no JSON object, has NaN or is too large.
    """
    if not (isinstance(kind, str) and _is_kind(kind)):
        raise InputError("kind", kind, allowed="a small letter, then at most 63 of a-z 0-9 _ . -")
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= _MAX_KEY and key.isprintable()):
        raise InputError("key", key, allowed=f"1 to {_MAX_KEY} printable characters")
    return Draft(kind, key, payload_text(payload))


def payload_text(payload: Mapping[str, Any]) -> str:
    """Return the canonical JSON of a payload.

    Raises:
        InputError: no mapping, content that is no JSON, NaN or infinity, more than 8 MiB.
    """
    if not isinstance(payload, dict):  # asked first: the check for any mapping costs as much as the rest
        if not isinstance(payload, Mapping):
            raise InputError("payload", payload, allowed="a mapping of names to JSON values")
        payload = dict(payload)
    text = canonical_json(payload, field="payload")
    if len(text) > MAX_PAYLOAD_BYTES // 4 and len(text.encode()) > MAX_PAYLOAD_BYTES:
        raise InputError(
            "payload",
            counted(len(text.encode()), "byte"),
            allowed=f"at most {MAX_PAYLOAD_BYTES} bytes of JSON",
            fix="store large content in the catalog and write its hash here",
        )
    return text


def entry_hash(seq: int, ts_ns: int, kind: str, key: str | None, rest: tuple[str, str]) -> str:
    """Return the hash of an entry; `rest` is (payload text, previous hash)."""
    text, prev_hash = rest
    body = f'[{seq},{ts_ns},{quoted(kind)},{quoted(key)},{text},"{prev_hash}"]'
    return hashlib.sha256(body.encode("utf-8", "surrogateescape")).hexdigest()


def head_hash(head: Head, frontier: str, prev_hash: str) -> str:
    """Return the hash of a stored head."""
    row = ["head", head.size, head.root, head.last_hash, head.ts_ns, frontier, prev_hash]
    return hashlib.sha256(quoted(row).encode("utf-8", "surrogateescape")).hexdigest()


def write_head(head: Head, path: Path) -> None:
    """Write an exported head durably, whole or not at all.

    Raises:
        LedgerError: the file cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", encoding="utf-8") as stream:
            stream.write(canonical_json(head.to_dict()) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError as error:
        raise LedgerError(f"the head cannot be written to {path}: {error}", fix="choose a writable path") from error


def read_head(path: Path | str) -> Head:
    """Return the head in an exported file.

    Raises:
        InputError: a file that is missing or holds no exported head.
    """
    try:
        facts = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("head", str(path), why=str(error), fix="name a file written by Ledger.export_head") from None
    return Head.from_dict(facts, source=f"head {path}")


def as_heads(heads: Iterable[Head | Mapping[str, Any] | Path | str]) -> list[Head]:
    """Return heads, given as records, exported facts or files, in order of size."""
    found = []
    for item in heads:
        if isinstance(item, Path | str):
            found.append(read_head(item))
        else:
            found.append(item if isinstance(item, Head) else Head.from_dict(item))
    return sorted(found, key=lambda head: head.size)


@lru_cache(maxsize=256)  # a ledger has few kinds and many entries
def _is_kind(kind: str) -> bool:
    return _KIND.fullmatch(kind) is not None


def quoted(value: Any) -> str:
    """Return JSON as the hashed texts hold it; damaged text passes, to fail at the hash."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
