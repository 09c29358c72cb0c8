"""Almgren-Chriss, implementation shortfall and the monthly cost against golden values. Numbers are the invariants."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karat.core import ConfigError, InputError
from karat.market import (
    ExecutedOrder,
    ScheduleTerms,
    VariableCosts,
    almgren_chriss,
    implementation_shortfall,
    monthly_costs,
    trade_costs,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "market"
SCHEDULES = json.loads((GOLDEN / "ac_as_expected.json").read_text())["almgren_chriss"]
SHORTFALL = json.loads((GOLDEN / "execution_benchmarks.json").read_text())["implementation_shortfall"]


def terms(risk_aversion: float, **change: float) -> ScheduleTerms:
    given = SCHEDULES["params"]
    values = {
        "quantity": given["X"],
        "time": given["T"],
        "intervals": given["N"],
        "sigma": given["sigma"],
        "epsilon": given["eps"],
        "eta": given["eta"],
        "gamma": given["gamma"],
    }
    return ScheduleTerms.parse({**values, "risk_aversion": risk_aversion, **change}, source="test")


@pytest.mark.req("SIM-08")
@pytest.mark.parametrize("row", SCHEDULES["rows"], ids=lambda row: f"lambda {row['lambda']}")
def test_schedules_are_the_golden_ones(row: dict) -> None:
    found = almgren_chriss(terms(row["lambda"]))
    assert found.kappa == pytest.approx(row["kappa"], rel=1e-12)
    assert np.allclose(found.left, row["x_k"], rtol=1e-12, atol=1e-6)
    assert np.allclose(found.traded, row["n_k"], rtol=1e-9)
    assert found.expected_cost == pytest.approx(row["E"], rel=1e-12)
    assert found.variance == pytest.approx(row["V"], rel=1e-12)


@pytest.mark.req("SIM-08")
@pytest.mark.parametrize("risk_aversion", [0.0, 1e-12, 1e-6, 1e-3, 1e6])
def test_1_a_schedule_ends_at_nothing_never_rises_and_beats_its_neighbours(risk_aversion: float) -> None:
    chosen = terms(risk_aversion)
    found = almgren_chriss(chosen)
    assert (found.left[0], found.left[-1]) == (1e6, 0.0)
    assert (np.diff(found.left) <= 0).all()

    def objective(left: np.ndarray) -> float:
        tau, traded = chosen.time / chosen.intervals, -np.diff(left)
        cost = 0.5 * chosen.gamma * left[0] ** 2 + chosen.epsilon * np.abs(traded).sum()
        cost += chosen.eta_tilde / tau * (traded**2).sum()
        return float(cost + risk_aversion * chosen.sigma**2 * tau * (left[1:] ** 2).sum())

    best = objective(found.left)
    assert best == pytest.approx(found.expected_cost + risk_aversion * found.variance, rel=1e-9)
    for k in range(1, chosen.intervals):
        for nudge in (-1e4, 1e4):
            other = found.left.copy()
            other[k] += nudge
            assert objective(other) > best


def test_a_schedule_whose_permanent_impact_beats_the_temporary_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"eta: got 2\.5e-06; it must be above gamma \* tau / 2 = 0\.5"):
        terms(0.0, gamma=1.0)


def shortfall_order(**change: object) -> ExecutedOrder:
    given = SHORTFALL
    values = {
        "side": 1 if given["side"] == "BUY" else -1,
        "ordered": given["ordered"],
        "decision_price": given["decision_px"],
        "arrival_price": given["arrival_px"],
        "close_price": given["close_px"],
        "fills": given["fills"],
        "fees": given["fees"],
    }
    return ExecutedOrder.parse({**values, **change}, source="test")


def test_the_shortfall_is_the_golden_one() -> None:
    found = implementation_shortfall(shortfall_order())
    parts = (found.delay, found.impact, found.opportunity, found.fees, found.total)
    assert parts == (Decimal(70), Decimal(130), Decimal(300), Decimal(7), Decimal(507))
    assert found.bps == pytest.approx(SHORTFALL["IS_bps_of_paper"], rel=1e-12)


PRICE = st.floats(0.01, 1e6)


@given(st.sampled_from([1, -1]), PRICE, PRICE, PRICE, st.lists(st.tuples(st.floats(0.001, 10), PRICE), max_size=5))
@settings(max_examples=60, deadline=None)
def test_2_the_parts_add_up_exactly(
    side: int, decision: float, arrival: float, close: float, fills: list[tuple[float, float]]
) -> None:
    order = shortfall_order(
        side=side, decision_price=decision, arrival_price=arrival, close_price=close, fills=fills, ordered=50.5
    )
    found = implementation_shortfall(order)
    parts = (found.delay, found.impact, found.opportunity, found.fees)
    assert sum(map(Fraction, parts)) == Fraction(found.total)


@pytest.mark.parametrize(
    ("fills", "message"),
    [([(600, 50), (401, 50)], "allowed: 1000.0 or less in all"), ([(0, 50)], "allowed: quantities above 0")],
)
def test_fills_that_cannot_be_are_refused(fills: list[tuple[float, float]], message: str) -> None:
    with pytest.raises(InputError) as caught:
        implementation_shortfall(shortfall_order(fills=fills))
    assert message in str(caught.value)


@pytest.mark.req("SIM-12")
def test_the_worked_month_costs_1800_with_the_inputs_stated() -> None:
    spec = VariableCosts()
    stated = (spec.trades_per_day, spec.days, spec.trade_usd, spec.fee_bps, spec.funding_frac, spec.hold_hours)
    assert stated == (100, 30, 1000.0, 4.0, 0.0001, 8.0)
    assert (spec.slippage_bps, spec.impact_y, spec.sigma_frac, spec.volume_usd) == (0.5, 1.0, 0.02, 1.6e8)
    found = monthly_costs(spec)
    assert (found.fees, found.funding, found.borrow, found.slippage, found.impact) == (1200, 300, 0, 150, 150)
    assert found.total == 1800
    assert trade_costs(spec).total == Decimal("0.6")


@pytest.mark.req("SIM-12")
@given(st.floats(-10, 10), st.floats(-0.01, 0.01), st.floats(0, 1), st.floats(0, 1000), st.integers(0, 500))
@settings(max_examples=60, deadline=None)
def test_2_the_month_is_the_sum_of_its_parts_and_trades(
    fee: float, funding: float, borrow: float, hours: float, trades: int
) -> None:
    spec = VariableCosts(fee_bps=fee, funding_frac=funding, borrow_frac=borrow, hold_hours=hours, trades_per_day=trades)
    one, month = trade_costs(spec), monthly_costs(spec)
    assert month.total == month.fees + month.funding + month.borrow + month.slippage + month.impact
    assert month.total == 30 * trades * one.total
    assert float(one.borrow) == pytest.approx(1000 * borrow * hours / 8760, abs=1e-11)
    assert float(one.funding) == pytest.approx(1000 * funding * hours / 8, abs=1e-11)
