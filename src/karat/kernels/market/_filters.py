"""Order filters of a venue, compiled: price, lot, notional and percent of an average price, on integer ticks and lots.

Words and units: `_rules_layout`. A minimum or multiplier of 0, a maximum of FAR and a step of 1
switch a filter off. Which of several
failing filters is named follows the order of the code: price, quantity, notional, percent.
"""

from __future__ import annotations

from karat.kernels._jit import compiled
from karat.kernels._memory import load
from karat.kernels.market._rules_layout import (
    BPS,
    F_ASK_DOWN,
    F_ASK_UP,
    F_BID_DOWN,
    F_BID_UP,
    F_MAX_MARKET,
    F_MAX_NOTIONAL,
    F_MAX_PRICE,
    F_MAX_QTY,
    F_MIN_MARKET,
    F_MIN_NOTIONAL,
    F_MIN_PRICE,
    F_MIN_QTY,
    F_PRICE_STEP,
    F_QTY_STEP,
    FAR,
    NONE,
    OK,
    R_MAX_NOTIONAL,
    R_MAX_PRICE,
    R_MAX_QTY,
    R_MIN_NOTIONAL,
    R_MIN_PRICE,
    R_MIN_QTY,
    R_PERCENT_DOWN,
    R_PERCENT_UP,
    R_PRICE_STEP,
    R_QTY_STEP,
)


@compiled("int64(int64, int64, int64, int64, int64, int64)")
def filters_order(f: int, side: int, market: int, price: int, qty: int, average: int) -> int:
    """Return why a venue refuses an order: 0 or a reason code.

    side: +1 buy, -1 sell. price: its limit in ticks, ignored for a market order. qty: lots. average: the venue's
    average price in ticks, NONE if unknown: then the percent filter and a market order's notional are not checked.
    """
    if market == 0:
        if price < load(f, F_MIN_PRICE) or price <= 0:
            return R_MIN_PRICE
        if price > load(f, F_MAX_PRICE):
            return R_MAX_PRICE
        if price % load(f, F_PRICE_STEP) != 0:
            return R_PRICE_STEP
    if qty < load(f, F_MIN_QTY) or qty <= 0:
        return R_MIN_QTY
    if qty > load(f, F_MAX_QTY):
        return R_MAX_QTY
    if qty % load(f, F_QTY_STEP) != 0:
        return R_QTY_STEP
    at = average if market != 0 else price
    if at != NONE:
        # price x qty against a bound, by division: the product of two large integers would not fit a word
        if (market == 0 or load(f, F_MIN_MARKET) != 0) and at < -(-load(f, F_MIN_NOTIONAL) // qty):
            return R_MIN_NOTIONAL
        limit = load(f, F_MAX_NOTIONAL)
        if limit != FAR and (market == 0 or load(f, F_MAX_MARKET) != 0) and at > limit // qty:
            return R_MAX_NOTIONAL
    if market == 0 and average != NONE:
        most = load(f, F_BID_UP if side > 0 else F_ASK_UP)
        if most != 0 and price * BPS > average * most:
            return R_PERCENT_UP
        if price * BPS < average * load(f, F_BID_DOWN if side > 0 else F_ASK_DOWN):
            return R_PERCENT_DOWN
    return OK
