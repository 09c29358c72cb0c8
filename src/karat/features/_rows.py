"""Where each instrument's rows lie in a frame that is sorted by instrument."""

from __future__ import annotations

from itertools import accumulate

import polars as pl


def blocks(frame: pl.DataFrame) -> list[tuple[int, int]]:
    """Return the row range of each instrument."""
    lengths = frame["instrument"].rle().struct.field("len").to_list()
    ends = list(accumulate(lengths))
    return [(end - length, end) for end, length in zip(ends, lengths, strict=True)]
