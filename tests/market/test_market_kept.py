"""Rows that a market has recorded: added once, never written again."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from karat.market._kept import Kept


@given(st.lists(st.integers(0, 70_000), max_size=6))
def test_everything_added_is_there_in_order(sizes: list[int]) -> None:
    kept, said, pieces = Kept(2), [], []
    for number, size in enumerate(sizes):
        piece = np.full((size, 2), number, dtype=np.int64)
        assert np.array_equal(kept.add(piece), piece)
        pieces.append(piece)
        said.append((kept.rows, len(kept.rows)))
    whole = np.concatenate([np.zeros((0, 2), dtype=np.int64), *pieces])
    assert np.array_equal(kept.rows, whole)
    for rows, count in said:  # 1: what was returned before is what it was
        assert np.array_equal(rows, whole[:count])


def test_1_going_back_leaves_what_was_returned_alone() -> None:
    kept = Kept(1)
    kept.add(np.array([[1], [2]]))
    before = kept.rows
    kept.add(np.array([[3]]))
    after = kept.rows
    kept.back_to(before)
    kept.add(np.array([[9]]))
    assert (before[:, 0].tolist(), after[:, 0].tolist(), kept.rows[:, 0].tolist()) == ([1, 2], [1, 2, 3], [1, 2, 9])
