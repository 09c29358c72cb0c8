"""The fixture generator: byte-identical per seed, strict-clean, and realistic."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from karat.core import InputError
from karat.data._fixture import make_fixture
from karat.data._fixture_tables import BENCHMARK
from karat.data._integrity import check_database
from karat.data._sqlite_read import read_tables
from karat.data._sqlite_schema import TABLES


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.req("DATA-19")
def test_the_same_seed_gives_the_same_bytes_in_a_fresh_process(database: Path, tmp_path: Path):
    again = tmp_path / "again.db"
    call = f"make_fixture({str(again)!r}, seed=42, n_bars=1260, n_instruments=2)"
    code = f"from karat.data._fixture import make_fixture; {call}"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert digest(again) == digest(database)
    one, two = read_tables(again).frames, read_tables(database).frames
    assert all(one[name].equals(two[name]) for name in TABLES)


@pytest.mark.req("DATA-19")
def test_another_seed_gives_other_rows(frames: dict[str, pl.DataFrame], tmp_path: Path):
    rows = make_fixture(tmp_path / "other.db", seed=43, n_bars=1260, n_instruments=2)
    other = read_tables(tmp_path / "other.db").frames
    assert not any(other[name].equals(frames[name]) for name in TABLES)
    assert rows == {name: len(frame) for name, frame in other.items()}


@pytest.mark.req("DATA-19")
def test_every_table_has_rows_and_passes_the_strict_gate(database: Path, frames: dict[str, pl.DataFrame]):
    assert check_database(database, strict=True).passed
    assert set(frames) == set(TABLES)
    assert all(len(frame) for frame in frames.values())
    assert len(frames["series"]) == 2 * 1260


@pytest.mark.req("DATA-19")
def test_adding_an_instrument_changes_no_other(frames: dict[str, pl.DataFrame], tmp_path: Path):
    make_fixture(tmp_path / "three.db", seed=42, n_bars=1260, n_instruments=3)
    three = read_tables(tmp_path / "three.db").frames
    for name in ("series", "regimes", "funding_costs", "implied_volatility"):
        kept = three[name].filter(pl.col("instrument") != "SYN002.SYNTH")
        assert kept.equals(frames[name]), name


@pytest.mark.req("DATA-19")
@pytest.mark.slow
def test_long_history_has_fat_tails_and_volatility_clusters(tmp_path: Path):
    make_fixture(tmp_path / "long.db", seed=1)
    bars = read_tables(tmp_path / "long.db", only=["series"]).frames["series"]
    assert len(bars) == 3 * 3780
    for _, part in bars.group_by("instrument"):
        r = np.diff(np.log(part["close"].to_numpy()))
        z = (r - r.mean()) / r.std()
        assert np.mean(z**4) > 4.0  # normal: 3
        size = np.abs(z) - np.abs(z).mean()
        lags = [float(np.mean(size[k:] * size[:-k]) / np.mean(size**2)) for k in range(1, 11)]
        assert np.mean(lags) > 0.05  # independent: 0 ± 0.005
        assert abs(np.mean(z[1:] * z[:-1])) < 0.08


@pytest.mark.req("DATA-19")
def test_bars_are_sane_and_volatile(frames: dict[str, pl.DataFrame]):
    bars = frames["series"]
    assert bars.select((pl.col("high") >= pl.max_horizontal("open", "close")).all()).item()
    assert bars.select((pl.col("low") <= pl.min_horizontal("open", "close")).all()).item()
    for _, part in bars.group_by("instrument"):
        yearly = float(np.diff(np.log(part["close"].to_numpy())).std() * np.sqrt(252))
        assert 0.12 < yearly < 0.5


@pytest.mark.req("DATA-19")
def test_books_are_ordered_and_do_not_cross(frames: dict[str, pl.DataFrame]):
    book = frames["depth_snapshots"]
    best = book.group_by("instrument", "ts").agg(
        bid=pl.col("price").filter(pl.col("side") == "bid").max(),
        ask=pl.col("price").filter(pl.col("side") == "ask").min(),
        n=pl.len(),
    )
    assert best.select((pl.col("bid") < pl.col("ask")).all()).item()
    assert best["n"].unique().to_list() == [10]
    ticks = book["price"] / 0.01
    assert float((ticks - ticks.round()).abs().max()) < 1e-6  # type: ignore[arg-type]
    asks = book.filter(pl.col("side") == "ask").select(pl.col("price").diff().over("instrument", "ts")).drop_nulls()
    assert asks.select((pl.col("price") > 0).all()).item()


def test_figures_are_published_after_the_month_they_speak_of(frames: dict[str, pl.DataFrame]):
    macro = frames["macro_calendar"]
    assert float((macro["known_at"] - macro["ts"]).min()) > 15 * 86_400e9  # type: ignore[arg-type]


def test_the_benchmark_is_the_mean_of_its_members(frames: dict[str, pl.DataFrame]):
    wide = frames["series"].pivot(on="instrument", index="ts", values="close").sort("ts")
    returns = wide.select(pl.exclude("ts").pct_change()).drop_nulls().mean_horizontal().to_numpy()
    level = frames["benchmarks"]["level"].to_numpy()
    assert level[0] == 100.0
    assert level[1:] == pytest.approx(100 * np.cumprod(1 + returns), rel=1e-10)
    assert frames["benchmarks"]["benchmark"].unique().to_list() == [BENCHMARK]


def test_bad_arguments(tmp_path: Path, database: Path):
    with pytest.raises(InputError, match=r"path: .*it exists and is never written over; choose a new path"):
        make_fixture(database)
    with pytest.raises(InputError, match=r"no folder .*nowhere; make the folder first"):
        make_fixture(tmp_path / "nowhere" / "x.db")
    with pytest.raises(InputError, match="n_bars: got 500; regimes need two fits; allowed: 1008 or more"):
        make_fixture(tmp_path / "x.db", n_bars=500)
    assert list(tmp_path.iterdir()) == []


def test_a_partial_file_of_a_killed_run_is_replaced(tmp_path: Path):
    (tmp_path / "x.db.partial").write_bytes(b"half")
    make_fixture(tmp_path / "x.db", n_bars=1008, n_instruments=1)
    assert [item.name for item in tmp_path.iterdir()] == ["x.db"]
