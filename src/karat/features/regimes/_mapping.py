"""How the states of different systems go together: one table, so that a policy need not know every system.

`risk` is calm, usual or stressed. `market` is Bull, Bear or Crisis, what a copula or an allocation that knows three
states asks for; it is empty where a system says nothing of direction.

Invariants:
1. Every state of every registered system has a risk.
2. The number of states of a system is its own; nothing is merged but by this table.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import polars as pl

from karat.features.regimes._service import RegimeFrame

RISKS: Final = ("calm", "usual", "stressed")
MARKETS: Final = ("Bull", "Bear", "Crisis")


class Common(NamedTuple):
    """What a state means in the common systems; market is empty where it says nothing."""

    risk: str
    market: str = ""


MAPPING: Final[dict[str, dict[str, Common]]] = {
    "volatility": {"calm": Common("calm"), "elevated": Common("usual"), "turbulent": Common("stressed")},
    "liquidity": {"liquid": Common("calm"), "usual": Common("usual"), "thin": Common("stressed")},
    "rotation": {"lagging": Common("usual", "Bear"), "neutral": Common("usual"), "leading": Common("usual", "Bull")},
    "vix": {
        "calm": Common("calm"),
        "normal": Common("usual"),
        "elevated": Common("stressed"),
        "crisis": Common("stressed", "Crisis"),
    },
    "vix_high": {"usual": Common("usual"), "high": Common("stressed")},
    "change": {"settled": Common("usual"), "changed": Common("stressed")},
    "hidden": {
        "StrongBull": Common("calm", "Bull"),
        "Bull": Common("calm", "Bull"),
        "Sideways": Common("usual", "Bear"),
        "Recovery": Common("stressed", "Bull"),
        "Bear": Common("stressed", "Bear"),
        "Crisis": Common("stressed", "Crisis"),
    },
    "neural": {
        "QuietRise": Common("calm", "Bull"),
        "QuietPullback": Common("calm", "Bull"),
        "QuietRebound": Common("usual", "Bull"),
        "QuietDecline": Common("usual", "Bear"),
        "LoudRise": Common("usual", "Bull"),
        "LoudPullback": Common("stressed", "Bull"),
        "LoudRebound": Common("stressed", "Bull"),
        "LoudDecline": Common("stressed", "Bear"),
    },
}
"""System and state to the common ones."""


def with_common(labels: RegimeFrame) -> pl.DataFrame:
    """Return the frame of labels with `risk` and `market`, null where there is no label or nothing is said."""
    table = MAPPING[labels.regime]
    risks = {name: common.risk for name, common in table.items()}
    markets = {name: common.market or None for name, common in table.items()}
    name = pl.col("name")
    return labels.frame.with_columns(
        name.replace_strict(risks, default=None, return_dtype=pl.String).alias("risk"),
        name.replace_strict(markets, default=None, return_dtype=pl.String).alias("market"),
    )
