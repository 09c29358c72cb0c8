"""Hand-written cases of the market, third part: quotes with trades, and level 2. An event of a book is at its `ts`."""

from __future__ import annotations

from market_cases import BUY, DEPTH, QUOTES, SELL, Case, event, limit, market, quote, send, stop

from karat.kernels.market import _layout as k

Q = ({"matcher": QUOTES, "mark_mid": True},)
D = ({"matcher": DEPTH, "mark_mid": True},)


def bid(ts: int, price: int, lots: int) -> dict[str, int]:
    return event(ts, k.DEPTH_BID, price, lots)


def ask(ts: int, price: int, lots: int) -> dict[str, int]:
    return event(ts, k.DEPTH_ASK, price, lots)


def sold(ts: int, price: int, lots: int) -> dict[str, int]:
    return event(ts, k.TRADE_SELL, price, lots)


LADDER = [bid(0, 99, 10), bid(0, 98, 20), ask(0, 101, 10), ask(0, 102, 20)]

QUOTE_CASES = [
    Case(
        "quote_take", "the displayed size is used up until the next quote",
        [quote(0, 99, 10, 101, 10), quote(5, 99, 10, 102, 4)],
        [market(1, 1, BUY, 6), market(2, 2, BUY, 6)],
        [(1, 1, 101, 6, False), (2, 2, 101, 4, False), (2, 5, 102, 2, False)],
        terms=Q,
    ),
    Case(
        "quote_limit", "a marketable limit takes, then rests, and is met at its own price",
        [quote(0, 99, 10, 101, 4), quote(5, 99, 10, 100, 9)],
        [limit(1, 1, BUY, 6, 101)], [(1, 1, 101, 4, False), (1, 5, 101, 2, True)], terms=Q,
    ),
    Case(
        "quote_queue", "10 lots in front: 7 and 5 are printed, 2 are left for the order",
        [quote(0, 99, 10, 101, 10), sold(2, 99, 7), sold(3, 99, 5)],
        [limit(1, 1, BUY, 6, 99)], [(1, 3, 99, 2, True)], terms=Q,
    ),
    Case(
        "quote_improve", "an order better than the bid has nothing in front",
        [quote(0, 97, 10, 101, 10), sold(2, 99, 7)],
        [limit(1, 1, BUY, 6, 99)], [(1, 2, 99, 6, True)], terms=Q,
    ),
    Case(
        "quote_through", "a print through the limit is shared by price", [quote(0, 99, 10, 101, 10), sold(2, 96, 7)],
        [limit(1, 1, BUY, 6, 97), limit(1, 2, BUY, 5, 98)], [(2, 2, 98, 5, True), (1, 2, 97, 2, True)], terms=Q,
    ),
    Case(
        "quote_behind", "below the bid the queue is unknown until the quote is there",
        [quote(0, 99, 10, 101, 10), quote(2, 98, 3, 101, 10), sold(3, 98, 5)],
        [limit(1, 1, BUY, 6, 98)], [(1, 3, 98, 2, True)], terms=Q,
    ),
    Case(
        "quote_stop", "as long as nothing was printed the opposite quote triggers",
        [quote(0, 99, 10, 101, 10), quote(2, 100, 10, 103, 10)],
        [stop(1, 1, BUY, 6, 102)], [(1, 2, 103, 6, False)], terms=Q,
    ),
    Case(
        "quote_stop_print", "once something was printed, prints trigger",
        [quote(0, 99, 10, 101, 10), event(1, k.TRADE, 99, 1), quote(2, 100, 10, 103, 10), event(3, k.TRADE, 103, 1)],
        [stop(1, 1, BUY, 6, 102)], [(1, 3, 103, 6, False)], terms=Q,
    ),
    Case(
        "quote_ioc_fok", "now or never", [quote(0, 99, 10, 101, 4)],
        [market(1, 1, BUY, 6, tif=k.FOK), market(2, 2, BUY, 6, tif=k.IOC)], [(2, 2, 101, 4, False)],
        {1: k.EXPIRED, 2: k.EXPIRED}, terms=Q,
    ),
    Case(
        "quote_post_only", "an order that would take is refused", [quote(0, 99, 10, 101, 4)],
        [limit(1, 1, BUY, 6, 101, flags=k.POST_ONLY), limit(1, 2, BUY, 6, 100, flags=k.POST_ONLY)], [],
        {1: k.REJECTED, 2: k.LIVE}, terms=Q,
    ),
    Case(
        "quote_child", "a child arrives at the time of its parent's fill and takes", [quote(0, 99, 10, 101, 4)],
        [limit(1, 1, BUY, 3, 101, delay=2), send(1, 2, SELL, k.LIMIT, 3, price=99, parent=1)],
        [(1, 3, 101, 3, False), (2, 3, 99, 3, False)], terms=Q,
    ),
]  # fmt: skip

DEPTH_CASES = [
    Case(
        "depth_walk", "level by level, own use remembered", LADDER, [market(1, 1, BUY, 15), market(2, 2, BUY, 10)],
        [(1, 1, 101, 10, False), (1, 1, 102, 5, False), (2, 2, 102, 10, False)], terms=D,
    ),
    Case(
        "depth_refresh", "a row of the level brings it back", [*LADDER, ask(2, 101, 3)],
        [market(1, 1, BUY, 10), market(3, 2, BUY, 5)],
        [(1, 1, 101, 10, False), (2, 3, 101, 3, False), (2, 3, 102, 2, False)], terms=D,
    ),
    Case(
        "depth_queue", "10 in front, 4 after the level shrank, 6 printed: 2 beyond",
        [*LADDER, bid(2, 99, 4), sold(3, 99, 6)],
        [limit(1, 1, BUY, 5, 99)], [(1, 3, 99, 2, True)], terms=D,
    ),
    Case(
        "depth_whole", "the whole order where fills are whole", [*LADDER, bid(2, 99, 4), sold(3, 99, 6)],
        [limit(1, 1, BUY, 5, 99)], [(1, 3, 99, 5, True)], terms=({**D[0], "whole_only": True},),
    ),
    Case(
        "depth_zero", "nothing in front is not yet beyond", [*LADDER, sold(3, 99, 10)], [limit(1, 1, BUY, 5, 99)], [],
        {1: k.LIVE}, terms=D,
    ),
    Case(
        "depth_through", "a print through the price fills it", [*LADDER, sold(3, 98, 1)], [limit(1, 1, BUY, 5, 99)],
        [(1, 3, 99, 5, True)], terms=D,
    ),
    Case(
        "depth_crossed", "so does the other side's best", [*LADDER, bid(3, 99, 0), ask(3, 99, 1)],
        [limit(1, 1, BUY, 5, 99)],
        [(1, 3, 99, 5, True)], terms=D,
    ),
    Case(
        "depth_self", "without prevention own orders trade, after what is outside at their price or better", LADDER,
        [limit(1, 1, SELL, 4, 102), limit(2, 2, BUY, 32, 102)],
        [(2, 2, 101, 10, False), (2, 2, 102, 20, False), (2, 2, 102, 2, False), (1, 2, 102, 2, True)],
        {1: k.PARTIAL}, terms=D,
    ),
    Case(
        "depth_self_better", "an own order at a better price comes first", LADDER,
        [limit(1, 1, SELL, 4, 100), limit(2, 2, BUY, 6, 102)],
        [(2, 2, 100, 4, False), (1, 2, 100, 4, True), (2, 2, 101, 2, False)], terms=D,
    ),
    Case(
        "depth_stop", "as long as nothing was printed the other side's best triggers, after who waited for it",
        [*LADDER, ask(3, 101, 0)],
        [stop(1, 1, BUY, 6, 102), limit(2, 2, SELL, 3, 105)], [(1, 3, 102, 6, False)], terms=D,
    ),
    Case(
        "depth_joined", "lots that one leg of a list had before the other joined it are gone from both",
        [*LADDER, event(3, k.TRADE_BUY, 102, 1)],
        [limit(1, 1, BUY, 13, 101, group_mode=k.GROUP_REDUCE),
         stop(2, 2, BUY, 13, 102, group=1, group_mode=k.GROUP_REDUCE)],
        [(1, 1, 101, 10, False), (2, 3, 102, 3, False)], {1: k.EXPIRED}, terms=D,
    ),
]  # fmt: skip
