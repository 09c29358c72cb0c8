"""`step`: the time of one row online, in the kernel and through the public model."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from market_jobs import Asked

from karat.data import load
from karat.features.regimes import as_train, make_regime
from karat.kernels import HiddenMarkov, step_state

STATES = 6


def kernel_step(n: int) -> dict[str, Any]:
    """Return the time of `step_state`, six states and two coordinates, from Python."""
    rng = np.random.default_rng(0)
    start, transition = np.full(STATES, 1 / STATES), np.full((STATES, STATES), 0.04) + 0.76 * np.eye(STATES)
    model = HiddenMarkov(start, transition, rng.normal(size=(STATES, 2)), np.ones((STATES, 2)))
    x, now, taken = rng.normal(size=(n, 2)), None, []
    for row in x:
        began = time.perf_counter_ns()
        now, _ = step_state(row, model, now)
        taken.append(time.perf_counter_ns() - began)
    median, high = np.percentile(taken, [50, 99]) / 1e3
    return {"job": "step_state", "median_us": round(median, 1), "p99_us": round(high, 1)}


def facts(asked: Asked) -> Iterator[dict[str, Any]]:
    """Yield the time of one row through the public model, after its fit."""
    panel = load("bundled", dataset="nasdaq")
    yield kernel_step(2_000 if asked.quick else 20_000)
    rows = list(panel.frame[3000 : 3300 if asked.quick else 5000].iter_rows(named=True))
    for name in ("volatility", "liquidity", "change", "hidden", "neural"):
        model = make_regime(name, refits=None).fit(as_train(panel, int(panel.frame["ts"][2999])))
        taken = []
        for row in rows:
            began, busy = time.perf_counter_ns(), time.thread_time_ns()
            model.step(row["ts"], row)
            taken.append((time.perf_counter_ns() - began, time.thread_time_ns() - busy))
        (median, _), (high, high_cpu) = np.percentile(taken[50:], [50, 99], axis=0) / 1e3
        line: dict[str, Any] = {"job": f"step_{name}", "median_us": round(median, 1), "p99_us": round(high, 1)}
        yield line | {"p99_cpu_us": round(high_cpu, 1), "load": round(os.getloadavg()[0], 2)}
