"""Whole numbers of the spec's quanta: their range, their decimals, slippage and the cash there is, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from karat.core import RangeError
from karat.market import Bars, MarketSpec, Simulation, TargetWeights, simulate

DAY = 86_400 * 10**9


def one(closes: list[float], targets: list[float], **spec: Any) -> Simulation:
    """One instrument, closes only."""
    ts = np.arange(1, len(closes) + 1, dtype=np.int64) * DAY
    prices = Bars(ts, ("A",), None, np.array(closes)[:, None])
    terms = {"capital_usd": 1000.0, "proportional_bps": 0.0, "fill": "next_close"} | spec
    return simulate(prices, TargetWeights(ts, np.array(targets)[:, None]), MarketSpec(**terms))


@pytest.mark.parametrize(
    ("closes", "targets", "spec", "message"),
    [
        (
            [100.0, 4e-6],
            [0.5, 0.5],
            {},
            "market.price_quantum: got 1e-05; a price is not from 1 to 2**50 ticks in the bar at 1970-01-03T00:00:00Z; "
            "choose one that suits it",
        ),
        (
            [100.0, 100.0],
            [1e12, 0.0],
            {"lot_quantum": 1e-6, "money_quantum": 1e-11},
            "market.lot_quantum: got 1e-06; an order is of 2**50 lots or more in the bar at 1970-01-03T00:00:00Z; "
            "choose a coarser one",
        ),
        (
            [100.0, 100.0, 1e9],
            [0.5, 0.5, 0.0],
            {},
            "market.money_quantum: got 1e-12; money is beyond 2**62 quanta in the bar at 1970-01-04T00:00:00Z; "
            "choose a coarser lot_quantum",
        ),
    ],
)
def test_a_number_out_of_its_range_is_refused_and_what_was_before_it_is_not(
    closes: list[float], targets: list[float], spec: dict[str, Any], message: str
) -> None:
    with pytest.raises(RangeError) as caught:
        one(closes, targets, **spec)
    assert str(caught.value) == message
    whole = len(closes) - 1
    assert len(one(closes[:whole], targets[:whole], **spec).equity) == whole


def test_the_quanta_are_the_decimals_that_were_written() -> None:
    quanta = MarketSpec().quanta
    assert [str(part) for part in quanta] == ["0.00001", "0.0001", "1E-9", "1"]
    assert str(MarketSpec(capital_usd=2.5e8).quanta.lot) == "0.01"
    chosen = MarketSpec(price_quantum=0.05, lot_quantum=1, money_quantum=0.01).quanta
    assert (str(chosen.tick), chosen.unit, chosen.of_money(0.125), chosen.of_money(0.115)) == ("0.05", 5, 13, 12)
    assert (MarketSpec(proportional_bps=0.000005).rate, MarketSpec(slippage_bps=12.5).slip) == (1, 1_250_000)


def test_slippage_moves_the_price_against_the_order_and_is_itemised() -> None:
    result = one([100.0, 100.0, 100.0], [0.5, 0.0, 0.0], slippage_bps=10, proportional_bps=10)
    assert result.fills["price"].to_list() == [100.1, 99.9]
    assert result.fills["reference_price"].to_list() == [100.0, 100.0]
    assert result.fills["cost_slippage_usd"].to_list() == [0.5, 0.5]
    assert result.fills["cost_proportional_usd"].to_list() == pytest.approx([0.5005, 0.4995])
    assert result.costs == {"proportional": 1.0, "fixed": 0.0, "slippage": 1.0, "total": 2.0}
    assert result.equity["equity_usd"].to_list() == pytest.approx([1000, 998.9995, 998.0])


@pytest.mark.parametrize(
    ("cash", "note", "held"),
    [
        ("borrow", "Cash was below zero after 2 of 3 bars: interest is not simulated.", 15.0),
        ("scale", "2 buys scaled down to the cash there was.", 10.0),
        ("reject", "2 buys refused for want of the cash there was.", 0.0),
    ],
)
def test_what_happens_without_the_cash_is_chosen_and_noted(cash: str, note: str, held: float) -> None:
    result = one([100.0, 100.0, 100.0], [1.5, 1.5, 1.5], cash=cash)
    assert result.notes[0] == note
    assert result.positions[-1, 0] == pytest.approx(held, abs=1e-6)
    assert ("NO TRADES: the cash did not cover a single lot." in result.notes) == (cash == "reject")
