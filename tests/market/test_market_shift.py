"""Permanent impact in the event market: against the closed form of Almgren and Chriss, and against the plain market."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "oracles"))
from market_cases import BUY, SELL, bar, event, market, quote
from market_oracle_orders import Venue
from market_oracle_types import BARS, QUOTES
from market_parity import SHARE, batch, compiled, difference, in_chunks, resumed, varied
from market_scenarios import Options, Scenario, Seeded

from karat.core import InputError
from karat.data import Instrument, events_from_bars, events_from_depth
from karat.kernels.market import _layout as k
from karat.kernels.market._block import table
from karat.market import (
    AlmgrenChrissImpact,
    NoFee,
    Order,
    ScheduleTerms,
    TradingTerms,
    VenueSpec,
    almgren_chriss,
    intents_on,
    simulate,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "market" / "ac_as_expected.json").read_text())
PARAMS = GOLDEN["almgren_chriss"]["params"]
TICK = Decimal("0.0001")
START = 50.0


def sold(traded: np.ndarray) -> float:
    """Return what selling these lots, one interval after the other, cost against the first price."""
    lots = np.rint(traded).astype(int)
    tau, n = PARAMS["T"] / PARAMS["N"], len(lots) + 1
    impact = AlmgrenChrissImpact(
        epsilon_ticks=PARAMS["eps"] / float(TICK),
        eta_ticks=PARAMS["eta"] / tau / float(TICK),
        gamma_ticks=PARAMS["gamma"] / float(TICK),
    )
    flat = {name: [START] * n for name in ("open", "high", "low", "close")}
    ts = [10 * (number + 1) for number in range(n)]
    events = events_from_bars({"ts": ts, "start": [one - 10 for one in ts]} | flat, Instrument("A.X", tick=TICK))
    orders = [Order(m + 1, 10 * m, "A.X", "sell", int(q)) for m, q in enumerate(lots) if q > 0]
    run = simulate(events, intents_on(events, orders), VenueSpec(terms=TradingTerms(impact=impact, fee=NoFee())))
    fills = run.fills
    assert int(fills["quantity"].sum()) == int(lots.sum()) == int(PARAMS["X"])
    return float(lots.sum() * START - (fills["price"] * fills["quantity"]).sum())


@pytest.mark.req("SIM-08")
@pytest.mark.parametrize("row", GOLDEN["almgren_chriss"]["rows"], ids=lambda row: f"lambda {row['lambda']}")
def test_the_cost_of_a_schedule_is_that_of_the_formula(row: dict) -> None:
    """E = gamma X^2 / 2 + eps X + (eta - gamma tau / 2) / tau sum n^2; a tick a lot for rounding at most."""
    found = sold(np.array(row["n_k"]))
    assert found == pytest.approx(row["E"], abs=2 * float(TICK) * PARAMS["X"])
    if row["lambda"] == 0:  # all numbers are whole ticks
        assert found == pytest.approx(row["E"], rel=1e-12)


@pytest.mark.req("SIM-08")
def test_a_linear_schedule_costs_what_the_closed_form_says() -> None:
    terms = ScheduleTerms(
        quantity=PARAMS["X"], time=PARAMS["T"], intervals=PARAMS["N"], sigma=PARAMS["sigma"],
        epsilon=PARAMS["eps"], eta=PARAMS["eta"], gamma=PARAMS["gamma"],
    )  # fmt: skip
    plan = almgren_chriss(terms)
    assert sold(plan.traded) == pytest.approx(plan.expected_cost, rel=1e-12)
    wrong = almgren_chriss(terms.model_copy(update={"gamma": 2 * PARAMS["gamma"]}))
    assert sold(plan.traded) != pytest.approx(wrong.expected_cost, rel=1e-3)


def moving(made: Scenario, gamma: float = 0.3) -> Scenario:
    """Return a scenario in which a lot moves all later prices by some ticks."""
    return replace(made, terms=tuple({**terms, "gamma": gamma} for terms in made.terms))


@pytest.mark.parametrize("matcher", [BARS, QUOTES], ids=["bars", "quotes"])
@pytest.mark.req("SIM-08")
def test_both_markets_agree_and_the_way_of_driving_changes_nothing(matcher: int) -> None:
    for seed in range(40 // SHARE):
        made = moving(varied(Seeded(seed), Options(matcher=matcher)))
        assert difference(made) == "", seed
        if seed < 3:
            whole, choose = batch(made), Seeded(seed)
            assert in_chunks(made, choose, True) == whole
            assert resumed(made, choose.pick(0, len(whole.hashes))) == whole


@pytest.mark.parametrize("matcher", [BARS, QUOTES], ids=["bars", "quotes"])
def test_the_comparison_sees_a_planted_fault(matcher: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [moving(varied(Seeded(seed), Options(matcher=matcher))) for seed in range(10)]
    monkeypatch.setattr(Venue, "moved", lambda venue, i, lowest: 0)
    assert any(difference(one) for one in made)


def test_a_fill_moves_quotes_marks_and_what_follows_at_once() -> None:
    """2 ticks a lot: 3 lots bought at 101 move the quote from 99 / 101 to 105 / 107 before the next row comes."""
    events = [quote(0, 99, 9, 101, 9), event(1, k.TRADE, 100, 1), quote(9, 99, 9, 101, 9), quote(30, 49, 9, 51, 9)]
    orders = [market(2, 1, BUY, 3), market(3, 2, BUY, 1), market(10, 3, SELL, 4), market(31, 4, BUY, 1)]
    made = Scenario(({"matcher": QUOTES, "gamma": 2.0},), (0,), events, orders)
    engine = compiled(made)
    engine.advance(2)
    row = table(engine.block, "instruments")[0]
    assert [int(row[word]) for word in (k.I_BID, k.I_ASK, k.I_LAST, k.I_MARK)] == [105, 107, 106, 106]
    engine.advance()
    assert [(fill.id, fill.price) for fill in engine.fills()] == [(1, 101), (2, 107), (3, 107), (4, 51)]
    assert difference(made) == ""


def test_no_price_falls_below_one_tick_and_the_shift_is_kept() -> None:
    """30 lots sold move everything by -60 ticks; a bar recorded at 40 is shown at 1, one at 100 at 40."""
    events = [bar(n, *(4 * (price,)), -1) for n, price in enumerate((100, 40, 100))]
    made = Scenario(
        ({"gamma": 2.0},), (0,), events, [market(0, 1, SELL, 30), market(10, 2, BUY, 1), market(20, 3, BUY, 1)]
    )
    engine = compiled(made)
    engine.advance()
    assert [fill.price for fill in engine.fills()] == [100, 1, 100 - 58]
    assert difference(made) == ""


def test_a_split_divides_the_shift() -> None:
    """10 lots bought at 100 move prices by 20 ticks; after 2 for 1 the bar recorded at 50 is shown at 60."""
    rows = [bar(0, 100, 100, 100, 100), event(10, k.SPLIT, 100, a=2, b=1), bar(1, 50, 50, 50, 50)]
    rows.sort(key=lambda row: row["ts"])
    engine = compiled(Scenario(({"gamma": 2.0},), (0,), rows, [market(0, 1, BUY, 10), market(10, 2, SELL, 20)]))
    engine.advance()
    assert [(fill.price, fill.qty) for fill in engine.fills()] == [(100, 10), (60, 20)]


def test_permanent_impact_on_displayed_depth_is_refused() -> None:
    rows = {"ts": [1, 2], "side": ["bid", "ask"], "price": [9.0, 10.0], "size": [5, 5]}
    events = events_from_depth(rows, Instrument("A.X"))
    spec = VenueSpec(terms=TradingTerms(impact=AlmgrenChrissImpact(gamma_ticks=0.5)))
    with pytest.raises(InputError, match=r"spec.terms.impact.gamma_ticks: got 0.5; orders in A.X walk displayed depth"):
        simulate(events, intents_on(events, []), spec)
