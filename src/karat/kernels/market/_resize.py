"""Give a market's books other windows, or more room, while it runs: a new block with everything of the old one.

A book is dense: one word a tick of its window. A price outside stops the market with E_WINDOW and changes nothing;
the caller makes the window larger here and goes on. A level-3 book has room for so many orders and price levels; a full
one stops the market with E_BOOK_FULL in the same way.

Invariants:
1. What follows is the same as if the books had had these windows from the start, and so is the state's hash. More room
   for single orders changes the hash, but nothing that happens.
2. The old block is not changed. Addresses of it are not valid for the new one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from karat.kernels.market import _l3_layout as l3
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
    at.I_VENUE_ORDERS,
    at.I_LOCAL_ORDERS,
)
"""Words of an instrument that say where something of it begins, counted from the start of the block."""
_TABLES = range(at.H_AT_CURRENCIES, at.H_AT_MAP + 1)
_BOOKS = (at.I_BOOK, at.I_LOCAL_BOOK)
_ORDERS = (at.I_VENUE_ORDERS, at.I_LOCAL_ORDERS)
Window = tuple[int, int]
Room = tuple[int, int]
_GROWTH = 4


def enlarge(block: Block, windows: Mapping[int, Window], rooms: Mapping[int, Room] | None = None) -> Block:
    """Return a block in which instruments, by number, have these windows, (lowest tick, ticks), and these rooms.

    rooms: (orders, price levels) of level-3 books, not smaller than what they have. An instrument without a book gets
    one, empty; whoever gives the first level-3 book binds the block with `bind_orders(block, new=False)`.

    Raises:
        ValueError: a window that leaves out a price at which the book shows something.
    """
    rows = table(block, "instruments")
    parts: list[tuple[int, int, int, Block]] = []  # where, words there, instrument, words in their place
    added: list[tuple[int, int, int, int]] = []  # instrument, its word, where the first part of it goes, words before
    for number in sorted({*windows, *(rooms or {})}):
        own = len(parts)
        for place in (*_BOOKS, *_ORDERS):
            room = (rooms or {}).get(number) if place in _ORDERS else windows.get(number)
            if room is None:
                continue
            where, words = _book_at(block, rows, number, place)
            old = block[where : where + words]
            if words == 0:
                new_before = sum(len(part[3]) for part in parts[own:] if part[1] == 0)
                added.append((number, place, where, new_before))
            made_book = _orders(old, room) if place in _ORDERS else _book(old, room, number)
            parts.append((where, words, number, made_book))
    made = _joined(block, parts)
    for header in _TABLES:
        made[header] = _moved(int(block[header]), len(rows), parts)
    new = table(made, "instruments")
    for number in range(len(rows)):
        for place in _PLACES:
            if rows[number, place] > 0:
                new[number, place] = _moved(int(rows[number, place]), number, parts)
    for number, place, where, new_before in added:
        new[number, place] = _moved(where, number, parts) + new_before
    for row in new:
        if row[at.I_RULES] and made[int(row[at.I_RULES]) + MWCB_BYTES]:
            tie_breaker(made, row)
    made[at.H_WORDS] = len(made)
    return made


def more_room(block: Block, number: int) -> Room:
    """Return a room in which the level-3 book of an instrument, now full, is not."""
    where = int(table(block, "instruments")[number, at.I_VENUE_ORDERS])
    orders, levels = int(block[where + l3.ORDERS]), int(block[where + l3.LEVELS])
    full = block[where + l3.FREE_ORDER] < 0
    return (_GROWTH * orders, levels) if full else (orders, _GROWTH * levels)


def _book_at(block: Block, rows: Block, number: int, place: int) -> tuple[int, int]:
    """Return (where, words) of a book; where there is none, the end of what belongs to the instrument, and 0."""
    where = int(rows[number, place])
    if where > 0 and place in _ORDERS:
        return where, l3.l3_words(int(block[where + l3.ORDERS]), int(block[where + l3.LEVELS]))
    if where > 0:
        return where, at.BOOK + 2 * int(block[where + at.B_SLOTS])
    return int(block[at.H_AT_FILLS] if number + 1 == len(rows) else rows[number + 1, at.I_SLIP_AT]), 0


def _orders(old: Block, room: Room) -> Block:
    """Return a level-3 book with more room and everything of the old one."""
    from karat.kernels.market._l3 import l3_init
    from karat.kernels.market._l3_room import l3_copy

    made = np.zeros(l3.l3_words(*room), dtype=np.int64)
    l3_init(made.ctypes.data, *room)
    if len(old):
        kept = old.copy()
        l3_copy(kept.ctypes.data, made.ctypes.data)
    return made


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
