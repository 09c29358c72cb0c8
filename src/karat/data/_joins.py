"""Bringing panels together: as-of joins on `known_at`, and stacking instruments.

Invariants:
1. A joined value was known: its `known_at` is not after the row's. Changing what becomes known later changes nothing.
2. No row is invented; rows are dropped only outside the overlap of the two panels, and the notes say how many.
3. Within the overlap a value older than `max_age_days` is an error, never silently carried on.
4. Ranges that do not overlap and calendars that do not agree are errors that state both.
5. No instrument is lost: one of the left that the right panel does not speak for is an error that lists both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from karat._words import counted
from karat.core import NS_PER_DAY, DataError, InputError, iso, iso_date
from karat.data._panel import KEYS, Panel, Provenance, check_panel, extent

_KNOWN = "_known_at_right"
_SHOWN: Final = 5


def asof_join(
    left: Panel,
    right: Panel,
    *,
    columns: Sequence[str] | Mapping[str, str] | None = None,
    suffix: str = "",
    max_age_days: float = 10.0,
    of: Sequence[str] | None = None,
) -> Panel:
    """Return `left` with the latest known values of `right`.

    A right panel of one instrument is joined to every instrument of the left; otherwise it has each of the left's.
    columns: names to take (all by default), or a mapping to new names. suffix: appended to names not mapped.
    max_age_days: how long after its `known_at` a value may be used; 45 suits a monthly series.
    of: the instruments that the right panel speaks for, by default those it has rows of. One that has no row yet, such
    as a share listed within its first week where `right` holds weeks, loses rows as any other before its first value.

    Raises:
        InputError: an unknown column, a name that exists on the left.
        DataError: an instrument that the right panel lacks, no overlap, or a value in the overlap that is too old.
    """
    check_panel(left, "left")
    check_panel(right, "right")
    if isinstance(columns, str):
        raise InputError("columns", columns, allowed="a list or a mapping", fix=f"write columns=['{columns}']")
    names = _names(left, right, columns, suffix)
    spoken = right.instruments if of is None else of
    by = [] if len(spoken) == 1 else ["instrument"]
    if by:
        _require_instruments(left, right, spoken, _title(names))
    wanted = right.frame.select(*by, "known_at", *(pl.col(old).alias(new) for old, new in names.items()))
    wanted = wanted.with_columns(pl.col("known_at").alias(_KNOWN)).sort("known_at")
    joined = left.frame.sort("known_at").join_asof(
        wanted, on="known_at", by=by or None, strategy="backward", check_sortedness=False
    )
    age = pl.col("known_at") - pl.col(_KNOWN)
    fresh = (age <= int(max_age_days * NS_PER_DAY)).fill_null(False)
    last = extent(right.frame["known_at"])[1]
    stale = joined.filter(~fresh & pl.col(_KNOWN).is_not_null() & (pl.col("known_at") <= last))
    kept = joined.filter(fresh).drop(_KNOWN).sort("instrument", "ts")
    if len(kept) == 0:
        _no_overlap(left, right, _title(names))
    if len(stale):
        oldest = stale.select(age.max()).item() / NS_PER_DAY
        rows = [f"{name} {iso(ts)}" for name, ts in stale.select("instrument", "ts").rows()]
        fix = f"raise max_age_days above {max_age_days:g} or fill the gap in {right.provenance.source}"
        seen = f"values up to {oldest:.1f} days old"
        raise DataError(_title(names), "joined values are fresh", rows=rows, seen=seen, fix=fix)
    return Panel(kept, left.calendar, _merged([left, right], len(left.frame) - len(kept)), (*left.notes, *right.notes))


def combine(panels: Sequence[Panel]) -> Panel:
    """Return one panel with the instruments of all.

    Raises:
        InputError: nothing to combine, different columns, an instrument in two panels.
        DataError: different calendars, or ranges of dates that have nothing in common.
    """
    if not panels:
        raise InputError("panels", [], allowed="at least one panel")
    first = panels[0]
    seen: set[str] = set()
    for panel in panels:
        if panel.values != first.values:
            why = f"{panel.provenance.origin} differs from {first.provenance.origin} in its columns"
            raise InputError("panels", list(panel.values), why=why, allowed=list(first.values))
        if panel.calendar != first.calendar:
            rows = [f"{item.calendar} ({_range(item)})" for item in (first, panel)]
            fix = "load all of them on one calendar"
            raise DataError("panels", "calendars agree", seen=panel.calendar, rows=rows, fix=fix)
        twice = seen & set(panel.instruments)
        if twice:
            raise InputError("panels", sorted(twice), why="the instrument is in two panels", fix="leave one out")
        seen |= set(panel.instruments)
        (low, high), (begin, end) = extent(panel.frame["ts"]), extent(first.frame["ts"])
        if low > end or begin > high:
            _no_overlap(first, panel, "panels")
    frame = pl.concat([panel.frame for panel in panels]).sort("instrument", "ts")
    notes = tuple(dict.fromkeys(note for panel in panels for note in panel.notes))
    return Panel(frame, first.calendar, _merged(panels, 0), notes)


def _names(left: Panel, right: Panel, columns: Sequence[str] | Mapping[str, str] | None, suffix: str) -> dict[str, str]:
    if isinstance(columns, Mapping):
        names = dict(columns)
    else:
        names = {name: f"{name}{suffix}" for name in (right.values if columns is None else columns)}
    for old, new in names.items():
        if old not in right.values:
            raise InputError("columns", old, why="the right panel has no such column", allowed=list(right.values))
        if new in (*left.values, *KEYS):
            fix = "choose another name: that of the join in a study, suffix or a mapping in Python"
            raise InputError("columns", new, why="the left panel already has a column of this name", fix=fix)
    return names


def _merged(panels: Sequence[Panel], dropped: int) -> Provenance:
    """Return one provenance that names every part."""
    parts = [panel.provenance for panel in panels]
    steps = dict.fromkeys(step for part in parts for step in part.preprocessing)
    if dropped:
        steps[f"dropped {counted(dropped, 'row')} outside the overlap of the joined panels"] = None
    return Provenance(
        " + ".join(dict.fromkeys(part.source for part in parts)),
        " + ".join(dict.fromkeys(part.origin for part in parts)),
        " + ".join(dict.fromkeys(part.licence for part in parts)),
        tuple(steps),
        parts[0].prices,
    )


def _title(names: Mapping[str, str]) -> str:
    """Return what a message calls a join: by the columns that it makes."""
    made = list(names.values())
    return f"join of {', '.join(made[:_SHOWN])}" + (", …" if len(made) > _SHOWN else "")


def _require_instruments(left: Panel, right: Panel, spoken: Sequence[str], title: str) -> None:
    missing = sorted({*left.instruments} - {*spoken})
    if missing:
        there = {left.provenance.source: left.instruments, f"joined {right.provenance.source}": spoken}
        seen = "; ".join(f"{source}: {_few(names)}" for source, names in there.items())
        fix = "add them to the joined data, leave them out of the left, or join one instrument, which all of them see"
        raise DataError(title, "the joined data have every instrument", rows=missing, seen=seen, fix=fix)


def _few(names: Sequence[str]) -> str:
    more = f" (+{len(names) - _SHOWN} more)" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _no_overlap(left: Panel, right: Panel, title: str) -> None:
    rows = [f"{panel.provenance.source}: {_range(panel)}" for panel in (left, right)]
    fix = "load ranges that have dates in common"
    raise DataError(title, "date ranges overlap", rows=rows, seen="no date in common", fix=fix)


def _range(panel: Panel) -> str:
    low, high = extent(panel.frame["ts"])
    return f"{iso_date(low)} to {iso_date(high)}"
