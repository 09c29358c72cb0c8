"""1,000 pairs of windows on 10,000 bars, all the cash in or out, filled at the close of the decision.

Timed from the float64 column to the equity of every setting at every bar, signals included.
"""

from __future__ import annotations

import statistics
from typing import Any

import numba
import numpy as np

from karat.kernels import Decisions, many_crossings, moving_means
from karat.market import Bars, MarketSpec, Sweep
from karat.market import sweep as run_sweep
from market_jobs._inputs import Inputs
from market_jobs._measure import Job, seconds
from market_jobs.bars import CASH, FEE, SLIP, single_pass

PAIRS = [(fast, slow) for fast in range(5, 45) for slow in range(50, 300, 10)]


@numba.njit
def many_passes(close, pairs, equity):  # type: ignore[no-untyped-def]
    """Write the equity of each pair and return how many fills there were in all."""
    fills = 0
    for k in range(pairs.shape[0]):
        fills += single_pass(close, close, pairs[k, 0], pairs[k, 1], 0.0, False, equity[k])
    return fills


def jobs(inputs: Inputs) -> list[Job]:
    """Return the one job; its further figures are the gain of two threads and the memory above the input."""
    n, pairs = (2_000, PAIRS[::50]) if inputs.quick else (10_000, PAIRS)
    ts, close = inputs.bars["ts"][:n].copy(), inputs.bars["close"][:n].copy()
    spec = MarketSpec(
        capital_usd=CASH, proportional_bps=FEE * 1e4, slippage_bps=SLIP * 1e4, fill="same_close", cash="scale"
    )
    windows = sorted({window for pair in pairs for window in pair})
    place = np.array([[windows.index(window) for window in pair] for pair in pairs])
    equity, room = np.empty((len(pairs), n)), np.empty((len(pairs), n), dtype=np.int64)

    def karat(threads: int = 1, out: np.ndarray | None = room) -> Sweep:
        bars = Bars(ts, ("A",), None, close[:, None])
        means = moving_means(close, windows, threads=threads)

        def decide(a: int, b: int) -> Decisions:
            return many_crossings(means, place[a:b], above=1.0, below=0.0)

        return run_sweep(bars, decide, len(pairs), spec, threads=threads, out=out)

    def limit() -> int:
        return int(many_passes(close, np.array(pairs), equity))

    def check(ours: Sweep, fills: int, peer: dict[str, float] | None) -> bool:
        whole = ours.equity / float(1 / spec.quanta.money)
        same = int(ours.fills.sum()) == fills and np.allclose(whole, equity, rtol=1e-5)
        told = peer is None or (
            peer["fills"] == fills and np.isclose(peer["final_mean"], ours.final_usd.mean(), rtol=1e-6)
        )
        return bool(same and told)

    def more() -> dict[str, Any]:
        one, two = [], []
        for _ in range(2 if inputs.quick else 9):
            one.append(seconds(karat))
            two.append(seconds(lambda: karat(2)))
        gain = statistics.median(one) / statistics.median(two)
        return {
            "two_threads_s": round(statistics.median(two), 6),
            "two_threads_gain": round(gain, 2),
            **_memory(lambda: karat(out=None)),
        }

    return [Job("sweep", karat, limit, check, ("sweep", {"ts": ts, "close": close, "pairs": np.array(pairs)}), more)]


def _memory(run: Any) -> dict[str, float]:
    """Return the peak of resident memory during a run above what there was before, in MB (Linux)."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        before = _resident("VmRSS")
        run()
        return {"peak_mb_above_input": round(_resident("VmHWM") - before, 1)}
    except OSError:
        return {}


def _resident(key: str) -> float:
    with open("/proc/self/status") as file:
        return next(int(text.split()[1]) / 1024 for text in file if text.startswith(key))
