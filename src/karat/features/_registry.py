"""The registry: every feature by name, and the named tiers of a study.

Invariants:
1. A name occurs once; a collision raises.
2. A tier is a tuple of registered names in a fixed order; `a20` has 20, `vix8` has 8, `base25` is `a20` and the bar.
"""

from __future__ import annotations

from typing import Final

from karat.core import InputError
from karat.features import _momentum, _price, _regulatory, _trend, _vix, _volatility, _volume
from karat.features._signal import SIGNAL
from karat.features._spec import FeatureSpec


def keyed(*specs: FeatureSpec) -> dict[str, FeatureSpec]:
    """Return the specs by name.

    Raises:
        InputError: a name that is taken.
    """
    table: dict[str, FeatureSpec] = {}
    for spec in specs:
        if spec.name in table:
            raise InputError("feature.name", spec.name, why="the name is taken", fix="choose another name")
        table[spec.name] = spec
    return table


FEATURES: Final[dict[str, FeatureSpec]] = keyed(
    _price.RET_1,
    _price.RET_5,
    _price.RET_20,
    _price.GAP,
    _price.CLOSE_LOCATION,
    _trend.SMA_RATIO_10,
    _trend.SMA_RATIO_50,
    _trend.EMA_RATIO_12_26,
    _trend.MACD_HIST,
    _trend.ADX_14,
    _momentum.RSI_14,
    _momentum.STOCH_D_14,
    _momentum.CCI_20,
    _volatility.BOLLINGER_B,
    _volatility.BOLLINGER_WIDTH,
    _volatility.NATR_14,
    _volatility.REALISED_VOL_20,
    _volume.VOLUME_Z_20,
    _volume.MFI_14,
    _volume.OBV_SLOPE_20,
    _price.OPEN,
    _price.HIGH,
    _price.LOW,
    _price.CLOSE,
    _price.VOLUME,
    _vix.VIX_CLOSE,
    _vix.VIX_SMA_10,
    _vix.VIX_SMA_20,
    _vix.VIX_PERCENTILE_60D,
    _vix.VIX_ZSCORE_20D,
    _vix.VIX_REGIME,
    _vix.VIX_CHANGE_1D,
    _vix.VIX_CHANGE_5D,
    _regulatory.SSR_TRIGGER,
    _regulatory.SSR_STATE,
    _regulatory.LULD_BAND,
    _regulatory.LULD_EXCURSION,
    SIGNAL,
)
"""Every registered feature."""

_A20: Final = tuple(FEATURES)[:20]
_BAR: Final = ("open", "high", "low", "close", "volume")

TIERS: Final[dict[str, tuple[str, ...]]] = {
    "a20": _A20,
    "base25": (*_A20, *_BAR),
    "regulatory": tuple(name for name, spec in FEATURES.items() if spec.category == "regulatory"),
    "signal": ("signal",),
    "vix8": tuple(name for name, spec in FEATURES.items() if spec.category == "vix"),
}
"""Tier name to its features, in order."""
