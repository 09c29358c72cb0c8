"""A market maker on 5,000,000 rows of level-2 data: one lot at the best bid and ask, looked at every 100 ms or 1 s.

Orders, cancels and answers take 10 ms each way, market data 1 ms. The queue before an order shrinks by trades and by
the PowerProb rule (n = 2) of hftbacktest. A row goes into the venue's book and, 1 ms later, into the strategy's.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

import numba
import numpy as np

from karat.data import Events, Instrument
from karat.kernels.market import layout as at
from karat.market import ConstantLatency, MarketRun, PowerQueue, RateFee, TradingTerms, VenueSpec, run_compiled
from karat.market import compiled as on
from market_jobs._feed import feed
from market_jobs._inputs import Inputs
from market_jobs._limit_level2 import LATENCY_NS, MOST, single_pass
from market_jobs._measure import Job

INTERVALS = {"level2_1s": 1_000_000_000, "level2_100ms": 100_000_000}
STEPS, BID_ID, BID_PRICE, ASK_ID, ASK_PRICE, SENT, WORDS = 0, 1, 2, 3, 4, 5, 8
LISTED = 4  # words of a listed order: side, sent, price, id
DELAY = ConstantLatency(latency_ns=LATENCY_NS)
SPEC = VenueSpec(
    cash={"USD": 10**10},
    money_quantum="0.01",
    open_orders=64,
    keep_equity=False,
    terms=TradingTerms(
        fee=RateFee(maker_bps=-0.5, taker_bps=7),
        queue=PowerQueue(exponent=2),
        entry=DELAY,
        response=DELAY,
        whole_fills=True,
    ),
)


@dataclass(frozen=True)
class Made:
    """What a run came to."""

    steps: int
    sent: int
    fills: int
    position: int


@numba.njit
def market_maker(market, now, row, memory):  # type: ignore[no-untyped-def]
    """Take back quotes that are not at the best prices any more, and quote where there is none.

    memory: (WORDS,) what it remembers, and (orders, LISTED) rows to list what it sends in, or none.
    """
    own, listed = memory
    own[STEPS] += 1
    held, bid, ask = on.position(market, 0), on.best(market, 0, on.BUY), on.best(market, 0, on.SELL)
    for side in (on.BUY, on.SELL):
        word, best = (BID_ID, bid) if side > 0 else (ASK_ID, ask)
        state = on.state(market, own[word]) if own[word] else 0
        if state == on.LIVE and own[word + 1] != best:
            on.send_cancel(market, own[word])
        own[word] *= state != 0
    for side in (on.BUY, on.SELL):
        word, best = (BID_ID, bid) if side > 0 else (ASK_ID, ask)
        if own[word] == 0 and side * held < MOST:
            own[word], own[word + 1] = on.send_limit(market, 0, side, 1, best, on.GTC, on.POST_ONLY), best
            if own[SENT] < len(listed):
                order = listed[own[SENT]]
                order[0], order[1], order[2], order[3] = side, now, best, own[word]
            own[SENT] += 1


def events_of(rows: dict[str, np.ndarray]) -> Events:
    """Return a feed as events of one instrument."""
    return Events(rows["exch"], rows["local"], rows["kind"], rows["price"], rows["qty"], (Instrument("A.SIM"),))


def trade(events: Events, interval: int, listed: np.ndarray) -> tuple[Made, MarketRun]:
    """Run the market maker over the feed, as long as rows are to come; what comes later is not counted."""
    own = np.zeros(WORDS, dtype=np.int64)
    run = run_compiled(events, market_maker, SPEC, every_ns=interval, memory=(own, listed))
    end, fills = int(events.ts[0]) + (int(own[STEPS]) + 1) * interval, run.fill_rows
    done, heard = (int(np.searchsorted(fills[:, word], end, side="right")) for word in (at.F_TS, at.F_KNOWN))
    held = int((fills[:heard, at.F_SIDE] * fills[:heard, at.F_QTY]).sum())
    return Made(int(own[STEPS]), int(own[SENT]), done, held), run


def jobs(inputs: Inputs) -> list[Job]:
    """Return the job for both intervals."""
    rows = feed(inputs.folder, quick=inputs.quick)
    events = events_of(rows)
    return [_job(rows, events, name, interval) for name, interval in INTERVALS.items()]


def _job(rows: dict[str, np.ndarray], events: Events, name: str, interval: int) -> Job:
    nothing = np.empty((0, LISTED), dtype=np.int64)
    taken: list[float] = []

    def karat() -> Made:
        started = time.perf_counter()
        made, _ = trade(events, interval, nothing)
        taken.append(time.perf_counter() - started)
        return made

    def limit() -> Made:
        return Made(*single_pass(*(rows[key] for key in ("exch", "local", "kind", "price", "qty")), interval))

    def check(ours: Made, theirs: Made, peer: dict[str, float] | None) -> bool:
        return ours == theirs and (peer is None or all(peer[key] == value for key, value in asdict(ours).items()))

    def more() -> dict[str, Any]:
        timed = taken[2::2]  # one run to warm up, then the second of every two is timed
        return {"events_per_s": round(events.rows / statistics.median(timed)), "orders": karat().sent}

    arrays = rows | {"interval": np.array([interval], dtype=np.int64)}
    return Job(name, karat, limit, check, (name, arrays), more)
