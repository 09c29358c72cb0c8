"""The stationary bootstrap's draws: against a plain loop, and what must hold of counts."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karat.kernels import _resample, block_counts, block_rows

JIT_OFF = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


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
def test_1_rows_are_those_of_the_definition(draws: int, n: int, chance: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    uniforms, starts = rng.random((draws, n)), rng.integers(0, n, (draws, n))
    assert block_rows(uniforms, starts, chance).tolist() == plain(uniforms, starts, chance)


def by_numpy(key: int, draws: int, n: int, chance: float) -> list[list[int]]:
    """Count the rows that numpy's own random numbers give."""
    rng = np.random.Generator(np.random.Philox(key=key))
    rows = plain(rng.random((draws, n)), rng.integers(0, n, (draws, n)), chance)
    return [np.bincount(row, minlength=n).tolist() for row in rows]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(2, 40), st.floats(1e-9, 1.0), st.integers(0, 2**128 - 1))
def test_2_counts_are_those_of_numpys_random_numbers(draws: int, n: int, chance: float, key: int) -> None:
    counts = block_counts(np.random.Philox(key=key), draws, n, chance)
    assert counts.tolist() == by_numpy(key, draws, n, chance)
    assert (counts.sum(axis=1) == n).all()


@pytest.mark.parametrize(("n", "chance"), [(65_175, 0.5), (65_535, 0.01), (2520, 1.0)])
def test_2_counts_are_numpys_where_it_rejects_numbers(n: int, chance: float) -> None:
    # 2^32 mod 65,175 is 65,146: about nine of these starts are drawn again, and all that follow move up
    assert block_counts(np.random.Philox(key=7), 9, n, chance).tolist() == by_numpy(7, 9, n, chance)


@pytest.mark.skipif(JIT_OFF, reason="compares the compiled kernel with the long way")
def test_2_the_long_way_counts_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = block_counts(np.random.Philox(key=3), 20, 333, 0.2)
    monkeypatch.setattr(_resample, "off", lambda: True)
    assert (block_counts(np.random.Philox(key=3), 20, 333, 0.2) == quick).all()


@pytest.mark.parametrize("n", [1, 65_536])
def test_rows_that_a_count_cannot_hold_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"n: got {n}; allowed: 2 to 65535"):
        block_counts(np.random.Philox(key=1), 1, n, 0.5)


def test_a_stream_that_was_read_is_refused() -> None:
    stream = np.random.Philox(key=1)
    np.random.Generator(stream).random()
    with pytest.raises(ValueError, match="stream: got one that was read; allowed: a new Philox"):
        block_counts(stream, 1, 9, 0.5)
