"""Measured error rates: the verdict on worlds whose truth is known.

Worlds without an edge ask how often it accepts what is worth nothing, worlds with one how often it finds what is worth
a known Sharpe ratio, campaigns whether trying for long enough helps. Everything between a forecast and the outcome is
the code of a study; only the forecasts and the returns are made here.
"""

from karat.study.rates._config import CalibrationConfig, CampaignConfig, NoEdge, Planted, Whole
from karat.study.rates._rates import error_rates
from karat.study.rates._run import Calibration, read_calibration, read_finished, run_campaigns, run_worlds

__all__ = [
    "Calibration",
    "CalibrationConfig",
    "CampaignConfig",
    "NoEdge",
    "Planted",
    "Whole",
    "error_rates",
    "read_calibration",
    "read_finished",
    "run_campaigns",
    "run_worlds",
]
