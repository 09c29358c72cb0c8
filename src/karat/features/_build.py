"""Building: specs over a panel to a frame of features, and that frame to the `Table` a model reads.

Invariants:
1. Rows are the panel's rows, in its order, with its `ts` and `known_at`; every feature column is Float64.
2. Instruments never mix: a value of one does not change when another is added, changed or renamed. Which features
   there are may change: all instruments have the same, so that one without any volume takes those of volume from all.
3. A row in which an input is NaN is skipped: it gets NaN and the features go on as if it were not there.
4. A value that is not finite becomes NaN; nothing is filled, neither forward nor back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from karat._words import counted
from karat.core import DataError, InputError
from karat.data import KEYS, Panel, Table, blocks
from karat.features._engine import Rows, compute_nodes
from karat.features._graph import TS, Node
from karat.features._rows import as_array, check_known, day_of, instrument_codes
from karat.features._select import Selection, resolve
from karat.features._spec import Columns, FeatureSpec, Floats


@dataclass(frozen=True, eq=False)
class FeatureFrame:
    """Features of a panel.

    frame: ts, known_at, instrument, then one Float64 column a feature, NaN during warm-up. specs: in column order.
    absent: selected features that the panel cannot serve, with the reason.
    """

    frame: pl.DataFrame
    specs: tuple[FeatureSpec, ...]
    absent: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """The feature names, in column order."""
        return tuple(spec.name for spec in self.specs)


def build(panel: Panel, selection: Selection) -> FeatureFrame:
    """Compute the selected features, one instrument at a time, each value known at its row's `known_at`.

    Raises:
        InputError: an unknown name, or no feature that the panel can serve.
        DataError: `known_at` runs back within an instrument.
    """
    specs, absent = resolve(selection, panel)
    check_known(panel)
    values = compute(panel.frame, specs, panel.blocks).T
    columns = [pl.Series(spec.name, values[k], dtype=pl.Float64) for k, spec in enumerate(specs)]
    return FeatureFrame(panel.frame.select(KEYS).with_columns(columns), specs, absent)


def compute_regulatory_features(panel: Panel) -> FeatureFrame:
    """Compute the regulatory features of a panel of daily bars, one instrument at a time.

    Returns the frame with `ssr_trigger`, `ssr_state`, `luld_band` and `luld_excursion`, each known at its row's
    `known_at`, NaN during warm-up; `absent` names those that the panel cannot serve.

    Raises:
        InputError: the panel has none of the columns low, high and close.
    """
    return build(panel, "regulatory")


def compute(frame: pl.DataFrame, specs: Sequence[FeatureSpec], rows: Sequence[Rows] | None = None) -> Floats:
    """Return (n, p) float64 features of a frame sorted by (instrument, ts); rows: of each instrument, if known."""
    out = np.empty((len(specs), len(frame)))
    columns = columns_of(frame, specs)
    rows = blocks(frame) if rows is None else rows
    drawn = [(k, spec, spec.expression) for k, spec in enumerate(specs) if isinstance(spec.compute, Node)]
    if drawn:
        whole = len(drawn) == len(specs)
        target = out if whole else np.empty((len(drawn), len(frame)))
        compute_nodes(columns, rows, [made for *_, made in drawn], [spec.inputs for _, spec, _ in drawn], target)
        for place, (k, *_) in enumerate(drawn):
            if not whole:
                out[k] = target[place]
    for k, spec in enumerate(specs):
        for begin, end in rows:
            if not isinstance(spec.compute, Node):
                out[k, begin:end] = _one({name: columns[name][begin:end] for name in spec.inputs}, spec)
    return out.T


def columns_of(frame: pl.DataFrame, specs: Sequence[FeatureSpec]) -> dict[str, Floats]:
    """Return the columns that the specs read, (n,) float64 each."""
    names = sorted({name for spec in specs for name in spec.inputs})
    return {name: as_array(day_of(frame[TS])) if name == TS else as_array(frame[name]) for name in names}


def table(panel: Panel, features: FeatureFrame) -> Table:
    """Return the rows a model reads: the numeric features, and simple close-to-close returns.

    Raises:
        InputError: the panel has no `close`.
        DataError: the features are of other rows than the panel's.
    """
    if "close" not in panel.frame.columns:
        why, fix = "returns are computed from it", "rename the column of prices, e.g. columns: {settle: close}"
        raise InputError("panel", list(panel.values), allowed="a column 'close'", why=why, fix=fix)
    if not features.frame.select(KEYS).equals(panel.frame.select(KEYS)):
        rule, fix = "same ts, known_at and instrument as the panel", "build the features from this panel"
        seen = f"{counted(len(features.frame), 'row')} beside {counted(len(panel.frame), 'row')} of the panel"
        raise DataError("features", rule, seen=seen, fix=fix)
    numbers, _ = numeric_only(features.frame)
    close = as_array(panel.frame["close"])
    returns = np.full(len(panel.frame), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        for begin, end in panel.blocks:
            returns[begin + 1 : end] = close[begin + 1 : end] / close[begin : end - 1] - 1.0
    instruments, code = instrument_codes(panel.frame)
    return Table(
        panel.frame["ts"].to_numpy(),
        panel.frame["known_at"].to_numpy(),
        code,
        instruments,
        np.ascontiguousarray(numbers.to_numpy(), dtype=np.float64),
        tuple(numbers.columns),
        returns,
    )


def numeric_only(frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return the numeric and boolean feature columns as Float64, and the names of the columns left out.

    Example:
        >>> kept, dropped = numeric_only(pl.DataFrame({"rsi_14": [50], "sector": ["tech"]}))
        >>> kept.columns, dropped
        (['rsi_14'], ('sector',))
    """
    wanted = [name for name in frame.columns if name not in KEYS]
    kept = [name for name in wanted if frame.schema[name].is_numeric() or frame.schema[name] == pl.Boolean]
    return frame.select(pl.col(kept).cast(pl.Float64)), tuple(name for name in wanted if name not in kept)


def _one(columns: Columns, spec: FeatureSpec) -> Floats:
    """Return one feature of one instrument, skipping rows in which an input is not finite."""
    n = len(next(iter(columns.values())))
    usable = np.logical_and.reduce([np.isfinite(values) for values in columns.values()])
    whole = bool(usable.all())
    dense = columns if whole else {name: values[usable] for name, values in columns.items()}
    rows = n if whole else int(usable.sum())
    if rows <= spec.warm_up:
        return np.full(n, np.nan)
    assert not isinstance(spec.compute, Node)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        try:
            values = np.asarray(spec.compute(dense), dtype=np.float64)
        except KeyError as error:
            why = f"its function reads {error}, which inputs does not name"
            raise InputError(f"feature.{spec.name}", list(columns), why=why, fix="add it to inputs") from error
        except (ArithmeticError, TypeError, ValueError) as error:
            why, allowed = f"its function fails: {error}", f"an array of {rows} numbers of these columns"
            raise InputError(f"feature.{spec.name}", list(columns), why=why, allowed=allowed) from error
    if values.shape != (rows,):
        raise InputError(f"feature.{spec.name}", values.shape, allowed=f"an array of shape ({rows},)")
    values = np.where(np.isfinite(values), values, np.nan)
    values = np.concatenate([np.full(spec.lag, np.nan), values[: rows - spec.lag]])
    if whole:
        return values
    out = np.full(n, np.nan)
    out[usable] = values
    return out
