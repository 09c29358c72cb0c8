"""qlib's 158 features, 100 instruments of 2,500 days, full windows, one thread on both sides.

The limit is a single pass over each instrument and window, in float64, with running sums and float32 results.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from market_jobs import Job

from feature_jobs._bars import NAMES, Bars
from feature_jobs._limit_alpha158 import ORDER, run
from karat.features import FEATURES, TIERS
from karat.features._engine import compute_nodes


def jobs(bars: Bars, peers: str | None) -> list[Job]:
    """Return the one job."""
    n, days = (4, 600) if bars.quick else (100, 2_500)
    columns = [bars.arrays[name][:n, :days].astype(np.float32).astype(np.float64) for name in NAMES]
    flat = {name: np.ascontiguousarray(each).ravel() for name, each in zip(NAMES, columns, strict=True)}
    specs = [FEATURES[name] for name in TIERS["alpha158"]]
    roots, inputs = [spec.expression for spec in specs], [spec.inputs for spec in specs]
    blocks = [(k * days, (k + 1) * days) for k in range(n)]

    def karat(threads: int = 1) -> np.ndarray:
        out = np.empty((158, n * days))
        compute_nodes(flat, blocks, roots, inputs, out, threads=threads)
        return out

    def check(ours: np.ndarray, theirs: np.ndarray, peer: dict[str, float] | None) -> bool:
        values = dict(zip(TIERS["alpha158"], ours.reshape(158, n, days), strict=True))
        agree = [
            np.isclose(values[name][:, 100:], theirs[:, k, 100:], rtol=2e-3, atol=2e-4, equal_nan=True).mean()
            for k, name in enumerate(ORDER)
        ]
        return bool(min(agree) >= 0.99)

    def more() -> dict[str, Any]:
        return {"threads": 1, "values": 158 * n * days}

    return [Job("alpha158", karat, lambda: run(*columns), check, more=more)]
