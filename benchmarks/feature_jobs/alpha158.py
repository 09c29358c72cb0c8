"""qlib's 158 features, 100 instruments of 2,500 days, full windows: on one thread of each side, then on two.

The limit is a loop over each instrument and window, in float64, with running sums and float32 results. The peer, beside
one thread, is qlib in one process (with two it took longer). `frame_s` is the time through the public frame output.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from market_jobs import Job, seconds

from feature_jobs._bars import NAMES, Bars
from feature_jobs._limit_alpha158 import ORDER, run
from karat.features import FEATURES, TIERS, build
from karat.features._engine import compute_nodes

AFTER = 100  # rows of an instrument before the first that is compared


def jobs(bars: Bars, peers: str | None) -> list[Job]:
    """Return the jobs on one thread and on two, where this machine has two."""
    n, days = (4, 600) if bars.quick else (100, 2_500)
    columns = [bars.arrays[name][:n, :days].astype(np.float32).astype(np.float64) for name in NAMES]
    return [_job(bars, columns, threads, peers) for threads in (1, 2) if threads <= len(os.sched_getaffinity(0))]


def _job(bars: Bars, columns: list[np.ndarray], threads: int, peers: str | None) -> Job:
    n, days = columns[0].shape
    flat = {name: np.ascontiguousarray(each).ravel() for name, each in zip(NAMES, columns, strict=True)}
    specs = [FEATURES[name] for name in TIERS["alpha158"]]
    roots, inputs = [spec.expression for spec in specs], [spec.inputs for spec in specs]
    blocks = [(k * days, (k + 1) * days) for k in range(n)]

    def karat() -> np.ndarray:
        out = np.empty((158, n * days))
        compute_nodes(flat, blocks, roots, inputs, out, threads=threads)
        return out

    def check(ours: np.ndarray, theirs: np.ndarray, peer: dict[str, float] | None) -> bool:
        made = dict(zip(TIERS["alpha158"], ours.reshape(158, n, days), strict=True))
        agree = [
            np.isclose(made[name][:, AFTER:], theirs[:, k, AFTER:], rtol=2e-3, atol=2e-4, equal_nan=True).mean()
            for k, name in enumerate(ORDER)
        ]
        told = 1.0 if peer is None else (peer["least_agreement"] if peer["columns"] == 158 else 0.0)
        return bool(min(*agree, told) >= 0.99)

    def more() -> dict[str, Any]:
        panel = bars.panel(n, days)
        with _on(threads):
            frame = statistics.median(seconds(lambda: build(panel, "alpha158")) for _ in range(3))
        return {"threads": threads, "values": 158 * n * days, "frame_s": round(frame, 6)}

    peer = ("alpha158", _given(columns, karat())) if peers and threads == 1 else None
    return Job(f"alpha158, threads {threads}", karat, lambda: run(columns, threads), check, peer, more)


def _given(columns: list[np.ndarray], karat: np.ndarray) -> dict[str, np.ndarray]:
    """Return what the peer's process reads: the same bars, and karat's values to compare its own with."""
    return {
        "bars": np.stack(columns, axis=1),
        "karat": karat.astype(np.float32),
        "names": np.array(TIERS["alpha158"]),
        "after": np.array(AFTER),
    }


@contextmanager
def _on(processors: int) -> Iterator[None]:
    """Keep this thread, and those that it starts, on as many processors."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:processors])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
