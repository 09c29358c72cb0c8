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
from karat.features._online import OnlineFeatures
from karat.features._rows import blocks
from karat.features._select import Selection, resolve

TOLERANCE: Final = 1e-12
"""Largest difference that counts as rounding, as a fraction of the feature's largest magnitude."""


@dataclass(frozen=True)
class ParityReport:
    """Outcome of `check_online`.

    passed: no feature differs. worst: largest difference, as a fraction of the feature's largest magnitude; a value
    that one of the two has and the other lacks counts as 1. offending: features that differ, sorted. evidence: a
    sentence for each. n_features, n_bars: how many were compared.
    """

    passed: bool
    worst: float
    offending: tuple[str, ...]
    evidence: tuple[str, ...]
    n_features: int
    n_bars: int


def check_online(panel: Panel, selection: Selection) -> ParityReport:
    """Compare the features bar by bar, with a restart half way, with those of the whole panel."""
    specs, _ = resolve(selection, panel)
    wanted = build(panel, specs).frame.select([spec.name for spec in specs]).to_numpy()
    found = np.empty_like(wanted)
    columns = columns_of(panel.frame, specs)
    for begin, end in blocks(panel.frame):
        live = OnlineFeatures(specs)
        rows = np.column_stack([columns[name][begin:end] for name in live.columns])
        for k, row in enumerate(rows):
            if k == len(rows) // 2:
                state, live = live.state(), OnlineFeatures(specs)
                live.restore(state)
            found[begin + k] = live.update(row)
    size = np.nan_to_num(np.abs(wanted)).max(axis=0, initial=0.0)
    gap = np.nan_to_num(np.abs(found - wanted)) / np.where(size > 0, size, 1.0)
    gap = np.where(np.isnan(found) != np.isnan(wanted), 1.0, gap)
    evidence = {}
    for k in np.flatnonzero((gap > TOLERANCE).any(axis=0)).tolist():
        row = int(np.argmax(gap[:, k] > TOLERANCE))
        name = specs[k].name
        evidence[name] = f"{name} is {found[row, k]:.17g} bar by bar and {wanted[row, k]:.17g} at once in row {row}"
    names = tuple(sorted(evidence))
    told = tuple(evidence[name] for name in names)
    return ParityReport(not names, float(gap.max(initial=0.0)), names, told, len(specs), len(wanted))
