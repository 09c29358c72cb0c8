"""The market oracle on hand-calculated cases and on documented scenarios of an exchange."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

sys.path.insert(0, str(Path(__file__).parents[1] / "oracles"))
import market_cases as first
import market_cases_books as books
import market_cases_lists as lists
import market_cases_orders as orders
import market_oracle_bars
from market_cases import BUY, SELL, Case, bar, limit, market, stop
from market_oracle import OracleMarket, first_difference
from market_oracle_books import Book
from market_oracle_level3 import OrderBook
from market_oracle_orders import Venue
from market_oracle_types import BARS, DEPTH, ORDERS, QUOTES, OracleInstrument, OracleResult, Order
from market_scenarios import Options, Scenario, Seeded, scenario, scenarios

from karat.kernels.market import _layout as k

TESTS = Path(__file__).parents[1]
CASES = [
    *(first.POINTS + first.PATH + first.AUCTIONS + first.VOLUME),
    *(lists.LISTS + lists.CHILDREN + lists.COMMANDS + lists.SELF_TRADES + lists.MONEY),
    *(books.QUOTE_CASES + books.DEPTH_CASES + orders.ORDER_CASES),
]
STP = {"NONE": 0, "EXPIRE_TAKER": 1, "EXPIRE_MAKER": 2, "EXPIRE_BOTH": 3, "DECREMENT": 4}
STATES = {"NEW": k.LIVE, "FILLED": k.FILLED, "EXPIRED_IN_MATCH": k.PREVENTED}


def golden(name: str) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((TESTS / "golden" / "market" / name).read_text())["cases"]
    return cases


def run(case: Case) -> OracleResult:
    return OracleMarket([OracleInstrument(**terms) for terms in case.terms], (case.cash,)).run(
        case.events, case.intents
    )


def shown(result: OracleResult) -> list[tuple[int, int, int, int, bool]]:
    return [(fill.id, fill.ts, fill.price, fill.qty, fill.maker) for fill in result.fills]


def outcome(case: Case) -> tuple[Any, ...]:
    """Return what a case is judged by, in the form of `wanted`."""
    result = run(case)
    told = {(news.id, news.kind, news.reason) for news in result.news}
    money = (result.cash[0], sum(result.realised), sum(result.charges), sum(result.income))
    return (
        shown(result),
        {id_: result.orders[id_].state for id_ in case.states},
        {news for news in case.news if news in told},
        result.ambiguous,
        None if case.money is None else money,
    )


def wanted(case: Case) -> tuple[Any, ...]:
    return (case.fills, case.states, set(case.news), case.ambiguous, case.money)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cases_by_hand(case: Case) -> None:
    assert outcome(case) == wanted(case)


def test_names_of_cases_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("scenario_", golden("binance_stp.json"), ids=lambda scenario_: scenario_["name"])
def test_self_trades_as_documented(scenario_: dict[str, Any]) -> None:
    orders = [*scenario_["makers"], scenario_["taker"]]
    intents = [
        limit(
            n,
            n + 1,
            BUY if o["side"] == "BUY" else SELL,
            round(10 * o["qty"]),
            round(10 * o["price"]),
            stp=STP[o["stp"]],
        )
        for n, o in enumerate(orders)
    ]
    result = OracleMarket([OracleInstrument(matcher=DEPTH)]).run([], intents)
    found = [(o.state, o.filled, o.prevented) for o in result.orders.values()]
    expected = [*scenario_["expect"]["makers"], scenario_["expect"]["taker"]]
    assert found == [(STATES[name], round(10 * done), round(10 * lost)) for name, done, lost in expected]


@pytest.mark.parametrize("case", golden("oco_states.json"), ids=lambda case: case["name"])
def test_lists_as_documented(case: dict[str, Any]) -> None:
    events = [bar(0, 100, 101, 99, 100)]
    legs = [
        case.get("above", {"type": "LIMIT_MAKER", "price": 110}),
        case.get("below", {"type": "STOP_LOSS", "stop": 95}),
    ]
    side = SELL if legs[0]["type"] == "LIMIT_MAKER" else BUY
    intents = []
    for n, leg in enumerate(legs):
        more = {"group": n, "group_mode": k.GROUP_CANCEL}
        if leg["type"] == "LIMIT_MAKER":
            intents.append(limit(10, n + 1, side, 5, leg["price"], flags=k.POST_ONLY, **more))
        else:
            intents.append(stop(10, n + 1, side, 5, leg["stop"], **more))
    expected = (k.LIVE, k.LIVE)
    if case.get("other_leg", "").startswith("EXPIRED"):
        events.append(bar(1, 100, 111, 99, 100, 30))
        expected = (k.PARTIAL, k.EXPIRED)
    elif case.get("result") == "whole list cancelled":
        intents.append(first.row(11, k.CANCEL, 2))
        expected = (k.CANCELLED, k.CANCELLED)
    else:
        assert case["ok"]
    result = OracleMarket([OracleInstrument(participation=first.TENTH)]).run(events, intents)
    assert tuple(order.state for order in result.orders.values()) == expected


def test_columns_and_rows_are_the_same_events() -> None:
    rows = [{"instrument": 0, "d": 0, **row} for row in first.DAY_EVENTS]
    names = ("ts", "kind", "price", "qty", "a", "b", "c", "d")
    columns = {name: [row.get(name, 0) for row in rows] for name in names} | {"instrument": None}
    intents = [market(20, 1, BUY, 5), limit(21, 2, SELL, 5, 103)]
    one, other = (OracleMarket([OracleInstrument()]).run(events, intents) for events in (rows, columns))
    assert one.fills == other.fills
    assert len(one.fills) == 2
    assert first_difference(one.states, other.states) == ""


@pytest.mark.parametrize(
    ("events", "error"),
    [
        ([first.UP, bar(0, 100, 99, 95, 98) | {"ts": 20}], k.E_BAR),
        ([first.UP, first.UP | {"ts": 9}], k.E_TIME),
        ([first.UP, bar(1, 1, 1, 1, 1, i=3)], k.E_INSTRUMENT),
        ([first.UP, bar(1, 1, 1, 1, 1, -2)], k.E_SIZE),
        ([first.UP, first.quote(12, 99, 1, 98, 1)], k.E_KIND),
    ],
)
def test_a_bad_row_stops_the_run_before_it(events: list[dict[str, int]], error: int) -> None:
    intents = [market(0, 1, BUY, 5)]
    result = OracleMarket([OracleInstrument()]).run(events, intents)
    assert (result.error, result.error_row) == (error, 1)
    good = OracleMarket([OracleInstrument()]).run(events[:1], intents)
    assert (result.cash, result.positions, result.fills) == (good.cash, good.positions, good.fills)


def test_the_first_difference_is_named() -> None:
    assert first_difference([1, 2], [1, 2]) == ""
    assert first_difference([1, 2], [1, 3]) == "number 1: oracle 2, other 3"
    assert first_difference([1], [1, 3]) == "only the other has number 1: 3"


def play(made: Scenario) -> OracleResult:
    return OracleMarket([OracleInstrument(**terms) for terms in made.terms], made.cash).run(made.events, made.intents)


def check(made: Scenario) -> OracleResult:
    """Every step of a run asserts the identity of the money; here is what orders may and may not do."""
    result = play(made)

    def amended(id_: int) -> bool:
        return any(news.id == id_ and news.kind == k.AMENDED for news in result.news)

    assert result.error == k.NO_ERROR
    for number in range(len(made.terms)):  # a bar's open is earlier than the close of another instrument's bar
        times = [fill.ts for fill in result.fills if fill.instrument == number]
        assert times == sorted(times)
    for order in result.orders.values():
        assert order.filled == sum(fill.qty for fill in result.fills if fill.id == order.id) <= order.qty
        assert (order.state == k.FILLED) <= (order.filled == order.nominal)
        assert order.resting <= (order.filled < order.nominal)
        if order.type == k.LIMIT and not amended(order.id):
            assert all(f.side * (order.price - f.price) >= 0 for f in result.fills if f.id == order.id)
    held = [sum(f.side * f.qty for f in result.fills if f.instrument == i) for i in range(len(made.terms))]
    assert held == result.positions
    again = play(made)
    assert (again.fills, again.news, again.states) == (result.fills, result.news, result.states)
    return result


@pytest.mark.parametrize("matcher", [BARS, QUOTES, DEPTH, ORDERS])
@pytest.mark.parametrize("seed", range(40))
def test_random_scenarios_keep_the_books(seed: int, matcher: int) -> None:
    check(scenario(Seeded(seed), Options(matcher=matcher)))


@pytest.mark.parametrize("matcher", [BARS, QUOTES, DEPTH, ORDERS])
def test_drawn_scenarios_keep_the_books(matcher: int) -> None:
    """The same through Hypothesis, so that the strategy itself is known to work."""

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(scenarios(Options(matcher=matcher)))
    def run_one(made: Scenario) -> None:
        check(made)

    run_one()


@pytest.mark.parametrize("seed", range(30))
def test_splits_keep_the_money(seed: int) -> None:
    assert play(scenario(Seeded(seed), Options(splits=True))).error == k.NO_ERROR


@pytest.mark.parametrize("matcher", [QUOTES, DEPTH, ORDERS])
def test_random_books_fill_both_ways(matcher: int) -> None:
    results = [play(scenario(Seeded(seed), Options(matcher=matcher))) for seed in range(40)]
    assert {fill.maker for result in results for fill in result.fills} == {False, True}
    types = {result.orders[fill.id].type for result in results for fill in result.fills}
    assert types == set(range(k.MARKET, k.TAKE_PROFIT + 1))


def test_random_scenarios_reach_every_rule() -> None:
    """A generator that never reaches a state, a type or a reason would compare nothing."""
    states, types, reasons, kinds, ambiguous = set(), set(), set(), set(), 0
    for seed in range(150):
        made = scenario(Seeded(seed))
        result = play(made)
        states |= {order.state for order in result.orders.values()}
        types |= {order.type for order in result.orders.values() if order.filled}
        reasons |= {news.reason for news in result.news}
        kinds |= {news.kind for news in result.news}
        ambiguous += result.ambiguous
    assert types == set(range(k.MARKET, k.LIMIT_ON_CLOSE + 1))
    assert {k.WAITING, k.LIVE, k.PARTIAL, k.FILLED, k.CANCELLED, k.REJECTED, k.EXPIRED, k.PREVENTED} <= states
    assert kinds == set(range(k.ACCEPTED, k.ACTIVATED + 1))
    not_here = {k.R_TABLE_FULL, k.R_FUNDS, k.R_CUTOFF, k.R_LIQUIDATION}
    assert set(range(k.R_INSTRUMENT, k.R_NO_MARKET + 1)) - reasons <= not_here
    assert ambiguous > 5


def broken(cases: list[Case]) -> list[str]:
    return [case.name for case in cases if outcome(case) != wanted(case)]


FAULTS: list[tuple[type | Any, str, Any, str]] = [
    (market_oracle_bars.Bar, "path", property(lambda bar_: bar_.prices), "path_tie_up"),
    (market_oracle_bars, "slipped", lambda terms, price, side: price, "slip_ticks"),
    (market_oracle_bars.BarWalk, "_rival", lambda *_: None, "oco_ambiguous"),
    (market_oracle_bars.BarWalk, "_in_auction", lambda *_: True, "on_open_cutoff"),
    (Order, "touch", property(lambda _: True), "limit_at_low"),
    (Order, "trail", lambda *_: None, "trailing"),
    (Order, "rest", property(lambda order: order.qty - order.filled), "bracket_size"),
    (Venue, "end_legs", lambda *_: None, "oco_limit"),
    (Venue, "reducible", lambda *_: 99, "reduce_only"),
    (Book, "_use", lambda *_: None, "quote_take"),
    (Book, "_set_off", lambda *_: None, "quote_stop"),
    (Book, "_own_opposite", lambda *_: [], "depth_self"),
    (Book, "_by_price", lambda book, side: [one for one in book._by_age() if one.side == side], "quote_through"),
    (Book, "_hit", lambda book, order, price, lots, left: book._rest(order, lots), "depth_zero"),
    (OrderBook, "_use", lambda *_: None, "orders_walk"),
    (OrderBook, "_give", lambda *_: None, "orders_come"),
    (OrderBook, "_executed", lambda *_: None, "orders_place"),
    (OrderBook, "_line", lambda book, side: book._by_age(), "orders_shared"),
    (OrderBook, "ahead", lambda book, order: book.plain.quantity(order.side, order.price), "orders_cancelled"),
]


@pytest.mark.parametrize(("owner", "name", "fault", "case"), FAULTS, ids=[fault[3] for fault in FAULTS])
def test_the_cases_see_a_planted_fault(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, fault: Any, case: str
) -> None:
    assert broken(CASES) == []
    monkeypatch.setattr(owner, name, fault)
    assert case in broken(CASES)
