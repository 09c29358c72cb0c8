"""What a compiled strategy may know and do at its time: called with the block's address, by symbol.

It knows the market as it has reached it, and its own orders as it last heard of them. Prices are ticks, quantities
lots, instruments numbers, sides 1 (buy, bid) and -1 (sell, ask).

Invariants:
1. Nothing here looks at the venue's book: only at rows with known_at up to the strategy's time.
2. An order sent at a time leaves at that time and arrives after its latency, as an intent of the same time would.
3. An unknown instrument has no prices and no position; an order for it is refused, with a message.

`int(...)` costs nothing where it is compiled; with the JIT off it takes numpy's whole numbers, which are not Python's.
"""

from __future__ import annotations

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import load, store
from karat.kernels.market._book import shown
from karat.kernels.market._layout import (
    AMEND,
    AMEND_SENT,
    B_ASK,
    B_BID,
    CANCEL,
    CANCEL_SENT,
    FILLED,
    GTC,
    H_INSTRUMENTS,
    H_LAST_ID,
    H_NOW,
    H_SCRATCH,
    I_LOCAL_BOOK,
    I_LOCAL_POSITION,
    INTENT,
    LIMIT,
    MARKET,
    NONE,
    O_LOCAL,
    O_PENDING,
    SEND,
    T_ACTION,
    T_FLAGS,
    T_ID,
    T_INSTRUMENT,
    T_PRICE,
    T_QTY,
    T_SIDE,
    T_TIF,
    T_TYPE,
)
from karat.kernels.market._orders import find, instrument_at, order_at, words
from karat.kernels.market._strategy import submit_row

CHANGING = 100


@compiled(words(2))
def _book(s: int, number: int) -> int:
    """Return the address of the strategy's book of an instrument, 0 where there is none."""
    if number < 0 or number >= load(s, H_INSTRUMENTS):
        return 0
    where = load(instrument_at(s, number), I_LOCAL_BOOK)
    return s + 8 * where if where > 0 else 0


@exported(words(3))
def best(s: int, number: int, side: int) -> int:
    """Return the best price of a side of the depth seen; NONE for an empty side, and for bars and quotes."""
    b = _book(s, number)
    if b == 0:
        return NONE
    return load(b, B_BID if side > 0 else B_ASK)


@exported(words(4))
def size_at(s: int, number: int, side: int, price: int) -> int:
    """Return the lots seen at a price of a side of the depth; 0 where there are none."""
    b = _book(s, number)
    return shown(b, int(side), int(price)) if b != 0 else 0


@exported(words(2))
def position(s: int, number: int) -> int:
    """Return the lots held, as far as the strategy has heard."""
    if number < 0 or number >= load(s, H_INSTRUMENTS):
        return 0
    return load(instrument_at(s, number), I_LOCAL_POSITION)


@exported(words(2))
def state(s: int, order_id: int) -> int:
    """Return the state of an order as the strategy knows it, 0 once it is over, or was never sent.

    CHANGING is added while a cancel or an amendment of it is under way.
    """
    slot = find(s, int(order_id))
    if slot < 0:
        return 0
    o = order_at(s, slot)
    now = load(o, O_LOCAL)
    if now >= FILLED:
        return 0
    return now + CHANGING if load(o, O_PENDING) & (CANCEL_SENT | AMEND_SENT) else now


@exported(words(1))
def next_id(s: int) -> int:
    """Return the id that the next order sent will have."""
    return max(load(s, H_LAST_ID), 0) + 1


@compiled(words(3))
def _row(s: int, action: int, order_id: int) -> int:
    """Return the address of an empty row of intents for this action on this order."""
    t = s + 8 * H_SCRATCH
    for k in range(INTENT):
        store(t, k, 0)
    store(t, T_ACTION, action)
    store(t, T_ID, int(order_id))
    return t


@compiled(words(6))
def _send(s: int, kind: int, number: int, side: int, qty: int, tif: int) -> int:
    """Return the address of a row for a new order with the next id."""
    t = _row(s, SEND, next_id(s))
    store(t, T_TYPE, kind)
    store(t, T_INSTRUMENT, int(number))
    store(t, T_SIDE, int(side))
    store(t, T_QTY, int(qty))
    store(t, T_TIF, int(tif))
    return t


@exported(words(7))
def send_limit(s: int, number: int, side: int, qty: int, price: int, tif: int, flags: int) -> int:
    """Send a limit order now; return its id, also where it is refused at once."""
    t = _send(s, LIMIT, number, side, qty, tif)
    store(t, T_PRICE, int(price))
    store(t, T_FLAGS, int(flags))
    submit_row(s, t, load(s, H_NOW))
    return load(s, H_LAST_ID)


@exported(words(4))
def send_market(s: int, number: int, side: int, qty: int) -> int:
    """Send a market order now; return its id, also where it is refused at once."""
    submit_row(s, _send(s, MARKET, number, side, qty, GTC), load(s, H_NOW))
    return load(s, H_LAST_ID)


@exported(words(2))
def send_cancel(s: int, order_id: int) -> int:
    """Ask now for an order to be cancelled; return its id."""
    submit_row(s, _row(s, CANCEL, order_id), load(s, H_NOW))
    return order_id


@exported(words(4))
def send_amend(s: int, order_id: int, qty: int, price: int) -> int:
    """Ask now for another quantity or price of an order, 0 leaves it; return its id."""
    t = _row(s, AMEND, order_id)
    store(t, T_QTY, int(qty))
    store(t, T_PRICE, int(price))
    submit_row(s, t, load(s, H_NOW))
    return order_id
