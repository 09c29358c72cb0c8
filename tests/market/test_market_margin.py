"""Margin calls and cash accounts by hand: each policy on bars and on quotes, worked examples of others, numbers told.

Sources of the worked examples: the example of the SEC's investor bulletin on margin accounts (16,000 of stock, 8,000
borrowed, 25 and 40 %), Firstrade's margin tutorial (20,000 of stock, 10,000 borrowed, 30 %), Regulation T, 12 CFR
220.12 (50 % to open), FINRA rule 4210(c) (25 % of a long position to hold, 30 % of a short one).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from test_market_record import A, bars, news, play

from karat.core import ConfigError, MarketStopped
from karat.data import (
    Events,
    Instrument,
    events_from_bars,
    events_from_depth,
    events_from_quotes,
    events_from_trades,
    merge_events,
)
from karat.market import (
    Cancel,
    Context,
    Market,
    MarketRun,
    Order,
    RateFee,
    TradingTerms,
    VenueSpec,
    intents_on,
    run_strategy,
    simulate,
)

QUANTA = 10**8
HALF = {"initial_margin_frac": 0.5}


def spec(margin: str = "check", *, cash: Any = 8_000, account: str = "margin", **terms: Any) -> VenueSpec:
    own = TradingTerms(**{"fee": RateFee(), **HALF, "maintenance_margin_frac": 0.25, **terms})
    return VenueSpec.model_validate({"cash": {"USD": cash}, "margin": margin, "account": account, "terms": own})


def told(run: MarketRun) -> list[tuple[Any, ...]]:
    """Return the messages about the account: (ts, event, equity, requirement) in units."""
    rows = run.messages.filter(pl.col("order") == 0)
    return [(ts, event, a / QUANTA, b / QUANTA) for ts, event, a, b in
            rows.select("ts", "event", "number_a", "number_b").rows()]  # fmt: skip


def refused(run: MarketRun) -> list[tuple[Any, ...]]:
    return run.messages.filter(pl.col("event").str.starts_with("rejected")).select("order", "reason").rows()


def quotes(rows: list[tuple[int, float, float, int]], item: Instrument = A) -> Events:
    """Return quotes (ts, bid, ask, size of both)."""
    ts, bid, ask, size = zip(*rows, strict=True)
    columns = {"ts": ts, "bid": bid, "ask": ask, "bid_size": size, "ask_size": size}
    return events_from_quotes(columns, item)


@pytest.mark.parametrize(
    ("maintenance", "cash", "price", "calls"),
    [
        (0.25, 8_000, 12.0, []),  # equity 4,000, a quarter of 12,000 is 3,000
        (0.40, 8_000, 12.0, [(30, "margin_call", 4_000.0, 4_800.0)]),
        (0.25, 8_000, 10.67, []),  # 8,000 / 0.75 = 10,666.67 is the lowest value without a call
        (0.25, 8_000, 10.66, [(30, "margin_call", 2_660.0, 2_665.0)]),
        (0.25, 8_000, 0.01, [(30, "margin_call", -7_990.0, 2.5)]),
    ],
)
@pytest.mark.req("OMS-12")
def test_the_bulletins_example(maintenance: float, cash: int, price: float, calls: list[Any]) -> None:
    """1,000 shares at 16.00, half of it borrowed; the third bar closes at the price."""
    run = play(
        bars([16.0, 16.0, price]), [Order(1, 10, "A.X", "buy", 1_000)],
        spec("block", cash=cash, maintenance_margin_frac=maintenance),
    )  # fmt: skip
    assert told(run) == calls
    assert run.telemetry["margin_calls"] == len(calls)
    assert run.positions["quantity"].to_list() == [1_000.0]


def test_the_tutorials_example_and_what_closes_it() -> None:
    """20,000 with 10,000 borrowed at 30 %: at 14,000 equity of 4,000 is below 4,200; all is sold at the next open."""
    events = bars([20.0, 20.0, 14.0, 13.0])
    run = play(events, [Order(1, 10, "A.X", "buy", 1_000)], spec("liquidate", cash=10_000, maintenance_margin_frac=0.3))
    assert told(run) == [(30, "margin_call", 4_000.0, 4_200.0), (40, "margin_met", 3_000.0, 0.0)]
    rows = run.fills.select("order", "ts", "side", "quantity", "price", "cause").rows()
    assert rows == [(1, 10, "buy", 1_000.0, 20.0, ""), (-1, 30, "sell", 1_000.0, 13.0, "liquidation")]
    assert run.money["USD"]["cash"] == 3_000
    assert run.telemetry["forced_fills"] == {"liquidation": 1}
    assert run.notes[-1] == ("MARGIN: the account was called 1 time; 1 fill closed positions without the strategy.")


def test_half_opens_and_no_more() -> None:
    """Regulation T: 8,000 open 16,000; one share more is refused with its margin of 8.00."""
    run = play(bars([16.0] * 3), [Order(1, 10, "A.X", "buy", 1_001), Order(2, 10, "A.X", "buy", 1_000)], spec("check"))
    assert run.messages.row(0)[2:5] == (1, "rejected_gateway", "funds")
    assert run.messages["number_a"][0] == 8 * QUANTA
    assert run.fills["quantity"].to_list() == [1_000.0]
    assert told(run) == []


def test_a_short_position_is_called_when_the_price_rises() -> None:
    """1,000 short at 10.00 with 5,000: cash 15,000. At 30 % the highest price is 15,000 / 1,300 = 11.538."""
    terms = {"maintenance_margin_frac": 0.3}
    run = play(
        bars([10.0, 10.0, 11.53, 11.54]), [Order(1, 10, "A.X", "sell", 1_000)], spec("block", cash=5_000, **terms)
    )
    assert told(run) == [(40, "margin_call", 3_460.0, 3_462.0)]


def test_block_takes_what_reduces_until_equity_is_back() -> None:
    """Called at 10.00 (equity 2,000 of 2,500): more and a sale through zero are refused; 700 may go; met."""
    events = bars([16.0, 16.0, 10.0, 10.0, 10.0, 10.0])
    orders = [
        Order(1, 10, "A.X", "buy", 1_000),
        Order(2, 30, "A.X", "buy", 1),
        Order(3, 30, "A.X", "sell", 1_001),
        Order(4, 30, "A.X", "sell", 700),
        Order(5, 40, "A.X", "buy", 1),
        Order(6, 40, "A.X", "sell", 400),
        Order(7, 40, "A.X", "sell", 400, reduce_only=True),
    ]
    run = play(events, orders, spec("block"))
    assert told(run) == [(30, "margin_call", 2_000.0, 2_500.0), (40, "margin_met", 2_000.0, 750.0)]
    assert refused(run) == [(2, "margin_call"), (3, "margin_call")]
    filled = run.fills.select("order", "quantity").rows()
    assert filled == [(1, 1_000.0), (4, 700.0), (5, 1.0), (6, 400.0)]  # the last one finds nothing left to reduce


def test_an_order_on_its_way_is_judged_when_it_arrives() -> None:
    from karat.market import Amend, ConstantLatency

    slow = spec("block", cash=8_100, entry=ConstantLatency(latency_ns=15))
    orders = [
        Order(1, 10, "A.X", "buy", 1_000),
        Order(2, 10, "A.X", "buy", 5, type="limit", price=1),
        Order(3, 30, "A.X", "buy", 1),
        Amend(2, 31, "A.X", quantity=6),
        Amend(2, 32, "A.X", quantity=4),
    ]
    run = play(bars([16.0, 16.0, 16.0, 10.0, 10.0, 10.0]), orders, slow)
    assert told(run)[0] == (40, "margin_call", 2_100.0, 2_500.0)
    late = run.messages.filter(pl.col("ts") >= 45).select("order", "event", "reason").rows()
    assert late == [
        (3, "rejected_venue", "margin_call"), (2, "amend_rejected", "margin_call"), (2, "amended", ""),
    ]  # fmt: skip


def test_stop_ends_the_run_and_what_came_before_is_readable() -> None:
    events = bars([16.0, 16.0, 10.0, 99.0])
    with pytest.raises(MarketStopped) as caught:
        simulate(events, intents_on(events, [Order(1, 10, "A.X", "buy", 1_000)]), spec("stop"))
    assert str(caught.value) == (
        "market.equity: got 200000000000; a margin call: it is below the maintenance margin of the positions "
        "(row 2, A.X, 1970-01-01T00:00:00.000000030Z); trade smaller, or let margin be 'block' or 'liquidate' and go on"
    )
    run: Any = caught.value.partial
    assert told(run) == [(30, "margin_call", 2_000.0, 2_500.0)]
    assert run.rows == 3
    assert run.equity["equity"].to_list() == [8_000.0, 8_000.0, 2_000.0]
    assert run.fills["quantity"].to_list() == [1_000.0]


def test_liquidation_cancels_what_rests_and_cannot_be_touched() -> None:
    """Orders end by rising id before the sale; a cancel of its number is of an order that never was."""
    events = bars([16.0, 16.0, 10.0, 9.0, 9.0])
    orders = [
        Order(1, 10, "A.X", "buy", 1_000),
        Order(2, 10, "A.X", "buy", 5, type="limit", price=2),
        Order(3, 10, "A.X", "sell", 9, type="limit", price=17, on_fill="cancel"),
        Order(4, 10, "A.X", "sell", 9, type="stop", stop=1, list_with=3, on_fill="cancel"),
        Cancel(-1, 30),
    ]
    run = play(events, orders, spec("liquidate", cash=8_200))
    after = run.messages.filter(pl.col("ts") == 30).select("order", "event", "reason").rows()
    assert after == [
        (0, "margin_call", "margin_call"),
        (2, "cancelled", "liquidation"),
        (3, "cancelled", "liquidation"),
        (4, "cancelled", "other_leg"),
        (-1, "accepted", "liquidation"),
        (-1, "cancel_rejected", "unknown_order"),
    ]
    assert run.fills["order"].to_list() == [1, -1]


def test_a_halted_market_is_closed_when_it_trades_again() -> None:
    """Called by its own bar inside the halt; the order waits through the halt and is filled by the first bar after."""
    halt = [news(0, "status", a=2, b=0, c=1_000), news(25, "status", a=4, b=0, c=1_000),
            news(45, "status", a=2, b=0, c=1_000)]  # fmt: skip
    events = merge_events(bars([16.0, 16.0, 10.0, 9.5, 9.0, 8.5]), *halt)
    run = play(events, [Order(1, 10, "A.X", "buy", 1_000)], spec("liquidate"))
    assert run.fills.select("order", "ts", "price").rows() == [(1, 10, 16.0), (-1, 50, 8.5)]


def test_quotes_liquidate_at_the_next_row_and_not_at_the_one_that_called() -> None:
    """The quote at 3 calls; the sale takes the bids of the quotes at 5 and 7, 600 shown each."""
    rows = [(1, 15.99, 16.0, 1_000), (3, 9.99, 10.01, 2_000), (5, 9.0, 9.02, 600), (7, 8.0, 8.02, 600)]
    run = play(quotes(rows), [Order(1, 2, "A.X", "buy", 1_000)], spec("liquidate", mark="mid"))
    assert told(run)[0] == (3, "margin_call", 2_000.0, 2_500.0)
    assert run.fills.select("order", "ts", "quantity", "price", "cause").rows() == [
        (1, 2, 1_000.0, 16.0, ""),
        (-1, 5, 600.0, 9.0, "liquidation"),
        (-1, 7, 400.0, 8.0, "liquidation"),
    ]


@pytest.mark.parametrize("keep", [True, False], ids=["row by row", "rows together"])
def test_level_2_liquidates_against_the_next_rows_that_show_bids(keep: bool) -> None:
    """Bought 1,000 at 16.00; the trade at 5 calls. The bids of 3, a trade and an offer are no row that shows bids: the
    sale takes the 400 bid at 9.00 at 8, then what the rows at 9 show."""
    depth = {
        "ts": [1, 1, 3, 7, 8, 9, 9],
        "side": ["bid", "ask", "ask", "ask", "bid", "bid", "bid"],
        "price": [8.0, 16.0, 16.0, 15.0, 9.0, 9.0, 7.0],
        "size": [100, 1_000, 0, 10, 400, 450, 50],
    }
    trades = {"ts": [5, 6], "price": [10.0, 10.0], "size": [1, 1]}
    events = merge_events(events_from_depth(depth, A), events_from_trades(trades, A))
    kept = spec("liquidate").model_copy(update={"keep_equity": keep})
    run = play(events, [Order(1, 2, "A.X", "buy", 1_000)], kept)
    assert told(run)[0] == (5, "margin_call", 2_000.0, 2_500.0)
    own = run.fills.filter(pl.col("order") == -1).select("ts", "quantity", "price").rows()
    assert own == [(8, 400.0, 9.0), (8, 100.0, 8.0), (9, 450.0, 9.0), (9, 50.0, 7.0)]


def test_all_rows_of_an_instant_count_before_the_account_is_called() -> None:
    """Long A and short B, both at 10.00: A falls to 5.00 and B with it at the same time. No call in between."""
    items = (A, Instrument("B.X"))
    table = {
        "ts": np.repeat([10, 20, 30], 2),
        "start": np.repeat([0, 10, 20], 2),
        "instrument": ["A.X", "B.X"] * 3,
        **{name: [10.0] * 4 + [5.0, 5.0] for name in ("open", "high", "low", "close")},
    }
    events = events_from_bars(table, items)
    orders = [Order(1, 10, "A.X", "buy", 500), Order(2, 10, "B.X", "sell", 500)]
    assert told(play(events, orders, spec("block", cash=5_000))) == []
    events = events_from_bars({**table, "close": [10.0] * 4 + [5.0, 10.0], "high": [10.0] * 6}, items)
    assert told(play(events, orders, spec("block", cash=2_501, initial_margin_frac=0.25))) == [
        (30, "margin_call", 1.0, 1_875.0)
    ]


def test_a_strategy_is_called_and_every_way_of_driving_agrees() -> None:
    events = bars([16.0, 16.0, 10.0, 9.0, 9.0])

    def strategy(context: Context, row: int) -> None:
        if row == 0:
            context.buy(1_000)

    run = run_strategy(events, strategy, spec("liquidate"))
    batch = play(events, [Order(1, 10, "A.X", "buy", 1_000)], spec("liquidate"))
    assert run.state_hash == batch.state_hash
    market = Market(events, spec("liquidate"), intents_on(events, [Order(1, 10, "A.X", "buy", 1_000)]))
    market.advance(30)
    held = market.snapshot()
    market.advance()
    end = market.state_hash
    market.restore(held)
    market.advance(steps=1)
    market.advance()
    assert market.state_hash == end == batch.state_hash


# -- cash accounts and settlement
DAY = 86_400 * 10**9


def days(prices: list[float], *, gap: int = 0) -> Events:
    """Return daily bars; after the second one `gap` days without a row."""
    number = np.arange(1, len(prices) + 1) + gap * (np.arange(len(prices)) >= 2)
    columns: dict[str, Any] = dict.fromkeys(("open", "high", "low", "close"), prices)
    return events_from_bars({"ts": DAY * number, "start": DAY * (number - 1), **columns}, A)


@pytest.mark.parametrize("gap", [0, 2])
def test_proceeds_buy_again_when_they_are_settled(gap: int) -> None:
    """1,000 in cash buys 100 at 10.00; sold on the next day, T+1: they buy from the day after that with a row on."""
    events = days([10.0] * 5, gap=gap)
    ts = [int(each) for each in events.ts]
    orders = [
        Order(1, ts[0], "A.X", "buy", 100),
        Order(2, ts[1], "A.X", "sell", 100),  # filled at the open of the third bar
        Order(3, ts[2], "A.X", "buy", 100),
        Order(4, ts[3], "A.X", "buy", 100),
    ]
    one = spec(cash=1_000, account="cash", settlement_days=1)
    market = Market(events, one, intents_on(events, orders))
    market.advance(ts[2])
    money = market.result().money["USD"]
    assert (money["cash"], money["settled"], money["unsettled"]) == (1_000, 0, 1_000)
    market.advance()
    run = market.result()
    assert refused(run) == [(3, "funds")]
    assert run.fills["order"].to_list() == [1, 2, 4]
    money = run.money["USD"]
    assert (money["cash"], money["settled"], money["unsettled"]) == (0, 0, 0)


def test_a_margin_account_buys_with_what_is_not_settled() -> None:
    events = days([10.0] * 4)
    ts = [int(each) for each in events.ts]
    orders = [Order(1, ts[0], "A.X", "buy", 200), Order(2, ts[1], "A.X", "sell", 200),
              Order(3, ts[2], "A.X", "buy", 200)]  # fmt: skip
    run = play(events, orders, spec(cash=1_000, settlement_days=3))
    assert run.fills["order"].to_list() == [1, 2, 3]
    money = run.money["USD"]
    assert (money["cash"], money["settled"], money["unsettled"]) == (-1_000, -3_000, 2_000)


def test_a_cash_account_pays_in_full_and_sells_nothing_short() -> None:
    orders = [
        Order(1, 10, "A.X", "buy", 101),
        Order(2, 10, "A.X", "sell", 1),
        Order(3, 10, "A.X", "buy", 100),
        Order(4, 20, "A.X", "sell", 101),
        Order(5, 20, "A.X", "sell", 60),
        Order(6, 20, "A.X", "sell", 60),
    ]
    run = play(bars([10.0] * 4), orders, spec(cash=1_000, account="cash"))
    assert refused(run) == [(1, "funds"), (2, "no_short_sale"), (4, "no_short_sale"), (6, "no_short_sale")]
    assert run.positions["quantity"].to_list() == [40.0]


def test_orders_that_reduce_are_taken_below_the_margin() -> None:
    """Free margin is below zero at 10.00; a sale needs none."""
    orders = [Order(1, 10, "A.X", "buy", 1_000), Order(2, 30, "A.X", "sell", 1_000)]
    run = play(bars([16.0, 16.0, 10.0, 10.0]), orders, spec("check"))
    assert run.fills["order"].to_list() == [1, 2]


def test_other_currencies_count_at_their_rate() -> None:
    """100 E at 10.00 EUR and 2.00 USD: a quarter of 2,000 USD is held; equity is 0 + 2 x (cash + 1,000)."""
    euro = Instrument("E.X", currency="EUR")
    terms = TradingTerms(initial_margin_frac=0.5, maintenance_margin_frac=0.25)
    both = VenueSpec(cash={"USD": 1_000, "EUR": 0}, fx={"EUR": 2}, margin="block", terms=terms)
    events = merge_events(bars([10.0, 10.0, 4.0], item=euro), news(30, "fx", euro, a=1, b=1_000_000_000))
    run = play(events, [Order(1, 10, "E.X", "buy", 100)], both)
    assert told(run) == []  # at 1.00: 1,000 - 1,000 + 400 = 400, a quarter of 400 is 100
    calm = bars([10.0, 10.0, 4.0], item=euro)
    assert told(play(calm, [Order(1, 10, "E.X", "buy", 100)], both)) == [(30, "margin_call", -200.0, 200.0)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"margin": "none", "account": "cash"}, "account: got 'cash' with margin 'none'; allowed: with 'check' or a"),
        ({"terms": {"initial_margin_frac": 0.2, "maintenance_margin_frac": 0.3}},
         "maintenance_margin_frac: got 0.3; allowed: at most initial_margin_frac, 0.2, or opening a position would be"),
        ({"terms": {"settlement_days": 6}}, "settlement_days"),
        ({"margin": "call"}, "margin"),
    ],
)  # fmt: skip
def test_specs_that_cannot_be(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        VenueSpec.parse(fields, source="a test")
    assert message in str(caught.value)


def test_the_identity_holds_with_every_policy() -> None:
    for margin in ("none", "check", "block", "liquidate"):
        run = play(
            bars([16.0, 16.0, 10.0, 9.0]), [Order(1, 10, "A.X", "buy", 900)], spec(margin, fee=RateFee(taker_bps=7))
        )
        assert run.money["USD"]["start"] == Decimal(8_000)
