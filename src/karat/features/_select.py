"""Selection: from tier and feature names to the specs that a panel can serve.

Invariants:
1. Order is that of the selection, each feature once; `-name` or `-tier` takes features out again.
2. A feature is absent, with a reason, where the panel lacks an input column or an instrument has no value in it:
   every instrument of a frame has the same features.
3. Specs may stand in a selection themselves: nothing is registered at run time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from karat.core import InputError, nearest
from karat.data import KEYS, OHLCV, Panel, check_panel
from karat.features._graph import TS
from karat.features._registry import FEATURES, TIERS
from karat.features._rows import as_array
from karat.features._spec import FeatureSpec, Floats

_SHOWN: Final = 3

_BARS: Final = "csv, parquet, sqlite, synthetic, or bundled with dataset nasdaq or sp500"
_OWN: Final = "source: csv, params: {path: FILE, instrument: MY.INDEX, licence: own data}"
_JOIN: Final = "in a study joins: [{{{source}, column: {column}, name: {name}}}]; in Python {python}"
HELD_BY: Final = {
    **dict.fromkeys(OHLCV, _BARS),
    "vix": _JOIN.format(source="source: bundled, params: {dataset: vix}", column="vix", name="vix", python="asof_join"),
    "index": _JOIN.format(
        source="source: bundled, params: {dataset: sp500}", column="close", name="index", python="asof_join"
    ),
    "signal": "synthetic, or csv and parquet files that have it",
    "market_return": _JOIN.format(
        source=_OWN, column="market_return", name="market_return", python="with_market(panel) of several instruments"
    ),
}
"""Column to where features and regimes get it: sources of bars, or the join as a study file has it."""

Selection = Sequence[str | FeatureSpec] | str
"""Tier names, feature names, `-name` to take one out, and specs of one's own."""


def chosen(selection: Selection, field: str = "features") -> tuple[FeatureSpec, ...]:
    """Return the selected specs, before any panel is looked at. field: what errors call the selection.

    Raises:
        InputError: an unknown name, a spec whose name is taken, nothing selected, or no selection at all.

    Example:
        >>> [spec.name for spec in chosen(["signal", "vix8", "-vix_regime"])][:3]
        ['signal', 'vix_close', 'vix_sma_10']
    """
    picked: dict[str, FeatureSpec] = {}
    for item in _entries(selection, field):
        if isinstance(item, FeatureSpec):
            if picked.get(item.name, FEATURES.get(item.name, item)) is not item:
                raise InputError("feature.name", item.name, why="the name is taken", fix="choose another name")
            if item.name in KEYS:
                raise InputError(
                    "feature.name", item.name, why="a frame of features has such a column", fix="rename it"
                )
            picked[item.name] = item
        elif item.startswith("-"):
            for name in _names(item[1:], field):
                picked.pop(name, None)
        else:
            picked |= {name: FEATURES[name] for name in _names(item, field) if name not in picked}
    if not picked:
        raise InputError(field, list(selection), allowed=list({**TIERS, **FEATURES}), why="no feature is selected")
    return tuple(picked.values())


def required_columns(selection: Selection) -> tuple[str, ...]:
    """Return the value columns that the selection reads, sorted: the closure of its dependencies.

    Example:
        >>> required_columns(["ret_1", "gap"])
        ('close', 'open')
    """
    return _inputs(chosen(selection))


def _inputs(specs: Sequence[FeatureSpec]) -> tuple[str, ...]:
    return tuple(sorted({column for spec in specs for column in spec.inputs} - {TS}))


def resolve(
    selection: Selection, panel: Panel, field: str = "features"
) -> tuple[tuple[FeatureSpec, ...], dict[str, str]]:
    """Return the specs that the panel can serve, and why the others are absent. field: as in `chosen`.

    `volume` counts as empty where it is zero throughout.

    Raises:
        InputError: no panel, an unknown name, nothing selected, or nothing left.
    """
    entries = _entries(selection, field)
    check_panel(panel)
    for name in entries:
        if isinstance(name, str) and name in panel.values and name not in {*FEATURES, *TIERS}:
            why, fix = "the panel has such a column, which is no feature", "select a context's by [*context.specs()]"
            raise InputError(field, name, why=why, fix=fix)
    specs = chosen(selection, field)
    empty = {name: where for name in _inputs(specs) if name in panel.values and (where := _empty_in(panel, name))}
    return served(entries, there=panel.values, empty=empty, field=field)


def served(
    selection: Selection,
    *,
    there: Sequence[str],
    empty: Mapping[str, Sequence[str]],
    what: str = "the panel",
    field: str = "features",
) -> tuple[tuple[FeatureSpec, ...], dict[str, str]]:
    """Return the specs that columns can serve, and why the others are absent.

    there: the columns. empty: of these, the ones in which instruments have no value, with the instruments. what,
    field: what a message calls them and the selection.

    Raises:
        InputError: an unknown name, nothing selected, or nothing left.
    """
    specs = chosen(selection, field)
    absent = _absent(specs, there)
    for spec in specs:
        hollow = [name for name in spec.inputs if name in empty]
        if hollow and spec.name not in absent:
            absent[spec.name] = f"needs {hollow[0]}, which is empty for {', '.join(empty[hollow[0]][:_SHOWN])}"
    _require_some(selection, specs, absent=absent, there=there, what=what, field=field)
    return tuple(spec for spec in specs if spec.name not in absent), absent


def _require_some(
    selection: Selection,
    specs: Sequence[FeatureSpec],
    *,
    absent: Mapping[str, str],
    there: Sequence[str],
    what: str,
    field: str,
) -> None:
    """Refuse data that can serve none of a selection's specs; there: its columns, what: its name in a message.

    Raises:
        InputError: every feature is absent.
    """
    if len(absent) == len(specs):
        name, reason = next(iter(absent.items()))
        raise InputError(
            field,
            [item if isinstance(item, str) else item.name for item in _entries(selection, field)],
            why=f"{what} can serve none of them, for example {name}: {reason}",
            fix=_remedy([column for spec in specs for column in spec.inputs], there),
        )


def _absent(specs: Sequence[FeatureSpec], there: Sequence[str]) -> dict[str, str]:
    absent = {}
    for spec in specs:
        missing = [name for name in spec.inputs if name not in there and name != TS]
        if missing:
            has = f"the panel has {', '.join(there)}" if there else ""
            told = [f"needs {', '.join(missing)}", has, held_by(missing)]
            absent[spec.name] = "; ".join(part for part in told if part)
    return absent


def held_by(columns: Sequence[str]) -> str:
    """Return which sources have the columns, those of one source together; "" where nobody is known to have any.

    Example:
        >>> held_by(["signal", "mine"])
        'signal: synthetic, or csv and parquet files that have it'
    """
    sources: dict[str, list[str]] = {}
    for name in columns:
        if name in HELD_BY:
            sources.setdefault(HELD_BY[name], []).append(name)
    return "; ".join(f"{', '.join(names)}: {source}" for source, names in sources.items())


def _remedy(needed: Sequence[str], there: Sequence[str]) -> str:
    """Return what to do about columns that are lacking: a likely misspelling, else what can be done."""
    foreign = [name for name in there if name not in HELD_BY]  # an index is no misspelt VIX
    for column in needed:
        guess = nearest(column, foreign)
        if guess and column not in there:
            return f"did you mean the column '{guess}'? rename it with columns: {{{guess}: {column}}}"
    return f"join a source that has the column, or choose features of the columns {', '.join(there)}"


def _entries(selection: Selection, field: str) -> list[str | FeatureSpec]:
    """Return the entries of a selection; one text is one entry."""
    entries = [selection] if isinstance(selection, str) else selection
    if not isinstance(entries, Sequence) or not all(isinstance(item, str | FeatureSpec) for item in entries):
        seen = type(selection).__name__ if not isinstance(selection, Sequence) else selection
        raise InputError(field, seen, allowed="tiers, features and FeatureSpecs, e.g. ['a20', '-gap']")
    return list(entries)


def _names(item: str, field: str) -> tuple[str, ...]:
    if item in TIERS:
        return TIERS[item]
    if item in FEATURES:
        return (item,)
    raise InputError(field, item, allowed=sorted({*TIERS, *FEATURES}))


def _empty_in(panel: Panel, column: str) -> list[str]:
    """Return the instruments without any value (or any volume) in a column: their features would be NaN throughout."""
    values, starts = as_array(panel.frame[column]), [begin for begin, _ in panel.blocks]
    if not starts or _alive(values[starts], column).all():  # a value in the first row of each: nothing else to look at
        return []
    some = np.logical_or.reduceat(_alive(values, column), starts)
    return [str(panel.frame["instrument"][starts[k]]) for k in np.flatnonzero(~some).tolist()]


def _alive(values: Floats, column: str) -> NDArray[np.bool_]:
    """Return which values are there; of volume, which are not zero."""
    there = np.isfinite(values)
    return there & (values != 0.0) if column == "volume" else there
