"""The simulated market, first step: target weights or quantities to fills, costs, cash and returns on bars.

`simulate(bars, intents, spec)` is the seam: what is behind it grows into an event-driven market, what is in front of
it stays. What is not simulated yet is listed in docs/concepts/market.md.
"""

from karat.market._attribution import attribution
from karat.market._bars import Bars, bars_from_panel
from karat.market._intents import TargetQuantities, TargetWeights
from karat.market._simulate import simulate
from karat.market._simulation import Simulation
from karat.market._spec import MarketSpec

__all__ = [
    "Bars",
    "MarketSpec",
    "Simulation",
    "TargetQuantities",
    "TargetWeights",
    "attribution",
    "bars_from_panel",
    "simulate",
]
