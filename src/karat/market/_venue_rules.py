"""Rules and filters in a spec: which of the market's dated rules orders meet, and the filters of their venue."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import Field

from karat.core import Config
from karat.data import VenueFilters
from karat.kernels.market import rules_words
from karat.market._rulebook import Listing, filter_words, rule_schedule

Words = tuple[int, ...]


class RuleTerms(Config):
    """The listing of an instrument, as the rules of its market see it; the rules themselves are dated tables.

    tier: of the price bands, None where they do not apply. leverage: of a leveraged fund of tier 2. short_sale, ticks:
    whether these rules apply. daily_limit: market of a daily price limit. rounding: of the bands. first_trade_opens:
    the first trade of the session is its opening trade. Needs quotes or depth, trades, and status rows with the
    session's open and close; the prior close is a reference row, or the last price of the session before.
    """

    tier: Literal[1, 2] | None = 1
    leverage: Decimal = Field(default=Decimal(1), ge=1)
    short_sale: bool = True
    ticks: bool = True
    daily_limit: str | None = None
    rounding: Literal["half_up", "outward"] = "half_up"
    first_trade_opens: bool = True

    def words(self, quantum: Decimal) -> tuple[Words, int]:
        """Return the schedule of dated parameters and the size of the record, for prices in steps of a quantum."""
        listing = Listing(quantum=quantum, **{name: getattr(self, name) for name in type(self).model_fields})
        return tuple(rule_schedule(listing).tolist()), rules_words(listing.ring)


class FilterTerms(Config):
    """Order filters of a venue, as it publishes them for a symbol; None switches one off. Prices and sizes in units.

    The multipliers bound a limit by the instrument's mark: `bid_` of buy orders, `ask_` of sell orders.
    """

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

    def words(self, tick: Decimal, lot: Decimal) -> Words:
        """Return the filters' record for prices in ticks and quantities in lots."""
        facts = {name: getattr(self, name) for name in type(self).model_fields}
        filters = VenueFilters(date(1970, 1, 1), "the spec", venue="SPEC", symbol="SPEC", **facts)
        return tuple(filter_words(filters, tick=tick, lot=lot).tolist())
