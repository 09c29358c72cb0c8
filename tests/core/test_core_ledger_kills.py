"""A writer killed at random moments: nothing it acknowledged is lost, and the chain is whole every time."""

import subprocess
import sys
from pathlib import Path

import pytest

from karat.core import Ledger, generator, monotonic_ns, verify_ledger

WRITER = Path(__file__).with_name("ledger_writer.py")


def _run_and_kill(path: Path, seed: int, lines: int, delay_ns: int) -> list[str]:
    """Kill a writer `delay_ns` after its line number `lines`; return the whole lines that it got out."""
    with subprocess.Popen([sys.executable, str(WRITER), str(path), str(seed)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        seen = [writer.stdout.readline() for _ in range(lines + 1)]
        start = monotonic_ns()
        while monotonic_ns() - start < delay_ns:
            pass
        writer.kill()
        rest = writer.stdout.read()
        assert writer.wait() == -9
    text = (b"".join(seen) + rest).decode()
    return [line for line in text[: text.rfind("\n") + 1].splitlines() if line != "up"]


def _survives(path: Path, kills: int, seed: int) -> int:
    rng = generator(seed, "kills")
    acknowledged: dict[int, str] = {}
    for number in range(kills):
        # one in five dies while it opens, recovers or makes the file
        lines = 0 if rng.random() < 0.2 else int(rng.integers(1, 300))
        for line in _run_and_kill(path, seed + number, lines, int(rng.integers(0, 6_000_000))):
            seq, digest = line.split()
            assert acknowledged.setdefault(int(seq), digest) == digest
        if not acknowledged and not path.exists():
            continue
        if number % 2:  # every other time the next writer recovers by itself
            report = verify_ledger(path)
            assert report.ok, report
        with Ledger.open(path) as ledger:
            held = {entry.seq: entry.hash for entry in ledger.entries()}
            assert ledger.verify().ok
        assert acknowledged.items() <= held.items()
    assert sorted(held) == list(range(len(held)))
    return len(acknowledged)


def test_no_acknowledged_entry_is_lost_in_6_kills(tmp_path: Path) -> None:
    assert _survives(tmp_path / "research.db", 6, 42) > 100


@pytest.mark.slow
def test_no_acknowledged_entry_is_lost_in_100_kills(tmp_path: Path) -> None:
    assert _survives(tmp_path / "research.db", 100, 1000) > 5000
