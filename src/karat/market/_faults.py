"""The errors that stop an event market, in words: the kernel's code and two numbers become field, value, why, fix."""

from __future__ import annotations

from typing import Final

from karat.core import iso
from karat.data import Events
from karat.kernels.market import Block
from karat.kernels.market import layout as at

_ROOM: Final = "raise open_orders in the spec"
_FAULTS: Final = {
    at.E_TIME: ("ts", "time runs backwards", "sort by ts"),
    at.E_BAR: ("bar", "low <= open, close <= high and start < end do not hold", "correct or drop the bar"),
    at.E_CROSSED: (
        "book",
        "the bid is at or above the ask by so many ticks",
        "correct the rows, or set crossed='allow' in the terms",
    ),
    at.E_SIZE: ("qty", "a size is below zero", "correct or drop the row"),
    at.E_WINDOW: ("price", "the price lies outside the book's window", "enlarge the window and go on"),
    at.E_OVERFLOW: ("money", "an amount of money is beyond 9e18 quanta", "choose a coarser money_quantum"),
    at.E_INSTRUMENT: ("instrument", "there is no such instrument", "name it in instruments"),
    at.E_KIND: ("kind", "the instrument's matcher does not take this kind of row", "one kind of market data each"),
    at.E_PRICE: ("price", "a price, rate or ratio is not one the market can use", "correct or drop the row"),
    at.E_QUEUE_FULL: ("open_orders", "too much is scheduled at the venue", _ROOM),
    at.E_NO_BOOK: ("book", "the instrument has no book", "give it depth rows"),
    at.E_ACTION: ("action", "there is no such action", "use Order, Cancel, Amend or Target"),
    at.E_FILLS_FULL: ("open_orders", "one row filled more than there is room for", _ROOM),
    at.E_NEWS_FULL: ("open_orders", "one row said more than there is room for", _ROOM),
    at.E_DEPTH_ONLY: ("kind", "the instrument needs depth for it", "give it depth rows"),
    at.E_MARGIN_CALL: (
        "equity",
        "a margin call: it is below the maintenance margin of the positions",
        "trade smaller, or let margin be 'block' or 'liquidate' and go on",
    ),
    at.E_UNKNOWN_ORDER: ("order", "no such order is in the book", "add the row that added it, or drop this one"),
    at.E_KNOWN_ORDER: ("order", "an order of this id is in the book", "add the row that removed it, or drop this one"),
    at.E_TOO_MUCH: ("order", "more lots are taken than the order has", "correct the size"),
}
_OF_ROW: Final = (at.E_BAR, at.E_CROSSED, at.E_SIZE, at.E_WINDOW, at.E_INSTRUMENT, at.E_KIND, at.E_PRICE)
_OF_ORDER: Final = (at.E_UNKNOWN_ORDER, at.E_KNOWN_ORDER, at.E_TOO_MUCH)


def fault_of(block: Block, events: Events, before: int) -> tuple[str, int, str, str]:
    """Return (field, value seen, why, fix) of the error of a stopped block; before: rows of earlier chunks."""
    code, first, second = (int(block[word]) for word in (at.H_ERROR, at.H_ERROR_A, at.H_ERROR_B))
    field, why, fix = _FAULTS[code]
    if code == at.E_TIME and first < 0:
        return "intents.ts_ns", second, f"{why} (intent {-1 - first})", fix
    of_row = code in (*_OF_ROW, *_OF_ORDER, at.E_TIME)
    row = first if of_row else int(block[at.H_ROW])
    row -= code == at.E_MARGIN_CALL  # the row that caused it has been applied
    owner = "events" if of_row else "market"
    seen = second if owner == "events" else first
    when = ""
    if row < events.rows:
        number = 0 if events.instrument is None else int(events.instrument[row])
        name = events.instruments[number].id if number < len(events.instruments) else f"instrument {number}"
        when = f" (row {before + row}, {name}, {iso(int(events.ts[row]))})"
    return f"{owner}.{field}", seen, why + when, fix
