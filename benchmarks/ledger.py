"""How fast the ledger writes: entries in batches, and single durable entries beside the disk's own rate of syncs.

    python benchmarks/ledger.py [--json] [--folder FOLDER] [--seconds S]

The peer of a single durable entry is a file on the same disk, as long as the journal grows before it is reused, in
which one page and header after another is overwritten and synced with the call the journal uses (`fdatasync`): an
append that grows a file pays for its new length too and would flatter the ledger. Rounds of both alternate, because
the rate of a disk drifts; the ratio is the median of the rounds. Batches are timed as the best of several, because
other processes can only make them slower. Goals: at least 100,000 entries a second in batches; a ratio of single
entries to syncs near 1.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from karat.core import Ledger, monotonic_ns

GOAL_PER_S = 100_000
FRAME_BYTES = 4096 + 24  # one page and its header: what one entry adds to the journal
FRAMES = 1_000  # after as many pages the journal is copied into the database and written again from its start
TRIAL = {"cell": "a1b2c3d4e5f60718", "fold": 3, "loss": 0.012345678901, "model": "lightgbm", "sharpe": 0.4512345}


def batched(folder: Path, batch: int, rounds: int) -> dict[str, object]:
    """Write `rounds` batches of `batch` trials; return the best rate and the median."""
    items = [("trial", {**TRIAL, "fold": number}) for number in range(batch)]
    rates = []
    with Ledger.open(folder / f"batch{batch}.db") as ledger:
        for _ in range(rounds):
            start = monotonic_ns()
            ledger.extend(items)
            rates.append(batch / (monotonic_ns() - start) * 1e9)
    return {
        "job": "batched",
        "batch": batch,
        "entries_per_s": round(max(rates)),
        "median_per_s": round(statistics.median(rates)),
        "goal_per_s": GOAL_PER_S,
        "met": max(rates) >= GOAL_PER_S,
    }


def durable(folder: Path, seconds: float, rounds: int = 9) -> dict[str, object]:
    """Alternate rounds of single appends and of plain synced writes; return both rates and the median ratio."""
    file = os.open(folder / "plain.bin", os.O_WRONLY | os.O_CREAT)
    frame = os.urandom(FRAME_BYTES)
    os.write(file, frame * FRAMES)
    os.fsync(file)
    places = itertools.cycle(range(0, FRAME_BYTES * FRAMES, FRAME_BYTES))

    def sync() -> None:
        os.pwrite(file, frame, next(places))
        os.fdatasync(file)

    pairs = []
    with Ledger.open(folder / "single.db") as ledger:
        for _ in range(rounds):
            plain = _rate(sync, seconds / rounds / 2)
            pairs.append((_rate(lambda: ledger.append("trial", TRIAL), seconds / rounds / 2), plain))
    os.close(file)
    return {
        "job": "durable",
        "entries_per_s": round(statistics.median(entry for entry, _ in pairs)),
        "syncs_per_s": round(statistics.median(plain for _, plain in pairs)),
        "ratio": round(statistics.median(entry / plain for entry, plain in pairs), 3),
    }


def verified(folder: Path, entries: int) -> dict[str, object]:
    """Check a ledger of `entries` trials and reopen it; return the rate and the time to reopen."""
    with Ledger.open(folder / "verify.db") as ledger:
        ledger.extend(("trial", TRIAL) for _ in range(entries))
    start = monotonic_ns()
    with Ledger.open(folder / "verify.db") as ledger:
        opened = monotonic_ns()
        report = ledger.verify()
        took = monotonic_ns() - opened
    if not report.ok:
        raise SystemExit(f"the ledger that was just written is not whole: {report.problem}")
    return {
        "job": "verified",
        "entries": entries,
        "entries_per_s": round(entries / took * 1e9),
        "reopen_ms": round((opened - start) / 1e6, 2),
    }


def _rate(call: Callable[[], object], seconds: float) -> float:
    calls, start = 0, monotonic_ns()
    while (took := monotonic_ns() - start) < seconds * 1e9:
        call()
        calls += 1
    return calls / took * 1e9


def main() -> None:
    """Run every job and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--folder", type=Path, default=Path(), help="where to write: the disk that is measured")
    parser.add_argument("--seconds", type=float, default=6.0, help="for the durable entries")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder, prefix=".ledger-benchmark-") as name:
        folder = Path(name)
        for line in (
            batched(folder, 1_000, 50),
            batched(folder, 10_000, 12),
            durable(folder, options.seconds),
            verified(folder, 100_000),
        ):
            text = "  ".join(f"{key}={value}" for key, value in line.items())
            print(json.dumps(line) if options.json else text, flush=True)


if __name__ == "__main__":
    main()
