"""From a fold to the views a model may see: rows joined to features, each view's table cut at its own end.

Invariants:
1. A view's table holds no row that became known after the view's last row.
2. A row is left out where any feature is NaN: warm-up is dropped, never filled.
3. Test's labels travel sealed: only a permit of the ledger opens them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from karat._words import counted
from karat.core import InputError
from karat.data import Labels, Table, Test, Train, Valid
from karat.labels._fold import Fold, Ints
from karat.labels._make import LabelFrame


def usable(table: Table, labels: LabelFrame) -> LabelFrame:
    """Return the labels of the rows that have every feature; split these, so that no fold is spent on warm-up.

    Raises:
        InputError: no row has all features, naming the one that is missing most often.
    """
    rows = _table_rows(table, labels)
    complete = np.logical_not(np.isnan(table.features[rows]).any(axis=1))
    if not complete.any():
        missing = np.isnan(table.features[rows]).sum(axis=0)
        worst = int(np.argmax(missing))
        lacking = f"{int(missing[worst])} of {counted(len(rows), 'row')}"
        why = f"no row has every feature; this one is missing in {lacking}"
        raise InputError("features", table.names[worst], why=why, fix="leave it out or load more data")
    return replace(labels, frame=labels.frame.filter(pl.Series(complete)))


def views(table: Table, labels: LabelFrame, fold: Fold, horizon: str | None = None) -> tuple[Train, Valid, Test | None]:
    """Return the views of a fold whose indices count the rows of `labels`.

    Raises:
        InputError: labels of another horizon, of rows the table lacks, or a part without a complete row.
    """
    if horizon is not None and horizon != labels.horizon:
        raise InputError("horizon", horizon, allowed=[labels.horizon], why="the labels are of another horizon")
    rows = _table_rows(table, labels)
    train_cut, train_rows, train_labels = _part(table, labels, rows, fold.train, "train")
    valid_cut, valid_rows, valid_labels = _part(table, labels, rows, fold.valid, "valid")
    train = Train(train_cut, train_rows, labels.horizon, train_labels)
    valid = Valid(valid_cut, valid_rows, labels.horizon, valid_labels)
    if fold.test is None:
        return train, valid, None
    test_cut, test_rows, test_labels = _part(table, labels, rows, fold.test, "test")
    return train, valid, Test(test_cut, test_rows, labels.horizon, test_labels)


def _part(table: Table, labels: LabelFrame, rows: Ints, index: Ints, part: str) -> tuple[Table, Ints, Labels]:
    complete = ~np.isnan(table.features[rows[index]]).any(axis=1)
    kept = index[complete]
    if not len(kept):
        why = f"no {part} row of {len(index)} has every feature"
        raise InputError("fold", part, why=why, fix="drop warm-up rows first, or leave features out")
    inside = table.known_at <= table.known_at[rows[kept]].max()
    moved = np.cumsum(inside) - 1
    view = Labels(labels.value[kept], labels.start_ns[kept], labels.end_ns[kept])
    return table.take(np.flatnonzero(inside).astype(np.int64)), moved[rows[kept]].astype(np.int64), view


def _table_rows(table: Table, labels: LabelFrame) -> Ints:
    """Return (n,) the table row of each label."""
    names = pl.Series(table.instruments, dtype=pl.String)
    keys = pl.DataFrame({"instrument": names[table.code], "ts": table.ts}).with_row_index("row")
    wanted = labels.frame.select("instrument", "ts")
    rows = wanted.join(keys, on=["instrument", "ts"], how="left", maintain_order="left")["row"]
    if rows.null_count():
        name, ts = wanted.filter(rows.is_null()).row(0)
        raise InputError("labels", f"{name}@{ts}", allowed="rows of the table", why="the table has no such row")
    return rows.to_numpy().astype(np.int64)
