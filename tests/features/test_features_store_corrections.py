"""Corrections and shorter panels: at every moment the store says what `build` says of the bars that were known then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from features_factory import panel
from store_factory import DAY, equal, with_rows

from karat.data import Panel
from karat.features import build
from karat.features.store import FeatureStore, definition_of

NAMES = ["ret_1", "ret_20", "ma10", "rsi_14"]
Call = tuple[pl.DataFrame, int | None]


def days(first: int, last: int, **corrected: float) -> pl.DataFrame:
    """Bars of the days first to last; d50=1.1 multiplies the close of day 50."""
    frame = panel(130).frame.filter(pl.col("ts").is_between(first * DAY, last * DAY))
    for day, factor in corrected.items():
        there = pl.col("ts") == int(day[1:]) * DAY
        frame = frame.with_columns(close=pl.when(there).then(factor * pl.col("close")).otherwise("close"))
    return frame


def without(frame: pl.DataFrame, *gone: int) -> pl.DataFrame:
    return frame.filter(~pl.col("ts").is_in([day * DAY for day in gone]))


def bars_known(calls: list[Call], moment: int) -> pl.DataFrame:
    """Return the bars as they were known: each call adds those that it has anew or other than those before."""
    log: dict[int, list[tuple[int, tuple[object, ...]]]] = {}
    for frame, arrived in calls:
        late = int(frame["known_at"].max()) if arrived is None else arrived  # type: ignore[arg-type]
        newest = max(log, default=None)
        fresh = []
        for row in frame.rows():
            ts, own, held = row[0], row[1], log.get(row[0])
            if held is None:
                fresh.append((ts, own if newest is None or ts > newest else max(own, late), row))
            elif max(held, key=lambda one: one[0])[1] != row:
                fresh.append((ts, max(own, late), row))
        for ts, known, row in fresh:
            log[ts] = [*(each for each in log.get(ts, []) if each[0] != known), (known, row)]
    seen = {ts: [one for one in held if one[0] <= moment] for ts, held in log.items()}
    rows = [max(seen[ts], key=lambda one: one[0])[1] for ts in sorted(seen) if seen[ts]]
    return pl.DataFrame(rows, schema=calls[0][0].schema, orient="row")


CALLS: dict[str, list[Call]] = {
    "a correction together with new bars": [(days(1, 100), None), (days(1, 107, d100=1.02), None)],
    "and it arrives after them": [(days(1, 100), None), (days(1, 107, d100=1.02), 115 * DAY)],
    "and it arrives among them": [(days(1, 100), None), (days(1, 107, d100=1.02), 103 * DAY)],
    "and it arrives between two": [(days(1, 100), None), (days(1, 107, d95=1.02, d99=0.9), 103 * DAY + 5)],
    "new bars after a correction that arrives later": [
        (days(1, 100), None),
        (days(1, 100, d50=1.1), 115 * DAY),
        (days(1, 120, d50=1.1), None),
    ],
    "two corrections": [(days(1, 100), None), (days(1, 103, d99=1.1), None), (days(1, 110, d99=1.1, d103=0.9), None)],
    "a correction that is taken back": [(days(1, 100), None), (days(1, 102, d90=1.1), None), (days(1, 110), None)],
    "a correction said to come before an earlier one": [
        (days(1, 100), None),
        (days(1, 100, d60=1.1), 125 * DAY),
        (days(1, 110, d60=1.1, d90=0.9), 115 * DAY),
    ],
    "a late bar together with new ones": [(without(days(1, 100), 97), None), (days(1, 108), 104 * DAY)],
    "the same bars from later on": [(days(1, 100), None), (days(90, 100), None)],
    "a window that moves": [(days(1, 100), None), (days(20, 105), None), (days(40, 112), None)],
    "a window that moves, and a correction in it": [
        (days(1, 100), None),
        (days(30, 105, d98=1.1), None),
        (days(60, 112, d98=1.1), None),
    ],
    "earlier bars that come later": [(days(60, 100), None), (days(1, 105), None)],
    "a shorter panel with a correction": [(days(1, 110), None), (days(1, 100, d70=1.1), 120 * DAY)],
}


@pytest.mark.req("FEAT-50")
@pytest.mark.parametrize("kind", CALLS)
def test_at_every_moment_the_store_says_what_build_says_of_the_bars_known_then(kind: str, tmp_path: Path) -> None:
    store, calls, whole = FeatureStore(tmp_path), CALLS[kind], panel(130)
    for frame, arrived in calls:
        given = with_rows(whole, frame)
        assert equal(store.features(given, NAMES, arrived_ns=arrived).frame, build(given, NAMES).frame)
    moments = [day * DAY + more for day in range(56, 130) for more in (-1, 0, 6)]
    found = store.as_of(pl.DataFrame({"time": moments, "instrument": ["A.XNYS"] * len(moments)}), NAMES)
    for row, moment in zip(found.iter_rows(named=True), moments, strict=True):
        bars = bars_known(calls, moment)
        if bars.is_empty():
            assert row["ts"] is None
            continue
        assert row["known_at"] <= moment
        wanted = build(with_rows(whole, bars), NAMES).frame.select("ts", *NAMES)
        assert found.select("ts", *NAMES).row(moments.index(moment))[1:] == pytest.approx(
            wanted.row(-1)[1:], rel=0.0, abs=0.0, nan_ok=True
        ), moment
        assert row["ts"] == wanted["ts"][-1]
        if moment % DAY == 6:
            assert equal(store.history(NAMES, "A.XNYS", at_ns=moment).select("ts", *NAMES), wanted), moment


@pytest.mark.req("FEAT-50")
def test_a_shorter_panel_is_no_correction_and_serving_goes_on_with_the_whole_history(tmp_path: Path) -> None:
    store, whole = FeatureStore(tmp_path), panel(130)
    store.features(whole, NAMES)
    before = store.history(NAMES, "A.XNYS")
    short = with_rows(whole, whole.frame.tail(10))
    for _ in range(2):
        assert equal(store.features(short, NAMES).frame, build(short, NAMES).frame)
    assert equal(store.history(NAMES, "A.XNYS"), before)
    assert equal(store.history(NAMES, "A.XNYS", at_ns=130 * DAY), before)
    store.publish(NAMES)
    served = store.serve(NAMES, "A.XNYS", now_ns=130 * DAY)
    assert served.values.tolist() == list(build(whole, NAMES).frame.row(-1)[3:])
    assert len(list(tmp_path.rglob("*.parquet"))) == 1


def test_a_bar_that_no_value_reads_yet_is_a_correction_all_the_same(tmp_path: Path) -> None:
    """Day 1 has no value of ret_1, whatever its close: day 2, known from day 3 on, reads it."""
    store, whole = FeatureStore(tmp_path), panel(130)
    calls: list[Call] = [(days(1, 1), None), (days(1, 3, d1=1.1), None)]
    for frame, arrived in calls:
        store.features(with_rows(whole, frame), ["ret_1"], arrived_ns=arrived)
    for moment in (2 * DAY, 3 * DAY):
        wanted = build(with_rows(whole, bars_known(calls, moment)), ["ret_1"]).frame.select("ts", "ret_1")
        assert equal(store.history(["ret_1"], "A.XNYS", at_ns=moment).select("ts", "ret_1"), wanted)


def test_a_function_that_reads_ahead_rewrites_nothing_that_was_known(tmp_path: Path) -> None:
    from dataclasses import replace

    from karat.features import FEATURES

    ahead = replace(FEATURES["ret_1"], name="mine", compute=lambda columns: columns["close"] - columns["close"].mean())
    store, whole = FeatureStore(tmp_path), panel(130)
    store.features(with_rows(whole, days(1, 100)), [ahead])
    before = store.history([ahead], "A.XNYS")
    for _ in range(2):
        assert equal(store.features(whole, [ahead]).frame, build(whole, [ahead]).frame)
    assert equal(store.history([ahead], "A.XNYS").head(100), before)


def test_the_bars_that_values_were_computed_from_are_kept_with_them(tmp_path: Path) -> None:
    store, whole = FeatureStore(tmp_path), panel(60)
    store.features(whole, NAMES)
    part = pl.read_parquet(next(tmp_path.rglob("*.parquet")))
    assert part.columns == ["ts", "known_at", *(f"bar.{name}" for name in definition_of(NAMES).inputs), *NAMES]
    assert store.history(NAMES, "A.XNYS").columns == ["ts", "known_at", *NAMES]
    holed = with_rows(whole, whole.frame.with_columns(close=pl.when(pl.col("ts") > DAY).then("close")))
    store.features(holed, NAMES)  # an input that is not there any more is a correction, once
    parts = len(list(tmp_path.rglob("*.parquet")))
    assert parts == 2
    hits = store.use.hits
    assert equal(store.features(holed, NAMES).frame, build(holed, NAMES).frame)
    assert store.use.hits == hits + 1
    assert isinstance(holed, Panel)
    assert np.isnan(store.history(NAMES, "A.XNYS").row(1)[2])
