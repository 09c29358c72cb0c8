"""Splitters: one property for all of them, each one's own shape, and the planted faults that the check must catch."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labels_factory import rows, walk

from karat.core import NS_PER_DAY, InputError
from karat.labels import (
    ChunkSplitter,
    CombinatorialPurgedKFold,
    Fold,
    GapKFold,
    PurgedKFold,
    Splitter,
    WalkForward,
    check_purged,
    make_labels,
    window_log,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "labels" / "purged_kfold.json").read_text())
SPLITTERS: list[Splitter] = [
    WalkForward(test_frac=0.3, valid_bars=40, min_train_bars=50, embargo_bars=0),
    WalkForward(test_frac=0.3, valid_bars=40, min_train_bars=50, embargo_bars=7),
    WalkForward(test_frac=0.2, valid_bars=30, min_train_bars=40, train_bars=60, test_folds=4),
    PurgedKFold(6),
    PurgedKFold(4, embargo_bars=5),
    CombinatorialPurgedKFold(6, 2),
    CombinatorialPurgedKFold(5, 3, embargo_bars=4),
    GapKFold(),
    ChunkSplitter(chunk_bars=20, window_bars=5, embargo_bars=2),
]


def clash(a: Fold, first: np.ndarray, second: np.ndarray, start: np.ndarray, end: np.ndarray) -> int:
    """Pairs of spans that share an instant, counted pair by pair."""
    return sum(int(((start[second] <= end[k]) & (end[second] >= start[k])).sum()) for k in first)


@pytest.mark.req("EVAL-04", "DATA-32")
@settings(max_examples=12, deadline=None)
@given(st.integers(1, 9), st.integers(1, 3), st.integers(380, 460), st.randoms(use_true_random=False))
@pytest.mark.parametrize("splitter", SPLITTERS, ids=lambda splitter: f"{splitter}"[:40])
def test_no_span_crosses_a_cut(splitter: Splitter, horizon: int, instruments: int, n: int, random: object) -> None:
    ts, start, end = rows(n, horizon=horizon, instruments=instruments)
    # Spans of every length up to the horizon, as weeks around holidays have them.
    end = start + np.array([random.randint(1, horizon) * NS_PER_DAY - 1 for _ in ts])  # type: ignore[attr-defined]
    folds = splitter.split(ts, start, end)
    assert check_purged(folds, start, end) == []
    for fold in folds[:: max(len(folds) // 3, 1)]:
        assert not clash(fold, fold.train, fold.valid, start, end)
        if fold.test is not None:
            assert not clash(fold, fold.train, fold.test, start, end)
            assert not clash(fold, fold.valid, fold.test, start, end)


@pytest.mark.req("EVAL-04", "DATA-32")
@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10))
def test_train_and_valid_keep_the_embargo_before_test(horizon: int, embargo: int) -> None:
    ts, start, end = rows(400, horizon=horizon)
    splitter = WalkForward(test_frac=0.3, valid_bars=40, min_train_bars=50, embargo_bars=embargo)
    for fold in splitter.split(ts, start, end):
        day_of_valid = ts[fold.valid].min()
        assert end[fold.train].max() <= day_of_valid - (embargo - 1) * NS_PER_DAY - (embargo > 0)
        if fold.test is not None:
            day_of_test = ts[fold.test].min()
            assert end[fold.valid].max() < start[fold.test].min() - (embargo - 1) * NS_PER_DAY * (embargo > 0)
            # Purge and embargo take no more than they must.
            assert end[fold.valid].max() >= day_of_test - embargo * NS_PER_DAY


@pytest.mark.req("EVAL-04", "EVAL-08")
@pytest.mark.parametrize("horizon", [1, 5])
def test_walk_forward_has_the_promised_shape(horizon: int) -> None:
    ts, start, end = rows(1000, horizon=horizon, instruments=2)
    splitter = WalkForward(select_folds=3, test_folds=2, test_frac=0.3, valid_bars=100, embargo_bars=2)
    folds = splitter.split(ts, start, end)
    assert [(fold.role, fold.index) for fold in folds] == [
        *(("select", 0), ("select", 1), ("select", 2)),
        *(("test", 0), ("test", 1)),
    ]
    select, test = folds[:3], folds[3:]
    assert sorted(np.concatenate([fold.test for fold in test])) == [  # type: ignore[list-item]
        row for row in range(2000) if ts[row] >= 700 * NS_PER_DAY
    ]
    for fold in folds:
        assert len(np.unique(ts[fold.valid])) == 100
        assert len(fold.valid) == 200
        assert ts[fold.train].max() < ts[fold.valid].min()
        assert ts[fold.train].min() == 0
    # Valid blocks of the select folds lie back to back, the last one just before Test.
    assert ts[select[1].valid].min() - ts[select[0].valid].max() == NS_PER_DAY
    assert ts[select[2].valid].min() - ts[select[1].valid].max() == NS_PER_DAY
    assert select[2].valid.tolist() == test[0].valid.tolist()
    assert end[np.concatenate([fold.valid for fold in select])].max() < start[test[0].test].min()  # type: ignore[index]


@pytest.mark.req("EVAL-04")
@given(st.integers(0, 4), st.integers(0, 4), st.integers(1, 8), st.integers(0, 6), st.floats(0.1, 0.5))
@settings(max_examples=30, deadline=None)
def test_selection_ends_before_the_first_test_date(
    select: int, test: int, horizon: int, embargo: int, share: float
) -> None:
    if select + test == 0:
        return
    ts, start, end = rows(500, horizon=horizon)
    splitter = WalkForward(select, test, None, share, valid_bars=20, embargo_bars=embargo, min_train_bars=30)
    folds = splitter.split(ts, start, end)
    assert len(folds) == select + test
    opens = min((int(ts[fold.test].min()) for fold in folds if fold.test is not None), default=10**20)
    for fold in folds:
        if fold.role == "select":
            assert fold.test is None
            assert max(end[fold.train].max(), end[fold.valid].max()) <= opens


def test_a_rolling_train_has_its_length() -> None:
    ts, start, end = rows(600)
    splitter = WalkForward(test_frac=0.3, valid_bars=50, min_train_bars=80, train_bars=120)
    assert {len(fold.train) for fold in splitter.split(ts, start, end)} == {120}


def test_the_test_period_can_start_at_a_date() -> None:
    ts, start, end = rows(600)
    splitter = WalkForward(test_start=dt.date(1971, 1, 1), valid_bars=50, min_train_bars=80, test_folds=1)
    (fold,) = [fold for fold in splitter.split(ts, start, end) if fold.test is not None]
    assert ts[fold.test].min() == 365 * NS_PER_DAY
    assert len(fold.test) == 600 - 365


def test_without_test_folds_all_bars_serve_selection() -> None:
    ts, start, end = rows(300)
    folds = WalkForward(2, 0, valid_bars=50, min_train_bars=80).split(ts, start, end)
    assert [fold.role for fold in folds] == ["select", "select"]
    assert ts[folds[-1].valid].max() == 299 * NS_PER_DAY


@pytest.mark.req("EVAL-08")
def test_the_window_log_shows_two_years_walked_with_the_past_only() -> None:
    labels = make_labels(walk(1300), "5d")
    folds = WalkForward(2, 4, None, 0.5, valid_bars=60, train_bars=250).split(labels.ts, labels.start_ns, labels.end_ns)
    log = window_log(folds, labels.ts, labels.end_ns)
    test = log.filter(part="test")
    assert (test["last_ts"].max() - test["first_ts"].min()) // NS_PER_DAY > 730  # type: ignore[operator]
    for fold in range(4):
        parts = {row["part"]: row for row in log.filter(role="test", fold=fold).to_dicts()}
        assert parts["train"]["last_end_ns"] <= parts["valid"]["first_ts"]
        assert parts["valid"]["last_end_ns"] <= parts["test"]["first_ts"]
        assert parts["train"]["rows"] == 250
    assert log.columns == ["fold", "role", "part", "rows", "first_ts", "last_ts", "last_end_ns"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_frac": None}, "test_start, test_frac: got 'None and None'; allowed: exactly one of the two"),
        ({"test_start": dt.date(2020, 1, 1)}, "allowed: exactly one of the two"),
        ({"test_frac": 1.0}, "test_frac: got 1.0; allowed: above 0 and below 1"),
        ({"select_folds": -1}, "select_folds: got -1; allowed: a whole number of 0 or more"),
        ({"valid_bars": 0}, "valid_bars: got 0; allowed: a whole number of 1 or more"),
        ({"embargo_bars": 0.5}, "embargo_bars: got 0.5; allowed: a whole number"),
        ({"train_bars": 10}, "train_bars: got 10; allowed: a whole number of 250 or more"),
        ({"min_train_bars": True}, "min_train_bars: got True; allowed: a whole number"),
        ({"select_folds": 0, "test_folds": 0}, "select_folds: got 0; there would be no fold; allowed: 1 or more where"),
    ],
)
def test_wrong_parameters_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        WalkForward(**({"test_frac": 0.3} | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("day", ["1960-01-01", "1999-01-01"])
def test_a_test_start_outside_the_data_is_refused(day: str) -> None:
    message = (
        f"test_start: got '{day}'; labelled bars run from 1970-01-01 to 1971-08-23; allowed: a date inside the data"
    )
    with pytest.raises(InputError, match=message):
        WalkForward(test_start=dt.date.fromisoformat(day)).split(*rows(600))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 3), st.integers(0, 9), st.floats(0.1, 0.6))
def test_too_little_data_says_what_is_enough(horizon: int, select: int, test: int, embargo: int, share: float) -> None:
    splitter = WalkForward(select, test, None, share, valid_bars=30, embargo_bars=embargo, min_train_bars=40)
    message = r"splits: got '40 labelled bars, \d+ of them before Test'; .*; (\d+) labelled bars would be enough"
    with pytest.raises(InputError, match=message) as caught:
        splitter.split(*rows(40, horizon=horizon))
    enough = int(str(caught.value).split(" labelled bars would be enough")[0].split()[-1])
    assert splitter.split(*rows(enough, horizon=horizon))


@pytest.mark.parametrize(
    ("splitter", "seen"),
    [
        (WalkForward(1, 2, None, 0.01, valid_bars=5, min_train_bars=5), "the Test period has 1 bar for 2 test_folds"),
        (WalkForward(1, 1, None, 0.2, valid_bars=90, min_train_bars=5), "Valid has 75 bars left and needs 90"),
        (WalkForward(1, 1, None, 0.2, valid_bars=60, min_train_bars=50), "Train has 10 bars left and needs 50"),
        (
            WalkForward(1, 1, test_start=dt.date(1970, 3, 1), valid_bars=60, min_train_bars=50),
            "Valid has 54 bars left and needs 60; 125 labelled bars would be enough, 124 of them before Test",
        ),
    ],
)
def test_too_little_data_says_what_is_short(splitter: WalkForward, seen: str) -> None:
    with pytest.raises(InputError, match=seen):
        splitter.split(*rows(100))


def test_rows_that_make_no_sense_are_refused() -> None:
    ts, start, end = rows(10)
    none = ts[:0]
    with pytest.raises(InputError, match="rows: got 0; allowed: one or more labelled rows; load more data"):
        PurgedKFold().split(none, none, none)
    with pytest.raises(InputError, match=r"rows: got \(10, 9, 10\); allowed: ts, start_ns and end_ns of one length"):
        PurgedKFold().split(ts, start[1:], end)
    with pytest.raises(InputError, match="rows: got 'row 0 ends before it starts'; allowed: start_ns <= end_ns"):
        PurgedKFold().split(ts, end + 1, end)


def reference_rows() -> tuple[np.ndarray, np.ndarray]:
    ts = np.arange(GOLDEN["n"], dtype=np.int64)
    return ts, np.minimum(ts + 4, GOLDEN["n"] - 1)


@pytest.mark.req("EVAL-04")
@pytest.mark.parametrize("variant", list(GOLDEN["variants"]))
def test_purged_k_fold_equals_the_reference(variant: str) -> None:
    ts, end = reference_rows()
    wanted = sorted(GOLDEN["variants"][variant], key=lambda fold: fold["test"][0])
    folds = PurgedKFold(GOLDEN["n_splits"]).split(ts, ts, end)
    assert [[int(fold.valid[0]), int(fold.valid[-1])] for fold in folds] == [fold["test"] for fold in wanted]
    assert [fold.train.tolist() for fold in folds] == [fold["train"] for fold in wanted]


def test_purged_k_fold_embargoes_the_bars_after_each_block() -> None:
    ts, end = reference_rows()
    bare, held = (PurgedKFold(5, embargo_bars=bars).split(ts, ts, end)[1] for bars in (0, 2))
    assert sorted(set(bare.train) - set(held.train)) == [20, 21]


def defective(ts: np.ndarray, end: np.ndarray, n_splits: int) -> list[Fold]:
    """A published fault: the held-out span is taken to start at the END of its first label (`PurgedKFold` of mlfinlab
    and mlfinpy 0.1.2, whose test start is `samples_info_sets.iloc[start]`, the value instead of the index)."""
    folds = []
    for k, block in enumerate(np.array_split(ts, n_splits)):
        low, high = end[block[0]], end[block].max()
        outside = (ts < block[0]) | (ts > block[-1])
        folds.append(Fold(k, "select", ts[outside & ((end < low) | (ts > high))], block))
    return folds


@pytest.mark.req("EVAL-04")
def test_the_known_defect_differs_and_is_caught() -> None:
    ts, end = reference_rows()
    wrong, right = defective(ts, end, 5), PurgedKFold(5).split(ts, ts, end)
    assert sorted(set(wrong[1].train) - set(right[1].train)) == [4, 5, 6, 7]
    problems = check_purged(wrong, ts, end)
    assert "select fold 1: train overlaps valid by 4 label spans" in problems
    assert check_purged(right, ts, end) == []


def open_ended(ts: np.ndarray, end: np.ndarray, n_splits: int) -> list[Fold]:
    """Snippet 7.3: spans that only touch the held-out one are kept, one bar more on each side."""
    folds = []
    for k, block in enumerate(np.array_split(ts, n_splits)):
        outside = (ts < block[0]) | (ts > block[-1])
        folds.append(Fold(k, "select", ts[outside & ((end <= block[0]) | (ts >= end[block].max()))], block))
    return folds


@pytest.mark.req("EVAL-04")
def test_what_the_published_versions_keep_against_the_reference_values() -> None:
    """The reference values are of snippet 7.1 and timeseriescv: no block is without its four labels before it but the
    first, which has none before it. The faulty version keeps exactly those; both purge the four after a block."""
    ts, end = reference_rows()
    golden = GOLDEN["variants"]["AFML_7.1_closed_interval_emb0.0"]
    wrong, touching = defective(ts, end, 5), open_ended(ts, end, 5)
    ours = PurgedKFold(5).split(ts, ts, end)
    for k, reference in enumerate(golden):
        first, last = reference["test"]
        right = set(reference["train"])
        assert set(ours[k].train.tolist()) == right
        assert right <= set(wrong[k].train.tolist())
        assert sorted(set(wrong[k].train.tolist()) - right) == ([] if k == 0 else list(range(first - 4, first)))
        assert not set(wrong[k].train.tolist()) & set(range(first, last + 5))
        one_more = {first - 4} if k else set()
        one_more |= {last + 4} if last + 4 < 40 else set()
        assert set(touching[k].train.tolist()) - right == one_more
        assert bool(check_purged([wrong[k]], ts, end)) is bool(k)
        assert check_purged([touching[k]], ts, end) != []
        assert check_purged([ours[k]], ts, end) == []


@pytest.mark.req("EVAL-04")
@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(2, 6), st.integers(60, 120))
def test_the_known_defect_differs_exactly_before_each_block(horizon: int, n_splits: int, n: int) -> None:
    """What the published fault keeps and the purge drops are the labels that reach the block from before, no others."""
    ts = np.arange(n, dtype=np.int64)
    end = np.minimum(ts + horizon, n - 1)
    for wrong, right in zip(defective(ts, end, n_splits), PurgedKFold(n_splits).split(ts, ts, end), strict=True):
        first = int(right.valid[0])
        assert set(right.train) <= set(wrong.train)
        assert sorted(set(wrong.train) - set(right.train)) == list(range(max(first - horizon, 0), first))


@pytest.mark.req("EVAL-05")
@pytest.mark.parametrize("horizon", [1, 5])
def test_gap_k_fold_has_ten_folds_a_week_apart(horizon: int) -> None:
    ts, start, end = rows(800, horizon=horizon, instruments=2)
    folds = GapKFold().split(ts, start, end)
    assert len(folds) == 10
    for fold in folds:
        assert ts[fold.valid].min() - ts[fold.train].max() >= 7 * NS_PER_DAY
        assert start[fold.valid].min() - end[fold.train].max() > 7 * NS_PER_DAY
    held = np.concatenate([fold.valid for fold in folds])
    assert len(np.unique(held)) == len(held)


@pytest.mark.parametrize(
    ("splitter", "n", "message"),
    [
        (PurgedKFold(5), 4, "n_splits: got 5; allowed: 2 to 4, the number of labelled bars"),
        (PurgedKFold(2), 4, "n_splits: got 2; purging leaves no Train in fold 0; load more data"),
        (GapKFold(), 10, "n_splits: got 10; allowed: 2 to 9, one less than labelled bars"),
        (
            GapKFold(),
            40,
            "gap_days: got 7; no label ends before the gap of fold 0: it begins on day 4, day 1[0-9] would",
        ),
    ],
)
def test_cross_validation_of_too_little_is_refused(splitter: Splitter, n: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        splitter.split(*rows(n, horizon=4))


@pytest.mark.req("TRN-02")
@settings(max_examples=20, deadline=None)
@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 6), st.integers(0, 1000))
def test_no_training_window_touches_a_chunk(window: int, horizon: int, embargo: int, seed: int) -> None:
    ts, start, end = rows(900, horizon=horizon)
    splitter = ChunkSplitter(30, 3, 3, window_bars=window, embargo_bars=embargo, seed=seed)
    (fold,) = splitter.split(ts, start, end)
    assert fold.test is not None
    assert len(fold.test) == 90
    touched = np.concatenate([fold.valid, fold.test])
    for row in fold.train:
        reach = np.arange(row - window + 1 - embargo, row + horizon + embargo + 1)
        assert not np.isin(touched, reach).any()
    assert fold.train.min() >= window - 1
    assert check_purged([fold], start, end) == []


@pytest.mark.req("TRN-02")
def test_chunks_depend_on_the_seed_and_lie_apart() -> None:
    data = rows(900)
    (first,), (again,), (other,) = (ChunkSplitter(30, seed=seed).split(*data) for seed in (1, 1, 2))
    assert first.valid.tolist() == again.valid.tolist()
    assert first.test.tolist() != other.test.tolist()  # type: ignore[union-attr]


def test_chunks_of_too_little_say_what_is_enough() -> None:
    message = "got '300 labelled bars'; room for 5 chunks; 958 bars would be enough; load more data, or lower chunk"
    with pytest.raises(InputError, match=message):
        ChunkSplitter().split(*rows(300))
    with pytest.raises(InputError, match="purging leaves no Train; 312 bars would be enough"):
        ChunkSplitter(30, 1, 1, window_bars=60, embargo_bars=0).split(*rows(120))
    assert ChunkSplitter().split(*rows(958))
    with pytest.raises(InputError, match="chunk_bars: got 0; allowed: a whole number of 1 or more"):
        ChunkSplitter(chunk_bars=0)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(4, 30), st.integers(1, 3), st.integers(1, 40), st.integers(1, 4), st.integers(0, 3), st.integers(0, 99)
)
def test_the_stated_size_and_chunk_are_enough(
    chunk: int, held: int, window: int, horizon: int, embargo: int, seed: int
) -> None:
    def enough(size: int, chunk_bars: int) -> str:
        splitter = ChunkSplitter(chunk_bars, held, held, window, embargo, seed)
        try:
            splitter.split(*rows(size, horizon=horizon))
        except InputError as error:
            return str(error)
        return ""

    if "chunk_bars: got" in (text := enough(600, chunk)):
        assert "purging around Test leaves no Valid" in text
        chunk = int(text.split("; ")[-1].split()[0])
    if text := enough(10, chunk):
        size = int(text.split(" bars would be enough")[0].split()[-1])
        assert "no Train" not in enough(size, chunk)
        assert "room for" not in enough(size, chunk)


def test_chunks_shorter_than_the_purge_say_what_is_enough() -> None:
    splitter = ChunkSplitter(3, 1, 1, window_bars=1, embargo_bars=5, seed=1)
    with pytest.raises(InputError, match="chunk_bars: got 3; purging around Test leaves no Valid; 23 would be enough"):
        splitter.split(*rows(12, horizon=5))
    assert ChunkSplitter(23, 1, 1, window_bars=1, embargo_bars=5, seed=1).split(*rows(23 * 8, horizon=5))


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(
    ("fold", "problem"),
    [
        (Fold(0, "select", ints(0, 1, 2), ints(3, 4)), "select fold 0: train overlaps valid by 1 label span"),
        (Fold(0, "test", ints(0, 1), ints(4, 5), ints(6, 7)), "test fold 0: valid overlaps test by 1 label span"),
        (Fold(0, "test", ints(0, 6), ints(3, 4), ints(7, 8)), "test fold 0: train overlaps test by 1 label span"),
        (Fold(0, "select", ints(0, 1), ints(1, 4)), "select fold 0: train and valid share rows"),
        (Fold(0, "select", ints(1, 0), ints(4)), "select fold 0: train rows do not ascend"),
        (Fold(0, "select", ints(), ints(4)), "select fold 0: train is empty"),
        (Fold(0, "select", ints(4), ints()), "select fold 0: valid is empty"),
    ],
)
@pytest.mark.req("EVAL-04")
def test_a_planted_fault_is_named(fold: Fold, problem: str) -> None:
    ts = np.arange(10, dtype=np.int64)
    assert problem in check_purged([fold], ts, ts + 1)


@pytest.mark.req("EVAL-04")
def test_selection_that_reaches_test_is_named() -> None:
    ts = np.arange(20, dtype=np.int64)
    test = Fold(0, "test", ints(0, 1), ints(4, 5), ints(10, 11))
    fine, late = Fold(0, "select", ints(0), ints(7, 8)), Fold(1, "select", ints(0), ints(8, 9))
    assert check_purged([fine, test], ts, ts + 1) == []
    assert check_purged([late, test], ts, ts + 1) == ["select fold 1: a label span reaches the first Test span"]


@pytest.mark.req("EVAL-04")
@pytest.mark.parametrize("splitter", SPLITTERS, ids=lambda splitter: f"{splitter}"[:40])
def test_splits_do_not_depend_on_later_prices_or_on_row_order(splitter: Splitter) -> None:
    """Splits read times only; shuffled rows give the same sets."""
    ts, start, end = rows(420, horizon=3)
    order = np.random.default_rng(0).permutation(420)
    for one, other in zip(
        splitter.split(ts, start, end), splitter.split(ts[order], start[order], end[order]), strict=True
    ):
        assert sorted(order[other.train]) == one.train.tolist()
        assert sorted(order[other.valid]) == one.valid.tolist()


@pytest.mark.req("EVAL-04")
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 60), st.integers(1, 5))
def test_past_folds_stay_when_bars_are_added(more: int, horizon: int) -> None:
    """With a fixed first Test date, later bars change neither selection nor what the first Test block trains on."""
    splitter = WalkForward(2, 1, dt.date(1971, 1, 1), valid_bars=50, min_train_bars=80)
    short, long = (splitter.split(*rows(420 + extra, horizon=horizon)) for extra in (0, more))
    for one, other in zip(short, long, strict=True):
        assert one.train.tolist() == other.train.tolist()
        assert one.valid.tolist() == other.valid.tolist()
