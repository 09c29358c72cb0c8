"""500 instruments, 5,000 days: each day to the given weights at the close, 10 bps, 1e8 of cash, records itemised.

karat holds buys to the cash there is after the sales; the limit borrows the fees. That the rules are the same is
checked once with karat borrowing too. Timed from float64 matrices to equity, costs by kind and positions, all whole
numbers, from which price, reference price and fee of each fill follow exactly: `records_s` is what writing them out
takes more.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numba
import numpy as np

from karat.market import Bars, MarketSpec, Simulation, TargetWeights, simulate
from market_jobs._inputs import Inputs
from market_jobs._measure import Job

FEE, CASH = 0.001, 1e8


@numba.njit
def single_pass(close, weights, equity, held):  # type: ignore[no-untyped-def]
    """Write the equity in one pass over the days and return the cash that is left."""
    cash = CASH
    held[:] = 0.0
    for t in range(close.shape[0]):
        worth = cash
        for i in range(close.shape[1]):
            worth += held[i] * close[t, i]
        traded = 0.0
        for i in range(close.shape[1]):
            wanted = weights[t, i] * worth / close[t, i]
            moved = (wanted - held[i]) * close[t, i]
            traded += abs(moved)
            cash -= moved
            held[i] = wanted
        cash -= FEE * traded
        equity[t] = worth - FEE * traded
    return cash


def jobs(inputs: Inputs) -> list[Job]:
    """Return the one job."""
    ts, close, weights = (inputs.panel[key] for key in ("ts", "close", "weights"))
    names = tuple(f"S{i:03d}" for i in range(close.shape[1]))
    spec = MarketSpec(capital_usd=CASH, proportional_bps=FEE * 1e4, fill="same_close", cash="scale", price_quantum=1e-4)
    spec = spec.model_copy(update={"lot_quantum": 1e-4})
    equity, held = np.empty(len(ts)), np.empty(close.shape[1])

    def karat(spec: MarketSpec = spec) -> Simulation:
        return simulate(Bars(ts, names, None, close), TargetWeights(ts, weights), spec)

    def limit() -> float:
        return float(single_pass(close, weights, equity, held))

    def check(ours: Simulation, cash: float, peer: dict[str, float] | None) -> bool:
        borrowing = karat(spec.model_copy(update={"cash": "borrow"}))
        same = np.allclose(borrowing.equity_usd, equity, rtol=1e-5) and ours.run.cash.min() >= 0
        told = peer is None or abs(peer["final"] / ours.equity_usd[-1] - 1) < 5e-3
        return bool(same and told)

    def more() -> dict[str, Any]:
        taken = []
        for _ in range(3):
            ours = karat()
            started = time.perf_counter()
            _ = ours.run.records
            taken.append(time.perf_counter() - started)
        return {
            "records_s": round(statistics.median(taken), 6),
            "fills": int(ours.run.fills.sum()),
            "final": round(float(ours.equity_usd[-1]), 2),
        }

    return [Job("rebalance", karat, limit, check, ("rebalance", {"ts": ts, "close": close, "weights": weights}), more)]
