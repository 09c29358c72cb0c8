"""Compiled checks of event columns, and the exact conversion of real prices and sizes to whole ticks and lots.

One pass over the rows, without temporary arrays: 50 million rows are checked at the speed of reading them.

| symbol | meaning | unit |
|---|---|---|
| table | addresses of the columns, laid out as `V_*` of `_layout`; 0 for a column that is absent | bytes |
| state | what the rows before left: `S_*` below, then `STREAM` words an instrument | words |
| found | count of the rows that break the first broken rule, then the first `KEPT` of them | rows |

Invariants:
1. `check_rows` answers with the number of the first broken rule in row order (`R_*` below), 0 where none is.
2. Checking a stream in pieces with one state gives the same answer as checking it at once.
3. `to_units` never moves a number further than `slack` of a step; what is further off is found, not rounded.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from karat.kernels._jit import compiled
from karat.kernels._memory import load, load_byte, load_half, load_real, store
from karat.kernels.market._layout import (
    ADD_BID,
    BAR,
    CANCEL_ONLY,
    DELETE,
    DEPTH_ASK,
    DEPTH_CLEAR,
    DIVIDEND,
    EXECUTE,
    FUNDING,
    FX,
    NONE,
    QUOTE,
    REDUCE,
    REFERENCE,
    SPLIT,
    STATUS,
    TRADE,
    TRADE_SELL,
    V_A,
    V_B,
    V_C,
    V_D,
    V_INSTRUMENT,
    V_KIND,
    V_KNOWN,
    V_PRICE,
    V_QTY,
    V_TS,
)

Ints = NDArray[np.int64]

KEPT: Final = 6
LARGEST: Final = 2**52
"""Prices and quantities end here: below it every whole number is a float64, so nothing was lost on the way in."""

S_TS, S_CLASS = range(2)
STATE: Final = 8
# of one instrument: last known_at of each stream, the end of its last bar, and what its price basis forbids
STREAM_BARS, STREAM_QUOTES, STREAM_TRADES, STREAM_DEPTH, STREAM_ORDERS, STREAM_NEWS, LAST_BAR, FORBIDS = range(8)
STREAM: Final = 8
NO_SPLIT, NO_DIVIDEND = 1, 2

(
    R_KIND,
    R_INSTRUMENT,
    R_TIME,
    R_CLASS,
    R_KNOWN,
    R_KNOWN_BACK,
    R_PRICE,
    R_SIZE,
    R_BAR_RANGE,
    R_BAR_START,
    R_BAR_OVERLAP,
    R_CROSSED,
    R_LOCKED,
    R_STATUS,
    R_RATIO,
    R_BASIS,
    R_FX,
) = range(1, 18)


@compiled("int64(int64, int64, int64)")
def cell(table: int, column: int, i: int) -> int:
    """Return row i of an int64 column, 0 where the column is absent."""
    address = load(table, column)
    return load(address, i) if address != 0 else 0


@compiled("int64(int64)")
def stream_of(kind: int) -> int:
    """Return the stream of a kind within its instrument, -1 for an unknown kind."""
    if kind >= STATUS:
        return STREAM_NEWS if kind <= REFERENCE else -1
    if kind >= ADD_BID:
        return STREAM_ORDERS if kind <= EXECUTE else -1
    if kind > TRADE_SELL:
        return STREAM_DEPTH
    if kind >= TRADE:
        return STREAM_TRADES
    if kind == QUOTE:
        return STREAM_QUOTES
    return STREAM_BARS if kind == BAR else -1


@compiled("int64(int64)")
def priced(price: int) -> int:
    """Return whether a price is above zero and below the largest."""
    return 1 if 0 < price < LARGEST else 0


@compiled("int64(int64)")
def sized(qty: int) -> int:
    """Return whether a quantity is above zero and below the largest."""
    return 1 if 0 < qty < LARGEST else 0


@compiled("int64(int64, int64, int64, int64)")
def bar_rule(table: int, i: int, ts: int, last_end: int) -> int:
    """Return the rule that a BAR row breaks, 0 for none."""
    open_, high, low, close = (
        load(load(table, V_PRICE), i),
        cell(table, V_A, i),
        cell(table, V_B, i),
        cell(table, V_C, i),
    )
    qty, start = load(load(table, V_QTY), i), cell(table, V_D, i)
    if low <= 0 or high >= LARGEST:
        return R_PRICE
    if low > open_ or low > close or high < open_ or high < close:
        return R_BAR_RANGE
    if qty < -1 or qty >= LARGEST:
        return R_SIZE
    if start >= ts:
        return R_BAR_START
    return R_BAR_OVERLAP if start < last_end else 0


@compiled("int64(int64, int64, int64)")
def quote_rule(table: int, i: int, locked: int) -> int:
    """Return the rule that a QUOTE row breaks; a side without a price has the size 0."""
    bid, ask = load(load(table, V_PRICE), i), cell(table, V_A, i)
    bid_qty, ask_qty = load(load(table, V_QTY), i), cell(table, V_B, i)
    if (bid != NONE and priced(bid) == 0) or (ask != NONE and priced(ask) == 0):
        return R_PRICE
    if bid_qty < 0 or ask_qty < 0 or bid_qty >= LARGEST or ask_qty >= LARGEST:
        return R_SIZE
    if (bid == NONE and bid_qty != 0) or (ask == NONE and ask_qty != 0):
        return R_SIZE
    if bid == NONE or ask == NONE or bid < ask:
        return 0
    if bid > ask:
        return R_CROSSED
    return 0 if locked != 0 else R_LOCKED


@compiled("int64(int64, int64, int64)")
def book_rule(table: int, i: int, kind: int) -> int:
    """Return the rule that a row of trades, depth or orders breaks."""
    price, qty = load(load(table, V_PRICE), i), load(load(table, V_QTY), i)
    if kind in (DEPTH_CLEAR, DELETE):
        return 0
    if kind == REDUCE:
        return 0 if sized(qty) else R_SIZE
    if priced(price) == 0:
        return R_PRICE
    if kind > TRADE_SELL and kind <= DEPTH_ASK:
        return 0 if 0 <= qty < LARGEST else R_SIZE
    return 0 if sized(qty) else R_SIZE


@compiled("int64(int64, int64, int64, int64)")
def news_rule(table: int, i: int, kind: int, forbids: int) -> int:
    """Return the rule that a row of status, corporate action, funding or FX breaks."""
    a, b = cell(table, V_A, i), cell(table, V_B, i)
    if kind == STATUS:
        return 0 if 0 <= a <= CANCEL_ONLY and b <= cell(table, V_C, i) else R_STATUS
    if kind == FX:
        return 0 if a >= 0 and b > 0 else R_FX
    if kind == DIVIDEND:
        return R_BASIS if forbids & NO_DIVIDEND else (0 if a >= 0 else R_RATIO)
    price = load(load(table, V_PRICE), i)
    if kind == SPLIT:
        if forbids & NO_SPLIT:
            return R_BASIS
        return R_RATIO if a <= 0 or b <= 0 else (R_PRICE if price < 0 else 0)
    return 0 if priced(price) or (kind == FUNDING and price == NONE) else R_PRICE


@compiled("int64(int64, int64, int64, int64, int64)")
def row_rule(table: int, i: int, instruments: int, locked: int, state: int) -> int:
    """Return the rule that row i breaks, 0 for none; note in `state` what the next rows need."""
    ts, known, kind = load(load(table, V_TS), i), load(load(table, V_KNOWN), i), load_byte(load(table, V_KIND), i)
    instrument = load_half(load(table, V_INSTRUMENT), i) if load(table, V_INSTRUMENT) != 0 else 0
    stream = stream_of(kind)
    if stream < 0:
        return R_KIND
    if instrument < 0 or instrument >= instruments:
        return R_INSTRUMENT
    later, before = 0 if kind >= STATUS else 1, load(state, S_TS)
    if ts < before:
        return R_TIME
    if ts == before and later < load(state, S_CLASS):
        return R_CLASS
    store(state, S_TS, ts)
    store(state, S_CLASS, later)
    if known < ts:
        return R_KNOWN
    own = state + 8 * (STATE + STREAM * instrument)
    if known < load(own, stream):
        return R_KNOWN_BACK
    store(own, stream, known)
    if kind == BAR:
        rule = bar_rule(table, i, ts, load(own, LAST_BAR))
        store(own, LAST_BAR, ts)
        return rule
    if kind == QUOTE:
        return quote_rule(table, i, locked)
    return news_rule(table, i, kind, load(own, FORBIDS)) if kind >= STATUS else book_rule(table, i, kind)


@compiled("int64(int64, int64, int64, int64, int64, int64)")
def check_rows(table: int, n: int, instruments: int, locked: int, state: int, found: int) -> int:
    """Return the first broken rule of n rows, 0 where all hold; `found` gets the rows that break it."""
    first = 0
    store(found, 0, 0)
    for i in range(n):
        rule = row_rule(table, i, instruments, locked, state)
        if rule == 0:
            continue
        if first == 0:
            first = rule
        if rule == first:
            count = load(found, 0) + 1
            store(found, 0, count)
            if count <= KEPT:
                store(found, count, i)
    return first


@compiled("int64(int64, int64, f8, f8, int64, int64)")
def to_units(values: int, n: int, per_unit: float, slack: float, out: int, found: int) -> int:
    """Write n real numbers at `values` in whole steps (`per_unit` steps make one unit of the value) to `out`.

    slack: the distance from a whole step, in steps, that is still float64 noise; 0.5 and more accepts everything.
    Returns 0, or 1 (NaN or infinite), 2 (off the step), 3 (too large); `found` gets the rows of the first.
    """
    first = 0
    store(found, 0, 0)
    for i in range(n):
        x = load_real(values, i) * per_unit
        rule = 0
        if x != x or abs(x) == np.inf:
            rule = 1
        elif abs(x) >= LARGEST:
            rule = 3
        else:
            whole = np.rint(x)
            store(out, i, int(whole))
            if abs(x - whole) > slack + abs(x) * 1e-15:
                rule = 2
        if rule == 0:
            continue
        if first == 0:
            first = rule
        if rule == first:
            count = load(found, 0) + 1
            store(found, 0, count)
            if count <= KEPT:
                store(found, count, i)
    return first


def new_state(instruments: int, forbids: Any) -> Ints:
    """Return the state before the first row; `forbids`: bits of each instrument (`NO_SPLIT`, `NO_DIVIDEND`)."""
    state = np.full(STATE + STREAM * instruments, -(2**63), np.int64)
    state[S_CLASS] = 0
    state[STATE + FORBIDS :: STREAM] = forbids
    return state
