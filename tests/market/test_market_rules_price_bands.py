"""Price bands against the plan's own cases: widths, reference price, states, pauses."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from market_rules_cases import at, golden, session

from karat.kernels.market import _rules_layout as words
from karat.market import Listing, RulesEngine, check_luld_bands


@pytest.mark.req("SIM-17")
@pytest.mark.parametrize("case", golden("luld_bands")["cases"])
def test_bands_are_those_of_the_plan(case: dict[str, Any]) -> None:
    found = check_luld_bands(
        case["reference_price"],
        case["reference_price"],
        tier=case["tier"],
        prior_close=case["prev_close_primary"],
        until_close_s=1500 if case["last_25_min"] else 3600,
    )
    assert (float(found.lower), float(found.upper)) == (case["lower"], case["upper"])
    assert found.inside


@pytest.mark.req("SIM-17")
def test_five_and_ten_per_cent_to_the_cent() -> None:
    for price, inside in (("94.99", False), ("95.00", True), ("105.00", True), ("105.01", False)):
        assert check_luld_bands(price, "100").inside is inside
        assert check_luld_bands(price, "100", until_close_s=1501).inside is inside
    for price, inside in (("89.99", False), ("90.00", True), ("110.00", True), ("110.01", False)):
        assert check_luld_bands(price, "100", until_close_s=1500).inside is inside


@pytest.mark.req("SIM-17")
@pytest.mark.parametrize(
    ("year", "tier", "prior", "first", "middle", "last"),
    [
        (2016, 1, 10_000, 1000, 500, 1000),
        (2016, 2, 10_000, 2000, 1000, 2000),
        (2016, 2, 300, 4000, 2000, 4000),
        (2024, 1, 10_000, 500, 500, 1000),
        (2024, 1, 300, 2000, 2000, 4000),
        (2024, 2, 10_000, 1000, 1000, 1000),
        (2024, 2, 301, 1000, 1000, 1000),
        (2024, 2, 300, 2000, 2000, 4000),
    ],
)
def test_doubling_only_where_it_applies(year: int, tier: int, prior: int, first: int, middle: int, last: int) -> None:
    for close in ("16:00", "13:00"):
        engine = RulesEngine(Listing(tier=tier))
        session(engine, prior, close=close, year=year)
        engine.trade(at("9:30", year=year), 10_000)
        seen = []
        hour = 15 if close == "16:00" else 12
        for text in ("9:44:59", "9:45:00", f"{hour}:34:59", f"{hour}:35:00", f"{hour}:59:59"):
            engine.trade(at(text, year=year), 10_000)
            engine.clock(at(text, year=year))
            assert engine.bands is not None
            seen.append(10_000 - engine.bands[0])
        assert seen == [first, middle, middle, last, last]


@pytest.mark.req("SIM-17")
def test_cheap_stocks_have_the_smaller_of_fifteen_cents_and_75_per_cent() -> None:
    for reference, last, lower, upper in (("0.10", False, "0.03", "0.18"), ("0.50", False, "0.35", "0.65")):
        found = check_luld_bands(reference, reference, prior_close="0.74", until_close_s=1500 if last else 3600)
        assert (str(found.lower), str(found.upper)) == (lower, upper)
    found = check_luld_bands("0.50", "0.50", prior_close="0.74", until_close_s=1500)
    assert (found.lower, found.upper) == (Decimal("0.20"), Decimal("0.80"))
    found = check_luld_bands("0.10", "0.10", prior_close="0.74", until_close_s=1500)
    assert (found.lower, found.upper) == (Decimal("0.00"), Decimal("0.25"))


@pytest.mark.req("SIM-17")
def test_leverage_multiplies_and_rounding_is_a_choice() -> None:
    engine = RulesEngine(Listing(tier=2, leverage=Decimal(3)))
    session(engine, 10_000)
    engine.trade(at("9:30"), 10_000)
    assert engine.bands == (7_000, 13_000)
    half, out = (
        check_luld_bands("37.415", "37.415", tier=2, prior_close=50, rounding=r) for r in ("half_up", "outward")
    )
    assert (str(half.lower), str(half.upper)) == ("33.670", "41.160")
    assert (str(out.lower), str(out.upper)) == ("33.670", "41.160")
    half, out = (check_luld_bands("37.45", "37.45", tier=2, prior_close=50, rounding=r) for r in ("half_up", "outward"))
    assert (str(half.lower), str(half.upper)) == ("33.71", "41.20")  # 33.705 and 41.195, a half upwards
    assert (str(out.lower), str(out.upper)) == ("33.70", "41.20")


@pytest.mark.req("SIM-17")
def test_the_opening_sets_the_reference_price_and_one_per_cent_moves_it() -> None:
    case = golden("luld_reference_price")["scenarios"][0]
    engine = RulesEngine()
    session(engine, 5_000)
    engine.opening(at(case["open"]["t"]), round(case["open"]["px"] * 100))
    assert engine.reference_price == 5_000
    for (when, price), event in zip(case["trades"], case["events"][1:], strict=True):
        engine.trade(at(when), round(price * 100))
        mean = Fraction(int(engine._block[words.SUM]), int(engine._block[words.COUNT]))
        assert float(mean) == pytest.approx(event["pro_forma"] * 100, abs=1e-4)
        assert engine.reference_price == round(event["ref"] * 100)


@pytest.mark.req("SIM-17")
def test_one_per_cent_and_thirty_seconds() -> None:
    """The means of the golden scenario, each made by trades that replace the window."""
    case = golden("luld_reference_price")["scenarios"][1]
    engine = RulesEngine()
    session(engine, 10_000)
    engine.opening(at("9:34:59"), 10_000)  # leaves the window at 9:39:59
    engine.trade(at("9:59:30"), 11_000)
    assert engine.reference_price == 11_000
    engine.trade(at("10:00:00"), 9_000)
    assert engine.reference_price == 10_000
    total, count = 20_000, 2
    for (when, mean), extra in zip(case["proforma"], (10_360, 10_160, 10_105), strict=True):
        engine.trade(at(when), extra)
        total, count = total + extra, count + 1
        assert total == round(mean * 100 * count)
        assert engine.reference_price == (10_125 if when == case["ref_changes"][0]["t"] else 10_000)


@pytest.mark.req("SIM-17")
@pytest.mark.parametrize(
    ("price", "moves"), [(10_202, True), (10_200, True), (10_199, False), (9_800, True), (9_801, False)]
)
def test_one_per_cent_is_exact(price: int, moves: bool) -> None:
    engine = RulesEngine()
    session(engine, 10_000)
    engine.trade(at("9:30"), 10_000)
    engine.trade(at("9:30:30"), price)
    assert engine.reference_price == (Fraction(10_000 + price, 2) if moves else 10_000)


@pytest.mark.req("SIM-17")
def test_without_an_opening_trade_the_prior_close_counts_after_five_minutes() -> None:
    engine = RulesEngine(Listing(first_trade_opens=False))
    session(engine, 10_000)
    engine.clock(at("9:34:59.999999999"))
    assert engine.bands is None
    engine.clock(at("9:35"))
    assert engine.bands == (9_500, 10_500)
    engine = RulesEngine(Listing(first_trade_opens=False))
    session(engine, 10_000)
    engine.trade(at("9:31"), 10_100)
    engine.trade(at("9:32"), 10_200)
    assert engine.bands is None
    engine.clock(at("9:35"))
    assert engine.reference_price == 10_150


@pytest.mark.req("SIM-17")
def test_no_trades_keep_the_reference_price() -> None:
    engine = RulesEngine()
    session(engine, 10_000)
    engine.trade(at("9:30"), 10_000)
    engine.clock(at("12:00"))
    assert engine.reference_price == 10_000


@pytest.mark.req("SIM-17")
@pytest.mark.parametrize("case", golden("luld_states")["cases"][:3])
def test_states_are_those_of_the_plan(case: dict[str, Any]) -> None:
    engine = RulesEngine()
    session(engine, 10_000)
    engine.trade(at("9:30"), 10_000)
    assert engine.bands == (round(case["lower"] * 100), round(case["upper"] * 100))
    state = engine.quote(at("10:00"), round(case["nbb"] * 100), round(case["nbo"] * 100))
    assert state.upper() == case["state"]


@pytest.mark.req("SIM-17")
def test_the_upper_band_mirrors_the_lower_one_and_a_crossed_quote_is_no_limit_state() -> None:
    engine = RulesEngine()
    session(engine, 10_000)
    engine.trade(at("9:30"), 10_000)
    for bid, ask, state in (
        (10_500, 10_510, "limit"),
        (10_500, 10_500, "limit"),
        (10_490, 10_500, "normal"),
        (10_490, 10_501, "straddle"),
        (9_510, 9_500, "normal"),
        (None, 9_500, "limit"),
        (9_400, None, "straddle"),
    ):
        assert engine.quote(at("10:00"), bid, ask) == state, (bid, ask)


@pytest.mark.req("SIM-17")
def test_fifteen_seconds_in_a_limit_state_pause_trading_for_five_minutes() -> None:
    engine = RulesEngine()
    session(engine, 10_000)
    engine.trade(at("9:30"), 10_000)
    assert engine.quote(at("10:00"), 9_490, 9_500) == "limit"
    assert engine.execution(at("10:00:14"), 1, 9_500).allowed
    assert engine.clock(at("10:00:14.999999999")) == "limit"
    assert engine.clock(at("10:00:15")) == "pause"
    refused = engine.execution(at("10:05:14"), 1, 9_500)
    assert (refused.reason.name, refused.allowed) == ("band_pause", False)
    assert engine.order(at("10:05:14"), 1, 9_500).reason.name == "band_pause"
    assert engine.clock(at("10:05:15")) == "normal"
    engine.quote(at("10:05:16"), 9_300, 9_310)
    engine.opening(at("10:05:17"), 9_300)
    assert engine.bands == (8_835, 9_765)


@pytest.mark.req("SIM-17")
def test_orders_and_executions_outside_the_bands_are_refused() -> None:
    engine = RulesEngine()
    session(engine, 10_000)
    engine.trade(at("9:30"), 10_000)
    now = at("10:00")
    assert engine.order(now, 1, 10_501).reason.name == "above_upper_band"
    assert engine.order(now, -1, 9_499).reason.name == "below_lower_band"
    assert engine.order(now, -1, 10_501).allowed  # may be displayed, cannot execute
    assert engine.execution(now, -1, 10_501).reason.name == "above_upper_band"
    assert engine.execution(now, 1, 9_499).reason.name == "below_lower_band"
    assert engine.execution(now, 1, 9_500).allowed
    assert engine.execution(at("16:30"), 1, 9_000).allowed  # no bands after the close
    uncovered = RulesEngine()
    assert "price_bands" not in session(uncovered, 10_000, year=2016, day=-1000)
