"""Builders of `Events` from your own bars, quotes, trades, depth and rows of news, and their merging.

Invariants:
1. Prices and sizes as people write them become whole ticks and lots; what is off the tick or lot is an error.
2. A merge keeps the order of ts; then status, corporate actions, funding and FX before market data; then the order of
   the arguments; then of the rows.
3. A bar's start is the end of the bar before of the same instrument unless the table or `start` says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from karat.core import InputError, iso_date
from karat.data._calendars import sessions
from karat.data._durations import duration_ns
from karat.data._event_tables import EventTable, side_codes
from karat.data._events import COLUMNS, KINDS, OPTIONAL, TYPES, Basis, Events, kind_code
from karat.data._instruments import Instrument
from karat.data._panel import Panel
from karat.kernels.market import _layout as layout

Ints = NDArray[np.int64]
Members = Instrument | Sequence[Instrument]

UNKNOWN_VOLUME: Final = -1
_AGGRESSORS: Final[dict[Any, int]] = {
    "buy": KINDS["trade_buy"],
    "sell": KINDS["trade_sell"],
    1: KINDS["trade_buy"],
    -1: KINDS["trade_sell"],
    0: KINDS["trade"],
    None: KINDS["trade"],
}
_SIDES: Final[dict[Any, int]] = {
    "bid": KINDS["depth_bid"],
    "ask": KINDS["depth_ask"],
    1: KINDS["depth_bid"],
    -1: KINDS["depth_ask"],
}


def events_from_bars(
    bars: Any,
    instruments: Members,
    *,
    start: str = "previous",
    basis: Basis = "raw",
    quantum: Decimal | None = None,
    units: Literal["currency", "ticks"] = "currency",
    metadata: Mapping[str, Any] | None = None,
) -> Events:
    """Return bars as events: a `Panel`, a frame or a mapping with ts, open, high, low, close.

    Further columns: volume (unknown without it), start, known_at (ts without it), instrument. ts is a bar's end. start:
    `previous` (the end of the bar before; the first bar of an instrument is as long as its shortest), `session` (that,
    but not before the session of the panel's calendar opens), or a length such as `1h`.

    Raises:
        InputError: a column, instrument or declaration that does not fit. DataError: a row that breaks a rule.

    Example:
        >>> bars = {"ts": [60, 120], "open": [1.0, 1.1], "high": [1.2, 1.2], "low": [1.0, 1.1], "close": [1.1, 1.2]}
        >>> events_from_bars(bars, Instrument("AAPL.XNAS")).d.tolist()
        [0, 60]
    """
    table = EventTable("bars", bars, instruments, basis=basis, quantum=quantum, units=units)
    rows = len(table.ts)
    calendar = bars.calendar if isinstance(bars, Panel) else None
    return Events(
        ts=table.ts,
        known_at=table.known_at,
        kind=np.full(rows, layout.BAR, np.int8),
        instrument=table.instrument,
        price=table.prices("open"),
        qty=table.sizes("volume") if table.has("volume") else np.full(rows, UNKNOWN_VOLUME),
        a=table.prices("high"),
        b=table.prices("low"),
        c=table.prices("close"),
        d=table.times("start") if table.has("start") else _starts(table, start, calendar),
        metadata=metadata or {},
        **table.facts,
    )


def events_from_quotes(
    quotes: Any,
    instruments: Members,
    *,
    locked: Literal["error", "allow"] = "error",
    one_sided: Literal["error", "allow"] = "error",
    units: Literal["currency", "ticks"] = "currency",
    metadata: Mapping[str, Any] | None = None,
) -> Events:
    """Return best quotes as events: ts, bid, bid_size, ask, ask_size; also known_at, instrument.

    locked: whether bid equal to ask is an error. one_sided: whether NaN is an error or a side without a quote.

    Raises:
        InputError: a column, instrument or declaration that does not fit. DataError: a row that breaks a rule.
    """
    for name, value in (("locked", locked), ("one_sided", one_sided)):
        if value not in ("error", "allow"):
            raise InputError(f"quotes.{name}", value, allowed=("error", "allow"))
    table = EventTable("quotes", quotes, instruments, units=units)
    missing = layout.NONE if one_sided == "allow" else None
    return Events(
        ts=table.ts,
        known_at=table.known_at,
        kind=np.full(len(table.ts), layout.QUOTE, np.int8),
        instrument=table.instrument,
        price=table.prices("bid", missing=missing),
        qty=table.sizes("bid_size"),
        a=table.prices("ask", missing=missing),
        b=table.sizes("ask_size"),
        locked=locked,
        metadata=metadata or {},
        **table.facts,
    )


def events_from_trades(
    trades: Any,
    instruments: Members,
    *,
    units: Literal["currency", "ticks"] = "currency",
    metadata: Mapping[str, Any] | None = None,
) -> Events:
    """Return trades as events: ts, price, size; also side, known_at, instrument.

    side is the aggressor's: `buy` or 1, `sell` or -1; 0, null or no column where nobody knows.

    Raises:
        InputError: a column or instrument that does not fit. DataError: a row that breaks a rule.
    """
    table = EventTable("trades", trades, instruments, units=units)
    rows = len(table.ts)
    kind = side_codes(table, "side", _AGGRESSORS) if table.has("side") else np.full(rows, layout.TRADE, np.int8)
    return _simple(table, kind, metadata)


def events_from_depth(
    depth: Any,
    instruments: Members,
    *,
    units: Literal["currency", "ticks"] = "currency",
    metadata: Mapping[str, Any] | None = None,
) -> Events:
    """Return level-2 depth as events: ts, side, price, size; also snapshot, known_at, instrument.

    side is `bid` or 1, `ask` or -1. size is the level's whole size, 0 removes it. Rows with a true `snapshot` and the
    same ts and instrument are one snapshot: the book is emptied before its first row.

    Raises:
        InputError: a column or instrument that does not fit. DataError: a row that breaks a rule.
    """
    table = EventTable("depth", depth, instruments, units=units)
    events = _simple(table, side_codes(table, "side", _SIDES), metadata)
    if not table.has("snapshot"):
        return events
    snapshot = table.column("snapshot").cast(pl.Boolean).fill_null(False).to_numpy()
    fresh = snapshot.copy()
    fresh[1:] &= ~(snapshot[:-1] & (table.ts[1:] == table.ts[:-1]) & (table.index[1:] == table.index[:-1]))
    return with_clears(events, np.flatnonzero(fresh))


def events_from_rows(
    rows: Iterable[Mapping[str, Any]], instruments: Members, *, metadata: Mapping[str, Any] | None = None
) -> Events:
    """Return events from records of whole numbers, for status, corporate actions, funding and other rare rows.

    Each record has ts, kind (a name of `KINDS`), and what the kind needs of price, qty, a, b, c, d, known_at and
    instrument (its id); a number that is left out is 0, known_at is ts.

    Raises:
        InputError: an unknown key, kind or instrument. DataError: a row that breaks a rule.

    Example:
        >>> split = {"ts": 0, "kind": "split", "a": 4, "b": 1}
        >>> events_from_rows([split], Instrument("AAPL.XNAS")).kind.tolist()
        [33]
    """
    members = (instruments,) if isinstance(instruments, Instrument) else tuple(instruments)
    ids = {item.id: k for k, item in enumerate(members)}
    columns: dict[str, list[int]] = {name: [] for name in COLUMNS}
    for row in rows:
        for key in row:
            if key not in COLUMNS:
                raise InputError("rows.key", key, allowed=COLUMNS)
        name = row.get("instrument", members[0].id)
        if name not in ids:
            raise InputError("rows.instrument", name, why="it was not passed", allowed=tuple(ids))
        if "ts" not in row or "kind" not in row:
            raise InputError("rows.key", sorted(row), why="every row has ts and kind", fix="add them")
        given = {**row, "kind": kind_code(row["kind"]), "instrument": ids[name]}
        for key in COLUMNS:
            columns[key].append(given.get(key, given["ts"] if key == "known_at" else 0))
    arrays = {key: np.array(values, np.int64) for key, values in columns.items()}
    return Events(**arrays, instruments=members, metadata=metadata or {})  # type: ignore[arg-type]


def merge_events(*streams: Events) -> Events:
    """Return several streams as one: by ts, then news before market data, then the order of the arguments.

    Raises:
        InputError: no stream, or streams that declare one instrument differently.
    """
    if not streams:
        raise InputError("streams", (), allowed="one or more streams")
    members: dict[str, tuple[Instrument, Basis, Decimal, Decimal]] = {}
    for stream in streams:
        for facts in zip(stream.instruments, stream.basis, stream.price_quanta, stream.lot_quanta):
            if members.setdefault(facts[0].id, facts) != facts:
                why = "two streams declare it differently"
                raise InputError("streams.instruments", facts[0].id, why=why, fix="use one declaration of it")
    places = {name: k for k, name in enumerate(members)}
    columns = {name: _joined(name, streams, places) for name in COLUMNS}
    ts, kind = columns["ts"], columns["kind"]
    assert ts is not None
    assert kind is not None
    order = np.lexsort((kind < layout.STATUS, ts))
    parts = {name: None if column is None else column[order] for name, column in columns.items()}
    found = list(members.values())
    return Events(
        **parts,  # type: ignore[arg-type]
        instruments=tuple(item[0] for item in found),
        basis=tuple(item[1] for item in found),
        price_quanta=tuple(item[2] for item in found),
        lot_quanta=tuple(item[3] for item in found),
        locked="allow" if any(stream.locked == "allow" for stream in streams) else "error",
        metadata={"streams": tuple(dict(stream.metadata) for stream in streams)},
    )


def with_clears(events: Events, rows: NDArray[Any]) -> Events:
    """Return the stream with a row that empties the book before each of `rows`."""
    columns: dict[str, Any] = {name: col for name in COLUMNS if (col := getattr(events, name)) is not None}
    longer: dict[str, Any] = {name: np.insert(col, rows, col[rows]) for name, col in columns.items()}
    at = rows + np.arange(len(rows))
    longer["kind"][at] = layout.DEPTH_CLEAR
    for name in ("price", "qty"):
        longer[name][at] = 0
    facts: dict[str, Any] = {
        name: getattr(events, name) for name in ("instruments", "basis", "price_quanta", "lot_quanta", "locked")
    }
    return Events(**longer, **facts, metadata=events.metadata)


def _simple(table: EventTable, kind: NDArray[np.int8], metadata: Mapping[str, Any] | None) -> Events:
    return Events(
        ts=table.ts,
        known_at=table.known_at,
        kind=kind,
        instrument=table.instrument,
        price=table.prices("price"),
        qty=table.sizes("size"),
        metadata=metadata or {},
        **table.facts,
    )


def _joined(name: str, streams: Sequence[Events], places: Mapping[str, int]) -> NDArray[Any] | None:
    """Return a column of all streams one after the other; None where no stream needs it."""
    unused = name in OPTIONAL and all(getattr(stream, name) is None for stream in streams)
    if unused and (name != "instrument" or len(places) == 1):
        return None
    parts = []
    for stream in streams:
        column = getattr(stream, name)
        if column is None:
            column = np.zeros(len(stream), TYPES.get(name, np.int64))
        if name == "instrument":
            column = np.array([places[item.id] for item in stream.instruments], np.int32)[column]
        parts.append(column)
    return np.concatenate(parts)


def _starts(table: EventTable, start: str, calendar: str | None) -> Ints:
    if start not in ("previous", "session"):
        return table.ts - duration_ns(start, "bars.start")
    order = np.argsort(table.index, kind="stable")
    ts, index = table.ts[order], table.index[order]
    first = np.ones(len(ts), np.bool_)
    first[1:] = index[1:] != index[:-1]
    begin = np.empty_like(ts)
    begin[1:] = ts[:-1]
    begin[first] = ts[first] - (0 if start == "session" else _shortest(table, ts, first))
    result = np.empty_like(ts)
    result[order] = begin
    if start == "previous":
        return result
    opened = _opens(table, calendar)
    result[order[first]] = opened[order[first]]
    return np.maximum(result, opened)


def _shortest(table: EventTable, ts: Ints, first: NDArray[np.bool_]) -> Any:
    """Return, for each instrument, the shortest distance of two of its bars: the length of its first bar."""
    begins = np.flatnonzero(first)
    steps = np.diff(ts, prepend=0)
    steps[first] = np.iinfo(np.int64).max
    shortest = np.minimum.reduceat(steps, begins) if len(begins) else steps
    lonely = np.flatnonzero(np.diff(np.append(begins, len(ts))) == 1)
    if len(lonely):
        name = table.members[int(np.unique(table.index)[lonely[0]])].id
        raise InputError("bars.start", "previous", why=f"{name} has one bar", fix="pass its length, e.g. start='1d'")
    return shortest


def _opens(table: EventTable, calendar: str | None) -> Ints:
    """Return the opening of the session in which each bar ends."""
    if calendar is None:
        fix = "pass a Panel, a column start, or the bar's length"
        raise InputError("bars.start", "session", why="only a Panel has a calendar", fix=fix)
    found = sessions(calendar, iso_date(int(table.ts.min()) - 86_400 * 10**9), iso_date(int(table.ts.max())))
    if not len(found):
        raise InputError("bars.start", "session", why=f"calendar {calendar!r} has no sessions", fix="pass a length")
    place = np.searchsorted(found["close_ns"].to_numpy(), table.ts)
    inside = np.minimum(place, len(found) - 1)
    opened: Ints = found["open_ns"].to_numpy()[inside]
    outside = (place >= len(found)) | (opened >= table.ts)
    if bool(outside.any()):
        row = int(np.flatnonzero(outside)[0])
        raise InputError(
            "bars.start", table.where(row), why=f"it ends outside the sessions of {calendar}", fix="pass a length"
        )
    return opened
