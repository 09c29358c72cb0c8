"""`PolicySpec`: how a forecast becomes a position, the same for every model and baseline."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from karat.core import Config

Mode = Literal["long_flat_short", "long_flat"]


class PolicySpec(Config):
    """Parameters of the one policy.

    mode: whether short positions are allowed. vol_target_frac: volatility a full position aims at, fraction per year,
    split equally over the instruments of a date. flat_edge, full_edge: the edge is median over scale; below the first
    in absolute value nothing is held, from the second on the position is full, between it is proportional. cap: largest
    absolute weight of an instrument, share of equity. gross_cap: largest sum of absolute weights of a date; more is
    scaled down. bars_per_year: 252 for trading days, 365 for markets that never close.
    """

    mode: Mode = "long_flat_short"
    vol_target_frac: float = Field(default=0.10, gt=0, le=5)
    full_edge: float = Field(default=0.05, gt=0)
    flat_edge: float = Field(default=0.0, ge=0)
    cap: float = Field(default=1.5, gt=0, le=100)
    gross_cap: float = Field(default=2.0, gt=0, le=100)
    bars_per_year: float = Field(default=252.0, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.flat_edge > self.full_edge:
            raise ValueError(f"flat_edge: got {self.flat_edge}; it is above full_edge, {self.full_edge}; lower it")
        return self
