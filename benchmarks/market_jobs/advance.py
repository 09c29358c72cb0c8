"""One step of the event market: a single call from Python, and the mean of many inside one call.

A level-2 book of one instrument with 8 or 32 own orders resting away from the best prices; each row sets one level. The
limit of a single call is a compiled function of the same four arguments that does nothing; that of a row in the kernel
is a bare loop that applies the same rows to the same kind of book.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numba
import numpy as np

from karat.kernels.market import Sizes, Terms, engine, new_block, table
from karat.kernels.market import layout as at
from market_jobs._inputs import Inputs
from market_jobs._measure import Job

MIDDLE, WIDTH = 10_000, 2_000


@numba.njit
def apply_rows(kind, price, qty, book):  # type: ignore[no-untyped-def]
    """Apply depth rows to a dense book of two sides and return the sum of the best prices seen."""
    seen, bid, ask, low = 0, 0, 1 << 60, MIDDLE - WIDTH
    for k in range(kind.size):
        side = 0 if kind[k] == at.DEPTH_BID else 1
        book[side, price[k] - low] = qty[k]
        if side == 0:
            bid = max(bid, price[k])
        else:
            ask = min(ask, price[k])
        seen += bid + ask
    return seen


class World:
    """A block with resting orders, and rows that do not reach them."""

    def __init__(self, orders: int, rows: int) -> None:
        rng = np.random.default_rng(0)
        side = np.arange(rows) % 2
        self.ts = np.arange(1, rows + 1, dtype=np.int64) * 1_000
        self.kind = np.where(side == 0, at.DEPTH_BID, at.DEPTH_ASK).astype(np.int8)
        away = rng.integers(1, 20, rows)
        self.price = np.where(side == 0, MIDDLE - away, MIDDLE + away)
        self.qty = rng.integers(1, 100, rows)
        self.intents = np.zeros((orders, at.INTENT), dtype=np.int64)
        self.intents[:, at.T_ACTION], self.intents[:, at.T_TYPE], self.intents[:, at.T_TIF] = at.SEND, at.LIMIT, at.GTC
        self.intents[:, at.T_ID], self.intents[:, at.T_QTY] = np.arange(1, orders + 1), 1
        self.intents[:, at.T_SIDE] = np.where(np.arange(orders) % 2 == 0, 1, -1)
        self.intents[:, at.T_PRICE] = MIDDLE - self.intents[:, at.T_SIDE] * (100 + np.arange(orders))
        self.columns = np.zeros(at.COLUMNS, dtype=np.int64)
        self.columns[[at.V_ROWS, at.V_INTENTS]] = rows, orders
        for place, values in (
            (at.V_TS, self.ts),
            (at.V_KNOWN, self.ts),
            (at.V_KIND, self.kind),
            (at.V_PRICE, self.price),
            (at.V_QTY, self.qty),
            (at.V_INTENT_ROWS, self.intents),
        ):
            self.columns[place] = values.ctypes.data
        terms = Terms(matcher=at.DEPTH, book=(MIDDLE - WIDTH, 2 * WIDTH), queue=(1, ()))
        self.first = new_block([terms], [10**12], sizes=Sizes(orders=64))

    def block(self) -> np.ndarray:
        """Return a block as it is before the first row."""
        return self.first.copy()


def jobs(inputs: Inputs) -> list[Job]:
    """Return the job with 8 resting orders; the figures of a single call and of 32 are among its own."""
    rows = 20_000 if inputs.quick else 1_000_000
    world, advance = World(8, rows), engine().advance
    book = np.zeros((2, 2 * WIDTH), dtype=np.int64)

    def karat() -> Any:
        block = world.block()
        advance(block.ctypes.data, world.columns.ctypes.data, at.FAR, 1 << 60)
        return block

    def check(block: Any, seen: int, peer: dict[str, float] | None) -> bool:
        live = int(table(block, "instruments")[0, at.I_LIVE])
        return live == 8 and int(block[at.H_ROW]) == rows and seen > 0

    def more() -> dict[str, Any]:
        return {"rows": rows, **_in_kernel(rows), **_single_calls(min(rows, 200_000))}

    return [Job("advance", karat, lambda: apply_rows(world.kind, world.price, world.qty, book), check, more=more)]


def _in_kernel(rows: int) -> dict[str, float]:
    """Return the mean ns of a row inside one call with 8 and with 32 resting orders."""
    found = {}
    for orders in (8, 32):
        world, taken = World(orders, rows), []
        for _ in range(5):
            block = world.block()
            started = time.perf_counter_ns()
            engine().advance(block.ctypes.data, world.columns.ctypes.data, at.FAR, 1 << 60)
            taken.append((time.perf_counter_ns() - started) / rows)
        found[f"kernel_ns_{orders}_orders"] = round(statistics.median(taken), 1)
    return found


def _single_calls(rows: int) -> dict[str, float]:
    """Return quantiles of single calls of one row each from Python, the clock's own time taken off."""
    world, advance = World(8, rows), engine().advance
    block = world.block()
    s, v, clock = block.ctypes.data, world.columns.ctypes.data, time.perf_counter_ns
    empty = []
    for _ in range(rows):
        started = clock()
        empty.append(clock() - started)
    cost = statistics.median(empty)
    times = []
    for until in world.ts.tolist():
        started = clock()
        advance(s, v, until, 1 << 60)
        times.append(clock() - started - cost)
    p50, p99, p999 = np.percentile(times, [50, 99, 99.9])
    return {"call_p50_ns": round(p50, 1), "call_p99_ns": round(p99, 1), "call_p99_9_ns": round(p999, 1)}
