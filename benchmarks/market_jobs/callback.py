"""A strategy in Python, called for each of 200,000 bars, moving averages of 10 and 50 bars computed beforehand.

Long 10 units or flat, filled at the next open, 10 bps of fees. The limit is a bare loop that calls a Python function
with two numbers a bar. `sma_bars_per_s` is the same strategy with its averages kept in Python inside the call.
"""

from __future__ import annotations

import statistics
from collections import deque
from typing import Any

import numpy as np

from karat.data import Events, Instrument
from karat.kernels import moving_means
from karat.kernels.market import layout as at
from karat.market import Context, MarketRun, RateFee, TradingTerms, VenueSpec, run_strategy
from market_jobs._inputs import MINUTE_NS, Inputs
from market_jobs._measure import Job, seconds

FAST, SLOW, UNITS = 10, 50, 10
SPEC = VenueSpec(terms=TradingTerms(fee=RateFee(maker_bps=10, taker_bps=10)), cash={"USD": 1e6})


class Crossing:
    """Long while the fast average is above the slow one, from averages that are there already."""

    def __init__(self, fast: list[float], slow: list[float]) -> None:
        self.fast, self.slow, self.above, self.held = fast, slow, False, False

    def __call__(self, context: Context, row: int) -> None:
        above = self.fast[row] > self.slow[row]
        if above != self.above and row >= SLOW:
            if above and not self.held:
                context.buy(UNITS)
                self.held = True
            elif not above and self.held:
                context.sell(UNITS)
                self.held = False
        self.above = above


class OwnMeans:
    """The same with sums kept in Python."""

    def __init__(self, close: list[float]) -> None:
        self.close, self.above, self.held = close, False, False
        self.last, self.fast, self.slow = deque([0.0] * SLOW, SLOW), 0.0, 0.0

    def __call__(self, context: Context, row: int) -> None:
        last, price = self.last, self.close[row]
        self.fast += price - last[-FAST]
        self.slow += price - last[0]
        last.append(price)
        above = self.fast / FAST > self.slow / SLOW and row >= SLOW - 1
        if above != self.above and row >= SLOW:
            if above and not self.held:
                context.buy(UNITS)
                self.held = True
            elif not above and self.held:
                context.sell(UNITS)
                self.held = False
        self.above = above


def events_of(inputs: Inputs) -> tuple[Events, np.ndarray]:
    """Return the bars as events in millionths, and their closes."""
    n = 20_000 if inputs.quick else 200_000
    start, opens, close = (inputs.bars[key][:n] for key in ("ts", "open", "close"))
    ticks = [
        np.rint(values * 1e6).astype(np.int64)
        for values in (opens, np.maximum(opens, close), np.minimum(opens, close), close)
    ]
    events = Events(
        start + MINUTE_NS,
        start + MINUTE_NS,
        np.full(n, at.BAR, dtype=np.int8),
        ticks[0],
        np.full(n, -1, dtype=np.int64),
        (Instrument("A.XNYS"),),
        a=ticks[1],
        b=ticks[2],
        c=ticks[3],
        d=start,
        basis=("split_adjusted",),
    )
    return events, close


def jobs(inputs: Inputs) -> list[Job]:
    """Return the one job."""
    events, close = events_of(inputs)
    fast, slow = (np.nan_to_num(means).tolist() for means in moving_means(close, [FAST, SLOW]))

    def karat() -> MarketRun:
        return run_strategy(events, Crossing(fast, slow), SPEC)

    def limit() -> int:
        above, crossings = False, 0

        def on_bar(row: int, quick: float, lazy: float) -> None:
            nonlocal above, crossings
            now = quick > lazy
            if now != above and row >= SLOW:
                crossings += 1
            above = now

        for row, (quick, lazy) in enumerate(zip(fast, slow, strict=True)):
            on_bar(row, quick, lazy)
        return crossings

    def check(run: MarketRun, crossings: int, peer: dict[str, float] | None) -> bool:
        return abs(len(run.fill_rows) - crossings) <= 1 and (
            peer is None or abs(peer["fills"] - len(run.fill_rows)) <= 1
        )

    def more() -> dict[str, Any]:
        plain = statistics.median(seconds(karat) for _ in range(3))
        own = statistics.median(seconds(lambda: run_strategy(events, OwnMeans(close.tolist()), SPEC)) for _ in range(3))
        return {
            "bars": events.rows,
            "bars_per_s": round(events.rows / plain),
            "sma_bars_per_s": round(events.rows / own),
        }

    arrays = {"open": inputs.bars["open"][: events.rows], "close": close, "ts": inputs.bars["ts"][: events.rows]}
    return [Job("callback", karat, limit, check, ("callback", arrays), more)]
