"""The target kernel for panels and the event market give the same fills, cash and equity, to the quantum.

Both fill a decision at the open of the next bar. Where they round differently, the test's numbers have no rounding:

* a target weight is a float for the panel and the nearest 1e-9 for the event market: the weights are multiples of
  1/512, which both hold exactly, and the equity is below 2**44 quanta, so that the panel's product is exact. Both take
  the wanted money down to whole lots;
* slippage is rounded to the nearest tick by the panel and up by the event market: prices are multiples of 100 ticks.

They differ by design where an instrument has no bar: the panel drops the order, the event market lets it wait.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from karat.data import Events, Instrument
from karat.kernels.market import layout as at
from karat.market import (
    Bars,
    BpsSlippage,
    Intents,
    MarketRun,
    MarketSpec,
    RateFee,
    Simulation,
    TargetQuantities,
    TargetWeights,
    TradingTerms,
    VenueSpec,
    simulate,
)

STEP = 60 * 10**9
NAMES = ("A.X", "B.X", "C.X", "D.X", "E.X")
TICK, QUANTUM, CAPITAL = 0.01, 1e-6, 1_000_000


def prices(seed: int, count: int, *, step: int) -> tuple[Any, Any]:
    """Return opens and closes in ticks, multiples of `step`."""
    rng = np.random.default_rng(seed)
    moves = rng.integers(-3, 4, size=(2 * count, len(NAMES)))
    path = np.maximum(rng.integers(20, 90, len(NAMES)) + np.cumsum(moves, axis=0), 2)
    return path[0::2] * step, path[1::2] * step


def events_of(opens: Any, closes: Any) -> Events:
    """Return the bars as events: all instruments of a bar at its end, in their order."""
    count, width = opens.shape
    ts = np.repeat(STEP * np.arange(1, count + 1), width)
    flat = {"price": opens, "a": np.maximum(opens, closes), "b": np.minimum(opens, closes), "c": closes}
    columns: dict[str, Any] = {name: values.ravel() for name, values in flat.items()}
    number = np.tile(np.arange(width), count)
    kind, volume = np.full(len(ts), at.BAR), np.full(len(ts), -1)
    items = tuple(Instrument(name, tick=Decimal("0.01")) for name in NAMES)
    return Events(ts, ts, kind, qty=volume, instruments=items, instrument=number, d=ts - STEP, **columns)


def both(
    opens: Any, closes: Any, wanted: Any, *, action: int, fee_bps: float, slip_bps: float, quantum: float = QUANTUM
) -> tuple[Simulation, MarketRun]:
    """Run the same targets through the panel and through the event market; wanted: lots, or weights in 1/512."""
    ts = STEP * np.arange(1, len(opens) + 1)
    bars = Bars(ts, NAMES, opens * TICK, closes * TICK)
    terms = MarketSpec(
        capital_usd=CAPITAL,
        proportional_bps=fee_bps,
        slippage_bps=slip_bps,
        price_quantum=TICK,
        lot_quantum=1,
        money_quantum=quantum,
    )
    weights = action == at.TARGET_WEIGHT
    targets = TargetWeights(ts, wanted / 512) if weights else TargetQuantities(ts, wanted.astype(np.float64))
    rows = np.zeros((wanted.size, at.INTENT), dtype=np.int64)
    rows[:, at.T_TS], rows[:, at.T_ACTION] = np.repeat(ts, len(NAMES)), action
    rows[:, at.T_ID], rows[:, at.T_INSTRUMENT] = np.arange(1, wanted.size + 1), np.tile(np.arange(5), len(ts))
    rows[:, at.T_QTY] = wanted.ravel() * (1_953_125 if weights else 1)  # 1e9 / 512
    costs = TradingTerms(fee=RateFee(taker_bps=fee_bps), slippage=BpsSlippage(slippage_bps=slip_bps))
    venue = VenueSpec(cash={"USD": CAPITAL}, money_quantum=quantum, terms=costs)
    return simulate(bars, targets, terms), simulate(events_of(opens, closes), Intents(rows), venue)


def compare(panel: Simulation, market: MarketRun) -> None:
    records, fills = panel.run.records, market.fill_rows
    lots = fills[:, at.F_SIDE] * fills[:, at.F_QTY]
    assert (fills[:, at.F_TS] // STEP).tolist() == records.row.tolist()  # filled at the open, the end of the bar before
    assert fills[:, at.F_INSTRUMENT].tolist() == records.column.tolist()
    assert lots.tolist() == records.lots.tolist()
    assert fills[:, at.F_PRICE].tolist() == records.price.tolist()
    assert fills[:, at.F_REFERENCE].tolist() == records.reference.tolist()
    assert fills[:, at.F_FEE].tolist() == records.proportional.tolist()
    assert market.equity_rows is not None
    assert market.equity_rows[len(NAMES) - 1 :: len(NAMES)].tolist() == panel.run.equity.tolist()
    assert market.money["USD"]["cash"] / market.spec.money_quantum == int(panel.run.cash[-1])


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("slip_bps", [0, 100])
@pytest.mark.req("SIM-01", "SIM-21")
def test_target_quantities_are_the_same(seed: int, slip_bps: int) -> None:
    opens, closes = prices(seed, 120, step=100 if slip_bps else 1)
    wanted = np.random.default_rng(seed + 100).integers(-400, 401, size=opens.shape)
    wanted[wanted % 3 == 0] = 0
    panel, market = both(opens, closes, wanted, action=at.TARGET_QTY, fee_bps=7.5, slip_bps=slip_bps)
    assert len(market.fill_rows) > 300
    compare(panel, market)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("slip_bps", [0, 100])
@pytest.mark.parametrize("quantum", [1e-6, 0.01])
@pytest.mark.req("SIM-01", "SIM-21")
def test_target_weights_are_the_same(seed: int, slip_bps: int, quantum: float) -> None:
    """With a quantum of a cent, rounding to the nearest instead of down would be seen once in some hundred orders."""
    opens, closes = prices(seed, 120, step=100 if slip_bps else 7)
    wanted = np.random.default_rng(seed + 200).integers(-60, 90, size=opens.shape)
    terms = {"fee_bps": 1, "slip_bps": slip_bps, "quantum": quantum}
    panel, market = both(opens, closes, wanted, action=at.TARGET_WEIGHT, **terms)
    assert len(market.fill_rows) > 300
    compare(panel, market)


def test_a_weight_is_taken_down_to_whole_lots() -> None:
    """By hand: 511/512 of 1,000,000 at 100 a lot is 9,980.46875 lots, and 9,980 are bought."""
    opens, closes = np.full((3, len(NAMES)), 10_000), np.full((3, len(NAMES)), 10_000)
    wanted = np.zeros(opens.shape, dtype=np.int64)
    wanted[0, 0] = 511
    wanted[1:, 0] = 511
    panel, market = both(opens, closes, wanted, action=at.TARGET_WEIGHT, fee_bps=0, slip_bps=0, quantum=0.01)
    compare(panel, market)
    assert market.fills["quantity"].to_list() == [9_980.0]


def test_another_price_is_noticed() -> None:
    """The planted fault: one open that differs by a tick."""
    opens, closes = prices(1, 120, step=1)
    wanted = np.random.default_rng(5).integers(-400, 401, size=opens.shape)
    panel, _ = both(opens, closes, wanted, action=at.TARGET_QTY, fee_bps=7.5, slip_bps=0)
    opens[60, 2] += 1
    _, market = both(opens, closes, wanted, action=at.TARGET_QTY, fee_bps=7.5, slip_bps=0)
    with pytest.raises(AssertionError):
        compare(panel, market)
