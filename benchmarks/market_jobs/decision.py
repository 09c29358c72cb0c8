"""A decision on every row of a level-2 feed: does the book lean to one side, and if it leans anew, send an order.

Batched, a compiled strategy is called for every row, with all rows of its instant known. A single call from Python
takes the market one row further, shows it to the strategy and lets it decide: three calls of C functions. The limit is
a bare loop over the same rows that keeps two arrays of sizes and the best prices and decides the same, without a
market. What compiled code allocates is counted over a batch, what Python keeps and needs over the single calls.
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from typing import Any

import cffi
import numba
import numpy as np
from numba.core.registry import cpu_target
from numba.core.runtime import _nrt_python, rtsys

from karat.data import Events, Instrument
from karat.kernels.market import engine
from karat.kernels.market import layout as at
from karat.market import Market, NoQueue, TradingTerms, VenueSpec, run_compiled
from karat.market import compiled as on
from market_jobs._feed import feed
from market_jobs._inputs import Inputs
from market_jobs._measure import Job

SPEC = VenueSpec(open_orders=64, keep_equity=False, terms=TradingTerms(queue=NoQueue()))
LEAN, BUYS, SELLS, CALLS, WORDS = 0, 1, 2, 3, 4
_FORM = "int64_t(*)(int64_t, int64_t, int64_t, int64_t*)"


@numba.njit
def decide(market, now, row, memory):  # type: ignore[no-untyped-def]
    """Buy a lot when twice as much is bid as is asked at the best prices, sell one when it is the other way round."""
    bid, ask = on.best(market, 0, on.BUY), on.best(market, 0, on.SELL)
    memory[CALLS] += 1
    if bid == on.NONE or ask == on.NONE:
        return
    bids, asks = on.size_at(market, 0, on.BUY, bid), on.size_at(market, 0, on.SELL, ask)
    lean = (bids > 2 * asks) - (asks > 2 * bids)
    if lean != 0 and lean != memory[LEAN]:
        memory[LEAN] = lean
        memory[BUYS if lean > 0 else SELLS] += 1
        on.send_limit(market, 0, on.BUY if lean > 0 else on.SELL, 1, bid if lean > 0 else ask, on.IOC, 0)


@numba.cfunc("int64(int64, int64, int64, CPointer(int64))")
def decide_once(market, now, row, words):  # type: ignore[no-untyped-def]
    """Decide once, for a caller in Python."""
    decide(market, now, row, numba.carray(words, WORDS))
    return 0


@numba.njit
def single_pass(ts, kind, price, qty, low, sizes, memory):  # type: ignore[no-untyped-def]
    """Decide the same on a book of its own: sizes (2, prices), and the best price of each side."""
    best, seen = np.array([-1, -1]), 0
    for k in range(kind.size):
        memory[CALLS] += 1
        while seen < kind.size and ts[seen] <= ts[k]:
            if kind[seen] == at.DEPTH_BID or kind[seen] == at.DEPTH_ASK:
                side = 0 if kind[seen] == at.DEPTH_BID else 1
                p, step = price[seen] - low, -1 if side == 0 else 1
                sizes[side, p] = qty[seen]
                if qty[seen] > 0 and (best[side] < 0 or (best[side] - p) * step > 0):
                    best[side] = p
                elif qty[seen] == 0 and p == best[side]:
                    while 0 <= p < sizes.shape[1] and sizes[side, p] == 0:
                        p += step
                    best[side] = p if 0 <= p < sizes.shape[1] else -1
            seen += 1
        if best[0] < 0 or best[1] < 0:
            continue
        bids, asks = sizes[0, best[0]], sizes[1, best[1]]
        lean = (bids > 2 * asks) - (asks > 2 * bids)
        if lean != 0 and lean != memory[LEAN]:
            memory[LEAN] = lean
            memory[BUYS if lean > 0 else SELLS] += 1
    return memory


def jobs(inputs: Inputs) -> list[Job]:
    """Return the one job; single calls and allocations are among its figures."""
    rows = {name: values[:1_000_000] for name, values in feed(inputs.folder, quick=inputs.quick).items()}
    events = Events(rows["exch"], rows["exch"], rows["kind"], rows["price"], rows["qty"], (Instrument("A.SIM"),))
    low, width = int(rows["price"].min()), int(np.ptp(rows["price"])) + 1

    def karat() -> list[int]:
        memory = np.zeros(WORDS, dtype=np.int64)
        run_compiled(events, decide, SPEC, memory=memory)
        return [int(word) for word in memory]

    def limit() -> list[int]:
        sizes, memory = np.zeros((2, width), dtype=np.int64), np.zeros(WORDS, dtype=np.int64)
        single_pass(rows["exch"], rows["kind"], rows["price"], rows["qty"], low, sizes, memory)
        return [int(word) for word in memory]

    def check(ours: list[int], theirs: list[int], peer: dict[str, float] | None) -> bool:
        return ours == theirs and ours[BUYS] > 0

    def more() -> dict[str, Any]:
        taken, before = [], _compiled_blocks()
        for _ in range(3):
            started = time.perf_counter_ns()
            made = karat()
            taken.append((time.perf_counter_ns() - started) / events.rows)
        facts = {"decisions": events.rows, "orders": made[BUYS] + made[SELLS]}
        facts |= {"nrt_allocations": _compiled_blocks() - before}
        return facts | {"decision_ns": round(statistics.median(taken), 1), **_single_calls(events)}

    return [Job("decision", karat, limit, check, more=more)]


def _single_calls(events: Events) -> dict[str, float]:
    """Return quantiles of single decisions from Python, the clock's own time taken off, and what they allocated."""
    market, made, memory = Market(events.head(100_000), SPEC), engine(), np.zeros(WORDS, dtype=np.int64)
    s, v, times = market.block.ctypes.data, market.events.table.ctypes.data, market.events.ts.tolist()
    ffi = cffi.FFI()
    words, call = ffi.from_buffer("int64_t[]", memory), ffi.cast(_FORM, decide_once.address)
    clock, taken = time.perf_counter_ns, np.zeros(len(times), dtype=np.int64)

    def one(now: int, row: int) -> None:
        made.advance(s, v, now, 1 << 60)
        made.follow(s, v, now)
        call(s, now, row, words)

    empty, warm = [], len(times) // 2
    for _ in range(10_000):
        started = clock()
        empty.append(clock() - started)
    for row in range(warm):
        started = clock()
        one(times[row], row)
        taken[row] = clock() - started
    quantiles = np.percentile(taken[100:warm], [50, 99, 99.9]) - statistics.median(empty)
    names = ("call_p50_ns", "call_p99_ns", "call_p99_9_ns")
    facts = dict(zip(names, (round(float(ns), 1) for ns in quantiles), strict=True))
    return facts | _kept(one, times, range(warm, min(warm + 5_000, len(times))))


def _kept(one: Any, times: list[int], rows: range) -> dict[str, int]:
    """Return the bytes that calls from Python kept, and the most they needed at once."""
    for row in rows[:100]:
        one(times[row], row)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    for row in rows[100:]:
        one(times[row], row)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {"net_bytes": after - before, "peak_bytes": peak - before}


def _compiled_blocks() -> int:
    """Return how many blocks compiled code has allocated so far; each batch adopts the strategy's memory once."""
    rtsys.initialize(cpu_target.target_context)
    _nrt_python.memsys_enable_stats()
    return int(rtsys.get_allocation_stats().alloc)
