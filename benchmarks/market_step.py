"""How fast is the rebalancing kernel: 500 assets over 5,000 days, daily rebalance to given weights, 10 bps.

Both sides run in one process on the same arrays: karat's kernel with all its outputs (positions, cash, itemised costs,
counts, missing prices allowed), and a bare limit written with numpy, one vectorised step a day, equity alone.
Quote the ratio, not the times: machines are shared.

    python benchmarks/market_step.py [--json] [--assets 500] [--days 5000] [--repeat 7]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from karat.kernels import Terms, prepare, rebalance

CAPITAL, RATE = 1e8, 1e-3


def world(days: int, assets: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (T, N) prices and weights that sum to one."""
    rng = np.random.default_rng(0)
    prices = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, (days, assets)), axis=0))
    raw = rng.random((days, assets))
    return prices, raw / raw.sum(axis=1, keepdims=True)


def limit(prices: np.ndarray, weights: np.ndarray) -> float:
    """Return the final equity, filled at the close of the decision, as little as can be done a day in numpy."""
    held, cash, equity = np.zeros(prices.shape[1]), CAPITAL, CAPITAL
    for price, weight in zip(prices, weights, strict=True):
        equity = cash + float(held @ price)
        wanted = weight * (equity / price)
        moved = (wanted - held) * price
        cash -= float(moved.sum()) + RATE * float(np.abs(moved).sum())
        held = wanted
    return cash + float(held @ prices[-1])


def kernel(prices: np.ndarray, weights: np.ndarray) -> float:
    """Return the final equity of karat's kernel under the same rule."""
    terms = Terms(CAPITAL, RATE, 0.0, lag=0, at_close=True, by_weight=True)
    return float(rebalance(weights, prices, prices, terms=terms).equity[-1])


def median_seconds(run: Callable[[], float], repeat: int) -> float:
    """Return the median wall time of `repeat` calls after one to warm up."""
    run()
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    """Time both sides and print their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument("--assets", type=int, default=500)
    parser.add_argument("--days", type=int, default=5_000)
    parser.add_argument("--repeat", type=int, default=7)
    given = parser.parse_args()
    prices, weights = world(given.days, given.assets)
    started = time.perf_counter()
    prepare()
    ready = time.perf_counter() - started
    theirs, ours = limit(prices, weights), kernel(prices, weights)
    assert abs(theirs - ours) <= 1e-9 * abs(theirs), f"the two sides disagree: {theirs} and {ours}"
    ours_s = median_seconds(lambda: kernel(prices, weights), given.repeat)
    limit_s = median_seconds(lambda: limit(prices, weights), given.repeat)
    facts = {
        "benchmark": "market_step",
        "assets": given.assets,
        "days": given.days,
        "kernel_s": round(ours_s, 6),
        "numpy_limit_s": round(limit_s, 6),
        "numpy_limit_over_kernel": round(limit_s / ours_s, 2),
        "asset_bars_per_s": round(given.assets * given.days / ours_s),
        "ready_s": round(ready, 3),
        "final_equity": ours,
    }
    if given.json:
        print(json.dumps(facts))
    else:
        print("\n".join(f"{key:24} {value}" for key, value in facts.items()))


if __name__ == "__main__":
    main()
