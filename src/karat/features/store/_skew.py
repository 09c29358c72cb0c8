"""Skew: what was served against what the offline store says was known then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from karat.features.store._offline import current_at
from karat.features.store._online import Served


@dataclass(frozen=True)
class Skew:
    """rows: compared. missing: served without an offline row. stale: another bar than the newest known. differing: rows
    with a value beyond `rtol` of the offline one; largest: relative difference, of `feature`.
    """

    rows: int
    missing: int
    stale: int
    differing: int
    largest: float
    feature: str

    @property
    def clean(self) -> bool:
        """Whether serving and research saw the same."""
        return self.missing == self.stale == self.differing == 0


def skew_of(
    served: Sequence[Served], at_ns: Sequence[int], rows: dict[str, pl.DataFrame], names: Sequence[str], rtol: float
) -> Skew:
    """Return the skew of what was served at the given moments against the stored rows of each instrument."""
    missing = stale = differing = 0
    largest, feature = 0.0, ""
    for one, at in zip(served, at_ns, strict=True):
        frame = rows[one.instrument]
        place = int(current_at(frame, np.array([at]))[0])
        if place < 0:
            missing += 1
            continue
        stale += int(frame["ts"][place]) != one.ts
        theirs = np.array(frame.row(place)[2:], dtype=np.float64)
        if int(frame["ts"][place]) != one.ts:
            continue
        gap = np.abs(one.values - theirs) / np.maximum(np.abs(theirs), 1e-300)
        gap = np.where(np.isnan(one.values) & np.isnan(theirs), 0.0, np.where(np.isfinite(gap), gap, np.inf))
        gap = np.where(one.values == theirs, 0.0, gap)
        differing += int((gap > rtol).any())
        if gap.max(initial=0.0) > largest:
            largest, feature = float(gap.max()), names[int(gap.argmax())]
    return Skew(len(served), missing, stale, differing, largest, feature)
