"""Views: what a model gets of a fold, where its table ends, and which rows are left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from labels_factory import PROVENANCE, table_of, walk

from karat.core import InputError
from karat.data import Panel, Permit, Table
from karat.labels import Fold, LabelFrame, PurgedKFold, WalkForward, make_labels, usable, views

BOTH = ("A.XNYS", "B.XNYS")


def setup(*, horizon: str = "2d", warm_up: int = 9) -> tuple[Panel, Table, LabelFrame, list[Fold]]:
    made_of = walk(300, instruments=BOTH)
    table = table_of(made_of, warm_up=warm_up)
    labels = make_labels(made_of, horizon)
    splitter = WalkForward(1, 2, None, 0.3, valid_bars=40, min_train_bars=60)
    return made_of, table, labels, splitter.split(labels.ts, labels.start_ns, labels.end_ns)


@pytest.mark.req("DATA-32")
@pytest.mark.parametrize("horizon", ["1d", "5d", "week"])
def test_every_view_has_its_rows_labels_and_features(horizon: str) -> None:
    _, table, labels, folds = setup(horizon=horizon)
    keyed = {(name, ts): value for name, ts, value in labels.frame.select("instrument", "ts", "value").rows()}
    for fold in folds:
        train, valid, test = views(table, labels, fold, horizon)
        assert (test is None) == (fold.role == "select")
        for view in (train, valid):
            wanted = [keyed[key] for key in zip(view.instrument.tolist(), view.ts.tolist(), strict=True)]
            np.testing.assert_array_equal(view.labels.value, wanted)
            assert view.horizon == horizon
            assert not np.isnan(view.features).any()
            assert (view.labels.start_ns > view.known_at).all()
        assert len(valid) == len(fold.valid)
        assert len(train) == len(fold.train) - 2 * 9


def test_a_table_ends_with_its_view() -> None:
    _, table, labels, folds = setup()
    for fold in folds:
        for view in views(table, labels, fold):
            if view is not None:
                assert view.table.known_at.max() == view.known_at.max()
                assert len(view.table.ts) == (table.known_at <= view.known_at.max()).sum()
                assert view.table.instruments == BOTH


@pytest.mark.req("EVAL-04")
def test_the_future_changes_no_view() -> None:
    """Another future after Valid's last label, the same Train and Valid to the bit."""
    made_of, _, _, folds = setup()
    fold = folds[0]
    labels = make_labels(made_of, "2d")
    last = int(labels.end_ns[fold.valid].max())
    wild = [
        pl.when(pl.col("ts") > last).then(pl.col(name) * 7.0).otherwise(name).alias(name) for name in ("open", "close")
    ]
    other = Panel(made_of.frame.with_columns(wild), "XNYS", PROVENANCE)
    for one, two in zip(
        views(table_of(made_of), labels, fold)[:2],
        views(table_of(other), make_labels(other, "2d"), fold)[:2],
        strict=True,
    ):
        np.testing.assert_array_equal(one.labels.value, two.labels.value)
        np.testing.assert_array_equal(one.features, two.features)
        assert one.rows.tolist() == two.rows.tolist()


def test_test_labels_open_with_a_permit_only() -> None:
    _, table, labels, folds = setup()
    fold = folds[-1]
    test = views(table, labels, fold)[2]
    assert test is not None
    assert not hasattr(test, "labels")
    with pytest.raises(InputError, match="Test opens once, on the record"):
        test.open(None)  # type: ignore[arg-type]
    opened = test.open(Permit("run", "cell", "0" * 64))
    np.testing.assert_array_equal(opened.value, labels.value[fold.test])


def test_a_fold_without_test_gives_none() -> None:
    _, table, labels, _ = setup()
    fold = PurgedKFold(4).split(labels.ts, labels.start_ns, labels.end_ns)[1]
    train, valid, test = views(table, labels, fold)
    assert test is None
    # Train goes on after Valid, so that its table does too.
    assert train.table.known_at.max() > valid.table.known_at.max()


def test_usable_leaves_out_the_warm_up() -> None:
    _, table, labels, _ = setup()
    kept = usable(table, labels)
    assert len(labels) - len(kept) == 2 * 9
    assert kept.horizon == labels.horizon
    assert views(table, kept, Fold(0, "select", np.array([0, 1]), np.array([5])))[0].features.tolist() == [
        [9.0],
        [10.0],
    ]


def test_no_row_with_every_feature_is_refused() -> None:
    _, table, labels, _ = setup(warm_up=400)
    message = "features: got 'number'; no row has every feature; this one is missing in 596 of 596 rows; leave it out"
    with pytest.raises(InputError, match=message):
        usable(table, labels)


def test_a_part_without_a_complete_row_is_refused() -> None:
    _, table, labels, _ = setup()
    with pytest.raises(InputError, match="fold: got 'train'; no train row of 3 has every feature; drop warm-up"):
        views(table, labels, Fold(0, "select", np.arange(3), np.arange(40, 50)))


def test_labels_of_another_horizon_or_table_are_refused() -> None:
    _, table, labels, folds = setup()
    with pytest.raises(InputError, match="horizon: got '5d'; the labels are of another horizon; allowed: 2d"):
        views(table, labels, folds[0], "5d")
    other = replace(labels, frame=labels.frame.with_columns(instrument=pl.lit("C.XNYS")))
    with pytest.raises(
        InputError, match=r"labels: got 'C.XNYS@.*; the table has no such row; allowed: rows of the table"
    ):
        usable(table, other)
