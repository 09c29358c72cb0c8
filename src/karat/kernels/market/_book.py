"""A dense level-2 book: the quantity at every tick of a window, and the best bid and ask.

The record is a header (lowest tick, number of slots, best bid, best ask), then the bid quantities, then the ask
quantities, one word a tick. NONE is the best price of an empty side.

Invariants:
1. The best bid is the highest tick with a bid quantity, the best ask the lowest with an ask quantity.
2. A price outside the window changes nothing and is told: the caller makes the window larger and comes again.
"""

from __future__ import annotations

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import load, store
from karat.kernels.market._layout import (
    B_ASK,
    B_BID,
    B_LOW,
    B_SLOTS,
    BOOK,
    I_ASK,
    I_BID,
    I_BOOK,
    NONE,
)
from karat.kernels.market._orders import words

OUTSIDE = -1


@compiled(words(6))
def put(b: int, low: int, slots: int, ask: int, price: int, qty: int) -> int:
    """Set the quantity bid (ask = 0) or asked (ask = 1) at a price; return the one before, or OUTSIDE.

    The side is arithmetic, not a branch: which side comes next cannot be guessed, and a wrong guess costs more than
    everything else here. low, slots: those of the book, which callers that set many keep at hand.
    """
    k, sign, side = price - low, 1 - 2 * ask, b + 8 * (BOOK + ask * slots)
    if k < 0 or k >= slots:
        return OUTSIDE
    before, best = load(side, k), load(b, B_BID + ask)
    store(side, k, qty)
    if qty > 0:
        if sign * (price - best) > 0 or best == NONE:
            store(b, B_BID + ask, price)
    elif price == best:
        while 0 <= k < slots and load(side, k) == 0:
            k -= sign
        store(b, B_BID + ask, low + k if 0 <= k < slots else NONE)
    return before


@compiled(words(3))
def shown(b: int, side: int, price: int) -> int:
    """Return the quantity at a price on the bid side (+1) or ask side (-1), 0 outside the window."""
    k, slots = price - load(b, B_LOW), load(b, B_SLOTS)
    if k < 0 or k >= slots:
        return 0
    return load(b, BOOK + k if side > 0 else BOOK + slots + k)


@exported(words(1))
def clear(b: int) -> int:
    """Empty both sides."""
    for k in range(2 * load(b, B_SLOTS)):
        store(b, BOOK + k, 0)
    store(b, B_BID, NONE)
    store(b, B_ASK, NONE)
    return 0


@exported(words(3))
def within(b: int, side: int, price: int) -> int:
    """Return what is shown on one side at this price or better."""
    total, slots, low = 0, load(b, B_SLOTS), load(b, B_LOW)
    k = (load(b, B_BID) if side > 0 else load(b, B_ASK)) - low
    while 0 <= k < slots and side * (low + k - price) >= 0:
        total += load(b, BOOK + k if side > 0 else BOOK + slots + k)
        k -= side
    return total


@compiled(words(3))
def best_shown(s: int, i: int, side: int) -> int:
    """Return the best bid (+1) or ask (-1) at the venue, of its book or of its quote; NONE where there is none."""
    if load(i, I_BOOK):
        return load(s + 8 * load(i, I_BOOK), B_BID if side > 0 else B_ASK)
    return load(i, I_BID) if side > 0 else load(i, I_ASK)
