"""From forecasts to positions: one policy for all models and baselines, so that only the forecasts differ."""

from karat.portfolio._policy import to_positions
from karat.portfolio._positions import Positions
from karat.portfolio._spec import PolicySpec

__all__ = ["PolicySpec", "Positions", "to_positions"]
