"""Where the words of a level-3 book lie, its answers, and how large it is. Plain constants: imports nothing heavy."""

from __future__ import annotations

from typing import Final

# -- header
(
    ORDERS,
    LEVELS,
    ORDER_MASK,
    LEVEL_MASK,
    FREE_ORDER,
    FREE_LEVEL,
    LIVE_ORDERS,
    LIVE_LEVELS,
    BEST_BID,
    BEST_ASK,
    SEQUENCE,
    AT_ORDER_MAP,
    AT_LEVEL_MAP,
    AT_ORDERS,
    AT_LEVELS,
) = range(15)
HEADER: Final = 16
# -- an order: `O_USER` is the caller's own
O_ID, O_LEVEL, O_QTY, O_BEFORE, O_AFTER, O_SEQUENCE, O_USER = range(7)
ORDER: Final = 8
# -- a level: `L_BETTER` and `L_WORSE` are its neighbours on its side
L_PRICE, L_SIDE, L_QTY, L_COUNT, L_FIRST, L_LAST, L_BETTER, L_WORSE = range(8)
LEVEL: Final = 8
# -- answers
UNKNOWN, DUPLICATE, FULL, TOO_MUCH, BAD_SIZE, CROSSED, NOT_LEVEL3 = range(1, 8)


def l3_words(orders: int, levels: int) -> int:
    """Return how many words a book of at most `orders` orders at `levels` prices takes."""
    return HEADER + _table(orders) + _table(levels) + ORDER * orders + LEVEL * levels


def _table(capacity: int) -> int:
    """Return the size of a hash table that is never more than half full."""
    size = 16
    while size < 2 * capacity:
        size *= 2
    return size
