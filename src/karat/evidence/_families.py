"""Families of comparisons: which p-values are adjusted together, by which method, and what that bounds.

A family is named before its p-values are seen. The verdict's own family (every trial of the same instruments and test
dates) is not here: `max_t` adjusts it from the series themselves.

Invariants:
1. Adjusted p-values keep the order of the raw ones and are never below them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from karat.core import InputError
from karat.evidence._multiplicity import Method, adjust_p
from karat.evidence._shapes import Floats


@dataclass(frozen=True)
class Family:
    """What belongs to it, the method of `adjust_p`, what that bounds, and why this one."""

    members: str
    method: Method
    bounds: Literal["any false finding", "share of false findings"]
    why: str


FAMILIES: Final[dict[str, Family]] = {
    "planned": Family("a few comparisons named beforehand", "bonferroni", "any false finding", "plain, any dependence"),
    "models": Family("every model against one baseline", "holm", "any false finding", "never weaker than Bonferroni's"),
    "losses": Family("one model, several losses or horizons", "holm", "any false finding", "any dependence"),
    "screening": Family("features or regimes looked through", "bh", "share of false findings", "hundreds of tests"),
    "strata": Family(
        "one comparison by instrument, horizon, regime", "by", "share of false findings", "strata depend on each other"
    ),
}
"""Name of a family to its rule."""


def correct(p_values: Floats, family: str) -> Floats:
    """Return the p-values (m,) of a family adjusted by its rule.

    Raises:
        InputError: an unknown family, or values that are not probabilities.

    Example:
        >>> import numpy as np
        >>> correct(np.array([0.01, 0.04]), "models").tolist()
        [0.02, 0.04]
    """
    return adjust_p(p_values, family_of(family).method)


def family_of(name: str) -> Family:
    """Return a family's rule.

    Raises:
        InputError: an unknown family.
    """
    if name not in FAMILIES:
        why = "how comparisons are adjusted is fixed before they are seen"
        raise InputError("family", name, why=why, allowed=list(FAMILIES))
    return FAMILIES[name]
