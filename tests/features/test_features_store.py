"""The store: equal to `build`, computed once, never ahead of what was known, and the same online as offline."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import polars as pl
import pytest
from features_factory import PROVENANCE, panel

from karat.core import NS_PER_DAY, DataError, InputError, MissingExtraError
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
from karat.features.store._meaning import version_of

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


def three_panels() -> dict[str, Panel]:
    """100 days, 120 days, and the 120 with another close on day 60: each later one changes what is stored."""
    whole = panel(120, instruments=NAMES)
    early = pl.col("ts") <= 100 * DAY
    close = pl.when(pl.col("ts") == 60 * DAY).then(1.01 * pl.col("close")).otherwise("close").alias("close")
    frames = {"early": whole.frame.filter(early), "whole": whole.frame, "corrected": whole.frame.with_columns(close)}
    return {name: with_rows(whole, frame) for name, frame in frames.items()}


def elsewhere(code: str, tmp_path: Path) -> list[str]:
    """Return the words that code prints in a fresh process; `store`, `panels` and `tests` are there."""
    head = (
        "import sys; sys.path.insert(0, 'tests/features')\n"
        "import test_features_store as tests\n"
        "from karat.features.store import FeatureStore\n"
        f"store, panels = FeatureStore({str(tmp_path)!r}), tests.three_panels()\n"
    )
    root = Path(__file__).parents[2]
    words = [sys.executable, "-c", head + code]
    return subprocess.run(words, cwd=root, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.req("FEAT-47")
def test_any_earlier_panel_is_served_without_computing_after_a_restart(tmp_path: Path) -> None:
    store, panels = FeatureStore(tmp_path), three_panels()
    wanted = {name: build(each, CHOSEN).frame for name, each in panels.items()}
    assert not wanted["whole"].equals(wanted["corrected"])
    for name, each in panels.items():
        assert equal(store.features(each, CHOSEN).frame, wanted[name])
    assert store.use.misses == 6
    parts = sorted(path.name for path in tmp_path.rglob("*.parquet"))
    code = (
        "for name in ('early', 'corrected', 'whole', 'early'):\n"
        "    print(name, store.features(panels[name], tests.CHOSEN).frame.hash_rows(1).sum())\n"
        "print(store.use.hits, store.use.misses)"
    )
    found = elsewhere(code, tmp_path)
    assert found[-2:] == ["8", "0"]
    for name, told in zip(found[:-2:2], found[1:-2:2], strict=True):
        assert told == str(wanted[name].hash_rows(1).sum()), name
    assert sorted(path.name for path in tmp_path.rglob("*.parquet")) == parts
    times = pl.DataFrame({"time": [120 * DAY], "instrument": ["A.XNYS"]})  # and history is what it was
    assert FeatureStore(tmp_path).as_of(times, CHOSEN).row(0)[4:] == wanted["corrected"].row(119)[3:]


@pytest.mark.req("FEAT-48")
def test_old_panels_of_an_old_definition_are_served_after_a_restart(tmp_path: Path) -> None:
    panels = three_panels()
    wanted = build(panels["early"], CHOSEN[:2]).frame
    store = FeatureStore(tmp_path)
    for selection in (CHOSEN[:2], CHOSEN):
        for each in panels.values():
            store.features(each, selection)
    assert len(store.versions()) == 2
    code = (
        "frame = store.features(panels['early'], tests.CHOSEN[:2]).frame\n"
        "print(store.use.hits, store.use.misses, frame.hash_rows(1).sum())"
    )
    assert elsewhere(code, tmp_path) == ["2", "0", str(wanted.hash_rows(1).sum())]


@pytest.mark.req("FEAT-47")
def test_the_panels_of_an_instrument_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from karat.features.store import _offline

    assert _offline.PANELS == 512
    monkeypatch.setattr(_offline, "PANELS", 3)
    whole, store = panel(60), FeatureStore(tmp_path)
    for n in (50, 52, 54, 56):
        store.features(with_rows(whole, whole.frame.head(n)), CHOSEN)
    offline = _offline.Offline(tmp_path, definition_of(CHOSEN))
    assert list(offline.panels("A.XNYS").values()) == [2, 3, 4]
    assert store.use.misses == 4
    store.features(with_rows(whole, whole.frame.head(52)), CHOSEN)
    assert store.use.hits == 1
    store.features(with_rows(whole, whole.frame.head(50)), CHOSEN)  # forgotten: computed again, nothing stored twice
    assert store.use.misses == 5
    assert len(list(tmp_path.rglob("*.parquet"))) == 4


@pytest.mark.req("FEAT-48")
def test_pruning_keeps_what_is_named_and_says_what_it_freed(tmp_path: Path) -> None:
    whole, store = panel(60, instruments=NAMES), FeatureStore(tmp_path)
    for selection in (CHOSEN, CHOSEN[:1], CHOSEN[:2]):
        store.features(whole, selection)
    before = store.size
    freed = store.prune(keep=[CHOSEN[:2]])
    assert freed > 0
    assert store.size == before - freed
    assert store.versions() == (definition_of(CHOSEN[:2]).id[:32],)
    store.features(whole, CHOSEN[:2])
    assert store.use.hits == 2
    with pytest.raises(InputError, match="no feature is selected"):
        store.prune(keep=[[]])


@pytest.mark.req("FEAT-47")
def test_a_full_store_takes_nothing_more_and_says_how_to_make_room(tmp_path: Path) -> None:
    whole = panel(60)
    FeatureStore(tmp_path).features(whole, CHOSEN)
    full = FeatureStore(tmp_path, most_bytes=1_000)
    assert full.features(whole, CHOSEN).names == tuple(CHOSEN)  # what it holds it serves
    with pytest.raises(DataError, match=r"holds at most 1,000 bytes.*prune\(keep=\[...\]\), or raise most_bytes"):
        full.features(whole, CHOSEN[:1])
    full.prune(keep=["vix8"])
    assert full.versions() == ()
    assert full.features(whole, CHOSEN[:1]).names == tuple(CHOSEN[:1])


def test_a_correction_that_came_before_an_earlier_one_is_computed_again(tmp_path: Path) -> None:
    panels, store = three_panels(), FeatureStore(tmp_path)
    store.features(panels["whole"], CHOSEN, arrived_ns=300 * DAY)
    store.features(panels["corrected"], CHOSEN, arrived_ns=300 * DAY)
    again = panels["whole"].frame.with_columns(close=pl.col("close") * 1.02)
    for _ in range(2):  # said to have arrived before what is held: never served in the place of what is right
        found = store.features(with_rows(panels["whole"], again), CHOSEN, arrived_ns=200 * DAY)
        assert equal(found.frame, build(with_rows(panels["whole"], again), CHOSEN).frame)


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


FACTOR = 1.0


def of_the_module(columns: dict[str, np.ndarray]) -> np.ndarray:
    return columns["close"] * FACTOR


class Times:
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        return columns["close"] * self.factor

    def by(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        return columns["close"] * self.factor


def carries(kind: str, factor: float) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """Return the close times a factor that is anywhere but in the code of the function."""

    def with_default(columns: dict[str, np.ndarray], factor: float = factor) -> np.ndarray:
        return columns["close"] * factor

    def with_array(columns: dict[str, np.ndarray]) -> np.ndarray:
        return np.convolve(columns["close"], weights)[: len(columns["close"])]

    weights, helper = np.array([factor]), lambda columns: columns["close"] * factor
    line = np.polynomial.Polynomial([0.0, factor])  # an object of another package
    kinds: dict[str, Any] = {
        "closure": lambda columns: columns["close"] * factor,
        "default": with_default,
        "array": with_array,
        "helper": lambda columns: helper(columns),
        "partial": functools.partial(with_default, factor=factor),
        "object": Times(factor),
        "method": Times(factor).by,
        "class": type("Times", (Times,), {"__init__": object.__init__, "factor": factor, "__module__": __name__})(),
        "static": type(
            "Static",
            (),
            {"of": staticmethod(with_default), "__call__": lambda self, c: self.of(c), "__module__": __name__},
        )(),
        "line": lambda columns: line(columns["close"]),
        "global": FunctionType(of_the_module.__code__, {"FACTOR": factor, "__name__": __name__}),
    }
    return kinds[kind]  # type: ignore[no-any-return]


CARRIERS = ("class", "static", "closure", "default", "array", "helper", "partial", "object", "method", "global", "line")


@pytest.mark.req("FEAT-48")
@pytest.mark.parametrize("kind", CARRIERS)
def test_a_parameter_of_a_python_function_is_part_of_the_version(kind: str, tmp_path: Path) -> None:
    def spec(factor: float) -> FeatureSpec:
        return FeatureSpec("mine", ("close",), 0, "custom", "price", "x", "here", carries(kind, factor))

    whole, store = panel(60), FeatureStore(tmp_path)
    store.features(whole, [spec(1.0)])
    found = store.features(whole, [spec(2.0)]).frame["mine"]
    assert found.to_list() == (2.0 * whole.frame["close"]).to_list(), "the value of another parameter was served"
    assert definition_of([spec(2.0)]).id == definition_of([spec(2.0)]).id != definition_of([spec(1.0)]).id
    assert len(store.versions()) == 2


@pytest.mark.req("FEAT-48")
def test_a_version_is_the_same_in_every_process_and_what_has_none_is_refused(tmp_path: Path) -> None:
    code = (
        "import test_features_store as tests\n"
        "from karat.features import FeatureSpec\n"
        "def mine(columns): return columns['close'] if 'x' in {'x', 'y', 'z', 'w'} else columns['open'][..., 0]\n"
        "spec = FeatureSpec('mine', ('close',), 0, 'custom', 'price', 'x', 'here', mine)\n"
        "print(tests.definition_of([spec]).id)"
    )
    assert len({elsewhere(code, tmp_path)[0] for _ in range(3)}) == 1  # a set of words has another order in each
    with (tmp_path / "words").open("w") as opened:
        spec = FeatureSpec("mine", ("close",), 0, "custom", "price", "x", "here", lambda columns: opened or columns)  # type: ignore[arg-type,return-value]
        message = "feature.mine: got '.*'; its version cannot tell what this holds; allowed: a function of plain values"
        with pytest.raises(InputError, match=message):
            definition_of([spec])


@pytest.mark.req("FEAT-50")
def test_a_module_of_the_same_package_is_part_of_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "house").mkdir()
    tools = tmp_path / "house" / "tools.py"
    tools.write_text("FACTOR = 1.0\n")
    (tmp_path / "house" / "__init__.py").write_text(
        "from house import tools\n\n\ndef mine(columns):\n    return columns['close'] * tools.FACTOR\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    spec = replace(FEATURES["ret_1"], name="mine", compute=importlib.import_module("house").mine)
    before = definition_of([spec]).id
    assert definition_of([spec]).id == before
    tools.write_text("FACTOR = 2.0\n")
    assert definition_of([spec]).id != before


def test_versions_of_talib_and_numpy_are_part_of_the_version_where_they_compute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = replace(FEATURES["ret_1"], name="mine", compute=lambda columns: np.log(columns["close"]))
    chosen = {"talib": ["rsi_14"], "numpy": [spec], "": ["ret_1"]}
    before = {name: definition_of(selection).id for name, selection in chosen.items()}
    for name in ("talib", "numpy"):
        version_of.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(f"{name}.__version__", "0.0.1")
            moved = {which for which, selection in chosen.items() if definition_of(selection).id != before[which]}
        assert moved == {name}
    version_of.cache_clear()
    assert {name: definition_of(selection).id for name, selection in chosen.items()} == before
    assert version_of("no_such_package") == version_of("") == ""


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


@pytest.mark.req("FEAT-50")
def test_no_keys_and_unknown_instruments_have_the_columns_of_the_answer(tmp_path: Path) -> None:
    whole, store = panel(60), FeatureStore(tmp_path)
    store.features(whole, CHOSEN)
    keys = pl.DataFrame({"time": [60 * DAY, 60 * DAY], "instrument": ["Z.XNYS", "A.XNYS"]})
    found = store.as_of(keys, CHOSEN)
    assert found["ts"].to_list() == [None, 60 * DAY]
    none = store.as_of(keys.clear(), CHOSEN)
    assert none.schema == found.schema
    assert none.is_empty()
    with pytest.raises(InputError, match=r"got '20 features'; this selection is not among what is stored, 1 v"):
        store.as_of(keys, "a20")  # and no frame of nulls


@pytest.fixture(params=["memory", "redis"])
def online(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Online]:
    if request.param == "memory":
        yield MemoryOnline()
        return
    pytest.importorskip("redis")
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
    early = store.skew(CHOSEN, log[:1], [log[0].ts - 1], rtol=1e-9)
    assert (early.missing, early.clean) == (1, False), "served before research could have read it"


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
    with pytest.raises(
        DataError, match="got 'nothing for this selection of 3 features'; rule 'holds the instrument'.* at A.XNYS"
    ):
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
    there = importlib.util.find_spec("redis") is not None  # it comes with an extra
    told = "online store: got '(?!invalid data).*'; rule 'redis://127.0.0.1:1/0 answers'" if there else "extra 'online'"
    with pytest.raises(DataError if there else MissingExtraError, match=told):
        RedisOnline("redis://127.0.0.1:1/0")


@pytest.mark.skipif(importlib.util.find_spec("redis") is None, reason="redis comes with an extra")
def test_a_server_that_does_not_answer_is_told_with_what_it_said() -> None:
    with pytest.raises(DataError, match=r"online store: got '.*refused.*'; rule 'redis://127.0.0.1:1/0 answers'"):
        RedisOnline("redis://127.0.0.1:1/0")


def test_a_file_is_no_root(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("words", encoding="utf-8")
    for root in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(InputError, match=r"root: got '.*'; .*taken is a file; allowed: a folder"):
            FeatureStore(root)


def test_a_selection_serves_as_its_definition_does(tmp_path: Path) -> None:
    store, values = FeatureStore(tmp_path), np.zeros(len(CHOSEN))
    store.push(CHOSEN, Served("A.XNYS", 10, 12, values))
    assert store.serve(definition_of(CHOSEN), "A.XNYS", now_ns=14).ts == 10
    assert store.serve(CHOSEN, "A.XNYS", now_ns=14).ts == 10
    with pytest.raises(DataError, match="nothing for this selection of 20 features"):
        store.serve("a20", "A.XNYS", now_ns=14)
    with pytest.raises(InputError, match="features: got 'a21'"):
        store.serve("a21", "A.XNYS", now_ns=14)


def test_skew_asks_for_served_rows_and_as_many_moments(tmp_path: Path) -> None:
    whole, store = panel(60), FeatureStore(tmp_path)
    made = store.features(whole, CHOSEN).frame
    with pytest.raises(InputError, match="served: got 'DataFrame'; allowed: a list of Served; keep what serve"):
        store.skew(CHOSEN, made, 0)  # type: ignore[arg-type]
    one = [Served("A.XNYS", 60 * DAY, 60 * DAY, np.array(made.row(-1)[3:]))]
    for moments in (0, [1, 2]):
        with pytest.raises(InputError, match=r"at_ns: got .*; allowed: 1 moment in UTC ns, one a served row"):
            store.skew(CHOSEN, one, moments)  # type: ignore[arg-type]
    assert store.skew(CHOSEN, one, np.array([60 * DAY])).clean  # type: ignore[arg-type]


def test_the_history_of_what_is_not_stored_is_no_empty_frame(tmp_path: Path) -> None:
    whole, store = panel(60), FeatureStore(tmp_path)
    store.features(whole, CHOSEN)
    with pytest.raises(InputError, match=r"instrument: got 'A\.XNIS'; allowed: A\.XNYS; did you mean 'A\.XNYS'"):
        store.history(CHOSEN, "A.XNIS")
    with pytest.raises(InputError, match=r"got '20 features'; this selection is not among what is stored, 1 v"):
        store.history("a20", "A.XNYS")
    with pytest.raises(
        InputError, match=r"store it first.*where features were absent, ask for features\(\.\.\.\)\.names"
    ):
        store.publish("a20")
    assert store.history(CHOSEN, "A.XNYS", at_ns=0).is_empty()  # stored, and nothing of it known by then


def test_broken_parts_and_withdrawn_bars_are_refused(tmp_path: Path) -> None:
    whole, store = panel(60), FeatureStore(tmp_path)
    store.features(whole, CHOSEN)
    gone = with_rows(whole, whole.frame.filter(pl.col("ts") != 30 * DAY))
    with pytest.raises(
        DataError, match=r"got 'a panel without 1 stored bar'; rule 'bars are corrected, never taken back'"
    ):
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
    offline.append("A/B:C", row)
    monkeypatch.setattr(_offline.Offline, "_parts", lambda self, instrument: iter(()))
    with pytest.raises(DataError, match="one writer of a store at a time"):
        offline.append("A/B:C", row.with_columns(pl.lit(9.0).alias(CHOSEN[0])))
    monkeypatch.undo()
    assert offline.rows("A/B:C")[CHOSEN[0]].to_list() == [0.5]
    assert offline.instruments() == ("A/B:C",)
    assert not list(tmp_path.rglob("*.partial"))


def test_a_definition_names_its_inputs() -> None:
    made = definition_of(CHOSEN)
    assert isinstance(made, Definition)
    assert made.names == tuple(CHOSEN)
    assert "close" in made.inputs
