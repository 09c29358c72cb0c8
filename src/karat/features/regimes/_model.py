"""`RegimeModel`: a measure, a labeller and when it is fitted again; batch and online are one path.

Invariants:
1. A row's state depends on that row, earlier rows of its instrument, and a fit on rows before it (or on `Train`).
2. `filter` of a panel equals `step` row by row; a state that was given never changes.
3. `load(save())` goes on to the bit, in a model of the same refits, bands and seed. The bytes hold arrays and plain
   values (safetensors): nothing in them can run.
4. A row in which a column is NaN is skipped: no state, and the rest goes on as if it were not there. Rows before the
   first fit, and rows whose measure is NaN, have no state (-1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from karat._words import counted
from karat.core import DataError, InputError, iso
from karat.data import Panel, Train
from karat.features._rows import check_instant, check_known, day_of
from karat.features._spec import Floats
from karat.features.regimes._bytes import pack, unpack
from karat.features.regimes._inputs import columns_of, train_columns
from karat.features.regimes._labeller import Ints, Labeller
from karat.features.regimes._measures import Measure

NO_STATE: Final = -1
_NEVER: Final = int(np.iinfo(np.int64).min)


@dataclass(frozen=True)
class Refits:
    """first: usable rows before the first fit. every: rows between fits, or `year`: at the first row of a UTC year.

    Raises:
        InputError: anything else than whole numbers of 1 or more.
    """

    first: int = 504
    every: int | Literal["year"] = "year"

    def __post_init__(self) -> None:
        for value in (self.first, 1 if self.every == "year" else self.every):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                allowed = "whole numbers of 1 or more, or 'year' for every"
                raise InputError("refits", (self.first, self.every), allowed=allowed)

    def describe(self) -> str:
        """Return the rule in words."""
        if self.every == "year":
            often = "at the first row of a year"
        else:
            often = "every row" if self.every == 1 else f"every {counted(self.every, 'row')}"
        return f"after {counted(self.first, 'row')}, then {often}, on all rows before"


@dataclass(frozen=True)
class Label:
    """The state of one row: its code, its name (empty where there is none) and the probability that the model gives."""

    code: int
    name: str
    probability: float


class RegimeModel:
    """One series under one regime system.

    refits: None where a fit on `Train` stays as it is; else the parameters follow the series' own past.
    """

    def __init__(self, name: str, measure: Measure, labeller: Labeller, refits: Refits | None) -> None:
        self.name, self.measure, self.refits = name, measure, refits
        self._labeller = labeller
        self._blank = pack(name, self._arrays_of_labeller(), {})
        self._fit_end, self._ready = _NEVER, labeller.least == 0
        self._origin: bytes | None = None
        self._clear()

    def _clear(self) -> None:
        self._buffer: Floats = np.empty((0, len(self.measure.columns)))
        self._history: list[Floats] = []
        self._rows = self._rows_at_fit = self._last_year = 0
        self._last_ts = _NEVER

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states, by code."""
        return self._labeller.names

    @property
    def labeller(self) -> Labeller:
        """What is fitted."""
        return self._labeller

    def fit(self, train: Train) -> RegimeModel:
        """Fit on the rows of `train`, one instrument; rows that its table has besides only fill windows.

        With refits, rows after the last one of `train` are new: the next fits may learn from them.

        Raises:
            InputError: a column that is missing, several instruments, too few rows, or rows that do not vary enough.
        """
        columns, rows = train_columns(train, self.measure)
        usable, whole = self._usable(columns)
        wanted = np.zeros(len(usable), dtype=bool)
        wanted[rows] = True
        x = self._measured(whole)
        x = x[wanted[usable] & np.isfinite(x).all(axis=1)]
        self._clear()
        self._labeller.fit(x)
        end = train.table.ts[rows].max(initial=_NEVER, keepdims=True)
        self._ready, self._fit_end = True, int(end[0])
        if self.refits is not None:
            self._history, self._rows = [x], int((train.table.ts[usable] <= end).sum())
            self._rows_at_fit, self._last_year = self._rows, int(_years(end)[0])
        self._origin = self.save()
        return self

    def reset(self) -> None:
        """Forget the rows seen since the fit on `Train`, or all of them where there was none."""
        if self._origin is not None:
            origin = self._origin
            self._take(origin)
            self._origin = origin
            return
        self._clear()
        self._ready, self._fit_end = self._labeller.least == 0, _NEVER
        arrays, _ = unpack(self._blank, self.name)
        self._labeller.restore(_part(arrays, "labeller."))
        self._labeller.reset()

    def filter(self, panel: Panel) -> tuple[Ints, Floats]:
        """Return code (n,) and probability (n,) of each row of a panel of one instrument, from a fresh start.

        A model that was loaded starts where it was saved: its panel holds the rows that follow.

        Raises:
            InputError: a missing column, several instruments, a model that needs a fit on `Train` first, or rows that
                a loaded one has seen.
            DataError: `known_at` runs back, and a state reads earlier rows.
        """
        self.reset()
        self._check_ready()
        columns, ts = columns_of(panel, self.measure), panel.frame["ts"].to_numpy()
        if len(ts) and ts[0] <= self._last_ts:
            why = "what was loaded has seen rows up to then"
            fix = "filter the rows that follow, or fit a model and filter all rows with it"
            raise InputError("panel", iso(int(ts[0])), allowed=f"rows after {iso(self._last_ts)}", why=why, fix=fix)
        if self.measure.window > 1 or self._labeller.least:
            check_known(panel)
        return self._advance(ts, columns)

    def step(self, ts: int, row: Mapping[str, float]) -> Label:
        """Return the state of one more row. ts: UTC ns, after the one before; row: column to value.

        Raises:
            InputError: no mapping, a missing column, a row that is not later, or a model that needs a fit on `Train`
                first.
        """
        self._check_ready()
        if not isinstance(row, Mapping):
            raise InputError("row", row, allowed="a mapping of columns to values")
        missing = [name for name in self.measure.columns if name not in row]
        if missing:
            raise InputError("row", sorted(row), allowed=f"with {', '.join(missing)}", why=f"{self.name} reads it")
        check_instant(ts, "ts")
        if ts <= self._last_ts:
            raise InputError("ts", ts, allowed=f"after {self._last_ts}", why="rows come in the order of time")
        columns = {name: _one_value(name, row[name]) for name in self.measure.columns}
        codes, probabilities = self._advance(np.array([ts], dtype=np.int64), columns)
        code = int(codes[0])
        return Label(code, self.states[code] if code >= 0 else "", float(probabilities[0]))

    def save(self) -> bytes:
        """Return all that is needed to go on after a restart."""
        history = np.concatenate(self._history) if self._history else np.empty((0, 0))
        numbers = [self._rows, self._rows_at_fit, self._last_year, self._last_ts, self._fit_end, int(self._ready)]
        arrays = {
            **self._arrays_of_labeller(),
            "buffer": self._buffer,
            "history": history,
            "numbers": np.array(numbers, dtype=np.int64),
        }
        return pack(self.name, arrays, {**self._settings(), "arrays": sorted(arrays)})

    def load(self, saved: bytes) -> RegimeModel:
        """Take up a saved state; `reset` then goes back to it.

        Raises:
            DataError: bytes that are not of this regime, were saved under other refits, bands or another seed, or lack
                an array.
        """
        self._take(saved)
        self._origin = saved
        return self

    def _take(self, saved: bytes) -> None:
        arrays, facts = unpack(saved, self.name)
        own, none = self._settings(), object()
        other = [key for key in own if facts.get(key, none) != own[key]]
        if other:
            fix = "load it into a model of the same settings, or fit and save it again"
            rule, seen = (
                f"saved with { ({key: own[key] for key in other}) }",
                str({key: facts.get(key) for key in other}),
            )
            raise DataError("regime", rule, seen=seen, fix=fix)
        lost = sorted(set(facts["arrays"]) - set(arrays))
        if lost:
            seen = f"without {', '.join(lost)}"
            raise DataError("regime", "every array that was saved", seen=seen, fix="fit and save the regime again")
        self._labeller.restore(_part(arrays, "labeller."))
        self._buffer = arrays["buffer"]
        self._history = [arrays["history"]] if len(arrays["history"]) else []
        numbers = [int(value) for value in arrays["numbers"]]
        self._rows, self._rows_at_fit, self._last_year, self._last_ts, self._fit_end = numbers[:5]
        self._ready = bool(numbers[5])

    def _settings(self) -> dict[str, Any]:
        """Return what a saved state holds for, as plain values."""
        refits = None if self.refits is None else [self.refits.first, self.refits.every]
        facts = {"columns": list(self.measure.columns), "window": self.measure.window, "refits": refits}
        return {**facts, **self._labeller.settings()}

    def _arrays_of_labeller(self) -> dict[str, NDArray[Any]]:
        return {f"labeller.{name}": value for name, value in self._labeller.state().items()}

    def _check_ready(self) -> None:
        if not self._ready and self.refits is None:
            raise InputError("regime", self.name, why="it has no fit yet", fix="call fit(train), or give it refits")

    def _advance(self, ts: Ints, columns: Mapping[str, Floats]) -> tuple[Ints, Floats]:
        """Label rows that follow those seen: the window's earlier rows come from the buffer."""
        usable, rows = self._usable(columns)
        whole = np.vstack([self._buffer, rows])
        x = self._measured(whole)[len(self._buffer) :]
        self._buffer = whole[max(len(whole) - self.measure.window + 1, 0) :].copy()
        good = np.isfinite(x).all(axis=1)
        at = np.flatnonzero(usable)
        fresh = (ts[at] > self._fit_end).astype(np.int64)
        before = self._rows + np.cumsum(fresh) - fresh
        codes, probabilities = np.full(len(ts), NO_STATE, dtype=np.int64), np.full(len(ts), np.nan)
        found = self._label(_Rows(_years(ts[at[good]]), before[good], fresh[good] > 0, x[good]))
        codes[at[good]], probabilities[at[good]] = found
        self._rows += int(fresh.sum())
        if len(ts):
            self._last_ts = int(ts[-1])
        return codes, probabilities

    def _usable(self, columns: Mapping[str, Floats]) -> tuple[NDArray[np.bool_], Floats]:
        """Return which rows (n,) are whole, and these rows (m, C) in the order of the measure's columns."""
        table = np.column_stack([columns[name] for name in self.measure.columns])
        usable = np.asarray(np.isfinite(table).all(axis=1), dtype=np.bool_)
        return usable, table[usable]

    def _measured(self, rows: Floats) -> Floats:
        """Return x (m, D) of rows (m, C)."""
        return self.measure.of({name: rows[:, k] for k, name in enumerate(self.measure.columns)})

    def _label(self, rows: _Rows) -> tuple[Ints, Floats]:
        """Label rows in runs between fits."""
        if self.refits is None:
            return self._labeller.scan(rows.x) if len(rows.x) else (np.empty(0, np.int64), np.empty(0))
        codes, probabilities = np.full(len(rows.x), NO_STATE, dtype=np.int64), np.full(len(rows.x), np.nan)
        at = 0
        while at < len(rows.x):
            if rows.fresh[at] and self._due(self.refits, rows.years[at : at + 1], rows.before[at : at + 1])[0]:
                self._refit(int(rows.before[at]))
            self._last_year = int(rows.years[at])
            late = self._due(self.refits, rows.years[at + 1 :], rows.before[at + 1 :])
            end = at + 1 + (int(late.argmax()) if late.any() else len(late))
            if self._ready:
                codes[at:end], probabilities[at:end] = self._labeller.scan(rows.x[at:end])
            self._history.append(rows.x[at:end][rows.fresh[at:end]])
            at = end
        return codes, probabilities

    def _due(self, refits: Refits, years: Ints, before: Ints) -> NDArray[np.bool_]:
        """Return for each row whether a fit comes before it, if none comes earlier."""
        if not self._ready:
            return before >= refits.first
        if refits.every == "year":
            return years > self._last_year
        return before - self._rows_at_fit >= refits.every

    def _refit(self, rows: int) -> None:
        """Fit on the rows seen; what they are too few for, or do not vary enough for, waits for the next row."""
        if not self._history:
            return
        history = np.concatenate(self._history)
        self._history = [history]
        if not self._labeller.can_fit(history):
            return
        self._labeller.refit(history)
        self._ready, self._rows_at_fit = True, rows


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows with a measure: their year, the usable rows before each, whether the fit on `Train` has not seen it, x."""

    years: Ints
    before: Ints
    fresh: NDArray[np.bool_]
    x: Floats


def _one_value(name: str, value: float | None) -> Floats:
    """Return a value as (1,) float64, None as NaN."""
    try:
        return np.array([value], dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"row.{name}", value, allowed="a number, NaN where it is missing") from None


def _years(ts: Ints) -> Ints:
    """Return the UTC year of each bar; one that closes at midnight belongs to the day that ends."""
    return day_of(ts).astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970


def _part(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
