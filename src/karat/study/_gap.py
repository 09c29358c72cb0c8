"""How much worse the selected model is on `Test` than where it was fitted; printed beside gate 1, never deciding.

Losses of other years differ because the years do. So a loss is taken relative to climatology's on the same dates, and
the gap is that share on `Test` over that share on `Train`, less one: what the model lost of what it had learned.

Invariants:
1. Nothing is fitted: the stored models of the test folds forecast their own Train.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from karat.evidence import PRINTED, Check
from karat.study._cells import loss_on_train
from karat.study._context import Run
from karat.study._judge import Tests

TARGET: Final = 0.10
"""A model that generalises loses less than this."""
BASELINE: Final = "climatology"
NAME: Final = "generalisation gap"


def gap_check(run: Run, tests: Tests) -> Check:
    """Return the gap of the selected model at the primary horizon; its first seed speaks for Train."""
    primary = run.config.primary_horizon
    means = {
        item.entrant.title: float(item.by_date["pinball"].drop_nans().to_numpy().mean())
        for item in tests.summaries
        if item.horizon == primary
    }
    chosen = tests.chosen.name
    test = means[chosen] / means[BASELINE]
    train = _on_train(run, chosen) / _on_train(run, BASELINE)
    gap = test / train - 1.0
    reached = "below" if gap < TARGET else "not below"
    note = (
        f"loss relative to {BASELINE}: {train:.3f} on Train, {test:.3f} on Test; {reached} the target of {TARGET:.0%}"
    )
    return Check(NAME, gap, PRINTED, None, note)


def _on_train(run: Run, title: str) -> float:
    """Return the mean loss of an entrant's first seed on the Train of each test fold, the folds weighing alike."""
    entrant = run.plan.entrant(title)
    cells = run.plan.of(entrant, run.config.primary_horizon, "test")
    return float(np.mean([loss_on_train(run.task(cell)) for cell in cells if cell.seed == entrant.seeds[0]]))
