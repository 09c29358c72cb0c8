"""A market maker on 5,000,000 rows of level-2 data: one lot at the best bid and ask, looked at every 100 ms or 1 s.

Orders, cancels and answers take 10 ms each way, market data 1 ms. The queue before an order shrinks by trades and by
the PowerProb rule (n = 2) of hftbacktest. A row goes into the venue's book and, 1 ms later, into the strategy's.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numba
import numpy as np

from karat.kernels.market import _layout as at
from karat.kernels.market._block import Block, Sizes, Terms, drain, new_block, table
from market_jobs._feed import feed
from market_jobs._inputs import Inputs
from market_jobs._limit_level2 import LATENCY_NS, MOST, single_pass
from market_jobs._measure import Job

CASH = 10**12
INTERVALS = {"level2_1s": 1_000_000_000, "level2_100ms": 100_000_000}
STEPS, BID_ID, BID_PRICE, ASK_ID, ASK_PRICE, SENT, WORDS = 0, 1, 2, 3, 4, 5, 8
LISTED = 4  # words of a listed order: side, sent, price, id


@dataclass(frozen=True)
class Made:
    """What a run came to."""

    steps: int
    sent: int
    fills: int
    position: int


@cache
def strategy() -> Any:
    """Return the compiled market maker; compiling the market takes seconds the first time."""
    from karat.kernels.market._advance import advance
    from karat.kernels.market._strategy import follow, seen_best, seen_position, seen_state, submit_cancel, submit_limit

    @numba.njit
    def run(s, v, now, last, interval, memory, listed):  # type: ignore[no-untyped-def]
        """Trade until the feed ends (-1) or the block has no room for records; return the code and the next time.

        memory: (WORDS,) what the strategy remembers. listed: (orders, LISTED), or no rows: nothing is listed.
        """
        while True:
            code = advance(s, v, now, 1 << 60)
            if code != 0 or now >= last:
                return (code if code != 0 else -1), now
            follow(s, v, now)
            memory[STEPS] += 1
            position = seen_position(s, 0)
            bid, ask = seen_best(s, 0, 1), seen_best(s, 0, -1)
            for side in (1, -1):
                word, best = (BID_ID, bid) if side > 0 else (ASK_ID, ask)
                state = seen_state(s, memory[word]) if memory[word] else 0
                if state == at.LIVE and memory[word + 1] != best:
                    submit_cancel(s, memory[word])
                memory[word] *= state != 0
            for side in (1, -1):
                word, best = (BID_ID, bid) if side > 0 else (ASK_ID, ask)
                if memory[word] == 0 and side * position < MOST:
                    memory[word], memory[word + 1] = 2 * memory[STEPS] + (side < 0), best
                    submit_limit(s, memory[word], 0, side, best, 1, at.GTC, at.POST_ONLY)
                    if memory[SENT] < len(listed):
                        order = listed[memory[SENT]]
                        order[0], order[1], order[2], order[3] = side, now, best, memory[word]
                    memory[SENT] += 1
            now += interval

    return run


def columns_of(rows: dict[str, np.ndarray]) -> np.ndarray:
    """Return the table of column addresses of a feed."""
    view = np.zeros(at.COLUMNS, dtype=np.int64)
    view[at.V_ROWS] = len(rows["exch"])
    words = {"exch": at.V_TS, "local": at.V_KNOWN, "kind": at.V_KIND, "price": at.V_PRICE, "qty": at.V_QTY}
    for name, word in words.items():
        view[word] = rows[name].ctypes.data
    return view


def prices_of(rows: dict[str, np.ndarray]) -> tuple[int, int]:
    """Return the lowest and the highest price of a feed."""
    return int(rows["price"].min()), int(rows["price"].max())


def block_of(low: int, high: int) -> Block:
    """Return the market before the feed: maker rebate 0.5 bp, taker 7 bp, orders fill wholly or not at all.

    low, high: the prices of the feed. The records' room is read out when it is full, which small rooms make cheap.
    """
    low, high = low - 100, high + 100
    delay = (1, (LATENCY_NS,))
    terms = Terms(matcher=at.DEPTH, book=(low, high - low), queue=(2, (2.0,)), entry=delay, response=delay,
                  flags=at.WHOLE_ONLY, maker=-50_000, taker=700_000)  # fmt: skip
    return new_block([terms], [CASH], sizes=Sizes(orders=64, queue=256, fills=4_096, news=8_192))


def trade(
    rows: dict[str, np.ndarray],
    prices: tuple[int, int],
    interval: int,
    listed: np.ndarray,
    take: Callable[[np.ndarray, np.ndarray], object] = lambda fills, news: None,
) -> Made:
    """Run the market maker over the feed; `take` gets the fills and messages each time that they are read out."""
    block, columns, memory = block_of(*prices), columns_of(rows), np.zeros(WORDS, dtype=np.int64)
    now, last, fills, run = int(rows["exch"][0]) + interval, int(rows["local"][-1]), 0, strategy()
    while True:
        code, now = run(block.ctypes.data, columns.ctypes.data, now, last, interval, memory, listed)
        read = drain(block, "fills"), drain(block, "news")
        fills += len(read[0])
        take(*read)
        if code not in (at.FILLS_FULL, at.NEWS_FULL):
            break
    if code != -1:
        raise SystemExit(f"the market stopped with code {code}, error {block[at.H_ERROR]}")
    held = int(table(block, "instruments")[0][at.I_LOCAL_POSITION])
    return Made(int(memory[STEPS]), int(memory[SENT]), fills, held)


def jobs(inputs: Inputs) -> list[Job]:
    """Return the job for both intervals."""
    rows = feed(inputs.folder, quick=inputs.quick)
    return [_job(rows, name, interval) for name, interval in INTERVALS.items()]


def _job(rows: dict[str, np.ndarray], name: str, interval: int) -> Job:
    nothing = np.empty((0, LISTED), dtype=np.int64)

    prices = prices_of(rows)
    taken: list[float] = []

    def karat() -> Made:
        started = time.perf_counter()
        made = trade(rows, prices, interval, nothing)
        taken.append(time.perf_counter() - started)
        return made

    def limit() -> Made:
        return Made(*single_pass(*(rows[key] for key in ("exch", "local", "kind", "price", "qty")), interval))

    def check(ours: Made, theirs: Made, peer: dict[str, float] | None) -> bool:
        return ours == theirs and (peer is None or all(peer[key] == value for key, value in asdict(ours).items()))

    def more() -> dict[str, Any]:
        timed = taken[2::2]  # one run to warm up, then the second of every two is timed
        return {"events_per_s": round(len(rows["exch"]) / statistics.median(timed)), "orders": karat().sent}

    arrays = rows | {"interval": np.array([interval], dtype=np.int64)}
    return Job(name, karat, limit, check, (name, arrays), more)
