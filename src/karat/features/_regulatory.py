"""What the rules of the US stock market make of daily bars: the short-sale price test, and the width of the bands.

A regular-hours bar shows that a trade happened at its low, so the trigger of the short-sale test is told for the day,
not for the time of day. Limit states, pauses and executions against the bid need quotes and are not shown: see
docs/concepts/rules.md. Prices must be raw or split-adjusted, of regular hours, and are read to the nearest 0.0001; on
dates before a rule existed, the features say what it would have done. Numbers come from `karat.data.MARKET_RULES`.
"""

from __future__ import annotations

from typing import Final

from karat.data import MARKET_RULES
from karat.features._expressions import (
    CLOSE,
    HIGH,
    LOW,
    constant,
    equal_to,
    larger,
    less,
    less_equal,
    nearest_whole,
    smaller,
    where,
)
from karat.features._graph import Node, lagged
from karat.features._spec import Function, family

_SHORT: Final = MARKET_RULES.short_sale[-1]
_BANDS: Final = MARKET_RULES.price_bands[-1]
_PER_UNIT: Final = 10_000


def _triggered(_: int) -> Node:
    """Return 1 on days whose low is 10 % or more below the close before; exact, on whole ten-thousandths."""
    low, close = nearest_whole(LOW * _PER_UNIT), nearest_whole(CLOSE * _PER_UNIT)
    return less_equal(10_000.0 * low, (10_000.0 - _SHORT.trigger_bps) * lagged(close, 1))


def _state(_: int) -> Node:
    today = _triggered(0)
    return where(equal_to(today, 1.0), constant(today, 2.0), lagged(today, 1))


def _band(_: int) -> Node:
    """Return the band of tier 1 for the session after each close, as a fraction of the close."""
    high, middle = _BANDS.tier_bps[0] / 10_000, _BANDS.middle_bps / 10_000
    cheap = smaller(float(_BANDS.low_amount) / CLOSE, constant(CLOSE, _BANDS.low_bps / 10_000))
    exact = nearest_whole(CLOSE * _PER_UNIT)
    below = where(less(exact, constant(exact, float(_BANDS.low) * _PER_UNIT)), cheap, constant(CLOSE, middle))
    return where(less(constant(exact, float(_BANDS.high) * _PER_UNIT), exact), constant(CLOSE, high), below)


def _excursion(_: int) -> Node:
    prior = lagged(CLOSE, 1)
    return larger(HIGH - prior, prior - LOW) / (prior * lagged(_band(0), 1))


_RULE_201: Final = "Rule 201; approximated from daily bars"
_LULD: Final = "LULD plan, Appendix A; approximated from daily bars"

REGULATORY = family(
    "regulatory",
    Function("ssr_trigger", _triggered, (0,), "0 or 1", "1 if 10 low[t] <= 9 close[t-1]", _RULE_201),
    Function("ssr_state", _state, (0,), "0, 1 or 2",
             "2 if triggered on day t (holds on t+1 too), 1 if only on day t-1 (ends with day t), else 0", _RULE_201),
    Function("luld_band", _band, (0,), "fraction",
             "tier 1 band of the next session by close[t]: "
             "0.05 above 3.00, 0.2 from 0.75 on, below min(0.15 / close, 0.75)",
             _LULD),
    Function("luld_excursion", _excursion, (0,), "bands",
             "max(high[t] - close[t-1], close[t-1] - low[t]) / (close[t-1] luld_band[t-1])", _LULD),
)  # fmt: skip
