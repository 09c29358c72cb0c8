"""Context: weekly, hourly and foreign features and regimes beside daily bars, none seen before its bar was known."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from karat.core import InputError, content_hash, iso
from karat.data import KEYS, Panel, load, resample, sessions
from karat.features import (
    Context,
    build,
    check_context,
    check_invariance,
    context_columns,
    with_context,
)
from karat.features import _context as module
from karat.features.regimes import label


@pytest.fixture(scope="module")
def days() -> Panel:
    return load("synthetic", n_days=900, n_instruments=2, seed=3)


@pytest.mark.req("DATA-29")
def test_1_a_week_is_seen_from_its_close_on_and_not_before(days: Panel) -> None:
    seen, absent = with_context(days, days, Context("week", bars="week", features=["ret_1", "rsi_14"]))
    assert absent == {}
    weekly = build(resample(days, "week"), ["ret_1"]).frame
    for name in days.instruments:
        mine = seen.frame.filter(pl.col("instrument") == name)
        ends = weekly.filter(pl.col("instrument") == name)
        place = np.searchsorted(ends["known_at"].to_numpy(), mine["known_at"].to_numpy(), side="right") - 1
        assert place.min() == 0
        np.testing.assert_array_equal(mine["week_ret_1"].to_numpy(), ends["ret_1"].to_numpy()[place])
    # a Thursday shows the week before its own
    fridays = seen.frame.filter(pl.col("ts").is_in(weekly["ts"].to_list()))
    assert 0.15 < len(fridays) / len(seen.frame) < 0.25


@pytest.mark.req("DATA-29")
def test_1_a_foreign_value_published_late_is_the_one_before(days: Panel) -> None:
    one = Panel(days.frame.filter(pl.col("instrument") == days.instruments[0]), days.calendar, days.provenance)
    late = Panel(one.frame.with_columns(pl.col("known_at") + 1), one.calendar, one.provenance)
    seen, _ = with_context(days, late, Context("index", features=["close"]))
    for name in days.instruments:  # one instrument is seen by all
        mine = seen.frame.filter(pl.col("instrument") == name)
        np.testing.assert_array_equal(mine["index_close"].to_numpy(), one.frame["close"].to_numpy()[:-1])


@pytest.mark.req("DATA-29")
def test_2_two_builds_are_equal_to_the_bit_regimes_included(days: Panel) -> None:
    context = Context("month", bars="5d", features=["a20"], regimes=("volatility", "liquidity", "rotation"))
    first, second = (content_hash(with_context(days, days, context)[0].frame) for _ in range(2))
    assert first == second
    bands = Context("now", regimes=("volatility",))
    frame = with_context(days, days, bands)[0].frame
    state = label(days, "volatility").frame["state"].cast(pl.Float64).fill_null(float("nan"))
    np.testing.assert_array_equal(frame["now_regime_volatility"].to_numpy(), state.to_numpy())
    assert frame["now_regime_volatility"].is_finite().sum() > 500


@pytest.mark.req("DATA-29")
def test_3_columns_are_features_with_the_definition_of_what_they_hold(days: Panel) -> None:
    (rsi,) = Context("week", bars="week", features=["rsi_14", "-rsi_28"]).specs()
    assert (rsi.name, rsi.unit, rsi.category, rsi.lookback) == ("week_rsi_14", "0 to 100", "momentum", 0)
    assert rsi.formula.endswith("; on week bars, as of known_at")
    context = Context("own", features=["rsi_14"], regimes=("volatility",))
    state = context.specs()[1]
    assert (state.name, state.unit) == ("own_regime_volatility", "code: 0 calm, 1 elevated, 2 turbulent")
    seen, _ = with_context(days, days, context)
    made = build(seen, ["ret_1", "rsi_14", *context.specs()])
    assert made.names == ("ret_1", "rsi_14", "own_rsi_14", "own_regime_volatility")
    np.testing.assert_array_equal(made.frame["own_rsi_14"].to_numpy(), made.frame["rsi_14"].to_numpy())
    check_invariance(seen, ["ret_1", *context.specs()]).require()


@pytest.mark.req("DATA-29")
@pytest.mark.parametrize(
    "context",
    [
        Context("week", bars="week", features=["a20"], regimes=("volatility",)),
        Context("five", bars="5d", features=["ret_5"]),
        Context("same", features=["ret_5"], regimes=("rotation", "change")),
    ],
    ids=lambda each: each.name,
)
def test_1_no_column_moves_when_the_future_does(days: Panel, context: Context) -> None:
    found = check_context(days, context)
    assert found.n_features >= 1
    assert found.passed, found.evidence


def test_a_share_listed_this_week_waits_for_its_first_week(days: Panel) -> None:
    young = days.instruments[1]
    late = days.frame["ts"].sort()[-4]
    kept = days.frame.filter((pl.col("instrument") != young) | (pl.col("ts") >= late))
    panel = Panel(kept, days.calendar, days.provenance)
    context = Context("week", bars="week", features=["ret_1"])
    seen, _ = with_context(panel, panel, context)
    assert seen.instruments == (days.instruments[0],)
    assert check_context(panel, context).passed


@pytest.mark.req("DATA-29")
def test_1_a_week_seen_before_its_close_is_caught(days: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(panel: Panel, bars: str) -> Panel:
        made = resample(panel, bars)
        early = made.frame.with_columns(pl.col("ts") - 3 * 86_400 * 10**9, pl.col("known_at") - 3 * 86_400 * 10**9)
        return Panel(early, made.calendar, made.provenance)

    monkeypatch.setattr(module, "resample", hasty)
    found = check_context(days, Context("week", bars="week", features=["ret_1"]))
    assert found.offending == ("week_ret_1",)
    assert "changed in" in found.evidence[0]


@pytest.mark.req("DATA-29")
def test_1_a_regime_scaled_by_the_whole_series_is_caught(days: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    def smoothed(panel: Panel, regime: str, *, seed: int):
        close = panel.frame["close"]
        state = (close > close.median()).cast(pl.Int64)
        return type("Labels", (), {"frame": panel.frame.select(KEYS).with_columns(state.alias("state"))})

    monkeypatch.setattr("karat.features.regimes.label", smoothed)
    assert not check_context(days, Context("now", regimes=("volatility",))).passed


@pytest.mark.req("DATA-29")
def test_hourly_bars_are_seen_at_the_daily_close() -> None:
    table = sessions("24/7", "2024-01-01", "2024-03-31")
    stamps = np.concatenate([np.arange(1, 25) * 3_600 * 10**9 + opened for opened in table["open_ns"].to_list()])
    close = 100.0 * np.exp(np.cumsum(np.random.default_rng(5).normal(0.0, 0.01, len(stamps))))
    frame = pl.DataFrame({"ts": stamps, "known_at": stamps, "instrument": ["BTC"] * len(stamps), "close": close})
    hours = Panel(frame, "24/7", load("synthetic", n_days=9).provenance)
    daily = resample(hours, "1d")
    seen, _ = with_context(daily, hours, Context("hour", features=["rsi_14", "ret_1"]))
    last = build(hours, ["rsi_14", "ret_1"]).frame.filter(pl.col("ts").is_in(daily.frame["ts"].to_list()))
    np.testing.assert_array_equal(seen.frame["hour_rsi_14"].to_numpy(), last["rsi_14"].to_numpy())
    assert iso(seen.frame["ts"][0]) == "2024-01-02T00:00:00Z"


def test_what_cannot_be_served_is_said(days: Panel) -> None:
    closes = Panel(days.frame.select(*KEYS, "close"), days.calendar, days.provenance)
    _, absent = with_context(days, closes, Context("bare", features=["ret_1", "volume_z_20"]))
    assert list(absent) == ["bare_volume_z_20"]
    assert absent["bare_volume_z_20"].startswith("needs volume; the panel has close")
    weeks = Context("week", bars="week", features=["ret_1"], regimes=("volatility",))
    seen, absent = with_context(days, days, weeks)
    why = (
        "volatility has no state on week bars: it has 186 of them at most and is first fitted after 504 with a measure"
    )
    assert absent == {"week_regime_volatility": why}
    assert seen.values[-1] == "week_ret_1"


def test_mistakes_are_named(days: Panel) -> None:
    with pytest.raises(InputError, match=r"context.name: got 'my week'; allowed: a Python identifier"):
        Context("my week", features=["ret_1"])
    with pytest.raises(InputError, match=r"context.week: got 'neither features nor regimes'; it has no column"):
        Context("week")
    with pytest.raises(InputError, match=r"context.w.regimes: got 'volatilty'; allowed: .*did you mean 'volatility'"):
        Context("w", regimes=("volatilty",))
    with pytest.raises(InputError, match=r"context.w.regimes: got 'neural'; it is fitted on Train once"):
        Context("w", regimes=("neural",))
    once, _ = with_context(days, days, Context("w", features=["ret_1"]))
    with pytest.raises(InputError, match=r"columns: got 'w_ret_1'; the left panel already has a column"):
        with_context(once, days, Context("w", features=["ret_1"]))
    with pytest.raises(InputError, match=r"context.m.bars: got 'month'; allowed: source, 1d, 2d, 3d, 5d, week"):
        Context("m", bars="month", features=["ret_1"])  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"context.w.features: got 'ret1'; allowed: .*did you mean 'ret_1'"):
        Context("w", features=["ret1"])
    with pytest.raises(InputError, match=r"context.w.regimes: got 'hidden'; allowed: a tuple of names; \('hidden',\)"):
        Context("w", regimes="hidden")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"context.w.features: got \['vix8'\]; the panel can serve none of them"):
        context_columns(days, Context("w", features=["vix8"]))
    with pytest.raises(InputError, match=r"features: got 'w_ret_1'; the panel has such a column, which is no feature;"):
        build(once, ["w_ret_1"])
    with pytest.raises(InputError, match=r"context: got 'Panel'; allowed: a Context; with_context\(panel, source, con"):
        with_context(days, days, days)  # type: ignore[arg-type]


@pytest.mark.realdata
@pytest.mark.req("DATA-29")
def test_six_years_of_bitcoin_hours_beside_its_days() -> None:
    file = Path(os.environ.get("KARAT_DATA", "../shared/data")) / "crypto" / "BTCUSD_H1.csv.gz"
    assert file.is_file(), f"{file} is missing: set KARAT_DATA to the folder of real data"
    terms = {"instrument": "BTCUSD.CRYPTO", "calendar": "24/7", "licence": "MIT", "tz": "UTC"}
    hours = load("csv", path=file, stamp="open", bar="1h", missing="drop", **terms)
    days, context = resample(hours, "1d"), Context("hour", features=["a20"], regimes=("volatility",))
    assert len(days.frame) > 1_500
    seen, absent = with_context(days, hours, context)
    assert absent == {}
    assert len(seen.frame) == len(days.frame)
    rows = hours.frame["known_at"].to_numpy().searchsorted(seen.frame["known_at"].to_numpy(), side="right") - 1
    rsi = build(hours, ["rsi_14"]).frame["rsi_14"].to_numpy()
    np.testing.assert_array_equal(seen.frame["hour_rsi_14"].to_numpy(), rsi[rows])
    assert check_context(hours, context).passed
