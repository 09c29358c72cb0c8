"""Hand-written cases of the market, fourth part: level 3, where every order of the venue has an id and a place."""

from __future__ import annotations

from market_cases import BUY, ORDERS, SELL, Case, event, limit, market, row, status, stop
from market_cases_books import sold

from karat.kernels.market import _layout as k

L3 = ({"matcher": ORDERS, "mark_mid": True},)


def bid(ts: int, id_: int, price: int, lots: int) -> dict[str, int]:
    return event(ts, k.ADD_BID, price, lots, a=id_)


def ask(ts: int, id_: int, price: int, lots: int) -> dict[str, int]:
    return event(ts, k.ADD_ASK, price, lots, a=id_)


def executed(ts: int, id_: int, price: int, lots: int) -> dict[str, int]:
    return event(ts, k.EXECUTE, price, lots, a=id_)


def reduced(ts: int, id_: int, lots: int) -> dict[str, int]:
    return event(ts, k.REDUCE, 0, lots, a=id_)


def deleted(ts: int, id_: int) -> dict[str, int]:
    return event(ts, k.DELETE, a=id_)


def modified(ts: int, id_: int, price: int, lots: int) -> dict[str, int]:
    return event(ts, k.MODIFY, price, lots, a=id_)


def one_each(levels: list[dict[str, int]]) -> list[dict[str, int]]:
    """Return level-2 rows as level 3 with one order a level: it is added, and shown again by a modification."""
    ids: dict[tuple[int, int], int] = {}
    rows = []
    for level in levels:
        known = (level["kind"], level["price"]) in ids
        id_ = ids.setdefault((level["kind"], level["price"]), len(ids) + 1)
        adds = k.ADD_BID if level["kind"] == k.DEPTH_BID else k.ADD_ASK
        rows.append({**level, "kind": k.MODIFY if known else adds, "a": id_})
    return rows


BIDS = [bid(0, 1, 99, 10), bid(0, 2, 99, 5), bid(0, 3, 98, 20)]
QUEUES = [*BIDS, ask(0, 11, 101, 10), ask(0, 12, 101, 4), ask(0, 13, 102, 20)]
REST = [limit(1, 1, BUY, 5, 99)]  # behind the 15 lots of orders 1 and 2

ORDER_CASES = [
    Case(
        "orders_walk", "price by price; what the first one took the second cannot have", QUEUES,
        [market(1, 1, BUY, 12), market(2, 2, BUY, 5)],
        [(1, 1, 101, 12, False), (2, 2, 101, 2, False), (2, 2, 102, 3, False)], terms=L3,
    ),
    Case(
        "orders_again", "a row of the order that was taken shows it again: 7 of its 10 lots, and the 4 behind it",
        [*QUEUES, reduced(2, 11, 3)], [market(1, 1, BUY, 10), market(3, 2, BUY, 12)],
        [(1, 1, 101, 10, False), (2, 3, 101, 11, False), (2, 3, 102, 1, False)], terms=L3,
    ),
    Case(
        "orders_not_again", "a row of another order of the level does not", [*QUEUES, reduced(2, 12, 1)],
        [market(1, 1, BUY, 10), market(3, 2, BUY, 5)],
        [(1, 1, 101, 10, False), (2, 3, 101, 3, False), (2, 3, 102, 2, False)], terms=L3,
    ),
    Case(
        "orders_oldest", "the oldest order of a level is taken first: the row of the second brings back nothing",
        [*QUEUES, reduced(2, 12, 1)], [market(1, 1, BUY, 12), market(3, 2, BUY, 5)],
        [(1, 1, 101, 12, False), (2, 3, 101, 3, False), (2, 3, 102, 2, False)], terms=L3,
    ),
    Case(
        "orders_place", "15 in front are executed; one that came later met the own order first, up to its lots",
        [*QUEUES, bid(2, 4, 99, 7), executed(3, 1, 99, 10), executed(4, 2, 99, 5), executed(5, 4, 99, 3),
         executed(6, 4, 99, 4)],
        REST, [(1, 5, 99, 3, True), (1, 6, 99, 2, True)], terms=L3,
    ),
    Case(
        "orders_cancelled", "order 1 in front leaves: 5 are left, 7 trade beside the book, 2 of them beyond",
        [*QUEUES, bid(2, 4, 99, 7), deleted(3, 1), sold(4, 99, 7)], REST, [(1, 4, 99, 2, True)], terms=L3,
    ),
    Case(
        "orders_reduced", "order 1 in front becomes smaller by 8 and order 2 by 1: 6 are left",
        [*QUEUES, reduced(2, 1, 8), modified(2, 2, 99, 4), sold(3, 99, 7)], REST, [(1, 3, 99, 1, True)], terms=L3,
    ),
    Case(
        "orders_behind", "one behind that leaves shortens nothing: 15 trade, none of them beyond",
        [*QUEUES, bid(2, 4, 99, 7), deleted(3, 4), sold(4, 99, 15)], REST, [], {1: k.LIVE}, terms=L3,
    ),
    Case(
        "orders_larger", "order 1 becomes larger and stands behind: only order 2 is in front",
        [*QUEUES, modified(2, 1, 99, 11), executed(3, 2, 99, 5), executed(4, 1, 99, 4)], REST,
        [(1, 4, 99, 4, True)], terms=L3,
    ),
    Case(
        "orders_moved", "order 1 goes away and comes back: it stands behind",
        [*QUEUES, modified(2, 1, 98, 10), modified(3, 1, 99, 10), executed(4, 2, 99, 5), executed(5, 1, 99, 9)], REST,
        [(1, 5, 99, 5, True)], terms=L3,
    ),
    Case(
        "orders_smaller", "order 1 becomes smaller and keeps its place",
        [*QUEUES, modified(2, 1, 99, 4), executed(3, 1, 99, 4), executed(4, 2, 99, 5)], REST, [], {1: k.LIVE},
        terms=L3,
    ),
    Case(
        "orders_better", "an order at a better price is met first, at its own price", [*QUEUES, executed(2, 1, 99, 3)],
        [limit(1, 1, BUY, 5, 100)], [(1, 2, 100, 3, True)], terms=L3,
    ),
    Case(
        "orders_shared", "own orders share what was executed: the better price, then the earlier place",
        [*QUEUES, executed(4, 3, 98, 8)], [limit(1, 1, BUY, 3, 99), limit(2, 2, BUY, 3, 99), limit(3, 3, BUY, 4, 100)],
        [(3, 4, 100, 4, True), (1, 4, 99, 3, True), (2, 4, 99, 1, True)], {2: k.PARTIAL}, terms=L3,
    ),
    Case(
        "orders_amended", "a new price is a new place: what came in between stands before it",
        [*QUEUES, bid(3, 4, 98, 2), executed(5, 4, 98, 2), bid(6, 5, 98, 2), executed(7, 5, 98, 2)],
        [*REST, row(4, k.AMEND, 1, price=98)], [(1, 7, 98, 2, True)], terms=L3,
    ),
    Case(
        "orders_come", "an offer at the price of a bid is taken by it and then gone",
        [*QUEUES, ask(2, 14, 100, 3)], [limit(1, 1, BUY, 5, 100), market(3, 2, BUY, 1)],
        [(1, 2, 100, 3, True), (2, 3, 101, 1, False)], {1: k.PARTIAL}, terms=L3,
    ),
    Case(
        "orders_through", "an offer through the price fills at the price; what it leaves can be taken",
        [*BIDS, ask(0, 13, 103, 20), modified(2, 13, 100, 9)], [limit(1, 1, BUY, 5, 102), market(3, 2, BUY, 9)],
        [(1, 2, 102, 5, True), (2, 3, 100, 4, False)], {2: k.PARTIAL}, terms=L3,
    ),
    Case(
        "orders_whole", "the whole order where fills are whole", [*QUEUES, executed(2, 3, 98, 1)], REST,
        [(1, 2, 99, 5, True)], terms=({**L3[0], "whole_only": True},),
    ),
    Case(
        "orders_beyond", "a trade beside the book beyond the price fills wholly", [*QUEUES, sold(2, 98, 1)], REST,
        [(1, 2, 99, 5, True)], terms=L3,
    ),
    Case(
        "orders_halt", "in a halt nothing fills, but the queue is the venue's",
        [*QUEUES, status(2, k.HALTED), deleted(3, 1), executed(4, 3, 98, 1), status(5, k.OPEN), sold(6, 99, 7)], REST,
        [(1, 6, 99, 2, True)], terms=L3,
    ),
    Case(
        "orders_clear", "an emptied book leaves the own order in front",
        [*QUEUES, event(2, k.DEPTH_CLEAR), bid(3, 1, 99, 9), executed(4, 1, 99, 2)], REST, [(1, 4, 99, 2, True)],
        terms=L3,
    ),
    Case(
        "orders_stop", "an execution is a trade: it sets stops off", [*QUEUES, executed(2, 11, 101, 10),
         executed(3, 13, 102, 1)],
        [stop(1, 1, BUY, 6, 102)], [(1, 3, 101, 4, False), (1, 3, 102, 2, False)], terms=L3,
    ),
    Case(
        "orders_waiting", "the rest of a market order takes what comes next, before a bid that waits too",
        [*BIDS, ask(0, 11, 101, 2), ask(3, 12, 100, 9)], [limit(1, 1, BUY, 5, 100), market(2, 2, BUY, 6)],
        [(2, 2, 101, 2, False), (2, 3, 100, 4, False), (1, 3, 100, 5, True)], terms=L3,
    ),
    Case(
        "orders_fok", "all or nothing looks at what is not taken", QUEUES,
        [market(1, 1, BUY, 30), limit(2, 2, BUY, 5, 102, tif=k.FOK), limit(3, 3, BUY, 4, 102, tif=k.FOK)],
        [(1, 1, 101, 14, False), (1, 1, 102, 16, False), (3, 3, 102, 4, False)], {2: k.EXPIRED}, terms=L3,
    ),
    Case(
        "orders_post_only", "an order that would take is refused", QUEUES,
        [limit(1, 1, SELL, 5, 99, flags=k.POST_ONLY), limit(1, 2, SELL, 5, 100, flags=k.POST_ONLY)], [],
        {1: k.REJECTED, 2: k.LIVE}, terms=L3,
    ),
]  # fmt: skip
