"""The market's rules inside the event loop: at sending, at arrival, at execution, and by time alone."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from karat.core import InputError
from karat.data import (
    VENUE_FILTERS,
    Events,
    Instrument,
    events_from_quotes,
    events_from_rows,
    events_from_trades,
    merge_events,
)
from karat.kernels.market import Sizes, Terms, bind_rules, engine, new_block, table
from karat.kernels.market import _rules_layout as words
from karat.kernels.market import layout as at
from karat.market import (
    REASONS,
    FilterTerms,
    Listing,
    Market,
    Order,
    RuleTerms,
    TradingTerms,
    VenueSpec,
    intents_on,
    simulate,
)
from karat.market._rulebook import filter_words, rule_schedule

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
OPEN = int(datetime(2024, 3, 4, 14, 30, tzinfo=UTC).timestamp()) * SECOND
CLOSE = OPEN + 390 * MINUTE
SCHEDULE = tuple(int(word) for word in rule_schedule(Listing()))
US = Terms(matcher=at.QUOTES, schedule=SCHEDULE, rules_words=words.rules_words(1024), queue=(1, ()))
NAMES = {reason.code: reason.name for reason in REASONS.values()}


def run(rows: list[tuple[int, ...]], orders: list[dict[str, int]], terms: Terms = US):
    """Run rows (ts, kind, price, qty, a, b, c) and limit or market orders; return fills, news and the block."""
    block = new_block([terms], [10**12], sizes=Sizes(orders=32))
    bind_rules(block)
    table_ = np.array([row + (0,) * (8 - len(row)) for row in rows], dtype=np.int64)
    view, keep = np.zeros(at.COLUMNS, dtype=np.int64), []
    view[at.V_ROWS], view[at.V_INTENTS] = len(rows), len(orders)
    places = (at.V_TS, at.V_KIND, at.V_PRICE, at.V_QTY, at.V_A, at.V_B, at.V_C, at.V_D)
    for column, place in enumerate(places):
        keep.append(np.ascontiguousarray(table_[:, column], dtype=np.int8 if place == at.V_KIND else np.int64))
        view[place] = keep[-1].ctypes.data
    intents = np.zeros((len(orders), at.INTENT), dtype=np.int64)
    for number, order in enumerate(orders):
        intents[number, [at.T_ACTION, at.T_ID, at.T_TIF, at.T_QTY]] = at.SEND, number + 1, at.GTC, order.get("qty", 5)
        intents[number, at.T_TS], intents[number, at.T_SIDE] = order["ts"], order["side"]
        intents[number, at.T_TYPE] = at.LIMIT if "price" in order else at.MARKET
        intents[number, at.T_PRICE], intents[number, at.T_FLAGS] = order.get("price", 0), order.get("flags", 0)
    view[at.V_INTENT_ROWS] = intents.ctypes.data
    code = engine().advance(block.ctypes.data, view.ctypes.data, at.FAR, 1 << 60)
    assert code == at.DONE, (code, block[at.H_ERROR])
    return table(block, "fills").copy(), table(block, "news").copy(), block


def said(news: np.ndarray, order: int) -> list[str]:
    """Return what was said of an order: the names of rejections' reasons, else the kind."""
    rows = news[news[:, at.N_ID] == order]
    refused = (at.REJECTED_GATEWAY, at.REJECTED_VENUE)
    kinds = {at.ACCEPTED: "accepted"}
    return [
        NAMES[int(r)] if k in refused else kinds.get(int(k), str(int(k)))
        for k, r in rows[:, [at.N_KIND, at.N_REASON]].tolist()
    ]


def session() -> list[tuple[int, ...]]:
    """Return the start of a day of a stock that closed at 20.00 and opens there, with bands of 5 %."""
    return [
        (OPEN, at.REFERENCE, 2000),
        (OPEN, at.STATUS, 0, 0, at.OPEN, OPEN, CLOSE),
        (OPEN + 1, at.QUOTE, 1999, 100, 2001, 100),
        (OPEN + 2, at.TRADE, 2000, 10),
    ]


def falls_to(price: int) -> list[tuple[int, ...]]:
    """Return a day on which the reference price follows trades down to a price, five minutes and 4 % at a time."""
    rows, ts, now = session(), OPEN + 2, 2000
    while now > price:
        now, ts = max(price, now - now * 4 // 100), ts + 6 * MINUTE
        rows += [(ts, at.QUOTE, now - 1, 100, now + 1, 100), (ts + 1, at.TRADE, now, 10)]
    return rows


@pytest.mark.req("SIM-16", "SIM-20")
@pytest.mark.parametrize(("low", "allowed"), [(1801, True), (1800, False)])
def test_a_fall_of_ten_percent_and_not_less_forbids_short_sales_at_the_bid(low: int, allowed: bool) -> None:
    rows = falls_to(low)
    ts = rows[-1][0]
    bid = low - 1
    orders = [
        {"ts": ts + 10, "side": -1, "price": bid},
        {"ts": ts + 11, "side": -1, "price": bid + 1},
        {"ts": ts + 12, "side": -1, "price": bid, "flags": at.SHORT_EXEMPT},
    ]
    _, news, _ = run(rows, orders)
    assert said(news, 1) == (["accepted"] if allowed else ["short_at_bid"])
    assert said(news, 2) == ["accepted"]
    assert said(news, 3) == ["accepted"]


@pytest.mark.req("SIM-16")
def test_selling_what_is_held_is_no_short_sale() -> None:
    rows = falls_to(1800)
    ts = rows[-1][0]
    orders = [{"ts": OPEN + 5, "side": 1, "qty": 5}, {"ts": ts + 10, "side": -1, "price": 1799, "qty": 5},
              {"ts": ts + 20, "side": -1, "price": 1799, "qty": 1}]  # fmt: skip
    fills, news, _ = run(rows, orders)
    assert said(news, 2) == ["accepted"]
    assert fills[-1, at.F_POSITION] == 0
    assert said(news, 3) == ["short_at_bid"]


@pytest.mark.req("SIM-16")
def test_an_order_displayed_above_the_bid_may_execute_when_the_bid_has_come_to_it() -> None:
    rows = falls_to(1800)
    ts = rows[-1][0]
    rows += [(ts + SECOND, at.QUOTE, 1800, 100, 1802, 100), (ts + 2 * SECOND, at.TRADE_BUY, 1802, 50)]
    fills, news, _ = run(rows, [{"ts": ts + 10, "side": -1, "price": 1800}])
    assert said(news, 1) == ["accepted"]
    assert fills[:, at.F_PRICE].tolist() == [1800]


@pytest.mark.req("SIM-16", "SIM-19")
def test_a_short_market_order_waits_at_the_bid_and_is_counted() -> None:
    rows = falls_to(1800)
    ts = rows[-1][0]
    rows += [(ts + SECOND, at.QUOTE, 1799, 100, 1801, 100)]
    fills, news, block = run(rows, [{"ts": ts + 10, "side": -1}])
    assert said(news, 1) == ["accepted"]
    assert len(fills) == 0
    assert block[at.H_REFUSED] > 0


@pytest.mark.req("SIM-17", "SIM-19")
def test_orders_beyond_the_bands_are_refused_and_a_limit_state_becomes_a_pause_by_time_alone() -> None:
    rows = session()
    ts = OPEN + MINUTE
    rows += [(ts, at.QUOTE, 1898, 100, 1900, 100)]  # the offer stands at the lower band: limit state
    orders = [
        {"ts": OPEN + 10, "side": -1, "price": 1899},  # below the lower band of 19.00
        {"ts": OPEN + 11, "side": 1, "price": 2101},  # above the upper one of 21.00
        {"ts": OPEN + 12, "side": 1, "price": 2100, "qty": 1},
        {"ts": ts + 14 * SECOND, "side": 1, "price": 1900, "qty": 1},
        {"ts": ts + 15 * SECOND, "side": 1, "price": 1900, "qty": 1},
    ]
    _, news, block = run(rows, orders)
    assert said(news, 1) == ["below_lower_band"]
    assert said(news, 2) == ["above_upper_band"]
    assert said(news, 3) == ["accepted"]
    assert said(news, 4) == ["accepted"]
    assert said(news, 5) == ["band_pause"]
    record = block[table(block, "instruments")[0, at.I_RULES] :]
    assert record[words.PAUSE_UNTIL] == words.NONE or record[words.PAUSE_UNTIL] >= ts + 15 * SECOND + 5 * MINUTE


@pytest.mark.req("SIM-14")
def test_filters_of_a_venue_judge_every_order() -> None:
    record = tuple(int(word) for word in filter_words(VENUE_FILTERS[0], tick=Decimal("0.000001"), lot=Decimal("0.001")))
    terms = Terms(matcher=at.QUOTES, filters=record, queue=(1, ()))
    rows = [(10, at.QUOTE, 99_990_000, 10**9, 100_010_000, 10**9), (11, at.TRADE, 100_000_000, 1)]
    orders = [
        {"ts": 20, "side": 1, "price": 99_000_000, "qty": 150},
        {"ts": 21, "side": 1, "price": 1_000_000, "qty": 1},
    ]
    _, news, _ = run(rows, orders, terms)
    first, second = said(news, 1), said(news, 2)
    assert first == ["accepted"]
    assert second != ["accepted"]
    assert len(second) == 1


def test_a_market_without_rules_refuses_nothing() -> None:
    rows = falls_to(1800)
    free = Terms(matcher=at.QUOTES, queue=(1, ()))
    _, news, block = run(rows, [{"ts": rows[-1][0] + 10, "side": -1, "price": 1799}], free)
    assert said(news, 1) == ["accepted"]
    assert block[at.H_HOOK_ROW] == 0


STOCK = Instrument("A.XNYS")


def day(status: bool = True) -> Events:
    """Return a morning of a stock whose offer falls to its lower band after a minute."""
    quotes = {
        "ts": [OPEN + 1, OPEN + 60 * SECOND],
        "bid": [19.99, 18.98],
        "bid_size": [100, 100],
        "ask": [20.01, 19.00],
        "ask_size": [100, 100],
    }
    trades = {"ts": [OPEN + 2], "price": [20.0], "size": [10]}
    rows: list[dict[str, object]] = [{"ts": OPEN, "kind": "reference", "price": 2000}]
    if status:
        rows.append({"ts": OPEN, "kind": "status", "a": at.OPEN, "b": OPEN, "c": CLOSE})
    parts = events_from_rows(rows, STOCK), events_from_quotes(quotes, STOCK), events_from_trades(trades, STOCK)
    return merge_events(*parts)


def reasons(events: Events, spec: VenueSpec, *orders: Order) -> list[str]:
    """Return the reason of the first message about each order."""
    said_ = simulate(events, intents_on(events, orders), spec).messages
    return [said_.filter(order=order.id)["reason"][0] for order in orders]


@pytest.mark.req("SIM-17", "SIM-20")
def test_a_spec_asks_for_the_rules_of_a_listing() -> None:
    spec = VenueSpec(terms=TradingTerms(rules=RuleTerms()))
    orders = (
        Order(1, OPEN + 10, "A.XNYS", "buy", 5, "limit", price="21.01"),
        Order(2, OPEN + 11, "A.XNYS", "buy", 5, "limit", price="21.00"),
        Order(3, OPEN + 75 * SECOND, "A.XNYS", "buy", 1, "limit", price=19),
    )
    assert reasons(day(), spec, *orders) == ["above_upper_band", "", "band_pause"]
    assert reasons(day(), VenueSpec(), *orders) == ["", "", ""]


@pytest.mark.req("SIM-14")
def test_a_spec_asks_for_the_filters_of_a_venue() -> None:
    spec = VenueSpec(terms=TradingTerms(filters=FilterTerms(min_qty=Decimal(2), min_notional=Decimal(50))))
    orders = [Order(k, OPEN + 10 + k, "A.XNYS", "buy", k, "limit", price=19) for k in (1, 2, 3)]
    assert reasons(day(), spec, *orders) == ["min_qty", "min_notional", ""]


def test_rules_that_never_applied_are_said() -> None:
    spec = VenueSpec(terms=TradingTerms(rules=RuleTerms()))
    events = day(status=False)
    run_ = simulate(events, intents_on(events, [Order(1, OPEN + 10, "A.XNYS", "buy", 5)]), spec)
    assert any("rules never applied to A.XNYS" in note for note in run_.notes)
    assert set(run_.rules_evaluated["evaluation"]) == {"not evaluable"}


def test_quotes_and_trades_show_the_rules_exactly_or_say_why_not() -> None:
    spec = VenueSpec(terms=TradingTerms(rules=RuleTerms()))
    found = simulate(day(), intents_on(day(), []), spec).rules_evaluated
    assert dict(found.select("rule", "evaluation").iter_rows()) == {
        "short_sale_trigger": "exact",
        "short_sale_price": "approximated",
        "price_bands": "exact",
        "pauses": "exact",
        "halts": "exact",
        "ticks": "exact",
    }
    assert "before the first session" in found.filter(rule="short_sale_price")["why"][0]
    silent = day().take(np.flatnonzero(day().kind != at.TRADE))
    unseen = simulate(silent, intents_on(silent, []), spec).rules_evaluated
    assert unseen.filter(rule="price_bands").row(0) == ("A.XNYS", "price_bands", "not evaluable", "no trade was shown")


def test_rules_need_to_know_what_is_matched() -> None:
    rows = [{"ts": OPEN, "kind": "status", "a": at.OPEN, "b": OPEN, "c": CLOSE}]
    events = events_from_rows(rows, STOCK)
    with pytest.raises(InputError, match="spec.terms.matching: got 'auto'; nothing tells yet whether A.XNYS"):
        simulate(events, intents_on(events, []), VenueSpec(terms=TradingTerms(rules=RuleTerms())))


def test_a_snapshot_keeps_what_the_rules_know() -> None:
    events, spec = day(), VenueSpec(terms=TradingTerms(rules=RuleTerms()))
    market = Market(events, spec)
    market.advance(OPEN + 70 * SECOND)
    kept = market.snapshot()
    market.advance(OPEN + 75 * SECOND)
    market.send(Order(1, OPEN + 80 * SECOND, "A.XNYS", "buy", 1, "limit", price=19))
    first = market.state_hash
    market.restore(kept)
    market.advance(OPEN + 75 * SECOND)
    market.send(Order(1, OPEN + 80 * SECOND, "A.XNYS", "buy", 1, "limit", price=19))
    assert market.state_hash == first
    assert market.result().messages["reason"][0] == "band_pause"
