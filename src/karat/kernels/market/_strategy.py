"""A strategy's side of the market: its books, which lag behind the venue's, and the orders it sends by hand.

Invariants:
1. The strategy's books hold only rows with known_at up to its time.
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
    B_LOW,
    B_SLOTS,
    DEPTH_ASK,
    DEPTH_BID,
    DEPTH_CLEAR,
    E_TIME,
    EXECUTE,
    H_GRAVE,
    H_LOCAL_ROW,
    H_NOW,
    H_ORDERS_FOLLOW,
    I_LOCAL_BOOK,
    I_LOCAL_ORDERS,
    V_INSTRUMENT,
    V_KIND,
    V_KNOWN,
    V_PRICE,
    V_QTY,
    V_ROWS,
)
from karat.kernels.market._orders import bury, instrument_at, words


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
def submit_row(s: int, t: int, ts: int) -> int:
    """Do what a row of intents says, at ts, which is not before anything already done."""
    if ts < load(s, H_NOW):
        return stop_with(s, E_TIME, ts, load(s, H_NOW)) - 1
    store(s, H_NOW, ts)
    slot = act(s, t, ts)
    if load(s, H_GRAVE) >= 0:
        bury(s)
    return slot
