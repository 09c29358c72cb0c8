"""Survivors only: once by dropping what is no longer listed, once by keeping the best of the whole period."""

import polars as pl
from cheat_base import Prices

from karat.core import NS_PER_DAY, to_ns


class Listed(Prices):
    """Sixteen instruments that are listed one after the other; every second one is delisted."""

    name = "listed"
    n = 16

    def change(self, frame):
        bar, number = pl.int_range(pl.len()).over("instrument"), pl.col("instrument").rank("dense").cast(pl.Int64) - 1
        end = pl.when(number % 2 == 1).then(self.days - 40 * (number // 2 + 1)).otherwise(self.days)
        return frame.filter((bar >= 25 * number) & (bar < end))


class AliveToday(Listed):
    """Only what still trades on the last day."""

    name = "alive_today"

    def change(self, frame):
        listed = super().change(frame)
        return listed.filter(pl.col("ts").max().over("instrument") == listed["ts"].max())


class Winners(Prices):
    """The four of eight that rose most by the end of what is loaded."""

    name = "winners"
    n = 8

    def __init__(self, seed: int = 3, end: str | None = None) -> None:
        super().__init__(seed)
        self.end = end

    def change(self, frame):
        until = to_ns(self.end) + NS_PER_DAY if self.end else int(frame["ts"].max())
        seen = frame.filter(pl.col("ts") <= until)
        rise = (pl.col("close").last() / pl.col("close").first()).over("instrument")
        return seen.filter(rise.rank("dense", descending=True) <= 4)
