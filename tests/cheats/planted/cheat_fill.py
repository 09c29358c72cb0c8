"""Same-bar fill: once asked of the market by name, once hidden in opens that are the closes of the bar before."""

import polars as pl
from cheat_base import Line, Prices


class Reversal(Line):
    """Bets against the bar it has just seen: worth most where that bar's close can still be had."""

    name = "reversal"

    def feature(self, inputs):
        return -inputs.table.returns[inputs.rows]


class StaleOpens(Prices):
    """Opens are copied from the close before."""

    name = "stale_opens"

    def change(self, frame):
        opened = pl.col("close").shift(1).over("instrument").fill_null(pl.col("open"))
        return frame.with_columns(open=opened).with_columns(
            high=pl.max_horizontal("open", "high", "close"), low=pl.min_horizontal("open", "low", "close")
        )
