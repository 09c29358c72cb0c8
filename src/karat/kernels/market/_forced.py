"""Orders that the market sends for the account: a liquidation after a margin call, a buy-in after a recall.

Invariants:
1. Ids of such orders are below zero and fall: an id of the user's is above zero, so none can ever be the same, and no
   cancel or amendment reaches them.
2. Such an order takes any price, only reduces, stands until it is filled, and is live at once without being matched: it
   meets the next row of its market, never the price that caused it. Where nothing matches it waits.
3. There is one at a time on an instrument; what it leaves open gets another one when the cause is looked at again.
"""

from __future__ import annotations

from karat.kernels._jit import exported
from karat.kernels._memory import load, store
from karat.kernels.market._account import money_at
from karat.kernels.market._execute import end, enter, living
from karat.kernels.market._layout import (
    ACCEPTED,
    CANCEL_DONE,
    CANCELLED,
    FAR,
    GTC,
    H_FORCED,
    H_ORDERS,
    I_NUMBER,
    I_POSITION,
    M_FORCED,
    MARKET,
    O_FLAGS,
    O_FULL,
    O_ID,
    O_INSTRUMENT,
    O_LOCAL,
    O_QTY,
    O_SENT,
    O_SIDE,
    O_STATE,
    O_TIF,
    O_TYPE,
    PARTIAL,
    PENDING_NEW,
    REDUCE_ONLY,
    WAITING,
)
from karat.kernels.market._orders import instrument_at, order_at, take_slot, words


@exported(words(4))
def force(s: int, i: int, reason: int, ts: int) -> int:
    """Send an order that closes a position, unless one is under way; return 1 unless there is no room for it."""
    m = money_at(s, i)
    if load(m, M_FORCED) < 0 and living(s, load(m, M_FORCED)):
        return 1
    order_id, position = -load(s, H_FORCED) - 1, load(i, I_POSITION)
    slot = take_slot(s, order_id)
    if slot < 0:
        return 0
    store(s, H_FORCED, -order_id)
    store(m, M_FORCED, order_id)
    o = order_at(s, slot)
    store(o, O_INSTRUMENT, load(i, I_NUMBER))
    store(o, O_SIDE, -1 if position > 0 else 1)
    store(o, O_TYPE, MARKET)
    store(o, O_TIF, GTC)
    store(o, O_FLAGS, REDUCE_ONLY)
    store(o, O_QTY, abs(position))
    store(o, O_FULL, abs(position))
    store(o, O_SENT, ts)
    store(o, O_STATE, PENDING_NEW)
    store(o, O_LOCAL, PENDING_NEW)
    enter(s, i, o, ts, ACCEPTED, reason)
    return 1


@exported(words(3))
def _next_id(s: int, number: int, after: int) -> int:
    """Return the slot of the order at the venue with the smallest id above `after`, -1 for none.

    number: of an instrument whose sales are meant that are not reduce-only, -1 for every order.
    """
    best, smallest = -1, FAR
    for slot in range(load(s, H_ORDERS)):
        o = order_at(s, slot)
        state, order_id = load(o, O_STATE), load(o, O_ID)
        if state < WAITING or state > PARTIAL or order_id <= after or order_id >= smallest:
            continue
        sale = load(o, O_SIDE) < 0 and load(o, O_FLAGS) & REDUCE_ONLY == 0
        if number < 0 or (sale and load(o, O_INSTRUMENT) == number):
            best, smallest = slot, order_id
    return best


@exported(words(4))
def cancel_all(s: int, number: int, reason: int, ts: int) -> int:
    """Cancel the user's orders at the venue by rising id: all (number -1), or the sales of an instrument.

    Orders on their way are judged when they arrive.
    """
    slot = _next_id(s, number, 0)
    while slot >= 0:
        o = order_at(s, slot)
        end(s, instrument_at(s, load(o, O_INSTRUMENT)), o, CANCELLED, CANCEL_DONE, reason, ts)
        slot = _next_id(s, number, load(o, O_ID))
    return 0
