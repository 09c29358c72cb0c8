"""Online equals batch: proof by experiment that a live value is the one research sees.

Every instrument's bars go one by one through `OnlineFeatures`; half way its state is turned into bytes and another
object goes on from them. The values must be those of `build` over all bars.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from karat.data import Panel
from karat.features._build import build, columns_of
from karat.features._compare import Comparison, difference, magnitude, outcome
from karat.features._online import OnlineFeatures
from karat.features._select import Selection, resolve

TOLERANCE: Final = 1e-12
"""Largest difference that counts as rounding, as a fraction of the feature's largest magnitude."""


@dataclass(frozen=True)
class ParityReport(Comparison):
    """Outcome of `check_online`; `n_bars` rows were compared, those of all instruments."""

    n_bars: int


def check_online(panel: Panel, selection: Selection) -> ParityReport:
    """Compare the features bar by bar, with a restart half way, with those of the whole panel."""
    specs, _ = resolve(selection, panel)
    wanted = build(panel, specs).frame.select([spec.name for spec in specs]).to_numpy()
    found = np.empty_like(wanted)
    columns = columns_of(panel.frame, specs)
    for begin, end in panel.blocks:
        live = OnlineFeatures(specs)
        rows = np.column_stack([columns[name][begin:end] for name in live.columns])
        for k, row in enumerate(rows):
            if k == len(rows) // 2:
                state, live = live.state(), OnlineFeatures(specs)
                live.restore(state)
            found[begin + k] = live.update(row)
    gap = difference(wanted, found, magnitude(wanted))
    evidence = {}
    for k in np.flatnonzero((gap > TOLERANCE).any(axis=0)).tolist():
        row = int(np.argmax(gap[:, k] > TOLERANCE))
        name = specs[k].name
        evidence[name] = f"{name} is {found[row, k]:.17g} bar by bar and {wanted[row, k]:.17g} at once in row {row}"
    return ParityReport(*outcome(gap, evidence), len(specs), len(wanted))
