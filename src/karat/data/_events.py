"""`Events`: what happened in a market, as columns of whole numbers, from bars to single orders and corporate actions.

| column | meaning | unit |
|---|---|---|
| ts | when it happened at the venue; a bar's end | UTC ns |
| known_at | when an observer could have it, never before ts | UTC ns |
| kind | what it is, see `KINDS` | code |
| instrument | index into `instruments` | index |
| price, qty, a, b, c, d | what the kind says, see `docs/how-to/events.md` | ticks, lots, ids, ns |

Invariants:
1. Rows are ordered by ts; at one ts, status, corporate actions, funding and FX come before market data; then by source.
2. `known_at` is never before `ts` and never runs back within one stream: one instrument and one family of kinds (bars;
   quotes; trades; depth; orders; news). Different feeds of one instrument may overtake each other.
3. Every number is a whole number of the declared quantum. A raw price is a multiple of the instrument's tick; adjusted
   series have an analytic quantum and no tick.
4. Nothing is repaired: a row that breaks a rule is a `DataError` with the rule and the rows.
5. `content_hash` depends on the columns, the instruments and the declarations, not on `metadata`.

A book that is crossed by depth or order rows shows only when it is rebuilt: the market and `check_level3` see it there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field, fields
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from karat.core import InputError, content_hash
from karat.data._event_rules import check_columns
from karat.data._instruments import Instrument
from karat.kernels.market import _layout as layout

Ints = NDArray[np.int64]
Basis = Literal["raw", "split_adjusted", "total_return"]

BASES: Final = ("raw", "split_adjusted", "total_return")
ANALYTIC_QUANTUM: Final = Decimal("0.000001")
"""The step of adjusted prices, which have no tick: a millionth of the currency, unless another one is declared."""
KINDS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "bar": layout.BAR,
        "quote": layout.QUOTE,
        "trade": layout.TRADE,
        "trade_buy": layout.TRADE_BUY,
        "trade_sell": layout.TRADE_SELL,
        "depth_bid": layout.DEPTH_BID,
        "depth_ask": layout.DEPTH_ASK,
        "depth_clear": layout.DEPTH_CLEAR,
        "add_bid": layout.ADD_BID,
        "add_ask": layout.ADD_ASK,
        "reduce": layout.REDUCE,
        "delete": layout.DELETE,
        "modify": layout.MODIFY,
        "execute": layout.EXECUTE,
        "status": layout.STATUS,
        "split": layout.SPLIT,
        "dividend": layout.DIVIDEND,
        "funding": layout.FUNDING,
        "fx": layout.FX,
        "reference": layout.REFERENCE,
    }
)
COLUMNS: Final = ("ts", "known_at", "kind", "instrument", "price", "qty", "a", "b", "c", "d")
OPTIONAL: Final = ("instrument", "a", "b", "c", "d")
TYPES: Final[Mapping[str, Any]] = MappingProxyType({"kind": np.int8, "instrument": np.int32})
_PRICED: Final = (layout.DEPTH_BID, layout.DEPTH_ASK, layout.ADD_BID, layout.ADD_ASK, layout.MODIFY)
_PLACES: Final = {
    "ts": layout.V_TS,
    "known_at": layout.V_KNOWN,
    "kind": layout.V_KIND,
    "instrument": layout.V_INSTRUMENT,
    "price": layout.V_PRICE,
    "qty": layout.V_QTY,
    "a": layout.V_A,
    "b": layout.V_B,
    "c": layout.V_C,
    "d": layout.V_D,
}


@dataclass(frozen=True, eq=False)
class Events:
    """Validated event columns; see the module for columns and invariants.

    basis, price_quanta, lot_quanta: one entry an instrument; without them prices are raw in the instrument's tick
    (adjusted ones in `ANALYTIC_QUANTUM`) and quantities in its lot. locked: whether a quote with bid equal to ask is an
    error. metadata: facts about where the rows came from. after: the order that rows before these left (chunks).
    Columns are not copied: who passes arrays does not write to them any more.

    Raises:
        DataError: a row that breaks a rule. InputError: columns or declarations that do not fit.

    Example:
        >>> aapl = Instrument("AAPL.XNAS")
        >>> Events([1, 2], [1, 2], [3, 3], [10_000, 10_001], [5, 7], instruments=(aapl,)).rows
        2
    """

    ts: Ints
    known_at: Ints
    kind: NDArray[np.int8]
    price: Ints
    qty: Ints
    instruments: tuple[Instrument, ...]
    instrument: NDArray[np.int32] | None = None
    a: Ints | None = None
    b: Ints | None = None
    c: Ints | None = None
    d: Ints | None = None
    basis: tuple[Basis, ...] = ()
    price_quanta: tuple[Decimal, ...] = ()
    lot_quanta: tuple[Decimal, ...] = ()
    locked: Literal["error", "allow"] = "error"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    after: InitVar[Ints | None] = None

    def __post_init__(self, after: Ints | None) -> None:
        for name in COLUMNS:
            object.__setattr__(self, name, _column(name, getattr(self, name)))
        _declared(self)
        _lengths(self)
        check_columns(self, after)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.ts)

    def __len__(self) -> int:
        return len(self.ts)

    @cached_property
    def table(self) -> Ints:
        """Addresses of the columns as a kernel reads them (`V_*` of the layout); valid as long as this object lives."""
        table = np.zeros(layout.COLUMNS, np.int64)
        table[layout.V_ROWS] = len(self.ts)
        for name, place in _PLACES.items():
            column = getattr(self, name)
            table[place] = 0 if column is None else column.ctypes.data
        return table

    @cached_property
    def known_order(self) -> Ints | None:
        """Row numbers in the order of known_at, then row: an observer's order; None where that is row order."""
        if len(self) < 2 or not bool(np.any(self.known_at[1:] < self.known_at[:-1])):
            return None
        return np.argsort(self.known_at, kind="stable").astype(np.int64)

    @cached_property
    def contents(self) -> tuple[tuple[frozenset[int], tuple[int, int] | None], ...]:
        """Of each instrument the codes of its rows' kinds, and the lowest and highest price of its depth or orders."""
        return tuple(_contents(self, number) for number in range(len(self.instruments)))

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the columns, the instruments and the declarations."""
        facts = {name: getattr(self, name) for name in (*COLUMNS, "basis", "price_quanta", "lot_quanta", "locked")}
        return content_hash({**facts, "instruments": self.instruments})

    def take(self, rows: slice | NDArray[Any]) -> Events:
        """Return the rows of a slice, a mask or ascending row numbers, as a new stream.

        Raises:
            InputError: a slice with a step below one, or row numbers that do not ascend.
        """
        if isinstance(rows, slice):
            if rows.step is not None and rows.step < 1:
                raise InputError("rows", rows, why="time would run backwards", allowed="a step of 1 or more")
        elif rows.dtype != np.bool_ and len(rows) > 1 and bool(np.any(np.diff(rows) < 1)):
            raise InputError("rows", "row numbers", why="they do not ascend", fix="sort them, each once")
        return self._with({name: col[rows] for name in COLUMNS if (col := getattr(self, name)) is not None})

    def slice(self, start: int = 0, stop: int | None = None) -> Events:
        """Return rows from `start` to before `stop`, without a copy."""
        return self.take(slice(start, stop))

    def head(self, n: int = 5) -> Events:
        """Return the first n rows, without a copy."""
        return self.take(slice(0, n))

    def between(self, start_ns: int, end_ns: int) -> Events:
        """Return the rows with start_ns <= ts < end_ns, without a copy."""
        first, last = np.searchsorted(self.ts, [start_ns, end_ns])
        return self.take(slice(int(first), int(last)))

    def of(self, *kinds: str) -> Events:
        """Return the rows of some kinds, named as in `KINDS`.

        Raises:
            InputError: an unknown kind.
        """
        return self.take(np.isin(self.kind, [kind_code(name) for name in kinds]))

    def to_frame(self, *, readable: bool = False) -> pl.DataFrame:
        """Return the columns as a Polars frame; `readable`: names instead of codes and indices."""
        frame = pl.DataFrame({name: col for name in COLUMNS if (col := getattr(self, name)) is not None})
        if not readable:
            return frame
        names = {code: name for name, code in KINDS.items()}
        which = frame["instrument"] if "instrument" in frame.columns else pl.repeat(0, len(frame), eager=True)
        ids = dict(enumerate(item.id for item in self.instruments))
        return frame.with_columns(
            frame["kind"].replace_strict(names, return_dtype=pl.String).alias("kind"),
            which.replace_strict(ids, return_dtype=pl.String).alias("instrument"),
        )

    def _with(self, columns: Mapping[str, NDArray[Any]]) -> Events:
        """Return other rows of this stream that need no check: a part of valid rows in their order is valid."""
        made = object.__new__(Events)
        for item in fields(self):
            object.__setattr__(made, item.name, getattr(self, item.name))
        for name, column in columns.items():
            part = np.ascontiguousarray(column)
            part.flags.writeable = False
            object.__setattr__(made, name, part)
        return made


def _contents(events: Events, number: int) -> tuple[frozenset[int], tuple[int, int] | None]:
    rows = slice(None) if events.instrument is None else events.instrument == number
    kind, price = events.kind[rows], events.price[rows]
    kinds = frozenset(np.flatnonzero(np.bincount(kind, minlength=1)).tolist())
    if not kinds & set(_PRICED):
        return kinds, None
    prices = price[np.isin(kind, _PRICED)]
    return kinds, (int(prices.min()), int(prices.max()))


def kind_code(name: str) -> int:
    """Return the code of a kind.

    Raises:
        InputError: an unknown name, with the nearest known one.
    """
    if name not in KINDS:
        raise InputError("kind", name, allowed=tuple(KINDS))
    return KINDS[name]


def _column(name: str, values: Any) -> NDArray[Any] | None:
    """Return a column as a contiguous read-only array of its type; whole numbers only."""
    if values is None:
        if name in OPTIONAL:
            return None
        raise InputError(f"events.{name}", None, allowed="a column of whole numbers")
    array = np.asarray(values)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and len(array)):
        fix = "prices are ticks and sizes lots here; events_from_bars, _quotes, _trades and _depth convert real numbers"
        raise InputError(f"events.{name}", f"{array.dtype} {array.shape}", allowed="one row of whole numbers", fix=fix)
    wanted: Any = np.dtype(TYPES.get(name, np.int64))
    if array.dtype != wanted and len(array) and array.dtype.kind in "iu":
        low, high, limits = int(array.min()), int(array.max()), np.iinfo(wanted)
        if low < limits.min or high > limits.max:
            raise InputError(f"events.{name}", f"{low} to {high}", allowed=f"what {wanted} holds")
    view: NDArray[Any] = np.ascontiguousarray(array, wanted).view()
    view.flags.writeable = False
    return view


def _lengths(events: Events) -> None:
    lengths = {name: len(col) for name in COLUMNS if (col := getattr(events, name)) is not None}
    if len(set(lengths.values())) > 1:
        raise InputError("events", lengths, why="the columns differ in length", fix="give every column the same rows")


def _declared(events: Events) -> None:
    """Complete and check the declarations of each instrument."""
    members = events.instruments
    if isinstance(members, Instrument):
        raise InputError("events.instruments", members.id, allowed="a tuple of instruments", fix="write (instrument,)")
    ids = [item.id for item in members]
    if not ids or len(set(ids)) < len(ids):
        raise InputError("events.instruments", ids, allowed="one or more instruments, each once")
    object.__setattr__(events, "instruments", tuple(members))
    basis = _each("basis", events.basis, ["raw"] * len(ids))
    for value in basis:
        if value not in BASES:
            raise InputError("events.basis", value, allowed=BASES)
    ticks = [item.tick if base == "raw" else ANALYTIC_QUANTUM for item, base in zip(members, basis)]
    prices = _each("price_quanta", events.price_quanta, ticks)
    lots = _each("lot_quanta", events.lot_quanta, [item.lot for item in members])
    for item, base, price, lot in zip(members, basis, prices, lots):
        if base == "raw" and price != item.tick:
            why = f"raw prices of {item.id} are whole ticks of {item.tick}"
            raise InputError("events.price_quanta", price, why=why, fix="leave it out, or declare an adjusted basis")
        for name, value in (("price_quanta", price), ("lot_quanta", lot)):
            if not isinstance(value, Decimal) or not value.is_finite() or value <= 0:
                raise InputError(f"events.{name}", value, allowed="a positive Decimal")
    if events.locked not in ("error", "allow"):
        raise InputError("events.locked", events.locked, allowed=("error", "allow"))
    for name, values in (("basis", basis), ("price_quanta", prices), ("lot_quanta", lots)):
        object.__setattr__(events, name, values)


def _each(name: str, given: Sequence[Any], default: list[Any]) -> tuple[Any, ...]:
    if not given:
        return tuple(default)
    if isinstance(given, str) or len(given) != len(default):
        raise InputError(f"events.{name}", given, allowed=f"a tuple of {len(default)}, one an instrument")
    return tuple(given)
