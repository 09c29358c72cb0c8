"""The features on the bundled market data: real bars, closes only, and the volatility index joined as-of."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from karat.core import monotonic_ns
from karat.data import asof_join, load
from karat.features import TIERS, build, check_invariance, table


@pytest.mark.req("FEAT-01")
def test_twenty_indicators_of_the_nasdaq_composite() -> None:
    panel = load("bundled", dataset="nasdaq")
    made = build(panel, ["a20"])
    assert made.names == TIERS["a20"]
    assert not made.absent
    complete = ~np.isnan(table(panel, made).features).any(axis=1)
    assert complete.sum() == len(panel.frame) - 49
    begun = monotonic_ns()
    assert check_invariance(panel, ["a20", "close"]).passed
    assert monotonic_ns() - begun < 2_000_000_000


def test_eleven_indicators_of_twenty_stocks_with_closes_only() -> None:
    panel = load("bundled", dataset="sp500_stocks")
    made = build(panel, ["a20"])
    assert len(made.names) == 11
    assert len(made.absent) == 9
    begun = monotonic_ns()
    assert check_invariance(panel, ["a20"]).passed
    assert monotonic_ns() - begun < 5_000_000_000


@pytest.mark.req("FEAT-02")
def test_eight_features_of_the_joined_index() -> None:
    index = load("bundled", dataset="vix")
    panel = asof_join(load("bundled", dataset="nasdaq"), index, columns=["vix"])
    made = build(panel, ["vix8"])
    assert len(made.names) == 8
    seen = made.frame.filter(pl.col("vix_close").is_finite())
    known = index.frame.select("known_at", "vix").sort("known_at")
    wanted = seen.select("known_at").sort("known_at").join_asof(known, on="known_at")
    assert seen["vix_close"].to_list() == wanted["vix"].to_list()
    assert check_invariance(panel, ["vix8"]).passed
