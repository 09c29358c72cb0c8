"""The store: equal to `build`, computed once, never ahead of what was known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from features_factory import panel
from store_factory import CHOSEN, DAY, NAMES, elsewhere, equal, three_panels, with_rows

from karat.core import DataError, InputError
from karat.features import build
from karat.features.store import (
    FeatureStore,
    definition_of,
)
from karat.features.store._offline import Offline


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
@pytest.mark.parametrize("selection", ["a20", "a100", "a250", "alpha158", ["month_sine"]])
def test_every_tier_goes_through_the_store_and_is_served_a_second_time(
    selection: str | list[str], tmp_path: Path
) -> None:
    whole, store = panel(300), FeatureStore(tmp_path)
    expected = build(whole, selection)
    for _ in range(2):
        found = store.features(whole, selection)
        assert equal(found.frame, expected.frame)
        assert found.names == expected.names
    assert (store.use.hits, store.use.misses) == (1, 1)


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
    assert parts == ["part-0000000000.parquet", "part-0000000100.parquet"]


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
    assert list(offline.panels("A.XNYS").values()) == [52, 54, 56]
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
    for none in ([], None):
        with pytest.raises(InputError, match=r"keep: got .*; allowed: a list of selections, one or more; .*delete .*"):
            store.prune(keep=none)  # type: ignore[arg-type]
    assert store.versions() == (definition_of(CHOSEN[:2]).id[:32],)


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
def test_no_keys_have_the_columns_of_the_answer_and_an_unknown_instrument_is_told(tmp_path: Path) -> None:
    whole, store = panel(60), FeatureStore(tmp_path)
    store.features(whole, CHOSEN)
    keys = pl.DataFrame({"time": [0, 60 * DAY], "instrument": ["A.XNYS", "A.XNYS"]})
    found = store.as_of(keys, CHOSEN)
    assert found["ts"].to_list() == [None, 60 * DAY]
    none = store.as_of(keys.clear(), CHOSEN)
    assert none.schema == found.schema
    assert none.is_empty()
    with pytest.raises(
        InputError, match=r"keys: got .*_place.*; the answer has these columns too; rename or drop them"
    ):
        store.as_of(keys.with_columns(_place=1), CHOSEN)
    misspelt = keys.with_columns(instrument=pl.lit("A.XNIS"))
    with pytest.raises(InputError, match=r"keys\.instrument: got 'A\.XNIS'; nothing of it is stored; .*'A\.XNYS'"):
        store.as_of(misspelt, CHOSEN)
    with pytest.raises(InputError, match=r"got '20 features'; this selection is not among what is stored, 1 v"):
        store.as_of(keys, "a20")  # and no frame of nulls


@pytest.mark.req("FEAT-50")
def test_keys_without_a_time_are_refused_and_no_time_loses_a_nanosecond(tmp_path: Path) -> None:
    whole, store = panel(60), FeatureStore(tmp_path)
    late = 1_700_000_000_000_000_000  # beyond the whole numbers that a float64 tells apart
    moved = whole.frame.with_columns(pl.col("ts", "known_at") + late)
    store.features(with_rows(whole, moved), CHOSEN)
    times = [late + 10 * DAY - 1, late + 10 * DAY]
    keys = pl.DataFrame({"time": times, "instrument": ["A.XNYS"] * 2})
    for kind in (pl.Int64, pl.UInt64):
        found = store.as_of(keys.cast({"time": kind}), CHOSEN)
        assert found["ts"].to_list() == [late + 9 * DAY, late + 10 * DAY]
        assert found.schema["time"] == kind
    absent = keys.with_columns(time=pl.Series([times[0], None], dtype=pl.Int64))
    with pytest.raises(InputError, match=r"keys\.time: got '1 null'; allowed: a time in every row; drop the rows"):
        store.as_of(absent, CHOSEN)
    beyond = keys.with_columns(time=pl.Series([times[0], 2**64 - 1], dtype=pl.UInt64))
    with pytest.raises(InputError, match=r"keys\.time: got 18446744073709551615; allowed: Int64, UTC ns"):
        store.as_of(beyond, CHOSEN)


@pytest.mark.req("FEAT-50")
def test_times_in_another_unit_are_told_and_no_frame_of_nulls(tmp_path: Path) -> None:
    whole, store = panel(60), FeatureStore(tmp_path)
    late = 1_700_000_000_000_000_000
    store.features(with_rows(whole, whole.frame.with_columns(pl.col("ts", "known_at") + late)), CHOSEN)
    for unit in (10**3, 10**6, 10**9):
        keys = pl.DataFrame({"time": [(late + 10 * DAY) // unit] * 2, "instrument": ["A.XNYS"] * 2})
        message = (
            r"keys\.time: got .*; all of it lies more than 10 years before 2023-.* became known; .*UTC ns; .*'time'"
        )
        with pytest.raises(InputError, match=message):
            store.as_of(keys, CHOSEN)
    before = pl.DataFrame({"time": [late - 300 * DAY], "instrument": ["A.XNYS"]})
    assert store.as_of(before, CHOSEN)["ts"].to_list() == [None]


def test_a_file_is_no_root(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("words", encoding="utf-8")
    for root in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(InputError, match=r"root: got '.*'; .*taken is a file; allowed: a folder"):
            FeatureStore(root)


@pytest.mark.parametrize("root", [None, 3])
def test_what_is_no_path_is_no_root(root: object) -> None:
    with pytest.raises(InputError, match=rf"root: got {root}; allowed: the path of a folder"):
        FeatureStore(root)  # type: ignore[arg-type]


def test_a_panel_without_rows_has_features_without_rows(tmp_path: Path) -> None:
    whole, store = panel(60), FeatureStore(tmp_path)
    none = with_rows(whole, whole.frame.clear())
    found, expected = store.features(none, CHOSEN), build(none, CHOSEN)
    assert equal(found.frame, expected.frame)
    assert found.names == expected.names
    assert store.versions() == ()


def test_an_instrument_of_any_name_has_a_folder_of_its_own(tmp_path: Path) -> None:
    names = tuple(sorted(("", ".", "..", "...", "A/B", "%", "%2E", "a.b", "lock")))
    store = FeatureStore(tmp_path / "store")
    whole = panel(30, instruments=names)
    assert equal(store.features(whole, CHOSEN).frame, build(whole, CHOSEN).frame)
    version = tmp_path / "store" / definition_of(CHOSEN).id[:32]
    assert sorted(path.name for path in version.iterdir() if not path.is_dir()) == ["definition.json"]
    assert len([path for path in version.iterdir() if path.is_dir()]) == len(names)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    assert [path.name for path in (tmp_path / "store").iterdir()] == [version.name]
    for name in names:
        assert store.history(CHOSEN, name)["ts"].to_list() == whole.frame.filter(instrument=name)["ts"].to_list()
    assert Offline(tmp_path / "store", definition_of(CHOSEN)).instruments() == tuple(sorted(names))


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
