"""What a strategy may know and do at a time: the market as it has reached it, its own orders as it last heard of them.

Compiled strategies call these functions with the block's address; the Python doors use the same ones.

Invariants:
1. Nothing here looks at the venue's book: only at rows with known_at up to the strategy's time.
2. An order sent at a time leaves at that time and arrives after its latency, as an intent of the same time would.
"""

from __future__ import annotations

from karat.kernels._jit import exported
from karat.kernels._memory import call4, load, load_byte, load_half, store
from karat.kernels.market._account import stop_with
from karat.kernels.market._advance import act
from karat.kernels.market._book import clear, put
from karat.kernels.market._layout import (
    ADD_BID,
    AMEND_SENT,
    B_ASK,
    B_BID,
    B_LOW,
    B_SLOTS,
    CANCEL,
    CANCEL_SENT,
    DEPTH_ASK,
    DEPTH_BID,
    DEPTH_CLEAR,
    E_TIME,
    EXECUTE,
    FILLED,
    H_LOCAL_ROW,
    H_NOW,
    H_ORDERS_FOLLOW,
    H_SCRATCH,
    I_LOCAL_BOOK,
    I_LOCAL_ORDERS,
    I_LOCAL_POSITION,
    INTENT,
    LIMIT,
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
    V_INSTRUMENT,
    V_KIND,
    V_KNOWN,
    V_PRICE,
    V_QTY,
    V_ROWS,
)
from karat.kernels.market._orders import find, instrument_at, order_at, words


@exported(words(3))
def follow(s: int, v: int, until_ns: int) -> int:
    """Bring the strategy's books up to what was known at until_ns; return the rows taken."""
    known, kinds, prices, quantities = load(v, V_KNOWN), load(v, V_KIND), load(v, V_PRICE), load(v, V_QTY)
    numbers, rows, row = load(v, V_INSTRUMENT), load(v, V_ROWS), load(s, H_LOCAL_ROW)
    first, number, n, i = row, -1, 0, 0
    b = low = slots = orders = 0
    while row < rows and load(known, row) <= until_ns:
        if numbers != 0:
            n = load_half(numbers, row)
        if n != number:
            number, i = n, instrument_at(s, n)
            b, orders = s + 8 * load(i, I_LOCAL_BOOK), load(i, I_LOCAL_ORDERS)
            low, slots = load(b, B_LOW), load(b, B_SLOTS)
        kind = load_byte(kinds, row)
        if kind == DEPTH_BID or kind == DEPTH_ASK:
            put(b, low, slots, kind - DEPTH_BID, load(prices, row), load(quantities, row))
        elif orders != 0 and (ADD_BID <= kind <= EXECUTE or kind == DEPTH_CLEAR):
            call4(load(s, H_ORDERS_FOLLOW), s, i, v, row)
        elif kind == DEPTH_CLEAR:
            clear(b)
        row += 1
    store(s, H_LOCAL_ROW, row)
    return row - first


@exported(words(3))
def seen_best(s: int, number: int, side: int) -> int:
    """Return the best price of a side that the strategy has seen, NONE for an empty one."""
    return load(s + 8 * load(instrument_at(s, number), I_LOCAL_BOOK), B_BID if side > 0 else B_ASK)


@exported(words(2))
def seen_position(s: int, number: int) -> int:
    """Return the lots held, as far as the strategy has heard."""
    return load(instrument_at(s, number), I_LOCAL_POSITION)


@exported(words(2))
def seen_state(s: int, order_id: int) -> int:
    """Return the state of an order as the strategy knows it, 0 once it is over and forgotten.

    100 is added while a cancel or an amendment of it is under way.
    """
    slot = find(s, order_id)
    if slot < 0:
        return 0
    o = order_at(s, slot)
    state = load(o, O_LOCAL)
    if state >= FILLED:
        return 0
    return state + 100 if load(o, O_PENDING) & (CANCEL_SENT | AMEND_SENT) else state


@exported(words(8))
def submit_limit(s: int, order_id: int, number: int, side: int, price: int, qty: int, tif: int, flags: int) -> int:
    """Send a limit order now; return its slot, -1 where it is refused at once."""
    t = s + 8 * H_SCRATCH
    for k in range(INTENT):
        store(t, k, 0)
    store(t, T_ACTION, SEND)
    store(t, T_ID, order_id)
    store(t, T_INSTRUMENT, number)
    store(t, T_SIDE, side)
    store(t, T_TYPE, LIMIT)
    store(t, T_TIF, tif)
    store(t, T_FLAGS, flags)
    store(t, T_QTY, qty)
    store(t, T_PRICE, price)
    return act(s, t, load(s, H_NOW))


@exported(words(2))
def submit_cancel(s: int, order_id: int) -> int:
    """Ask now for an order to be cancelled."""
    t = s + 8 * H_SCRATCH
    for k in range(INTENT):
        store(t, k, 0)
    store(t, T_ACTION, CANCEL)
    store(t, T_ID, order_id)
    return act(s, t, load(s, H_NOW))


@exported(words(3))
def submit_row(s: int, t: int, ts: int) -> int:
    """Do what a row of intents says, at ts, which is not before anything already done."""
    if ts < load(s, H_NOW):
        return stop_with(s, E_TIME, ts, load(s, H_NOW)) - 1
    store(s, H_NOW, ts)
    return act(s, t, ts)
