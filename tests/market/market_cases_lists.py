"""Hand-written cases of the market, second part: lists of legs, children, commands, checks, money, self-trades."""

from __future__ import annotations

from market_cases import (
    BIG,
    BUY,
    CENT,
    DOWN,
    SELL,
    TENTH,
    UP,
    Case,
    bar,
    event,
    limit,
    market,
    row,
    send,
    status,
    stop,
)

from karat.kernels.market import _layout as k

ONE = k.GROUP_CANCEL
BOTH = k.GROUP_REDUCE
CAP = ({"participation": TENTH},)


def oco(gain: int, loss: int, qty: int = 5, mode: int = ONE) -> list[list[int]]:
    """Return a limit sale at `gain` (order 1) and a stop sale at `loss` (order 2), one list."""
    return [
        limit(0, 1, SELL, qty, gain, group_mode=mode),
        stop(0, 2, SELL, qty, loss, group=1, group_mode=mode),
    ]


def bracket(gain: int, loss: int, qty: int = 5) -> list[list[int]]:
    """Return a limit buy at 98 (order 1) with a limit sale (2) and a stop sale (3) as its children."""
    return [
        limit(0, 1, BUY, qty, 98),
        limit(0, 2, SELL, qty, gain, parent=1, group_mode=ONE),
        stop(0, 3, SELL, qty, loss, parent=1, group=2, group_mode=ONE),
    ]


LISTS = [
    Case(
        "oco_limit", "a fill of one leg ends the other", [UP], oco(104, 90), [(1, 10, 104, 5, True)],
        {2: k.EXPIRED}, ((2, k.EXPIRED_NEWS, k.R_OTHER_LEG),),
    ),
    Case(
        "oco_partial", "even a partial fill", [bar(0, 100, 105, 99, 101, 30)], oco(104, 90),
        [(1, 10, 104, 3, True)], {1: k.PARTIAL, 2: k.EXPIRED}, terms=CAP,
    ),
    Case(
        "oco_trigger", "a trigger ends the other leg before it fills", [bar(0, 100, 101, 90, 95, 0)], oco(110, 93),
        [], {1: k.EXPIRED, 2: k.LIVE},
    ),
    Case(
        "oco_cancel", "cancelling one leg cancels the list", [UP], [*oco(110, 90), row(5, k.CANCEL, 2)], [],
        {1: k.CANCELLED, 2: k.CANCELLED}, ((1, k.CANCEL_DONE, k.R_OTHER_LEG), (2, k.CANCEL_DONE, k.R_REQUESTED)),
    ),
    Case(
        "oco_time", "so does its time", [UP],
        [
            limit(0, 1, SELL, 5, 110, tif=k.GTD, expire=5, group_mode=ONE),
            stop(0, 2, SELL, 5, 90, group=1, group_mode=ONE),
        ],
        [], {1: k.EXPIRED, 2: k.CANCELLED},
    ),
    Case(
        "oco_ambiguous", "both within reach: the stop, although the high comes first on the path", [DOWN], oco(104, 96),
        [(2, 10, 96, 5, False)], {1: k.EXPIRED}, ambiguous=1,
    ),
    Case(
        "oco_not_ambiguous", "the stop is not within reach", [bar(0, 100, 105, 97, 98)], oco(104, 96),
        [(1, 10, 104, 5, True)], {2: k.EXPIRED},
    ),
    Case(
        "oco_reduce", "lots of one leg are taken off the other",
        [bar(0, 100, 105, 99, 101, 30), bar(1, 101, 102, 90, 91)],
        oco(104, 96, mode=BOTH), [(1, 10, 104, 3, True), (2, 20, 96, 2, False)], {1: k.EXPIRED, 2: k.FILLED},
        terms=CAP,
    ),
    Case(
        "oco_under_way", "a leg that is not there yet ends when it comes", [DOWN],
        [limit(0, 1, SELL, 5, 104, group_mode=ONE), stop(0, 2, SELL, 5, 96, group=1, group_mode=ONE, delay=15)],
        [(1, 10, 104, 5, True)], {2: k.EXPIRED}, ((2, k.EXPIRED_NEWS, k.R_OTHER_LEG),),
    ),
    Case(
        "oco_other_side", "legs have one side", [UP],
        [limit(0, 1, SELL, 5, 110, group_mode=ONE), stop(0, 2, BUY, 5, 120, group=1, group_mode=ONE)], [], {1: k.LIVE},
        ((2, k.REJECTED_GATEWAY, k.R_COMBINATION),),
    ),
]  # fmt: skip

CHILDREN = [
    Case(
        "bracket", "the target of a position opened in the bar", [bar(0, 100, 106, 97, 102)], bracket(104, 96),
        [(1, 10, 98, 5, True), (2, 10, 104, 5, True)], {3: k.EXPIRED},
    ),
    Case(
        "bracket_rest", "children see only what is left of the path: the high was before", [DOWN], bracket(104, 90),
        [(1, 10, 98, 5, True)], {2: k.LIVE, 3: k.LIVE}, ((2, k.ACTIVATED, k.OK),),
    ),
    Case(
        "bracket_beyond", "a stop that is passed already executes where the path is", [DOWN], bracket(104, 99),
        [(1, 10, 98, 5, True), (3, 10, 98, 5, False)], {2: k.EXPIRED},
    ),
    Case(
        "bracket_size", "children have the lots that the parent has",
        [bar(0, 100, 101, 97, 98, 30), bar(1, 99, 100, 90, 95)],
        [*bracket(104, 95), row(11, k.CANCEL, 1)], [(1, 10, 98, 3, True), (3, 20, 95, 3, False)],
        {1: k.CANCELLED, 2: k.EXPIRED, 3: k.FILLED}, terms=CAP,
    ),
    Case(
        "bracket_reduce", "5 lots for both legs: the target has them all, the stop ends", [bar(0, 100, 106, 97, 102)],
        [
            limit(0, 1, BUY, 5, 98),
            limit(0, 2, SELL, 12, 104, parent=1, group_mode=BOTH),
            stop(0, 3, SELL, 9, 90, parent=1, group=2, group_mode=BOTH),
        ],
        [(1, 10, 98, 5, True), (2, 10, 104, 5, True)], {2: k.FILLED, 3: k.EXPIRED},
    ),
    Case(
        "bracket_void", "no parent, no children", [UP], [*bracket(104, 90), row(5, k.CANCEL, 1)], [],
        {1: k.CANCELLED, 2: k.CANCELLED, 3: k.CANCELLED},
        ((2, k.CANCEL_DONE, k.R_PARENT), (3, k.CANCEL_DONE, k.R_PARENT)),
    ),
    Case(
        "child_trailing", "set where the path is: 98 - 3, then 105 - 3 after the high", [bar(0, 100, 105, 97, 101)],
        [limit(0, 1, BUY, 5, 98), send(0, 2, SELL, k.TRAILING, 5, offset=3, parent=1)],
        [(1, 10, 98, 5, True), (2, 10, 102, 5, False)],
    ),
    Case(
        "no_grandchildren", "a child has no children", [],
        [limit(0, 1, BUY, 5, 98), limit(0, 2, SELL, 5, 99, parent=1), limit(0, 3, BUY, 5, 97, parent=2)], [],
        {1: k.LIVE, 2: k.WAITING}, ((3, k.REJECTED_GATEWAY, k.R_PARENT),),
    ),
]  # fmt: skip

COMMANDS = [
    Case(
        "cancel", "cancelled once, then too late; never heard of", [],
        [limit(0, 1, BUY, 5, 98), row(1, k.CANCEL, 1), row(2, k.CANCEL, 1), row(3, k.CANCEL, 7)], [], {1: k.CANCELLED},
        (
            (1, k.CANCEL_DONE, k.R_REQUESTED),
            (1, k.CANCEL_REJECTED, k.R_TOO_LATE),
            (7, k.CANCEL_REJECTED, k.R_UNKNOWN_ORDER),
        ),
    ),
    Case(
        "cancel_race", "the cancel comes after the fill", [UP],
        [limit(0, 1, BUY, 5, 98), row(5, k.CANCEL, 1, delay=10)],
        [(1, 10, 98, 5, True)], {1: k.FILLED}, ((1, k.CANCEL_REJECTED, k.R_TOO_LATE),),
    ),
    Case(
        "amend_price", "a new price sees only the close of the running bar", [DOWN, bar(1, 99, 100, 96, 98)],
        [limit(0, 1, BUY, 5, 90), row(5, k.AMEND, 1, price=98)], [(1, 20, 98, 5, True)],
    ),
    Case(
        "amend_smaller", "fewer lots keep the place", [DOWN],
        [limit(0, 1, BUY, 5, 98), limit(0, 2, BUY, 5, 98), row(0, k.AMEND, 1, qty=2)],
        [(1, 10, 98, 2, True), (2, 10, 98, 5, True)],
    ),
    Case(
        "amend_larger", "more lots lose it", [DOWN],
        [limit(0, 1, BUY, 5, 98), limit(0, 2, BUY, 5, 98), row(0, k.AMEND, 1, qty=6)],
        [(2, 10, 98, 5, True), (1, 10, 98, 6, True)],
    ),
    Case(
        "amend_below_filled", "not more than is filled: the rest is cancelled", [bar(0, 100, 101, 99, 100, 30)],
        [market(0, 1, BUY, 5), row(11, k.AMEND, 1, qty=3)], [(1, 0, 100, 3, False)], {1: k.CANCELLED}, terms=CAP,
    ),
    Case(
        "reduce_only", "never more than the position, nothing without one", [UP, bar(1, 101, 102, 99, 100)],
        [market(0, 1, SELL, 5, flags=k.REDUCE_ONLY), market(0, 2, BUY, 3), market(10, 3, SELL, 5, flags=k.REDUCE_ONLY)],
        [(2, 0, 100, 3, False), (3, 10, 101, 3, False)], {},
        ((1, k.REJECTED_GATEWAY, k.R_REDUCE_ONLY),),
    ),
    Case(
        "post_only", "an order that would take is refused", [UP],
        [limit(10, 1, BUY, 5, 102, flags=k.POST_ONLY), limit(10, 2, BUY, 5, 100, flags=k.POST_ONLY)], [],
        {1: k.REJECTED, 2: k.LIVE}, ((1, k.REJECTED_VENUE, k.R_POST_ONLY),),
    ),
    Case(
        "checks", "each fault has its reason", [],
        [
            market(0, 1, BUY, 1, instrument=1),
            market(0, 2, 0, 1),
            market(0, 3, BUY, 0),
            limit(0, 4, BUY, 1, 0),
            stop(0, 5, BUY, 1, k.NONE),
            market(0, 5, BUY, 1),
        ],
        [], {},
        (
            (1, k.REJECTED_GATEWAY, k.R_INSTRUMENT),
            (2, k.REJECTED_GATEWAY, k.R_COMBINATION),
            (3, k.REJECTED_GATEWAY, k.R_QUANTITY),
            (4, k.REJECTED_GATEWAY, k.R_PRICE),
            (5, k.REJECTED_GATEWAY, k.R_PRICE),
            (5, k.REJECTED_GATEWAY, k.R_DUPLICATE),
        ),
    ),
    Case(
        "target", "from 3 to -2 lots; a target that is met sends nothing", [UP, bar(1, 101, 102, 99, 100)],
        [row(0, k.TARGET_QTY, 1, qty=3), row(10, k.TARGET_QTY, 2, qty=3), row(10, k.TARGET_QTY, 3, qty=-2)],
        [(1, 0, 100, 3, False), (3, 10, 101, 5, False)],
    ),
    Case(
        "target_weight", "half of 10000 at 101 is 49 lots; 4500 at 100 for the second is 45",
        [UP, bar(0, 99, 101, 97, 100, i=1), bar(1, 101, 102, 99, 100), bar(1, 100, 102, 99, 100, i=1)],
        [row(10, k.TARGET_WEIGHT, 1, qty=BIG // 2), row(10, k.TARGET_WEIGHT, 2, qty=-BIG * 45 // 100, instrument=1)],
        [(1, 10, 101, 49, False), (2, 10, 100, 45, False)], cash=10_000, terms=({}, {}),
    ),
    Case(
        "target_blind", "no weight without a price", [], [row(0, k.TARGET_WEIGHT, 1, qty=BIG)], [], {},
        ((1, k.REJECTED_GATEWAY, k.R_NO_MARKET),),
    ),
]  # fmt: skip


def crossing(mode: int) -> list[list[int]]:
    """Return a resting sale of 6 at 104 and a buy of 2 at 104 that could trade with it."""
    return [limit(0, 1, SELL, 6, 104), limit(1, 2, BUY, 2, 104, stp=mode)]


HIGH = bar(1, 110, 111, 103, 105)  # the sale fills at the open, the buy on the way to the low
SELF_TRADES = [
    Case(
        "stp_none", "bars: nothing special", [HIGH], crossing(k.STP_NONE),
        [(1, 10, 110, 6, False), (2, 20, 104, 2, True)],
    ),
    Case(
        "stp_new", "the one that comes goes", [HIGH], crossing(k.STP_CANCEL_NEW), [(1, 10, 110, 6, False)],
        {2: k.PREVENTED},
    ),
    Case(
        "stp_resting", "the one that was there goes", [HIGH], crossing(k.STP_CANCEL_RESTING), [(2, 20, 104, 2, True)],
        {1: k.PREVENTED},
    ),
    Case("stp_both", "both go", [HIGH], crossing(k.STP_CANCEL_BOTH), [], {1: k.PREVENTED, 2: k.PREVENTED}),
    Case(
        "stp_decrement", "the smaller quantity is taken from both", [HIGH], crossing(k.STP_DECREMENT),
        [(1, 10, 110, 4, False)], {2: k.PREVENTED}, ((2, k.PREVENTED_NEWS, k.R_SELF_TRADE),),
    ),
]  # fmt: skip

FEES = ({"unit": 10, "taker": 500_000, "maker": -100_000},)
MONEY = [
    Case(
        "round_trip", "bought at 100, sold at 101: 5 * 1 * 10", [UP, bar(1, 101, 102, 99, 100)],
        [market(0, 1, BUY, 5), market(10, 2, SELL, 5)], [(1, 0, 100, 5, False), (2, 10, 101, 5, False)],
        money=(1050, 50, 0, 0), terms=({"unit": 10},), cash=1000,
    ),
    Case(
        "through_zero", "7 sold against 5: the basis of 5 is closed, 2 opened at 101", [UP, bar(1, 101, 102, 99, 100)],
        [market(0, 1, BUY, 5), market(10, 2, SELL, 7)], [(1, 0, 100, 5, False), (2, 10, 101, 7, False)],
        money=(207, 5, 0, 0),
    ),
    Case(
        "basis_rounds", "basis 100 + 101 + 101 = 302; one of three removes 100, at 103",
        [UP, bar(1, 101, 104, 100, 103), bar(2, 103, 104, 102, 103)],
        [market(0, 1, BUY, 1), market(10, 2, BUY, 2), market(20, 3, SELL, 1)],
        [(1, 0, 100, 1, False), (2, 10, 101, 2, False), (3, 20, 103, 1, False)],
        money=(-100 - 202 + 103, 3, 0, 0),
    ),
    Case(
        "fees", "5000 at 0.05 % is 2.5: 3; 4900 at -0.01 % is -0.49: 0; 20 lots at 98 are 19600: -1.96: -2", [DOWN],
        [market(0, 1, BUY, 5), limit(0, 2, BUY, 5, 98), limit(0, 3, BUY, 20, 98)],
        [(1, 0, 100, 5, False), (2, 10, 98, 5, True), (3, 10, 98, 20, True)],
        money=(-5000 - 4900 - 19600 - 1, 0, 1, 0), terms=FEES,
    ),
    Case(
        "fee_minimum", "2 for each lot, at least 7", [UP], [market(0, 1, BUY, 3), market(0, 2, SELL, 4)],
        [(1, 0, 100, 3, False), (2, 0, 100, 4, False)], money=(100 - 7 - 8, 0, 15, 0),
        terms=({"per_lot": 2, "min_fee": 7},),
    ),
    Case(
        "dividend", "a short position pays: 3 lots at 2.5 quanta, 7.5 is 8", [UP, event(12, k.DIVIDEND, a=2_500_000)],
        [market(0, 1, SELL, 3)], [(1, 0, 100, 3, False)], money=(300 - 8, 0, 0, -8),
    ),
    Case(
        "funding", "1 % of 300 is paid by the long side", [UP, event(12, k.FUNDING, 100, a=CENT)],
        [market(0, 1, BUY, 3)], [(1, 0, 100, 3, False)], money=(-303, 0, 0, -3),
    ),
    Case(
        "split", "5 lots for 2: 12 and half a new lot, a fifth of an old one, at 101: 20 for 20 of basis",
        [UP, event(12, k.SPLIT, 101, a=5, b=2), bar(2, 40, 41, 39, 40)],
        [market(0, 1, BUY, 5), market(20, 2, SELL, 12)], [(1, 0, 100, 5, False), (2, 20, 40, 12, False)],
        money=(-500 + 20 + 480, -480 + 480, 0, 0),
    ),
    Case(
        "split_orders", "a resting order has twice the lots at half the price",
        [UP, event(12, k.SPLIT, 101, a=2, b=1), bar(2, 50, 51, 44, 46)],
        [limit(0, 1, BUY, 5, 90)], [(1, 30, 45, 10, True)],
    ),
    Case(
        "session_dividend_order", "status and actions of a time come before its bar",
        [status(10, k.OPEN), event(10, k.DIVIDEND, a=1_000_000), UP], [market(0, 1, BUY, 3)], [(1, 0, 100, 3, False)],
        money=(-300, 0, 0, 0),
    ),
]  # fmt: skip
