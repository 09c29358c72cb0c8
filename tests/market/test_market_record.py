"""What a run of the event market tells: frames that add up, exact money, itemised costs, telemetry, files."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from market_doors import MATCHERS, played

from karat.data import Events, Instrument, events_from_bars, events_from_depth, events_from_rows, merge_events
from karat.kernels.market import layout as at
from karat.kernels.market import table
from karat.market import (
    BpsSlippage,
    ConstantLatency,
    FeeTier,
    Intents,
    Market,
    MarketRun,
    NoFee,
    Order,
    PerShareFee,
    RateFee,
    Target,
    TickSlippage,
    TieredFee,
    TradingTerms,
    VenueSpec,
    intents_on,
    simulate,
)

A = Instrument("A.X")
DAY = 86_400 * 10**9
ALL = pytest.mark.parametrize("matcher", MATCHERS, ids=MATCHERS.values())


def bars(prices: list[float], *, item: Instrument = A, step: int = 10, volume: int | None = None) -> Events:
    """Return bars of `step` ns that stay at their price."""
    ts = step * np.arange(1, len(prices) + 1)
    columns: dict[str, Any] = dict.fromkeys(("open", "high", "low", "close"), prices)
    if volume is not None:
        columns["volume"] = [volume] * len(prices)
    return events_from_bars({"ts": ts, "start": ts - step, **columns}, item)


def news(ts: int, kind: str, item: Instrument = A, others: tuple[Instrument, ...] = (), **numbers: int) -> Events:
    return events_from_rows([{"ts": ts, "kind": kind, "instrument": item.id, **numbers}], (item, *others))


def play(events: Events, orders: list[Any], spec: VenueSpec | None = None) -> MarketRun:
    run = simulate(events, intents_on(events, orders), spec)
    check(run)
    return run


def check(run: MarketRun) -> None:
    """Assert what holds of every run: the identity of each currency in whole quanta, and that the frames add up."""
    for row in run.money.values():
        gains = row["realised"] + row["unrealised"] - row["charges"] + row["income"]
        assert row["cash"] + row["positions"] == row["start"] + gains
    rows = run.fill_rows
    for number, own in enumerate(run.positions.iter_rows(named=True)):
        fills = rows[rows[:, at.F_INSTRUMENT] == number]
        lots = int((fills[:, at.F_SIDE] * fills[:, at.F_QTY]).sum())
        assert own["quantity"] == lots * float(run.events.lot_quanta[number]) or number in splits(run)
        frame = run.fills.filter(pl.col("instrument") == own["instrument"])
        for name in ("fee", "slippage", "realised"):
            if name != "realised" or number not in splits(run):
                total = own["fees" if name == "fee" else name]
                assert frame[name].sum() == pytest.approx(total, abs=1e-9 + 1e-12 * abs(total))
    quantum = run.spec.money_quantum
    charged = int(rows[:, at.F_FEE].sum()) + int(
        run.block[table(run.block, "instruments")[:, at.I_MONEY] + at.M_BORROWED].sum()
    )
    assert sum(row["charges"] for row in run.money.values()) == charged * quantum
    assert all(row["settled"] + row["unsettled"] == row["cash"] for row in run.money.values())
    facts = run.telemetry
    assert facts["fills"] == len(rows)
    assert facts["fees"] == pytest.approx(run.fills["fee"].sum())
    assert facts["slippage"] == pytest.approx(run.fills["slippage"].sum())
    assert sum(facts["messages"].values()) == len(run.news_rows)
    assert sum(facts["refused_by_reason"].values()) == sum(
        facts["messages"].get(name, 0) for name in ("rejected_gateway", "rejected_venue")
    )


def splits(run: MarketRun) -> set[int]:
    kinds, number = run.events.kind == at.SPLIT, run.events.instrument
    return set() if not kinds.any() else {0} if number is None else set(number[kinds].tolist())


@ALL
@pytest.mark.req("SIM-01", "SIM-02", "OMS-12")
def test_every_run_adds_up(matcher: int) -> None:
    fills = 0
    for seed in range(30):
        case = played(seed, matcher, delayed=seed % 2 == 1, splits=True)
        run = simulate(case.events, case.intents, case.spec)
        check(run)
        fills += len(run.fill_rows)
    assert fills > 100


def test_a_wrong_fee_is_noticed() -> None:
    """The planted fault: what `check` looks at is not computed from what it compares it with."""
    run = play(bars([10.0] * 3), [Order(1, 10, "A.X", "buy", 5)], spec(RateFee(taker_bps=10)))
    run.fill_rows[0, at.F_FEE] += 1
    with pytest.raises(AssertionError):
        check(run)


def spec(fee: Any, **more: Any) -> VenueSpec:
    own = {name: more.pop(name) for name in ("slippage", "entry") if name in more}
    return VenueSpec(terms=TradingTerms(fee=fee, **own), **more)


@pytest.mark.req("SIM-01", "OMS-12")
def test_fills_and_money_by_hand() -> None:
    """Bought 300 at 10.00, sold 100 at 11.00 and 200 at 9.50, 12 bps of the value: 3.60 + 1.32 + 2.28 of fees."""
    events = bars([10.0, 10.0, 11.0, 9.5])
    orders = [Order(1, 10, "A.X", "buy", 300), Order(2, 20, "A.X", "sell", 100), Order(3, 30, "A.X", "sell", 200)]
    run = play(events, orders, spec(RateFee(taker_bps=12)))
    assert run.fills.select("ts", "known_at", "price", "quantity", "side", "fee", "realised", "position").rows() == [
        (10, 20, 10.0, 300.0, "buy", 3.6, 0.0, 300.0),
        (20, 30, 11.0, 100.0, "sell", 1.32, 100.0, 200.0),
        (30, 40, 9.5, 200.0, "sell", 2.28, -100.0, 0.0),
    ]
    assert run.money["USD"] == {
        "start": Decimal(1_000_000),
        "cash": Decimal("999992.80"),
        "positions": Decimal(0),
        "realised": Decimal(0),
        "unrealised": Decimal(0),
        "charges": Decimal("7.20"),
        "income": Decimal(0),
        "settled": Decimal("999992.80"),
        "unsettled": Decimal(0),
    }
    assert run.equity["equity"].to_list() == [1_000_000.0, 999_996.4, 1_000_295.08, 999_992.8]


@pytest.mark.req("EVAL-11", "SIM-12")
def test_costs_are_the_difference_to_a_run_without_them() -> None:
    """The same orders without costs: the P&L differs by exactly the itemised fees and slippage."""
    rng = np.random.default_rng(3)
    prices = (np.round(50 + np.cumsum(rng.normal(0, 0.3, 400)), 2)).tolist()
    events = bars(prices)
    sides = rng.choice(["buy", "sell"], 300)
    orders = [Order(k + 1, 10 * (k + 1), "A.X", side, int(rng.integers(1, 50))) for k, side in enumerate(sides)]
    free = play(events, orders, spec(NoFee()))
    costs = spec(
        RateFee(taker_bps=7.5, minimum=0.35), slippage=BpsSlippage(slippage_bps=4), entry=ConstantLatency(latency_ns=0)
    )
    paid = play(events, orders, costs)
    assert len(paid.fill_rows) == len(free.fill_rows) == 300
    quanta = paid.fill_rows
    slipped = quanta[:, at.F_SIDE] * (quanta[:, at.F_PRICE] - quanta[:, at.F_REFERENCE]) * quanta[:, at.F_QTY] * 10**6
    parts = {"fees": int(quanta[:, at.F_FEE].sum()), "slippage": int(slipped.sum())}
    assert min(parts.values()) > 0
    assert int(free.equity_rows[-1] - paid.equity_rows[-1]) == sum(parts.values())  # type: ignore[index]
    facts = paid.telemetry
    assert {name: round(facts[name] * 1e8) for name in parts} == parts
    assert facts["fill_rate"] == 1.0


@pytest.mark.req("SIM-12")
def test_fee_models_reach_the_kernel() -> None:
    """Orders of 100 at 10.00: value 1,000 each; expected amounts are worked out by hand."""
    events = bars([10.0] * 6)
    orders = [Order(k, 10 * k, "A.X", "buy", 100) for k in range(1, 5)]

    def fees(fee: Any) -> list[float]:
        return play(events, orders, spec(fee)).fills["fee"].to_list()

    assert fees(RateFee(taker_bps=5)) == [0.5] * 4
    assert fees(RateFee(taker_bps=5, minimum=1.25)) == [1.25] * 4
    assert fees(PerShareFee(taker=0.005)) == [0.5] * 4
    assert fees(PerShareFee(taker=0.005, minimum=1)) == [1.0] * 4
    assert fees(PerShareFee(taker=0.02, cap_frac=0.001)) == [1.0] * 4
    tiers = (FeeTier(volume=0, maker_bps=1, taker_bps=10), FeeTier(volume=2_000, maker_bps=0, taker_bps=4))
    assert fees(TieredFee(tiers=tiers)) == [1.0, 1.0, 0.4, 0.4]
    assert fees(TieredFee(tiers=tiers, volume_before=(500, 1_000))) == [1.0, 0.4, 0.4, 0.4]


def test_a_fee_a_share_counts_shares_not_lots() -> None:
    """A lot of 100 shares pays for 100 shares, a hundredth of a share for a hundredth."""
    for lot, quantity in ((Decimal(100), 300), (Decimal("0.01"), Decimal("2.5"))):
        events = bars([10.0] * 3, item=Instrument("A.X", lot=lot))
        run = play(events, [Order(1, 10, "A.X", "buy", quantity)], spec(PerShareFee(taker=0.02)))
        assert run.fills["fee"].to_list() == [float(quantity) * 0.02]
        assert run.fills["quantity"].to_list() == [float(quantity)]


def test_a_volume_of_thirty_days_is_the_accounts() -> None:
    """Two instruments with the same tiers share their volume; after 30 days without trades it is gone."""
    items = (A, Instrument("B.X"))
    days = np.array([1, 2, 3, 40, 41])
    table = {
        "ts": np.repeat(days, 2) * DAY,
        "start": np.repeat(days - 1, 2) * DAY,
        "instrument": ["A.X", "B.X"] * 5,
        **{name: [10.0] * 10 for name in ("open", "high", "low", "close")},
    }
    tiers = (FeeTier(volume=0, maker_bps=1, taker_bps=10), FeeTier(volume=1_000, maker_bps=0, taker_bps=4))
    orders = [
        Order(k + 1, int(day) * DAY, name, "buy", 100)
        for k, (day, name) in enumerate([(1, "A.X"), (2, "B.X"), (40, "B.X")])
    ]
    run = play(events_from_bars(table, items), orders, spec(TieredFee(tiers=tiers)))
    assert run.fills["fee"].to_list() == [1.0, 0.4, 1.0]


def test_several_currencies_and_their_rates() -> None:
    """1,000 EUR at 1.25 are 1,250 USD; a share bought for 100 EUR that rises to 110 is worth 10 EUR more."""
    euro = Instrument("E.X", currency="EUR")
    events = merge_events(bars([100.0, 100.0, 110.0], item=euro), news(20, "fx", euro, a=1, b=1_500_000_000))
    both = VenueSpec(cash={"USD": 500, "EUR": 1_000}, fx={"EUR": 1.25}, terms=TradingTerms(fee=RateFee(taker_bps=10)))
    run = play(events, [Order(1, 10, "E.X", "buy", 2)], both)
    assert run.money["EUR"]["cash"] == Decimal("799.80")
    assert run.money["EUR"]["positions"] == Decimal(220)
    assert run.money["EUR"]["charges"] == Decimal("0.20")
    assert run.money["USD"]["cash"] == Decimal(500)
    assert run.equity["equity"].to_list() == [1_750.0, 1_999.7, 2_029.7]  # 500 + 1.25 * 1000, 1.5 * 999.8, 1.5 * 1019.8


def test_a_large_rate_of_exchange_is_exact() -> None:
    """An account in JPY: 150 yen a dollar is a rate of 1.5e11 units, more than 64 bits hold in one product."""
    events = bars([100.0, 100.0])
    run = play(events, [], VenueSpec(cash={"JPY": 0, "USD": "7654321.98"}, fx={"USD": 150.25}, money_quantum=0.01))
    assert run.equity_rows is not None
    assert int(run.equity_rows[-1]) == 115_006_187_750  # 765,432,198 * 150.25 = 115,006,187,749.5


def test_a_multiplier_scales_the_money() -> None:
    """A future on 50 times an index with a tick of 0.25: 4 points of 2 contracts are 400."""
    future = Instrument("F.X", tick=Decimal("0.25"), multiplier=Decimal(50))
    run = play(bars([4_000.0, 4_000.0, 4_004.0], item=future), [Order(1, 10, "F.X", "buy", 2)])
    assert run.money["USD"]["unrealised"] == Decimal(400)
    assert run.positions.select("value", "average_price", "mark").rows() == [(400_400.0, 4_000.0, 4_004.0)]


def test_a_split_adjusts_positions_orders_and_what_the_strategy_heard() -> None:
    """3 for 2 of 5 shares at 30.00: 7 shares, half a new one (a third of an old) paid: 10.00; orders of 4 become 6."""
    events = merge_events(bars([30.0, 30.0, 20.0, 20.0]), news(25, "split", price=3_000, a=3, b=2))
    orders = [
        Order(1, 10, "A.X", "buy", 5),
        Order(2, 10, "A.X", "sell", 4, type="limit", price=36),
        Order(3, 10, "A.X", "sell", 2, type="limit", price=45),
        Order(4, 10, "A.X", "buy", 2, type="limit", price=15),
        Order(5, 10, "A.X", "sell", 2, type="stop", stop=9, parent=4),
    ]
    market = Market(events, None, intents_on(events, orders))
    market.advance(25)
    run = market.result()
    assert market.position("A.X") == 7
    words = run.block[int(run.block[at.H_AT_INSTRUMENTS]) :]
    assert int(words[at.I_LOCAL_POSITION]) == 7
    assert run.money["USD"]["cash"] == Decimal(1_000_000 - 150 + 10)
    assert run.money["USD"]["positions"] == Decimal(140)
    held = {int(row[at.O_ID]): row for row in orders_of(run)}
    assert [(int(held[k][at.O_QTY]), int(held[k][at.O_PRICE])) for k in (2, 3, 4)] == [
        (6, 2_400),
        (3, 3_000),
        (3, 1_000),
    ]
    assert (int(held[5][at.O_FULL]), int(held[5][at.O_STOP])) == (3, 600)
    amended = run.messages.filter(pl.col("event") == "amended")
    assert amended.select("order", "reason", "number_b").rows() == [(2, "split", 6), (3, "split", 3), (4, "split", 3)]
    check(run)


def test_a_split_ends_what_is_left_without_a_lot_and_adjusts_the_rest_once() -> None:
    """1 for 10: an order of 5 ends, the orders before and after it are adjusted once, not again."""
    events = merge_events(bars([30.0, 30.0, 300.0, 300.0]), news(25, "split", price=3_000, a=1, b=10))
    sizes = (40, 5, 70)
    orders = [Order(k + 1, 10, "A.X", "buy", lots, type="limit", price=20) for k, lots in enumerate(sizes)]
    run = play(events, orders)
    held = {int(row[at.O_ID]): (int(row[at.O_QTY]), int(row[at.O_PRICE])) for row in orders_of(run)}
    assert held == {1: (4, 20_000), 3: (7, 20_000)}
    assert run.messages.filter(pl.col("event") == "cancelled").select("order", "reason").rows() == [(2, "split")]


def orders_of(run: MarketRun) -> list[Any]:
    start, count = int(run.block[at.H_AT_ORDERS]), int(run.block[at.H_ORDERS])
    rows = run.block[start : start + count * at.ORDER].reshape(-1, at.ORDER)
    return [row for row in rows if row[at.O_ID] and row[at.O_STATE] < at.FILLED]


def test_a_strategy_with_slow_answers_hears_of_a_split_position() -> None:
    """The fill of 10 is told after the 2 for 1 split: it is told as the 20 lots that it is by then."""
    events = merge_events(bars([30.0, 30.0, 15.0, 15.0, 15.0]), news(25, "split", price=3_000, a=2, b=1))
    slow = VenueSpec(terms=TradingTerms(response=ConstantLatency(latency_ns=8)))
    market = Market(events, slow, intents_on(events, [Order(1, 10, "A.X", "buy", 10)]))
    heard = []
    for now in (20, 25, 28, 40):
        market.advance(now)
        heard.append(int(market.block[int(market.block[at.H_AT_INSTRUMENTS]) + at.I_LOCAL_POSITION]))
    assert heard == [0, 0, 20, 20]


@pytest.mark.req("SIM-12")
def test_dividends_and_funding_by_side() -> None:
    """0.50 a share and funding of 1 % of 30.00: the long gets the dividend and pays, the short the other way round."""
    rows = [news(25, "dividend", a=50_000_000 * 10**6), news(27, "funding", price=3_000, a=10_000_000)]
    events = merge_events(bars([30.0] * 4), *rows)
    for side, sign in (("buy", 1), ("sell", -1)):
        run = play(events, [Order(1, 10, "A.X", side, 100)])
        assert run.positions.select("dividends", "funding").rows() == [(50.0 * sign, -30.0 * sign)]
        assert run.money["USD"]["income"] == 20 * sign
    large = merge_events(bars([30.0] * 4), rows[0])
    run = play(large, [Order(1, 10, "A.X", "buy", 1_000_000)])
    assert run.money["USD"]["income"] == 500_000  # beyond 64 bits before the division


def test_funding_without_a_price_uses_the_mark() -> None:
    events = merge_events(bars([30.0, 30.0, 40.0, 40.0]), news(35, "funding", price=at.NONE, a=10_000_000))
    assert play(events, [Order(1, 10, "A.X", "buy", 100)]).positions["funding"].to_list() == [-40.0]
    assert play(events, []).positions["funding"].to_list() == [0.0]


def test_free_margin_refuses_with_what_is_missing() -> None:
    """1,000 in cash: 60 shares at 10.00 are covered, 50 more are not by 100.00; half the margin covers them."""
    events = bars([10.0] * 4)
    orders = [Order(1, 10, "A.X", "buy", 60), Order(2, 20, "A.X", "buy", 50)]
    run = play(events, orders, VenueSpec(cash={"USD": 1_000}, margin="check"))
    refused = run.messages.filter(pl.col("event") == "rejected_gateway")
    assert refused.select("order", "reason", "number_a").rows() == [(2, "funds", 100 * 10**8)]
    half = TradingTerms(initial_margin_frac=0.5)
    run = play(events, orders, VenueSpec(cash={"USD": 1_000}, margin="check", terms=half))
    assert run.positions["quantity"].to_list() == [110.0]
    assert run.notes[1:] == ("Cash ended below zero in USD: interest is not simulated.",)


@pytest.mark.req("SIM-02", "SIM-15")
def test_telemetry_counts_rates_and_quantiles() -> None:
    events = bars([10.0] * 40, volume=50)
    terms = TradingTerms(
        participation_frac=0.1, entry=ConstantLatency(latency_ns=3), slippage=TickSlippage(slippage_ticks=2)
    )
    orders = [Order(k, 7 * k, "A.X", "buy", 4) for k in range(1, 9)]
    orders += [Order(9, 60, "A.X", "buy", 100, type="limit", price=9), Order(10, 61, "A.X", "buy", 1, type="limit")]
    run = play(events, orders, VenueSpec(terms=terms))
    facts = run.telemetry
    assert facts["rows"] == 40
    assert facts["messages"]["accepted"] == 9
    assert facts["refused_by_reason"] == {"price": 1}
    assert facts["entry_latency_ns"] == dict.fromkeys(("p50", "p90", "p99", "p99_9", "max"), 3.0)
    assert set(facts["time_to_fill_ns"]) == {"p50", "p90", "p99", "p99_9", "max"}
    assert facts["fill_rate"] == 32 / 132
    assert facts["slippage"] == pytest.approx(32 * 0.02)
    assert facts["traded"] == pytest.approx(32 * 10.02)


def test_an_amended_order_counts_as_amended() -> None:
    from karat.market import Amend

    orders = [Order(1, 10, "A.X", "buy", 100, type="limit", price=9), Amend(1, 11, "A.X", quantity=40, price=11)]
    run = play(bars([10.0] * 4), orders)
    assert run.telemetry["fill_rate"] == 1.0
    assert run.positions["quantity"].to_list() == [40.0]


def test_frames_of_nothing_have_their_columns() -> None:
    run = play(bars([10.0]), [])
    full = play(bars([10.0] * 3), [Order(1, 10, "A.X", "buy", 1)])
    for name in ("fills", "messages", "equity", "positions"):
        assert getattr(run, name).schema == getattr(full, name).schema
    assert run.notes == ("NO TRADES: no order was sent.",)
    assert run.telemetry["fill_rate"] is None
    quiet = play(bars([10.0]), [], VenueSpec(keep_equity=False))
    assert quiet.equity.schema == full.equity.schema


def test_prices_are_the_nearest_floats() -> None:
    """57 ticks of 0.01 are 0.57, which 57 * 0.01 is not."""
    run = play(bars([0.57] * 3), [Order(1, 10, "A.X", "buy", 1)])
    assert run.fills["price"].to_list() == [0.57]
    assert run.positions["average_price"].to_list() == [0.57]


def test_a_run_is_written_and_shown(tmp_path: Path) -> None:
    run = play(bars([10.0] * 3), [Order(1, 10, "A.X", "buy", 7)], spec(RateFee(taker_bps=5)))
    root = run.write(tmp_path / "run")
    assert sorted(path.name for path in root.iterdir()) == [
        "equity.parquet", "fills.parquet", "messages.parquet", "positions.parquet",
        "rules_evaluated.parquet", "run.json",
    ]  # fmt: skip
    assert pl.read_parquet(root / "fills.parquet").equals(run.fills)
    facts = json.loads((root / "run.json").read_text())
    assert facts["money"]["USD"]["charges"] == "0.03500000"
    assert facts["telemetry"]["time_to_fill_ns"]["p99_9"] == 0.0
    assert "999,929.96" in run._repr_html_()


@pytest.mark.req("OMS-12")
def test_money_is_never_a_float() -> None:
    """0.1 + 0.2 is 0.3; the money of a run and of a spec are decimals of the declared quantum."""
    assert VenueSpec(cash={"USD": 0.1}).cash["USD"] + VenueSpec(cash={"USD": 0.2}).cash["USD"] == Decimal("0.3")
    run = play(bars([0.1, 0.1, 0.3]), [Order(1, 10, "A.X", "buy", 3)])
    for row in run.money.values():
        assert {type(value) for value in row.values()} == {Decimal}
    assert run.money["USD"]["unrealised"] == Decimal("0.6")
    assert run.fill_rows.dtype == run.block.dtype == np.int64


def test_targets_by_quantity_and_weight() -> None:
    """A quarter of 1,000,000 at 30.00: 8,333 whole shares; then 100 shares."""
    events = bars([30.0] * 5)
    run = play(
        events,
        [Target(1, 10, "A.X", weight=0.25), Target(2, 20, "A.X", quantity=100), Target(3, 30, "A.X", quantity=100)],
    )
    assert run.fills.select("side", "quantity").rows() == [("buy", 8_333.0), ("sell", 8_233.0)]
    assert isinstance(intents_on(events, []), Intents)


def test_a_split_moves_orders_that_rest_in_a_book() -> None:
    """A bid of 4 at 29.00 becomes 8 at 14.50 and is met there, not before."""
    ts, price = [1, 1, 6, 6, 7, 7, 8], [28.0, 30.0, 14.0, 30.0, 14.6, 14.6, 14.5]
    sides, size = ["bid", "ask", "bid", "ask", "ask", "ask", "ask"], [9, 9, 9, 0, 9, 0, 9]
    depth = events_from_depth({"ts": ts, "side": sides, "price": price, "size": size}, A)
    clear = events_from_rows([{"ts": 5, "kind": "depth_clear"}], A)
    events = merge_events(clear, depth, news(5, "split", price=3_000, a=2, b=1))
    run = play(events, [Order(1, 2, "A.X", "buy", 4, type="limit", price=29)])
    assert run.fills.select("ts", "quantity", "price", "liquidity").rows() == [(8, 8.0, 14.5, "maker")]
