"""What the tests of the feature store share: panels that follow each other, and a fresh process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
from features_factory import PROVENANCE, panel

from karat.core import NS_PER_DAY
from karat.data import Panel

NAMES = ("A.XNYS", "B.XNYS")
CHOSEN = ["ret_1", "ret_5", "rsi_14"]
DAY = NS_PER_DAY


def with_rows(of: Panel, frame: pl.DataFrame) -> Panel:
    return Panel(frame, of.calendar, PROVENANCE)


def equal(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    return one.equals(other, null_equal=True)


def three_panels() -> dict[str, Panel]:
    """100 days, 120 days, and the 120 with another close on day 60: each later one changes what is stored."""
    whole = panel(120, instruments=NAMES)
    early = pl.col("ts") <= 100 * DAY
    close = pl.when(pl.col("ts") == 60 * DAY).then(1.01 * pl.col("close")).otherwise("close").alias("close")
    frames = {"early": whole.frame.filter(early), "whole": whole.frame, "corrected": whole.frame.with_columns(close)}
    return {name: with_rows(whole, frame) for name, frame in frames.items()}


def corrected(writer: str, n: int) -> list[Panel]:
    """Return n panels of one instrument, each with another close on a day of its own."""
    whole = panel(60)
    factor = {"one": 1.01, "two": 0.98}[writer]
    closes = [
        pl.when(pl.col("ts") == (20 + k) * DAY).then(factor * pl.col("close")).otherwise("close") for k in range(n)
    ]
    return [with_rows(whole, whole.frame.with_columns(close=close)) for close in closes]


def elsewhere(code: str, tmp_path: Path) -> list[str]:
    """Return the words that code prints in a fresh process; `store`, `panels` and `tests` are there."""
    process = start_elsewhere(code, tmp_path)
    told, trouble = process.communicate(timeout=120)
    assert process.returncode == 0, trouble
    return told.split()


def start_elsewhere(code: str, tmp_path: Path) -> subprocess.Popen[str]:
    """Start code in a fresh process; `store`, `panels` and `tests` are there."""
    head = (
        "import sys; sys.path.insert(0, 'tests/features')\n"
        "import store_factory as tests\n"
        "from karat.features.store import FeatureStore\n"
        f"store, panels = FeatureStore({str(tmp_path)!r}), tests.three_panels()\n"
    )
    root = Path(__file__).parents[2]
    words = [sys.executable, "-c", head + code]
    return subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
