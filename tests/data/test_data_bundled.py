"""The packaged datasets: what is in them, when it could be known, and their traps."""

from __future__ import annotations

import importlib.util
import sys

import polars as pl
import pytest

from karat.core import NS_PER_DAY, EnvironmentProblem, InputError, MissingExtraError, iso
from karat.data import check_quality, load, open_source, sessions

# rows, values, first bar, last bar: counted from the packaged files
FACTS = {
    "nasdaq": (5031, ("open", "high", "low", "close", "volume"), "1999-01-04T21:00:00Z", "2018-12-31T21:00:00Z"),
    "sp500": (5031, ("open", "high", "low", "close", "volume"), "1999-01-04T21:00:00Z", "2018-12-31T21:00:00Z"),
    "sp500_stocks": (166260, ("close",), "1990-01-02T21:00:00Z", "2022-12-28T21:00:00Z"),
    "vix": (1259, ("vix",), "2014-01-03T21:00:00Z", "2019-01-03T21:00:00Z"),
    "wti": (8321, ("wti",), "1986-01-03T00:00:00Z", "2019-01-04T00:00:00Z"),
    "default": (1200, ("aaa", "baa"), "1919-02-01T00:00:00Z", "2019-01-01T00:00:00Z"),
    "core_cpi": (743, ("core_cpi",), "1957-02-01T00:00:00Z", "2018-12-01T00:00:00Z"),
}


@pytest.mark.parametrize("name", FACTS)
def test_a_dataset_is_what_its_file_holds(name):
    panel = load("bundled", dataset=name)
    ts = panel.frame["ts"]
    assert (len(ts), panel.values, iso(ts.min()), iso(ts.max())) == FACTS[name]
    assert check_quality(panel, strict=True).passed


@pytest.mark.req("DATA-34")
@pytest.mark.parametrize("name", FACTS)
def test_a_dataset_states_origin_and_licence(name):
    provenance = load("bundled", dataset=name).provenance
    assert provenance.source == f"bundled:{name}"
    assert "sha256:" in provenance.origin
    assert provenance.licence


def test_bars_carry_the_close_of_their_session():
    nasdaq = load("bundled", dataset="nasdaq")
    assert nasdaq.calendar == "XNYS"
    assert nasdaq.instruments == ("COMP.XNAS",)
    assert (nasdaq.frame["known_at"] == nasdaq.frame["ts"]).all()
    closes = sessions("XNYS", "1999-01-04", "2018-12-31")["close_ns"]
    assert nasdaq.frame["ts"].to_list() == closes.to_list()


def test_holidays_without_a_vix_are_dropped_and_said():
    vix = load("bundled", dataset="vix")
    assert vix.provenance.preprocessing == ("dropped 46 days without a value",)
    # 16:15 New York: not yet known when the shares close
    assert (vix.frame["known_at"] - vix.frame["ts"] == 15 * 60 * 10**9).all()


@pytest.mark.parametrize(("name", "days"), [("wti", 10), ("default", 7), ("core_cpi", 31)])
def test_published_series_are_known_after_their_lag(name, days):
    panel = load("bundled", dataset=name)
    assert panel.calendar == "none"
    assert (panel.frame["known_at"] - panel.frame["ts"] == days * NS_PER_DAY).all()


def test_traps_are_noted():
    assert "open equals the previous close" in load("bundled", dataset="sp500").notes[0]
    assert "survivors" in load("bundled", dataset="sp500_stocks").notes[0]
    assert "revisions" in load("bundled", dataset="core_cpi").notes[0]


def test_a_range_and_instruments_can_be_chosen():
    panel = load(
        "bundled", dataset="sp500_stocks", start="2000-01-01", end="2000-12-31", instruments=["AAPL.US", "XOM.US"]
    )
    assert panel.instruments == ("AAPL.US", "XOM.US")
    assert len(panel.frame) == 2 * 252
    with pytest.raises(InputError, match=r"instruments: got 'APL.US'.*did you mean 'AAPL.US'"):
        load("bundled", dataset="sp500_stocks", instruments=["APL.US"])


def test_no_data_in_range_says_what_there_is():
    with pytest.raises(InputError) as caught:
        load("bundled", dataset="nasdaq", start="2030-01-01", end="2031-01-01")
    assert str(caught.value) == (
        "start..end: got '2030-01-01..2031-01-01'; no data in range; allowed: 1999-01-04 to 2018-12-31"
    )
    with pytest.raises(InputError, match=r"start: got '2010-01-02'; allowed: a date up to end=2010-01-01"):
        load("bundled", start="2010-01-02", end="2010-01-01")


def test_an_unknown_dataset_is_named():
    with pytest.raises(InputError, match=r"dataset: got 'nasdq'.*did you mean 'nasdaq'\?"):
        load("bundled", dataset="nasdq")


def test_a_missing_package_names_its_extra(monkeypatch, tmp_path):
    source = open_source("bundled", {"dataset": "sp500_stocks"})
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"skfolio: not installed; it comes with the extra 'portfolio'"):
        source.load()
    empty = importlib.machinery.ModuleSpec("skfolio", None, is_package=True)
    empty.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: empty)
    with pytest.raises(EnvironmentProblem, match=r"its file datasets/.* is missing; reinstall skfolio"):
        source.load()


def test_reading_imports_neither_arch_nor_skfolio():
    import subprocess

    code = (
        "import sys; from karat.data import load; load('bundled', dataset='nasdaq'); "
        "load('bundled', dataset='sp500_stocks'); "
        "sys.exit(bool({'arch', 'skfolio', 'torch', 'sklearn'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_stocks_are_aligned_by_session():
    frame = load("bundled", dataset="sp500_stocks").frame
    counts = frame.group_by("instrument").agg(pl.len(), pl.col("ts").min())
    assert set(counts["len"].to_list()) == {8313}
