"""Hand-written cases of the market, first part: points, path, auctions, volume. They double as documentation.

Each case shows one rule with fills calculated by hand. A bar `bar(n, open, high, low, close, volume)` lasts from 10 n
to 10 n + 10; what fills at its open has the time 10 n. An expected fill is (order, time, price, lots, maker). `states`
names the last state of orders, `news` messages (order, kind, reason) that must be among those told, `money` (cash,
realised, charges, income) at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from karat.kernels.market import _layout as k

BUY, SELL = 1, -1
BARS, QUOTES, DEPTH, ORDERS = 1, 2, 3, 4
TENTH, CENT = 100_000_000, 10_000_000
BIG = 10**9


@dataclass(frozen=True)
class Case:
    """One rule shown by one small run; `terms` are keyword arguments of each instrument."""

    name: str
    rule: str
    events: list[dict[str, int]]
    intents: list[list[int]]
    fills: list[tuple[int, int, int, int, bool]]
    states: dict[int, int] = field(default_factory=dict)
    news: tuple[tuple[int, int, int], ...] = ()
    money: tuple[int, int, int, int] | None = None
    terms: tuple[dict[str, Any], ...] = ({},)
    cash: int = 0
    ambiguous: int = 0


def bar(n: int, o: int, h: int, low: int, c: int, volume: int = -1, i: int = 0) -> dict[str, int]:
    return event(10 * n + 10, k.BAR, o, volume, a=h, b=low, c=c, d=10 * n, instrument=i)


def event(ts: int, kind: int, price: int = 0, qty: int = 0, **more: int) -> dict[str, int]:
    return {"ts": ts, "kind": kind, "price": price, "qty": qty, **more}


def status(ts: int, state: int, opens: int = 0, closes: int = 0) -> dict[str, int]:
    return event(ts, k.STATUS, a=state, b=opens, c=closes)


def quote(ts: int, bid: int, bid_qty: int, ask: int, ask_qty: int) -> dict[str, int]:
    return event(ts, k.QUOTE, bid, bid_qty, a=ask, b=ask_qty)


def row(ts: int, action: int, id_: int, **more: int) -> list[int]:
    """Return one row of intents; keywords are the columns T_* in small letters."""
    out = [0] * k.INTENT
    out[k.T_TS], out[k.T_ACTION], out[k.T_ID] = ts, action, id_
    for name, value in more.items():
        out[getattr(k, f"T_{name.upper()}")] = value
    return out


def send(ts: int, id_: int, side: int, type_: int, qty: int, **more: int) -> list[int]:
    return row(ts, k.SEND, id_, **{"side": side, "type": type_, "qty": qty, "tif": k.GTC, **more})


def market(ts: int, id_: int, side: int, qty: int, **more: int) -> list[int]:
    return send(ts, id_, side, k.MARKET, qty, **more)


def limit(ts: int, id_: int, side: int, qty: int, price: int, **more: int) -> list[int]:
    return send(ts, id_, side, k.LIMIT, qty, price=price, **more)


def stop(ts: int, id_: int, side: int, qty: int, at: int, **more: int) -> list[int]:
    return send(ts, id_, side, k.STOP, qty, stop=at, **more)


UP = bar(0, 100, 105, 95, 101)  # equal distances, not falling: open, low, high, close
DOWN = bar(0, 100, 105, 95, 99)  # equal distances, falling: open, high, low, close

POINTS = [
    Case(
        "market_open", "a market order fills at the next open", [UP], [market(0, 1, BUY, 5)], [(1, 0, 100, 5, False)],
    ),
    Case(
        "market_inside", "an order of a running bar sees its close", [UP], [market(3, 1, BUY, 5)],
        [(1, 10, 101, 5, False)],
    ),
    Case(
        "market_late", "latency decides when it came", [UP], [market(0, 1, BUY, 5, delay=3)], [(1, 10, 101, 5, False)],
    ),
    Case(
        "market_next", "an order sent at the end of a bar sees the next one", [UP, bar(1, 102, 103, 98, 99)],
        [market(10, 1, SELL, 2)], [(1, 10, 102, 2, False)],
    ),
    Case(
        "limit_through", "a limit fills when the price goes through it", [UP], [limit(0, 1, BUY, 5, 96)],
        [(1, 10, 96, 5, True)],
    ),
    Case("limit_at_low", "the low alone is no fill", [UP], [limit(0, 1, BUY, 5, 95)], [], {1: k.LIVE}),
    Case("limit_touch", "touch by name", [UP], [limit(0, 1, BUY, 5, 95, flags=k.TOUCH)], [(1, 10, 95, 5, True)]),
    Case(
        "limit_gap", "a better open fills at the open, as taker", [UP], [limit(0, 1, BUY, 5, 102)],
        [(1, 0, 100, 5, False)],
    ),
    Case("limit_sell", "a sale above the price", [UP], [limit(0, 1, SELL, 5, 104)], [(1, 10, 104, 5, True)]),
    Case(
        "limit_equal_open", "an open equal to the limit is no fill, going through it later is",
        [bar(0, 100, 103, 100, 101), bar(1, 101, 103, 99, 100)], [limit(0, 1, BUY, 5, 100)], [(1, 20, 100, 5, True)],
    ),
    Case(
        "limit_close_point", "a limit that came in the bar needs a better close", [UP], [limit(3, 1, BUY, 5, 101)], [],
        {1: k.LIVE},
    ),
    Case(
        "stop_gap", "a stop beyond the open fills at the open", [UP], [stop(0, 1, SELL, 5, 103)],
        [(1, 0, 100, 5, False)],
    ),
    Case("stop_equal", "a stop is reached by its own price", [UP], [stop(0, 1, SELL, 5, 95)], [(1, 10, 95, 5, False)]),
    Case(
        "take_profit", "market at the trigger", [UP], [send(0, 1, SELL, k.TAKE_PROFIT, 5, price=104)],
        [(1, 10, 104, 5, False)],
    ),
    Case(
        "take_profit_gap", "at the open when that is better", [UP], [send(0, 1, SELL, k.TAKE_PROFIT, 5, price=98)],
        [(1, 0, 100, 5, False)],
    ),
]  # fmt: skip

TWO_STOPS = [stop(0, 1, BUY, 1, 102), stop(0, 2, SELL, 1, 97)]
PATH = [
    Case("path_tie_up", "tie, bar up: low first", [UP], TWO_STOPS, [(2, 10, 97, 1, False), (1, 10, 102, 1, False)]),
    Case(
        "path_tie_down", "tie, bar down: high first", [DOWN], TWO_STOPS,
        [(1, 10, 102, 1, False), (2, 10, 97, 1, False)],
    ),
    Case(
        "path_nearer", "the nearer extreme comes first", [bar(0, 100, 103, 95, 102)], TWO_STOPS,
        [(1, 10, 102, 1, False), (2, 10, 97, 1, False)],
    ),
    Case(
        "path_same_place", "at one price stops come before limits", [DOWN],
        [limit(0, 1, BUY, 1, 97), stop(0, 2, SELL, 1, 97)], [(2, 10, 97, 1, False), (1, 10, 97, 1, True)],
    ),
    Case(
        "path_sequence", "at one price and sort the earlier arrival comes first", [DOWN],
        [limit(0, 1, BUY, 1, 97, delay=2), limit(0, 2, BUY, 1, 97, delay=1), limit(0, 3, BUY, 1, 97)],
        [(3, 10, 97, 1, True)], {1: k.LIVE, 2: k.LIVE},
    ),
    Case(
        "path_arrival_order", "the arrival counts, not the sending", [bar(1, 100, 105, 95, 99)],
        [limit(0, 1, BUY, 1, 97, delay=5), limit(0, 2, BUY, 1, 97, delay=4)],
        [(2, 20, 97, 1, True), (1, 20, 97, 1, True)],
    ),
    Case(
        "stop_limit", "triggered on the way up at 103, marketable below 104", [UP],
        [send(0, 1, BUY, k.STOP_LIMIT, 5, stop=103, price=104)], [(1, 10, 103, 5, False)],
    ),
    Case(
        "stop_limit_equal", "limit equal to the stop: fills when the price comes back through it", [UP],
        [send(0, 1, BUY, k.STOP_LIMIT, 5, stop=103, price=103)], [(1, 10, 103, 5, True)],
    ),
    Case(
        "stop_limit_gap", "triggered by the open beyond its limit, filled on the way back", [bar(0, 106, 107, 99, 101)],
        [send(0, 1, BUY, k.STOP_LIMIT, 5, stop=103, price=104)], [(1, 10, 104, 5, True)],
    ),
    Case(
        "stop_limit_missed", "triggered, never good enough again", [bar(0, 106, 109, 105, 107)],
        [send(0, 1, BUY, k.STOP_LIMIT, 5, stop=103, price=104)], [], {1: k.LIVE}, ((1, k.TRIGGERED, k.OK),),
    ),
    Case(
        "trailing", "97 at the open, 103 after the high of 106, hit on the way to the close",
        [bar(0, 100, 106, 99, 101)],
        [send(0, 1, SELL, k.TRAILING, 5, offset=3)], [(1, 10, 103, 5, False)],
    ),
    Case(
        "trailing_buy", "103 at the open, 98 after the low of 95, hit on the way up", [UP],
        [send(0, 1, BUY, k.TRAILING, 5, offset=3)], [(1, 10, 98, 5, False)],
    ),
    Case(
        "trailing_last", "set from the last price on arrival: 107; the gap fills at the open",
        [bar(0, 110, 111, 109, 110), bar(1, 105, 106, 104, 105)], [send(10, 1, SELL, k.TRAILING, 5, offset=3)],
        [(1, 10, 105, 5, False)],
    ),
]  # fmt: skip

DAY_EVENTS = [
    status(0, k.PRE_OPEN, 20, 40),
    status(20, k.OPEN, 20, 40),
    bar(1, 90, 91, 89, 90),
    bar(2, 100, 105, 95, 101),
    status(40, k.CLOSED, 20, 40),
    bar(3, 101, 104, 99, 103),
]
AUCTIONS = [
    Case(
        "on_open", "the open of the session's first bar", DAY_EVENTS, [send(5, 1, BUY, k.MARKET_ON_OPEN, 5)],
        [(1, 20, 100, 5, False)],
    ),
    Case(
        "on_close", "the close of its last bar", DAY_EVENTS, [send(5, 1, BUY, k.MARKET_ON_CLOSE, 5)],
        [(1, 40, 103, 5, False)],
    ),
    Case(
        "limit_on_open", "an auction price equal to the limit fills, a worse one expires it", DAY_EVENTS,
        [send(5, 1, BUY, k.LIMIT_ON_OPEN, 5, price=100), send(5, 2, BUY, k.LIMIT_ON_OPEN, 5, price=99)],
        [(1, 20, 100, 5, False)], {2: k.EXPIRED}, ((2, k.EXPIRED_NEWS, k.R_AUCTION_MISSED),),
    ),
    Case(
        "limit_on_close", "the same at the close", DAY_EVENTS,
        [send(5, 1, SELL, k.LIMIT_ON_CLOSE, 5, price=103), send(5, 2, SELL, k.LIMIT_ON_CLOSE, 5, price=104)],
        [(1, 40, 103, 5, False)], {2: k.EXPIRED}, ((2, k.EXPIRED_NEWS, k.R_AUCTION_MISSED),),
    ),
    Case(
        "on_open_cutoff", "after the cut-off it waits for the next session", DAY_EVENTS,
        [send(15, 1, BUY, k.MARKET_ON_OPEN, 5), send(16, 2, BUY, k.MARKET_ON_OPEN, 5)], [(1, 20, 100, 5, False)],
        {2: k.LIVE}, terms=({"cutoff": 5},),
    ),
    Case(
        "on_close_cutoff", "likewise at the close", DAY_EVENTS,
        [send(35, 1, BUY, k.MARKET_ON_CLOSE, 5), send(36, 2, BUY, k.MARKET_ON_CLOSE, 5)], [(1, 40, 103, 5, False)],
        {2: k.LIVE}, terms=({"cutoff": 5},),
    ),
    Case(
        "no_sessions", "without status every bar is a session", [UP], [send(0, 1, BUY, k.MARKET_ON_CLOSE, 5)],
        [(1, 10, 101, 5, False)],
    ),
    Case(
        "pre_open", "orders rest before the open and do not match", DAY_EVENTS, [limit(0, 1, BUY, 5, 92)], [],
        {1: k.LIVE}, ((1, k.ACCEPTED, k.OK),),
    ),
    Case(
        "day_over", "a day order ends with the session, after its last bar", DAY_EVENTS,
        [limit(5, 1, BUY, 5, 80, tif=k.DAY), limit(5, 2, BUY, 5, 100, tif=k.DAY)], [(2, 30, 100, 5, True)],
        {1: k.EXPIRED}, ((1, k.EXPIRED_NEWS, k.R_DAY_OVER),),
    ),
    Case(
        "day_without_status", "without status it ends with the first bar", [UP, bar(1, 100, 101, 90, 95)],
        [limit(0, 1, BUY, 5, 92, tif=k.DAY)], [], {1: k.EXPIRED},
    ),
    Case(
        "good_till_date", "gone before the bar that would have filled it", [UP, bar(1, 100, 101, 90, 95)],
        [limit(0, 1, BUY, 5, 92, tif=k.GTD, expire=12)], [], {1: k.EXPIRED}, ((1, k.EXPIRED_NEWS, k.R_DATE_OVER),),
    ),
    Case(
        "closed", "a closed market refuses orders, a halted one too, cancel only takes cancels",
        [status(0, k.OPEN), status(10, k.HALTED), status(20, k.CANCEL_ONLY), status(30, k.CLOSED)],
        [
            limit(0, 1, BUY, 1, 90),
            market(10, 2, BUY, 1),
            market(20, 3, BUY, 1),
            row(20, k.CANCEL, 1),
            market(30, 4, BUY, 1),
        ],
        [], {1: k.CANCELLED, 2: k.REJECTED, 3: k.REJECTED, 4: k.REJECTED},
        ((2, k.REJECTED_VENUE, k.R_HALTED), (3, k.REJECTED_VENUE, k.R_CANCEL_ONLY), (4, k.REJECTED_VENUE, k.R_CLOSED)),
    ),
    Case(
        "halt_at_start", "a bar that begins in a halt only marks; a halt after its start does not count yet",
        [status(0, k.OPEN), status(5, k.HALTED), bar(0, 100, 101, 99, 100), bar(1, 100, 101, 80, 90)],
        [limit(0, 1, BUY, 1, 95), market(0, 2, BUY, 1)], [(2, 0, 100, 1, False)], {1: k.LIVE},
    ),
]  # fmt: skip

VOLUME = [
    Case(
        "ioc", "immediate means the first point", [UP], [limit(0, 1, BUY, 5, 96, tif=k.IOC)], [], {1: k.EXPIRED},
        ((1, k.EXPIRED_NEWS, k.R_IMMEDIATE),),
    ),
    Case(
        "ioc_partial", "what the bar gives, the rest expires", [bar(0, 100, 101, 99, 100, 100)],
        [market(0, 1, BUY, 12, tif=k.IOC)], [(1, 0, 100, 10, False)], {1: k.EXPIRED},
        terms=({"participation": TENTH},),
    ),
    Case(
        "fok", "all or nothing of what is left", [bar(0, 100, 101, 99, 100, 100)],
        [market(0, 1, BUY, 11, tif=k.FOK), market(0, 2, BUY, 10, tif=k.FOK)], [(2, 0, 100, 10, False)], {1: k.EXPIRED},
        ((1, k.EXPIRED_NEWS, k.R_ALL_OR_NONE),), terms=({"participation": TENTH},),
    ),
    Case(
        "participation", "one cap for all own orders of a bar, 10 of 109 lots",
        [bar(0, 100, 101, 99, 100, 109), bar(1, 102, 103, 101, 102, 100)],
        [market(0, 1, BUY, 6), market(0, 2, BUY, 6)],
        [(1, 0, 100, 6, False), (2, 0, 100, 4, False), (2, 10, 102, 2, False)], terms=({"participation": TENTH},),
    ),
    Case("no_volume", "no volume, no fill", [bar(0, 100, 101, 99, 100, 0)], [market(0, 1, BUY, 1)], [], {1: k.LIVE}),
    Case(
        "volume_unknown", "unknown volume is no cap", [UP], [market(0, 1, BUY, 99)], [(1, 0, 100, 99, False)],
        terms=({"participation": TENTH},),
    ),
    Case(
        "triggered_without_volume", "a stop triggers without volume and is a market order from then on",
        [bar(0, 100, 101, 90, 95, 0), bar(1, 97, 98, 96, 97)], [stop(0, 1, SELL, 2, 93)], [(1, 10, 97, 2, False)],
    ),
    Case(
        "slip_ticks", "market-like fills slip, limits do not", [UP],
        [market(0, 1, BUY, 1), market(0, 2, SELL, 1), limit(0, 3, BUY, 1, 96)],
        [(1, 0, 102, 1, False), (2, 0, 98, 1, False), (3, 10, 96, 1, True)],
        terms=({"slip_kind": 1, "slip_value": 2},),
    ),
    Case(
        "slip_rate", "1 % of 100 is one tick, of 101 two", [UP, bar(1, 101, 102, 100, 101)],
        [market(0, 1, BUY, 1), market(10, 2, BUY, 1)], [(1, 0, 101, 1, False), (2, 10, 103, 1, False)],
        terms=({"slip_kind": 2, "slip_value": CENT},),
    ),
    Case(
        "slip_floor", "a sale never below one tick", [bar(0, 3, 4, 2, 3)], [market(0, 1, SELL, 1)],
        [(1, 0, 1, 1, False)], terms=({"slip_kind": 1, "slip_value": 9},),
    ),
]  # fmt: skip
