"""Combinatorial purged folds against skfolio, their paths, and every splitter as scikit-learn's `cv`."""

from __future__ import annotations

import json
from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labels_factory import rows, walk
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, check_cv, cross_val_predict, cross_val_score

from karat.core import InputError
from karat.labels import (
    ChunkSplitter,
    CombinatorialPurgedKFold,
    CrossValidator,
    GapKFold,
    PurgedKFold,
    Splitter,
    WalkForward,
    make_labels,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "labels" / "cpcv_skfolio.json").read_text())


@pytest.mark.req("EVAL-04")
@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: f"purge {case['purged_size']} embargo {case['embargo_size']}")
def test_folds_and_paths_equal_skfolio(case: dict[str, object]) -> None:
    """A label that ends `purged_size` bars later is purged over as many bars by the rule of overlapping spans."""
    n, groups, held = (int(case[key]) for key in ("n_obs", "n_folds", "n_test_folds"))  # type: ignore[call-overload]
    ts = np.arange(n, dtype=np.int64)
    splitter = CombinatorialPurgedKFold(groups, held, embargo_bars=int(case["embargo_size"]))  # type: ignore[call-overload]
    folds = splitter.split(ts, ts, ts + int(case["purged_size"]))  # type: ignore[call-overload]
    assert len(folds) == case["n_splits"] == comb(groups, held)
    assert splitter.n_paths == case["n_test_paths"]
    for fold, wanted in zip(folds, case["splits"], strict=True):  # type: ignore[call-overload]
        assert fold.train.tolist() == wanted["train"]
        assert fold.valid.tolist() == sorted(row for block in wanted["test"] for row in block)
    paths = splitter.paths()
    for k, (chosen, numbers) in enumerate(zip(combinations(range(groups), held), case["path_ids"], strict=True)):  # type: ignore[call-overload]
        assert [int(np.flatnonzero(paths[:, group] == k)[0]) for group in chosen] == numbers


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 8), st.data())
def test_every_path_takes_every_group_once_and_every_block_is_on_one(groups: int, data: st.DataObject) -> None:
    held = data.draw(st.integers(1, groups - 1))
    splitter = CombinatorialPurgedKFold(groups, held)
    paths = splitter.paths()
    assert paths.shape == (splitter.n_paths, groups)
    chosen = list(combinations(range(groups), held))
    taken = {(int(fold), group) for path in paths for group, fold in enumerate(path)}
    assert taken == {(k, group) for k, these in enumerate(chosen) for group in these}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CombinatorialPurgedKFold(4, 4), "n_held: got 4; allowed: 1 to 3, one less than n_groups"),
        (lambda: CombinatorialPurgedKFold(1), "n_groups: got 1; allowed: a whole number of 2 or more"),
        (
            lambda: CombinatorialPurgedKFold(9).split(*rows(8)),
            "n_groups: got 9; allowed: 2 to 8, the number of labelled bars",
        ),
        (
            lambda: CombinatorialPurgedKFold(3).split(*rows(9, horizon=9)),
            "n_held: got 2; purging leaves no Train in fold 0; load more data or hold fewer groups out",
        ),
    ],
)
def test_what_cannot_be_cut_is_refused(make: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    "splitter",
    [
        PurgedKFold(4),
        GapKFold(),
        CombinatorialPurgedKFold(),
        WalkForward(test_frac=0.3, valid_bars=40, min_train_bars=50),
        WalkForward(test_frac=0.3, valid_bars=40, min_train_bars=50, train_bars=90),
        ChunkSplitter(chunk_bars=20, window_bars=5, embargo_bars=2),
    ],
    ids=["k-fold", "gap", "combinatorial", "expanding", "rolling", "chunks"],
)
def test_every_splitter_is_scikit_learn_s_cv(splitter: Splitter) -> None:
    labels = make_labels(walk(400), "2d")
    cv = CrossValidator.of(splitter, labels)
    x = np.random.default_rng(0).normal(size=(len(labels), 3))
    scores = cross_val_score(Ridge(), x, labels.value, cv=cv)
    assert len(scores) == cv.get_n_splits() == len(splitter.split(labels.ts, labels.start_ns, labels.end_ns))
    by_hand = [Ridge().fit(x[a], labels.value[a]).score(x[b], labels.value[b]) for a, b in cv.split(x)]
    np.testing.assert_allclose(scores, by_hand)
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 10.0]}, cv=cv).fit(x, labels.value)
    assert search.n_splits_ == len(scores)
    by_hand = [Ridge(alpha=10.0).fit(x[a], labels.value[a]).score(x[b], labels.value[b]) for a, b in cv.split(x)]
    assert search.cv_results_["mean_test_score"][1] == pytest.approx(np.mean(by_hand))
    assert check_cv(cv) is cv


def test_a_splitter_that_holds_every_row_out_once_predicts_every_row() -> None:
    labels = make_labels(walk(300), "2d")
    x = np.random.default_rng(0).normal(size=(len(labels), 2))
    found = cross_val_predict(Ridge(), x, labels.value, cv=CrossValidator.of(PurgedKFold(4), labels))
    assert np.isfinite(found).all()
    with pytest.raises(ValueError, match="only works for partitions"):
        cross_val_predict(Ridge(), x, labels.value, cv=CrossValidator.of(GapKFold(), labels))


def test_a_matrix_of_other_rows_is_refused() -> None:
    cv = CrossValidator(PurgedKFold(3), *rows(30))
    with pytest.raises(InputError, match="X: got '12 rows'; allowed: 30, one row per label"):
        next(cv.split(np.zeros((12, 2))))
    assert len(list(cv.split([0.0] * 30))) == 3
