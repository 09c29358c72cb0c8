"""Calibration as it would have run: at every forecast only the outcomes known by then have been learned.

Invariants:
1. A row's result depends on outcomes with `end_ns` at or before its `known_at`, and on nothing later.
2. Cutting off or changing the future changes no earlier result.
"""

from __future__ import annotations

import numpy as np

from karat.evidence._shapes import Floats
from karat.evidence.calibration._calibrator import Calibrator
from karat.evidence.calibration._pairs import ClassRows


def replay(calibrator: Calibrator, rows: ClassRows) -> Floats:
    """Return (n, c) probabilities, each calibrated with what was known at its `known_at`.

    `rows` in any order; the calibrator may be fitted before and has learned every outcome that fell due afterwards.
    """
    due = np.argsort(rows.end_ns, kind="stable")
    ends = rows.end_ns[due]
    out, done = np.empty_like(rows.probabilities), 0
    for now in np.unique(rows.known_at):
        reached = int(np.searchsorted(ends, now, side="right"))
        calibrator.update(rows.take(due[done:reached]))
        done = reached
        mine = rows.known_at == now
        out[mine] = calibrator.apply(rows.probabilities[mine], rows.regime[mine])
    return out
