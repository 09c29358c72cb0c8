"""The loop around a compiled strategy: take the market to a time, show what became known, let the strategy act.

Invariants:
1. The market is advanced to the time of a call before it, so that what the strategy does leaves at that time.
2. A call is made once: where there is no room for records the loop returns before it, and comes back to it.

These functions are compiled for the strategy and the type of its memory: they take them as arguments, because a
strategy's memory is whatever its author chose, and compiling this little takes half a second.
"""

from __future__ import annotations

from typing import Any

import numba

from karat.kernels._memory import load
from karat.kernels.market._advance import advance
from karat.kernels.market._layout import (
    DONE,
    H_LOCAL_ROW,
    H_NEWS,
    H_NEWS_LENGTH,
    NEWS_FULL,
    V_KNOWN,
    V_ROWS,
)
from karat.kernels.market._strategy import follow

_ALL = 1 << 60
_compiled: Any = numba.njit(error_model="numpy", nogil=True)


@_compiled
def _reach(s: int, v: int, now: int) -> int:
    """Take the market and the strategy's books to a time; return DONE, or why the market stopped before it.

    Half of the room for messages is kept free: what a strategy sends may be refused at once.
    """
    code = advance(s, v, now, _ALL)
    if code != DONE:
        return code
    if 2 * load(s, H_NEWS_LENGTH) > load(s, H_NEWS):
        return NEWS_FULL
    follow(s, v, now)
    return DONE


@_compiled
def each_row(strategy: Any, s: int, v: int, order: Any, k: int, memory: Any) -> tuple[int, int]:
    """Call for every row from the k-th on when it becomes known; return the code and where to go on.

    order: the rows in the order in which they become known, or no rows: their own order.
    """
    known, rows = load(v, V_KNOWN), load(v, V_ROWS)
    while k < rows:
        row = order[k] if len(order) > 0 else k
        now = load(known, row)
        code = _reach(s, v, now)
        if code != DONE:
            return code, k
        strategy(s, now, row, memory)
        k += 1
    return DONE, k


@_compiled
def each_time(strategy: Any, s: int, v: int, every: Any, now: int, memory: Any) -> tuple[int, int]:
    """Call at `now` and then at every interval before the last row is known; return the code and where to go on.

    every: (interval, when the last row is known).
    """
    step, last = every
    while now < last:
        code = _reach(s, v, now)
        if code != DONE:
            return code, now
        strategy(s, now, load(s, H_LOCAL_ROW) - 1, memory)
        now += step
    return DONE, now
