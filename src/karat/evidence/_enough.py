"""How much data evidence needs before anything is tested: 500 test dates and 50 independent horizons.

Invariants:
1. A check that fails and an error both say how much more would be enough.
"""

from __future__ import annotations

from typing import Final

from karat._words import counted
from karat.core import InputError
from karat.evidence._shapes import Check

MIN_DATES: Final = 500
MIN_HORIZONS: Final = 50


def enough_checks(dates: int, horizon_bars: int) -> tuple[Check, Check]:
    """Return gate 0's checks of the number of test dates and of independent horizons (dates over bars)."""
    horizons = dates // horizon_bars
    return (
        Check("test dates", float(dates), f">= {MIN_DATES}", dates >= MIN_DATES, _missing(MIN_DATES - dates)),
        Check(
            "independent horizons",
            float(horizons),
            f">= {MIN_HORIZONS}",
            horizons >= MIN_HORIZONS,
            _missing(MIN_HORIZONS * horizon_bars - dates),
        ),
    )


def require_enough(dates: int, horizon_bars: int = 1, *, fix: str = "") -> None:
    """Refuse to test on too little data; `fix` says where more dates can come from.

    Raises:
        InputError: fewer than 500 dates, or fewer than 50 independent horizons; names how many would be enough.

    Example:
        >>> require_enough(500, horizon_bars=10)
    """
    if horizon_bars < 1:
        raise InputError("horizon_bars", horizon_bars, allowed="1 or more")
    for check in enough_checks(dates, horizon_bars):
        if not check.passed:
            why = "the tests do not keep their error rates on less"
            raise InputError(
                check.name,
                int(check.value or 0),
                why=why,
                allowed=check.threshold,
                fix="; ".join(filter(None, (check.note, fix))),
            )


def _missing(dates: int) -> str:
    return f"{counted(dates, 'more date')} would be enough" if dates > 0 else ""
