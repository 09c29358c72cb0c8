"""Runs of level-2 rows that are nothing but rows: no status, no fault, no crossed book, nothing due in between.

`advance` takes what comes next one step at a time; most steps of a level-2 market are rows beyond all own orders. This
loop takes them together, with what they need kept at hand, and leaves everything else to `advance`.

Invariants:
1. A run does to the block what as many single steps do. A row that it cannot take is left as it was found.
2. A run ends after a row on which an own order traded: what is due next may have changed.
"""

from __future__ import annotations

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import load, load_byte, load_half, store
from karat.kernels.market._account import mark, revalue
from karat.kernels.market._book import OUTSIDE, put
from karat.kernels.market._layout import (
    B_ASK,
    B_BID,
    B_LOW,
    B_SLOTS,
    DEPTH,
    DEPTH_ASK,
    DEPTH_BID,
    FAR,
    H_INSTRUMENTS,
    H_NOW,
    H_ROW,
    H_STEPS,
    I_BOOK,
    I_BUY_HIGH,
    I_BUY_LOW,
    I_FLAGS,
    I_LAST,
    I_MARK,
    I_MATCHER,
    I_RULES,
    I_SELL_HIGH,
    I_SELL_LOW,
    I_STATUS,
    I_UNPLAIN,
    MARK_MID,
    NONE,
    TRADE,
    TRADE_BUY,
    TRADE_SELL,
    V_INSTRUMENT,
    V_KIND,
    V_PRICE,
    V_QTY,
    V_ROWS,
    V_TS,
)
from karat.kernels.market._match_depth import printed, touch
from karat.kernels.market._orders import instrument_at, trading, words


@compiled(words(2))
def _simple(s: int, number: int) -> int:
    """Return 1 where an instrument's rows can be taken in a run: a book not crossed, no own orders but limit orders."""
    if number < 0 or number >= load(s, H_INSTRUMENTS):
        return 0
    i = instrument_at(s, number)
    if load(i, I_MATCHER) != DEPTH or load(i, I_RULES) or (load(i, I_UNPLAIN) > 0 and trading(load(i, I_STATUS))):
        return 0
    b = s + 8 * load(i, I_BOOK)
    return 1 if load(b, B_ASK) == NONE or load(b, B_BID) < load(b, B_ASK) else 0


@compiled(words(2))
def _mark_mid(s: int, i: int) -> int:
    """Value a position at the middle of the best prices; return 0 where its value cannot be held."""
    b = s + 8 * load(i, I_BOOK)
    bid, ask = load(b, B_BID), load(b, B_ASK)
    if bid == NONE or ask == NONE or (bid + ask) // 2 == load(i, I_MARK):
        return 1
    return mark(s, i, (bid + ask) // 2)


@exported(words(5))
def depth_rows(s: int, v: int, row: int, until_ns: int, steps: int) -> int:
    """Take rows up to until_ns, at most so many, as long as they are simple; return how many.

    Longer than other functions: what the loop keeps at hand between rows would otherwise be loaded for each of them.
    """
    kinds, prices, quantities, times = load(v, V_KIND), load(v, V_PRICE), load(v, V_QTY), load(v, V_TS)
    numbers, end, first, now, met = load(v, V_INSTRUMENT), min(load(v, V_ROWS), row + steps), row, load(s, H_NOW), 0
    n, number = 0, -1
    i = b = low = slots = middle = 0
    unseen = False
    buy_low = buy_high = sell_low = sell_high = 0
    while row < end and met == 0:
        ts = load(times, row)
        if ts > until_ns or ts < now:
            break
        if numbers != 0:
            n = load_half(numbers, row)
        if n != number:
            if not _simple(s, n):
                break
            number, i = n, instrument_at(s, n)
            b, middle = s + 8 * load(i, I_BOOK), load(i, I_FLAGS) & MARK_MID
            unseen = load(i, I_LAST) == NONE  # without a trade the middle is all there is
            low, slots = load(b, B_LOW), load(b, B_SLOTS)
            buy_low, sell_low, buy_high, sell_high = FAR, FAR, NONE, NONE
            if trading(load(i, I_STATUS)):
                buy_low, buy_high = load(i, I_BUY_LOW), load(i, I_BUY_HIGH)
                sell_low, sell_high = load(i, I_SELL_LOW), load(i, I_SELL_HIGH)
        kind, price, qty = load_byte(kinds, row), load(prices, row), load(quantities, row)
        if qty < 0:
            break
        if kind == DEPTH_BID or kind == DEPTH_ASK:
            ask = kind - DEPTH_BID
            side, other = 1 - 2 * ask, load(b, B_ASK - ask)
            if qty > 0 and other != NONE and side * (price - other) >= 0:
                break
            before = put(b, low, slots, ask, price, qty)
            if before == OUTSIDE:
                break
            best = load(b, B_BID + ask)
            inside = sell_low <= price <= sell_high if ask else buy_low <= price <= buy_high
            if inside or (best != NONE and side * (best - (buy_high if ask else sell_low)) >= 0):
                store(s, H_ROW, row)
                store(s, H_NOW, ts)
                met = touch(s, i, side, price, before, qty, ts)
            if (middle or unseen) and not _mark_mid(s, i):
                break
        elif TRADE <= kind <= TRADE_SELL and price > 0:
            store(i, I_LAST, price)
            store(s, H_ROW, row)
            store(s, H_NOW, ts)
            unseen = False
            if kind != TRADE_BUY and price <= buy_high:
                met = printed(s, i, 1, price, qty, ts)
            if kind != TRADE_SELL and price >= sell_low:
                met |= printed(s, i, -1, price, qty, ts)
            if middle == 0 and not revalue(s, i, price):
                break
        else:
            break
        row, now = row + 1, ts
    store(s, H_ROW, row)
    store(s, H_NOW, now)
    store(s, H_STEPS, load(s, H_STEPS) + row - first)
    return row - first
