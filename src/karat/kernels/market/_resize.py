"""Give a market's books other windows while it runs: a new block with everything of the old one. Plain numpy.

A book is dense: one word a tick of its window. A price outside stops the market with E_WINDOW and changes nothing;
the caller makes the window larger here and goes on.

Invariants:
1. What follows is the same as if the books had had these windows from the start, and so is the state's hash.
2. The old block is not changed. Addresses of it are not valid for the new one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from karat.kernels.market import _layout as at
from karat.kernels.market._block import Block, table, tie_breaker
from karat.kernels.market._rules_layout import MWCB_BYTES

_PLACES = (
    at.I_SLIP_AT,
    at.I_IMPACT_AT,
    at.I_QUEUE_AT,
    at.I_ENTRY_AT,
    at.I_RESPONSE_AT,
    at.I_FEE_AT,
    at.I_MONEY,
    at.I_FILLS_AT,
    at.I_BREAKER,
    at.I_SCHEDULE,
    at.I_FILTERS,
    at.I_RULES,
    at.I_BOOK,
    at.I_LOCAL_BOOK,
)
"""Words of an instrument that say where something of it begins, counted from the start of the block."""
_TABLES = range(at.H_AT_CURRENCIES, at.H_AT_MAP + 1)
_BOOKS = (at.I_BOOK, at.I_LOCAL_BOOK)
Window = tuple[int, int]


def enlarge(block: Block, windows: Mapping[int, Window]) -> Block:
    """Return a block in which instruments, by number, have these windows: (lowest tick, ticks).

    An instrument without a book gets one, empty.

    Raises:
        ValueError: a window that leaves out a price at which the book shows something.
    """
    rows = table(block, "instruments")
    parts: list[tuple[int, int, int, Block]] = []  # where, words there, instrument, words in their place
    for number in sorted(windows):
        for place in _BOOKS:
            where, words = _book_at(block, rows, number, place)
            parts.append((where, words, number, _book(block[where : where + words], windows[number], number)))
    made = _joined(block, parts)
    for header in _TABLES:
        made[header] = _moved(int(block[header]), len(rows), parts)
    new = table(made, "instruments")
    for number in range(len(rows)):
        for place in _PLACES:
            if rows[number, place] > 0:
                new[number, place] = _moved(int(rows[number, place]), number, parts)
    for number in windows:
        if rows[number, at.I_BOOK] == 0:
            first = next(where for where, _, own, _ in parts if own == number)
            new[number, at.I_BOOK] = _moved(first, number, parts)
            new[number, at.I_LOCAL_BOOK] = new[number, at.I_BOOK] + at.BOOK + 2 * windows[number][1]
    for row in new:
        if row[at.I_RULES] and made[int(row[at.I_RULES]) + MWCB_BYTES]:
            tie_breaker(made, row)
    made[at.H_WORDS] = len(made)
    return made


def _book_at(block: Block, rows: Block, number: int, place: int) -> tuple[int, int]:
    """Return (where, words) of a book; where there is none, the end of what belongs to the instrument, and 0."""
    where = int(rows[number, place])
    if where > 0:
        return where, at.BOOK + 2 * int(block[where + at.B_SLOTS])
    return int(block[at.H_AT_FILLS] if number + 1 == len(rows) else rows[number + 1, at.I_SLIP_AT]), 0


def _book(old: Block, window: Window, number: int) -> Block:
    """Return a book with another window and the quantities of the old one."""
    low, slots = window
    made = np.zeros(at.BOOK + 2 * slots, dtype=np.int64)
    made[[at.B_BID, at.B_ASK]] = at.NONE
    if len(old):
        made[: at.BOOK] = old[: at.BOOK]
        for side in range(2):
            before = old[at.BOOK + side * int(old[at.B_SLOTS]) :][: int(old[at.B_SLOTS])]
            held = np.flatnonzero(before)
            place = held + int(old[at.B_LOW]) - low
            if len(place) and (place[0] < 0 or place[-1] >= slots):
                raise ValueError(f"window {window}: the book of instrument {number} shows prices outside it")
            made[at.BOOK + side * slots + place] = before[held]
    made[at.B_LOW], made[at.B_SLOTS] = low, slots
    return made


def _joined(block: Block, parts: list[tuple[int, int, int, Block]]) -> Block:
    pieces, done = [], 0
    for where, words, _, book in sorted(parts, key=lambda part: (part[0], part[2])):
        pieces += [block[done:where], book]
        done = where + words
    return np.concatenate([*pieces, block[done:]])


def _moved(where: int, owner: int, parts: list[tuple[int, int, int, Block]]) -> int:
    """Return where a word of an instrument lies now: everything before it that grew has moved it."""
    before = (part for part in parts if part[0] < where or (part[0] == where and part[1] == 0 and part[2] < owner))
    return where + sum(len(book) - words for _, words, _, book in before)
