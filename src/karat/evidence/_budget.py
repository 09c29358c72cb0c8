"""The parameter budget: an exact count by component against a hard limit.

Invariants:
1. The limit itself passes, one parameter more fails.
2. The total is the sum of the components, each a whole number of parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from karat.core import InputError
from karat.evidence._shapes import Check

MAX_PARAMETERS: Final = 27_500_000
"""Reading D-05 of the requirements: 26.7 million is the target, this is the gate."""


def verify_budget_compliance(param_count: int, max_params: int = MAX_PARAMETERS) -> bool:
    """Return whether a model of `param_count` parameters is within the budget.

    Raises:
        InputError: a count that is not a whole number of 0 or more.

    Example:
        >>> verify_budget_compliance(27_500_000), verify_budget_compliance(27_500_001)
        (True, False)
    """
    if isinstance(param_count, bool) or not isinstance(param_count, int) or param_count < 0:
        raise InputError("param_count", param_count, allowed="a whole number of 0 or more")
    return param_count <= max_params


def budget_check(name: str, counts: Mapping[str, int], max_params: int = MAX_PARAMETERS) -> Check:
    """Return the check of one model's parameters; `counts` maps component to count."""
    total = sum(counts.values())
    note = ", ".join(f"{component} {count:,}" for component, count in counts.items())
    passed = verify_budget_compliance(total, max_params)
    return Check(f"parameters of {name}", float(total), f"<= {max_params:,}", passed, note)
