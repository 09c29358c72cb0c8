"""How often something happens, from how often it was seen: exact binomial bounds.

Invariants:
1. Each bound is one-sided: the true rate lies beyond it with probability at most 1 - level, whatever it is.
2. Nothing seen gives a lower bound of 0, everything seen an upper bound of 1; without trials the bounds are 0 and 1.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from scipy.special import betaincinv

from karat.core import InputError


@dataclass(frozen=True)
class Rate:
    """`count` of `of`: the share (NaN of none), its lower and its upper one-sided bound."""

    count: int
    of: int
    rate: float
    lower: float
    upper: float

    def to_dict(self) -> dict[str, float | int | None]:
        """Return the fields, ready for JSON."""
        return {**asdict(self), "rate": self.rate if self.of else None}


def exact_rate(count: int, of: int, *, level: float = 0.95) -> Rate:
    """Return the share with its exact bounds, each one-sided at `level`.

    Source: Clopper and Pearson (1934).

    Raises:
        InputError: a count outside 0 to `of`, or a level outside (0, 1).

    Example:
        >>> round(exact_rate(0, 59).upper, 4)
        0.0495
    """
    if not 0 <= count <= of:
        raise InputError("count", count, allowed=f"0 to {of}")
    if not 0 < level < 1:
        raise InputError("level", level, allowed="between 0 and 1")
    lower = float(betaincinv(count, of - count + 1, 1.0 - level)) if count else 0.0
    upper = float(betaincinv(count + 1, of - count, level)) if count < of else 1.0
    return Rate(count, of, count / of if of else math.nan, lower, upper)
