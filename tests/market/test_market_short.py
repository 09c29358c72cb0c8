"""Short sales by hand: what they cost, how many there may be, and what happens when the lender recalls the shares."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from test_market_margin import days, quotes, refused
from test_market_record import A, bars, news, play

from karat.data import Events, events_from_bars, merge_events
from karat.kernels.market import layout as at
from karat.market import (
    Amend,
    Borrow,
    Cancel,
    ConstantLatency,
    Locate,
    Market,
    Order,
    RateFee,
    TradingTerms,
    VenueSpec,
    describe_run,
    intents_on,
    simulate_chunks,
)
from karat.market._summary import costs_by_currency


def spec(**terms: Any) -> VenueSpec:
    return VenueSpec(terms=TradingTerms(**{"fee": RateFee(), **terms}))


@pytest.mark.req("SIM-12")
def test_borrow_is_charged_by_the_day_at_the_last_mark() -> None:
    """36.5 % a year is a thousandth a day. Short 1,000 from the open of day 2 to the open of day 5.

    Day 2 closes at 20.00 (charged with the bar of day 3: 20.00), day 3 at 30.00 (30.00), day 4 at 10.00; the fill at
    the open of day 5 ends the last span (10.00).
    """
    events = days([10.0, 20.0, 30.0, 10.0, 10.0, 10.0])
    ts = [int(each) for each in events.ts]
    orders = [Order(1, ts[0], "A.X", "sell", 1_000), Order(2, ts[3], "A.X", "buy", 1_000)]
    run = play(events, orders, spec(borrow=Borrow(rate_frac=0.365)))
    assert run.positions["borrow"].to_list() == [60.0]
    assert run.money["USD"]["charges"] == 60
    assert run.money["USD"]["cash"] == 1_000_000 + 20_000 - 10_000 - 60
    assert run.telemetry["borrow"] == 60.0
    assert costs_by_currency(run)["USD"]["borrow"] == 60.0
    assert costs_by_currency(run)["USD"]["total"] == 60.0
    assert "borrow                     60.00" in describe_run(run)


def test_borrow_counts_the_time_between_fills() -> None:
    """1,000 short at 10.00 for 6 hours, then 500 for 12: at a thousandth a day 2.50 and 2.50; long pays nothing."""
    hour = 3_600 * 10**9
    ts = hour * np.arange(1, 25)
    prices: dict[str, Any] = dict.fromkeys(("open", "high", "low", "close"), [10.0] * 24)
    events = events_from_bars({"ts": ts, "start": ts - hour, **prices}, A)
    orders = [
        Order(1, 2 * hour, "A.X", "sell", 1_000),
        Order(2, 8 * hour, "A.X", "buy", 500),
        Order(3, 20 * hour, "A.X", "buy", 900),
        Order(4, 22 * hour, "A.X", "sell", 400),
    ]
    run = play(events, orders, spec(borrow=Borrow(rate_frac=0.365)))
    assert run.positions["borrow"].to_list() == [5.0]


def test_weekends_cost_and_splits_do_not_change_the_cost() -> None:
    """Three days without rows are charged by the next row; a split of 2 for 1 at half the price costs the same."""
    plain = days([10.0, 10.0, 10.0, 10.0], gap=3)
    ts = [int(each) for each in plain.ts]
    short = [Order(1, ts[0], "A.X", "sell", 1_000)]
    term = spec(borrow=Borrow(rate_frac=0.365))
    assert play(plain, short, term).positions["borrow"].to_list() == [50.0]
    halved = merge_events(days([10.0, 10.0, 5.0, 5.0], gap=3), news(ts[1] + 5, "split", price=1_000, a=2, b=1))
    assert play(halved, short, term).positions["borrow"].to_list() == [50.0]


def locate(lots: int, **more: Any) -> VenueSpec:
    return spec(locate=Locate(quantity_lots=lots, **more))


def test_no_more_is_sold_short_than_is_located() -> None:
    """100 located; 60 sold, 50 refused, 40 taken; 10 bought back may be sold again; what is held needs none."""
    orders = [
        Order(1, 10, "A.X", "sell", 60),
        Order(2, 20, "A.X", "sell", 50),
        Order(3, 20, "A.X", "sell", 40),
        Order(4, 30, "A.X", "buy", 10),
        Order(5, 40, "A.X", "sell", 11),
        Order(6, 40, "A.X", "sell", 10),
        Order(7, 50, "A.X", "buy", 150),
        Order(8, 60, "A.X", "sell", 150),
        Order(9, 60, "A.X", "sell", 50),
    ]
    run = play(bars([10.0] * 8), orders, locate(100))
    assert refused(run) == [(2, "not_located"), (5, "not_located"), (9, "not_located")]
    assert run.fills["order"].to_list() == [1, 3, 4, 6, 7, 8]
    assert run.positions["quantity"].to_list() == [-100.0]


def used(market: Market) -> int:
    """Return the lots short at worst, from the kernel."""
    from karat.kernels.market._borrow import short_lots

    s = market.block.ctypes.data
    return int(short_lots(s, s + 8 * int(market.block[at.H_AT_INSTRUMENTS]), -1))


def test_lots_under_way_are_counted_once_and_come_back() -> None:
    """A list of two legs counts its larger one, a child of a purchase nothing until it has bought, a cancel frees."""
    events = bars([10.0] * 8)
    legs = [
        Order(1, 10, "A.X", "sell", 30, type="limit", price=20, on_fill="cancel"),
        Order(2, 10, "A.X", "sell", 40, type="stop", stop=5, list_with=1, on_fill="cancel"),
    ]
    market = Market(events, locate(100), intents_on(events, legs))
    market.advance(10)
    assert used(market) == 40
    market.send(Order(3, 11, "A.X", "sell", 61))
    market.send(Order(4, 12, "A.X", "buy", 50, type="limit", price=1))
    market.send(Order(5, 12, "A.X", "sell", 50, type="limit", price=30, parent=4))
    assert used(market) == 40
    market.send(Order(6, 13, "A.X", "sell", 60, type="limit", price=50))
    assert used(market) == 100
    market.send(Amend(6, 14, "A.X", quantity=61))
    market.send(Cancel(1, 15))
    market.advance(16)
    assert used(market) == 60
    market.send(Amend(6, 17, "A.X", quantity=61))
    market.advance()
    run = market.result()
    assert refused(run) == [(3, "not_located")]
    changed = run.messages.filter(pl.col("event").str.starts_with("amend")).select("order", "event", "reason")
    assert changed.rows() == [(6, "amend_rejected", "not_located"), (6, "amended", "")]


def test_a_ban_and_an_expiry() -> None:
    orders = [Order(1, 10, "A.X", "buy", 5), Order(2, 20, "A.X", "sell", 6), Order(3, 20, "A.X", "sell", 5)]
    run = play(bars([10.0] * 4), orders, locate(0))
    assert refused(run) == [(2, "no_short_sale")]
    assert run.positions["quantity"].to_list() == [0.0]
    orders = [Order(1, 10, "A.X", "sell", 5), Order(2, 25, "A.X", "sell", 1), Order(3, 26, "A.X", "buy", 2)]
    run = play(bars([10.0] * 5), orders, locate(100, expires_ns=25))
    assert refused(run) == [(2, "locate_expired")]
    assert run.positions["quantity"].to_list() == [-3.0]  # what is short may stay


def test_an_order_on_its_way_is_judged_again() -> None:
    slow = spec(locate=Locate(quantity_lots=9, expires_ns=22), entry=ConstantLatency(latency_ns=5))
    run = play(bars([10.0] * 4), [Order(1, 18, "A.X", "sell", 5)], slow)
    assert run.messages.select("order", "event", "reason").rows() == [(1, "rejected_venue", "locate_expired")]


def test_a_recall_buys_the_position_in() -> None:
    """Recalled at 30: the sale that rests ends, 50 are bought at the open of the bar that begins then."""
    orders = [
        Order(1, 10, "A.X", "sell", 50),
        Order(2, 10, "A.X", "sell", 20, type="limit", price=15),
        Order(3, 10, "A.X", "buy", 1, type="limit", price=1),
        Order(4, 31, "A.X", "sell", 1),
    ]
    run = play(bars([10.0, 10.0, 10.0, 12.0, 12.0]), orders, locate(100, recalled_ns=30))
    assert run.fills.select("order", "ts", "side", "quantity", "price", "cause").rows() == [
        (1, 10, "sell", 50.0, 10.0, ""),
        (-1, 30, "buy", 50.0, 12.0, "recalled"),
    ]
    late = run.messages.filter(pl.col("ts") >= 30).select("order", "event", "reason").rows()
    assert (2, "cancelled", "recalled") in late
    assert (-1, "accepted", "recalled") in late
    assert refused(run) == [(4, "recalled")]
    assert not [row for row in late if row[0] == 3]
    assert run.notes[-1] == "1 fill bought in what a lender had recalled."


def test_a_recall_waits_for_a_market_that_trades() -> None:
    """On quotes: the order of the recall at 4 meets the quote at 5, without an offer until the quote at 7."""
    rows = [(1, 9.0, 10.0, 100), (3, 9.0, 10.0, 100), (5, 9.0, 11.0, 0), (7, 9.0, 12.0, 100)]
    run = play(quotes(rows), [Order(1, 2, "A.X", "sell", 5)], locate(10, recalled_ns=4))
    assert run.fills.select("order", "ts", "price").rows() == [(1, 2, 9.0), (-1, 7, 12.0)]


def test_a_split_scales_what_is_located() -> None:
    events: Events = merge_events(bars([10.0, 10.0, 5.0, 5.0, 5.0]), news(25, "split", price=1_000, a=2, b=1))
    orders = [Order(1, 10, "A.X", "sell", 30), Order(2, 30, "A.X", "sell", 41), Order(3, 30, "A.X", "sell", 40)]
    run = play(events, orders, locate(50))
    assert refused(run) == [(2, "not_located")]
    assert run.positions["quantity"].to_list() == [-100.0]
    assert run.money["USD"]["start"] == Decimal(1_000_000)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_stream_in_chunks_costs_and_settles_the_same(size: int) -> None:
    """Days begin, are charged and settled, and shares are recalled alike, wherever the stream is cut."""
    events = days([10.0, 11.0, 12.0, 11.0, 10.0, 9.0, 9.0, 9.0])
    ts = [int(each) for each in events.ts]
    orders = [Order(1, ts[0], "A.X", "sell", 90), Order(2, ts[2], "A.X", "buy", 30), Order(3, ts[3], "A.X", "sell", 10)]
    terms = spec(
        borrow=Borrow(rate_frac=0.5), settlement_days=2, locate=Locate(quantity_lots=90, recalled_ns=ts[4] + 5)
    )
    whole = play(events, orders, terms)
    parts = [events.slice(first).head(size) for first in range(0, len(events), size)]
    cut = simulate_chunks(parts, intents_on(events, orders), terms)
    assert cut.state_hash == whole.state_hash
    assert cut.money == whole.money
    assert whole.money["USD"]["charges"] > 0
    assert whole.fills["cause"].to_list() == ["", "", "", "recalled"]
