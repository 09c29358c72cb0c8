"""`FeatureStore`: ask for features and get them, from disk where they are, computed and kept where they are not.

Invariants:
1. What is read equals what `build` computes from the same panel, to the bit.
2. A value is never used before its `known_at`, and a correction changes nothing that was read as of an earlier moment.
3. Rows whose inputs are unchanged are computed once, also after a restart and by another process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from karat.core import DataError, InputError
from karat.data import KEYS, Panel
from karat.features._build import FeatureFrame, build
from karat.features._select import Selection, resolve
from karat.features.store._definition import Definition, definition_of
from karat.features.store._offline import TIMES, Offline, current_at, latest, source_hash
from karat.features.store._online import MemoryOnline, Online, Served
from karat.features.store._skew import Skew, skew_of


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

    root: a folder, made when first written. online: where the latest values are served from.

    Example:
        >>> import tempfile
        >>> store = FeatureStore(tempfile.mkdtemp())
        >>> store.use.hit_rate
        0.0
    """

    def __init__(self, root: str | Path, *, online: Online | None = None) -> None:
        self._root = Path(root)
        self._online: Online = online or MemoryOnline()
        self._hits = self._misses = 0

    @property
    def use(self) -> StoreUse:
        """Hits and misses since this object was made."""
        return StoreUse(self._hits, self._misses)

    def features(self, panel: Panel, selection: Selection, *, arrived_ns: int | None = None) -> FeatureFrame:
        """Return the features of a panel as `build` does; an instrument is computed only where its rows are new.

        Every row and every changed value is kept. arrived_ns: from when on corrections count as known, by default the
        last `known_at` of the instrument's rows; what is new in the panel keeps its own `known_at`.

        Raises:
            InputError, DataError: as `build`; a row that was stored and is not in the panel any more.
        """
        specs, absent = resolve(selection, panel)
        definition = definition_of(specs)
        offline = Offline(self._root, definition)
        parts = []
        for name in panel.instruments:
            frame = panel.frame.filter(pl.col("instrument") == name)
            source = len(frame), source_hash(frame.select(*KEYS, *definition.inputs))
            if offline.source(name) == source:
                self._hits += 1
                found = latest(offline.rows(name)).filter(pl.col("ts").is_in(frame["ts"].implode()))
                values = found.select(definition.names)
            else:
                self._misses += 1
                made = build(Panel(frame, panel.calendar, panel.provenance), specs).frame
                self._keep(offline, name, made, source, arrived_ns)
                values = made.select(definition.names)
            parts.append(pl.concat([frame.select(KEYS), values], how="horizontal"))
        return FeatureFrame(pl.concat(parts), specs, absent)

    def as_of(self, keys: pl.DataFrame, selection: Selection) -> pl.DataFrame:
        """Return the keys with ts, known_at and the features to use at each time, null where none was known.

        keys: `time` int64 UTC ns, `instrument` text; other columns stay. The newest bar known at `time` is taken, in
        the version known then.

        Raises:
            InputError: keys without these columns.
        """
        if not {"time", "instrument"} <= set(keys.columns):
            raise InputError("keys", keys.columns, allowed="columns time and instrument")
        definition = definition_of(selection)
        offline = Offline(self._root, definition)
        order = keys.with_row_index("_place")
        parts = []
        for (name,), part in order.group_by("instrument", maintain_order=True):
            rows = offline.rows(str(name))
            place = current_at(rows, part["time"].to_numpy())
            taken = pl.Series(np.where(place >= 0, place, 0)) if len(rows) else None
            empty = pl.DataFrame({c: pl.Series([None] * len(part), dtype=t) for c, t in rows.schema.items()})
            found = empty if taken is None else rows[taken.to_list()]
            known = pl.Series(place >= 0)
            found = found.select(pl.when(known).then(pl.col(column)).alias(column) for column in found.columns)
            parts.append(pl.concat([part, found], how="horizontal"))
        return pl.concat(parts).sort("_place").drop("_place") if parts else keys

    def history(self, selection: Selection, instrument: str, *, at_ns: int | None = None) -> pl.DataFrame:
        """Return (ts, known_at, features) of an instrument as known at a moment (None: by now), one row a bar."""
        return latest(Offline(self._root, definition_of(selection)).rows(instrument), at_ns)

    def versions(self) -> tuple[str, ...]:
        """Return the first 32 digits of the ids of every definition that is stored; old ones stay readable."""
        return tuple(sorted(path.parent.name for path in self._root.glob("*/definition.json")))

    def publish(self, selection: Selection, *, at_ns: int | None = None) -> int:
        """Put the newest known values of every instrument online; return how many instruments."""
        definition = definition_of(selection)
        offline = Offline(self._root, definition)
        served = []
        for name in offline.instruments():
            rows = latest(offline.rows(name), at_ns)
            if len(rows):
                last = rows.row(-1)
                served.append(Served(name, last[0], last[1], np.array(last[2:], dtype=np.float64)))
        self._online.put(definition.id, served)
        return len(served)

    def push(self, definition: Definition, row: Served) -> None:
        """Put one row online, for example what `OnlineFeatures.update` returned for the bar that just closed.

        Raises:
            InputError: another number of values than the definition has features.
        """
        if row.values.shape != (len(definition.names),):
            raise InputError("values", f"shape {row.values.shape}", allowed=f"({len(definition.names)},)")
        self._online.put(definition.id, [row])

    def serve(self, definition: Definition, instrument: str, *, now_ns: int, max_age_ns: int | None = None) -> Served:
        """Return the latest features of an instrument.

        Raises:
            DataError: nothing is held, it becomes known only after `now_ns`, or it is older than `max_age_ns`.
        """
        found = self._online.get(definition.id, instrument)
        if found is None:
            fix = "publish the selection, or push its features bar by bar"
            raise DataError("online store", "holds the instrument", rows=[instrument], fix=fix)
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
        """Compare what was served at the given moments with what research reads as of them."""
        definition = definition_of(selection)
        offline = Offline(self._root, definition)
        rows = {name: offline.rows(name) for name in dict.fromkeys(one.instrument for one in served)}
        return skew_of(served, at_ns, rows, definition.names, rtol)

    def _keep(
        self, offline: Offline, name: str, made: pl.DataFrame, source: tuple[int, str], arrived_ns: int | None
    ) -> None:
        names = list(offline.definition.names)
        held = latest(offline.rows(name))
        inside = pl.col("ts").is_between(made["ts"].min(), made["ts"].max())
        gone = held.filter(inside).join(made, on="ts", how="anti")
        if len(gone):
            rule, fix = (
                "bars are corrected, never taken back",
                "keep the bar in the panel, with the values that it should have",
            )
            raise DataError("store", rule, rows=[f"{name}@{ts}" for ts in gone["ts"].to_list()], fix=fix)
        old = made.select("ts").join(held, on="ts", how="left", maintain_order="left")
        known = old["known_at"].is_not_null().to_numpy()
        before, after = old.select(names).to_numpy(), made.select(names).to_numpy()
        same = ((before == after) | (np.isnan(before) & np.isnan(after))).all(axis=1)
        last = int(made["known_at"].max()) if arrived_ns is None else arrived_ns  # type: ignore[arg-type]
        first = held.is_empty()
        late = np.maximum(made["known_at"].to_numpy(), last)
        new = ~known & (made["ts"].to_numpy() > (-1 if first else int(held["ts"].max())))  # type: ignore[arg-type]
        moment = np.where(new | first, made["known_at"].to_numpy(), late)
        rows = made.with_columns(known_at=pl.Series(moment)).select(*TIMES, *names)
        offline.append(name, rows.filter(pl.Series(~(known & same))), source)
