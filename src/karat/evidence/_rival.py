"""What net returns are compared with in gate 2, and on the forward days of a frozen selection (decision 009).

Invariants:
1. Of several comparisons the one that shows least counts: each has to be won, so no correction is due (an
   intersection-union test, Berger 1982).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from karat.evidence._shapes import Comparison, Floats
from karat.evidence._sharpe import hedged_excess, matched_excess

CASH: Final = "cash"


@dataclass(frozen=True, eq=False)
class Rival:
    """The comparison that shows least: with whom, how (see `Case.comparison`), and its (d,) series."""

    name: str
    comparison: Comparison
    series: Floats


def hardest_in_money(net: Floats, baselines: Mapping[str, Floats], shown: str) -> Rival:
    """Return the comparison in which net returns show least.

    With cash: the net returns. With each baseline that trades: what is left of them after its share of the baseline's.
    With the baseline that `Valid` showed, `shown` (or cash): the excess at the same risk. net, baselines: (d,) net
    simple returns per bar.
    """
    rivals = [Rival(CASH, "cash", net)]
    rivals += [Rival(name, "share", hedged_excess(net, its)) for name, its in baselines.items() if np.ptp(its) > 0]
    if shown in baselines:
        rivals.append(Rival(shown, "risk", matched_excess(net, baselines[shown])))
    return min(rivals, key=lambda rival: shows(rival.series))


def shows(series: Floats) -> float:
    """Return the mean in units of the standard deviation, 0 for a series that does not vary; NaN is left out."""
    good = series[np.isfinite(series)]
    spread = float(good.std()) if len(good) else 0.0
    return float(good.mean()) / spread if spread > 0 else 0.0
