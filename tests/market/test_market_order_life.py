"""Orders on the compiled market: cases by hand, documented scenarios of an exchange, states, lists, self-trades."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "oracles"))
import market_cases as first
from market_cases import BUY, SELL, Case, bar, event, limit, market, quote, row, send, stop
from market_cases_books import LADDER, ask, bid, sold
from market_cases_orders import one_each
from market_oracle_types import BARS, DEPTH, ORDERS, QUOTES, Fill, News
from market_parity import JIT_OFF, compiled, varied
from market_scenarios import Options, Scenario, Seeded
from test_market_oracle import CASES, STP, golden

from karat.kernels.market import _layout as k
from karat.kernels.market._block import table

ENDINGS = {
    k.REJECTED_GATEWAY: k.REJECTED,
    k.REJECTED_VENUE: k.REJECTED,
    k.CANCEL_DONE: k.CANCELLED,
    k.EXPIRED_NEWS: k.EXPIRED,
    k.PREVENTED_NEWS: k.PREVENTED,
}
NAMES = ("PENDING_NEW", "WAITING", "LIVE", "PARTIAL", "FILLED", "CANCELLED", "REJECTED", "EXPIRED", "PREVENTED")
LEGAL = {
    "PENDING_NEW": {"LIVE", "WAITING", "REJECTED", "EXPIRED", "CANCELLED"},
    "WAITING": {"LIVE", "CANCELLED", "EXPIRED", "REJECTED"},
    "LIVE": {"PARTIAL", "FILLED", "CANCELLED", "EXPIRED", "PREVENTED"},
    "PARTIAL": {"PARTIAL", "FILLED", "CANCELLED", "EXPIRED", "PREVENTED"},
}
BOOKS = pytest.mark.parametrize("matcher", [QUOTES, DEPTH, ORDERS], ids=["quotes", "depth", "orders"])
many = pytest.mark.skipif(JIT_OFF, reason="counts what happens in many scenarios: too slow in plain Python")
ALL = pytest.mark.parametrize("matcher", [BARS, QUOTES, DEPTH, ORDERS], ids=["bars", "quotes", "depth", "orders"])


def shown(matcher: int, levels: list[dict[str, int]]) -> list[dict[str, int]]:
    """Return level-2 rows as the rows of a matcher on depth or single orders."""
    return one_each(levels) if matcher == ORDERS else levels


class Played:
    """A scenario played to its end on the compiled market."""

    def __init__(self, events: list[dict[str, int]], intents: list[list[int]], *terms: dict[str, Any], cash: int = 0):
        self.engine = compiled(Scenario(terms or ({},), (cash,), events, intents))
        assert self.engine.advance() == k.DONE
        self.fills: list[Fill] = self.engine.fills()
        self.news: list[News] = self.engine.news()
        self.live = {int(one[k.O_ID]): one for one in orders_of(self.engine) if one[k.O_STATE] < k.FILLED}

    def shown(self) -> list[tuple[int, int, int, int, bool]]:
        return [(fill.id, fill.ts, fill.price, fill.qty, fill.maker) for fill in self.fills]

    def told(self) -> set[tuple[int, int, int]]:
        return {(one.id, one.kind, one.reason) for one in self.news}

    def filled(self, id_: int) -> int:
        return sum(fill.qty for fill in self.fills if fill.id == id_)

    def state(self, id_: int) -> int:
        """Return the last state: of an order that is over, as its last message or else its fills tell it."""
        if id_ in self.live:
            return int(self.live[id_][k.O_STATE])
        ends = [ENDINGS[one.kind] for one in self.news if one.id == id_ and one.kind in ENDINGS]
        return ends[-1] if ends else k.FILLED


def play(made: Scenario) -> Played:
    return Played(made.events, made.intents, *made.terms, cash=made.cash[0])


def orders_of(engine: Any) -> list[Any]:
    rows = table(engine.block, "orders")
    return list(rows[rows[:, k.O_ID] > 0])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.req("SIM-01", "SIM-07", "SIM-21", "OMS-03", "OMS-05", "OMS-08")
def test_cases_by_hand(case: Case) -> None:
    played = Played(case.events, case.intents, *case.terms, cash=case.cash)
    told, money = played.told(), played.engine.money()
    assert played.shown() == case.fills
    assert {id_: played.state(id_) for id_ in case.states} == case.states
    assert {news for news in case.news if news in told} == set(case.news)
    assert sum(table(played.engine.block, "instruments")[:, k.I_AMBIGUOUS]) == case.ambiguous
    if case.money is not None:
        assert (money["cash"][0], sum(money["realised"]), sum(money["charges"]), sum(money["income"])) == case.money


@BOOKS
@pytest.mark.parametrize("case", golden("binance_stp.json"), ids=lambda case: case["name"])
@pytest.mark.req("OMS-11")
def test_self_trades_as_documented(case: dict[str, Any], matcher: int) -> None:
    orders = [*case["makers"], case["taker"]]
    made = []
    for n, one in enumerate(orders):
        side = BUY if one["side"] == "BUY" else SELL
        made.append(limit(n, n + 1, side, round(10 * one["qty"]), round(10 * one["price"]), stp=STP[one["stp"]]))
    played = Played([], made, {"matcher": matcher})
    expected = [*case["expect"]["makers"], case["expect"]["taker"]]
    for n, (one, (name, filled, lost)) in enumerate(zip(orders, expected, strict=True), 1):
        wanted = {"NEW": k.LIVE, "FILLED": k.FILLED, "EXPIRED_IN_MATCH": k.PREVENTED}[name]
        rest = int(played.live[n][k.O_QTY]) if n in played.live else played.filled(n)
        assert (played.state(n), played.filled(n)) == (wanted, round(10 * filled))
        if name != "FILLED":
            assert round(10 * one["qty"]) - rest == round(10 * lost)


@pytest.mark.parametrize("case", golden("oco_states.json"), ids=lambda case: case["name"])
@pytest.mark.req("OMS-03", "SIM-07")
def test_lists_as_documented(case: dict[str, Any]) -> None:
    events, wanted = [bar(0, 100, 101, 99, 100)], (k.LIVE, k.LIVE)
    legs = [
        case.get("above", {"type": "LIMIT_MAKER", "price": 110}),
        case.get("below", {"type": "STOP_LOSS", "stop": 95}),
    ]
    side, intents = SELL if legs[0]["type"] == "LIMIT_MAKER" else BUY, []
    for n, leg in enumerate(legs):
        more = {"group": n, "group_mode": k.GROUP_CANCEL}
        if leg["type"] == "LIMIT_MAKER":
            intents.append(limit(10, n + 1, side, 5, leg["price"], flags=k.POST_ONLY, **more))
        else:
            intents.append(stop(10, n + 1, side, 5, leg["stop"], **more))
    if case.get("other_leg", "").startswith("EXPIRED"):
        events.append(bar(1, 100, 111, 99, 100, 30))
        wanted = (k.PARTIAL, k.EXPIRED)
    elif case.get("result") == "whole list cancelled":
        intents.append(row(11, k.CANCEL, 2))
        wanted = (k.CANCELLED, k.CANCELLED)
    played = Played(events, intents, {"participation": first.TENTH})
    assert (played.state(1), played.state(2)) == wanted


# -- states


@pytest.mark.req("OMS-01")
def test_every_step_between_states_is_legal_or_refused() -> None:
    """The exhaustive table: 9 states by 9; a refused step changes nothing."""
    from karat.kernels.market._orders import may_move, move

    order = np.zeros(k.ORDER, dtype=np.int64)
    for before in NAMES:
        for after in NAMES:
            legal = int(after in LEGAL.get(before, set()))
            a, b = getattr(k, before), getattr(k, after)
            order[k.O_STATE] = a
            assert may_move(a, b) == legal, (before, after)
            assert move(order.ctypes.data, b) == legal
            assert order[k.O_STATE] == (b if legal else a)


@many
@ALL
@pytest.mark.req("OMS-01", "OMS-05")
def test_what_is_seen_after_every_step(matcher: int) -> None:
    """States move along legal steps only, fills never shrink, a trailing stop never loosens."""
    legal = {getattr(k, name): {getattr(k, after) for after in LEGAL.get(name, ())} for name in NAMES}
    reach = {state: {state} | _closure(legal, state) for state in legal}
    trails = 0
    for seed in range(25):
        made = varied(Seeded(seed), Options(matcher=matcher))
        engine, before = compiled(made), {}
        for _ in range(len(made.events) + 4 * len(made.intents)):
            engine.advance(steps=1)
            now = {int(one[k.O_ID]): one.copy() for one in orders_of(engine)}
            for id_, one in now.items():
                old = before.get(id_)
                if old is None:
                    continue
                assert int(one[k.O_STATE]) in reach[int(old[k.O_STATE])]
                assert one[k.O_FILLED] >= old[k.O_FILLED]
                if one[k.O_TYPE] == k.TRAILING and old[k.O_STOP] != 0:
                    assert one[k.O_SIDE] * (one[k.O_STOP] - old[k.O_STOP]) <= 0
                    trails += int(one[k.O_STOP] != old[k.O_STOP])
            before = now
    assert trails > 0


def _closure(legal: dict[int, set[int]], state: int) -> set[int]:
    """Return every state that can be reached by legal steps."""
    out: set[int] = set()
    todo = [state]
    while todo:
        for after in legal[todo.pop()] - out:
            out.add(after)
            todo.append(after)
    return out


# -- lists and brackets


@many
@ALL
@pytest.mark.req("OMS-03")
def test_legs_never_fill_more_than_one_of_them(matcher: int) -> None:
    """Of a cancelling list one leg fills; all legs of a reducing list together fill no more than the largest."""
    seen = {k.GROUP_CANCEL: 0, k.GROUP_REDUCE: 0}
    for seed in range(150):
        made = varied(Seeded(seed), Options(matcher=matcher))
        amended = {one[k.T_ID] for one in made.intents if one[k.T_ACTION] == k.AMEND}
        lists: dict[int, list[list[int]]] = {}
        first_of: dict[int, int] = {}
        for one in made.intents:
            if one[k.T_ACTION] == k.SEND and one[k.T_GROUP_MODE]:
                first_of[one[k.T_ID]] = first_of.get(one[k.T_GROUP], one[k.T_ID])
                lists.setdefault(first_of[one[k.T_ID]], []).append(one)
        played = play(made)
        for legs in lists.values():
            done = [played.filled(leg[k.T_ID]) for leg in legs]
            if amended & {leg[k.T_ID] for leg in legs} or sum(done) == 0:
                continue
            seen[legs[0][k.T_GROUP_MODE]] += 1
            if legs[0][k.T_GROUP_MODE] == k.GROUP_CANCEL:
                assert sum(lots > 0 for lots in done) == 1
            assert sum(done) <= max(leg[k.T_QTY] for leg in legs)
    assert min(seen.values()) > 3


@pytest.mark.req("OMS-04")
def test_the_stop_has_as_many_lots_as_its_parent_filled() -> None:
    """Bought in three parts, 10 at 100, 20 at 101, 30 at 103: the basis is exact, the stop grows with every part."""
    parts = [(100, 10), (101, 20), (103, 30)]
    events = [bar(n, price, price, price, price, 10 * lots) for n, (price, lots) in enumerate(parts)]
    intents = [market(0, 1, BUY, 70), stop(0, 2, SELL, 99, 90, parent=1)]
    engine = compiled(Scenario(({"participation": first.TENTH, "unit": 7},), (0,), events, intents))
    held, worth = 0, 0
    for n, (price, lots) in enumerate(parts):
        engine.advance(10 * n + 10)
        held, worth = held + lots, worth + 7 * price * lots
        by_id = {int(one[k.O_ID]): one for one in orders_of(engine)}
        assert by_id[1][k.O_FILLED] == by_id[2][k.O_QTY] == held
        assert by_id[1][k.O_NOTIONAL] == worth == engine.money()["basis"][0]
    assert worth == 7 * (1000 + 2020 + 3090)


# -- post-only, reduce-only


@many
@BOOKS
@pytest.mark.req("OMS-06", "SIM-07")
def test_post_only_never_takes(matcher: int) -> None:
    made = 0
    for seed in range(80):
        one = varied(Seeded(seed), Options(matcher=matcher))
        quiet = {t[k.T_ID] for t in one.intents if t[k.T_ACTION] == k.SEND and t[k.T_FLAGS] & k.POST_ONLY}
        fills = [fill for fill in play(one).fills if fill.id in quiet]
        assert all(fill.maker for fill in fills)
        made += len(fills)
    assert made > 5


@BOOKS
@pytest.mark.req("OMS-06")
def test_post_only_is_refused_where_it_would_meet_the_venue_or_an_own_order(matcher: int) -> None:
    start = [quote(0, 99, 10, 103, 10)] if matcher == QUOTES else shown(matcher, [bid(0, 99, 10), ask(0, 103, 10)])
    intents = [
        limit(1, 1, BUY, 5, 103, flags=k.POST_ONLY),
        limit(2, 2, SELL, 5, 101),
        limit(3, 3, BUY, 5, 101, flags=k.POST_ONLY),
        limit(4, 4, BUY, 5, 100, flags=k.POST_ONLY),
        row(5, k.AMEND, 4, price=102),
    ]
    played = Played(start, intents, {"matcher": matcher})
    assert [played.state(id_) for id_ in (1, 2, 3, 4)] == [k.REJECTED, k.LIVE, k.REJECTED, k.LIVE]
    assert (4, k.AMEND_REJECTED, k.R_POST_ONLY) in played.told()
    assert played.fills == []


@many
@ALL
@pytest.mark.req("SIM-07")
def test_reduce_only_never_turns_a_position(matcher: int) -> None:
    made = 0
    for seed in range(250):
        one = varied(Seeded(seed), Options(matcher=matcher))
        only = {t[k.T_ID] for t in one.intents if t[k.T_ACTION] == k.SEND and t[k.T_FLAGS] & k.REDUCE_ONLY}
        for fill in play(one).fills:
            if fill.id in only:
                held = fill.position - fill.side * fill.qty
                assert held * fill.side < 0
                assert abs(fill.position) == abs(held) - fill.qty >= 0
                made += 1
    assert made > 3


# -- amendments and cancels that race with fills


@pytest.mark.parametrize(
    ("late", "fills", "told"),
    [
        (1, [(1, 4, 98, 8, True)], (1, k.AMENDED, 0)),
        (5, [(1, 4, 99, 5, True)], (1, k.AMEND_REJECTED, k.R_TOO_LATE)),
    ],
)
@pytest.mark.req("OMS-08")
def test_an_amendment_races_with_a_fill(late: int, fills: list[Any], told: tuple[int, int, int]) -> None:
    """To 8 lots at 98, before or after the trade that goes through both prices."""
    intents = [limit(1, 1, BUY, 5, 99), row(2, k.AMEND, 1, price=98, qty=8, delay=late)]
    played = Played([*LADDER, sold(4, 97, 50)], intents, {"matcher": DEPTH})
    assert (played.shown(), played.state(1)) == (fills, k.FILLED)
    assert told in played.told()


@pytest.mark.req("OMS-08")
def test_an_amendment_below_what_is_filled_ends_the_order() -> None:
    """8 lots, 5 filled before the amendment to 4 comes: the rest is cancelled, nothing is filled twice."""
    intents = [limit(1, 1, BUY, 8, 99), row(2, k.AMEND, 1, qty=4, delay=3)]
    played = Played([*LADDER, sold(4, 99, 15), sold(6, 99, 50)], intents, {"matcher": DEPTH})
    assert played.shown() == [(1, 4, 99, 5, True)]
    assert played.state(1) == k.CANCELLED


# -- self-trades, one test for each policy: an outside offer of 3 at 101, an own one of 5 at 102, a buy of 7 at 103


def self_trade(matcher: int, mode: int) -> Played:
    if matcher == QUOTES:
        start = [quote(0, 99, 10, 104, 10), quote(2, 99, 10, 101, 3)]
    else:
        start = shown(matcher, [bid(0, 99, 10), ask(0, 104, 10), ask(2, 101, 3)])
    intents = [limit(1, 1, SELL, 5, 102), limit(3, 2, BUY, 7, 103, stp=mode)]
    played = Played(start, intents, {"matcher": matcher})
    assert played.shown()[0] == (2, 3, 101, 3, False)  # the better price outside comes first in every mode
    return played


@BOOKS
@pytest.mark.req("OMS-11")
def test_self_trade_cancel_new(matcher: int) -> None:
    played = self_trade(matcher, k.STP_CANCEL_NEW)
    assert [played.state(1), played.state(2), len(played.fills)] == [k.LIVE, k.PREVENTED, 1]


@BOOKS
@pytest.mark.req("OMS-11")
def test_self_trade_cancel_resting(matcher: int) -> None:
    played = self_trade(matcher, k.STP_CANCEL_RESTING)
    assert [played.state(1), played.state(2), len(played.fills)] == [k.PREVENTED, k.PARTIAL, 1]


@BOOKS
@pytest.mark.req("OMS-11")
def test_self_trade_cancel_both(matcher: int) -> None:
    played = self_trade(matcher, k.STP_CANCEL_BOTH)
    assert [played.state(1), played.state(2), len(played.fills)] == [k.PREVENTED, k.PREVENTED, 1]


@BOOKS
@pytest.mark.req("OMS-11")
def test_self_trade_decrement(matcher: int) -> None:
    played = self_trade(matcher, k.STP_DECREMENT)
    assert [played.state(1), played.state(2), len(played.fills)] == [k.LIVE, k.PREVENTED, 1]
    assert played.live[1][k.O_QTY] == 1
    assert played.engine.block[k.H_SELF_TRADES] == 8  # 4 lots of both


@BOOKS
def test_self_trade_without_prevention(matcher: int) -> None:
    played = self_trade(matcher, k.STP_NONE)
    assert played.shown()[1:] == [(2, 3, 102, 4, False), (1, 3, 102, 4, True)]
    assert played.engine.money()["positions"] == [3]


@BOOKS
@pytest.mark.req("OMS-11")
def test_all_or_none_is_not_prevented_half_way(matcher: int) -> None:
    """An own offer at 101 is in the way of 7 lots: nothing is filled. Behind what they need, it is not met."""
    start = [quote(0, 99, 9, 102, 9)] if matcher == QUOTES else shown(matcher, [bid(0, 99, 9), ask(0, 102, 9)])
    for own, wanted in ((101, k.PREVENTED), (103, k.FILLED)):
        intents = [limit(1, 1, SELL, 5, own), limit(2, 2, BUY, 7, 104, tif=k.FOK, stp=k.STP_CANCEL_NEW)]
        played = Played(start, intents, {"matcher": matcher})
        assert (played.state(2), played.filled(2)) == (wanted, 7 if wanted == k.FILLED else 0)


# -- iceberg


@pytest.mark.req("OMS-07")
def test_only_the_shown_slice_of_an_iceberg_works_the_queue() -> None:
    """10 lots, 4 shown, 10 in front. 15 printed: 5 beyond, but 4 are shown; the next slice is behind 10 again.

    9 printed: 1 is left in front. 3 printed: 2 of the slice. 1 and 9 printed: 1 and the last 1 of the slice; the last
    two lots are the third slice, behind 10: 12 printed fill them.
    """
    prints = [sold(ts, 99, lots) for ts, lots in ((3, 15), (4, 9), (5, 3), (6, 1), (7, 9), (8, 12))]
    iceberg = Played([*LADDER, *prints], [limit(1, 1, BUY, 10, 99, display=4)], {"matcher": DEPTH})
    wanted = [(3, 4), (5, 2), (6, 1), (7, 1), (8, 2)]
    assert iceberg.shown() == [(1, ts, 99, lots, True) for ts, lots in wanted]
    plain = Played([*LADDER, *prints], [limit(1, 1, BUY, 10, 99)], {"matcher": DEPTH})
    assert plain.shown() == [(1, 3, 99, 5, True), (1, 4, 99, 5, True)]
    more = Played(LADDER, [limit(1, 1, BUY, 10, 99, display=11)], {"matcher": DEPTH})
    assert more.told() == {(1, k.REJECTED_GATEWAY, k.R_QUANTITY)}


# -- costs


@ALL
@pytest.mark.req("EVAL-11")
def test_profit_without_costs_less_profit_with_them_is_the_itemised_cost(matcher: int) -> None:
    """Fixed quantities. On level 2 and 3 the cost of walking the book is against the best price at arrival."""
    lots = [(BUY, 5), (SELL, 12), (BUY, 9), (SELL, 4)]
    late = 0 if matcher == BARS else 5
    intents = [market(10 * n + late, n + 1, side, qty) for n, (side, qty) in enumerate(lots)]
    terms = {"matcher": matcher, "taker": 700_000, "per_lot": 2, "unit": 7}
    if matcher in (DEPTH, ORDERS):
        events = [
            each
            for n in range(4)
            for each in (bid(10 * n, 99 - n, 3), bid(10 * n, 90, 50), ask(10 * n, 101 + n, 2), ask(10 * n, 110, 50))
        ]
        played = Played(shown(matcher, events), intents, terms)
        free = -sum(7 * fill.side * fill.reference * fill.qty for fill in played.fills)
    else:
        quotes = [quote(10 * n, 99 - n, 50, 101 + n, 50) for n in range(4)]
        bars = [bar(n, 100 + n, 104 + n, 97, 99 + n) for n in range(5)]
        events = quotes if matcher == QUOTES else bars
        played = Played(events, intents, {**terms, "slip_kind": 1, "slip_value": 2})
        without = Played(events, intents, {"matcher": matcher, "unit": 7})
        assert [one.qty for one in played.fills] == [one.qty for one in without.fills]
        free = without.engine.money()["cash"][0]
    costs = table(played.engine.block, "instruments")[0][[k.I_FEES, k.I_SLIPPAGE]]
    assert min(costs) > 0
    assert free - played.engine.money()["cash"][0] == sum(costs)
    assert played.engine.money()["charges"] == [costs[0]]


# -- what is refused or waits


def test_auctions_are_refused_where_the_data_shows_none() -> None:
    kinds = (k.MARKET_ON_OPEN, k.MARKET_ON_CLOSE, k.LIMIT_ON_OPEN, k.LIMIT_ON_CLOSE)
    for matcher in (QUOTES, DEPTH, ORDERS):
        made = [send(1, n, BUY, kind, 5, price=99) for n, kind in enumerate(kinds, 1)]
        told = Played([], made, {"matcher": matcher}).told()
        assert told == {(n, k.REJECTED_GATEWAY, k.R_COMBINATION) for n in range(1, 5)}


def test_an_impatient_stop_counts_from_its_trigger() -> None:
    """IOC: it waits for its price, takes what is there, and the rest expires."""
    events = [quote(0, 99, 10, 101, 4), event(3, k.TRADE, 102, 1)]
    played = Played(events, [stop(1, 1, BUY, 6, 102, tif=k.IOC)], {"matcher": QUOTES})
    assert played.shown() == [(1, 3, 101, 4, False)]
    assert played.state(1) == k.EXPIRED
