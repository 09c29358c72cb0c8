"""One instrument, 1,000,000 bars: moving averages of 10 and 50 bars, long 10 units or flat, 1e6 of cash.

10 bps of fees and 5 bps of slippage. Timed from float64 columns to fills and equity, signals and checks included.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from karat.kernels import mean_crossings
from karat.market import Bars, MarketSpec, Simulation, TargetQuantities, simulate
from market_jobs._inputs import Inputs
from market_jobs._measure import Job

FEE, SLIP, CASH, UNITS, FAST, SLOW = 0.001, 0.0005, 1e6, 10.0, 10, 50


@numba.njit
def single_pass(close, opens, fast, slow, units, next_open, equity):  # type: ignore[no-untyped-def]
    """Write the equity in one pass and return how many fills there were; units 0: all the cash there is."""
    sum_fast = sum_slow = held = 0.0
    cash, waiting, fills, above, known = CASH, 0, 0, False, False
    for t in range(close.size):
        if waiting == 1:
            paid = opens[t] * (1 + SLIP) * (1 + FEE)
            held = units if units > 0 else cash / paid
            cash -= held * paid
            fills, waiting = fills + 1, 0
        elif waiting == -1:
            cash += held * opens[t] * (1 - SLIP) * (1 - FEE)
            held, fills, waiting = 0.0, fills + 1, 0
        sum_fast += close[t]
        sum_slow += close[t]
        if t >= fast:
            sum_fast -= close[t - fast]
        if t >= slow:
            sum_slow -= close[t - slow]
        if t >= slow - 1:
            now = sum_fast / fast > sum_slow / slow
            if known and now and not above and held == 0.0:
                if next_open:
                    waiting = 1
                else:
                    paid = close[t] * (1 + SLIP) * (1 + FEE)
                    held = units if units > 0 else cash / paid
                    cash -= held * paid
                    fills += 1
            elif known and above and not now and held > 0.0:
                if next_open:
                    waiting = -1
                else:
                    cash += held * close[t] * (1 - SLIP) * (1 - FEE)
                    held, fills = 0.0, fills + 1
            above, known = now, True
        equity[t] = cash + held * close[t]
    return fills


def jobs(inputs: Inputs) -> list[Job]:
    """Return the job filled at the next open, and at the close of the decision."""
    return [_job(inputs, "bars", "next_open"), _job(inputs, "bars_same_close", "same_close")]


def _job(inputs: Inputs, name: str, fill: Any) -> Job:
    ts, opens, close = (inputs.bars[key] for key in ("ts", "open", "close"))
    spec = MarketSpec(capital_usd=CASH, proportional_bps=FEE * 1e4, slippage_bps=SLIP * 1e4, fill=fill)
    equity = np.empty(len(close))

    def karat() -> Simulation:
        bars = Bars(ts, ("A",), opens[:, None], close[:, None])
        rows, units = mean_crossings(close, FAST, SLOW, above=UNITS, below=0.0)
        return simulate(bars, TargetQuantities(ts[rows], units[:, None]), spec)

    def limit() -> int:
        return int(single_pass(close, opens, FAST, SLOW, UNITS, fill == "next_open", equity))

    def check(ours: Simulation, fills: int, peer: dict[str, float] | None) -> bool:
        same = len(ours.run.records.row) == fills and np.allclose(ours.equity_usd, equity, rtol=0, atol=1e-7 * CASH)
        told = peer is None or (peer["fills"] == fills and abs(peer["final"] - equity[-1]) < 1e-7 * CASH)
        return bool(same and told)

    return Job(name, karat, limit, check, (name, {"ts": ts, "open": opens, "close": close}))
