"""Reason codes of the market's rules: code to name, rule and plain words. Codes of order handling lie below 100."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from karat.kernels.market import _rules_layout as words


@dataclass(frozen=True, slots=True)
class Reason:
    """One answer of the rules. code: as the kernel gives it. rule: the table it comes from. text: what it means."""

    code: int
    name: str
    rule: str
    text: str


_ALL: Final = (
    Reason(words.OK, "ok", "none", "allowed"),
    Reason(words.R_CLOSED, "closed", "halts", "the market is closed"),
    Reason(words.R_PRE_OPEN, "pre_open", "halts", "the market has not opened: nothing executes before the auction"),
    Reason(words.R_HALTED, "halted", "halts", "trading in the instrument is halted"),
    Reason(words.R_CANCEL_ONLY, "cancel_only", "halts", "the venue takes cancellations only"),
    Reason(words.R_PAUSED, "paused", "halts", "the venue has paused trading"),
    Reason(
        words.R_SSR,
        "short_at_bid",
        "short_sale",
        "a short sale at or below the national best bid while the price test is in force",
    ),
    Reason(words.R_LULD_UPPER, "above_upper_band", "price_bands", "the price is above the upper price band"),
    Reason(words.R_LULD_LOWER, "below_lower_band", "price_bands", "the price is below the lower price band"),
    Reason(words.R_LULD_PAUSE, "band_pause", "pauses", "trading is paused after 15 seconds in a limit state"),
    Reason(words.R_MWCB_1, "breaker_level_1", "circuit_breakers", "market-wide halt, level 1"),
    Reason(words.R_MWCB_2, "breaker_level_2", "circuit_breakers", "market-wide halt, level 2"),
    Reason(words.R_MWCB_3, "breaker_level_3", "circuit_breakers", "market-wide halt, level 3, for the rest of the day"),
    Reason(words.R_PRICE, "price_not_positive", "ticks", "the price is zero or negative"),
    Reason(words.R_TICK, "off_tick", "ticks", "the price is not a multiple of the smallest price step"),
    Reason(words.R_DAILY_UPPER, "above_daily_limit", "daily_limits", "the price is above the day's upper limit"),
    Reason(words.R_DAILY_LOWER, "below_daily_limit", "daily_limits", "the price is below the day's lower limit"),
    Reason(words.R_MIN_PRICE, "min_price", "filters", "the price is below the venue's minimum"),
    Reason(words.R_MAX_PRICE, "max_price", "filters", "the price is above the venue's maximum"),
    Reason(words.R_PRICE_STEP, "price_step", "filters", "the price is not a multiple of the venue's price step"),
    Reason(words.R_MIN_QTY, "min_qty", "filters", "the quantity is below the venue's minimum"),
    Reason(words.R_MAX_QTY, "max_qty", "filters", "the quantity is above the venue's maximum"),
    Reason(words.R_QTY_STEP, "qty_step", "filters", "the quantity is not a multiple of the venue's lot step"),
    Reason(words.R_MIN_NOTIONAL, "min_notional", "filters", "price times quantity is below the venue's minimum"),
    Reason(words.R_MAX_NOTIONAL, "max_notional", "filters", "price times quantity is above the venue's maximum"),
    Reason(words.R_PERCENT_UP, "percent_up", "filters", "the price is too far above the venue's average price"),
    Reason(words.R_PERCENT_DOWN, "percent_down", "filters", "the price is too far below the venue's average price"),
)

REASONS: Final[Mapping[int, Reason]] = MappingProxyType({reason.code: reason for reason in _ALL})
"""Code to reason, for 0 and the codes 100 to 199."""
