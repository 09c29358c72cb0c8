"""A market of orders that arrive by chance: the compiled half of the order-flow generator.

Limit orders, market orders and cancellations arrive as independent Poisson processes, as in Cont, Stoikov and Talreja
(2010), "A stochastic model for order book dynamics", Operations Research 58(3), section 2; order sizes are geometric
instead of one unit, and a share of the cancellations takes only a part away or moves the order.

| symbol | meaning | unit |
|---|---|---|
| lambda(i) | arrivals of limit orders i ticks from the opposite best price, each side | orders / s |
| theta(i) | rate at which an order i ticks from the opposite best price is cancelled; theta(D) beyond D | 1 / s |
| mu | arrivals of market orders, each side | orders / s |
| D | number of distances | ticks |

Invariants:
1. Cancellations are drawn by thinning: a uniformly chosen order, kept with probability theta(i) / max theta. The
   process is exact, not approximated by steps of time.
2. A side never becomes empty: what would take its last order does not happen.
3. The book never crosses, and every row is applied to the book before it is written.
"""

from __future__ import annotations

import math
from typing import Final

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import load, load_real, store
from karat.kernels.market import _l3_layout as _records
from karat.kernels.market._l3 import (
    l3_add,
    l3_apply,
    l3_best,
    l3_crossed,
    l3_delete,
    l3_modify,
    l3_quantity,
    l3_reduce,
)
from karat.kernels.market._l3_records import l3_order, level_at, order_at
from karat.kernels.market._layout import (
    ADD_ASK,
    ADD_BID,
    DELETE,
    DEPTH_ASK,
    DEPTH_BID,
    DEPTH_CLEAR,
    EXECUTE,
    MODIFY,
    REDUCE,
    TRADE_BUY,
    TRADE_SELL,
    V_A,
    V_KIND,
    V_PRICE,
    V_QTY,
    V_TS,
)

# -- the generator's words: reals as bits
(
    G_TS,
    G_NEXT_ID,
    G_ROW,
    G_ROWS,
    G_DRAW,
    G_DRAWS,
    G_LIVE,
    G_CAPACITY,
    G_DISTANCES,
    G_LIMIT,
    G_CANCEL,
    G_MARKET,
    G_LOG_MISS,
    G_REDUCE,
    G_MODIFY,
) = range(15)
G_HEADER: Final = 16  # then the cumulated lambda (D), theta (D), then the live orders' numbers (capacity)
PER_STEP: Final = 8  # draws that one step may use
MORE_DRAWS, ROWS_FULL = 1, 2

_PRICE, _SIDE, _COUNT, _WORSE = _records.L_PRICE, _records.L_SIDE, _records.L_COUNT, _records.L_WORSE
_BEST_BID, _BEST_ASK, _FIRST = _records.BEST_BID, _records.BEST_ASK, _records.L_FIRST
_ID, _LEVEL, _QTY, _USER = _records.O_ID, _records.O_LEVEL, _records.O_QTY, _records.O_USER


@compiled("f8(int64, int64)")
def draw(g: int, draws: int) -> float:
    """Return the next uniform number in [0, 1)."""
    i = load(g, G_DRAW)
    store(g, G_DRAW, i + 1)
    return load_real(draws, i)


@compiled("int64(int64, f8)")
def size_of(g: int, u: float) -> int:
    """Return a geometric size of 1 or more."""
    return 1 + int(math.log(1.0 - u) / load_real(g, G_LOG_MISS))


@compiled("int64(int64, f8)")
def distance_of(g: int, u: float) -> int:
    """Return a distance in ticks, drawn in proportion to lambda."""
    most, wanted = load(g, G_DISTANCES), u * load_real(g, G_LIMIT)
    i = 0
    while i < most - 1 and load_real(g, G_HEADER + i) <= wanted:
        i += 1
    return i + 1


@compiled("int64(int64, int64, int64, int64, int64, int64)")
def write(g: int, table: int, kind: int, price: int, qty: int, order_id: int) -> int:
    """Write one row of the stream."""
    row = load(g, G_ROW)
    store(load(table, V_TS), row, load(g, G_TS))
    store(load(table, V_KIND), row, kind)
    store(load(table, V_PRICE), row, price)
    store(load(table, V_QTY), row, qty)
    store(load(table, V_A), row, order_id)
    store(g, G_ROW, row + 1)
    return row


@compiled("int64(int64, int64)")
def forget(g: int, index: int) -> int:
    """Take an index out of the list of live orders and give it to the last; return the order that moved."""
    live, listed = load(g, G_LIVE) - 1, G_HEADER + 2 * load(g, G_DISTANCES)
    moved = load(g, listed + live)
    store(g, listed + index, moved)
    store(g, G_LIVE, live)
    return moved


@exported("int64(int64, int64, int64, int64, int64, int64)")
def place(g: int, book: int, table: int, side: int, price: int, qty: int) -> int:
    """Add a limit order and write its row; nothing happens where there is no room or no such price."""
    if price <= 0 or load(g, G_LIVE) >= load(g, G_CAPACITY):
        return 0
    order_id = load(g, G_NEXT_ID)
    if l3_add(book, order_id, side, price, qty) != 0:
        return 0
    store(g, G_NEXT_ID, order_id + 1)
    live, order = load(g, G_LIVE), l3_order(book, order_id)
    store(order_at(book, order), _USER, live)
    store(g, G_HEADER + 2 * load(g, G_DISTANCES) + live, order)
    store(g, G_LIVE, live + 1)
    return write(g, table, ADD_BID if side > 0 else ADD_ASK, price, qty, order_id)


@compiled("int64(int64, int64)")
def last_of_side(book: int, side: int) -> int:
    """Return 1 where a side has one order left."""
    level = level_at(book, load(book, _BEST_BID if side > 0 else _BEST_ASK))
    return 1 if load(level, _WORSE) < 0 and load(level, _COUNT) == 1 else 0


@compiled("int64(int64, int64, int64)")
def gone(g: int, book: int, index: int) -> int:
    """Keep the list of live orders true after an order left the book."""
    moved = forget(g, index)
    store(order_at(book, moved), _USER, index)
    return 0


@exported("int64(int64, int64, int64, int64, int64)")
def trade(g: int, book: int, table: int, side: int, qty: int) -> int:
    """Let a market order of a side take the best orders against it, one row each, as far as there are rows."""
    while qty > 0 and load(g, G_ROW) < load(g, G_ROWS):
        level = level_at(book, load(book, _BEST_ASK if side > 0 else _BEST_BID))
        own = order_at(book, load(level, _FIRST))
        there, order_id, price, index = load(own, _QTY), load(own, _ID), load(level, _PRICE), load(own, _USER)
        if there <= qty and last_of_side(book, -side):
            return 0
        taken = min(qty, there)
        l3_reduce(book, order_id, taken)
        if taken == there:
            gone(g, book, index)
        write(g, table, EXECUTE, price, taken, order_id)
        qty -= taken
    return 0


@exported("int64(int64, int64, int64, int64)")
def cancel(g: int, book: int, table: int, draws: int) -> int:
    """Let a chosen order be cancelled, reduced or moved, or nothing when the thinning says so."""
    index = int(draw(g, draws) * load(g, G_LIVE))
    kept, what, u, v = draw(g, draws), draw(g, draws), draw(g, draws), draw(g, draws)
    own = order_at(book, load(g, G_HEADER + 2 * load(g, G_DISTANCES) + index))
    level = level_at(book, load(own, _LEVEL))
    side, price, qty, order_id = load(level, _SIDE), load(level, _PRICE), load(own, _QTY), load(own, _ID)
    other, most = l3_best(book, -side), load(g, G_DISTANCES)
    distance = min(side * (other - price), most)
    if kept * load_real(g, G_CANCEL) >= load_real(g, G_HEADER + most + distance - 1):
        return 0
    if what < load_real(g, G_REDUCE) and qty > 1:
        less = 1 + int(u * (qty - 1))
        l3_reduce(book, order_id, less)
        return write(g, table, REDUCE, 0, less, order_id)
    if last_of_side(book, side):
        return 0
    if what > 1.0 - load_real(g, G_MODIFY):
        to = other - side * distance_of(g, u)
        lots = size_of(g, v)
        if to > 0 and l3_modify(book, order_id, to, lots) == 0:
            write(g, table, MODIFY, to, lots, order_id)
        return 0
    l3_delete(book, order_id)
    gone(g, book, index)
    return write(g, table, DELETE, 0, 0, order_id)


@compiled("int64(int64, int64, int64, int64)")
def flow(g: int, book: int, table: int, draws: int) -> int:
    """Run until the rows are full (ROWS_FULL) or the draws are used (MORE_DRAWS)."""
    while load(g, G_ROW) < load(g, G_ROWS):
        if load(g, G_DRAW) + PER_STEP > load(g, G_DRAWS):
            return MORE_DRAWS
        limit, market = 2.0 * load_real(g, G_LIMIT), 2.0 * load_real(g, G_MARKET)
        total = limit + market + load_real(g, G_CANCEL) * load(g, G_LIVE)
        wait = int(-math.log(1.0 - draw(g, draws)) / total * 1e9)
        store(g, G_TS, load(g, G_TS) + max(wait, 1))
        which = draw(g, draws) * total
        if which < limit:
            side = 1 if which + which < limit else -1
            distance, qty = distance_of(g, draw(g, draws)), size_of(g, draw(g, draws))
            place(g, book, table, side, l3_best(book, -side) - side * distance, qty)
        elif which < limit + market:
            trade(g, book, table, 1 if 2.0 * (which - limit) < market else -1, size_of(g, draw(g, draws)))
        else:
            cancel(g, book, table, draws)
    return ROWS_FULL


@compiled("int64(int64, int64, int64, int64)")
def level_row(book: int, out: int, side: int, price: int) -> int:
    """Write a level's whole quantity as a depth row."""
    row = load(out, 0)
    store(load(out, V_KIND), row, DEPTH_BID if side > 0 else DEPTH_ASK)
    store(load(out, V_PRICE), row, price)
    store(load(out, V_QTY), row, l3_quantity(book, side, price))
    store(out, 0, row + 1)
    return row


@exported("int64(int64, int64, int64, int64, int64, int64)")
def aggregate(book: int, out: int, kind: int, price: int, qty: int, order_id: int) -> int:
    """Apply one level-3 event to the book and write what it does to the levels; return the book's code.

    out: word 0 counts the rows, the columns kind, price and qty are words. An execution gives a trade and its level.
    """
    side, old = (1 if kind == ADD_BID else -1), price
    if kind != ADD_BID and kind != ADD_ASK and kind != DEPTH_CLEAR:
        order = l3_order(book, order_id)
        if order < 0:
            return _records.UNKNOWN
        level = level_at(book, load(order_at(book, order), _LEVEL))
        side, old = load(level, _SIDE), load(level, _PRICE)
    code = l3_apply(book, kind, price, qty, order_id)
    if code != 0:
        return code
    row = load(out, 0)
    if kind in (DEPTH_CLEAR, EXECUTE):
        taker = TRADE_SELL if side > 0 else TRADE_BUY
        store(load(out, V_KIND), row, DEPTH_CLEAR if kind == DEPTH_CLEAR else taker)
        store(load(out, V_PRICE), row, 0 if kind == DEPTH_CLEAR else price)
        store(load(out, V_QTY), row, 0 if kind == DEPTH_CLEAR else qty)
        store(out, 0, row + 1)
        if kind == DEPTH_CLEAR:
            return 0
    level_row(book, out, side, old)
    if kind == MODIFY and price != old:
        level_row(book, out, side, price)
    return _records.CROSSED if l3_crossed(book) != 0 else 0


@compiled("int64(int64, int64, int64, int64, int64)")
def aggregate_rows(book: int, table: int, out: int, first: int, last: int) -> int:
    """Turn rows first to last (exclusive) into level 2; return the row that failed, `last` where none did.

    The columns of `table` are words here, kind too. `out` has room for two rows each; its column A gets the row of
    origin, and kinds that are not level 3 get one row of their own kind.
    """
    for i in range(first, last):
        kind, before = load(load(table, V_KIND), i), load(out, 0)
        price, qty = load(load(table, V_PRICE), i), load(load(table, V_QTY), i)
        if kind < DEPTH_CLEAR or kind > EXECUTE:
            store(load(out, V_KIND), before, kind)
            store(load(out, V_PRICE), before, price)
            store(load(out, V_QTY), before, qty)
            store(out, 0, before + 1)
            code = 0
        else:
            code = aggregate(book, out, kind, price, qty, load(load(table, V_A), i))
        for row in range(before, load(out, 0)):
            store(load(out, V_A), row, i)
        if code != 0:
            store(book, _records.HEADER - 1, code)
            return i
    return last
