"""Drawings at their edges: flat, empty, missing and enormous inputs, and the helpers behind them."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_factory import N, make_story

from karat.core import NS_PER_DAY, to_ns
from karat.report import AttributionRow, Calibration, Costs, Curve, Equity, Estimate, FoldRow, PeriodRow
from karat.report._charts_data import fold_chart
from karat.report._charts_money import attribution_chart, cost_chart, drawdown, equity_chart, period_chart
from karat.report._charts_skill import fan_chart, pit_chart, ranked, score_chart
from karat.report._svg import _date_ticks, spread, thin


def test_drawdown_by_hand() -> None:
    assert drawdown(np.array([100.0, 120.0, 90.0, 130.0])).tolist() == [0.0, 0.0, 0.25, 0.0]


@pytest.mark.parametrize("n", [2, 3, 1000, 5000])
def test_equity_without_band_flat_or_short(n: int) -> None:
    ts = to_ns("2010-01-04") + np.arange(n, dtype=np.int64) * NS_PER_DAY
    chart = equity_chart(Equity(ts, (Curve("flat", "selected", np.full(n, 1e6)),)))
    assert chart.alt == "flat ended at 1,000,000 USD, deepest drawdown 0.0 %."
    assert "band" not in chart.explain


def test_a_band_far_wider_than_the_curves_is_cut_and_said() -> None:
    ts = to_ns("2010-01-04") + np.arange(50, dtype=np.int64) * NS_PER_DAY
    curve = Curve("up", "selected", np.linspace(1e6, 1.1e6, 50))
    chart = equity_chart(Equity(ts, (curve,), np.full(50, 1e3), np.full(50, 1e9)))
    assert chart.explain.endswith("cut off where it leaves the picture.")


def test_scores_without_numbers_are_drawn_last() -> None:
    rows = [row for row in make_story().scores if row.horizon == "1d"]
    nothing = Estimate(float("nan"))
    empty = dataclasses.replace(rows[0], model="empty", pinball=nothing, crps=nothing, log_loss=nothing, brier=nothing)
    assert ranked([empty, *rows])[-1].model == "empty"
    assert score_chart([empty, *rows]).alt.startswith("Lowest pinball: lightgbm")
    assert "–" in score_chart([empty]).alt


def test_fan_counts_outcomes_outside_its_band() -> None:
    fan = make_story().fan
    assert fan is not None
    inside = dataclasses.replace(fan, realised=fan.quantiles[:, 11])
    assert "0 (0.0 %) fell outside" in fan_chart(inside).alt
    outside = dataclasses.replace(fan, realised=fan.quantiles[:, -1] + 1)
    assert "120 (100.0 %) fell outside" in fan_chart(outside).alt
    one = dataclasses.replace(fan, ts=fan.ts[:1], realised=fan.realised[:1], quantiles=fan.quantiles[:1])
    assert one.model in fan_chart(one).title


def test_pit_reports_uneven_bars() -> None:
    assert pit_chart(Calibration("m", (np.arange(N) + 0.5) / N)).alt.startswith("0 of 20 bars leave")
    assert pit_chart(Calibration("m", np.full(N, 0.5))).alt.startswith("20 of 20 bars leave")


def test_costs_of_nothing_and_of_a_rebate() -> None:
    assert cost_chart(Costs(0.0, {"fixed": 0.0}, 0.0)).alt == "Gross 0 USD, costs 0 USD, net 0 USD."
    assert "costs −5 USD" in cost_chart(Costs(-10.0, {"rebate": -5.0}, -5.0)).alt


def test_attribution_of_many_shows_both_ends() -> None:
    rows = [AttributionRow(f"I{k:03d}", float(k - 50), 0.0, float(k - 50)) for k in range(101)]
    chart = attribution_chart(rows)
    shown = re.findall(r"I\d{3}", chart.svg)
    assert len(shown) == 40
    assert {"I100", "I000"} <= set(shown)
    assert chart.alt == "Most from I100 (50 USD), least from I000 (−50 USD)."


def test_periods_with_a_missing_sharpe() -> None:
    rows = [PeriodRow("2010-01-01", "2010-06-30", 0.5), PeriodRow("2010-07-01", "2010-12-31", float("nan"))]
    assert period_chart(rows).alt == "1 of 2 sub-periods were positive."


def test_folds_without_a_test_block() -> None:
    row = FoldRow(0, "select", ("2001-01-01", "2003-01-01"), 500, ("2003-01-03", "2003-06-01"), 100)
    assert fold_chart([row]).alt == "Folds: 1, with a test block: 0."


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8))
def test_spread_keeps_order_and_gap(positions: list[float]) -> None:
    placed = spread(positions, 0.1)
    order = sorted(range(len(positions)), key=lambda k: positions[k])
    steps = np.diff([placed[k] for k in order])
    assert (steps > 0.05).all()


def test_thin_keeps_extremes_and_ends() -> None:
    y = np.sin(np.arange(20_000) / 37.0)
    y[12_345], y[777] = 9.0, -9.0
    x, kept, other = thin(np.arange(20_000.0), y, 2 * y)
    assert len(x) <= 1_002
    assert kept.max() == 9.0
    assert kept.min() == -9.0
    assert (x[0], x[-1]) == (0.0, 19_999.0)
    np.testing.assert_array_equal(other, 2 * kept)


@pytest.mark.parametrize(
    ("first", "last", "labels"),
    [
        ("2018-03-05", "2018-03-09", ["2018-03-05", "2018-03-06", "2018-03-07", "2018-03-08", "2018-03-09"]),
        ("2018-01-10", "2018-05-20", ["2018-02", "2018-03", "2018-04", "2018-05"]),
        ("2009-06-18", "2018-12-31", ["2010", "2012", "2014", "2016", "2018"]),
        ("1950-01-03", "2019-12-31", ["1960", "1970", "1980", "1990", "2000", "2010"]),
    ],
)
def test_date_ticks(first: str, last: str, labels: list[str]) -> None:
    start, stop = (to_ns(date) // NS_PER_DAY for date in (first, last))
    assert [label for label in _date_ticks(start, stop)[1] if label >= first[: len(label)]] == labels
