"""The one line of an instrument's own orders, where what one of them takes the next one cannot have.

Invariants:
1. Those that take any price come first, then bids, then offers; of these the better price, then the older. On level 3
   the older is the one whose place in the queue is before the other's.
"""

from __future__ import annotations

from karat.kernels._jit import exported
from karat.kernels._memory import load
from karat.kernels.market._layout import I_HEAD, I_MATCHER, O_NEXT, O_PLACE, O_PRICE, O_SEQUENCE, O_SIDE, ORDERS
from karat.kernels.market._match_bars import as_market
from karat.kernels.market._orders import order_at, words


@exported(words(1))
def rank_of(o: int) -> int:
    """Return where an order stands in line: 1 any price, 2 bids, 3 offers; 0 not in line."""
    phase = as_market(o)
    if phase < 2:
        return phase
    return 2 if load(o, O_SIDE) > 0 else 3


@exported(words(2))
def age_of(i: int, o: int) -> int:
    """Return the number that says which of two orders at a price is the older one: the smaller."""
    placed = load(i, I_MATCHER) == ORDERS and as_market(o) == 2
    return load(o, O_PLACE) if placed else load(o, O_SEQUENCE)


@exported(words(6))
def _earlier(rank: int, value: int, age: int, rank_2: int, value_2: int, age_2: int) -> int:
    """Return 1 where the first of two places in line comes before the second."""
    if rank != rank_2:
        return 1 if rank < rank_2 else 0
    if value != value_2:
        return 1 if value < value_2 else 0
    return 1 if age < age_2 else 0


@exported(words(5))
def next_in_line(s: int, i: int, rank: int, value: int, age: int) -> int:
    """Return the slot of the live order that is served next after a place in line, -1 for none.

    A place is (rank, value, age): value is the price of a limit such that the better one is smaller, age see `age_of`.
    """
    best, best_rank, best_value, best_age = -1, 9, 0, 0
    slot = load(i, I_HEAD)
    while slot >= 0:
        o = order_at(s, slot)
        r, v, a = rank_of(o), 0, age_of(i, o)
        if r >= 2:
            v = -load(o, O_SIDE) * load(o, O_PRICE)
        if r > 0 and _earlier(rank, value, age, r, v, a) and _earlier(r, v, a, best_rank, best_value, best_age):
            best, best_rank, best_value, best_age = slot, r, v, a
        slot = load(o, O_NEXT)
    return best
