"""The rules of event columns in words: what the compiled check found becomes a `DataError` with rule, rows and remedy.

Invariants:
1. Every rule number of the kernel has one line here.
2. The rows of an error are the first rows that break the first broken rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from karat.core import DataError, iso
from karat.data._instruments import Instrument
from karat.kernels.market import _layout as layout

if TYPE_CHECKING:
    from karat.data._events import Events

Ints = NDArray[np.int64]

_KINDS_TEXT: Final = "1 to 14 market data, 32 to 37 status, corporate actions, funding, FX, reference prices"
# number -> (rule, remedy); the numbers are those of karat.kernels.market._event_checks
RULES: Final[dict[int, tuple[str, str]]] = {
    1: ("kinds are known", f"use {_KINDS_TEXT}"),
    2: ("instruments are known", "the index starts at 0 and ends below the number of instruments"),
    3: ("time never runs backwards", "sort by ts, or merge streams with merge_events"),
    4: ("status and corporate actions come before market data at one instant", "merge streams with merge_events"),
    5: (
        "known_at is never before ts",
        "correct known_at; for receipts on another clock estimate_clock gives the offset",
    ),
    6: ("known_at never runs back within a stream", "a feed arrives in order: correct known_at"),
    7: ("prices are above zero and below 2**52 quanta", "correct the price, or declare a coarser quantum"),
    8: ("sizes are above zero and below 2**52 quanta", "correct the size; 0 only empties a depth level"),
    9: ("low <= open and close <= high", "correct the bar"),
    10: ("a bar starts before it ends", "correct start, or state the bar's length"),
    11: ("bars of an instrument do not overlap", "correct start: it is not before the end of the bar before"),
    12: ("the bid is below the ask (crossed)", "correct the quote, or drop it and say so in the metadata"),
    13: ("the bid is below the ask (locked)", "correct the quote, or pass locked='allow' where the venue allows it"),
    14: ("statuses are 0 to 6, sessions open before they close", "correct the status row"),
    15: ("ratios and amounts of corporate actions are positive", "correct the row"),
    16: (
        "corporate actions fit the price basis",
        "total-return prices hold dividends and splits, split-adjusted ones splits: drop the rows or use raw prices",
    ),
    17: ("currencies have an index from 0 and a rate above 0", "correct the FX row"),
}
_FORBIDS: Final = {"raw": 0, "split_adjusted": 1, "total_return": 3}


def order_state(basis: tuple[str, ...]) -> Ints:
    """Return the state of a stream before its first row, for checking it in chunks."""
    from karat.kernels.market import _event_checks as checks

    return checks.new_state(len(basis), [_FORBIDS[name] for name in basis])


def check_columns(events: Events, after: Ints | None) -> None:
    """Check every row in one compiled pass.

    after: the state that earlier chunks left; it is updated.

    Raises:
        DataError: the first broken rule, with its rows.
    """
    from karat.kernels.market import _event_checks as checks

    state = order_state(events.basis) if after is None else after
    found = np.zeros(checks.KEPT + 1, np.int64)
    before = int(state[checks.S_TS])
    rule = checks.check_rows(
        events.table.ctypes.data,
        len(events),
        len(events.instruments),
        int(events.locked == "allow"),
        state.ctypes.data,
        found.ctypes.data,
    )
    if rule:
        rows = found[1 : 1 + min(int(found[0]), checks.KEPT)].tolist()
        raise broken(events, rule, rows, int(found[0]), before)


def broken(events: Events, rule: int, rows: list[int], count: int, before: int) -> DataError:
    """Return the error of a rule that `count` rows break, of which `rows` are the first."""
    name, fix = RULES[rule]
    shown = [row_text(events, row) for row in rows]
    shown += ["…"] * max(0, count - len(rows))
    return DataError("events", name, rows=shown, seen=_seen(events, rule, rows[0], before), fix=fix)


def _seen(events: Events, rule: int, row: int, before: int) -> str:
    """Return the numbers of one offending row, in words."""

    def at(name: str) -> int:
        column: Any = getattr(events, name)
        return 0 if column is None else int(column[row])

    def time_text() -> str:
        last = iso(int(events.ts[:row].max())) if row else (iso(before) if before > -(2**63) else "the chunk before")
        return f"{iso(at('ts'))} after {last}"

    words: dict[int, Callable[[], str]] = {
        1: lambda: f"kind {at('kind')}",
        2: lambda: f"instrument {at('instrument')} of {len(events.instruments)}",
        3: time_text,
        4: lambda: f"kind {at('kind')} after market data of the same ts",
        5: lambda: f"known_at {at('ts') - at('known_at')} ns before ts",
        6: lambda: f"known_at {iso(at('known_at'))}, earlier than the row before it in its stream",
        7: lambda: f"price {at('price')}" + (f", low {at('b')}, high {at('a')}" if at("kind") == layout.BAR else ""),
        8: lambda: f"size {at('qty')}" + (f", ask size {at('b')}" if at("kind") == layout.QUOTE else ""),
        9: lambda: f"open {at('price')}, high {at('a')}, low {at('b')}, close {at('c')}",
        10: lambda: f"start {at('d')}, end {at('ts')}",
        11: lambda: f"start {iso(at('d'))}",
        12: lambda: f"bid {at('price')}, ask {at('a')}",
        13: lambda: f"bid {at('price')}, ask {at('a')}",
        14: lambda: f"status {at('a')}, open {at('b')}, close {at('c')}",
        15: lambda: f"{at('a')} and {at('b')}",
        16: lambda: f"kind {at('kind')} on {events.basis[at('instrument')]} prices",
        17: lambda: f"currency {at('a')}, rate {at('b')}",
    }
    return words[rule]()


def row_text(events: Events, row: int) -> str:
    """Return a row as an error shows it: number, instrument, time."""
    index = 0 if events.instrument is None else int(events.instrument[row])
    return describe(row, events.instruments, index, int(events.ts[row]))


def describe(row: int, instruments: Sequence[Instrument], index: int, ts: int) -> str:
    """Return a row number with its instrument and time."""
    name = instruments[index].id if 0 <= index < len(instruments) else f"instrument {index}"
    return f"row {row} ({name}@{iso(ts)})"
