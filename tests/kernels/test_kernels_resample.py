"""The stationary bootstrap's draws: against a plain loop, and what must hold of counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karat.kernels import block_counts, block_rows


def plain(uniforms: np.ndarray, starts: np.ndarray, chance: float) -> list[list[int]]:
    """Follow the definition place by place."""
    out = []
    for drawn, begin in zip(uniforms.tolist(), starts.tolist()):
        row = [begin[0]]
        for u, s in zip(drawn[1:], begin[1:]):
            row.append(s if u < chance else (row[-1] + 1) % len(begin))
        out.append(row)
    return out


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 30), st.floats(0.02, 1.0), st.integers(0, 10_000))
def test_1_rows_and_counts_are_those_of_the_definition(draws: int, n: int, chance: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    uniforms, starts = rng.random((draws, n)), rng.integers(0, n, (draws, n))
    rows = block_rows(uniforms, starts, chance)
    assert rows.tolist() == plain(uniforms, starts, chance)
    counts = block_counts(uniforms, starts, chance)
    assert counts.tolist() == [np.bincount(row, minlength=n).tolist() for row in rows]
    assert (counts.sum(axis=1) == n).all()


def test_more_rows_than_a_count_can_hold_are_refused() -> None:
    wide = np.zeros((1, 65_536), dtype=np.int64)
    with pytest.raises(ValueError, match="starts: got 65536 rows; allowed: 65535 at most"):
        block_counts(np.zeros(wide.shape), wide, 0.5)
