"""Id hidden in a date: once in the milliseconds of `known_at`, once as days since an instrument's own first day."""

import polars as pl
from cheat_base import Line, Prices


class Stamped(Prices):
    """Each instrument becomes known a few milliseconds later than the one before it."""

    name = "stamped"
    n = 4

    def change(self, frame):
        late = pl.col("instrument").rank("dense").cast(pl.Int64) * 1_000_000
        return frame.with_columns(known_at=pl.col("ts") + late)


class Decoder(Line):
    """Reads the milliseconds back."""

    name = "decoder"

    def feature(self, inputs):
        return (inputs.known_at - inputs.ts) / 1e6


class Aged(Prices):
    """Instruments are listed one after the other; the signal is the age of the listing."""

    name = "aged"
    n = 4

    def change(self, frame):
        bar = pl.int_range(pl.len()).over("instrument")
        number = pl.col("instrument").rank("dense").cast(pl.Int64) - 1
        listed = frame.filter(bar >= 60 * number)
        return listed.with_columns(signal=bar.cast(pl.Float64))
