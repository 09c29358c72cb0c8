"""Several writers of one store, and what is left where one was killed: nothing wrong is ever served."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
from features_factory import panel
from store_factory import CHOSEN, corrected, equal, start_elsewhere, with_rows

from karat.core import DataError
from karat.features import build
from karat.features.store import FeatureStore, definition_of
from karat.features.store._offline import MOST_PARTS, Offline

EACH = 15


def check_all(root: Path, names: tuple[str, ...]) -> None:
    """Every panel of every writer is what `build` makes of it, and a correction is known from its arrival on."""
    store = FeatureStore(root)
    for name in names:
        for given in corrected(name, EACH):
            assert equal(store.features(given, CHOSEN).frame, build(given, CHOSEN).frame)
    assert not list(root.rglob("*.partial"))


@pytest.mark.req("FEAT-47")
def test_two_threads_that_write_one_instrument_are_served_their_own_values(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)

    def write(name: str) -> None:
        for given in corrected(name, EACH):
            store.features(given, CHOSEN)

    with ThreadPoolExecutor(2) as both:
        list(both.map(write, ("one", "two")))
    hits = store.use.hits
    for name in ("one", "two"):
        for given in corrected(name, EACH):
            assert equal(store.features(given, CHOSEN).frame, build(given, CHOSEN).frame)
    assert store.use.hits == hits + 2 * EACH
    check_all(tmp_path, ("one", "two"))


@pytest.mark.req("FEAT-47")
def test_two_processes_that_write_one_instrument_are_served_their_own_values(tmp_path: Path) -> None:
    code = "for given in tests.corrected({name!r}, {each}): store.features(given, tests.CHOSEN)"
    both = [start_elsewhere(code.format(name=name, each=EACH), tmp_path) for name in ("one", "two")]
    for process in both:
        _, told = process.communicate(timeout=120)
        assert process.returncode == 0, told
    check_all(tmp_path, ("one", "two"))


def test_a_writer_waits_until_another_has_written(tmp_path: Path) -> None:
    whole, store = panel(60), FeatureStore(tmp_path)
    offline = Offline(tmp_path, definition_of(CHOSEN))
    with ThreadPoolExecutor(1) as other:
        with offline.writing("A.XNYS"):
            waiting = other.submit(store.features, whole, CHOSEN)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
            assert offline.instruments() == ()
        assert equal(waiting.result(timeout=60).frame, build(whole, CHOSEN).frame)


def test_two_writers_of_one_part_lose_nothing(tmp_path: Path) -> None:
    """A file system without locks: the second writer is refused."""
    offline = Offline(tmp_path, definition_of(CHOSEN[:1]))
    row = pl.DataFrame({"ts": [1], "known_at": [1], "bar.close": [2.0], CHOSEN[0]: [0.5]})
    with offline.writing("A/B:C"):
        assert offline.append("A/B:C", row.clear(), row).equals(row)
        offline.append("A/B:C", row, row.with_columns(ts=pl.lit(2, dtype=pl.Int64)))
        with pytest.raises(DataError, match="one writer of a store at a time"):
            offline.append("A/B:C", row.clear(), row.with_columns(pl.lit(9.0).alias(CHOSEN[0])))
    assert offline.rows("A/B:C")[CHOSEN[0]].to_list() == [0.5, 0.5]
    assert offline.instruments() == ("A/B:C",)
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.req("FEAT-47")
def test_many_parts_are_merged_and_every_panel_is_still_served(tmp_path: Path) -> None:
    whole, store = panel(100), FeatureStore(tmp_path)
    given = [with_rows(whole, whole.frame.head(n)) for n in range(60, 100)]
    for each in given:
        assert equal(store.features(each, CHOSEN).frame, build(each, CHOSEN).frame)
        assert len(list(tmp_path.rglob("*.parquet"))) <= MOST_PARTS
    assert store.use.hits == 0
    again = FeatureStore(tmp_path)
    for each in given:
        assert equal(again.features(each, CHOSEN).frame, build(each, CHOSEN).frame)
    assert again.use.misses == 0
    assert again.history(CHOSEN, "A.XNYS")["ts"].to_list() == given[-1].frame["ts"].to_list()


def test_a_merge_that_was_killed_half_way_leaves_parts_that_nobody_reads(tmp_path: Path) -> None:
    whole, store = panel(100), FeatureStore(tmp_path)
    for n in (60, 70, 80):
        store.features(with_rows(whole, whole.frame.head(n)), CHOSEN)
    offline = Offline(tmp_path, definition_of(CHOSEN))
    rows, first = offline.whole("A.XNYS"), min(tmp_path.rglob("*.parquet"))
    rows.write_parquet(first, metadata={"definition": definition_of(CHOSEN).id})  # the others are still there
    assert len(list(tmp_path.rglob("*.parquet"))) == 3
    assert offline.whole("A.XNYS").equals(rows)
    store.features(whole, CHOSEN)
    assert equal(store.history(CHOSEN, "A.XNYS").select(CHOSEN), build(whole, CHOSEN).frame.select(CHOSEN))


def test_a_reader_sees_all_rows_while_parts_are_merged(tmp_path: Path) -> None:
    whole, store = panel(200), FeatureStore(tmp_path)
    store.features(with_rows(whole, whole.frame.head(60)), CHOSEN)
    offline, seen = Offline(tmp_path, definition_of(CHOSEN)), [60]

    def write() -> None:
        for n in range(61, 200):
            store.features(with_rows(whole, whole.frame.head(n)), CHOSEN)

    with ThreadPoolExecutor(1) as other:
        writing = other.submit(write)
        while not writing.done():
            seen.append(len(offline.whole("A.XNYS")))
    writing.result()
    assert seen == sorted(seen), "a reader saw fewer rows than before"
    assert len(offline.whole("A.XNYS")) == 199


def test_panels_whose_parts_were_deleted_are_computed_again(tmp_path: Path) -> None:
    whole, store = panel(60), FeatureStore(tmp_path)
    more = with_rows(whole, panel(70).frame.with_columns(close=pl.col("close") * 1.5))
    store.features(whole, CHOSEN)
    next(tmp_path.rglob("*.parquet")).unlink()  # and panels.json is still there
    assert equal(store.features(more, CHOSEN).frame, build(more, CHOSEN).frame)
    assert store.use.hits == 0
    for given in (whole, more, whole):
        assert equal(store.features(given, CHOSEN).frame, build(given, CHOSEN).frame)
    assert store.use.hits == 2
    max(tmp_path.rglob("*.parquet")).unlink()
    again = with_rows(whole, panel(80).frame.with_columns(close=pl.col("close") * 0.5))
    for given in (again, whole, more):
        assert equal(store.features(given, CHOSEN).frame, build(given, CHOSEN).frame)


def test_a_killed_prune_leaves_no_version_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    whole, store = panel(60), FeatureStore(tmp_path)
    for selection in (CHOSEN, CHOSEN[:1]):
        store.features(whole, selection)
    code = (
        "import os, shutil\n"
        "def half(path, *more, **named):\n"
        "    for part in sorted(path.rglob('*.parquet')): part.unlink()\n"
        "    os._exit(9)\n"
        "shutil.rmtree = half\n"
        f"store.prune(keep=[{CHOSEN[:1]!r}])"
    )
    process = start_elsewhere(code, tmp_path)
    process.communicate(timeout=120)
    assert process.returncode == 9
    assert store.versions() == (definition_of(CHOSEN[:1]).id[:32],)
    assert len(list(tmp_path.iterdir())) == 2
    assert equal(store.features(whole, CHOSEN).frame, build(whole, CHOSEN).frame)
    assert equal(store.history(CHOSEN, "A.XNYS").select(CHOSEN), build(whole, CHOSEN).frame.select(CHOSEN))
    assert store.prune(keep=[CHOSEN[:1]]) > 0
    assert [path.name for path in tmp_path.iterdir()] == [definition_of(CHOSEN[:1]).id[:32]]


def test_the_size_of_a_store_that_others_write_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FeatureStore(tmp_path)
    store.features(panel(60), CHOSEN)
    size = store.size
    vanished = tmp_path / "vanished.partial"
    listed = [*tmp_path.rglob("*"), vanished]
    monkeypatch.setattr(Path, "rglob", lambda self, pattern: iter(listed))
    there = Path.is_file
    monkeypatch.setattr(Path, "is_file", lambda self: self == vanished or there(self))
    assert store.size == size
