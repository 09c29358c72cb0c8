"""The scale that every forecaster shares: an exponentially weighted volatility, known at the bar's close.

| symbol | meaning                                                            | shape  | unit         |
|--------|--------------------------------------------------------------------|--------|--------------|
| r_t    | simple close-to-close return of the bar ending at t                | (n,)   | fraction     |
| l      | `decay`; 0.94 a day is RiskMetrics (1996)                          | scalar | 1            |
| v_t    | (sum_i l^i r²_{t-i} + w l^(t+1) p) / (sum_i l^i + w l^(t+1))       | (n,)   | fraction²    |
| p, w   | prior variance, from Train, and its weight in bars                 | scalar | fraction², 1 |
| y      | label: forward simple return of the horizon                        | (m,)   | fraction     |
| c      | `ratio`: root mean square of y / sqrt(v) on Train                  | scalar | 1            |
| s_t    | c sqrt(v_t), the scale of y at t                                   | (m,)   | fraction     |

Invariants:
1. v_t reads r up to and with t, of the row's own instrument only. A missing return adds nothing and forgets nothing.
2. v_t is positive; a stale series falls to 1e-4 of the prior and not further.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from karat.data import Inputs, Table, Train
from karat.models._types import Floats, Ints

DECAY: Final = 0.94
_WEIGHT: Final = 5.0  # bars that the prior counts for at an instrument's first row: forgotten within a quarter
_FLOOR: Final = 1e-4


def spans(code: Ints) -> list[slice]:
    """Return the rows of each instrument, in order of appearance."""
    cuts = np.flatnonzero(np.r_[True, code[1:] != code[:-1]])
    return [slice(int(a), int(b)) for a, b in zip(cuts, [*cuts[1:], len(code)], strict=True)]


def ewma_variance(table: Table, decay: float, prior: float) -> Floats:
    """Return (n,) v_t for every row of the table; see the module."""
    from scipy.signal import lfilter

    seen = np.isfinite(table.returns)
    square = np.where(seen, table.returns, 0.0) ** 2
    out = np.empty(len(square))
    for rows in spans(table.code):
        # A gap keeps the state: decay only over observed bars, so run the filter on those and carry forward.
        index = np.cumsum(seen[rows])
        kept = square[rows][seen[rows]]
        top, _ = lfilter([1.0], [1.0, -decay], kept, zi=[decay * _WEIGHT * prior])
        bottom, _ = lfilter([1.0], [1.0, -decay], np.ones(len(kept)), zi=[decay * _WEIGHT])
        out[rows] = np.r_[prior, top / bottom][index]
    return np.maximum(out, _FLOOR * prior)


@dataclass(frozen=True)
class Scale:
    """A fitted scale: `of` gives s_t for the rows of a view."""

    decay: float
    prior: float
    ratio: float

    @classmethod
    def fit(cls, train: Train, decay: float = DECAY) -> Scale:
        """Fit prior and ratio on Train."""
        returns = train.table.returns[np.isfinite(train.table.returns)]
        prior = max(float(np.mean(returns**2)) if len(returns) else 0.0, 1e-12)
        sigma = np.sqrt(ewma_variance(train.table, decay, prior)[train.rows])
        ratio = float(np.sqrt(np.mean((train.labels.value / sigma) ** 2)))
        return cls(decay, prior, max(ratio, 1e-6))

    def of(self, inputs: Inputs) -> Floats:
        """Return (m,) s_t of the view's rows, fraction."""
        return self.ratio * np.sqrt(ewma_variance(inputs.table, self.decay, self.prior)[inputs.rows])

    def to_dict(self) -> dict[str, float]:
        """Return the fields, for `State.values`."""
        return {"decay": self.decay, "prior": self.prior, "ratio": self.ratio}
