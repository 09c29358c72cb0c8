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
    *_price.BASIC,
    *_trend.BASIC,
    *_momentum.BASIC,
    *_volatility.BASIC,
    *_volume.BASIC,
    *_price.RAW,
    *_vix.BASIC,
    *_regulatory.REGULATORY,
    *SIGNAL,
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
