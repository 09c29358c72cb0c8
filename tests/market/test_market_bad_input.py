"""Bad input is a typed error or a typed rejection with rule and numbers; what came before it stays readable."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest

from karat.core import ConfigError, DataError, InputError, MarketStopped
from karat.data import (
    Events,
    Instrument,
    events_from_bars,
    events_from_depth,
    events_from_quotes,
    events_from_rows,
    events_from_trades,
    merge_events,
)
from karat.kernels.market import layout as at
from karat.market import (
    Amend,
    Cancel,
    Intents,
    Market,
    MarketRun,
    Order,
    PerShareFee,
    Target,
    TradingTerms,
    VenueSpec,
    intents_on,
    simulate,
)

A = Instrument("A.X")
Q = {"ts": [10, 20], "bid": [9.9, 9.9], "bid_size": [5, 5], "ask": [10.0, 10.0], "ask_size": [5, 5]}
B = {name: [10.0, 10.0] for name in ("open", "high", "low", "close")} | {"ts": [10, 20], "start": [0, 10]}
D = {"ts": [10, 10, 20], "side": ["bid", "ask", "bid"], "price": [9.9, 10.0, 9.8], "size": [5, 5, 5]}


def changed(table: dict[str, list[Any]], **columns: list[Any]) -> dict[str, list[Any]]:
    return {**table, **columns}


ROWS: dict[str, tuple[Any, str]] = {
    "crossed quote": (lambda: events_from_quotes(changed(Q, bid=[9.9, 10.1]), A), r"\(crossed\)' is broken at row 1"),
    "locked quote": (lambda: events_from_quotes(changed(Q, bid=[9.9, 10.0]), A), r"\(locked\)' is broken at row 1"),
    "time backwards": (lambda: events_from_quotes(changed(Q, ts=[20, 10]), A), "row 1"),
    "NaN price": (lambda: events_from_quotes(changed(Q, ask=[10.0, np.nan]), A), "got nan; rule 'ask is a number'"),
    "NaN size": (lambda: events_from_quotes(changed(Q, ask_size=[5.0, np.nan]), A), "rule 'ask_size is a number'"),
    "negative size": (lambda: events_from_quotes(changed(Q, bid_size=[5, -1]), A), "size -1"),
    "off the tick": (lambda: events_from_quotes(changed(Q, bid=[9.9, 9.905]), A), "multiple of the tick 0.01"),
    "off the lot": (lambda: events_from_quotes(changed(Q, bid_size=[5.0, 5.5]), A), "multiple of the lot 1"),
    "bar range": (lambda: events_from_bars(changed(B, high=[10.0, 9.0]), A), "open 1000, high 900"),
    "bar overlap": (lambda: events_from_bars(changed(B, start=[0, 5]), A), "do not overlap"),
    "negative volume": (lambda: events_from_bars({**B, "volume": [3, -2]}, A), "size -2"),
    "zero trade": (lambda: events_from_trades({"ts": [1], "price": [10.0], "size": [0]}, A), "size 0"),
    "negative depth": (lambda: events_from_depth(changed(D, size=[5, 5, -3]), A), "size -3"),
    "known too early": (lambda: events_from_quotes(changed(Q, known_at=[10, 19]), A), "known_at 1 ns before ts"),
    "unknown kind": (lambda: Events([1], [1], [77], [1], [1], (A,)), "kind 77"),
    "unknown instrument": (lambda: Events([1], [1], [3], [1], [1], (A,), [1]), "instrument 1 of 1"),
    "unknown status": (lambda: events_from_rows([{"ts": 1, "kind": "status", "a": 9}], A), "status 9"),
    "split ratio": (lambda: events_from_rows([{"ts": 1, "kind": "split", "a": 0, "b": 1}], A), "0 and 1"),
    "rate of exchange": (lambda: events_from_rows([{"ts": 1, "kind": "fx", "a": 1, "b": 0}], A), "rate 0"),
}


@pytest.mark.parametrize("name", ROWS)
def test_faulty_rows_never_become_events(name: str) -> None:
    make, message = ROWS[name]
    with pytest.raises(DataError, match=message):
        make()


def stopped(events: Events, spec: VenueSpec | None = None, orders: list[Any] | None = None) -> MarketStopped:
    with pytest.raises(MarketStopped) as found:
        simulate(events, intents_on(events, orders or []), spec)
    return found.value


def test_a_book_that_stays_crossed_stops_the_market_before_its_row() -> None:
    crossing = changed(D, side=["bid", "ask", "bid"], price=[9.9, 10.0, 10.02])
    events = events_from_depth(crossing, A)
    error = stopped(events, None, [Order(1, 10, "A.X", "buy", 3)])
    assert str(error) == (
        "events.book: got 2; the bid is at or above the ask by so many ticks "
        "(row 2, A.X, 1970-01-01T00:00:00.000000020Z); correct the rows, or set crossed='allow' in the terms"
    )
    partial = error.partial
    assert isinstance(partial, MarketRun)
    assert partial.fills["price"].to_list() == [10.0]
    assert partial.equity["ts"].to_list() == [10]
    assert partial.rows == 2
    taken = simulate(events, Intents(), VenueSpec(terms=TradingTerms(crossed="allow")))
    assert taken.rows == 3


def test_a_book_may_cross_between_rows_of_one_time() -> None:
    """The new bid comes before the old ask is taken away: no snapshot of the venue was crossed."""
    moved = {
        "ts": [10, 10, 20, 20],
        "side": ["bid", "ask", "bid", "ask"],
        "price": [9.9, 10.0, 10.0, 10.0],
        "size": [5, 5, 5, 0],
    }
    assert simulate(events_from_depth(moved, A), Intents()).rows == 4


def test_a_locked_book_stops_too() -> None:
    error = stopped(events_from_depth(changed(D, price=[9.9, 10.0, 10.0]), A))
    assert error.field == "events.book"
    assert error.value == "0"


def test_money_beyond_its_range_names_the_quantum() -> None:
    """1e6 shares at 100,000 are 1e11, 1e19 quanta of 1e-8."""
    high = {name: [100_000.0] * 3 for name in ("open", "high", "low", "close")}
    events = events_from_bars({"ts": [10, 20, 30], "start": [0, 10, 20], **high}, A)
    error = stopped(events, None, [Order(1, 10, "A.X", "buy", 1_000_000)])
    assert "market.money: got 10000000; an amount of money is beyond 9e18 quanta (row 1, A.X" in str(error)
    assert "coarser money_quantum" in str(error)
    partial = error.partial
    assert isinstance(partial, MarketRun)
    assert len(partial.fills) == 0
    coarse = simulate(
        events, intents_on(events, [Order(1, 10, "A.X", "buy", 1_000_000)]), VenueSpec(money_quantum=1e-4)
    )
    assert coarse.positions["value"].to_list() == [1e11]


def test_an_unknown_currency_index_in_a_rate_stops() -> None:
    events = merge_events(events_from_bars(B, A), events_from_rows([{"ts": 15, "kind": "fx", "a": 3, "b": 5}], A))
    assert stopped(events).field == "events.price"


def test_rows_before_the_markets_time_stop_it() -> None:
    """Only a caller that writes words can do that: `Events` and `intents_on` refuse it."""
    events = events_from_bars(B, A)
    words = intents_on(events, [Order(1, 20, "A.X", "buy", 1), Order(2, 20, "A.X", "buy", 1)]).rows.copy()
    words[1, at.T_TS] = 12
    with pytest.raises(MarketStopped, match=r"intents.ts_ns: got 12; time runs backwards \(intent 1\); sort by ts"):
        simulate(events, Intents(words))
    words[1, at.T_TS], words[1, at.T_ACTION] = 20, 9
    with pytest.raises(MarketStopped, match="market.action: got 9; there is no such action"):
        simulate(events, Intents(words))


def test_what_a_market_is_matched_on_must_be_clear() -> None:
    bars, quotes, depth = events_from_bars(B, A), events_from_quotes(Q, A), events_from_depth(D, A)
    with pytest.raises(InputError, match="bars and quotes or depth of A.X'; allowed: one kind of market data each"):
        Market(merge_events(bars, quotes))
    with pytest.raises(InputError, match="bars and quotes or depth of A.X"):
        Market(merge_events(bars, depth))
    with pytest.raises(InputError, match="depth and best quotes of A.X'; leave the quotes out: depth has them"):
        Market(merge_events(quotes, depth))
    with pytest.raises(MarketStopped, match="events.kind: got 1; the instrument's matcher does not take this kind"):
        simulate(bars, Intents(), VenueSpec(terms=TradingTerms(matching="quotes")))


def test_a_book_too_wide_for_memory_is_refused() -> None:
    wide = events_from_depth(changed(D, price=[9.9, 500_000.0, 9.8]), A)
    with pytest.raises(InputError, match="the depth of A.X reaches from tick 980 to 50000000; .*leave far levels out"):
        Market(wide)


SPECS: dict[str, tuple[Any, str]] = {
    "no cash": ({"cash": {}}, "cash: got no currency"),
    "cash off the quantum": (
        {"cash": {"USD": "0.001"}, "money_quantum": "0.01"},
        r"cash.USD: got 0.001; allowed: below 2\*\*62",
    ),
    "cash too large": (
        {"cash": {"USD": 10**12}},
        r"cash.USD: got 1000000000000; allowed: below 2\*\*62 whole quanta of 1E-8",
    ),
    "quantum": ({"money_quantum": "0.03"}, "money_quantum: got 0.03; allowed: 1 over a whole number"),
    "no rate": ({"cash": {"USD": 1, "EUR": 1}}, r"fx: got \[\]; allowed: a rate for each of \['EUR'\]"),
    "rate too many": ({"fx": {"EUR": 1}}, r"fx: got \['EUR'\]; allowed: a rate for each of \[\]"),
    "rate zero": ({"cash": {"USD": 1, "EUR": 1}, "fx": {"EUR": 0}}, "fx.EUR: got 0; allowed: above 0"),
    "rate too fine": ({"cash": {"USD": 1, "EUR": 1}, "fx": {"EUR": "1.0000000001"}}, "fx.EUR: .*at most nine decimals"),
}


@pytest.mark.parametrize("name", SPECS)
def test_a_spec_that_does_not_fit(name: str) -> None:
    values, message = SPECS[name]
    with pytest.raises(ConfigError, match=message):
        VenueSpec.parse(values, source="spec")


def test_a_spec_and_events_that_do_not_fit() -> None:
    euro = events_from_bars(B, Instrument("E.X", currency="EUR"))
    with pytest.raises(InputError, match="spec.cash: got .*USD.*; E.X trades in EUR; give it cash, or 0"):
        Market(euro)
    with pytest.raises(InputError, match="spec.terms_of: got 'B.X'; allowed: A.X"):
        Market(events_from_bars(B, A), VenueSpec(terms_of={"B.X": TradingTerms()}))
    fine = Instrument("F.X", tick=Decimal("0.0001"), lot=Decimal("0.001"))
    with pytest.raises(InputError, match="one tick of one lot of F.X is worth 1E-7 USD, not a whole number of quanta"):
        Market(events_from_bars(B, fine), VenueSpec(money_quantum=1e-6))
    heavy = Instrument("H.X", multiplier=Decimal(10**13))
    with pytest.raises(InputError, match=r"one tick of one lot of H.X is worth .*2\*\*62 quanta or more"):
        Market(events_from_bars(B, heavy))
    odd = VenueSpec(terms=TradingTerms(fee=PerShareFee(taker=0.0000000000000001)))
    with pytest.raises(InputError, match="taker: got"):
        Market(events_from_bars(B, A), odd)


def status(ts: int, code: int) -> Events:
    return events_from_rows([{"ts": ts, "kind": "status", "a": code, "b": 0, "c": 100}], A)


LIMIT = {"type": "limit", "price": 9}
REFUSED: dict[str, tuple[list[Any], tuple[Events, ...], str, str]] = {
    "duplicate id": (
        [Order(5, 1, "A.X", "buy", 1, **LIMIT), Order(5, 2, "A.X", "buy", 1)],
        (),
        "rejected_gateway",
        "duplicate_id",
    ),
    "falling id": (
        [Order(5, 1, "A.X", "buy", 1, **LIMIT), Order(4, 2, "A.X", "buy", 1)],
        (),
        "rejected_gateway",
        "duplicate_id",
    ),
    "zero quantity": ([Order(1, 1, "A.X", "buy", 0)], (), "rejected_gateway", "quantity"),
    "negative quantity": ([Order(1, 1, "A.X", "buy", -3)], (), "rejected_gateway", "quantity"),
    "no limit": ([Order(1, 1, "A.X", "buy", 1, type="limit")], (), "rejected_gateway", "price"),
    "negative stop": ([Order(1, 1, "A.X", "buy", 1, type="stop", stop=-1)], (), "rejected_gateway", "price"),
    "resting IOC": (
        [Order(1, 1, "A.X", "buy", 1, force="ioc", post_only=True, **LIMIT)],
        (),
        "rejected_gateway",
        "combination",
    ),
    "shows more than it has": ([Order(1, 1, "A.X", "buy", 1, display=2, **LIMIT)], (), "rejected_gateway", "quantity"),
    "nothing to reduce": ([Order(1, 1, "A.X", "sell", 1, reduce_only=True)], (), "rejected_gateway", "reduce_only"),
    "no such parent": ([Order(1, 1, "A.X", "sell", 1, parent=9, **LIMIT)], (), "rejected_gateway", "parent"),
    "no such leg": ([Order(1, 1, "A.X", "sell", 1, list_with=9, **LIMIT)], (), "rejected_gateway", "combination"),
    "nothing to size with": ([Target(1, 1, "A.X", weight=0.5)], (), "rejected_gateway", "no_market"),
    "halted": ([Order(1, 6, "A.X", "buy", 1)], (status(5, 4),), "rejected_venue", "halted"),
    "paused": ([Order(1, 6, "A.X", "buy", 1)], (status(5, 5),), "rejected_venue", "halted"),
    "closed": ([Order(1, 6, "A.X", "buy", 1)], (status(5, 0),), "rejected_venue", "closed"),
    "cancel only": ([Order(1, 6, "A.X", "buy", 1)], (status(5, 6),), "rejected_venue", "cancel_only"),
    "cancel of nothing": ([Cancel(7, 1)], (), "cancel_rejected", "unknown_order"),
    "amendment of nothing": ([Amend(7, 1, "A.X", quantity=1)], (), "amend_rejected", "unknown_order"),
    "cancel too late": ([Order(1, 10, "A.X", "buy", 1), Cancel(1, 20)], (), "cancel_rejected", "too_late"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_order_that_may_not_be_is_rejected_with_its_reason(name: str) -> None:
    orders, news, event, reason = REFUSED[name]
    events = merge_events(events_from_bars(B, A), *news)
    run = simulate(events, intents_on(events, orders))
    found = run.messages.filter(pl.col("event") == event)
    assert found["reason"].to_list() == [reason]
    assert found["meaning"][0]


def test_a_rejection_tells_its_numbers() -> None:
    """The last id used; the limit of open orders."""
    events = events_from_bars(B, A)
    orders = [Order(k, 1, "A.X", "buy", 1, **LIMIT) for k in (5, 6, 7, 8, 9, 9)]
    run = simulate(events, intents_on(events, orders), VenueSpec(open_orders=4))
    refused = run.messages.filter(pl.col("event") == "rejected_gateway")
    assert refused.select("order", "reason", "number_a").rows() == [(9, "too_many_orders", 4), (9, "duplicate_id", 9)]


def test_by_hand_time_does_not_run_back() -> None:
    market = Market(events_from_bars(B, A))
    market.advance(15)
    with pytest.raises(InputError, match="ts_ns: got 14; the market is there already; allowed: 15 or later"):
        market.send(Order(1, 14, "A.X", "buy", 1))
    market.send(Order(1, 15, "A.X", "buy", 1))


def test_many_refusals_at_one_time_are_all_told() -> None:
    market = Market(events_from_bars(B, A), VenueSpec(open_orders=4))
    for number in range(20_000):
        market.send(Order(number + 1, 10, "A.X", "buy", 0))
    assert len(market.result().messages) == 20_000


def test_a_stopped_market_stays_stopped_and_readable() -> None:
    market = Market(events_from_depth(changed(D, price=[9.9, 10.0, 10.02]), A))
    for _ in range(2):
        with pytest.raises(MarketStopped):
            market.advance()
    assert market.now_ns == 10
    assert market.result().rows == 2
