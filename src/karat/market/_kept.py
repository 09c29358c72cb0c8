"""Rows of words that only grow: what a market has recorded so far, fills or messages.

Invariants:
1. A row that was added is never written again, so that what `rows` returned stays as it was.
2. Adding copies each row once; room is made in large steps, which the system can give in large pages.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
_FIRST, _LARGE = 1 << 16, 1 << 22  # rows of the first room; rows from which it grows by less


class Kept:
    """Rows of a fixed number of words."""

    def __init__(self, width: int) -> None:
        self._room = np.empty((0, width), dtype=np.int64)
        self._count = 0

    @property
    def rows(self) -> Ints:
        """Everything added so far; later additions do not show in it."""
        return self._room[: self._count]

    def add(self, rows: Ints) -> Ints:
        """Add rows and return them as they are kept now."""
        start, end = self._count, self._count + len(rows)
        if end > len(self._room):
            wanted = max(_FIRST, end * (4 if end < _LARGE else 2))
            room = np.empty((wanted, self._room.shape[1]), dtype=np.int64)
            room[:start] = self._room[:start]
            self._room = room
        self._room[start:end] = rows
        self._count = end
        return self._room[start:end]

    def back_to(self, rows: Ints) -> None:
        """Hold these rows and no others, in room of their own: what was returned before stays as it was."""
        self._room, self._count = rows.copy(), len(rows)
