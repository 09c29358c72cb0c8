"""Single checks: does a price start the short-sale test, is it inside its bands, does an order pass a venue's filters.

All run the compiled rules, so that they cannot answer otherwise than the simulation does.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from karat.core import NS_PER_SECOND, InputError
from karat.data import FilterTerms
from karat.kernels.market import _rules_layout as words
from karat.market._reasons import REASONS
from karat.market._rulebook import Listing, Rounding, day_ns, filter_words, whole
from karat.market._rules_engine import RulesEngine, Verdict

Price = Decimal | int | float | str
_OPEN_S: Final = 14 * 3600
_SESSION_S: Final = 6 * 3600 + 1800
_A_DAY: Final = dt.date(2024, 6, 3)
"""Where no date is given: a day under the rules of today."""


@dataclass(frozen=True, slots=True)
class BandCheck:
    """A price against its bands: `lower` and `upper` in currency, whether it is `inside` (edges are inside)."""

    lower: Decimal
    upper: Decimal
    inside: bool


def check_ssr_trigger(price: Price, prior_close: Price, *, date: dt.date = _A_DAY) -> bool:
    """Return whether a regular-hours trade at `price` starts the short-sale price test of Rule 201.

    prior_close: regular close of the listing market on the day before. Floats are read as the decimals they print as.

    Raises:
        InputError: a price that is not positive, or a date before the rule: it is then not evaluable.

    Example:
        >>> check_ssr_trigger("18.00", "20.00"), check_ssr_trigger("18.01", "20.00")
        (True, False)
    """
    values = (as_decimal("price", price), as_decimal("prior_close", prior_close))
    engine, quantum, open_ns = _bare(Listing(tier=None, quantum=_quantum(*values), ring=8), values, date)
    if "short_sale" not in _begin(engine, open_ns, whole("prior_close", values[1], quantum)):
        raise InputError("date", date.isoformat(), why="Rule 201 is not in force", allowed="2011-02-28 or later")
    engine.trade(open_ns, whole("price", values[0], quantum))
    return engine.short_restricted(open_ns)


def check_luld_bands(
    price: Price,
    reference_price: Price,
    *,
    tier: int = 1,
    prior_close: Price | None = None,
    until_close_s: int = 3600,
    date: dt.date = _A_DAY,
    rounding: Rounding = "half_up",
) -> BandCheck:
    """Return the price bands around a reference price and whether `price` is inside.

    prior_close: decides the price category; the reference price where it is not given. until_close_s: seconds to the
    close of a session of 6.5 hours, for the doubling. rounding: see `Listing`.

    Raises:
        InputError: a price that is not positive, a time outside the session, or a date that the table does not cover.

    Example:
        >>> check_luld_bands("95.00", "100.00").inside, check_luld_bands("94.99", "100.00").inside
        (True, False)
        >>> check_luld_bands("90.00", "100.00", until_close_s=1500).inside
        True
    """
    if not 0 < until_close_s <= _SESSION_S:
        raise InputError("until_close_s", until_close_s, allowed=f"1 to {_SESSION_S}")
    given = (price, reference_price, reference_price if prior_close is None else prior_close)
    names = ("price", "reference_price", "prior_close")
    values = tuple(as_decimal(name, value) for name, value in zip(names, given, strict=True))
    listing = Listing(tier=tier, rounding=rounding, quantum=_quantum(*values), ring=8)
    engine, quantum, open_ns = _bare(listing, values, date)
    at, reference, prior = (whole(name, value, quantum) for name, value in zip(names, values, strict=True))
    if "price_bands" not in _begin(engine, open_ns, prior):
        raise InputError("date", date.isoformat(), why="the bands are not covered", allowed="2014-02-24 or later")
    engine.opening(open_ns, reference)
    engine.clock(open_ns + (_SESSION_S - until_close_s) * NS_PER_SECOND)
    bands = engine.bands
    assert bands is not None  # an opening trade inside the session always gives bands
    return BandCheck(bands[0] * quantum, bands[1] * quantum, bands[0] <= at <= bands[1])


def check_filters(
    filters: FilterTerms, side: int, qty: Price, price: Price | None = None, *, average: Price | None = None
) -> Verdict:
    """Return whether a venue's filters accept an order: side +1 buy or -1 sell, no price for a market order.

    average: the venue's average price; without it the percent filter and a market order's notional are not checked.

    Raises:
        InputError: a side, price or quantity that is none.

    Example:
        >>> from karat.data import VENUE_FILTERS
        >>> check_filters(VENUE_FILTERS[0], 1, "0.1505", "100").reason.name
        'qty_step'
    """
    from karat.kernels.market import _filters as kernel

    if side not in (-1, 1):
        raise InputError("side", side, allowed="+1 buy, -1 sell")
    lots = as_decimal("qty", qty)
    prices = [None if value is None else as_decimal("price", value) for value in (price, average)]
    tick = _quantum(*(value for value in (*prices, filters.price_step, filters.min_price, filters.max_price) if value))
    lot = _quantum(*(value for value in (lots, filters.qty_step, filters.min_qty, filters.max_qty) if value))
    limit, mean = (None if value is None else whole("price", value, tick) for value in prices)
    record = filter_words(filters, tick=tick, lot=lot)
    market, average_word = int(limit is None), words.NONE if mean is None else mean
    code = kernel.filters_order(
        int(record.ctypes.data), side, market, limit or 0, whole("qty", lots, lot), average_word
    )
    return Verdict(REASONS[code])


def as_decimal(name: str, price: Price) -> Decimal:
    """Return a positive price as a decimal; a float as the decimal it prints as.

    Raises:
        InputError: zero, negative or not a number.
    """
    try:
        value = Decimal(str(price))
    except InvalidOperation:
        value = Decimal(0)
    if not value.is_finite() or value <= 0:
        raise InputError(name, price, allowed="a positive number")
    return value


def _quantum(*values: Decimal) -> Decimal:
    """Return a power of ten that divides the values and a cent."""
    places = max(2, *(-int(value.normalize().as_tuple().exponent) for value in values))
    return Decimal(1).scaleb(-places)


def _bare(listing: Listing, values: tuple[Decimal, ...], date: dt.date) -> tuple[RulesEngine, Decimal, int]:
    return RulesEngine(listing), _quantum(*values), day_ns(date) + _OPEN_S * NS_PER_SECOND


def _begin(engine: RulesEngine, open_ns: int, prior: int) -> tuple[str, ...]:
    return engine.start(open_ns, open_ns + _SESSION_S * NS_PER_SECOND, prior)
