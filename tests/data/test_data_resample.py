"""Slower bars: aggregation, alignment, and no bar before it has closed."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karat.core import DataError, InputError, iso
from karat.data import SCALES, Panel, Provenance, check_quality, is_intraday, load, resample, sessions

HOUR = 3_600 * 10**9
SIZES = {"1d": 1, "2d": 2, "3d": 3, "5d": 5}


@pytest.mark.req("DATA-10")
@settings(max_examples=40, deadline=None)
@given(
    scale=st.sampled_from(sorted(SCALES)), days=st.integers(8, 60), seed=st.integers(0, 99), first=st.integers(0, 300)
)
def test_bars_aggregate_whole_blocks(scale, days, seed, first):
    start = dt.date(2024, 1, 2) + dt.timedelta(days=first)
    panel = load("synthetic", n_days=days, seed=seed, n_instruments=2, start=start)
    slow = resample(panel, scale).frame
    table = sessions("XNYS", start, start + dt.timedelta(days=200)).head(days)
    for name in panel.instruments:
        bars = panel.frame.filter(pl.col("instrument") == name)
        got = slow.filter(pl.col("instrument") == name)
        blocks = blocks_of(scale, table["date"].to_list())
        assert len(got) in (len(blocks), len(blocks) - 1)
        for k, rows in enumerate(blocks[: len(got)]):
            block, bar = bars[rows], got.row(k, named=True)
            assert bar["open"] == block["open"][0]
            assert bar["high"] == block["high"].max()
            assert bar["low"] == block["low"].min()
            assert bar["close"] == block["close"][-1]
            assert bar["volume"] == pytest.approx(block["volume"].sum())
            assert bar["signal"] == block["signal"][-1]
            assert bar["ts"] == bar["known_at"] == block["ts"][-1]
        if scale in SIZES:
            assert len(got) == days // SIZES[scale]
    assert check_quality(resample(panel, scale), strict=True).passed


def blocks_of(scale: str, dates: list[dt.date]) -> list[list[int]]:
    """Return the rows of each block by plain counting."""
    blocks: dict[object, list[int]] = {}
    for row, day in enumerate(dates):
        key = row // SIZES[scale] if scale in SIZES else day.isocalendar()[:2]
        blocks.setdefault(key, []).append(row)
    return list(blocks.values())


@pytest.mark.req("DATA-10")
@settings(max_examples=40, deadline=None)
@given(scale=st.sampled_from(sorted(SCALES)), cut=st.integers(12, 59))
def test_the_future_never_changes_a_bar_and_no_partial_bar_leaks(scale, cut):
    panel = load("synthetic", n_days=60, n_instruments=2)
    now = panel.frame["ts"].unique().sort()[cut]
    whole, early = resample(panel, scale), resample(panel.as_of(now), scale)
    assert early.frame.equals(whole.as_of(now).frame)
    assert (early.frame["known_at"] <= now).all()


def test_a_week_ends_with_its_last_session():
    panel = load("bundled", dataset="nasdaq", start="2018-03-19", end="2018-04-12")
    # Good Friday, 2018-03-30, had no session: that week closed on Thursday. The last week has not ended.
    assert [iso(ts)[:10] for ts in resample(panel, "week").frame["ts"]] == ["2018-03-23", "2018-03-29", "2018-04-06"]


def hourly(days: int = 3, calendar: str = "XNYS") -> Panel:
    """Return hourly bars of sessions from 2024-07-01 on, the last one of each stamped with the close."""
    rows, price = [], 100.0
    for opened, closed in (
        sessions(calendar, "2024-07-01", "2024-07-31").head(days).select("open_ns", "close_ns").rows()
    ):
        for ts in [*range(opened + HOUR, closed, HOUR), closed]:
            price += 1.0
            rows.append((ts, ts + 60, "A", price - 0.5, price + 1.0, price - 1.0, price, 10.0))
    names = ("ts", "known_at", "instrument", "open", "high", "low", "close", "volume")
    frame = pl.DataFrame(rows, schema=names, orient="row")
    return Panel(frame, calendar, Provenance("made", "made", "none"))


@pytest.mark.req("DATA-29")
def test_bars_within_sessions_become_daily_ones():
    panel = hourly()  # 2024-07-03 closed at 17:00 UTC: four bars instead of seven
    assert is_intraday(panel)
    days = resample(panel, "1d")
    assert not is_intraday(days)
    assert [iso(ts) for ts in days.frame["ts"]] == [
        "2024-07-01T20:00:00Z",
        "2024-07-02T20:00:00Z",
        "2024-07-03T17:00:00Z",
    ]
    assert days.frame["volume"].to_list() == [70.0, 70.0, 40.0]
    first = panel.frame.head(7)
    assert days.frame.row(0)[3:] == (first["open"][0], first["high"].max(), first["low"].min(), first["close"][6], 70.0)
    assert days.frame["known_at"].to_list() == [ts + 60 for ts in days.frame["ts"]]


@pytest.mark.req("DATA-29")
@settings(max_examples=40, deadline=None)
@given(cut=st.integers(7, 59), scale=st.sampled_from(["1d", "2d", "week"]), calendar=st.sampled_from(["XNYS", "24/7"]))
def test_no_daily_bar_before_its_session_has_closed(cut, scale, calendar):
    panel = hourly(9, calendar)
    now = panel.frame["known_at"][cut]
    whole = resample(panel, scale).as_of(now).frame
    if len(whole):
        assert resample(panel.as_of(now), scale).frame.equals(whole)


def test_a_halted_instrument_keeps_the_common_bars():
    panel = load("synthetic", n_days=10, n_instruments=2)
    rows = [k for k in range(20) if k not in (1, 4, 5)]
    slow = resample(Panel(panel.frame[rows], "XNYS", panel.provenance), "2d").frame
    counts = dict(slow.group_by("instrument").len().rows())
    assert counts == {"SYN000.SYNTH": 4, "SYN001.SYNTH": 5}
    assert set(slow.filter(pl.col("instrument") == "SYN000.SYNTH")["ts"]) <= set(
        slow.filter(pl.col("instrument") == "SYN001.SYNTH")["ts"]
    )


def test_volume_stays_absent_where_there_is_none():
    panel = load("synthetic", n_days=10)
    none = Panel(panel.frame.with_columns(volume=float("nan")), "XNYS", panel.provenance)
    assert resample(none, "5d").frame["volume"].is_nan().all()
    some = panel.frame.with_columns(volume=pl.when(pl.int_range(pl.len()) == 0).then(float("nan")).otherwise("volume"))
    whole = resample(Panel(some, "XNYS", panel.provenance), "5d").frame["volume"][0]
    assert whole == pytest.approx(panel.frame["volume"][1:5].sum())


def test_closes_only_and_every_day_calendars_work():
    stocks = load("bundled", dataset="sp500_stocks", start="2022-01-03", end="2022-03-31")
    assert resample(stocks, "week").values == ("close",)
    crypto = load("synthetic", n_days=14, calendar="24/7", start="2024-01-01")
    assert [iso(ts) for ts in resample(crypto, "week").frame["ts"]] == ["2024-01-08T00:00:00Z", "2024-01-15T00:00:00Z"]


def test_the_provenance_says_what_was_done():
    assert resample(load("synthetic", n_days=10), "2d").provenance.preprocessing == ("resampled to 2d",)


def test_mistakes_are_named():
    panel = load("synthetic", n_days=4)
    with pytest.raises(InputError, match=r"scale: got '4d'; allowed: 1d, 2d, 3d, 5d, week"):
        resample(panel, "4d")
    with pytest.raises(InputError, match=r"scale: got '5d'; the panel is shorter than one bar; load more sessions"):
        resample(panel, "5d")
    with pytest.raises(InputError, match=r"calendar: got 'none'; bars are counted in sessions"):
        resample(load("bundled", dataset="wti"), "2d")
    with pytest.raises(InputError, match=r"panel: got '0 rows'; there is nothing to resample"):
        resample(panel.as_of(0), "2d")
    at_noon = pl.concat([panel.frame, panel.frame.with_columns(pl.col("ts") - 4 * 3_600 * 10**9)]).sort("ts")
    before_the_open = at_noon.with_columns(pl.col("ts") - 8 * 3_600 * 10**9)
    with pytest.raises(
        DataError,
        match=r"got '8 of 8 bars elsewhere'; rule 'bars within the sessions of XNYS' is broken at .* 2005-01-03T09",
    ):
        resample(Panel(before_the_open, "XNYS", panel.provenance), "1d")
    moved = panel.frame.with_columns(pl.col("ts") - 1)
    with pytest.raises(
        DataError,
        match=r"got '4 of 4 bars elsewhere'; rule 'daily bars, one a session' is broken at SYN000.* 2005-01-03T20:59",
    ):
        resample(Panel(moved, "XNYS", panel.provenance), "2d")
