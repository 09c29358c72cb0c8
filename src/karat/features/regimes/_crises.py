"""Dated crises and calm years, and the share of their days that a system calls stressed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from karat.core import NS_PER_DAY, InputError, to_ns
from karat.features._rows import day_of
from karat.features.regimes._describe import describe
from karat.features.regimes._service import RegimeFrame


@dataclass(frozen=True)
class Period:
    """Dates, both included, with the share of days that should be called stressed: at least, at most."""

    name: str
    first: str
    last: str
    least: float = 0.0
    most: float = 1.0


PERIODS: Final = (
    Period("after September 11", "2001-09-17", "2001-10-31", least=0.60),
    Period("financial crisis", "2008-09-15", "2009-03-31", least=0.60),
    Period("debt crisis of 2011", "2011-08-04", "2011-12-30", least=0.60),
    Period("calm years", "2004-01-01", "2006-12-31", most=0.10),
)
"""What a label of stress should say of US shares between 1999 and 2018."""

MOST_STRESSED: Final = 0.35
MOST_CHANGES: Final = 0.05
LEAST_SHARE: Final = 0.03
LEAST_STATES: Final = 5


def stress_table(labels: RegimeFrame, stressed: Sequence[str]) -> dict[str, float]:
    """Return the share of stressed days in each of `PERIODS`, `overall`, `changes` and `states` of 3 % or more.

    stressed: names of the states that count as stressed. A period without a labelled day is NaN. A bar that closes at
    midnight belongs to the day that ends.

    Raises:
        InputError: a name that is no state of the system.
    """
    unknown = [name for name in stressed if name not in labels.states]
    if unknown:
        raise InputError("stressed", unknown[0], allowed=list(labels.states))
    seen = labels.frame.filter(pl.col("state").is_not_null()).with_columns(hit=pl.col("name").is_in(list(stressed)))
    found: dict[str, float] = {}
    for period in PERIODS:
        first, last = (to_ns(day) // NS_PER_DAY for day in (period.first, period.last))
        inside = seen.filter(day_of(pl.col("ts")).is_between(first, last))
        found[period.name] = float(inside["hit"].to_numpy().mean()) if len(inside) else float("nan")
    shape = describe(labels)
    found["overall"] = float(seen["hit"].to_numpy().mean())
    found["changes"] = shape.changes
    found["states"] = float((shape.states["share"] >= LEAST_SHARE).sum())
    return found


def misses(table: dict[str, float]) -> list[str]:
    """Return what a table of `stress_table` misses, in words; empty where it shows all that it should."""
    found = [
        f"{period.name}: {table[period.name]:.3f}, wanted {period.least:g} to {period.most:g}"
        for period in PERIODS
        if not period.least <= table[period.name] <= period.most
    ]
    if table["overall"] > MOST_STRESSED:
        found.append(f"overall: {table['overall']:.3f}, wanted at most {MOST_STRESSED:g}")
    if table["changes"] >= MOST_CHANGES:
        found.append(f"changes: {table['changes']:.4f}, wanted below {MOST_CHANGES:g}")
    if table["states"] < LEAST_STATES:
        found.append(f"states of {LEAST_SHARE:.0%} or more: {table['states']:g}, wanted {LEAST_STATES}")
    return found
