"""The quality gate: every rule has a planted fault, and sound data break none."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karat.core import NS_PER_DAY, DataError
from karat.data import RULES, Panel, check_quality, load
from karat.data._quality import check_rows

NAN = float("nan")


def sound(days: int = 60) -> pl.DataFrame:
    return load("synthetic", n_days=days, n_instruments=2).frame


def at(row: int, **values: object) -> list[pl.Expr]:
    """Return expressions that put values into one row."""
    return [
        pl.when(pl.int_range(pl.len()) == row).then(pl.lit(v)).otherwise(pl.col(k)).alias(k) for k, v in values.items()
    ]


def swap(frame: pl.DataFrame) -> pl.DataFrame:
    order = list(range(len(frame)))
    order[3], order[4] = order[4], order[3]
    return frame[order]


def overnight(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns((pl.col("ts") + NS_PER_DAY // 4).alias("ts"), known_at=pl.col("ts") + NS_PER_DAY)


def halted(frame: pl.DataFrame) -> pl.DataFrame:
    run = pl.int_range(pl.len()).is_between(5, 9)
    return frame.with_columns(close=pl.when(run).then(pl.col("close").first()).otherwise("close"))


def carried(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(open=pl.col("close").shift(1).over("instrument").fill_null(pl.col("open")))


FAULTS = {
    "one row for an instrument and time": lambda f: pl.concat([f.head(3), f[2:]]),
    "sorted by time": swap,
    "known_at is never before ts": lambda f: f.with_columns(at(5, known_at=0)),
    "no price is missing": lambda f: f.with_columns(at(5, close=NAN)),
    "values are finite": lambda f: f.with_columns(at(5, signal=float("inf"))),
    "prices are positive": lambda f: f.with_columns(at(5, low=0.0)),
    "low <= open, close <= high": lambda f: f.with_columns(at(5, high=1.0)),
    "volume is not negative": lambda f: f.with_columns(at(5, volume=-1.0)),
    "no volume is missing where there is volume": lambda f: f.with_columns(at(5, volume=NAN)),
    "bars close within a session": overnight,
    "no value is missing": lambda f: f.with_columns(at(5, signal=NAN)),
    "no session is missing": lambda f: pl.concat([f.head(10), f[11:]]),
    "no day without volume": lambda f: f.with_columns(at(5, volume=0.0)),
    "prices move": halted,
    "open is not the previous close": carried,
    "no jump beyond 12 sigma": lambda f: f.with_columns(at(5, close=1e6, high=1e6)),
}


@pytest.mark.req("QUAL-06")
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_planted_fault_is_found(rule, caplog):
    broken = FAULTS[rule.name](sound())
    with caplog.at_level(logging.WARNING, logger="karat.data"):
        report = check_rows(broken, calendar="XNYS", table="planted", strict=False)
    found = {item.rule: item for item in report.findings}
    assert rule.name in found
    item = found[rule.name]
    assert (item.table, item.severity, item.remedy) == ("planted", rule.severity, rule.remedy)
    assert item.n_rows >= len(item.rows) > 0
    assert report.passed is not any(item.severity == "error" for item in report.findings)
    records = [json.loads(record.message) for record in caplog.records]
    assert [record["rule"] for record in records] == list(found)
    mine = next(record for record in records if record["rule"] == rule.name)
    assert mine["rows"] == list(item.rows)
    assert mine["table"] == "planted"


def test_every_rule_has_a_fault():
    assert list(FAULTS) == [rule.name for rule in RULES]
    assert {rule.severity for rule in RULES} == {"error", "warning"}


def test_sound_data_break_no_rule():
    report = check_rows(sound(), calendar="XNYS", table="sound")
    assert report.passed
    assert report.findings == ()
    assert report.rules == tuple(rule.name for rule in RULES)
    assert json.loads(json.dumps(report.to_dict()))["n_rows"] == 120


@pytest.mark.req("DATA-22")
def test_strict_stops_and_lenient_reports():
    frame = sound().with_columns([*at(5, high=1.0, volume=-1.0)])
    panel = Panel(frame, "XNYS", load("synthetic", n_days=2).provenance)
    with pytest.raises(DataError) as caught:
        check_quality(panel, strict=True)
    values = ", ".join(
        f"{name} {value:.10g}" for name, value in frame.drop("ts", "known_at", "instrument").row(5, named=True).items()
    )
    assert str(caught.value) == (
        f"synthetic: got '1 bad row, first {values}'; rule 'low <= open, close <= high' is broken at "
        "SYN000.SYNTH 2005-01-10T21:00:00Z; correct the rows or drop them; also broken: volume is not negative"
    )
    report = check_quality(panel, strict=False)
    assert not report.passed
    assert [item.rule for item in report.findings if item.severity == "error"] == [
        "low <= open, close <= high",
        "volume is not negative",
    ]


def test_a_single_broken_rule_reads_plainly():
    with pytest.raises(DataError, match=r"correct the rows$"):
        check_rows(sound().with_columns(at(5, volume=-1.0)), calendar="XNYS", table="t")


@pytest.mark.req("QUAL-06")
@pytest.mark.parametrize("empty", [0.0, NAN])
def test_a_series_without_volume_may_have_none(empty):
    frame = sound().with_columns(volume=pl.when(pl.col("instrument") == "SYN001.SYNTH").then(empty).otherwise("volume"))
    assert check_rows(frame, calendar="XNYS", table="t").findings == ()


@pytest.mark.req("QUAL-06")
@settings(max_examples=40, deadline=None)
@given(
    bars=st.lists(
        st.tuples(st.floats(1, 1e4), st.floats(1, 1e4), st.floats(0, 0.5), st.floats(0, 0.5)), min_size=1, max_size=20
    ),
    row=st.integers(0, 19),
    off=st.floats(0.001, 0.5),
)
def test_any_consistent_bar_passes_and_any_inconsistent_one_fails(bars, row, off):
    frame = pl.DataFrame(
        {
            "ts": [(k + 1) * NS_PER_DAY for k in range(len(bars))],
            "known_at": [(k + 1) * NS_PER_DAY for k in range(len(bars))],
            "instrument": ["A.B"] * len(bars),
            "open": [o for o, _, _, _ in bars],
            "high": [max(o, c) * (1 + up) for o, c, up, _ in bars],
            "low": [min(o, c) * (1 - down) for o, c, _, down in bars],
            "close": [c for _, c, _, _ in bars],
        }
    )
    assert check_rows(frame, calendar="24/7", table="t", strict=False).passed
    row %= len(bars)
    body = max(bars[row][0], bars[row][1])
    bad = frame.with_columns(at(row, high=body * (1 - off)))
    assert not check_rows(bad, calendar="24/7", table="t", strict=False).passed


def test_slower_series_miss_no_sessions():
    weekly = sound(120).filter(pl.int_range(pl.len()).over("instrument") % 5 == 0)
    rules = {item.rule for item in check_rows(weekly, calendar="XNYS", table="t").findings}
    assert "no session is missing" not in rules


def test_the_open_of_the_bundled_index_is_called_out():
    trap = {item.rule: item for item in check_quality(load("bundled", dataset="sp500"), strict=True).findings}
    assert trap["open is not the previous close"].n_rows > 1900
    assert trap["open is not the previous close"].remedy == "do not fill at the open: it is the previous close"
    clean = {item.rule for item in check_quality(load("bundled", dataset="nasdaq"), strict=True).findings}
    assert "open is not the previous close" not in clean


def test_an_empty_frame_breaks_nothing():
    assert check_rows(sound().clear(), calendar="XNYS", table="t").passed
    keys = sound().select("ts", "known_at", "instrument")
    assert check_rows(keys, calendar="XNYS", table="t").passed


@pytest.mark.realdata
@pytest.mark.req("QUAL-06")
def test_the_public_vix_history_is_judged_as_its_readme_says():
    folder = Path(os.environ.get("KARAT_DATA", "../shared/data"))
    assert folder.is_dir(), f"{folder} is missing: set KARAT_DATA to the folder of real data"
    path = folder / "vix" / "vix-daily.csv.gz"
    with pytest.raises(DataError, match="every date has a session"):
        load("csv", path=path, licence="PDDL", instrument="VIX.INDEX")
    panel = load("csv", path=path, licence="PDDL", instrument="VIX.INDEX", off_session="drop")
    # the readme counts 28: by a calendar without Juneteenth and without the exchange's days of mourning
    assert panel.provenance.preprocessing == ("dropped 33 rows on days without a session of XNYS",)
    found = {item.rule: item.n_rows for item in check_quality(panel, strict=False).findings}
    assert found["low <= open, close <= high"] == 47
    assert found["no session is missing"] == 4
