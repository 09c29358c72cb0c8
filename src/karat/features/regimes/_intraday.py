"""How often labels change within a day: for bars of minutes or hours, whose labels are computed anew at every bar.

Invariants:
1. A bar counts where its instrument has a labelled bar before it; a change belongs to the day of the bar that shows it,
   the night before its first bar included.
2. Every day of an instrument weighs the same, however many bars it has. Days with a single bar do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from karat.features._rows import day_of
from karat.features.regimes._service import RegimeFrame

INTRADAY_RATE: Final = (
    "changes of state in a UTC day over its labelled bars, averaged over the days of each instrument with two bars or "
    "more; the first bar of a day is compared with the last one before it"
)
INTRADAY_LIMIT: Final = 0.05


@dataclass(frozen=True)
class IntradayRate:
    """rate: mean over days, a fraction. days, bars: counted. still: fraction of days without a change.

    highest: of a single day. definition: in words, to be printed beside the rate.
    """

    rate: float
    days: int
    bars: int
    still: float
    highest: float
    definition: str = INTRADAY_RATE

    @property
    def steady(self) -> bool:
        """Fewer than 5 % changes a day."""
        return self.rate < INTRADAY_LIMIT

    def describe(self) -> dict[str, float | int | str | bool]:
        """Return the rate and its definition as plain values."""
        return {"definition": self.definition, "rate": self.rate, "steady": self.steady, "days": self.days,
                "bars": self.bars, "days_without_change": self.still, "highest_day": self.highest}  # fmt: skip


def intraday_rate(labels: RegimeFrame) -> IntradayRate | None:
    """Return how often labels change within a day, None where no day has two labelled bars: daily bars have no rate.

    labels: of bars stamped at their close; a bar that closes at midnight belongs to the day that ends.
    """
    before = pl.col("state").shift(1).over("instrument")
    days = (
        labels.frame.filter(pl.col("state").is_not_null())
        .with_columns(before.alias("before"), day_of(pl.col("ts")).alias("day"))
        .filter(pl.col("before").is_not_null())
        .group_by("instrument", "day")
        .agg(pl.len().alias("bars"), (pl.col("state") != pl.col("before")).mean().alias("rate"))
        .filter(pl.col("bars") > 1)
    )
    if not len(days):
        return None
    rate = days["rate"].to_numpy()
    still = float((rate == 0.0).mean())
    return IntradayRate(float(rate.mean()), len(days), int(days["bars"].sum()), still, float(rate.max()))
