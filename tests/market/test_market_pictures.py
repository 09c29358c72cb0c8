"""Summaries and pictures of a run: what they count is what happened, and nothing to draw is said."""

from __future__ import annotations

from decimal import Decimal
from io import BytesIO
from typing import Any

import matplotlib
import numpy as np
import pytest

from karat.data import Instrument, events_from_bars, events_from_quotes
from karat.market import (
    LogNormalLatency,
    MarketRun,
    Order,
    RateFee,
    TickSlippage,
    TradingTerms,
    VenueSpec,
    describe_run,
    intents_on,
    plot_run,
    run_facts,
    simulate,
)
from karat.market._plots import thin

HOUR = 3_600_000_000_000
ABC = Instrument("ABC.XNYS")
TERMS = TradingTerms(fee=RateFee(maker_bps=1, taker_bps=2), slippage=TickSlippage(slippage_ticks=1))


def run_on_bars(orders: list[Order], n: int = 50, **spec: Any) -> MarketRun:
    """Return a run of orders on bars that climb a cent an hour."""
    close = 100 + np.arange(1, n + 1) / 100
    prices = {"open": close - 0.01, "high": close + 0.05, "low": close - 0.05, "close": close}
    columns = {name: values.round(2) for name, values in prices.items()}
    events = events_from_bars({"ts": np.arange(1, n + 1) * HOUR, **columns, "volume": np.full(n, 1000.0)}, ABC)
    return simulate(events, intents_on(events, orders), VenueSpec(**{"terms": TERMS, **spec}))


def orders_every(step: int, n: int) -> list[Order]:
    """Return market orders, bought and sold in turn."""
    sides = ("buy", "sell")
    return [Order(k + 1, (step * k + 1) * HOUR, ABC.id, sides[k % 2], 10) for k in range(n)]  # type: ignore[arg-type]


def words_of(figure: Any) -> str:
    """Return all text of a figure."""
    found = [text.get_text() for axes in figure.axes for text in axes.texts]
    for axes in figure.axes:
        found.append(axes.get_title(loc="left"))
        legend = axes.get_legend()
        found += [text.get_text() for text in legend.get_texts()] if legend else []
    return "\n".join(found)


@pytest.mark.req("SIM-02")
def test_costs_and_delays_sum_to_their_totals() -> None:
    delay = LogNormalLatency(mu=3.9, sigma=0.3)
    run = run_on_bars(orders_every(3, 12), terms=TERMS.model_copy(update={"entry": delay, "response": delay}))
    facts = run_facts(run)
    costs, money = facts["costs"]["USD"], run.money["USD"]
    assert costs["fees"] == pytest.approx(float(money["charges"]), abs=1e-9)
    assert costs["fees"] == pytest.approx(run.fills["fee"].sum(), abs=1e-9)
    assert costs["slippage"] == pytest.approx(run.fills["slippage"].sum(), abs=1e-9)
    assert costs["slippage"] == pytest.approx(12 * 10 * 0.01)
    assert costs["total"] == pytest.approx(costs["fees"] + costs["slippage"] + costs["funding"])
    buckets = facts["latency_histogram"]
    assert sum(bucket["orders"] for bucket in buckets) == 12
    inside = [bucket["orders"] for bucket in buckets if bucket["from_ns"] >= 10**7 and bucket["to_ns"] <= 10**9]
    assert sum(inside) == 12  # the median is 49 ms
    assert facts["telemetry"]["fill_rate"] == 1.0
    assert (
        money["cash"] + money["positions"] - money["start"]
        == money["realised"] + money["unrealised"] - money["charges"]
    )


def test_the_words_say_what_happened_and_what_to_doubt() -> None:
    text = describe_run(run_on_bars([*orders_every(3, 4), Order(5, 40 * HOUR, ABC.id, "sell", 1, reduce_only=True)]))
    assert "fills      4, 0 of them as maker, 100.0% of the accepted quantity" in text
    assert "rejected gateway: reduce_only, there is no position to reduce" in text
    assert "delay      none: orders were at the venue when they were sent" in text
    empty = describe_run(run_on_bars([]))
    assert "orders     none were sent" in empty
    assert "* NO TRADES" in empty


def test_the_picture_shows_equity_fills_costs_and_delays() -> None:
    before = {name: matplotlib.rcParams[name] for name in ("font.size", "axes.grid", "svg.hashsalt")}
    figure = plot_run(run_on_bars(orders_every(3, 13)))
    assert {name: matplotlib.rcParams[name] for name in before} == before
    words = words_of(figure)
    assert "7 buy fills" in words
    assert "6 sell fills" in words
    assert "13 orders, each 0 ms" in words
    assert "1.30" in words  # slippage: 13 fills of 10 units, a cent each
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    assert buffer.getvalue().startswith(b"\x89PNG")


def test_delays_that_differ_are_a_histogram() -> None:
    terms = TERMS.model_copy(update={"entry": LogNormalLatency()})
    axes = plot_run(run_on_bars(orders_every(2, 20), terms=terms)).axes[-1]
    assert sum(patch.get_height() for patch in axes.patches) == 20
    assert any(text.get_text().startswith("median 4") for text in axes.get_legend().get_texts())


def test_what_cannot_be_drawn_is_said() -> None:
    words = words_of(plot_run(run_on_bars([], keep_equity=False)))
    for said in ("equity was not kept", "nothing was paid", "no order was accepted", "0 buy fills"):
        assert said in words


def test_quotes_are_drawn_by_their_middle_and_only_up_to_where_the_run_came() -> None:
    table = {"ts": [HOUR, 2 * HOUR], "bid": [10.0, 10.2], "bid_size": [5, 5], "ask": [10.2, 10.4], "ask_size": [5, 5]}
    events = events_from_quotes(table, ABC)
    axes = plot_run(simulate(events, intents_on(events, []))).axes[2]
    assert axes.lines[0].get_ydata().tolist() == pytest.approx([10.1, 10.3])


def test_thinning_keeps_extremes() -> None:
    values = np.sin(np.arange(100_000) / 50.0)
    values[77_777], values[33_333] = 9.0, -9.0
    ts, shown = thin(np.arange(100_000), values)
    assert len(ts) <= 3_002
    assert (shown.max(), shown.min()) == (9.0, -9.0)
    assert thin(np.arange(3), values[:3])[1] is values[:3] or len(thin(np.arange(3), values[:3])[1]) == 3


def test_two_currencies_are_counted_apart() -> None:
    spec = {"cash": {"EUR": Decimal(1000), "USD": Decimal(100_000)}, "fx": {"USD": Decimal("0.9")}}
    facts = run_facts(run_on_bars(orders_every(3, 2), **spec))
    assert facts["costs"]["EUR"]["total"] == 0.0
    assert facts["costs"]["USD"]["slippage"] == pytest.approx(0.2)
