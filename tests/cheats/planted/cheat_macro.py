"""Revised macro read before release: once the last revision from the release on, once the first number before it.

A month's number is released 15 days after its end, and revised 60 days later.
"""

import numpy as np
import polars as pl
from cheat_base import Prices

from karat.core import NS_PER_DAY, generator, to_ns

MONTH, RELEASE, REVISION = 30 * NS_PER_DAY, 15 * NS_PER_DAY, 75 * NS_PER_DAY


class Macro(Prices):
    """Prices with the macro number as their signal; `end` is the day until which releases are read."""

    def __init__(self, seed: int = 3, end: str | None = None) -> None:
        super().__init__(seed)
        self.end = end

    def change(self, frame):
        until = to_ns(self.end) + NS_PER_DAY if self.end else int(frame["ts"].max())
        seen = frame.filter(pl.col("ts") <= until)
        months = np.arange(int(frame["ts"].min()) - 4 * MONTH, int(frame["ts"].max()) + MONTH, MONTH)
        first, revised = generator(self.seed, "macro").normal(size=(2, len(months)))
        return seen.with_columns(signal=pl.Series(self.number(seen["ts"].to_numpy(), months, first, revised, until)))


class FinalMacro(Macro):
    """Known from its release on, but with the number that it was revised to later."""

    name = "final_macro"

    def number(self, ts, months, first, revised, until):
        latest = np.where(months + REVISION <= until, revised, first)
        return latest[np.searchsorted(months + RELEASE, ts, side="right") - 1]


class EarlyMacro(Macro):
    """The first number, from the end of its month on; what is not released yet is filled with the one before."""

    name = "early_macro"

    def number(self, ts, months, first, revised, until):
        released = int(np.searchsorted(months + RELEASE, until, side="right")) - 1
        return first[np.minimum(np.searchsorted(months, ts, side="right") - 1, released)]
