"""`FeatureStore`: ask for features and get them, from disk where they are, computed and kept where they are not.

Invariants:
1. What `features` returns equals what `build` computes from the same panel, to the bit.
2. What is read as of a moment equals what `build` computes from the bars known then, of all that were given. A value is
   never used before its `known_at`, and a correction changes nothing that was read as of an earlier moment.
3. A panel is computed once for a definition, also after a restart and by another process, and whatever panels came
   since: its values are found by its hash (the last 512 panels an instrument). A panel that begins later than what is
   stored, or whose correction is said to have arrived before an earlier one, has values of its own where its first bars
   lack what came before: these are computed each time and never stored.
4. On disk a bar is one row, and another one for each correction that changed it or its values. A store that has
   outgrown `most_bytes` takes nothing more until `prune` has made room: nothing is deleted unasked.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from karat._words import counted
from karat.core import DataError, InputError, content_hash
from karat.data import KEYS, Panel, check_folder
from karat.features._build import FeatureFrame, build, compute
from karat.features._rows import check_instant
from karat.features._select import Selection, resolve
from karat.features.store._corrections import added_by
from karat.features.store._definition import Definition, definition_of
from karat.features.store._keys import PLACE, check_unit, joined, times_of
from karat.features.store._offline import BAR, TIMES, Offline, latest
from karat.features.store._online import MemoryOnline, Online, Served, check_row
from karat.features.store._skew import Skew, skew_of

_PRUNED: Final = ".pruned"
"""What the name of a version's folder ends with while it is deleted."""


@dataclass(frozen=True)
class StoreUse:
    """How often instruments were served from the store, and how often computed."""

    hits: int
    misses: int

    @property
    def hit_rate(self) -> float:
        """Share of requests served from the store, 0 before the first."""
        return self.hits / (self.hits + self.misses) if self.hits + self.misses else 0.0


class FeatureStore:
    """Features on disk and, for serving, in memory or in Redis.

    root: a folder, made when first written. online: where the latest values are served from. most_bytes: what the
    folder may hold, 20 GiB unless told otherwise.

    Raises:
        InputError: the root is no path, or it or a part of it is a file.

    Example:
        >>> import tempfile
        >>> store = FeatureStore(tempfile.mkdtemp())
        >>> store.use.hit_rate
        0.0
    """

    def __init__(self, root: str | Path, *, online: Online | None = None, most_bytes: int = 20 * 2**30) -> None:
        if not isinstance(root, str | Path):
            raise InputError("root", root, allowed="the path of a folder, which is made where there is none")
        check_folder(Path(root), "root")
        self._root, self._most = Path(root), most_bytes
        self._online: Online = online or MemoryOnline()
        self._size: int | None = None
        self._hits = self._misses = 0

    @property
    def use(self) -> StoreUse:
        """Hits and misses since this object was made."""
        return StoreUse(self._hits, self._misses)

    @property
    def size(self) -> int:
        """Bytes on disk, all versions together."""
        return sum(map(_bytes_of, self._root.rglob("*")))

    def features(self, panel: Panel, selection: Selection, *, arrived_ns: int | None = None) -> FeatureFrame:
        """Return the features of a panel as `build` does; an instrument is computed only where its rows are new.

        Every bar and every changed value is kept, and so is which panel they are of: an earlier panel is served again
        without computing. A panel that begins after stored bars takes none of them back: what is kept is computed with
        them, what is returned from the panel alone, each time. arrived_ns: from when on bars that are other than those
        stored, or were missing between them, count as known, by default the last `known_at` of the instrument's rows;
        newer bars keep their own `known_at`, until then with the values that they have without the correction.

        Raises:
            InputError, DataError: as `build`; a row that was stored and is not in the panel any more; a full store.
            Instruments before the one that is refused are stored.
        """
        specs, absent = resolve(selection, panel)
        if arrived_ns is not None:
            check_instant(arrived_ns, "arrived_ns")
        if panel.frame.is_empty():
            return build(panel, specs)
        definition = definition_of(specs)
        offline = Offline(self._root, definition)
        parts = []
        for name in panel.instruments:
            frame = panel.frame.filter(pl.col("instrument") == name)
            source = content_hash(frame.select(*KEYS, *definition.inputs))
            kept = offline.panels(name).get(source)
            stored = None if kept is None else offline.whole(name, kept)
            if stored is not None and len(stored) == kept:
                self._hits += 1
                values = _of_bars(stored, frame).select(definition.names)
            else:
                self._misses += 1
                values = build(Panel(frame, panel.calendar, panel.provenance), specs).frame.select(definition.names)
                self._keep(offline, frame, values, source, arrived_ns)
            parts.append(pl.concat([frame.select(KEYS), values], how="horizontal"))
        return FeatureFrame(pl.concat(parts), specs, absent)

    def as_of(self, keys: pl.DataFrame, selection: Selection) -> pl.DataFrame:
        """Return the keys with ts, known_at and the features to use at each time, null where none was known.

        keys: `time` int64 UTC ns, `instrument` text; other columns stay. The newest bar known at `time` is taken, in
        the version known then.

        Raises:
            InputError: keys without these columns, with times that are no whole nanoseconds, null, or all more than 10
            years before anything was known (times in ms or s), or with a column of the answer; an instrument or a
            selection of which nothing is stored.
        """
        definition = definition_of(selection)
        times = times_of(keys, (*TIMES, *definition.names))
        offline = Offline(self._root, definition)
        held = self._held(offline)
        if strange := [name for name in keys["instrument"].unique(maintain_order=True) if name not in held]:
            raise InputError("keys.instrument", strange[0], allowed=held, why="nothing of it is stored")
        rows = {name: offline.rows(name) for name in keys["instrument"].unique(maintain_order=True)}
        check_unit(times, rows)
        order = keys.with_row_index(PLACE)
        parts = [joined(order.clear(), times.clear(), offline.rows(""))]
        for (name,), part in order.group_by("instrument", maintain_order=True):
            parts.append(joined(part, times[part[PLACE]], rows[str(name)]))
        return pl.concat(parts).sort(PLACE).drop(PLACE)

    def history(self, selection: Selection, instrument: str, *, at_ns: int | None = None) -> pl.DataFrame:
        """Return (ts, known_at, features) of an instrument as known at a moment (None: by now), one row a bar.

        Raises:
            InputError: an unknown name, or an instrument of which nothing is stored for this selection.
        """
        if at_ns is not None:
            check_instant(at_ns, "at_ns")
        offline = Offline(self._root, definition_of(selection))
        rows = offline.rows(instrument)
        if rows.is_empty():
            raise InputError("instrument", instrument, allowed=self._held(offline))
        return latest(rows, at_ns)

    def versions(self) -> tuple[str, ...]:
        """Return the first 32 digits of the ids of every definition that is stored.

        What is stored of one is read by asking for features of this very definition: no call takes an id.
        """
        names = (path.parent.name for path in self._root.glob("*/definition.json"))
        return tuple(sorted(name for name in names if not name.endswith(_PRUNED)))

    def prune(self, keep: Sequence[Selection]) -> int:
        """Delete every version but those of the selections; return how many bytes that freed.

        Raises:
            InputError: an unknown name, or an empty selection or list.
        """
        if isinstance(keep, str):
            raise InputError("keep", keep, allowed="a list of selections", fix=f"write keep=[{keep!r}]")
        if not isinstance(keep, Sequence) or not keep:
            fix = f"to keep nothing, delete the folder {self._root}"
            raise InputError("keep", keep, allowed="a list of selections, one or more", fix=fix)
        kept = {definition_of(selection).id[:32] for selection in keep}
        before = self.size
        for folder in self._root.glob(f"*{_PRUNED}"):  # of a prune that was ended
            shutil.rmtree(folder)
        for version in self.versions():
            if version not in kept:
                # no version any more before the first of its files is gone
                shutil.rmtree((self._root / version).rename(self._root / f"{version}{_PRUNED}"))
        self._size = None
        return before - self.size

    def publish(self, selection: Selection, *, at_ns: int | None = None) -> int:
        """Put the newest known values of every instrument online; return how many instruments.

        at_ns: of what was known by then, UTC ns. Without it all that is stored counts, also a correction that is said
        to arrive later, which is then not served before.

        Raises:
            InputError: an unknown name, or a selection of which nothing is stored.
        """
        if at_ns is not None:
            check_instant(at_ns, "at_ns")
        definition = definition_of(selection)
        offline = Offline(self._root, definition)
        served = []
        for name in self._held(offline):
            rows = latest(offline.rows(name), at_ns)
            if len(rows):
                last = rows.row(-1)
                served.append(Served(name, last[0], last[1], np.array(last[2:], dtype=np.float64)))
        self._online.put(definition.id, served)
        return len(served)

    def push(self, definition: Definition | Selection, row: Served) -> None:
        """Put one row online, for example what `OnlineFeatures.update` returned for the bar that just closed.

        definition: or the selection, which takes a hash a call.

        Raises:
            InputError: no `Served` of an instrument, two instants and as many values as the definition has features; an
            unknown name.
        """
        of = _defined(definition)
        check_row(row, len(of.names))
        self._online.put(of.id, [row])

    def serve(
        self, definition: Definition | Selection, instrument: str, *, now_ns: int, max_age_ns: int | None = None
    ) -> Served:
        """Return the latest features of an instrument.

        definition: or the selection, which takes a hash a call.

        Raises:
            InputError: an unknown name, or an age that is no number of nanoseconds.
            DataError: nothing is held, it becomes known only after `now_ns`, or it is older than `max_age_ns`.
        """
        of = _defined(definition)
        check_instant(now_ns, "now_ns")
        if max_age_ns is not None and (type(max_age_ns) is not int or max_age_ns < 0):  # the quickest way to ask
            _check_age(max_age_ns)
        found = self._online.get(of.id, instrument)
        if found is None:
            fix = "publish the selection, or push its features bar by bar"
            seen = f"nothing for this selection of {counted(len(of.names), 'feature')}"
            raise DataError("online store", "holds the instrument", rows=[instrument], seen=seen, fix=fix)
        if found.known_at > now_ns:
            seen = f"known at {found.known_at}, asked at {now_ns}"
            raise DataError("online store", "serves what is known", rows=[instrument], seen=seen, fix="ask later")
        if max_age_ns is not None and now_ns - found.ts > max_age_ns:
            seen, fix = f"{now_ns - found.ts} ns old", "check the feed, or allow an older value"
            rule = f"serves what is at most {max_age_ns} ns old"
            raise DataError("online store", rule, rows=[instrument], seen=seen, fix=fix)
        return found

    def skew(
        self, selection: Selection, served: Sequence[Served], at_ns: Sequence[int], *, rtol: float = 1e-12
    ) -> Skew:
        """Compare what was served at the given moments with what research reads as of them.

        served: rows as `serve` returned them. at_ns: one moment a row, UTC ns. rtol: relative difference that is none.

        Raises:
            InputError: no list of served rows, or another number of moments.
        """
        if not (isinstance(served, Sequence) and all(isinstance(one, Served) for one in served)):
            fix = "keep what serve(...) returned in a list"
            raise InputError("served", type(served).__name__, allowed="a list of Served", fix=fix)
        if not isinstance(at_ns, Sequence | np.ndarray) or len(at_ns) != len(served):
            raise InputError("at_ns", at_ns, allowed=f"{counted(len(served), 'moment')} in UTC ns, one a served row")
        definition = definition_of(selection)
        offline = Offline(self._root, definition)
        rows = {name: offline.rows(name) for name in dict.fromkeys(one.instrument for one in served)}
        return skew_of(served, at_ns, rows, definition.names, rtol)

    def _held(self, offline: Offline) -> tuple[str, ...]:
        """Return the instruments of which a selection is stored.

        Raises:
            InputError: there is none.
        """
        held = tuple(offline.instruments())
        if not held:
            seen = counted(len(offline.definition.names), "feature")
            why = f"this selection is not among what is stored, {counted(len(self.versions()), 'version')}"
            fix = "store it first: features(panel, selection); where features were absent, ask for features(...).names"
            raise InputError("selection", seen, why=why, fix=fix)
        return held

    def _keep(
        self, offline: Offline, frame: pl.DataFrame, values: pl.DataFrame, source: str, arrived: int | None
    ) -> None:
        """Store what rows of an instrument, whose values were computed, add; record them where they are found again."""
        name, (specs, inputs) = frame["instrument"][0], (offline.definition.specs, offline.definition.inputs)
        bars = frame.select(*TIMES, *(pl.col(each).fill_null(np.nan).alias(f"{BAR}{each}") for each in inputs))

        def values_of(then: pl.DataFrame) -> pl.DataFrame:
            if then.drop("known_at").equals(bars.drop("known_at")):
                return values
            made = compute(then.rename(lambda column: column.removeprefix(BAR)), specs, [(0, len(then))])
            return pl.DataFrame({spec.name: made[:, k] for k, spec in enumerate(specs)})

        with offline.writing(name):
            stored, recorded = offline.whole(name), offline.panels(name)
            others = {panel: rows for panel, rows in recorded.items() if rows <= len(stored) and panel != source}
            added = added_by(name, stored, bars, arrived, values_of)
            self._make_room(added)
            if len(others) < len(recorded):
                offline.record(name, others)  # before there are as many rows again as a panel had that somebody deleted
            stored = offline.append(name, stored, added)
            if _of_bars(stored, frame).select(values.columns).equals(values):
                offline.record(name, {**others, source: len(stored)})

    def _make_room(self, added: pl.DataFrame) -> None:
        """Refuse rows that a full store has no room for."""
        if self._size is None:
            self._size = self.size
        if self._size > self._most:
            rule, seen = f"holds at most {counted(self._most, 'byte', ',')}", counted(self._size, "byte", ",")
            fix = "delete old versions with prune(keep=[...]), or raise most_bytes"
            raise DataError("store", rule, rows=self.versions(), seen=seen, fix=fix)
        self._size += int(added.estimated_size())


def _check_age(value: object) -> None:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or int(value) < 0:
        raise InputError("max_age_ns", value, allowed="nanoseconds, a whole number of 0 or more")


def _bytes_of(path: Path) -> int:
    """Return the size of a file, 0 of what is none or, since another writer moved it, is not there any more."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


def _defined(what: Definition | Selection) -> Definition:
    return what if isinstance(what, Definition) else definition_of(what)


def _of_bars(rows: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """Return the latest of the rows at each bar of a frame."""
    return latest(rows).filter(pl.col("ts").is_in(bars["ts"].implode()))
