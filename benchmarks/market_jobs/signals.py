"""Decisions in bulk: 1,000 pairs of windows, 10,000 bars: is the fast mean above the slow one, and where does it turn.

The means are given. The limit compares two rows bar by bar in one pass and counts the turns. Which vector instructions
there are is read from the processor at run time. A single decision from Python is one bar of one pair.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np

from karat.kernels import Decisions, many_crossings, moving_means
from market_jobs._inputs import Inputs
from market_jobs._measure import Job, seconds
from market_jobs.sweep import PAIRS

VECTOR = ("sse2", "avx2", "fma", "avx512f", "neon")


@numba.njit
def single_pass(means, place):  # type: ignore[no-untyped-def]
    """Return the turns of every pair, the first state not among them."""
    turns = np.zeros(len(place), dtype=np.int64)
    for k in range(len(place)):
        fast, slow, state = means[place[k, 0]], means[place[k, 1]], 0
        for t in range(fast.size):
            now = 1 if fast[t] > slow[t] else (2 if fast[t] <= slow[t] else 0)
            if now != 0 and now != state:
                turns[k] += state != 0
                state = now
    return turns


def jobs(inputs: Inputs) -> list[Job]:
    """Return the one job."""
    n, pairs = (2_000, PAIRS[::50]) if inputs.quick else (10_000, PAIRS)
    close = inputs.bars["close"][:n].copy()
    windows = sorted({window for pair in pairs for window in pair})
    place = np.array([[windows.index(window) for window in pair] for pair in pairs])
    means = moving_means(close, windows)

    def karat() -> Decisions:
        return many_crossings(means, place, above=1.0, below=0.0)

    def check(ours: Decisions, theirs: np.ndarray, peer: dict[str, float] | None) -> bool:
        return bool((np.diff(ours.starts) == theirs).all()) and int(theirs.sum()) > 0

    def more() -> dict[str, Any]:
        features = llvm.get_host_cpu_features()
        batch = statistics.median(seconds(karat) for _ in range(3))
        pair, one, taken = place[:1], np.ascontiguousarray(means[:, -1:]), []
        for _ in range(2_000):
            started = time.perf_counter_ns()
            many_crossings(one, pair, above=1.0, below=0.0)
            taken.append(time.perf_counter_ns() - started)
        return {
            "decisions": n * len(pairs),
            "decisions_per_s": round(n * len(pairs) / batch),
            "turns": int(np.diff(karat().starts).sum()),
            "single_call_p50_ns": round(statistics.median(taken)),
            "cpu": llvm.get_host_cpu_name(),
            "vector": [name for name in VECTOR if features.get(name)],
        }

    return [Job("signals", karat, lambda: single_pass(means, place), check, more=more)]
