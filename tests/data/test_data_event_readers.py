"""Streams on disk: chunks give what was written, are checked against each other, and need little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from karat.core import DataError, InputError
from karat.data import EventChunks, Events, Instrument, events_from_rows, events_from_trades, order_flow, write_events

SPY = Instrument("SPY.XNYS", asset_class="etf")


def trades(*ts: int, **more: Any) -> Events:
    return events_from_trades({"ts": list(ts), "price": [10.0] * len(ts), "size": [1] * len(ts), **more}, SPY)


def test_1_what_was_written_is_read(tmp_path: Path) -> None:
    flow = order_flow(2500, seed=3).level3
    chunks = write_events(tmp_path / "flow", flow, chunk_rows=1000)
    assert [len(part) for part in chunks] == [1000, 1000, 500]
    assert (len(chunks), chunks.rows, chunks.instruments) == (3, 2500, flow.instruments)
    assert chunks.read().content_hash == flow.content_hash
    assert chunks.metadata["seed"] == 3
    assert EventChunks(tmp_path / "flow", verify=True).read().content_hash == flow.content_hash


def test_1_a_range_reads_only_its_chunks(tmp_path: Path) -> None:
    write_events(tmp_path, [trades(1, 2), trades(3, 4), trades(5, 6)])
    some = EventChunks(tmp_path, start_ns=4, end_ns=6)
    assert len(some) == 2
    assert [part.ts.tolist() for part in some] == [[4], [5]]
    assert some.read().ts.tolist() == [4, 5]
    with pytest.raises(InputError, match="no rows in the range; allowed: 1 to 6"):
        EventChunks(tmp_path, start_ns=90).read()


@pytest.mark.parametrize(
    ("second", "rule"),
    [
        (trades(1), "time never runs backwards"),
        (trades(3, known_at=[4]), "known_at never runs back within a stream"),
        (
            events_from_rows([{"ts": 2, "kind": "split", "a": 2, "b": 1}], SPY),
            "status and corporate actions come before",
        ),
    ],
)
def test_1_order_is_checked_across_chunks(tmp_path: Path, second: Events, rule: str) -> None:
    with pytest.raises(DataError, match=rule):
        write_events(tmp_path / "written", [trades(1, 2, known_at=[5, 5]), second])
    assert not (tmp_path / "written" / "events.json").exists()
    write_events(tmp_path / "one", [trades(1, 2, known_at=[5, 5])])
    write_events(tmp_path / "two", [second])
    for name in ("one", "two"):
        (tmp_path / name / "chunk-00000.parquet").rename(tmp_path / f"{name}.parquet")
    facts = json.loads((tmp_path / "one" / "events.json").read_text())
    other = json.loads((tmp_path / "two" / "events.json").read_text())
    facts["chunks"] = [
        {**facts["chunks"][0], "file": "../one.parquet"},
        {**other["chunks"][0], "file": "../two.parquet"},
    ]
    (tmp_path / "one" / "events.json").write_text(json.dumps(facts))
    with pytest.raises(DataError, match=rule):
        list(EventChunks(tmp_path / "one"))


def test_3_4_a_folder_that_is_not_what_was_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no events.json.*write_events"):
        EventChunks(tmp_path)
    chunks = write_events(tmp_path, trades(1, 2, 3), chunk_rows=2)
    with pytest.raises(InputError, match="holds a stream already"):
        write_events(tmp_path, trades(1))
    (tmp_path / "chunk-00001.parquet").write_bytes((tmp_path / "chunk-00000.parquet").read_bytes())
    with pytest.raises(DataError, match="1 row'"):
        chunks.read()
    with pytest.raises(DataError, match="stored as written"):
        EventChunks(tmp_path, verify=True).read()
    (tmp_path / "chunk-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="readable as Parquet"):
        chunks.read()
    (tmp_path / "chunk-00001.parquet").unlink()
    with pytest.raises(DataError, match="file exists"):
        chunks.read()
    (tmp_path / "events.json").write_text("{}")
    with pytest.raises(DataError, match="events.json"):
        EventChunks(tmp_path)


def test_pieces_must_agree(tmp_path: Path) -> None:
    other = events_from_trades({"ts": [2], "price": [10.0], "size": [1]}, Instrument("QQQ.XNAS"))
    with pytest.raises(InputError, match="declarations differ"):
        write_events(tmp_path / "a", [trades(1), other])
    with pytest.raises(InputError, match="no piece"):
        write_events(tmp_path / "b", [])
    with pytest.raises(InputError, match="chunk_rows"):
        write_events(tmp_path / "c", trades(1), chunk_rows=0)


WRITE = """
import sys
from karat.data import Events, order_flow, write_events
base = order_flow(1_000_000, seed=1).level3
span = int(base.ts[-1] - base.ts[0]) + 1
def pieces(n):
    for k in range(n):
        shifted = (base.ts + k * span, base.known_at + k * span)
        yield Events(*shifted, base.kind, base.price, base.qty, base.instruments, a=base.a)
print(write_events(sys.argv[1], pieces(50)).rows)
"""
READ = """
import sys
from karat.data import EventChunks
rows = sum(len(part) for part in EventChunks(sys.argv[1]))
# the peak of this process image: ru_maxrss would count the forked test runner before exec as well
print(rows, next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.slow
def test_2_fifty_million_events_stream_under_1_5_gigabytes(tmp_path: Path) -> None:
    def run(code: str) -> list[int]:
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "s")], capture_output=True, text=True, check=True
        )
        return [int(word) for word in done.stdout.split()]

    assert run(WRITE) == [50_000_000]
    rows, peak_kib = run(READ)
    assert rows == 50_000_000
    assert peak_kib * 1024 < 1.5e9
