"""The store: equal to `build`, computed once, never ahead of what was known, and the same online as offline."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from features_factory import PROVENANCE, panel

from karat.core import NS_PER_DAY, DataError, InputError
from karat.data import Panel
from karat.features import FEATURES, FeatureSpec, OnlineFeatures, build
from karat.features.store import (
    Definition,
    FeatureStore,
    MemoryOnline,
    Online,
    RedisOnline,
    Served,
    definition_of,
)

NAMES = ("A.XNYS", "B.XNYS")
CHOSEN = ["ret_1", "ret_5", "rsi_14"]
DAY = NS_PER_DAY


def with_rows(of: Panel, frame: pl.DataFrame) -> Panel:
    return Panel(frame, of.calendar, PROVENANCE)


def equal(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    return one.equals(other, null_equal=True)


@pytest.mark.req("FEAT-47")
def test_a_second_request_is_served_also_after_a_restart_and_equals_build(tmp_path: Path) -> None:
    whole = panel(120, instruments=NAMES)
    expected = build(whole, CHOSEN)
    store = FeatureStore(tmp_path)
    for _ in range(2):
        found = store.features(whole, CHOSEN)
        assert equal(found.frame, expected.frame)
        assert found.names == expected.names
    assert (store.use.hits, store.use.misses, store.use.hit_rate) == (2, 2, 0.5)
    code = (
        "import sys; sys.path.insert(0, 'tests/features')\n"
        "from features_factory import panel\n"
        "from karat.features.store import FeatureStore\n"
        f"store = FeatureStore({str(tmp_path)!r})\n"
        f"made = store.features(panel(120, instruments={NAMES!r}), {CHOSEN!r})\n"
        "print(store.use.misses, made.frame.hash_rows(1).sum())"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", str(expected.frame.hash_rows(1).sum())]


@pytest.mark.req("FEAT-47")
def test_more_bars_add_rows_and_leave_the_others(tmp_path: Path) -> None:
    whole, store = panel(120), FeatureStore(tmp_path)
    store.features(with_rows(whole, whole.frame.head(100)), CHOSEN)
    before = store.history(CHOSEN, "A.XNYS")
    assert equal(store.features(whole, CHOSEN).frame, build(whole, CHOSEN).frame)
    after = store.history(CHOSEN, "A.XNYS")
    assert equal(after.head(100), before)
    assert after["known_at"].to_list() == whole.frame["known_at"].to_list()
    parts = sorted(path.name for path in tmp_path.rglob("*.parquet"))
    assert parts == ["part-000000.parquet", "part-000001.parquet"]


@pytest.mark.req("FEAT-48")
def test_another_definition_is_another_version_and_the_old_one_stays(tmp_path: Path) -> None:
    whole, store = panel(120), FeatureStore(tmp_path)
    known = FEATURES["ret_1"]
    spec = replace(known, name="mine")
    other = replace(spec, compute=known.expression * 2.0)
    old, new = definition_of([spec]), definition_of([other])
    assert old.id != new.id
    first = store.features(whole, [spec]).frame
    second = store.features(whole, [other]).frame
    np.testing.assert_allclose(second[spec.name].to_numpy(), 2 * first[spec.name].to_numpy())
    assert store.versions() == tuple(sorted((old.id[:32], new.id[:32])))
    assert equal(store.features(whole, [spec]).frame, first)
    assert store.use.hits == 1


@pytest.mark.req("FEAT-48")
def test_code_of_a_python_function_is_part_of_the_version() -> None:
    def spec(compute: object) -> FeatureSpec:
        return FeatureSpec("mine", ("close",), 0, "custom", "fraction", "x", "here", compute)  # type: ignore[arg-type]

    same = [definition_of([spec(lambda columns: columns["close"] + 1.0)]).id for _ in range(2)]
    other = definition_of([spec(lambda columns: columns["close"] + 2.0)]).id
    assert same[0] == same[1] != other


@pytest.mark.req("FEAT-50")
def test_a_late_bar_changes_nothing_that_was_read_before_it_arrived(tmp_path: Path) -> None:
    """Day 60 is missing until day 80: it and what it changed are known from its arrival on."""
    whole, store = panel(120), FeatureStore(tmp_path)
    holed = whole.frame.filter(pl.col("ts") != 60 * DAY)
    first = store.features(with_rows(whole, holed.head(79)), CHOSEN)  # up to day 80
    arrived = 80 * DAY + 1
    keys = pl.DataFrame({"time": [day * DAY for day in (59, 60, 61, 75, 80)], "instrument": ["A.XNYS"] * 5})
    before = store.as_of(keys, CHOSEN)
    store.features(with_rows(whole, whole.frame.head(80)), CHOSEN, arrived_ns=arrived)
    assert equal(store.as_of(keys, CHOSEN), before)
    assert before["ts"].to_list() == [59 * DAY, 59 * DAY, 61 * DAY, 75 * DAY, 80 * DAY]
    later = store.as_of(keys.head(1).with_columns(time=pl.lit(arrived)), CHOSEN)
    corrected = build(with_rows(whole, whole.frame.head(80)), CHOSEN).frame.row(79)
    assert later.row(0)[2:] == (80 * DAY, arrived, *corrected[3:])
    assert later.row(0)[4:] != before.row(4)[4:]
    assert equal(store.history(CHOSEN, "A.XNYS", at_ns=80 * DAY), first.frame.drop("instrument"))


@pytest.mark.req("FEAT-50")
def test_reading_as_of_equals_cutting_the_panel_there(tmp_path: Path) -> None:
    whole, store = panel(120, instruments=NAMES), FeatureStore(tmp_path)
    delayed = with_rows(whole, whole.frame.with_columns(known_at=pl.col("known_at") + 7))
    store.features(delayed, CHOSEN)
    times = np.array([0, DAY + 6, DAY + 7, 50 * DAY, 50 * DAY + 7, 200 * DAY])
    keys = pl.DataFrame({"time": np.tile(times, 2), "instrument": np.repeat(NAMES, len(times)), "own": range(12)})
    found = store.as_of(keys.sample(fraction=1.0, shuffle=True, seed=1), CHOSEN).sort("own")
    for row in found.iter_rows(named=True):
        cut = delayed.frame.filter((pl.col("known_at") <= row["time"]) & (pl.col("instrument") == row["instrument"]))
        if cut.is_empty():
            assert row["ts"] is None
            continue
        last = build(with_rows(whole, cut), CHOSEN).frame.row(-1, named=True)
        for name in ("ts", "known_at", *CHOSEN):
            assert row[name] == last[name] or (np.isnan(row[name]) and np.isnan(last[name]))


@pytest.fixture(params=["memory", "redis"])
def online(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Online]:
    if request.param == "memory":
        yield MemoryOnline()
        return
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server on this machine")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                store = RedisOnline(f"redis://127.0.0.1:{port}/0")
                break
            except DataError:
                time.sleep(0.05)
        yield store
    finally:
        server.terminate()
        server.wait(10)


@pytest.mark.req("FEAT-49", "FEAT-50")
def test_what_is_served_is_what_research_reads(online: Online, tmp_path: Path) -> None:
    """Bar by bar online against the offline store: no skew, and a planted one is measured."""
    whole, definition = panel(90), definition_of(CHOSEN)
    store = FeatureStore(tmp_path / "store", online=online)
    live, log = OnlineFeatures(CHOSEN), []
    columns = whole.frame.select(live.columns).to_numpy()
    for ts, bar in zip(whole.frame["ts"].to_list(), columns, strict=True):
        store.push(definition, Served("A.XNYS", ts, ts, live.update(bar)))
        log.append(store.serve(definition, "A.XNYS", now_ns=ts + 5))
    store.features(whole, CHOSEN)
    moments = [one.ts + 5 for one in log]
    clean = store.skew(CHOSEN, log, moments, rtol=1e-9)
    assert clean.clean
    assert clean.rows == 90
    log[80] = replace(log[80], values=log[80].values * 1.01)
    log[81] = log[79]
    found = store.skew(CHOSEN, log, moments, rtol=1e-9)
    assert (found.differing, found.stale, found.missing, found.clean) == (1, 1, 0, False)
    assert found.largest == pytest.approx(0.01)
    assert found.feature in CHOSEN


@pytest.mark.req("FEAT-49")
def test_the_newest_bar_wins_whatever_the_order_of_putting(online: Online) -> None:
    late = 1_700_000_000_000_000_002  # instants that differ in digits beyond the 53 bits of a float
    for ts, known_at, value in ((late, late, 1.0), (late - 1, late + 9, 2.0), (late, late + 1, 3.0), (late, late, 4.0)):
        online.put("d", [Served("A", ts, known_at, np.array([value, np.nan]))])
    found = online.get("d", "A")
    assert found is not None
    assert (found.ts, found.known_at, found.values[0]) == (late, late + 1, 3.0)
    assert np.isnan(found.values[1])
    assert online.get("e", "A") is None


def test_publish_puts_the_last_known_values_online(tmp_path: Path) -> None:
    whole, store, definition = panel(90, instruments=NAMES), FeatureStore(tmp_path), definition_of(CHOSEN)
    expected = store.features(whole, CHOSEN).frame
    assert store.publish(CHOSEN) == 2
    found = store.serve(definition, "B.XNYS", now_ns=90 * DAY)
    assert found.values.tolist() == list(expected.row(-1)[3:])
    assert found.ts == 90 * DAY


def test_what_cannot_be_served_says_why(tmp_path: Path) -> None:
    store, definition = FeatureStore(tmp_path), definition_of(CHOSEN)
    with pytest.raises(DataError, match="holds the instrument"):
        store.serve(definition, "A.XNYS", now_ns=0)
    values = np.zeros(len(CHOSEN))
    store.push(definition, Served("A.XNYS", 10, 12, values))
    with pytest.raises(DataError, match="serves what is known"):
        store.serve(definition, "A.XNYS", now_ns=11)
    with pytest.raises(DataError, match="at most 5 ns old"):
        store.serve(definition, "A.XNYS", now_ns=20, max_age_ns=5)
    assert store.serve(definition, "A.XNYS", now_ns=14, max_age_ns=5).ts == 10
    with pytest.raises(InputError, match=r"values: got 'shape \(1,\)'"):
        store.push(definition, Served("A.XNYS", 10, 12, np.zeros(1)))
    with pytest.raises(InputError, match="keys: got"):
        store.as_of(pl.DataFrame({"ts": [1]}), CHOSEN)
    with pytest.raises(DataError, match="answers"):
        RedisOnline("redis://127.0.0.1:1/0")


def test_broken_parts_and_withdrawn_bars_are_refused(tmp_path: Path) -> None:
    whole, store = panel(60), FeatureStore(tmp_path)
    store.features(whole, CHOSEN)
    gone = with_rows(whole, whole.frame.filter(pl.col("ts") != 30 * DAY))
    with pytest.raises(DataError, match="bars are corrected, never taken back"):
        store.features(gone, CHOSEN)
    part = next(tmp_path.rglob("*.parquet"))
    pl.DataFrame({"ts": [1]}).write_parquet(part)
    with pytest.raises(DataError, match="a part is of its folder's definition"):
        store.history(CHOSEN, "A.XNYS")
    part.write_bytes(b"PAR1")
    with pytest.raises(DataError, match="parts are as they were written"):
        store.history(CHOSEN, "A.XNYS")


def test_two_writers_of_one_part_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from karat.features.store import _offline

    offline = _offline.Offline(tmp_path, definition_of(CHOSEN[:1]))
    row = pl.DataFrame({"ts": [1], "known_at": [1], CHOSEN[0]: [0.5]})
    offline.append("A/B:C", row, (1, "x"))
    monkeypatch.setattr(_offline.Offline, "_parts", lambda self, instrument: iter(()))
    with pytest.raises(DataError, match="one writer of a store at a time"):
        offline.append("A/B:C", row.with_columns(pl.lit(9.0).alias(CHOSEN[0])), (1, "x"))
    monkeypatch.undo()
    assert offline.rows("A/B:C")[CHOSEN[0]].to_list() == [0.5]
    assert offline.instruments() == ("A/B:C",)
    assert not list(tmp_path.rglob("*.partial"))


def test_a_definition_names_its_inputs() -> None:
    made = definition_of(CHOSEN)
    assert isinstance(made, Definition)
    assert made.names == tuple(CHOSEN)
    assert "close" in made.inputs
