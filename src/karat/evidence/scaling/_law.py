"""`ScalingLaw`: a loss that falls with scale, L = E + sum of A_k x_k^(-a_k).

| symbol | meaning | unit |
|---|---|---|
| x_k | a scale: parameters N, training rows D, windows, instruments … | count |
| E | floor: what no scale removes; 0 where it was not fitted | as the loss |
| A_k, a_k | amount and exponent of a term | as the loss, 1 |
| C | compute, 6 N D | FLOP |

Amounts alone mean little: over the range of most data another A with another a fits as well. Compare exponents, the
floor and predicted losses. Source: Hoffmann and others (2022), approach 3.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from karat._words import counted
from karat.core import InputError
from karat.evidence._shapes import Floats


@dataclass(frozen=True)
class ScalingLaw:
    """Names of the scales, floor, amounts and exponents in their order.

    `objective` is the sum of Huber losses at `delta`, `agreeing` how many of `starts` ended within 0.1 % of the best.
    """

    names: tuple[str, ...]
    floor: float
    amounts: tuple[float, ...]
    exponents: tuple[float, ...]
    objective: float = 0.0
    starts: int = 0
    agreeing: int = 0
    delta: float = 1e-3

    def predict(self, scales: Floats) -> Floats:
        """Return the loss, (n,), at scales (n, k).

        Example:
            >>> ScalingLaw(("n",), 1.0, (2.0,), (0.5,)).predict(np.array([[4.0]])).tolist()
            [2.0]
        """
        terms = np.array(self.amounts) * scales ** -np.array(self.exponents)
        return np.asarray(self.floor + terms.sum(axis=1), dtype=np.float64)

    @property
    def share_of_first(self) -> float:
        """Return a_2 / (a_1 + a_2): as compute grows, the power of it that the best first scale follows.

        Raises:
            InputError: not exactly two scales.
        """
        first, second = self._two()
        return second / (first + second)

    def optimal(self, compute: float) -> tuple[float, float]:
        """Return the two scales of least loss for `compute` = 6 x_1 x_2, by Hoffmann and others (2022), eq. 4.

        Raises:
            InputError: not exactly two scales, or a compute that is not positive.
        """
        first, second = self._two()
        if not compute > 0:
            raise InputError("compute", compute, allowed="a positive number of FLOP")
        balance = (first * self.amounts[0] / (second * self.amounts[1])) ** (1.0 / (first + second))
        best = balance * (compute / 6.0) ** self.share_of_first
        return best, compute / 6.0 / best

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return asdict(self)

    def _two(self) -> tuple[float, float]:
        if len(self.exponents) != 2:
            raise InputError("law", counted(len(self.exponents), "scale"), allowed="two: parameters and training rows")
        return self.exponents[0], self.exponents[1]
