"""The ledger as its writer and readers see it. The numbers in the names are the invariants of the module."""

import errno
import fcntl
import gc
import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from karat.core import (
    Entry,
    EnvironmentProblem,
    Head,
    InputError,
    Ledger,
    LedgerError,
    VerifyReport,
    read_head,
    verify_ledger,
)
from karat.core._chain import Tip, recover
from karat.core._records import GENESIS, HEAD_INTERVAL, MAX_PAYLOAD_BYTES

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
KINDS = st.from_regex(r"[a-z][a-z0-9_.-]{0,9}", fullmatch=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "research.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger.open(path) as opened:
        yield opened


def _encodable(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def test_1_entries_are_numbered_and_chained(ledger: Ledger) -> None:
    first = ledger.append("data", {"hash": "ab", "rows": 5})
    second = ledger.append("trial", {"loss": 0.25, "of": [1, None]})
    assert (first.seq, second.seq, len(ledger)) == (0, 1, 2)
    assert first.prev_hash == GENESIS["research"]
    assert second.prev_hash == first.hash
    assert list(ledger.entries()) == [first, second]
    assert second.payload == {"loss": 0.25, "of": [1, None]}
    assert 0 < first.ts_ns <= second.ts_ns


def test_1_the_hash_is_the_documented_text(ledger: Ledger) -> None:
    import hashlib  # the one place where the text is spelt out by hand

    entry = ledger.append_once("run/é", "opening", {"b": 1.5, "a": "ü"})
    text = f'[0,{entry.ts_ns},"opening","run/é",{{"a":"ü","b":1.5}},"{GENESIS["research"]}"]'
    assert entry.hash == hashlib.sha256(text.encode()).hexdigest()


def test_1_reopening_goes_on_where_it_ended(path: Path) -> None:
    for number in range(4):
        with Ledger.open(path) as ledger:
            assert len(ledger) == number
            ledger.append("run", {"number": number})
    with Ledger.open(path) as ledger:
        assert [entry.payload["number"] for entry in ledger.entries()] == [0, 1, 2, 3]
        assert ledger.verify().ok


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(kind=KINDS, payload=st.dictionaries(st.text(), JSON, max_size=5))
def test_1_any_json_comes_back_as_it_went_in(ledger: Ledger, kind: str, payload: dict[str, Any]) -> None:
    if _encodable(payload):
        entry = ledger.append(kind, payload)
        assert next(ledger.entries(start=entry.seq)) == entry
        assert entry.payload == payload
    else:
        with pytest.raises(InputError, match="allowed: JSON without NaN or infinity"):
            ledger.append(kind, payload)


@pytest.mark.parametrize("sizes", [[1], [1023], [1024], [1025], [1, 1023], [3000, 1, 47], [1024, 1024]])
def test_4_heads_are_stored_at_every_1024th_entry_and_on_close(path: Path, sizes: list[int]) -> None:
    for size in sizes:
        with Ledger.open(path) as ledger:
            before = len(ledger)
            assert ledger.extend(("e", {"i": i}) for i in range(size)) == range(before, before + size)
    db = sqlite3.connect(path)
    stored = [row[0] for row in db.execute("SELECT size FROM head ORDER BY size")]
    recovered = recover(db, "research")
    whole = Tip("research")
    for row in db.execute("SELECT seq, ts_ns, kind, key, payload, prev_hash, hash FROM entry ORDER BY seq"):
        whole.follow(row)
    db.close()
    total = sum(sizes)
    closes = {sum(sizes[: n + 1]) for n in range(len(sizes))}
    assert stored == sorted(closes | set(range(HEAD_INTERVAL, total + 1, HEAD_INTERVAL)))
    assert recovered.frontier.nodes == whole.frontier.nodes
    assert (recovered.last_hash, recovered.size) == (whole.last_hash, total)
    assert verify_ledger(path) == VerifyReport(True, total, whole.frontier.root().hex())


def test_4_closing_without_news_stores_no_head(path: Path) -> None:
    for _ in range(3):
        with Ledger.open(path) as ledger:
            if not len(ledger):
                ledger.append("e", {})
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(*) FROM head").fetchone() == (1,)
    db.close()


def test_2_a_batch_is_written_whole_or_not_at_all(ledger: Ledger) -> None:
    ledger.append("e", {})
    with pytest.raises(InputError, match="payload: got "):
        ledger.extend([("e", {"i": 1}), ("e", {"i": float("nan")})])
    assert len(ledger) == len(list(ledger.entries())) == 1
    assert list(ledger.extend([])) == []
    assert list(ledger.extend([("e", {"i": 1})])) == [1]


def test_3_one_key_has_one_content_for_ever(path: Path) -> None:
    with Ledger.open(path) as ledger:
        first = ledger.append_once("run/cell", "opening", {"alpha": 0.05, "fold": 1})
        assert ledger.append_once("run/cell", "opening", {"fold": 1, "alpha": 0.05}) == first
    with Ledger.open(path) as ledger:
        assert ledger.append_once("run/cell", "opening", {"alpha": 0.05, "fold": 1}) == first
        for kind, payload in (("opening", {"alpha": 0.1, "fold": 1}), ("trial", {"alpha": 0.05, "fold": 1})):
            with pytest.raises(LedgerError) as caught:
                ledger.append_once("run/cell", kind, payload)
            assert str(caught.value) == (
                "ledger: key 'run/cell' already holds another kind or payload, in entry 0; "
                "what was written stays; use another key"
            )
        assert ledger.find("run/cell") == first
        assert ledger.find("run/other") is None
        assert len(ledger) == 1
        assert ledger.verify().ok


def test_entries_are_filtered_by_kind_and_start_across_pages(ledger: Ledger) -> None:
    ledger.extend(("even" if i % 2 == 0 else "odd", {"i": i}) for i in range(5003))
    assert [entry.payload["i"] for entry in ledger.entries("odd")] == list(range(1, 5003, 2))
    assert [entry.seq for entry in ledger.entries(start=4990)] == list(range(4990, 5003))
    assert list(ledger.entries("none")) == []
    assert [entry.seq for entry in ledger.entries()] == list(range(5003))


def test_appending_while_reading_neither_blocks_nor_shows(ledger: Ledger) -> None:
    ledger.extend(("e", {"i": i}) for i in range(3))
    for entry in ledger.entries():
        ledger.append("copy", entry.payload)
    assert len(ledger) == 6


def test_threads_share_one_ledger(ledger: Ledger) -> None:
    def work(name: str) -> None:
        for i in range(40):
            ledger.append("e", {"name": name, "i": i})
            ledger.append_once(f"shared-{i}", "once", {"i": i})

    threads = [threading.Thread(target=work, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger) == 4 * 40 + 40
    assert ledger.verify().ok


def test_head_proofs_show_inclusion_and_growth(ledger: Ledger, tmp_path: Path) -> None:
    ledger.extend(("e", {"i": i}) for i in range(21))
    old = ledger.export_head(tmp_path / "head.json")
    ledger.extend(("e", {"i": i}) for i in range(22))
    new = ledger.head()
    entries = list(ledger.entries())
    for entry in entries:
        assert new.includes(entry, ledger.inclusion_proof(entry.seq))
    assert old.includes(entries[20], ledger.inclusion_proof(20, old.size))
    assert not old.includes(entries[21], ledger.inclusion_proof(21))
    assert not new.includes(entries[3], ["no hex"])
    growth = ledger.consistency_proof(old.size)
    assert new.extends(old, growth)
    assert not old.extends(new, growth)
    assert not new.extends(old, ["no hex"])
    with pytest.raises(InputError, match="size: got 44; allowed: 0 to 43"):
        ledger.inclusion_proof(0, 44)


def test_exported_heads_are_plain_json_and_come_back(ledger: Ledger, tmp_path: Path) -> None:
    ledger.append("e", {})
    head = ledger.export_head(tmp_path / "head.json")
    facts = json.loads((tmp_path / "head.json").read_text())
    assert facts == {"size": 1, "root": head.root, "last_hash": head.last_hash, "ts": head.ts_ns}
    assert read_head(tmp_path / "head.json") == head == Head.from_dict(facts)
    assert sorted(item.name for item in tmp_path.iterdir() if "head" in item.name) == ["head.json"]
    assert ledger.verify([head, facts, tmp_path / "head.json", str(tmp_path / "head.json")]).ok
    assert VerifyReport(True, 1, "r").to_dict() == {
        "ok": True,
        "size": 1,
        "root": "r",
        "first_bad": None,
        "problem": None,
    }


def test_an_empty_ledger_is_a_good_one(path: Path) -> None:
    with Ledger.open(path) as ledger:
        head = ledger.head()
        assert ledger.verify([head]).ok
        assert list(ledger.entries()) == []
    assert verify_ledger(path, [head]) == VerifyReport(True, 0, head.root)
    assert head.last_hash == GENESIS["research"]


def test_roles_do_not_mix(path: Path) -> None:
    with Ledger.open(path, role="paper") as ledger:
        ledger.append("order", {})
    assert verify_ledger(path).ok
    with pytest.raises(LedgerError) as caught:
        Ledger.open(path, role="research")
    assert str(caught.value) == "ledger: this is a paper ledger, opened as research; open it with role='paper'"
    with Ledger.open(path, role="paper") as ledger:
        assert ledger.role == "paper"


# -- one writer ------------------------------------------------------------------------------------------------------

HOLD = """
import sys
from karat.core import Ledger
with Ledger.open(sys.argv[1]) as ledger:
    ledger.append("e", {})
    print("held", flush=True)
    sys.stdin.read()
"""
FORK = """
import os, sys, time
from karat.core import Ledger, LedgerError
ledger = Ledger.open(sys.argv[1])
ledger.append("e", {})
parent = os.getpid()
child = os.fork()
if child == 0:
    for act in (lambda: ledger.append("e", {}), lambda: ledger.verify(), lambda: Ledger.open(sys.argv[1])):
        try:
            act()
        except LedgerError as error:
            print(error, flush=True)
    print("parent", os.getppid(), "child", os.getpid(), flush=True)
    while os.getppid() == parent:  # the two share one pipe: "die" is for the parent
        time.sleep(0.01)
    sys.stdin.read()
    os._exit(0)
sys.stdin.readline()
os.kill(os.getpid(), 9)
"""


UNWIND = """
import gc, os, sys
from karat.core import Ledger
how = sys.argv[2]
ledger = Ledger.open(sys.argv[1])
ledger.append("e", {"by": "parent, before"})
child = os.fork()
if child == 0:
    if how == "close":
        ledger.close()
    elif how == "drop":
        del ledger
        gc.collect()
    sys.exit(0)
os.waitpid(child, 0)
for i in range(50):
    ledger.append("e", {"by": "parent, after"})
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("how", ["close", "drop", "exit"])
def test_a_forked_child_that_ends_leaves_the_journal_to_its_parent(path: Path, how: str) -> None:
    done = subprocess.run([sys.executable, "-c", UNWIND, str(path), how], check=False)
    assert done.returncode == -9
    assert verify_ledger(path) == VerifyReport(True, 51, verify_ledger(path).root)
    with Ledger.open(path) as ledger:
        assert len(ledger) == 51


def _start(code: str, path: Path) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=pipe, stdout=pipe, text=True)


def test_a_second_process_is_refused_and_told_who_writes(path: Path) -> None:
    with _start(HOLD, path) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        text = (
            f"ledger: {path} is in use by process {other.pid}; "
            "a ledger has one writer process: wait for it to end, or close it"
        )
        for act in (Ledger.open, verify_ledger):
            with pytest.raises(LedgerError) as caught:
                act(path)
            assert str(caught.value) == text
        other.communicate("")
    assert verify_ledger(path).size == 1


def test_a_second_ledger_in_this_process_is_refused(ledger: Ledger, path: Path) -> None:
    (path.parent / "link.db.lock").symlink_to(path.name + ".lock")
    for act in (lambda: Ledger.open(path), lambda: verify_ledger(path), lambda: Ledger.open(path.parent / "link.db")):
        with pytest.raises(LedgerError, match=rf"is in use by process {os.getpid()} \(this one\)"):
            act()
    ledger.append("e", {})  # the refusals did not drop the lock
    with _start(HOLD, path) as other:
        assert other.stdout is not None
        assert other.stdout.read() == ""
        other.communicate("")
    assert other.returncode == 1


def test_a_forked_child_may_not_write_and_does_not_keep_the_lock(path: Path) -> None:
    with _start(FORK, path) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        lines = [parent.stdout.readline().strip() for _ in range(4)]
        _, parent_pid, _, child_pid = lines[3].split()
        used = (
            f"ledger: {path} was opened by process {parent_pid} and is used in process {child_pid}; "
            "write to the ledger in the process that opened it"
        )
        assert lines[:2] == [used, used]
        assert lines[2].startswith(f"ledger: {path} is in use by process {parent_pid}; ")
        parent.stdin.write("die\n")
        parent.stdin.flush()
        parent.wait()
        with Ledger.open(path) as ledger:  # while the child still lives
            assert len(ledger) == 1
        parent.communicate("")


def test_another_sqlite_connection_cannot_open_the_file(ledger: Ledger, path: Path) -> None:
    ledger.append("e", {})
    db = sqlite3.connect(path, timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        db.execute("SELECT * FROM entry").fetchall()
    db.close()
    assert not path.with_name(path.name + "-shm").exists()


def test_a_foreign_connection_that_holds_the_file_is_an_error(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.append("e", {})
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError) as caught:
        Ledger.open(path)
    assert str(caught.value) == (
        f"ledger: {path} cannot be opened: database is locked; check the path, the disk and its free space"
    )
    db.close()
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    Ledger.open(path).close()


# -- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "payload", "message"),
    [
        ("Bad", {}, "kind: got 'Bad'; allowed: a small letter, then at most 63 of a-z 0-9 _ . -"),
        (7, {}, "kind: got 7; allowed: a small letter, then at most 63 of a-z 0-9 _ . -"),
        ("e", [1], "payload: got [1]; allowed: a mapping of names to JSON values"),
        (
            "e",
            {"x": float("nan")},
            "payload: got {'x': nan}; Out of range float values are not JSON compliant; "
            "allowed: JSON without NaN or infinity",
        ),
        (
            "e",
            {"x": {1, 2}},
            "payload: got {'x': {1, 2}}; Object of type set is not JSON serializable; "
            "allowed: JSON without NaN or infinity",
        ),
    ],
)
def test_bad_input_is_named_and_writes_nothing(ledger: Ledger, kind: Any, payload: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        ledger.append(kind, payload)
    assert str(caught.value).replace("compliant: nan", "compliant") == message  # Python 3.12 adds the value
    assert len(ledger) == 0


@pytest.mark.parametrize("key", ["", "x" * 513, "line\nbreak", "\x00", 5])
def test_bad_keys_are_named(ledger: Ledger, key: Any) -> None:
    with pytest.raises(InputError, match=r"key: got .*; allowed: 1 to 512 printable characters"):
        ledger.append_once(key, "e", {})


def test_infinity_surrogates_and_depth_are_no_payload(ledger: Ledger) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (float("inf"), float("-inf"), "\ud800", deep):
        with pytest.raises(InputError, match="allowed: JSON without NaN or infinity"):
            ledger.append("e", {"x": value})
    assert ledger.append("e", {"x": -0.0}).payload == {"x": 0.0}


def test_a_payload_has_at_most_8_mib(ledger: Ledger) -> None:
    room = MAX_PAYLOAD_BYTES - len('{"x":""}')
    assert ledger.append("e", {"x": "a" * room}).seq == 0
    for text in ("a" * (room + 1), "é" * (room // 2 + 1)):
        with pytest.raises(InputError) as caught:
            ledger.append("e", {"x": text})
        assert str(caught.value) == (
            f"payload: got '{len(json.dumps({'x': text}, ensure_ascii=False, separators=(',', ':')).encode())} bytes'; "
            "allowed: at most 8388608 bytes of JSON; store large content in the catalog and write its hash here"
        )
    assert ledger.verify().ok


def test_an_unknown_role_is_named(path: Path) -> None:
    with pytest.raises(InputError) as caught:
        Ledger.open(path, role="reserch")
    assert str(caught.value) == ("role: got 'reserch'; allowed: research, paper, live; did you mean 'research'?")
    assert not path.exists()


def test_a_payload_may_be_any_mapping(ledger: Ledger) -> None:
    assert ledger.append("e", MappingProxyType({"x": (1, 2)})).payload == {"x": [1, 2]}
    with pytest.raises(InputError, match="kind: got "):
        ledger.append(["no", "kind"], {})  # type: ignore[arg-type]


def test_a_system_without_posix_locks_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(EnvironmentProblem) as caught:
        Ledger.open(path)
    assert str(caught.value) == "ledger: this system has no POSIX file locks; run karat on Linux, macOS or in WSL"


def test_a_file_system_without_locks_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "lockf", refuse)
        with pytest.raises(LedgerError) as caught:
            Ledger.open(path)
    assert str(caught.value) == (
        f"ledger: {path} cannot be locked: [Errno {errno.ENOLCK}] No locks available; use a file system with locks"
    )
    Ledger.open(path).close()


def test_a_lock_that_was_never_given_back_dies_with_its_ledger(path: Path) -> None:
    with pytest.warns(ResourceWarning) if sys.version_info >= (3, 13) else nullcontext():
        ledger = Ledger.open(path)
        ledger.append("e", {})
        del ledger
        gc.collect()
    with _start(HOLD, path) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        other.communicate("")
    with Ledger.open(path) as again:
        assert len(again) == 2


def test_a_closed_ledger_says_so(path: Path) -> None:
    ledger = Ledger.open(path)
    ledger.close()
    ledger.close()
    for act in (lambda: ledger.append("e", {}), ledger.verify, lambda: list(ledger.inclusion_proof(0))):
        with pytest.raises(LedgerError) as caught:
            act()
        assert str(caught.value) == f"ledger: {path} is closed; open it again"


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError) as caught:
        Ledger.open(tmp_path / "file" / "research.db")
    assert str(caught.value) == (
        f"ledger: the folder {tmp_path}/file cannot be made: [Errno 17] File exists: '{tmp_path}/file'; "
        "check the path, the disk and its free space"
    )
    (tmp_path / "taken.db").mkdir()
    with pytest.raises(LedgerError, match=r"taken.db cannot be opened: unable to open database file"):
        Ledger.open(tmp_path / "taken.db")
    (tmp_path / "other.db.lock").mkdir()
    with pytest.raises(LedgerError) as caught:
        Ledger.open(tmp_path / "other.db")
    assert str(caught.value) == (
        f"ledger: the lock file {tmp_path}/other.db.lock cannot be opened: Is a directory; "
        "choose a path in a writable folder"
    )
    with Ledger.open(tmp_path / "good.db") as ledger, pytest.raises(LedgerError) as caught:
        ledger.export_head(tmp_path / "file" / "head.json")
    assert str(caught.value).endswith("; choose a writable path")
    assert "the head cannot be written to" in str(caught.value)


def test_a_file_that_is_no_ledger_is_left_as_it_is(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE mine (x)")
    db.commit()
    db.close()
    before = path.read_bytes()
    with pytest.raises(LedgerError) as caught:
        Ledger.open(path)
    assert str(caught.value) == (
        f"ledger: {path} is no karat ledger of format 1 (application id 0x0, format 0); "
        "name a ledger file, or a path where none exists yet"
    )
    assert path.read_bytes() == before
    path.write_bytes(b"no database at all, but long enough to be taken for one" * 40)
    with pytest.raises(LedgerError, match="cannot be opened: file is not a database"):
        Ledger.open(path)


@pytest.mark.parametrize(
    ("facts", "seen"),
    [
        ([], r"\[\]"),
        ({"size": 1}, "{'size': 1}"),
        ({"size": True, "root": "0" * 64, "last_hash": "0" * 64, "ts": 1}, "{'size': True"),
        ({"size": -1, "root": "0" * 64, "last_hash": "0" * 64, "ts": 1}, "{'size': -1"),
        ({"size": 1, "root": "0" * 63, "last_hash": "0" * 64, "ts": 1}, "{'size': 1"),
        ({"size": 1, "root": "0" * 64, "last_hash": 5, "ts": 1}, "{'size': 1"),
        ({"size": 1, "root": "0" * 64, "last_hash": "0" * 64, "ts": None}, "{'size': 1"),
    ],
)
def test_what_is_no_exported_head_is_named(tmp_path: Path, facts: object, seen: str) -> None:
    file = tmp_path / "head.json"
    file.write_text(json.dumps(facts))
    with pytest.raises(InputError, match=rf"head .*head.json: got {seen}.*; this is no exported head; allowed: .*"):
        read_head(file)


def test_a_head_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.json'; .*No such file.*; name a file written by Ledger.export_head"):
        read_head(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(InputError, match=r"bad.json'; Expecting property name"):
        read_head(tmp_path / "bad.json")


class Failing:
    """A connection whose disk fails at one statement: SQLite reports a failed sync as this error."""

    def __init__(self, db: sqlite3.Connection, at: str, error: BaseException, *, late: bool = False) -> None:
        self.db, self.at, self.error, self.late = db, at, error, late
        self.calls = 0

    def execute(self, statement: str, *values: Any) -> Any:
        if statement.startswith(self.at) and self.error is not None:
            self.calls += 1
            if self.late:
                self.db.execute(statement, *values)
            raise self.error
        return self.db.execute(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.db, name)


@pytest.mark.parametrize("at", ["BEGIN", "COMMIT"])
@pytest.mark.parametrize("late", [False, True])
def test_2_after_a_failed_sync_nothing_is_retried_or_accepted(path: Path, at: str, late: bool) -> None:
    ledger = Ledger.open(path)
    first = ledger.append("e", {"i": 0})
    fault = Failing(ledger._db, at, sqlite3.OperationalError("disk I/O error"), late=late)
    ledger._db = fault  # type: ignore[assignment]
    with pytest.raises(LedgerError) as caught:
        ledger.append("e", {"i": 1})
    assert str(caught.value) == (
        f"ledger: writing to {path} failed: disk I/O error; "
        "nothing was retried; check the disk, then open the ledger again to see what it holds"
    )
    assert fault.calls == 1
    for act in (
        lambda: ledger.append("e", {}),
        lambda: ledger.append_once("k", "e", {}),
        lambda: ledger.extend([("e", {})]),
    ):
        with pytest.raises(LedgerError) as caught:
            act()
        assert str(caught.value) == (
            f"ledger: {path} takes no more entries: an earlier write failed (disk I/O error); "
            "open it again to see what it holds"
        )
    assert list(ledger.entries()) == [first]  # only what was acknowledged
    ledger.close()
    assert fault.calls == 1
    with Ledger.open(path) as ledger:  # a commit that failed late may have reached the disk: the file decides
        assert len(ledger) == (2 if late and at == "COMMIT" else 1)
        assert next(iter(ledger.entries())) == first
        assert ledger.verify().ok


def test_2_a_lock_file_that_fails_stops_the_writer_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    ledger = Ledger.open(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail)
        with pytest.raises(LedgerError, match=r"failed: \[Errno 5\] Input/output error; nothing was retried"):
            ledger.append("e", {})
    ledger.close()
    with Ledger.open(path) as ledger:
        assert len(ledger) == 1


@pytest.mark.parametrize("late", [False, True])
def test_2_an_interrupt_in_the_middle_leaves_a_usable_ledger(path: Path, late: bool) -> None:
    with Ledger.open(path) as ledger:
        ledger.append("e", {"i": 0})
        good = ledger._db
        ledger._db = Failing(good, "COMMIT", KeyboardInterrupt(), late=late)  # type: ignore[assignment]
        with pytest.raises(KeyboardInterrupt):
            ledger.append("e", {"i": 1})
        ledger._db = good
        assert len(ledger) == (2 if late else 1)
        ledger.append("e", {"i": 2})
        assert [entry.payload["i"] for entry in ledger.entries()] == ([0, 1, 2] if late else [0, 2])
        assert ledger.verify().ok


FULL = """
import resource, signal, sys
from karat.core import Ledger, LedgerError
ledger = Ledger.open(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
acknowledged = 0
try:
    while True:
        acknowledged = ledger.append("e", {"text": "x" * 2000}).seq + 1
except LedgerError as error:
    print(error)
    try:
        ledger.append("e", {})
    except LedgerError as second:
        print(second)
ledger.close()
print(acknowledged)
"""


def test_2_a_disk_that_takes_no_more_is_an_error_and_loses_nothing_acknowledged(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True)
    first, second, count = done.stdout.splitlines()
    assert first.startswith(f"ledger: writing to {path} failed: ")
    assert second.startswith(f"ledger: {path} takes no more entries: an earlier write failed (")
    assert 10 < int(count) < 200
    assert verify_ledger(path).ok
    with Ledger.open(path) as ledger:
        assert len(ledger) >= int(count)
        assert isinstance(next(ledger.entries()), Entry)
