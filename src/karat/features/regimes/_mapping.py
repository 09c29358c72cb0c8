"""How the states of different systems go together: one table, so that a policy need not know every system.

`risk` is calm, usual or stressed. `market` is Bull, Bear or Crisis, what a copula or an allocation that knows three
states asks for; it is empty where a system says nothing of direction.

Invariants:
1. Every state of every registered system has a risk.
2. The number of states of a system is its own; nothing is merged but by this table.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Risk = Literal["calm", "usual", "stressed"]
Market = Literal["", "Bull", "Bear", "Crisis"]


class Common(NamedTuple):
    """What a state means in the common systems; market is empty where it says nothing."""

    risk: Risk
    market: Market = ""


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
