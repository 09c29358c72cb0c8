"""Rules in a spec: which of the market's dated rules the orders of an instrument meet."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from karat.core import Config
from karat.kernels.market import rules_words
from karat.market._rulebook import Listing, breaker_words, rule_schedule

Words = tuple[int, ...]
_SMALL_RING = 8


class RuleTerms(Config):
    """The listing of an instrument, as the rules of its market see it; the rules themselves are dated tables.

    tier: of the price bands, None where they do not apply. leverage: of a leveraged fund of tier 2. short_sale, ticks:
    whether these rules apply. daily_limit: market of a daily price limit. rounding: of the bands. first_trade_opens:
    the first trade of the session is its opening trade. circuit_breakers: whether market-wide halts stop it, where the
    spec names an index. Needs status rows with the session's open and close; the prior close is a reference row, or the
    last price of the session before. `MarketRun.rules_evaluated` tells how well each rule could be judged.
    """

    tier: Literal[1, 2] | None = 1
    leverage: Decimal = Field(default=Decimal(1), ge=1)
    short_sale: bool = True
    ticks: bool = True
    daily_limit: str | None = None
    rounding: Literal["half_up", "outward"] = "half_up"
    first_trade_opens: bool = True
    circuit_breakers: bool = True

    def words(self, quantum: Decimal, *, on_bars: bool = False) -> tuple[Words, int]:
        """Return the schedule of dated parameters and the size of the record, for prices in steps of a quantum.

        on_bars: without price bands, which bars cannot show.
        """
        facts = {name: getattr(self, name) for name in type(self).model_fields if name != "circuit_breakers"}
        if on_bars:
            facts |= {"tier": None, "leverage": Decimal(1), "ring": _SMALL_RING}
        listing = Listing(quantum=quantum, **facts)
        return tuple(rule_schedule(listing).tolist()), rules_words(listing.ring)


NO_RULES = RuleTerms(tier=None, short_sale=False, ticks=False, circuit_breakers=False)
"""What an index is under that has no rules of its own: its statuses alone."""


def breaker_record() -> Words:
    """Return the words of the market-wide breaker before its first session."""
    return tuple(breaker_words().tolist())
