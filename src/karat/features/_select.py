"""Selection: from tier and feature names to the specs that a panel can serve.

Invariants:
1. Order is that of the selection, each feature once; `-name` or `-tier` takes features out again.
2. A feature is absent, with a reason, where the panel lacks an input column or an instrument has no value in it.
3. Specs may stand in a selection themselves: nothing is registered at run time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from karat.core import InputError, nearest
from karat.data import OHLCV, Panel
from karat.features._graph import TS
from karat.features._registry import FEATURES, TIERS
from karat.features._rows import blocks
from karat.features._spec import FeatureSpec, Floats, as_array

_SHOWN: Final = 3

_BARS: Final = "csv, parquet, sqlite, synthetic, or bundled with dataset nasdaq or sp500"
HELD_BY: Final = {
    **dict.fromkeys(OHLCV, _BARS),
    "vix": "bundled with dataset vix, or csv",
    "index": "the close of an index, such as bundled with dataset sp500, joined with columns: {close: index}",
    "signal": "synthetic, or csv and parquet files that have it",
}
"""Column to the sources that have it."""

Selection = Sequence[str | FeatureSpec] | str
"""Tier names, feature names, `-name` to take one out, and specs of one's own."""


def chosen(selection: Selection) -> tuple[FeatureSpec, ...]:
    """Return the selected specs, before any panel is looked at.

    Raises:
        InputError: an unknown name, a spec whose name is taken, or nothing selected.

    Example:
        >>> [spec.name for spec in chosen(["signal", "vix8", "-vix_regime"])][:3]
        ['signal', 'vix_close', 'vix_sma_10']
    """
    picked: dict[str, FeatureSpec] = {}
    for item in [selection] if isinstance(selection, str) else selection:
        if isinstance(item, FeatureSpec):
            if picked.get(item.name, FEATURES.get(item.name, item)) is not item:
                raise InputError("feature.name", item.name, why="the name is taken", fix="choose another name")
            picked[item.name] = item
        elif item.startswith("-"):
            for name in _names(item[1:]):
                picked.pop(name, None)
        else:
            picked |= {name: FEATURES[name] for name in _names(item) if name not in picked}
    if not picked:
        raise InputError("features", list(selection), allowed=list({**TIERS, **FEATURES}), why="no feature is selected")
    return tuple(picked.values())


def required_columns(selection: Selection) -> tuple[str, ...]:
    """Return the value columns that the selection reads, sorted: the closure of its dependencies.

    Example:
        >>> required_columns(["ret_1", "gap"])
        ('close', 'open')
    """
    return tuple(sorted({column for spec in chosen(selection) for column in spec.inputs} - {TS}))


def resolve(selection: Selection, panel: Panel) -> tuple[tuple[FeatureSpec, ...], dict[str, str]]:
    """Return the specs that the panel can serve, and why the others are absent.

    `volume` counts as empty where it is zero throughout.

    Raises:
        InputError: an unknown name, nothing selected, or nothing left.
    """
    specs = chosen(selection)
    columns = required_columns(specs)
    empty = {name: where for name in columns if name in panel.values and (where := _empty_in(panel, name))}
    absent: dict[str, str] = {}
    for spec in specs:
        missing = [name for name in spec.inputs if name not in panel.values and name != TS]
        hollow = [name for name in spec.inputs if name in empty]
        if missing:
            absent[spec.name] = f"needs {', '.join(missing)}; the panel has {', '.join(panel.values)}"
        elif hollow:
            absent[spec.name] = f"needs {hollow[0]}, which is empty for {', '.join(empty[hollow[0]][:_SHOWN])}"
    usable = tuple(spec for spec in specs if spec.name not in absent)
    if not usable:
        name, reason = next(iter(absent.items()))
        raise InputError(
            "features",
            [spec.name for spec in specs],
            why=f"the panel can serve none of them, for example {name}: {reason}",
            fix=_remedy([column for spec in specs for column in spec.inputs], panel),
        )
    return usable, absent


def _remedy(needed: Sequence[str], panel: Panel) -> str:
    """Return what to do about columns that a panel lacks: a likely misspelling, else what can be done."""
    foreign = [name for name in panel.values if name not in OHLCV]
    for column in needed:
        guess = nearest(column, foreign)
        if guess and column not in panel.values:
            return f"did you mean the column '{guess}'? rename it with columns: {{{guess}: {column}}}"
    lacking = [name for name in dict.fromkeys(needed) if name not in panel.values and name in HELD_BY]
    held = f" ({'; '.join(f'{name}: {HELD_BY[name]}' for name in lacking)})" if lacking else ""
    return f"join a source that has the column{held}, or choose features of the columns {', '.join(panel.values)}"


def _names(item: str) -> tuple[str, ...]:
    if item in TIERS:
        return TIERS[item]
    if item in FEATURES:
        return (item,)
    raise InputError("features", item, allowed=sorted({*TIERS, *FEATURES}))


def _empty_in(panel: Panel, column: str) -> list[str]:
    """Return the instruments without any value (or any volume) in a column: their features would be NaN throughout."""
    rows = blocks(panel.frame)
    values, starts = as_array(panel.frame[column]), [begin for begin, _ in rows]
    if not rows or _alive(values[starts], column).all():  # a value in the first row of each: nothing else to look at
        return []
    some = np.logical_or.reduceat(_alive(values, column), starts)
    return [str(panel.frame["instrument"][starts[k]]) for k in np.flatnonzero(~some).tolist()]


def _alive(values: Floats, column: str) -> NDArray[np.bool_]:
    """Return which values are there; of volume, which are not zero."""
    there = np.isfinite(values)
    return there & (values != 0.0) if column == "volume" else there
