"""The same numbers in every supported environment: hashes recorded under Python 3.11, 3.12 and 3.13.

NumPy takes other code for exp and log where the processor has AVX-512 (X86_V4), which rounds the last bit otherwise:
hashes of prices and features are recorded for each of the two, those of random numbers hold for both.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path

import numpy as np
import pytest

from karat.core import content_hash, generator
from karat.data import KEYS, load
from karat.features import build

GOLDEN = json.loads((Path(__file__).resolve().parents[1] / "golden" / "determinism" / "hashes.json").read_text())


@pytest.mark.req("EXP-04")
def test_this_environment_gives_the_recorded_numbers() -> None:
    panel = load("synthetic", seed=7, n_days=300, edge_sharpe=2.0)
    features = build(panel, ("a20", "signal")).frame
    values = features.drop(KEYS).fill_nan(0.0)
    sums = {"close": float(panel.frame["close"].sum()), "features": float(np.sum(values.sum().row(0)))}
    assert sums == pytest.approx(GOLDEN["sums"], rel=1e-9)
    if (platform.machine(), np.__version__) == (GOLDEN["machine"], GOLDEN["numpy"]):
        noise = generator(7, "golden").normal(size=100)
        assert content_hash(noise) == GOLDEN["hashes"]["generator"]
        found = {"panel": panel.content_hash, "features": content_hash(features)}
        assert found == GOLDEN["hashes_by_simd"][simd()]


def simd() -> str:
    """Return the widest of the recorded instruction sets that NumPy found here."""
    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    return "X86_V4" if "X86_V4" in found else "X86_V3"


def test_one_changed_value_changes_the_hash() -> None:
    panel = load("synthetic", seed=8, n_days=300, edge_sharpe=2.0)
    assert panel.content_hash not in {row["panel"] for row in GOLDEN["hashes_by_simd"].values()}
