"""The compiled market as functions that Python can call: loaded on first use, called by address.

A call through cffi costs a third of one through numba's dispatcher. With the JIT off, or without a compiler, the same
functions are plain Python.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from karat.kernels.market import _layout as at
from karat.kernels.market._block import Block, table
from karat.kernels.market._l3_layout import LEVELS, ORDERS
from karat.kernels.market._rules_layout import NONE, OPEN_NS


@dataclass(frozen=True)
class Engine:
    """Entry points; `s` is a block's address, `v` that of its table of columns. All take and return whole numbers.

    advance(s, v, until_ns, steps), submit(s, row address, ts), follow(s, v, until_ns), equity(s), state_hash(s).
    """

    advance: Callable[[int, int, int, int], int]
    submit: Callable[[int, int, int], int]
    follow: Callable[[int, int, int], int]
    equity: Callable[[int], int]
    state_hash: Callable[[int], int]


@cache
def engine() -> Engine:
    """Return the entry points, compiling what is not on disk yet."""
    from karat.kernels.market import _advance, _margin, _strategy

    return Engine(
        _callable(_advance.advance, 4),
        _callable(_strategy.submit_row, 3),
        _callable(_strategy.follow, 3),
        _callable(_margin.equity, 1),
        _callable(_advance.state_hash, 1),
    )


def bind_rules(block: Block, *, new: bool = True) -> None:
    """Give a block whose instruments have rules or filters the addresses of the rules' functions in this process.

    new: also make the records of rules new. A block that is loaded from elsewhere is bound again with new=False.
    """
    rows = table(block, "instruments")
    if not rows[:, [at.I_RULES, at.I_FILTERS]].any():
        return
    from karat.kernels.market import _rule_hooks as hooks

    places = (at.H_HOOK_ROW, at.H_HOOK_ORDER, at.H_HOOK_FILL)
    for place, function in zip(places, (hooks.on_row, hooks.on_order, hooks.on_fill), strict=True):
        block[place] = _address(function)
    for number in np.flatnonzero(rows[:, at.I_RULES]) if new else ():
        start = int(block[at.H_AT_INSTRUMENTS]) + int(number) * at.INSTRUMENT
        hooks.reset_rules(block.ctypes.data, block.ctypes.data + 8 * start)


def bind_orders(block: Block, *, new: bool = True) -> None:
    """Give a block with level-3 books the addresses of their matcher's functions in this process.

    new: also make the books empty. A block that is loaded from elsewhere is bound again with new=False.
    """
    rows = table(block, "instruments")
    books = rows[:, [at.I_VENUE_ORDERS, at.I_LOCAL_ORDERS]]
    books = books[books > 0]
    if not len(books):
        return
    from karat.kernels.market import _match_orders as match
    from karat.kernels.market._order_book import take_orders

    places = (at.H_ORDERS_ROW, at.H_ORDERS_TAKE, at.H_ORDERS_ENTER, at.H_ORDERS_FOLLOW)
    functions = (match.orders_row, take_orders, match.enter_orders, match.follow_orders)
    for place, function in zip(places, functions, strict=True):
        block[place] = _address(function)
    for where in books.tolist() if new else ():
        empty_orders(block, where)


def empty_orders(block: Block, where: int) -> None:
    """Make the level-3 book that begins at a word of the block new."""
    from karat.kernels.market._l3 import l3_init

    l3_init(block.ctypes.data + 8 * where, int(block[where + ORDERS]), int(block[where + LEVELS]))


def without_session(block: Block) -> list[int]:
    """Return the numbers of the instruments whose rules never began a session: they have judged nothing."""
    records = table(block, "instruments")[:, at.I_RULES]
    return [number for number, where in enumerate(records.tolist()) if where and block[where + OPEN_NS] == NONE]


@cache
def _plain(function: Callable[..., int]) -> Any:
    """Return a C function around a plain one, for when nothing is compiled; kept as long as the process."""
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 4)(function)


def _address(function: Any) -> int:
    found = getattr(function, "address", None)
    return int(found if found is not None else ctypes.cast(_plain(function), ctypes.c_void_p).value or 0)


def _callable(function: Any, count: int) -> Callable[..., int]:
    address = getattr(function, "address", None)
    if address is None:
        return function
    import cffi

    kind = f"int64_t(*)({', '.join(['int64_t'] * count)})"
    return cffi.FFI().cast(kind, address)
