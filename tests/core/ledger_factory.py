"""A small ledger for tests that damage one, with two stored heads."""

from __future__ import annotations

from pathlib import Path

from karat.core import Head, Ledger

SIZE = 12
KEYED = 7


def make_ledger(path: Path, size: int = SIZE) -> Head:
    """Write a small ledger, closed in the middle once so that it holds two heads."""
    with Ledger.open(path) as ledger:
        ledger.extend(("trial", {"i": i, "loss": i / 7}) for i in range(KEYED))
        ledger.append_once("run/cell-é", "opening", {"alpha": 0.05})
    with Ledger.open(path) as ledger:
        ledger.extend(("trial", {"i": i}) for i in range(KEYED + 1, size))
        return ledger.head()
