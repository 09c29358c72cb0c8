"""From dated tables to the words that the compiled rules read, for one instrument.

Invariants:
1. Every amount of money becomes a whole number of the instrument's price quantum, or an error says which does not.
2. A table that has no row for a date leaves its rule out of force on that date.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from karat.core import NS_PER_DAY, NS_PER_SECOND, InputError
from karat.data import MARKET_RULES, PRICE_CATEGORIES, FilterTerms, MarketRules, PriceBandRule, ShortSaleRule, TickRule
from karat.kernels.market import _rules_layout as words

Ints = NDArray[np.int64]
Rounding = Literal["half_up", "outward"]
_EPOCH: Final = dt.date(1970, 1, 1)
_CENT: Final = Decimal("0.01")
_MODES: Final = {"half_up": words.HALF_UP, "outward": words.OUTWARD}


@dataclass(frozen=True, slots=True)
class Listing:
    """What the rules must know about an instrument.

    quantum: value of one price tick of the data, in currency; finer than the rule's tick where prices are. tier: of
    the price bands, 1 or 2, None where they do not apply. leverage: of a leveraged fund of tier 2; it multiplies the
    bands. daily_limit: market of the daily price limit, None for none. rounding: of the bands, to cents: `half_up`, or
    `outward` away from the reference price. first_trade_opens: take the first regular-hours trade for the opening
    trade; False waits for `opening`. after_close_s: the day of a session ends so long after its close. ring: entries
    of the reference price's window, 8 or more.
    """

    quantum: Decimal = _CENT
    tier: int | None = 1
    leverage: Decimal = Decimal(1)
    short_sale: bool = True
    ticks: bool = True
    daily_limit: str | None = None
    rounding: Rounding = "half_up"
    first_trade_opens: bool = True
    after_close_s: int = 8 * 3600
    ring: int = words.RING_DEFAULT

    def __post_init__(self) -> None:
        if not (isinstance(self.quantum, Decimal) and self.quantum.is_finite() and self.quantum > 0):
            raise InputError("listing.quantum", self.quantum, allowed="a positive Decimal")
        if self.tier not in (None, 1, 2):
            raise InputError("listing.tier", self.tier, allowed="1, 2, or None where price bands do not apply")
        if self.leverage < 1 or (self.leverage != 1 and self.tier != 2):
            raise InputError("listing.leverage", self.leverage, allowed="1, or more for a fund of tier 2")
        if self.rounding not in _MODES:
            raise InputError("listing.rounding", self.rounding, allowed=list(_MODES))
        if self.ring < 8:
            raise InputError("listing.ring", self.ring, allowed="8 or more")


def rule_schedule(listing: Listing, rules: MarketRules = MARKET_RULES) -> Ints:
    """Return the schedule of an instrument: the number of rows, then a row of ROW words for each day of change.

    Raises:
        InputError: an amount of a rule that is no whole number of the listing's quantum.
    """
    tables = (rules.short_sale, rules.price_bands, rules.ticks, rules.daily_limits)
    days = sorted({row.since for table in tables for row in table})
    rows = [_row(listing, rules, day) for day in days]
    return np.concatenate([np.array([len(rows)], dtype=np.int64), *rows])


def breaker_words(rules: MarketRules = MARKET_RULES) -> Ints:
    """Return a new breaker's record, before its first session; one row of the table is held, the last."""
    record = np.zeros(words.BREAKER_WORDS, dtype=np.int64)
    record[[words.B_OPEN_NS, words.B_CLOSE_NS, words.B_SINCE, words.B_UNTIL]] = words.NONE
    record[words.B_FROM] = words.FAR
    if rules.circuit_breakers:
        rule = rules.circuit_breakers[-1]
        record[words.B_FROM] = day_ns(rule.since)
        record[words.B_LEVEL_1 : words.B_LEVEL_3 + 1] = rule.levels_bps
        record[words.B_HALT_NS] = rule.halt_s * NS_PER_SECOND
        record[words.B_CUTOFF_NS] = rule.cutoff_s * NS_PER_SECOND
    return record


def filter_words(filters: FilterTerms, *, tick: Decimal, lot: Decimal) -> Ints:
    """Return the filters' record for prices in ticks and quantities in lots.

    Raises:
        InputError: a limit that is no whole number of ticks or lots, or a multiplier finer than 0.0001.
    """
    record = np.zeros(words.FILTER_WORDS, dtype=np.int64)
    plain = (
        (words.F_MIN_PRICE, "min_price", tick, 0),
        (words.F_MAX_PRICE, "max_price", tick, words.FAR),
        (words.F_PRICE_STEP, "price_step", tick, 1),
        (words.F_MIN_QTY, "min_qty", lot, 0),
        (words.F_MAX_QTY, "max_qty", lot, words.FAR),
        (words.F_QTY_STEP, "qty_step", lot, 1),
        (words.F_MIN_NOTIONAL, "min_notional", tick * lot, 0),
        (words.F_MAX_NOTIONAL, "max_notional", tick * lot, words.FAR),
        (words.F_BID_UP, "bid_up", Decimal("0.0001"), 0),
        (words.F_BID_DOWN, "bid_down", Decimal("0.0001"), 0),
        (words.F_ASK_UP, "ask_up", Decimal("0.0001"), 0),
        (words.F_ASK_DOWN, "ask_down", Decimal("0.0001"), 0),
    )
    for word, name, quantum, off in plain:
        limit: Decimal | None = getattr(filters, name)
        record[word] = off if limit is None else whole(f"filters.{name}", limit, quantum)
    record[words.F_MIN_MARKET] = filters.min_notional_market
    record[words.F_MAX_MARKET] = filters.max_notional_market
    return record


def whole(name: str, amount: Decimal, quantum: Decimal) -> int:
    """Return how many quanta an amount is.

    Raises:
        InputError: not a whole number, or too large for the kernel.
    """
    count = amount / quantum
    if count != count.to_integral_value() or abs(count) >= words.FAR:
        raise InputError(name, amount, allowed=f"a whole number of {quantum}", fix="choose another quantum")
    return int(count)


def day_ns(day: dt.date) -> int:
    """Return the begin of a day in UTC ns; sessions of the day open after it."""
    return (day - _EPOCH).days * NS_PER_DAY


def _row(listing: Listing, rules: MarketRules, day: dt.date) -> Ints:
    row = np.zeros(words.ROW, dtype=np.int64)
    row[words.SINCE] = day_ns(day)
    row[words.CAPACITY] = listing.ring
    row[words.SSR_AFTER_NS] = listing.after_close_s * NS_PER_SECOND
    cents = _CENT / listing.quantum
    row[words.ROUND_UNIT] = int(cents) if cents == int(cents) else 1
    short, bands, tick = rules.at("short_sale", day), rules.at("price_bands", day), rules.at("ticks", day)
    if listing.short_sale and isinstance(short, ShortSaleRule):
        row[words.ON] |= words.SSR
        row[words.SSR_BPS] = short.trigger_bps
    if listing.tier is not None and isinstance(bands, PriceBandRule):
        row[words.ON] |= words.LULD
        _fill_bands(row, listing, bands)
    if listing.ticks and isinstance(tick, TickRule):
        row[words.ON] |= words.TICK
        row[words.TICK_FROM] = int(-(-tick.threshold // listing.quantum))
        row[words.TICK_STEP] = _step(tick.step, listing.quantum)
        row[words.TICK_LOW_STEP] = _step(tick.low_step, listing.quantum)
    daily = None if listing.daily_limit is None else rules.daily_limit(listing.daily_limit, day)
    if daily is not None:
        row[words.ON] |= words.DAILY
        row[words.DAILY_BPS] = daily.limit_bps
    return row


def _fill_bands(row: Ints, listing: Listing, rule: PriceBandRule) -> None:
    """Write the words of the price bands; a leveraged fund's bands are multiplied here."""
    tier = (listing.tier or 1) - 1
    bands = (rule.tier_bps[tier], rule.middle_bps, rule.low_bps)
    for k, bps in enumerate(bands):
        row[words.BAND_HIGH_BPS + k] = whole("listing.leverage", bps * listing.leverage, Decimal(1))
    row[words.BAND_LOW_AMOUNT] = whole("listing.quantum", rule.low_amount * listing.leverage, listing.quantum)
    row[words.LIMIT_HIGH] = whole("listing.quantum", rule.high, listing.quantum)
    row[words.LIMIT_LOW] = whole("listing.quantum", rule.low, listing.quantum)
    row[words.ROUND_UNIT] = whole("listing.quantum", _CENT, listing.quantum)
    row[words.ROUND_MODE] = _MODES[listing.rounding]
    row[words.DOUBLE_FIRST] = sum(1 << PRICE_CATEGORIES.index(name) for name in rule.double_first[tier])
    row[words.DOUBLE_LAST] = sum(1 << PRICE_CATEGORIES.index(name) for name in rule.double_last[tier])
    row[words.CHANGE_BPS] = rule.change_bps
    row[words.FIRST_TRADE_OPENS] = listing.first_trade_opens
    seconds = (
        (words.DOUBLE_FIRST_NS, rule.double_first_s),
        (words.DOUBLE_LAST_NS, rule.double_last_s),
        (words.WINDOW_NS, rule.window_s),
        (words.HOLD_NS, rule.hold_s),
        (words.LIMIT_NS, rule.limit_state_s),
        (words.PAUSE_NS, rule.pause_s),
        (words.LAST_NS, rule.no_reopening_s),
    )
    for word, length in seconds:
        row[word] = length * NS_PER_SECOND


def _step(step: Decimal, quantum: Decimal) -> int:
    """Return a price step in ticks; 1 where the data's quantum is coarser, so that every price is on it."""
    return 1 if step <= quantum else whole("listing.quantum", step, quantum)
