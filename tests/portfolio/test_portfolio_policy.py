"""The policy: the formula by hand, netting, caps, invariances, refusals. Numbers are the modules' invariants."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from karat import portfolio
from karat.core import ConfigError, DataError
from karat.data import LEVELS, N_CLASSES, Forecast
from karat.market import Bars, MarketSpec, simulate
from karat.portfolio import PolicySpec, Positions, to_positions
from karat.portfolio._policy import SPAN

DAY = 86_400 * 10**9
Z = stats.norm.ppf(LEVELS)


def forecast(centre: Any, scale: Any, *, names: tuple[str, ...] = ("A",), horizon: str = "1d") -> Forecast:
    """Normal quantiles; centre and scale are (D, N) or broadcast to it; rows by date, then instrument."""
    centre, scale = np.broadcast_arrays(np.atleast_2d(centre), np.atleast_2d(scale), np.zeros((1, len(names))))[:2]
    n_dates = centre.shape[0]
    ts = np.repeat((1 + np.arange(n_dates, dtype=np.int64)) * DAY, len(names))
    quantiles = centre.reshape(-1, 1) + scale.reshape(-1, 1) * Z
    probabilities = np.full((len(ts), N_CLASSES), 1 / N_CLASSES)
    return Forecast(ts, ts, np.array(names * n_dates, dtype=np.str_), horizon, quantiles, probabilities, "model-x")


def drop(whole: Forecast, rows: list[int] | np.ndarray) -> Forecast:
    return Forecast(
        whole.ts[rows],
        whole.known_at[rows],
        whole.instrument[rows],
        whole.horizon,
        whole.quantiles[rows],
        whole.probabilities[rows],
        whole.model,
    )


def column(values: list[float]) -> np.ndarray:
    return np.array(values)[:, None]


def test_the_span_is_that_of_the_normal() -> None:
    assert pytest.approx(stats.norm.ppf(0.95) - stats.norm.ppf(0.05), abs=1e-12) == SPAN


@pytest.mark.parametrize(
    ("edge", "expected"), [(0.05, 1.0), (0.2, 1.0), (0.025, 0.5), (0.0, 0.0), (-0.025, -0.5), (-1.0, -1.0)]
)
def test_the_weight_of_one_forecast_by_hand(edge: float, expected: float) -> None:
    """A scale of 1 % a day and a target of 10 % a year: a full position is 0.10 / (0.01 sqrt(252)) = 0.63."""
    found = to_positions(forecast(edge * 0.01, 0.01))
    full = 0.10 / (0.01 * math.sqrt(252))
    assert found.frame["weight"].to_list() == pytest.approx([expected * full], abs=1e-12)
    assert (found.model, found.horizon) == ("model-x", "1d")


def test_long_flat_never_sells_short() -> None:
    found = to_positions(forecast(column([0.01, -0.01]), 0.01), PolicySpec(mode="long_flat"))
    assert found.frame["weight"][0] > 0
    assert found.frame["weight"][1] == 0


def test_below_the_flat_edge_nothing_is_held() -> None:
    found = to_positions(forecast(column([0.0299, 0.0301, -0.0299]) * 0.01, 0.01), PolicySpec(flat_edge=0.03))
    assert (found.frame["weight"] != 0).to_list() == [False, True, False]


@pytest.mark.parametrize(("horizon", "bars"), [("2d", 2), ("5d", 5), ("week", 5)])
def test_overlapping_horizons_are_netted_and_scaled_to_the_horizon(horizon: str, bars: int) -> None:
    full = 0.10 / (0.03 * math.sqrt(252 / bars))
    centre = column([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0])
    found = to_positions(forecast(centre, 0.03, horizon=horizon)).frame["weight"].to_list()
    expected = [full / bars] * bars + [0.0] * (6 - bars) + [-full / bars]
    assert found == pytest.approx(expected)


def test_equal_risk_over_the_instruments_of_a_date_and_none_without_a_forecast() -> None:
    whole = forecast(0.02, np.array([[0.01, 0.02]] * 3), names=("A", "B"))
    part = drop(whole, [0, 1, 2, 5])  # B is missing on the second date, A on the third
    table = to_positions(part).frame.pivot("instrument", index="ts", values="weight")
    full = 0.10 / (0.01 * math.sqrt(252))
    assert table["A"].to_list() == pytest.approx([full / 2, full, 0])
    assert table["B"].to_list() == pytest.approx([full / 4, 0, full / 2])


def test_3_a_forecast_without_spread_gets_no_money() -> None:
    for scale in (0.0, 1e-14):
        assert to_positions(forecast(0.01, scale)).frame["weight"].to_list() == [0.0]


def test_4_caps() -> None:
    calm = forecast(0.001, 0.0001, names=("A",))
    assert to_positions(calm).frame["weight"].to_list() == [1.5]
    assert to_positions(calm, PolicySpec(cap=0.4)).frame["weight"].to_list() == [0.4]
    pair = forecast(np.array([[0.001, -0.001]]), 0.0001, names=("A", "B"))
    assert to_positions(pair, PolicySpec(gross_cap=1.0)).frame["weight"].to_list() == pytest.approx([0.5, -0.5])


FIELDS = st.builds(
    PolicySpec,
    mode=st.sampled_from(["long_flat", "long_flat_short"]),
    flat_edge=st.sampled_from([0.0, 0.04]),
    cap=st.sampled_from([0.05, 1.5]),
    gross_cap=st.sampled_from([0.1, 2.0]),
)


def random_forecast(seed: int, horizon: str) -> Forecast:
    rng = np.random.default_rng(seed)
    shape = (20, 3)
    whole = forecast(
        rng.normal(0, 0.002, shape), rng.uniform(0.001, 0.03, shape), names=("A", "B", "C"), horizon=horizon
    )
    return drop(whole, np.flatnonzero(rng.random(60) < 0.8))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(FIELDS, st.integers(0, 10**6), st.sampled_from(["1d", "3d", "week"]))
def test_4_no_weight_is_above_its_cap(spec: PolicySpec, seed: int, horizon: str) -> None:
    frame = to_positions(random_forecast(seed, horizon), spec).frame
    assert frame["weight"].abs().max() <= spec.cap + 1e-12
    assert frame.group_by("ts").agg(pl.col("weight").abs().sum())["weight"].max() <= spec.gross_cap + 1e-12
    if spec.mode == "long_flat":
        assert frame["weight"].min() >= 0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(FIELDS, st.integers(0, 10**6), st.sampled_from(["1d", "3d", "week"]), st.integers(2, 19))
def test_1_a_weight_depends_on_no_later_forecast(spec: PolicySpec, seed: int, horizon: str, last: int) -> None:
    whole, other = random_forecast(seed, horizon), random_forecast(seed + 1, horizon)
    now = last * DAY
    early, late = np.flatnonzero(whole.ts <= now), np.flatnonzero(other.ts > now)
    keep, add = drop(whole, early), drop(other, late)
    changed = Forecast(
        np.concatenate([keep.ts, add.ts]),
        np.concatenate([keep.known_at, add.known_at]),
        np.concatenate([keep.instrument, add.instrument]),
        horizon,
        np.vstack([keep.quantiles, add.quantiles]),
        np.vstack([keep.probabilities, add.probabilities]),
        "model-x",
    )
    held = [
        to_positions(item, spec).frame.filter((pl.col("ts") <= now) & (pl.col("weight") != 0))
        for item in (whole, changed, keep)
    ]
    assert held[0].equals(held[1])
    assert held[0].equals(held[2])


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_5_neither_order_nor_names_matter(seed: int) -> None:
    whole = random_forecast(seed, "3d")
    shuffled = drop(whole, np.random.default_rng(seed).permutation(len(whole.ts)))
    first, second = to_positions(whole), to_positions(shuffled)
    assert first.frame.equals(second.frame)
    renamed = {"A": "Z", "B": "Y", "C": "X"}
    names = np.array([renamed[name] for name in whole.instrument], dtype=np.str_)
    other = Forecast(whole.ts, whole.known_at, names, "3d", whole.quantiles, whole.probabilities, "another")
    third = to_positions(other).frame.with_columns(pl.col("instrument").replace({v: k for k, v in renamed.items()}))
    both = first.frame.join(third, on=["ts", "instrument"], suffix="_other")
    np.testing.assert_allclose(both["weight"].to_numpy(), both["weight_other"].to_numpy(), rtol=1e-12)


def test_positions_become_the_markets_intents() -> None:
    found = to_positions(forecast(0.001, 0.01, names=("B", "A")))
    targets = found.targets()
    assert targets.instruments == found.instruments == ("A", "B")
    assert targets.weights.shape == (1, 2)
    ts = np.arange(1, 4, dtype=np.int64) * DAY
    prices = Bars(ts, ("A", "B", "C"), None, np.full((3, 3), 10.0))
    result = simulate(prices, targets, MarketSpec(fill="next_close", proportional_bps=0))
    np.testing.assert_allclose(result.weights[1], [*found.frame["weight"], 0.0])


def test_two_forecasts_for_one_row_are_refused() -> None:
    whole = forecast(column([0.001, 0.002]), 0.01)
    with pytest.raises(DataError) as caught:
        to_positions(drop(whole, [0, 1, 1]))
    assert str(caught.value) == (
        "forecast: got '2 rows'; rule 'one row for each instrument and ts' is broken at A@1970-01-03T00:00:00Z; "
        "pass one model at a time"
    )


def test_positions_of_another_form_are_refused() -> None:
    good = to_positions(forecast(0.001, 0.01, names=("A", "B"))).frame
    with pytest.raises(
        DataError, match=r"positions: got .*; rule 'columns and types' is broken; ts, instrument, weight"
    ):
        Positions(good.drop("weight"), "1d", "m")
    message = "rule 'each date has each instrument once, sorted' is broken; sort"
    for bad in (good.reverse(), pl.concat([good, good[:1].with_columns(ts=pl.lit(2 * DAY))]), pl.concat([good, good])):
        with pytest.raises(DataError, match=message):
            Positions(bad, "1d", "m")


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (
            {"flat_edge": 0.1},
            "flat_edge: got 0.1; it is above full_edge, 0.05; lower it",
        ),
        (
            {"mode": "long"},
            "mode: got 'long'; allowed: long_flat_short, long_flat; did you mean 'long_flat'?",
        ),
        (
            {"vol_target": 0.1},
            "vol_target: unknown key; allowed: bars_per_year, cap, flat_edge, full_edge, gross_cap, mode, "
            "vol_target_frac; did you mean 'vol_target_frac'?",
        ),
        ({"cap": 0}, "cap: got 0; allowed: above 0"),
    ],
)
def test_a_wrong_spec_is_refused(values: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        PolicySpec.parse(values, source="policy")
    assert caught.value.problems == [line]


def test_the_public_names_are_what_is_there() -> None:
    assert set(portfolio.__all__) == {name for name in vars(portfolio) if not name.startswith("_")}
