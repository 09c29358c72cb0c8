"""`MarketSpec`: what trading costs and when orders are filled."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from karat.core import Config

Fill = Literal["next_open", "next_close", "same_close"]


class MarketSpec(Config):
    """Terms of a simulation, the first step of the market.

    capital_usd: cash at the start. proportional_bps: cost of each fill in basis points of its value, half a spread
    and commission together. fixed_usd: cost of each fill, whatever its size. delay_bars: bars by which every fill is
    later than `fill` says.

    fill: `next_open`, at the open of the bar after the decision (its close where the bars have no open, which is
    noted); `next_close`, at that bar's close; `same_close`, at the very close that the decision has seen: nobody gets
    that price reliably, so it must be asked for by name and is flagged in the result.
    """

    capital_usd: float = Field(default=1_000_000.0, gt=0)
    proportional_bps: float = Field(default=1.0, ge=0, lt=10_000)
    fixed_usd: float = Field(default=0.0, ge=0)
    fill: Fill = "next_open"
    delay_bars: int = Field(default=0, ge=0, le=1_000)
