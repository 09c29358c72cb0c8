"""Market rules as dated tables: what held from which day on, in which numbers, according to whom.

Invariants:
1. A table cannot be changed: records are frozen and sequences are tuples, all the way down.
2. Rows of one kind ascend by `since`; the row of a date is the last one that starts on or before it. A date before the
   first row has none: the rule is then not covered, which is not the same as obeyed.
3. Every number carries its source in words. Fractions are basis points (1 bps = 1/10,000), amounts of money are
   decimals, durations are seconds.

Not here: the rules at work (`karat.market.RulesEngine`), sessions and early closes (`karat.data.sessions`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Final, TypeVar

from karat.core import InputError

ABOVE_HIGH: Final = "above_high"
MIDDLE: Final = "middle"
BELOW_LOW: Final = "below_low"
PRICE_CATEGORIES: Final = (ABOVE_HIGH, MIDDLE, BELOW_LOW)
"""Price categories of the bands, by the prior close: above $3.00, $0.75 to $3.00 inclusive, below $0.75."""


@dataclass(frozen=True, slots=True)
class ShortSaleRule:
    """Price test of short sales: a regular-hours trade `trigger_bps` or more below the prior close starts it."""

    since: dt.date
    source: str
    trigger_bps: int = 1000

    def __post_init__(self) -> None:
        if not 1 <= self.trigger_bps <= 9999:
            raise InputError("rules.trigger_bps", self.trigger_bps, allowed="1 to 9999")


@dataclass(frozen=True, slots=True)
class PriceBandRule:
    """Price bands around a reference price, limit states and pauses.

    tier_bps: band of the first price category, of tier 1 and of tier 2. middle_bps and low_bps hold for both; below
    `low` the band is at most `low_amount`. high, low: limits of the middle category, on the prior close.
    double_first_s, double_last_s: length of the windows after the open and before the close in which bands double.
    double_first, double_last: for tier 1 and tier 2, the price categories for which they do.
    """

    since: dt.date
    source: str
    tier_bps: tuple[int, int]
    double_first: tuple[tuple[str, ...], tuple[str, ...]]
    double_last: tuple[tuple[str, ...], tuple[str, ...]]
    middle_bps: int = 2000
    low_bps: int = 7500
    low_amount: Decimal = Decimal("0.15")
    high: Decimal = Decimal("3.00")
    low: Decimal = Decimal("0.75")
    double_first_s: int = 15 * 60
    double_last_s: int = 25 * 60
    window_s: int = 5 * 60
    change_bps: int = 100
    hold_s: int = 30
    limit_state_s: int = 15
    pause_s: int = 5 * 60
    no_reopening_s: int = 10 * 60


@dataclass(frozen=True, slots=True)
class CircuitBreakerRule:
    """Market-wide halts: declines of the index from its prior close, in basis points, one for each level.

    cutoff_s: levels 1 and 2 do nothing in the last `cutoff_s` seconds of the session (15:25, and 12:25 when the market
    closes at 13:00). The last level halts for the rest of the day at any time.
    """

    since: dt.date
    source: str
    levels_bps: tuple[int, int, int] = (700, 1300, 2000)
    halt_s: int = 15 * 60
    cutoff_s: int = 35 * 60


@dataclass(frozen=True, slots=True)
class TickRule:
    """Smallest price steps: `step` from `threshold` on, `low_step` below it."""

    since: dt.date
    source: str
    threshold: Decimal = Decimal("1.00")
    step: Decimal = Decimal("0.01")
    low_step: Decimal = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class DailyLimitRule:
    """A day's prices stay within `limit_bps` of the prior close (the market's name for it may be settlement)."""

    since: dt.date
    source: str
    market: str
    limit_bps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterTerms:
    """Order filters as a venue publishes them for a symbol; None switches a limit off.

    Prices in quote currency, quantities in base units. Multipliers apply to the venue's average price: `bid_` to buy
    orders, `ask_` to sell orders. A notional limit is checked on market orders, at the average price, only if flagged.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    min_price: Decimal | None = None
    max_price: Decimal | None = None
    price_step: Decimal | None = None
    min_qty: Decimal | None = None
    max_qty: Decimal | None = None
    qty_step: Decimal | None = None
    min_notional: Decimal | None = None
    max_notional: Decimal | None = None
    min_notional_market: bool = False
    max_notional_market: bool = False
    bid_up: Decimal | None = None
    bid_down: Decimal | None = None
    ask_up: Decimal | None = None
    ask_down: Decimal | None = None

    def __post_init__(self) -> None:
        for name in ("min_price", "max_price", "price_step", "min_qty", "max_qty", "qty_step", "min_notional"):
            _positive(f"filters.{name}", getattr(self, name))
        for name in ("max_notional", "bid_up", "bid_down", "ask_up", "ask_down"):
            _positive(f"filters.{name}", getattr(self, name))


@dataclass(frozen=True, slots=True)
class VenueFilters(FilterTerms):
    """The filters of one venue and symbol since a date, with their source."""

    since: dt.date
    source: str
    venue: str
    symbol: str


Dated = ShortSaleRule | PriceBandRule | CircuitBreakerRule | TickRule | DailyLimitRule | VenueFilters
Row = TypeVar("Row", bound=Dated)


@dataclass(frozen=True, slots=True)
class MarketRules:
    """The tables of one jurisdiction, each ascending by date; an own one is made by giving other rows.

    Raises:
        InputError: rows of a table that do not ascend.

    Example:
        >>> MARKET_RULES.at("price_bands", "2015-06-01").double_first[0] == PRICE_CATEGORIES
        True
        >>> MARKET_RULES.at("price_bands", "2024-06-03").double_first[0]
        ()
        >>> MARKET_RULES.at("short_sale", "2009-03-09") is None
        True
    """

    short_sale: tuple[ShortSaleRule, ...] = ()
    price_bands: tuple[PriceBandRule, ...] = ()
    circuit_breakers: tuple[CircuitBreakerRule, ...] = ()
    ticks: tuple[TickRule, ...] = ()
    daily_limits: tuple[DailyLimitRule, ...] = ()

    def __post_init__(self) -> None:
        for name in ("short_sale", "price_bands", "circuit_breakers", "ticks", "daily_limits"):
            rows = tuple(getattr(self, name))
            object.__setattr__(self, name, rows)
            for market in {getattr(row, "market", "") for row in rows}:
                _ascending(name, [row for row in rows if getattr(row, "market", "") == market])

    def at(self, table: str, date: dt.date | str) -> Dated | None:
        """Return the row of a table that holds on `date`, None before its first row.

        Raises:
            InputError: an unknown table, or daily limits, which need a market too (`daily_limit`).
        """
        tables = ("short_sale", "price_bands", "circuit_breakers", "ticks")
        if table not in tables:
            raise InputError("table", table, allowed=tables)
        rows: tuple[Dated, ...] = getattr(self, table)
        return row_at(rows, date)

    def daily_limit(self, market: str, date: dt.date | str) -> DailyLimitRule | None:
        """Return the daily price limit of a market on `date`, None before its first row.

        Raises:
            InputError: a market without a row.
        """
        rows = [row for row in self.daily_limits if row.market == market]
        if not rows:
            raise InputError("daily_limit", market, allowed=sorted({row.market for row in self.daily_limits}))
        return row_at(rows, date)


def row_at(rows: Sequence[Row], date: dt.date | str) -> Row | None:
    """Return the last of ascending rows that starts on or before `date`, or None."""
    day = dt.date.fromisoformat(date) if isinstance(date, str) else date
    held = [row for row in rows if row.since <= day]
    return held[-1] if held else None


def _ascending(table: str, rows: Sequence[Dated]) -> None:
    days = [row.since for row in rows]
    if any(later <= earlier for earlier, later in pairwise(days)):
        raise InputError(f"rules.{table}", [str(day) for day in days], allowed="rows in ascending order of `since`")


def _positive(name: str, value: Decimal | None) -> None:
    if value is not None and not (isinstance(value, Decimal) and value.is_finite() and value > 0):
        raise InputError(name, value, allowed="a positive Decimal, or None for no limit")


MARKET_RULES: Final = MarketRules(
    short_sale=(
        ShortSaleRule(
            dt.date(2011, 2, 28),
            "Regulation SHO Rule 201, 17 CFR 242.201, and the SEC staff's questions and answers on it",
        ),
    ),
    price_bands=(
        PriceBandRule(
            dt.date(2014, 2, 24),
            "Limit Up-Limit Down Plan, file 4-631, Appendix A. From this day on it covers all stocks until 16:00; the "
            "phases of 2013 covered other stocks and hours each month and are left out",
            tier_bps=(500, 1000),
            double_first=(PRICE_CATEGORIES, PRICE_CATEGORIES),
            double_last=(PRICE_CATEGORIES, PRICE_CATEGORIES),
        ),
        PriceBandRule(
            dt.date(2019, 4, 11),
            "Amendment 18 (release 34-85623), dated by its approval: no doubling after the open, and before the close "
            "none for Tier 2 above $3.00",
            tier_bps=(500, 1000),
            double_first=((), ()),
            double_last=(PRICE_CATEGORIES, (MIDDLE, BELOW_LOW)),
        ),
    ),
    circuit_breakers=(
        CircuitBreakerRule(
            dt.date(2013, 4, 8),
            "Market-wide circuit breakers on the S&P 500 (investor.gov); the rules before were on the Dow Jones index",
        ),
    ),
    ticks=(
        TickRule(
            dt.date(2006, 1, 31),
            "Regulation NMS Rule 612; neither the pilot of 2016 to 2018 nor the half-cent step adopted in 2024 is "
            "included: both depend on the security",
        ),
    ),
    daily_limits=(
        DailyLimitRule(dt.date(1996, 12, 16), "Shanghai and Shenzhen main boards, trading rules", "CN main", 1000),
        DailyLimitRule(dt.date(2019, 7, 22), "Shanghai STAR market, special trading rules", "CN STAR", 2000),
    ),
)
"""Rules of the US stock market, and two examples of daily limits elsewhere."""

VENUE_FILTERS: Final = (
    VenueFilters(
        dt.date(2026, 7, 1),
        "example blocks of the Binance Spot filter documentation, binance-spot-api-docs at a5e0bc3; a symbol's own "
        "filters come from the venue",
        venue="BINANCE",
        symbol="EXAMPLE",
        min_price=Decimal("0.000001"),
        max_price=Decimal("100000"),
        price_step=Decimal("0.000001"),
        min_qty=Decimal("0.001"),
        max_qty=Decimal("100000"),
        qty_step=Decimal("0.001"),
        min_notional=Decimal("10"),
        max_notional=Decimal("10000"),
        bid_up=Decimal("1.2"),
        bid_down=Decimal("0.2"),
        ask_up=Decimal("5"),
        ask_down=Decimal("0.8"),
    ),
)
"""Order filters of crypto venues; rows of one symbol ascend by date."""
