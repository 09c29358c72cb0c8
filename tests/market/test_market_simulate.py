"""The market's first step: identities, fill rules, notes, refusals. Numbers are the modules' invariants."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karat import market
from karat.core import ConfigError, DataError, InputError
from karat.data import Panel, Provenance
from karat.market import Bars, MarketSpec, Simulation, TargetQuantities, TargetWeights, attribution, simulate

DAY = 86_400 * 10**9


def bars(n_bars: int = 40, n: int = 3, *, seed: int = 7, holes: float = 0.0, opens: bool = True) -> Bars:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (n_bars, n)), axis=0))
    opening = close * np.exp(rng.normal(0, 0.005, close.shape))
    close = np.where(rng.random(close.shape) < holes, np.nan, close)
    opening = np.where(rng.random(close.shape) < holes, np.nan, opening)
    ts = (10_000 + np.arange(n_bars, dtype=np.int64)) * DAY
    return Bars(ts, tuple("ABCDEFGH"[:n]), opening if opens else None, close)


def weights(prices: Bars, *, seed: int = 8, holes: float = 0.0) -> TargetWeights:
    rng = np.random.default_rng(seed)
    values = rng.uniform(-0.5, 0.7, prices.close.shape)
    return TargetWeights(prices.ts, np.where(rng.random(values.shape) < holes, np.nan, values))


def one(closes: list[float], targets: list[float], **spec: Any) -> Simulation:
    """One instrument, closes only."""
    ts = np.arange(1, len(closes) + 1, dtype=np.int64) * DAY
    prices = Bars(ts, ("A",), None, np.array(closes)[:, None])
    terms = {"capital_usd": 1000.0, "proportional_bps": 0.0, "fill": "next_close"} | spec
    return simulate(prices, TargetWeights(ts, np.array(targets)[:, None]), MarketSpec(**terms))


SPECS = st.builds(
    MarketSpec,
    proportional_bps=st.sampled_from([0.0, 1.0, 50.0]),
    fixed_usd=st.sampled_from([0.0, 2.0]),
    slippage_bps=st.sampled_from([0.0, 5.0]),
    fill=st.sampled_from(["next_open", "next_close", "same_close"]),
    cash=st.sampled_from(["borrow", "scale", "reject"]),
    delay_bars=st.integers(0, 3),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SPECS, st.integers(0, 10**6), st.sampled_from([0.0, 0.15]))
def test_1_cash_positions_costs_and_pnl_always_add_up(spec: MarketSpec, seed: int, holes: float) -> None:
    prices = bars(seed=seed, holes=holes)
    result = simulate(prices, weights(prices, holes=holes), spec)
    run, quanta = result.run, spec.quanta
    worth = (run.lots * result.last_ticks).sum(axis=1) * quanta.unit
    start = quanta.of_money(spec.capital_usd) + np.cumsum(result.gross_pnl_quanta.sum(axis=1))
    np.testing.assert_array_equal(run.cash + worth + np.cumsum(result.costs_quanta), start)
    np.testing.assert_array_equal(run.cash + worth, run.equity)
    left = result.equity["cash_usd"] + result.equity["positions_usd"] + result.equity["costs_usd"].cum_sum()
    right = spec.capital_usd + np.cumsum(result.gross_pnl_usd.sum(axis=1))
    np.testing.assert_allclose(left.to_numpy(), right, rtol=1e-12)
    held = (result.positions * result.last_prices).sum(axis=1)
    np.testing.assert_allclose(result.equity["positions_usd"].to_numpy(), held, rtol=1e-9, atol=1e-6)
    if spec.cash != "borrow":
        sold_only = np.flatnonzero(run.cash < 0)
        assert (np.diff(run.lots, axis=0, prepend=0)[sold_only] <= 0).all() or run.ruined >= 0


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SPECS, st.integers(0, 10**6))
def test_2_fills_rebuild_positions_cash_and_costs(spec: MarketSpec, seed: int) -> None:
    prices = bars(seed=seed, holes=0.1)
    result = simulate(prices, weights(prices, holes=0.3), spec)
    fills = result.fills
    assert fills.schema == {
        "ts": pl.Int64,
        "instrument": pl.String,
        "quantity": pl.Float64,
        "price": pl.Float64,
        "reference_price": pl.Float64,
        "cost_proportional_usd": pl.Float64,
        "cost_fixed_usd": pl.Float64,
        "cost_slippage_usd": pl.Float64,
        "decision_ts": pl.Int64,
    }
    assert len(fills) == result.run.fills.sum()
    for name, held in zip(prices.instruments, result.positions[-1], strict=True):
        assert fills.filter(pl.col("instrument") == name)["quantity"].sum() == pytest.approx(held, abs=1e-7)
    assert fills["cost_proportional_usd"].sum() == pytest.approx(result.costs["proportional"])
    assert fills["cost_fixed_usd"].sum() == pytest.approx(result.costs["fixed"])
    assert fills["cost_slippage_usd"].sum() == pytest.approx(result.costs["slippage"])
    paid = (fills["quantity"] * fills["reference_price"]).sum() + result.costs["total"]
    assert result.equity["cash_usd"][-1] == pytest.approx(spec.capital_usd - paid)
    records = result.run.records
    fees = records.proportional.sum() + len(records.row) * spec.quanta.of_money(spec.fixed_usd)
    exact = spec.quanta.of_money(spec.capital_usd) - int((records.lots * records.price).sum()) * spec.quanta.unit - fees
    assert result.run.cash[-1] == exact
    assert (fills["ts"] - fills["decision_ts"]).min() == result.lag_bars * DAY
    assert (fills["ts"] - fills["decision_ts"]).max() == result.lag_bars * DAY


@pytest.mark.req("EVAL-11")
@settings(max_examples=40, deadline=None, derandomize=True)
@given(SPECS, st.integers(0, 10**6), st.sampled_from([0.0, 0.2]))
def test_zero_cost_minus_cost_pnl_is_the_itemised_cost_sum(spec: MarketSpec, seed: int, holes: float) -> None:
    prices = bars(seed=seed, holes=holes)
    sized = simulate(prices, weights(prices, holes=holes), spec)
    same = TargetQuantities(prices.ts, np.where(np.isnan(prices.close), np.nan, np.round(sized.positions)))
    free_terms = {"proportional_bps": 0.0, "fixed_usd": 0.0, "slippage_bps": 0.0, "cash": "borrow"}
    spec = spec.model_copy(update={"cash": "borrow"})
    costly = simulate(prices, same, spec)
    free = simulate(prices, same, spec.model_copy(update=free_terms))
    np.testing.assert_array_equal(costly.positions, free.positions)
    gap = free.equity["equity_usd"] - costly.equity["equity_usd"]
    np.testing.assert_allclose(gap.to_numpy(), np.cumsum(costly.costs_usd), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(free.run.equity - costly.run.equity, np.cumsum(costly.costs_quanta))
    items = sum(costly.fills[f"cost_{name}_usd"].sum() for name in ("proportional", "fixed", "slippage"))
    assert gap[-1] == pytest.approx(items, abs=1e-6)
    assert costly.costs["total"] == pytest.approx(items)
    assert free.costs == {"proportional": 0.0, "fixed": 0.0, "slippage": 0.0, "total": 0.0}


@pytest.mark.req("EVAL-11")
def test_costs_by_hand() -> None:
    result = one([100.0, 100.0, 110.0, 110.0], [0.5, 0.5, 0.0, 0.0], proportional_bps=10, fixed_usd=1.0)
    first = 0.001 * 500 + 1
    assert result.fills["quantity"].to_list() == pytest.approx(
        [5.0, 0.5 * (1000 - first) / 100 - 5, -0.5 * (1000 - first) / 100]
    )
    assert result.equity["costs_usd"][1] == pytest.approx(first)
    assert result.gross_returns[1] == pytest.approx(0.0)
    assert result.net_returns[1] == pytest.approx(-first / 1000)
    assert result.turnover[1] == pytest.approx(0.5)
    assert result.costs["fixed"] == 3.0


@pytest.mark.req("REP-02")
@settings(max_examples=40, deadline=None, derandomize=True)
@given(SPECS, st.integers(0, 10**6))
def test_attribution_sums_to_total_pnl(spec: MarketSpec, seed: int) -> None:
    prices = bars(seed=seed, holes=0.1)
    intents = weights(prices)
    intents.weights[:, 2] = np.nan  # never traded
    result = simulate(prices, intents, spec)
    table = attribution(result)
    assert table["instrument"].to_list() == ["A", "B", "C"]
    total = result.equity["equity_usd"][-1] - spec.capital_usd
    assert table["net_pnl_usd"].sum() == pytest.approx(total, rel=1e-9, abs=1e-6)
    assert table["cost_proportional_usd"].sum() == pytest.approx(result.costs["proportional"])
    assert table["traded_usd"].sum() == pytest.approx(result.usd(result.run.traded.sum()))
    assert table["n_fills"].sum() == len(result.fills)
    assert table.row(2) == ("C", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SPECS, st.integers(1, 39), st.integers(0, 10**6))
def test_2_positions_and_equity_do_not_depend_on_later_bars(spec: MarketSpec, cut: int, seed: int) -> None:
    prices, other = bars(seed=seed, holes=0.1), bars(seed=seed + 1, holes=0.3)
    assert prices.open is not None
    assert other.open is not None
    spliced = Bars(
        prices.ts,
        prices.instruments,
        np.vstack([prices.open[:cut], other.open[cut:]]),
        np.vstack([prices.close[:cut], other.close[cut:]]),
    )
    intents = weights(prices)
    changed = TargetWeights(prices.ts, np.vstack([intents.weights[:cut], -intents.weights[cut:]]))
    before, after = simulate(prices, intents, spec), simulate(spliced, changed, spec)
    np.testing.assert_array_equal(before.positions[:cut], after.positions[:cut])
    np.testing.assert_array_equal(before.net_returns[:cut], after.net_returns[:cut])
    assert before.equity[:cut].equals(after.equity[:cut])


def test_1_next_open_next_close_and_same_close() -> None:
    ts = np.arange(1, 4, dtype=np.int64) * DAY
    prices = Bars(ts, ("A",), np.array([[99.0], [101.0], [103.0]]), np.array([[100.0], [102.0], [104.0]]))
    intents = TargetWeights(ts[:1], np.array([[1.0]]))
    found = {
        fill: simulate(prices, intents, MarketSpec(fill=fill, proportional_bps=0)).fills.select("ts", "price").row(0)
        for fill in ("next_open", "next_close", "same_close")
    }
    assert found == {"next_open": (2 * DAY, 101.0), "next_close": (2 * DAY, 102.0), "same_close": (DAY, 100.0)}


@pytest.mark.parametrize("fill", ["next_open", "next_close", "same_close"])
@pytest.mark.parametrize("delay", [1, 4])
def test_a_delay_shifts_every_fill(fill: str, delay: int) -> None:
    prices = bars(n=1)
    intents = TargetWeights(prices.ts[5:6], np.array([[0.5]]))
    spec = MarketSpec(fill=fill)
    prompt, late = (
        simulate(prices, intents, spec),
        simulate(prices, intents, spec.model_copy(update={"delay_bars": delay})),
    )
    assert late.fills["ts"][0] - prompt.fills["ts"][0] == delay * DAY
    assert late.fills["decision_ts"].to_list() == prompt.fills["decision_ts"].to_list()
    assert late.fills["quantity"].to_list() == prompt.fills["quantity"].to_list()
    if fill == "same_close":
        as_next = simulate(prices, intents, MarketSpec(fill="next_close", delay_bars=delay - 1))
        assert as_next.fills.equals(late.fills)


def test_1_filling_at_the_observed_close_is_flagged_and_never_the_default() -> None:
    assert MarketSpec().fill == "next_open"
    flagged = one([100.0, 101.0], [0.5, 0.5], fill="same_close")
    assert flagged.notes == (
        "FLAG same_close: orders are filled at the close that the decision itself has seen; "
        "no order can count on that price, so these returns are optimistic.",
    )
    assert not any("FLAG" in note for note in one([100.0, 101.0], [0.5, 0.5]).notes)


def test_3_bars_without_opens_are_filled_at_the_next_close_and_say_so() -> None:
    result = one([100.0, 101.0, 102.0], [0.5, 0.5, 0.5], fill="next_open")
    assert result.fill == "next_close"
    assert result.fills["price"][0] == 101.0
    assert result.notes == ("The bars have no open: orders are filled at the next close instead of the next open.",)


def test_3_missing_prices_are_counted_and_noted() -> None:
    nan = float("nan")
    result = one([100.0, 100.0, nan, 100.0], [0.5, 0.1, 0.9, nan])
    assert result.positions[:, 0].tolist() == [0, 5, 5, 5]
    assert result.skipped_orders == 2  # the bar of the fill has no price, then the bar of the sizing
    assert result.notes == ("2 orders dropped without a price when sized or filled; positions were kept.",)
    assert result.last_prices[:, 0].tolist() == [100.0] * 4
    assert result.weights[:, 0].tolist() == [0.0, 0.5, 0.5, 0.5]


def test_3_borrowed_money_and_short_positions_are_noted() -> None:
    assert one([100.0, 100.0, 100.0], [1.5, 1.5, 1.5]).notes == (
        "Cash was below zero after 2 of 3 bars: interest is not simulated.",
    )
    assert one([100.0, 100.0, 100.0], [-0.5, 0.0, 0.0]).notes == (
        "Short positions after 1 of 3 bars: borrow fees are not simulated.",
    )


def test_3_ruin_stops_trading_and_is_noted() -> None:
    result = one([100.0, 100.0, 40.0, 40.0, 80.0], [2.0, 2.0, 2.0, 2.0, 2.0])
    assert result.notes[0] == (
        "RUIN at 1970-01-04T00:00:00Z: equity fell to -200.00 USD of 1000.00; trading stopped, waiting orders were "
        "withdrawn, the positions were closed, later returns are 0."
    )
    assert result.net_returns.tolist() == pytest.approx([0, 0, -1.2, 0, 0])
    assert result.gross_returns.tolist() == pytest.approx([0, 0, -1.2, 0, 0])
    assert result.turnover[3:].tolist() == [0, 0]
    assert np.isnan(result.weights[2:]).all()
    assert result.positions[3:, 0].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("closes", "targets", "why"),
    [
        (
            [100.0, 101.0],
            [0.0, float("nan")],
            "every target is zero or missing; look at the forecasts and the policy's edge thresholds",
        ),
        (
            [100.0, 101.0],
            [0.0, 0.5],
            "every target was decided in the last 1 bar, too late to be filled before the data end",
        ),
        (
            [100.0, float("nan")],
            [0.5, 0.0],
            "no order had a price when it was sized or filled; look at the missing prices",
        ),
    ],
)
def test_3_zero_trades_are_said_with_the_reason(closes: list[float], targets: list[float], why: str) -> None:
    result = one(closes, targets)
    assert f"NO TRADES: {why}." in result.notes
    assert len(result.fills) == 0
    assert result.net_returns.tolist() == [0.0, 0.0]
    assert attribution(result)["net_pnl_usd"].to_list() == [0.0]


def test_nan_keeps_and_zero_closes() -> None:
    result = one([100.0] * 5, [0.5, float("nan"), -0.25, 0.0, 0.0])
    assert result.positions[:, 0].tolist() == [0, 5, 5, -2.5, 0]


def test_rows_and_columns_that_are_not_there_keep_the_position() -> None:
    prices = bars(n=3)
    intents = TargetWeights(prices.ts[[3, 9]], np.array([[0.5], [0.1]]), ("C",))
    result = simulate(prices, intents, MarketSpec(proportional_bps=0))
    assert result.fills["instrument"].unique().to_list() == ["C"]
    assert result.fills["decision_ts"].to_list() == prices.ts[[3, 9]].tolist()


@pytest.mark.parametrize(
    ("intents", "message"),
    [
        (
            lambda b: TargetWeights(b.ts[:1] + 1, np.zeros((1, 3))),
            "intents.ts: got '1997-05-19T00:00:00.000000001Z'; 1 decision at no bar's close; allowed: the ts of the "
            "bars, 1997-05-19T00:00:00Z to 1997-06-27T00:00:00Z",
        ),
        (
            lambda b: TargetWeights(b.ts[-1:] + DAY, np.zeros((1, 3))),
            "intents.ts: got '1997-06-28T00:00:00Z'; 1 decision at no bar's close; allowed: the ts of the bars, "
            "1997-05-19T00:00:00Z to 1997-06-27T00:00:00Z",
        ),
        (
            lambda b: TargetWeights(b.ts[:1], np.zeros((1, 2))),
            "intents: got '2 columns'; allowed: 3, one per instrument of the bars",
        ),
        (
            lambda b: TargetWeights(b.ts[:1], np.zeros((1, 1)), ("a",)),
            "intents.instruments: got 'a'; allowed: A, B, C",
        ),
        (
            lambda b: TargetWeights(b.ts[:1], np.array([[0.1, np.inf, 0.2]])),
            "intents.weights: got 'an infinite target at 1997-05-19T00:00:00Z'; allowed: finite, or NaN to keep",
        ),
        (
            lambda b: TargetQuantities(b.ts[:1], np.array([[0.1, -np.inf, 0.2]])),
            "intents.quantities: got 'an infinite target at 1997-05-19T00:00:00Z'; allowed: finite, or NaN to keep",
        ),
        (
            lambda b: TargetWeights(b.ts[:1], np.zeros((2, 2)), ("A", "B")),
            "intents.weights: got (2, 2); allowed: (1, 2)",
        ),
        (
            lambda b: TargetWeights(b.ts[:1], np.zeros(3)),
            "intents.weights: got (3,); allowed: (1, instruments)",
        ),
        (
            lambda b: TargetWeights(b.ts[:1], np.zeros((1, 2)), ("A", "A")),
            "intents.instruments: got ['A', 'A']; allowed: each name once",
        ),
        (
            lambda b: TargetWeights(b.ts[[1, 0]], np.zeros((2, 3))),
            "intents: got '1997-05-19T00:00:00Z after 1997-05-20T00:00:00Z'; rule 'ts strictly increasing' is broken "
            "at 1997-05-19T00:00:00Z; sort by ts and drop duplicates",
        ),
    ],
)
def test_wrong_intents_are_refused(intents: Any, message: str) -> None:
    prices = bars()
    with pytest.raises(InputError) as caught:
        simulate(prices, intents(prices))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (
            {"close": np.array([[1.0], [0.0]])},
            DataError,
            "bars.close: got 0.0; rule 'prices are above zero and finite, NaN for no price' is broken at "
            "A@1970-01-01T00:00:00.000000002Z; correct or drop them",
        ),
        (
            {"open": np.array([[1.0], [np.inf]])},
            DataError,
            "bars.open: got inf; rule 'prices are above zero and finite, NaN for no price' is broken at "
            "A@1970-01-01T00:00:00.000000002Z; correct or drop them",
        ),
        (
            {"close": np.ones((3, 1))},
            InputError,
            "bars.close: got (3, 1); allowed: (2, 1), one row per bar, one column per instrument",
        ),
        (
            {"ts": np.array([1.0, 2.0])},
            InputError,
            "bars.ts: got 'float64 (2,)'; allowed: one dimension of int64 UTC nanoseconds",
        ),
        (
            {"ts": np.array([2, 2])},
            DataError,
            "bars: got '1970-01-01T00:00:00.000000002Z after 1970-01-01T00:00:00.000000002Z'; rule 'ts strictly "
            "increasing' is broken at 1970-01-01T00:00:00.000000002Z; "
            "sort by ts and drop duplicates",
        ),
        (
            {"ts": np.array([], dtype=np.int64), "close": np.ones((0, 1)), "open": None},
            InputError,
            "bars: got '0 bars of 1 instrument'; allowed: at least one of each",
        ),
    ],
)
def test_wrong_bars_are_refused(change: dict[str, Any], kind: type[InputError], message: str) -> None:
    good = {"ts": np.array([1, 2]), "instruments": ("A",), "open": np.ones((2, 1)), "close": np.ones((2, 1))}
    with pytest.raises(kind) as caught:
        Bars(**(good | change))
    assert str(caught.value) == message


def test_a_slice_of_bars() -> None:
    prices = bars(opens=False)
    part = prices.between(int(prices.ts[3]), int(prices.ts[5]))
    assert part.ts.tolist() == prices.ts[3:6].tolist()
    assert part.open is None
    assert bars().between(0, 2**62).open is not None
    with pytest.raises(InputError) as caught:
        prices.between(0, 1)
    assert str(caught.value) == (
        "bars: got '1970-01-01T00:00:00Z to 1970-01-01T00:00:00.000000001Z'; no bar lies in it; "
        "allowed: 1997-05-19T00:00:00Z to 1997-06-27T00:00:00Z"
    )


def panel(**columns: list[float]) -> Panel:
    keys = {"ts": [1, 2, 2, 3], "known_at": [1, 2, 2, 3], "instrument": ["A", "A", "B", "B"]}
    frame = pl.DataFrame(keys | columns).sort("instrument", "ts")
    return Panel(frame, "24/7", Provenance("test", "made by hand", "CC0"))


def test_bars_of_a_panel_are_on_the_union_of_its_dates() -> None:
    found = market.bars_from_panel(panel(close=[10.0, 11.0, 20.0, 21.0], open=[9.0, 10.0, 19.0, 20.0]))
    assert found.instruments == ("A", "B")
    assert found.ts.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(found.close, [[10, np.nan], [11, 20], [np.nan, 21]])
    assert found.open is not None
    assert found.open[1].tolist() == [10, 19]
    only = market.bars_from_panel(panel(close=[10.0, 11.0, 20.0, 21.0]), ["B"])
    assert only.instruments == ("B",)
    assert only.open is None
    assert only.ts.tolist() == [2, 3]


def test_a_panel_without_closes_or_the_instrument_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        market.bars_from_panel(panel(value=[1.0] * 4))
    assert str(caught.value) == "panel: got ['value']; there is nothing to trade at; allowed: a column 'close'"
    with pytest.raises(InputError) as caught:
        market.bars_from_panel(panel(close=[1.0] * 4), ["AA"])
    assert str(caught.value) == "instruments: got 'AA'; allowed: A, B; did you mean 'A'?"


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (
            {"fil": "next_open"},
            "fil: unknown key; allowed: capital_usd, cash, delay_bars, fill, fixed_usd, lot_quantum, money_quantum, "
            "price_quantum, proportional_bps, slippage_bps; did you mean 'fill'?",
        ),
        (
            {"fill": "next_opn"},
            "fill: got 'next_opn'; allowed: next_open, next_close, same_close; did you mean 'next_open'?",
        ),
        ({"capital_usd": 0}, "capital_usd: got 0; allowed: above 0"),
        ({"proportional_bps": -1}, "proportional_bps: got -1; allowed: 0 or more"),
        ({"fixed_usd": float("nan")}, "fixed_usd: got nan; allowed: a finite number"),
        ({"delay_bars": -1}, "delay_bars: got -1; allowed: 0 or more"),
        ({"cash": "scales"}, "cash: got 'scales'; allowed: borrow, scale, reject; did you mean 'scale'?"),
        (
            {"price_quantum": 0.01, "lot_quantum": 0.1, "money_quantum": 0.003},
            "money_quantum: got 0.003; allowed: a whole part of price_quantum * lot_quantum, 0.001",
        ),
        (
            {"capital_usd": 1e15, "lot_quantum": 1e-4},
            "capital_usd: 1000000000000000000000000 quanta of 1E-9; allowed: below 2**62; coarsen lot_quantum",
        ),
    ],
)
def test_a_wrong_spec_is_refused(values: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        MarketSpec.parse(values, source="market")
    assert caught.value.problems == [line]


def test_the_public_names_are_what_is_there() -> None:
    names = {name for name, value in vars(market).items() if not isinstance(value, types.ModuleType)}
    assert set(market.__all__) == {name for name in names if not name.startswith("_")}
