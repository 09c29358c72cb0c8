"""A raw capture, its clocks and its book; synthetic lines by default, the real six minutes with `realdata`."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karat.core import DataError, InputError
from karat.data import Instrument, StampGuard, check_capture, depth_sync, estimate_clock, read_capture

GOLDEN = Path(__file__).parents[1] / "golden" / "market" / "binance_depth_sync.json"
BTC = Instrument(
    "BTCUSDT.BINANCE",
    asset_class="crypto",
    currency="USDT",
    calendar="24/7",
    tick=Decimal("0.1"),
    lot=Decimal("0.001"),
)
BEGIN = 1_700_000_000_000  # ms
LATE = -1_200_000_000  # the receiver's clock runs behind the venue's


def line(at_ms: int, data: dict[str, Any], delay_us: int = 500) -> str:
    return f"{(BEGIN + at_ms) * 1_000_000 + LATE + delay_us * 1_000} {json.dumps(data)}\n\n"


def depth(ms: int, first: int, last: int, before: int, bids: Any = (), asks: Any = ()) -> dict[str, Any]:
    data = {"e": "depthUpdate", "E": BEGIN + ms, "T": BEGIN + ms, "U": first, "u": last, "pu": before}
    return {"stream": "x", "data": {**data, "b": list(bids), "a": list(asks)}}


def quote(ms: int, number: int, bid: tuple[str, str], ask: tuple[str, str]) -> dict[str, Any]:
    data = {"e": "bookTicker", "E": BEGIN + ms, "T": BEGIN + ms, "u": number}
    return {"stream": "x", "data": {**data, "b": bid[0], "B": bid[1], "a": ask[0], "A": ask[1]}}


def trade(ms: int, price: str, size: str, maker: bool) -> dict[str, Any]:
    data = {"e": "trade", "E": BEGIN + ms, "T": BEGIN + ms, "p": price, "q": size, "m": maker, "t": ms}
    return {"stream": "x", "data": data}


SNAPSHOT = {
    "lastUpdateId": 20,
    "E": BEGIN + 8,
    "T": BEGIN + 7,
    "bids": [["100.0", "1.000"], ["99.9", "2.000"]],
    "asks": [["100.1", "3.000"]],
}


def lines() -> list[str]:
    return [
        line(1, depth(1, 1, 10, 0, [["50.0", "1.000"]])),
        line(5, depth(5, 11, 25, 10, [["99.9", "2.500"]])),
        line(9, SNAPSHOT, 1_000),
        line(10, quote(10, 25, ("100.0", "1.000"), ("100.1", "3.000"))),
        line(12, trade(12, "100.1", "0.250", False), 300),
        line(13, trade(13, "100.0", "1.000", True)),
        line(20, depth(20, 26, 40, 25, [["100.0", "0.000"]], [["100.1", "2.750"], ["100.4", "0.000"]])),
        line(21, quote(21, 40, ("99.9", "2.500"), ("100.1", "2.750"))),
        line(30, depth(30, 41, 44, 40, [["99.8", "1.000"]])),
    ]


def written(tmp_path: Path, content: list[str]) -> Path:
    path = tmp_path / "capture.gz"
    path.write_bytes(gzip.compress("".join(content).encode()))
    return path


@pytest.mark.req("SIM-13")
def test_1_2_3_a_capture_becomes_events_on_one_clock(tmp_path: Path) -> None:
    capture = read_capture(written(tmp_path, lines()), BTC)
    assert capture.messages == {"depth": 4, "quotes": 2, "trades": 2, "snapshots": 1}
    assert capture.dropped == 1
    assert capture.clock.offset_ns == -LATE - 300_000  # the fastest message counts as without delay
    events = capture.events
    assert np.all(events.known_at >= events.ts)
    assert events.metadata["clock"]["offset_ns"] == capture.clock.offset_ns
    assert [int(kind) for kind in capture.depth.kind] == [8, 6, 6, 7, 6, 6, 7, 7, 6]
    assert capture.depth.price[1:4].tolist() == [1000, 999, 1001]
    assert capture.depth.qty[1:4].tolist() == [1000, 2000, 3000]
    assert capture.depth.ts[4] == (BEGIN + 7) * 1_000_000  # applied on the snapshot, so not before it
    assert capture.depth.known_at[4] == capture.depth.known_at[0]  # nobody had a book before the snapshot came
    assert events.of("trade_buy").price.tolist() == [1001]
    assert events.of("trade_sell").qty.tolist() == [1000]
    only = read_capture(written(tmp_path, lines()), BTC, streams=["trades"], margin_ns=1_000)
    assert set(only.events.kind.tolist()) == {4, 5}
    assert (only.events.known_at - only.events.ts).min() == 1_000


@pytest.mark.req("SIM-09")
def test_4_the_rebuilt_book_is_compared_with_the_best_quotes(tmp_path: Path) -> None:
    found = check_capture(read_capture(written(tmp_path, lines()), BTC))
    assert (found.gaps, found.crossed, found.compared, found.agreed) == (0, 0, 3, 3)
    assert found.passed
    wrong = lines()
    wrong[-2] = line(21, quote(21, 40, ("99.9", "2.400"), ("100.1", "2.750")))
    assert not check_capture(read_capture(written(tmp_path, wrong), BTC)).passed
    crossed = [*lines(), line(40, depth(40, 45, 46, 44, [["100.3", "1.000"]]))]
    found = check_capture(read_capture(written(tmp_path, crossed), BTC))
    assert (found.crossed, found.agreed, found.compared) == (1, 3, 4)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda good: [*good[:6], *good[8:]], "updates follow each other without a gap' is broken at message 2"),
        (lambda good: good[2:], "updates follow each other without a gap' is broken at message 0"),
        (lambda good: [good[0], good[1], *good[3:]], "there is a snapshot"),
        (lambda good: [*good, "17000 {\n"], "readable as a capture"),
        (lambda good: [*good, "x {}\n"], "readable as a capture"),
        (lambda good: [*good, line(40, {"data": {"e": "kline"}})], "Invalid value 'kline'"),
        (lambda good: [*good, line(40, {"data": {"e": "trade", "E": 1}})], "missing required field `T`"),
        (lambda good: [*good, good[0]], "receipt 1699999998801500000 after.*is broken at line 19"),
        (lambda good: [*good, line(40, trade(40, "cheap", "1", True))], "prices and sizes are numbers"),
        (lambda good: [], "there are messages"),
        (lambda good: [*good, line(40, trade(40, "100.05", "1.0", True))], "price is a whole multiple of the tick 0.1"),
        (lambda good: [*good, line(40, trade(40, "100.0", "NaN", True))], "size is a number"),
        (lambda good: [*good, line(40, trade(40, "100.0", "-1", True))], "sizes are above zero"),
        (lambda good: [*good, line(40, quote(40, 50, ("100.2", "1"), ("100.1", "1")))], "crossed"),
    ],
)
def test_2_a_capture_that_does_not_fit_is_refused(tmp_path: Path, change: Any, rule: str) -> None:
    with pytest.raises(DataError, match=rule):
        read_capture(written(tmp_path, change(lines())), BTC)


def test_a_capture_may_lack_quotes_or_trades(tmp_path: Path) -> None:
    some = [text for text in lines() if "bookTicker" not in text and '"trade"' not in text]
    capture = read_capture(written(tmp_path, some), BTC)
    assert capture.messages == {"depth": 4, "quotes": 0, "trades": 0, "snapshots": 1}
    assert not check_capture(capture).passed  # nothing was compared


def test_a_cut_file_and_a_wrong_option_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, lines())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="readable as a capture"):
        read_capture(path, BTC)
    with pytest.raises(InputError, match="did you mean 'quotes'"):
        read_capture(path, BTC, streams=["quote"])
    with pytest.raises(InputError, match="spot, futures"):
        read_capture(written(tmp_path, lines()), BTC, venue="margin")
    with pytest.raises(InputError, match="no such file"):
        read_capture(tmp_path / "missing.gz", BTC)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_whatever_the_bytes_are_the_answer_is_events_or_a_typed_error(data: st.DataObject) -> None:
    content = bytearray("".join(lines()).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture"
        path.write_bytes(bytes(content))
        refused: InputError | None = None
        try:
            events = read_capture(path, BTC).events
        except InputError as error:
            refused = error
    assert (refused.fix or refused.allowed) if refused else np.all(events.known_at >= events.ts)


@pytest.mark.req("SIM-09")
def test_the_sync_of_snapshot_and_updates_equals_the_published_rules() -> None:
    golden = json.loads(GOLDEN.read_text())
    book, wanted = depth_sync(golden["snapshot"], golden["events"]), golden["expected"]
    assert list(book.dropped) == wanted["dropped"]
    assert list(book.applied) == wanted["applied"]
    assert book.final_update_id == wanted["final_update_id"]
    assert [list(level) for level in book.bids] == wanted["bids"]
    assert [list(level) for level in book.asks] == wanted["asks"]


def test_a_gap_in_spot_and_futures_updates_is_named() -> None:
    golden = json.loads(GOLDEN.read_text())
    cut = [*golden["events"][:3], golden["events"][4]]
    with pytest.raises(DataError, match=r"message 3.*restart from a new snapshot") as caught:
        depth_sync(golden["snapshot"], cut)
    assert "it follows 164, the last one ended with 163" in str(caught.value)
    with pytest.raises(DataError, match="take a later snapshot"):
        depth_sync(golden["snapshot"], golden["events"][3:])
    futures = [{"U": 158, "u": 161, "pu": 150, "b": [], "a": []}, {"U": 170, "u": 172, "pu": 161, "b": [], "a": []}]
    assert depth_sync(golden["snapshot"], futures, venue="futures").applied == (0, 1)
    futures[1]["pu"] = 160
    with pytest.raises(DataError, match="it follows 160"):
        depth_sync(golden["snapshot"], futures, venue="futures")
    without = [{key: value for key, value in update.items() if key != "pu"} for update in futures]
    with pytest.raises(InputError, match="do not say what they follow"):
        depth_sync(golden["snapshot"], without, venue="futures")
    assert depth_sync(golden["snapshot"], []).final_update_id == 160


@pytest.mark.req("SIM-13")
@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.sampled_from([-800.0, -20.0, 0.0, 3.0, 500.0]), st.integers(-(10**12), 10**12))
def test_clocks_1_the_offset_and_the_skew_of_planted_clocks_are_found(seed: int, ppm: float, offset: int) -> None:
    rng = np.random.default_rng(seed)
    sent = np.sort(rng.integers(0, 600 * 10**9, 4000))
    arrived = np.sort(sent + 1_000_000 + rng.exponential(3e6, len(sent)).astype(np.int64))
    received = arrived + offset + (arrived * ppm * 1e-6).astype(np.int64)
    for remove in (False, True):
        clock = estimate_clock(sent, received, remove_skew=remove)
        assert np.all(clock.corrected(received) >= sent)
        assert clock.delay_ns[0] == 0
        assert clock.skew_ppm == pytest.approx(ppm, abs=1.0)
        assert clock.drifts(10.0) is (abs(ppm) > 10)
    assert estimate_clock(sent, received, remove_skew=True).delay_ns[3] < 80_000_000


def test_clocks_refuse_what_is_no_pair_of_stamps() -> None:
    for sent, received in (([], []), ([1, 2], [1]), ([[1]], [[1]])):
        with pytest.raises(InputError, match="one stamp each"):
            estimate_clock(sent, received)
    with pytest.raises(InputError, match="order of receipt"):
        estimate_clock([1, 2], [2, 1])
    with pytest.raises(InputError, match="margin_ns"):
        estimate_clock([1], [1], margin_ns=-1)
    assert estimate_clock([1, 5], [3, 3]).skew_ppm == 0.0


@pytest.mark.req("SIM-13")
def test_clocks_3_stale_future_duplicate_and_replayed_messages_are_rejected() -> None:
    guard = StampGuard(max_age_ns=100, max_ahead_ns=10, window=3)
    seen = [guard.check(k, k + 5, k) for k in range(5)]
    assert seen == ["ok"] * 5
    assert guard.check(4, 9, 4) == "duplicate"
    assert guard.check(0, 9, 0) == "replayed"
    assert guard.check(10, 110, 10) == "ok"
    assert guard.check(10, 111, 11) == "stale"
    assert guard.check(30, 20, 12) == "ok"
    assert guard.check(31, 20, 13) == "future"
    assert guard.check(31, 31, 13) == "ok"  # a rejected message left no trace
    assert guard.counts == {"ok": 8, "stale": 1, "future": 1, "duplicate": 1, "replayed": 1}
    for name in ("max_age_ns", "max_ahead_ns", "window"):
        with pytest.raises(InputError, match=name):
            StampGuard(**{name: -1})


@pytest.mark.realdata
@pytest.mark.req("SIM-09", "SIM-13")
def test_the_real_capture_rebuilds_without_a_gap_and_agrees_with_its_best_quotes() -> None:
    folder = Path(os.environ.get("KARAT_DATA", "../shared/data"))
    assert folder.is_dir(), f"{folder} is missing: set KARAT_DATA to the folder of real data"
    capture = read_capture(folder / "crypto" / "btcusdt_20240808.gz", BTC)
    assert capture.messages == {"depth": 6551, "quotes": 66089, "trades": 21313, "snapshots": 1}
    found = check_capture(capture)
    assert (found.gaps, found.crossed) == (0, 0)
    assert found.compared == found.agreed == 6547
    assert np.all(capture.events.known_at >= capture.events.ts)
    assert 1.2e9 < capture.clock.offset_ns < 1.3e9
    assert not capture.clock.drifts()
