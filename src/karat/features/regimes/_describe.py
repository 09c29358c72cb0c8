"""What labels look like: shares, spells, changes, transitions, and how two systems go together.

Invariants:
1. Rows without a state are left out; a spell or a transition never crosses from one instrument to another.
2. Shares sum to 1; each row of `transitions` that has any sums to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from karat._words import counted
from karat.core import InputError
from karat.data import Panel
from karat.features._spec import Floats
from karat.features.regimes._bands import Edges
from karat.features.regimes._registry import spec_of
from karat.features.regimes._service import RegimeFrame, label


@dataclass(frozen=True, eq=False)
class RegimeDescription:
    """Labels in numbers.

    states: one row a state: state, name, rows, share (fraction of labelled rows), spells, mean_bars and median_bars of
    a spell (the last one counts as far as it goes). transitions: (K, K) share of the rows of a state (row) that are
    followed by each state (column), NaN where none follows. changes: fraction of labelled rows whose state is not that
    of the labelled row before. rows: labelled rows; unlabelled: the others.
    """

    states: pl.DataFrame
    transitions: Floats
    changes: float
    rows: int
    unlabelled: int

    @property
    def steady(self) -> bool:
        """Fewer than 5 % changes and two states or more."""
        return self.changes < 0.05 and int((self.states["rows"] > 0).sum()) >= 2


def describe(labels: RegimeFrame) -> RegimeDescription:
    """Return shares, durations and transitions of labels.

    Raises:
        InputError: no row has a state.
    """
    seen = labels.frame.filter(pl.col("state").is_not_null())
    if not len(seen):
        names = ", ".join(labels.frame["instrument"].unique().sort().to_list())
        why = f"no row of {names or 'any instrument'} comes after the first fit and has a value of the measure"
        fix = "label a longer history, or one whose columns move"
        told = f"{counted(len(labels.frame), 'row')} without a state"
        raise InputError("labels", told, allowed="one labelled row or more", why=why, fix=fix)
    codes, k = seen["state"].to_numpy(), len(labels.states)
    same_series = (seen["instrument"] == seen["instrument"].shift(1)).fill_null(False).to_numpy()
    moved = np.r_[False, codes[1:] != codes[:-1]] & same_series
    counts = np.zeros((k, k))
    np.add.at(counts, (codes[:-1][same_series[1:]], codes[1:][same_series[1:]]), 1.0)
    with np.errstate(invalid="ignore"):
        transitions = counts / counts.sum(axis=1, keepdims=True)
    first = np.flatnonzero(moved | ~same_series)
    lengths, kinds = np.diff(np.r_[first, len(codes)]), codes[first]
    rows = np.bincount(codes, minlength=k)
    table = pl.DataFrame(
        {
            "state": np.arange(k),
            "name": list(labels.states),
            "rows": rows,
            "share": rows / len(codes),
            "spells": np.bincount(kinds, minlength=k),
            "mean_bars": [float(lengths[kinds == s].mean()) if (kinds == s).any() else None for s in range(k)],
            "median_bars": [float(np.median(lengths[kinds == s])) if (kinds == s).any() else None for s in range(k)],
        }
    )
    changes = float(moved.sum() / max(int(same_series.sum()), 1))
    return RegimeDescription(table, transitions, changes, len(seen), len(labels.frame) - len(seen))


def cross_table(first: RegimeFrame, second: RegimeFrame) -> pl.DataFrame:
    """Return how often each state of one system goes with each of another: their names, rows, and share of the first's.

    Raises:
        InputError: labels of other rows.
    """
    keys = ["ts", "instrument"]
    if not first.frame.select(keys).equals(second.frame.select(keys)):
        raise InputError("second", second.regime, allowed="labels of the same rows", why="rows differ")
    pairs = pl.DataFrame({first.regime: first.frame["name"], f"{second.regime}_": second.frame["name"]}).drop_nulls()
    counted = pairs.group_by(pl.all()).agg(pl.len().alias("rows"))
    share = pl.col("rows") / pl.col("rows").sum().over(first.regime)
    return counted.with_columns(share.alias("share")).sort(pl.all().exclude("share"))


def sweep_bands(panel: Panel, regime: str, bands: Sequence[Edges]) -> pl.DataFrame:
    """Return a row for each setting of the bands: bands, smallest and largest share, changes, mean duration in bars.

    The two quantiles of an edge with memory stand one after the other.

    Raises:
        InputError: a system without bands, or bands that it cannot have.
    """
    if not spec_of(regime).bands:
        raise InputError("regime", regime, allowed="a system with quantile bands", fix="choose volatility, say")
    rows = []
    for setting in bands:
        found = describe(label(panel, regime, bands=setting))
        spells = int(found.states["spells"].sum())
        shares = found.states["share"].to_list()
        rows.append((np.hstack(setting).tolist(), min(shares), max(shares), found.changes, found.rows / spells))
    return pl.DataFrame(rows, schema=["bands", "least_share", "largest_share", "changes", "mean_bars"], orient="row")
