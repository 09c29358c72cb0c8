"""Regulatory features: golden days, and agreement with the rules engine that the simulation uses."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from features_factory import PROVENANCE, bars, by_hand

from karat.core import NS_PER_DAY, NS_PER_SECOND
from karat.data import Panel
from karat.features import TIERS, compute_regulatory_features
from karat.market import Listing, RulesEngine, check_luld_bands, check_ssr_trigger


def daily(lows: list[float], closes: list[float], highs: list[float] | None = None) -> Panel:
    return by_hand(low=lows, close=closes, high=highs or closes)


@pytest.mark.req("FEAT-10")
def test_the_trigger_day_and_the_next_one_are_flagged() -> None:
    closes = [20.0, 19.0, 18.0, 18.0, 18.0, 16.0]
    frame = compute_regulatory_features(daily([20.0, 18.01, 17.1, 18.0, 18.0, 16.0], closes)).frame
    assert frame["ssr_trigger"].to_list()[1:] == [0, 1, 0, 0, 1]  # 18.01 is 9.95 %, 17.10 is 10 %, 16.00 is 11 %
    assert frame["ssr_state"].to_list()[2:] == [2, 1, 0, 2]
    assert math.isnan(frame["ssr_trigger"][0])
    assert np.isnan(frame["ssr_state"][:2].to_numpy()).all()


@pytest.mark.req("FEAT-10")
def test_ten_per_cent_is_exact_at_every_cent() -> None:
    """In floats, 0.9 times the close misses some of these days."""
    missed = 0
    for prior in range(1000, 4000, 10):
        low = prior * 9 // 10
        for value, expected in ((low, 1.0), (low + 1, 0.0)):
            frame = compute_regulatory_features(daily([prior / 100, value / 100], [prior / 100] * 2)).frame
            assert frame["ssr_trigger"][1] == expected, (prior, value)
        missed += low / 100 > 0.9 * (prior / 100)
    assert missed > 0


@pytest.mark.req("FEAT-10")
def test_features_agree_with_the_rules_engine() -> None:
    wild = bars(400, seed=9).with_columns(pl.col("close", "low", "high").round(2))
    drops = np.random.default_rng(4).choice([1.0, 1.0, 1.0, 0.93, 0.88], 400)
    wild = wild.with_columns((pl.col("low") * pl.Series(drops)).round(2).alias("low"))
    frame = compute_regulatory_features(Panel(wild, "XNYS", PROVENANCE)).frame
    engine = RulesEngine(Listing(tier=None, ring=8))
    close, low = ((wild[name] * 100).round().cast(pl.Int64).to_list() for name in ("close", "low"))
    seen = set()
    for t in range(1, 400):
        open_ns = (17_000 + t) * NS_PER_DAY + 14 * 3600 * NS_PER_SECOND
        close_ns = open_ns + 23_400 * NS_PER_SECOND
        engine.start(open_ns, close_ns, close[t - 1])
        at_open = engine.short_restricted(open_ns)
        engine.trade(open_ns + 1, low[t])
        at_close = engine.short_restricted(close_ns)
        triggered = check_ssr_trigger(low[t] / 100, close[t - 1] / 100) if t < 40 else frame["ssr_trigger"][t] == 1
        assert (frame["ssr_trigger"][t] == 1) == triggered
        if t > 1:
            assert (frame["ssr_state"][t] > 0) == at_close
            assert (frame["ssr_state"][t] == 1) == (at_open and not triggered)
            seen.add(frame["ssr_state"][t])
    assert seen == {0.0, 1.0, 2.0}


@pytest.mark.req("FEAT-10")
@pytest.mark.parametrize("close", [100.0, 3.01, 3.0, 0.75, 0.74, 0.15, 0.1])
def test_the_band_is_the_engines(close: float) -> None:
    frame = compute_regulatory_features(daily([close] * 2, [close] * 2, [close * 1.05] * 2)).frame
    bands = check_luld_bands(close, close, rounding="half_up")
    width = float(bands.upper) / close - 1
    assert frame["luld_band"][1] == pytest.approx(width, abs=0.0051 / close)
    assert frame["luld_excursion"][1] == pytest.approx(0.05 / frame["luld_band"][0])


def test_the_tier_names_its_features() -> None:
    assert TIERS["regulatory"] == ("ssr_trigger", "ssr_state", "luld_band", "luld_excursion")
    made = compute_regulatory_features(daily([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]))
    assert made.names == TIERS["regulatory"]
