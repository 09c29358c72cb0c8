"""The store online: what is served is what research reads, in memory and from Redis."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from features_factory import panel
from store_factory import CHOSEN, DAY, NAMES

from karat.core import DataError, InputError, MissingExtraError
from karat.features import OnlineFeatures
from karat.features.store import (
    FeatureStore,
    MemoryOnline,
    Online,
    RedisOnline,
    Served,
    definition_of,
)


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
    with pytest.raises(InputError, match=r"values: got 'float64, shape \(1,\)'; allowed: a float64 array"):
        store.push(definition, Served("A.XNYS", 10, 12, np.zeros(1)))
    with pytest.raises(InputError, match="keys: got"):
        store.as_of(pl.DataFrame({"ts": [1]}), CHOSEN)
    there = importlib.util.find_spec("redis") is not None  # it comes with an extra
    told = "online store: got '(?!invalid data).*'; rule 'redis://127.0.0.1:1/0 answers'" if there else "extra 'online'"
    with pytest.raises(DataError if there else MissingExtraError, match=told):
        RedisOnline("redis://127.0.0.1:1/0")


@pytest.mark.req("FEAT-49")
def test_what_was_put_online_is_the_stores_own_and_of_plain_numbers(online: Online) -> None:
    values = np.array([1.0, np.nan])
    online.put("d", [Served("A", np.int64(1_700_000_000_000_000_002), np.int64(2**62), values)])  # type: ignore[arg-type]
    values[:] = 9.0
    found = online.get("d", "A")
    assert found is not None
    assert (found.ts, found.known_at, found.values[0]) == (1_700_000_000_000_000_002, 2**62, 1.0)
    assert type(found.ts) is type(found.known_at) is int
    with pytest.raises(ValueError, match="read-only"):
        found.values[0] = 9.0


def test_rows_and_ages_of_another_type_are_refused(tmp_path: Path) -> None:
    store, values = FeatureStore(tmp_path), np.zeros(len(CHOSEN))
    for wrong in ([0.0, 0.0, 0.0], None, np.array(["a", "b", "c"])):
        with pytest.raises(InputError, match=r"values: got '.*'; allowed: a float64 array of shape \(3,\)"):
            store.push(CHOSEN, Served("A.XNYS", 10, 12, wrong))  # type: ignore[arg-type]
    for field in ("ts", "known_at"):
        with pytest.raises(InputError, match=rf"row\.{field}: got '2020-01-01'; allowed: UTC nanoseconds"):
            store.push(CHOSEN, replace(Served("A.XNYS", 10, 12, values), **{field: "2020-01-01"}))
    with pytest.raises(InputError, match=r"row\.instrument: got 3; allowed: its name"):
        store.push(CHOSEN, Served(3, 10, 12, values))  # type: ignore[arg-type]
    store.push(CHOSEN, Served("A.XNYS", 10, 12, values))
    for age in ("1d", 1.5, True, -1):
        with pytest.raises(InputError, match=r"max_age_ns: got .*; allowed: nanoseconds, a whole number of 0 or more"):
            store.serve(CHOSEN, "A.XNYS", now_ns=14, max_age_ns=age)  # type: ignore[arg-type]
    assert store.serve(CHOSEN, "A.XNYS", now_ns=14, max_age_ns=np.int64(5)).ts == 10  # type: ignore[arg-type]


@pytest.mark.skipif(importlib.util.find_spec("redis") is None, reason="redis comes with an extra")
def test_a_server_that_does_not_answer_is_told_with_what_it_said() -> None:
    with pytest.raises(DataError, match=r"online store: got '.*refused.*'; rule 'redis://127.0.0.1:1/0 answers'"):
        RedisOnline("redis://127.0.0.1:1/0")


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
