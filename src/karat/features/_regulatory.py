"""What the rules of the US stock market make of daily bars: the short-sale price test, and the width of the bands.

A regular-hours bar shows that a trade happened at its low, so the trigger of the short-sale test is told for the day,
not for the time of day. Limit states, pauses and executions against the bid need quotes and are not shown: see
docs/concepts/rules.md. Prices must be raw or split-adjusted, of regular hours, and are read to the nearest 0.0001; on
dates before a rule existed, the features say what it would have done. Numbers come from `karat.data.MARKET_RULES`.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from karat.data import MARKET_RULES
from karat.features._rolling import lagged
from karat.features._spec import Columns, FeatureSpec, Floats

_SHORT: Final = MARKET_RULES.short_sale[-1]
_BANDS: Final = MARKET_RULES.price_bands[-1]
_PER_UNIT: Final = 10_000


def _triggered(columns: Columns) -> Floats:
    """Return (n,) 1 on days whose low is 10 % or more below the close before; exact, on whole ten-thousandths."""
    low, close = np.rint(columns["low"] * _PER_UNIT), np.rint(columns["close"] * _PER_UNIT)
    prior = lagged(close, 1)
    fell = 10_000 * low <= (10_000 - _SHORT.trigger_bps) * prior
    return np.where(np.isnan(prior), np.nan, fell.astype(np.float64))


def _state(columns: Columns) -> Floats:
    today = _triggered(columns)
    return np.where(today == 1.0, 2.0, lagged(today, 1))


def _band(close: Floats) -> Floats:
    """Return (n,) the band of tier 1 for the session after each close, as a fraction of the close."""
    high, middle = _BANDS.tier_bps[0] / 10_000, _BANDS.middle_bps / 10_000
    cheap = np.minimum(float(_BANDS.low_amount) / close, _BANDS.low_bps / 10_000)
    exact = np.rint(close * _PER_UNIT)
    below = np.where(exact < float(_BANDS.low) * _PER_UNIT, cheap, middle)
    return np.where(exact > float(_BANDS.high) * _PER_UNIT, high, below)


def _band_frac(columns: Columns) -> Floats:
    return _band(columns["close"])


def _excursion(columns: Columns) -> Floats:
    prior = lagged(columns["close"], 1)
    furthest = np.maximum(columns["high"] - prior, prior - columns["low"])
    return furthest / (prior * _band(prior))


def _spec(name: str, inputs: tuple[str, ...], lookback: int, unit: str, formula: str) -> FeatureSpec:
    compute = {"ssr_trigger": _triggered, "ssr_state": _state, "luld_band": _band_frac, "luld_excursion": _excursion}
    return FeatureSpec(
        name=name,
        inputs=inputs,
        lookback=lookback,
        category="regulatory",
        unit=unit,
        formula=formula,
        source=f"{'Rule 201' if name.startswith('ssr') else 'LULD plan, Appendix A'}; approximated from daily bars",
        compute=compute[name],
    )


SSR_TRIGGER = _spec("ssr_trigger", ("low", "close"), 1, "0 or 1", "1 if 10 low[t] <= 9 close[t-1]")
SSR_STATE = _spec(
    "ssr_state",
    ("low", "close"),
    2,
    "0, 1 or 2",
    "2 if triggered on day t (holds on t+1 too), 1 if only on day t-1 (ends with day t), else 0",
)
LULD_BAND = _spec(
    "luld_band",
    ("close",),
    0,
    "fraction",
    "tier 1 band of the next session by close[t]: 0.05 above 3.00, 0.2 from 0.75 on, below min(0.15 / close, 0.75)",
)
LULD_EXCURSION = _spec(
    "luld_excursion",
    ("high", "low", "close"),
    1,
    "bands",
    "max(high[t] - close[t-1], close[t-1] - low[t]) / (close[t-1] luld_band[t-1])",
)
