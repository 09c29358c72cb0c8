"""Which baseline a candidate has to beat: in money the best one on `Valid`, in skill the one hardest to beat.

Invariants:
1. The baseline for money is chosen on `Valid` alone.
2. The baseline for skill is the one over which the candidate shows least, whatever that is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from karat.study._score import Scored, skill_terms


def best_in_money(worth: Mapping[str, float]) -> str:
    """Return the baseline with the highest net Sharpe ratio; one that never traded is worth nothing, not less."""
    return max(worth, key=lambda name: worth[name] if np.isfinite(worth[name]) else 0.0)


def hardest(item: Scored, baselines: Sequence[Scored]) -> tuple[str, np.ndarray]:
    """Return the baseline over which a model's skill is shown least, and its (d,) Clark-West terms against it.

    A baseline whose location is wrong is beaten by anything that does not share its mistake, so that beating one of
    them proves nothing: the model has to beat each (an intersection-union test, Berger 1982).
    """
    terms = {baseline.name: skill_terms(item, baseline) for baseline in baselines}

    def shown(name: str) -> float:
        spread = float(np.nanstd(terms[name]))
        return float(np.nanmean(terms[name])) / spread if spread > 0 else 0.0

    rival = min(terms, key=shown)
    return rival, terms[rival]
