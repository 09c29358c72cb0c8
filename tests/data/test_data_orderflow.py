"""The order-flow generator: repeatable, exact, of the rates it was asked for. Numbers are the module's invariants."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from karat.core import DataError, InputError
from karat.data import (
    KINDS,
    Events,
    FlowRates,
    Instrument,
    Level3Book,
    events_from_rows,
    level2_from_level3,
    merge_events,
    order_flow,
)

SIZE = 1500 if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0") else 60_000
FLOW = order_flow(SIZE, seed=11)


def plain_levels(events: Events) -> tuple[dict[int, int], dict[int, int]]:
    """A level-2 book as two mappings, by the words of the event table."""
    books: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for kind, price, qty in zip(events.kind.tolist(), events.price.tolist(), events.qty.tolist()):
        if kind == KINDS["depth_clear"]:
            books[0].clear()
            books[1].clear()
        elif kind in (KINDS["depth_bid"], KINDS["depth_ask"]):
            book = books[kind - KINDS["depth_bid"]]
            book[price] = qty
            if qty == 0:
                del book[price]
    return books


@pytest.mark.req("SIM-09")
def test_1_the_same_seed_gives_the_same_bytes_in_another_process() -> None:
    code = "from karat.data import order_flow; print(order_flow(1500, seed=11).level3.content_hash)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert other == order_flow(1500, seed=11).level3.content_hash
    assert other != order_flow(1500, seed=12).level3.content_hash
    assert FLOW.level3.head(1500).content_hash == other


@pytest.mark.req("SIM-09")
def test_2_the_rebuilt_book_is_the_generators_own() -> None:
    book = FLOW.book()
    for side in ("bid", "ask"):
        assert book.depth(side).to_numpy().tolist() == FLOW.final_depth[side].tolist()
    orders = book.orders()
    assert orders["qty"].sum() == sum(int(FLOW.final_depth[side][:, 1].sum()) for side in ("bid", "ask"))
    first = orders.row(0, named=True)
    assert (first["side"], first["price"], book.ahead(first["id"])) == (1, book.best("bid"), 0)
    with pytest.raises(InputError, match="not in the book"):
        book.ahead(-5)
    with pytest.raises(InputError, match="bid, ask"):
        book.best("buy")


@pytest.mark.req("SIM-09")
def test_2_a_walk_through_the_book_costs_what_lot_by_lot_costs() -> None:
    book = FLOW.book()
    for side in ("bid", "ask"):
        lots = [price for price, qty, _ in FLOW.final_depth[side].tolist() for _ in range(qty)]
        for qty in (1, 2, 7, 40, len(lots), len(lots) + 5):
            taken = lots[:qty]
            assert book.walk(side, qty) == (len(taken), sum(taken), taken[-1])
    assert Level3Book(FLOW.level3.head(0)).walk("ask", 3) == (0, 0, None)
    with pytest.raises(InputError, match="qty"):
        book.walk("ask", 0)


@pytest.mark.req("SIM-09")
def test_2_level_2_is_the_same_book_with_prices_and_lots() -> None:
    bids, asks = plain_levels(FLOW.level2)
    for levels, side in ((bids, "bid"), (asks, "ask")):
        wanted = {int(price): int(qty) for price, qty, _ in FLOW.final_depth[side]}
        assert levels == wanted
    executed = FLOW.level3.of("execute")
    trades = FLOW.level2.of("trade_buy", "trade_sell")
    assert trades.price.tolist() == executed.price.tolist()
    assert trades.qty.sum() == executed.qty.sum()
    assert np.all(trades.ts == executed.ts)


def test_2_level_2_agrees_after_every_row_and_for_several_instruments() -> None:
    other = order_flow(300, seed=5, instrument=Instrument("OTHER.SYNTH", asset_class="synthetic"), start_price=500)
    news = events_from_rows([{"ts": 0, "kind": "status", "a": 2, "b": 1, "c": 2}], other.level3.instruments)
    both = merge_events(order_flow(300, seed=4).level3, other.level3, news)
    level2 = level2_from_level3(both)
    assert level2.of("status").to_frame().row(0) == both.of("status").to_frame().row(0)
    assert both.instrument is not None
    assert level2.instrument is not None
    for k in (0, 1):
        mine = both.take(both.instrument == k)
        ts = np.unique(mine.ts)[:: max(1, len(np.unique(mine.ts)) // 40)]
        for until in ts.tolist():
            part = level2.take((level2.instrument == k) & (level2.ts <= until))
            book = Level3Book(both.take(both.ts <= until), instrument=k)
            for levels, side in zip(plain_levels(part), ("bid", "ask")):
                assert levels == dict(book.depth(side).select("price", "qty").iter_rows())


def test_2_the_market_is_never_crossed_or_one_sided() -> None:
    quotes: list[tuple[int, int]] = []
    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    start = int(FLOW.level3.ts[0])
    for ts, kind, price, qty in FLOW.level2.head(3000).to_frame().select("ts", "kind", "price", "qty").iter_rows():
        book = {KINDS["depth_bid"]: bids, KINDS["depth_ask"]: asks}.get(kind)
        if book is not None:
            book[price] = qty
            if qty == 0:
                del book[price]
        if ts > start:
            quotes.append((max(bids), min(asks)))
    spreads = [ask - bid for bid, ask in quotes]
    assert min(spreads) >= 1
    assert 1 <= float(np.mean(spreads)) < 3  # tight, as where many queue for the same tick


@pytest.mark.skipif(SIZE < 60_000, reason="the statistics need a long stream; without the compiler it is short")
def test_3_arrivals_have_the_rates_that_were_asked_for() -> None:
    events, rates = FLOW.level3, FLOW.rates
    later = events.take(events.ts > events.ts[0])
    seconds = float(later.ts[-1] - events.ts[0]) / 1e9
    placed = len(later.of("add_bid", "add_ask"))
    expected = 2 * float(np.sum(np.asarray(rates.limit))) * seconds
    assert abs(placed - expected) < 5 * np.sqrt(expected)
    waits = np.diff(later.of("add_bid").ts) / 1e9
    scale = 1 / float(np.sum(np.asarray(rates.limit)))
    assert stats.kstest(waits, "expon", args=(0, scale)).pvalue > 1e-3
    assert stats.kstest(waits, "expon", args=(0, 1.2 * scale)).pvalue < 1e-6  # a wrong rate is rejected
    sizes = later.of("add_bid", "add_ask").qty
    assert float(sizes.mean()) == pytest.approx(rates.mean_lots, rel=0.05)


@pytest.mark.skipif(SIZE < 60_000, reason="the statistics need a long stream; without the compiler it is short")
def test_3_twice_the_intensity_is_the_same_market_in_half_the_time() -> None:
    fast = order_flow(SIZE, seed=11, rates=FlowRates(intensity=2.0)).level3
    assert fast.price.tolist() == FLOW.level3.price.tolist()
    span = (FLOW.level3.ts[-1] - FLOW.level3.ts[0]) / (fast.ts[-1] - fast.ts[0])
    assert span == pytest.approx(2.0, rel=1e-6)


def test_latency_and_short_streams() -> None:
    late = order_flow(50, seed=1, feed_latency_ns=7).level3
    assert set((late.known_at - late.ts).tolist()) == {7}
    assert [len(order_flow(n, seed=1).level3) for n in (1, 2, 40)] == [1, 2, 40]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"n_events": 0}, "n_events"),
        ({"n_events": 10, "seed": -1}, "seed"),
        ({"n_events": 10, "start_price": 5}, "start_price"),
        ({"n_events": 10, "feed_latency_ns": -1}, "feed_latency_ns"),
        ({"n_events": True}, "n_events"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        order_flow(**arguments)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"limit": []}, "rates.limit"),
        ({"cancel": (0.5,)}, "as many as limit: 30"),
        ({"cancel": (0.0,) * 30}, "rates above zero"),
        ({"market": float("nan")}, "rates.market"),
        ({"mean_lots": 1.0}, "rates.mean_lots"),
        ({"intensity": 0.0}, "rates.intensity"),
        ({"reduce_share": 0.7, "modify_share": 0.5}, "add up to at most 1"),
    ],
)
def test_rates_that_cannot_be_are_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        FlowRates(**change)


BROKEN: list[tuple[list[dict[str, Any]], str]] = [
    ([{"kind": "delete", "a": 9}], "the order is in the book"),
    ([{"kind": "add_bid", "price": 9, "qty": 1, "a": 1}], "order ids are used once"),
    ([{"kind": "execute", "price": 100, "qty": 6, "a": 1}], "no more lots are taken"),
    ([{"kind": "add_ask", "price": 100, "qty": 1, "a": 2}], "the book is not crossed"),
]


@pytest.mark.parametrize(("more", "rule"), BROKEN)
def test_2_a_row_that_does_not_fit_the_book_is_named(more: list[dict[str, Any]], rule: str) -> None:
    rows = [{"ts": 1, "kind": "add_bid", "price": 100, "qty": 5, "a": 1}, *[{"ts": 2, **row} for row in more]]
    events = events_from_rows(rows, Instrument("X.Y"))
    for rebuild in (Level3Book, level2_from_level3):
        with pytest.raises(DataError, match=rule) as caught:
            rebuild(events)
        assert caught.value.rows[0].startswith("row 1 (X.Y@")


def test_an_empty_stream_is_an_empty_book() -> None:
    book = Level3Book(FLOW.level3.head(0))
    assert (book.best("bid"), book.best("ask"), len(book.orders())) == (None, None, 0)
    assert book.depth("bid").schema == {"price": pl.Int64, "qty": pl.Int64, "count": pl.Int64}
    with pytest.raises(InputError, match="instrument"):
        Level3Book(FLOW.level3, instrument=1)


def test_2_a_book_grows_with_its_orders() -> None:
    rows = [{"ts": k, "kind": "add_bid", "price": 1 + k, "qty": 1, "a": k} for k in range(4200)]
    events = events_from_rows(rows, Instrument("X.Y"))
    assert len(Level3Book(events).orders()) == 4200
    assert len(level2_from_level3(events)) == 4200
