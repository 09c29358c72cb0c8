"""The market maker of `level2` on a generated level-3 market: every order of the venue, so its own places are exact.

500,000 rows over some 6,300 s, looked at every second; orders, cancels and answers take 10 ms each way. The limit is a
bare loop that applies the same rows to sizes by order and by price and sees the same best prices, without places in the
queue and without own orders: less than the job needs.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numba
import numpy as np

from karat.data import Events, order_flow
from karat.kernels.market import layout as at
from karat.market import MarketRun, RiskAverseQueue, run_compiled
from karat.market import compiled as on
from market_jobs._inputs import Inputs
from market_jobs._measure import Job
from market_jobs.level2 import LISTED, SENT, SPEC, STEPS, WORDS, market_maker

INTERVAL = 1_000_000_000
BIDS, ASKS = 6, 7  # words of what the strategy remembers
LEVELS = SPEC.model_copy(
    update={"terms": SPEC.terms.model_copy(update={"queue": RiskAverseQueue()})}
)  # places are known: no chance in them


@numba.njit
def watching_maker(market, now, row, memory):  # type: ignore[no-untyped-def]
    """Quote as the market maker of `level2` does, and add up the best prices it sees."""
    own = memory[0]
    own[BIDS] += on.best(market, 0, on.BUY)
    own[ASKS] += on.best(market, 0, on.SELL)
    market_maker(market, now, row, memory)


@numba.njit
def rebuild(ts, kind, price, qty, order, interval, low, slots):  # type: ignore[no-untyped-def]
    """Return how many intervals ended, the sums of the best bid and ask then, and the sizes (2, slots) at the end."""
    n, ids = len(ts), order.max() + 1
    sizes, best = np.zeros((2, slots), np.int64), np.array([0, slots - 1])
    left, where, side_of = np.zeros(ids, np.int64), np.zeros(ids, np.int64), np.zeros(ids, np.int64)
    row, now, steps, bids, asks = 0, ts[0] + interval, 0, 0, 0
    while True:
        while row < n and ts[row] <= now:
            what, one, lots = kind[row], order[row], qty[row]
            if what == at.DEPTH_CLEAR:
                sizes[:] = 0
            elif what <= at.ADD_ASK:
                side_of[one], where[one], left[one] = what - at.ADD_BID, price[row] - low, 0
            else:
                gone = left[one] if what == at.DELETE or what == at.MODIFY else lots
                left[one] -= gone
                sizes[side_of[one], where[one]] -= gone
            if what <= at.ADD_ASK or what == at.MODIFY:
                where[one], left[one] = price[row] - low, lots
                sizes[side_of[one], where[one]] += lots
            side, k = side_of[one], where[one]
            if side == 0:
                best[0] = max(best[0], k)
                while best[0] > 0 and sizes[0, best[0]] == 0:
                    best[0] -= 1
            else:
                best[1] = min(best[1], k)
                while best[1] < slots - 1 and sizes[1, best[1]] == 0:
                    best[1] += 1
            row += 1
        if row == n:
            return steps, bids, asks, sizes
        steps, bids, asks, now = steps + 1, bids + best[0] + low, asks + best[1] + low, now + interval


def trade(events: Events) -> tuple[MarketRun, np.ndarray]:
    """Run the market maker; return the run and what it remembered."""
    own = np.zeros(WORDS, dtype=np.int64)
    listed = np.empty((0, LISTED), dtype=np.int64)
    return run_compiled(events, watching_maker, LEVELS, every_ns=INTERVAL, memory=(own, listed)), own


def jobs(inputs: Inputs) -> list[Job]:
    """Return the one job; nothing else that is measured here has this semantics as a compiled strategy."""
    flow = order_flow(20_000 if inputs.quick else 500_000, seed=3)
    events, orders = flow.level3, flow.level3.a
    low, slots = int(events.price[1:].min()) - 2, int(events.price.max() - events.price[1:].min()) + 5
    taken: list[float] = []

    def karat() -> tuple[MarketRun, np.ndarray]:
        started = time.perf_counter()
        made = trade(events)
        taken.append(time.perf_counter() - started)
        return made

    def limit() -> Any:
        return rebuild(events.ts, events.kind, events.price, events.qty, orders, INTERVAL, low, slots)

    def check(ours: tuple[MarketRun, np.ndarray], theirs: Any, peer: dict[str, float] | None) -> bool:
        own, (steps, bids, asks, sizes) = ours[1], theirs
        depth = [sum(int(qty) for _, qty, _ in flow.final_depth[side]) for side in ("bid", "ask")]
        same = sizes.sum(axis=1).tolist() == depth and len(ours[0].fill_rows) > 0
        return bool(same and (own[STEPS], own[BIDS], own[ASKS]) == (steps, bids, asks))

    def more() -> dict[str, Any]:
        run, own = karat()
        figures = {"steps": int(own[STEPS]), "orders": int(own[SENT]), "fills": len(run.fill_rows)}
        return {"events_per_s": round(events.rows / statistics.median(taken[2::2]))} | figures

    return [Job("level3", karat, limit, check, None, more)]
