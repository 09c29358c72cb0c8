"""Event columns: what is accepted, what is refused and how it says so. Numbers are the module's invariants."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karat.core import DataError, InputError
from karat.data import (
    KINDS,
    Events,
    Instrument,
    events_from_bars,
    events_from_depth,
    events_from_quotes,
    events_from_rows,
    events_from_trades,
    load,
    merge_events,
)
from karat.data._event_rules import RULES
from karat.kernels.market import _event_checks as checks
from karat.kernels.market import _layout as layout

SPY = Instrument("SPY.XNYS", asset_class="etf")
BTC = Instrument("BTCUSDT.VENUE", asset_class="crypto", currency="USDT", tick=Decimal("0.1"), lot=Decimal("0.001"))
BARS: dict[str, Any] = {
    "ts": [60, 120, 180],
    "open": [10.0, 10.1, 10.2],
    "high": [10.3, 10.2, 10.2],
    "low": [9.9, 10.0, 10.1],
    "close": [10.1, 10.2, 10.1],
    "volume": [5, 6, 0],
}
QUOTES: dict[str, Any] = {
    "ts": [1, 2],
    "bid": [10.0, 10.0],
    "bid_size": [1, 2],
    "ask": [10.01, 10.02],
    "ask_size": [3, 4],
}
TRADES: dict[str, Any] = {"ts": [1, 2], "price": [10.0, 10.01], "size": [1, 2], "side": ["buy", "sell"]}
DEPTH: dict[str, Any] = {"ts": [1, 1, 2], "side": ["bid", "ask", "ask"], "price": [10.0, 10.1, 10.1], "size": [1, 2, 0]}


def rows(*given_rows: dict[str, Any], basis: str = "raw", **more: Any) -> Events:
    """Events of plain rows with any basis; a kind is a name or a number."""
    columns: dict[str, list[int]] = {
        name: [] for name in ("ts", "known_at", "kind", "price", "qty", "a", "b", "c", "d")
    }
    for row in given_rows:
        kind = row.get("kind", "trade")
        full = {"known_at": row.get("ts", 1), "price": 100, "qty": 1, "ts": 1, **row}
        full["kind"] = KINDS.get(kind, kind)
        for name, column in columns.items():
            column.append(full.get(name, 0))
    return Events(**columns, **{"instruments": (SPY,), "basis": (basis,) if basis else (), **more})  # type: ignore[arg-type]


def test_3_bars_become_ticks_and_lots() -> None:
    events = events_from_bars(BARS, SPY)
    assert events.price.tolist() == [1000, 1010, 1020]
    assert [column.tolist() for column in (events.a, events.b, events.c) if column is not None] == [
        [1030, 1020, 1020],
        [990, 1000, 1010],
        [1010, 1020, 1010],
    ]
    assert events.qty.tolist() == [5, 6, 0]
    assert events.d is not None
    assert events.d.tolist() == [0, 60, 120]
    assert set(events.kind.tolist()) == {KINDS["bar"]}
    minutes = {key: value for key, value in BARS.items() if key != "volume"} | {"ts": [ts * 10**9 for ts in BARS["ts"]]}
    unknown = events_from_bars(minutes, SPY, start="30s")
    assert set(unknown.qty.tolist()) == {-1}
    assert unknown.d is not None
    assert unknown.d.tolist() == [30 * 10**9, 90 * 10**9, 150 * 10**9]


def test_3_a_panel_is_sorted_by_time_and_its_sessions_give_the_starts() -> None:
    panel = load("synthetic", n_instruments=3, n_days=5)
    members = tuple(Instrument(name, asset_class="synthetic") for name in panel.instruments)
    with pytest.raises(DataError, match=r"whole multiple of the tick 0.01.*basis="):
        events_from_bars(panel, members)
    events = events_from_bars(panel, members, basis="split_adjusted", start="session")
    assert np.all(np.diff(events.ts) >= 0)
    assert events.instrument is not None
    assert events.instrument[:3].tolist() == [0, 1, 2]
    assert events.d is not None
    hours = (events.ts - events.d) / 3_600_000_000_000
    assert set(hours.tolist()) == {6.5}
    nearest = np.round(panel.frame.sort("ts", maintain_order=True)["open"].to_numpy() * 1e6)
    assert events.price.tolist() == nearest.tolist()


def test_quotes_trades_and_depth_become_events() -> None:
    quotes = events_from_quotes(QUOTES, SPY)
    assert (quotes.price.tolist(), quotes.qty.tolist()) == ([1000, 1000], [1, 2])
    assert quotes.a is not None
    assert quotes.a.tolist() == [1001, 1002]
    trades = events_from_trades(TRADES, SPY)
    assert trades.kind.tolist() == [KINDS["trade_buy"], KINDS["trade_sell"]]
    without = {key: value for key, value in TRADES.items() if key != "side"}
    assert set(events_from_trades(without, SPY).kind.tolist()) == {KINDS["trade"]}
    depth = events_from_depth({**DEPTH, "snapshot": [True, True, False]}, SPY)
    assert [int(kind) for kind in depth.kind] == [8, 6, 7, 7]
    assert depth.price.tolist() == [0, 1000, 1010, 1010]
    ticks = events_from_trades({"ts": [1], "price": [618_002], "size": [14]}, BTC, units="ticks")
    coins = events_from_trades({"ts": [1], "price": [61_800.2], "size": [0.014]}, BTC)
    assert ticks.content_hash == coins.content_hash


def test_contents_are_the_kinds_and_the_range_of_depth_of_each_instrument() -> None:
    depth = {"ts": [5, 5, 9], "side": ["bid", "ask", "bid"], "price": [10.0, 10.2, 9.5], "size": [3, 4, 1]}
    events = merge_events(events_from_bars(BARS, SPY), events_from_depth(depth, BTC))
    kinds = frozenset({KINDS["depth_bid"], KINDS["depth_ask"]})
    found = dict(zip([item.id for item in events.instruments], events.contents, strict=True))
    assert found == {SPY.id: (frozenset({KINDS["bar"]}), None), BTC.id: (kinds, (95, 102))}
    assert events.head(0).contents == ((frozenset(), None), (frozenset(), None))


def test_a_side_without_a_quote_must_be_asked_for() -> None:
    empty = {**QUOTES, "ask": [10.01, float("nan")], "ask_size": [3, 0]}
    with pytest.raises(DataError, match="ask is a number"):
        events_from_quotes(empty, SPY)
    events = events_from_quotes(empty, SPY, one_sided="allow")
    assert events.a is not None
    assert events.a.tolist() == [1001, layout.NONE]
    with pytest.raises(DataError, match="sizes are above zero"):
        events_from_quotes({**empty, "ask_size": [3, 1]}, SPY, one_sided="allow")


BAD_TABLES: list[tuple[Any, dict[str, Any], str, str]] = [
    (events_from_bars, {**BARS, "open": [10.0, 10.105, 10.2]}, "open is a whole multiple of the tick 0.01", "row 1"),
    (events_from_bars, {**BARS, "open": [10.0, float("nan"), 10.2]}, "open is a number", "row 1"),
    (events_from_bars, {**BARS, "close": [10.1, float("inf"), 10.1]}, "close is a number", "row 1"),
    (events_from_bars, {**BARS, "volume": [5.0, float("nan"), 1.0]}, "volume is a number", "row 1"),
    (events_from_bars, {**BARS, "volume": [5.0, 6.0, 0.5]}, "volume is a whole multiple of the lot 1", "row 2"),
    (events_from_bars, {**BARS, "volume": [5, 6, -2]}, "sizes are above zero", "row 2"),
    (events_from_bars, {**BARS, "low": [9.9, 10.15, 10.1]}, "low <= open and close <= high", "row 1"),
    (events_from_bars, {**BARS, "high": [10.3, 10.2, 10.15]}, "low <= open and close <= high", "row 2"),
    (events_from_bars, {**BARS, "low": [9.9, 0.0, 10.1]}, "prices are above zero", "row 1"),
    (events_from_bars, {**BARS, "open": [1e17, 10.1, 10.2]}, "open is below 2\\*\\*52 steps", "row 0"),
    (events_from_bars, {**BARS, "ts": [60, 180, 120], "start": [0, 60, 60]}, "time never runs backwards", "row 2"),
    (events_from_bars, {**BARS, "start": [0, 59, 120]}, "bars of an instrument do not overlap", "row 1"),
    (events_from_bars, {**BARS, "start": [60, 60, 120]}, "a bar starts before it ends", "row 0"),
    (events_from_bars, {**BARS, "known_at": [60, 119, 180]}, "known_at is never before ts", "row 1"),
    (events_from_bars, {**BARS, "known_at": [200, 199, 200]}, "known_at never runs back within a stream", "row 1"),
    (events_from_quotes, {**QUOTES, "bid": [10.0, 10.03]}, "below the ask \\(crossed\\)", "row 1"),
    (events_from_quotes, {**QUOTES, "bid": [10.01, 10.0]}, "below the ask \\(locked\\)", "row 0"),
    (events_from_quotes, {**QUOTES, "bid_size": [1, -2]}, "sizes are above zero", "row 1"),
    (events_from_quotes, {**QUOTES, "bid": [10.0, -1.0]}, "prices are above zero", "row 1"),
    (events_from_trades, {**TRADES, "size": [1, 0]}, "sizes are above zero", "row 1"),
    (events_from_trades, {**TRADES, "size": [float("nan"), 1.0]}, "size is a number", "row 0"),
    (events_from_trades, {**TRADES, "price": [0.0, 10.0]}, "prices are above zero", "row 0"),
    (events_from_trades, {**TRADES, "side": ["buy", "hold"]}, "side is known", "row 1"),
    (events_from_depth, {**DEPTH, "side": ["bid", "ask", "mid"]}, "side is known", "row 2"),
    (events_from_depth, {**DEPTH, "size": [1, 2, -1]}, "sizes are above zero", "row 2"),
    (events_from_depth, {**DEPTH, "ts": [1, None, 2]}, "got '1 empty cell'; rule 'every row has a ts'", "1"),
]


@pytest.mark.parametrize(("build", "table", "rule", "row"), BAD_TABLES)
def test_4_a_row_that_breaks_a_rule_is_named(build: Any, table: dict[str, Any], rule: str, row: str) -> None:
    with pytest.raises(DataError, match=rule) as caught:
        build(table, SPY)
    assert caught.value.rows[0].startswith(row)
    assert caught.value.fix


BAD_ROWS: list[tuple[dict[str, Any], str, int]] = [
    ({"kind": 15}, "raw", 1),
    ({"kind": 38}, "raw", 1),
    ({"kind": 0}, "raw", 1),
    ({"kind": "trade", "ts": 0, "known_at": 5}, "raw", 3),
    ({"kind": "split", "a": 2, "b": 1}, "raw", 4),
    ({"kind": "trade", "known_at": 0}, "raw", 5),
    ({"kind": "add_bid", "price": 0}, "raw", 7),
    ({"kind": "add_ask", "qty": 2**52}, "raw", 8),
    ({"kind": "reduce", "qty": 0}, "raw", 8),
    ({"kind": "execute", "qty": -1}, "raw", 8),
    ({"kind": "status", "a": 7, "ts": 2}, "raw", 14),
    ({"kind": "status", "a": 2, "b": 9, "c": 8, "ts": 2}, "raw", 14),
    ({"kind": "split", "a": 0, "b": 1, "ts": 2}, "raw", 15),
    ({"kind": "dividend", "a": -1, "ts": 2}, "raw", 15),
    ({"kind": "split", "a": 2, "b": 1, "ts": 2}, "split_adjusted", 16),
    ({"kind": "split", "a": 2, "b": 1, "ts": 2}, "total_return", 16),
    ({"kind": "dividend", "a": 1, "ts": 2}, "total_return", 16),
    ({"kind": "fx", "a": -1, "b": 1, "ts": 2}, "raw", 17),
    ({"kind": "fx", "a": 0, "b": 0, "ts": 2}, "raw", 17),
    ({"kind": "funding", "price": 0, "a": 1, "ts": 2}, "raw", 7),
]


@pytest.mark.parametrize(("row", "basis", "rule"), BAD_ROWS)
def test_4_every_rule_of_the_columns_is_held(row: dict[str, Any], basis: str, rule: int) -> None:
    before = {"kind": "trade", "ts": 1}
    with pytest.raises(DataError) as caught:
        rows(before, row, basis=basis)
    assert caught.value.rule == RULES[rule][0]
    assert caught.value.rows[0].startswith("row 1 (")


def test_4_every_rule_of_the_kernel_has_its_words() -> None:
    numbers = {value for name, value in vars(checks).items() if name.startswith("R_")}
    assert numbers == set(RULES)
    assert all(rule and fix for rule, fix in RULES.values())


def test_4_only_the_first_broken_rule_is_reported_with_its_first_rows() -> None:
    bad = [{"ts": 2, "qty": 0}] * 9
    with pytest.raises(DataError, match=r"\+4 more") as caught:
        rows({"ts": 1}, *bad, {"ts": 1})
    assert len(caught.value.rows) == 9
    assert "row 1 (SPY.XNYS@1970" in caught.value.rows[0]


def test_adjusted_prices_take_the_corporate_actions_that_they_do_not_hold() -> None:
    dividend = {"kind": "dividend", "a": 10, "ts": 2}
    assert len(rows({"ts": 1}, dividend, basis="split_adjusted")) == 2
    assert len(rows({"ts": 1}, dividend, {"kind": "split", "a": 4, "b": 1, "ts": 3})) == 3
    assert rows({"ts": 1}, basis="total_return").price_quanta == (Decimal("0.000001"),)


BAD_INPUTS: list[tuple[Any, str]] = [
    (lambda: events_from_bars({**BARS, "instrument": ["SPY.XNYS", "QQQ.XNAS", "SPY.XNYS"]}, SPY), "QQQ.XNAS.*SPY.XNYS"),
    (lambda: events_from_bars(BARS, (SPY, BTC)), "there are several instruments"),
    (lambda: events_from_bars(BARS, ()), "one or more instruments"),
    (lambda: events_from_bars({"ts": [1]}, SPY), "open.*missing"),
    (lambda: events_from_bars(BARS, SPY, basis="adjusted"), "did you mean 'split_adjusted'"),  # type: ignore[arg-type]
    (lambda: events_from_bars(BARS, SPY, quantum=Decimal("0.1")), "raw prices are whole ticks"),
    (lambda: events_from_bars(BARS, SPY, units="ticks"), "integer columns"),
    (lambda: events_from_bars(BARS, SPY, units="lots"), "currency, ticks"),  # type: ignore[arg-type]
    (lambda: events_from_bars(BARS, SPY, start="session"), "only a Panel has a calendar"),
    (lambda: events_from_bars(BARS, SPY, start="soon"), "a whole number of s, m, h or d"),
    (lambda: events_from_bars({key: value[:1] for key, value in BARS.items()}, SPY), "SPY.XNYS has one bar"),
    (lambda: events_from_quotes(QUOTES, SPY, locked="fix"), "error, allow"),  # type: ignore[arg-type]
    (lambda: events_from_trades({**TRADES, "ts": pl.Series([0, 1]).cast(pl.Datetime("ns"))}, SPY), "no time zone"),
    (lambda: events_from_trades({**TRADES, "ts": [0.5, 1.0]}, SPY), "UTC nanoseconds"),
    (lambda: events_from_trades({**TRADES, "price": ["10", "11"]}, SPY), "numbers"),
    (lambda: events_from_rows([{"ts": 1, "kind": "splt"}], SPY), "did you mean 'split'"),
    (lambda: events_from_rows([{"ts": 1, "kind": "split", "ratio": 2}], SPY), "ratio"),
    (lambda: events_from_rows([{"ts": 1, "kind": "split", "instrument": "X.Y"}], SPY), "X.Y"),
    (lambda: events_from_rows([{"kind": "split"}], SPY), "every row has ts and kind"),
    (lambda: merge_events(), "one or more streams"),
    (lambda: rows({}, instruments=SPY), "write \\(instrument,\\)"),
    (lambda: rows({}, instruments=(SPY, SPY)), "each once"),
    (lambda: rows({}, price_quanta=(Decimal("0.05"),)), "whole ticks of 0.01"),
    (lambda: rows({}, lot_quanta=(Decimal(0),)), "a positive Decimal"),
    (lambda: rows({}, lot_quanta=("1",)), "a positive Decimal"),
    (lambda: rows({}, locked="maybe"), "error, allow"),
    (lambda: Events([1], [1], [3], [1.5], [1], instruments=(SPY,)), "events_from_bars"),  # type: ignore[arg-type]
    (lambda: Events([1], [1], [300], [1], [1], instruments=(SPY,)), "300 to 300.*int8"),  # type: ignore[arg-type]
    (lambda: Events([1, 2], [1], [3], [1], [1], instruments=(SPY,)), "differ in length"),  # type: ignore[arg-type]
    (lambda: Events([1], None, [3], [1], [1], instruments=(SPY,)), "known_at"),  # type: ignore[arg-type]
    (lambda: rows({"ts": 1}).of("trad"), "did you mean 'trade'"),
    (lambda: rows({"ts": 1}).take(slice(None, None, -1)), "backwards"),
    (lambda: rows({"ts": 1}, {"ts": 2}).take(np.array([1, 0])), "do not ascend"),
    (lambda: Instrument("ES.CME", multiplier=Decimal(0)), "instrument.multiplier"),
]


@pytest.mark.parametrize(("action", "text"), BAD_INPUTS)
def test_4_input_that_does_not_fit_says_what_would(action: Any, text: str) -> None:
    with pytest.raises(InputError, match=text):
        action()


def test_an_instrument_index_out_of_range_is_refused() -> None:
    for index in (-1, 2):
        with pytest.raises(DataError, match="instruments are known") as caught:
            rows({"ts": 1}, instruments=(SPY, BTC), basis="", instrument=[index])
        assert f"instrument {index}" in str(caught.value)


def test_locked_quotes_pass_where_the_venue_allows_them() -> None:
    locked = {**QUOTES, "bid": [10.01, 10.0]}
    assert len(events_from_quotes(locked, SPY, locked="allow")) == 2
    with pytest.raises(DataError, match="crossed"):
        events_from_quotes({**QUOTES, "bid": [10.02, 10.0]}, SPY, locked="allow")


def test_1_a_merge_orders_by_time_then_news_then_source() -> None:
    bars = events_from_bars(BARS, SPY)
    coins = events_from_trades({"ts": [60, 90], "price": [61_800.2, 61_800.3], "size": [0.5, 0.5]}, BTC)
    news = events_from_rows([{"ts": 60, "kind": "split", "a": 2, "b": 1}], SPY)
    both = merge_events(bars, coins, news)
    assert both.ts.tolist() == [60, 60, 60, 90, 120, 180]
    assert both.kind.tolist() == [33, 1, 3, 3, 1, 1]
    assert both.instrument is not None
    assert both.instrument.tolist() == [0, 0, 1, 1, 0, 0]
    assert [item.id for item in both.instruments] == ["SPY.XNYS", "BTCUSDT.VENUE"]
    assert merge_events(coins, bars).kind.tolist() == [3, 1, 3, 1, 1]
    assert merge_events(bars).content_hash == bars.content_hash
    other = Instrument("SPY.XNYS", asset_class="etf", tick=Decimal("0.001"))
    with pytest.raises(InputError, match="declare it differently"):
        merge_events(bars, events_from_trades(TRADES, other))


def test_2_one_feed_may_overtake_another_and_the_observer_has_an_order_of_his_own() -> None:
    slow = events_from_trades({**TRADES, "known_at": [50, 51]}, SPY)
    fast = events_from_quotes({**QUOTES, "known_at": [2, 3]}, SPY)
    both = merge_events(slow, fast)
    assert both.known_at.tolist() == [50, 2, 51, 3]
    assert both.known_order is not None
    assert both.known_order.tolist() == [1, 3, 0, 2]
    assert slow.known_order is None


def test_5_the_hash_depends_on_content_and_not_on_metadata() -> None:
    one = events_from_bars(BARS, SPY)
    assert one.content_hash == events_from_bars(BARS, SPY, metadata={"origin": "elsewhere"}).content_hash
    assert one.content_hash != events_from_bars({**BARS, "start": [1, 60, 120]}, SPY).content_hash
    adjusted = events_from_bars(BARS, SPY, basis="total_return", quantum=Decimal("0.01"))
    assert adjusted.price.tolist() == one.price.tolist()
    assert adjusted.content_hash != one.content_hash


def test_parts_are_streams_and_columns_cannot_be_written() -> None:
    events = events_from_bars(BARS, SPY)
    assert (len(events.head(2)), events.slice(1).rows, len(events.between(120, 180))) == (2, 2, 1)
    assert events.of("bar").ts.tolist() == [60, 120, 180]
    assert len(events.of("trade", "quote")) == 0
    assert events.slice(1).table[layout.V_ROWS] == 2
    with pytest.raises(ValueError, match="read-only"):
        events.ts[0] = 5
    assert events.to_frame().columns == ["ts", "known_at", "kind", "price", "qty", "a", "b", "c", "d"]
    readable = events.to_frame(readable=True)
    assert readable["kind"].to_list() == ["bar"] * 3
    assert set(readable["instrument"]) == {"SPY.XNYS"}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(1, 10**12), min_size=1, max_size=20),
    st.sampled_from(["0.01", "0.0025", "0.1", "5", "0.03", "0.00000001", "0.25"]),
)
def test_3_every_multiple_of_a_tick_written_as_a_decimal_comes_back(ticks: list[int], tick: str) -> None:
    step = Decimal(tick)
    table = {"ts": range(len(ticks)), "price": [float(step * k) for k in ticks], "size": [1.0] * len(ticks)}
    assert events_from_trades(table, Instrument("X.Y", tick=step)).price.tolist() == ticks
    off = {**table, "price": [float(step * k + step / 100) for k in ticks]}
    with pytest.raises(DataError, match="whole multiple of the tick"):
        events_from_trades(off, Instrument("X.Y", tick=step))


def test_the_how_to_names_every_kind() -> None:
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "events.md").read_text(encoding="utf-8")
    assert [name for name in KINDS if f"`{name}`" not in text] == []
