"""The registry: every feature by name, and the named tiers of a study.

Invariants:
1. A name occurs once; a collision raises.
2. A tier is a tuple of registered names in a fixed order; `a20` has 20, `vix8` has 8, `base25` is `a20` and the bar.
"""

from __future__ import annotations

from typing import Final, Protocol, TypeVar

from karat.core import InputError
from karat.features import (
    _alpha158,
    _complexity,
    _index,
    _indicators,
    _liquidity,
    _moments,
    _momentum,
    _price,
    _regulatory,
    _seasonal,
    _spectral,
    _trend,
    _vix,
    _volatility,
    _volume,
)
from karat.features._graph import BAR
from karat.features._signal import SIGNAL
from karat.features._spec import FeatureSpec
from karat.features._tiers import A20, A100, A250, A500


class Named(Protocol):
    """What a table lists."""

    @property
    def name(self) -> str:
        """The name, once in a table."""


Spec = TypeVar("Spec", bound=Named)


def keyed(kind: str, *specs: Spec) -> dict[str, Spec]:
    """Return the specs by name; kind: what they are, such as feature.

    Raises:
        InputError: a name that is taken.
    """
    table: dict[str, Spec] = {}
    for spec in specs:
        if spec.name in table:
            raise InputError(f"{kind}.name", spec.name, why="the name is taken", fix="choose another name")
        table[spec.name] = spec
    return table


FEATURES: Final[dict[str, FeatureSpec]] = keyed(
    "feature",
    *_price.BASIC,
    *_trend.BASIC,
    *_momentum.BASIC,
    *_volatility.BASIC,
    *_volume.BASIC,
    *_moments.MOMENTS,
    *_liquidity.LIQUIDITY,
    *_index.INDICES,
    *_vix.MORE,
    *_complexity.COMPLEXITY,
    *_spectral.SPECTRAL,
    *_seasonal.SEASONAL,
    *_alpha158.ALPHA158,
    *_indicators.INDICATORS,
    *_price.RAW,
    *_vix.BASIC,
    *_regulatory.REGULATORY,
    *SIGNAL,
)
"""Every registered feature."""

TIERS: Final[dict[str, tuple[str, ...]]] = {
    "a20": A20,
    "a100": (*A20, *A100),
    "a250": (*A20, *A100, *A250),
    "a500": (*A20, *A100, *A250, *A500),
    "alpha158": tuple(spec.name for spec in _alpha158.ALPHA158),
    "indicators": tuple(spec.name for spec in _indicators.INDICATORS),
    "base25": (*A20, *BAR),
    "regulatory": tuple(name for name, spec in FEATURES.items() if spec.category == "regulatory"),
    "signal": ("signal",),
    "vix8": tuple(spec.name for spec in _vix.BASIC),
}
"""Tier name to its features, in order."""


def tiers_of(name: str) -> tuple[str, ...]:
    """Return the tiers that have a feature.

    Example:
        >>> tiers_of("rsi_14")
        ('a20', 'a100', 'a250', 'a500', 'base25')
    """
    return tuple(tier for tier, names in TIERS.items() if name in names)
