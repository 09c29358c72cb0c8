"""`simulate`: one name for both kernels, and what it says when kinds do not go together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from karat.core import InputError
from karat.data import Instrument, events_from_bars
from karat.market import (
    Bars,
    Cancel,
    MarketRun,
    MarketSpec,
    Order,
    Simulation,
    Target,
    TargetQuantities,
    TargetWeights,
    VenueSpec,
    intents_on,
    simulate,
)

PRICES: dict[str, Any] = {"open": [10.0, 10.0, 11.0], "high": [10.0, 11.0, 12.0], "low": [10.0, 10.0, 11.0]}
CLOSE = [10.0, 11.0, 12.0]
TS = np.array([1, 2, 3], dtype=np.int64)
EVENTS = events_from_bars({"ts": TS, **PRICES, "close": CLOSE}, Instrument("A.X"))
BARS = Bars(TS, ("A.X",), np.array(PRICES["open"])[:, None], np.array(CLOSE)[:, None])
ORDERS = [Order(1, 1, "A.X", "buy", 5)]
TARGETS = TargetQuantities(TS[:1], np.array([[5.0]]))


def test_the_data_choose_the_kernel() -> None:
    market, panel = simulate(EVENTS, ORDERS), simulate(BARS, TARGETS, MarketSpec(proportional_bps=0))
    assert isinstance(market, MarketRun)
    assert isinstance(panel, Simulation)
    assert market.fills["price"].to_list() == panel.fills["price"].to_list() == [10.0]
    assert market.equity["equity"].to_list() == panel.equity["equity_usd"].to_list() == [1e6, 1e6 + 5, 1e6 + 10]
    assert market.telemetry["fills"] == panel.telemetry["fills"] == 1
    assert market.telemetry["traded"] == panel.telemetry["traded"] == 50.0


def test_what_both_results_share_is_there() -> None:
    market, panel = simulate(EVENTS, ORDERS), simulate(BARS, TARGETS)
    for name in ("fills", "equity", "positions", "notes", "telemetry", "spec"):
        assert hasattr(market, name), name
        assert hasattr(panel, name), name
    assert {"ts", "instrument", "quantity", "price", "reference_price"} <= set(market.fills.columns)
    assert {"ts", "instrument", "quantity", "price", "reference_price"} <= set(panel.fills.columns)
    assert set(panel.telemetry) - {"orders_skipped"} <= set(market.telemetry)
    assert panel.telemetry["fees"] == pytest.approx(50 * 1e-4)


def test_a_list_a_tuple_and_rows_are_the_same() -> None:
    run = simulate(EVENTS, intents_on(EVENTS, ORDERS))
    for orders in (ORDERS, tuple(ORDERS), ORDERS[0]):
        assert simulate(EVENTS, orders).state_hash == run.state_hash  # type: ignore[call-overload]
    assert simulate(EVENTS, [Target(1, 1, "A.X", quantity=5), Cancel(1, 2)]).fills["quantity"].to_list() == [5.0]


MIXED: dict[str, tuple[Any, str]] = {
    "table": (
        ({"ts": [1]}, ORDERS, None),
        "data: got 'dict'; allowed: Events or Bars; events_from_bars makes Events of a table (or _quotes, _trades, "
        "_depth), bars_from_panel Bars of a Panel",
    ),
    "targets_on_events": (
        (EVENTS, TargetWeights(TS[:1], np.array([[0.5]])), None),
        "intents: got 'TargetWeights'; the data are Events; allowed: orders; give Bars instead, or one Target(...) for "
        "each instrument and time",
    ),
    "orders_on_bars": (
        (BARS, ORDERS, None),
        "intents: got 'list'; the data are Bars; allowed: TargetWeights or TargetQuantities; events_from_bars makes "
        "events of bars, for orders",
    ),
    "spec_of_bars": (
        (EVENTS, ORDERS, MarketSpec()),
        "spec: got 'MarketSpec'; the data are Events; allowed: a VenueSpec or None; a MarketSpec is for Bars and "
        "targets",
    ),
    "spec_of_events": (
        (BARS, TARGETS, VenueSpec()),
        "spec: got 'VenueSpec'; the data are Bars; allowed: a MarketSpec or None; a VenueSpec is for Events",
    ),
    "a_path": (
        (EVENTS, "orders.csv", None),
        "intents: got 'str'; allowed: a list of Order, Cancel, Amend and Target, or Intents; read_orders reads them "
        "from a file",
    ),
    "not_an_order": (
        (EVENTS, [ORDERS[0], {"id": 2}], None),
        "intents[1]: got 'dict'; allowed: an Order, Cancel, Amend or Target",
    ),
}


@pytest.mark.parametrize("name", MIXED)
def test_kinds_that_do_not_go_together_are_named(name: str) -> None:
    given, message = MIXED[name]
    with pytest.raises(InputError) as caught:
        simulate(*given)
    assert str(caught.value) == message
