"""Calibration: do forecasts mean what they say, and maps and intervals that make them.

`pair` sets a forecast beside a `Valid` view, `Calibrator` learns maps of class probabilities regime by regime and falls
back to the identity where they do not help, `QuantileCalibrator` does the same for quantiles. `QuantileShift` and
`SplitConformal` move quantiles and intervals, `Adaptive` follows a world that changes. `ece`, `brier_parts`,
`pit_uniform`, `coverage` and, all at once, `calibration_summary` measure.
"""

from karat.evidence.calibration._adaptive import Adaptive, scan, step, widening
from karat.evidence.calibration._brier import BrierParts, brier_parts
from karat.evidence.calibration._calibrator import CALIBRATORS, Calibrator
from karat.evidence.calibration._conformal import (
    SplitConformal,
    conformal_quantile,
    conformal_rank,
    outside,
    own_interval,
    widened,
)
from karat.evidence.calibration._coverage import Coverage, RollingCoverage, binomial_band, coverage, rolling_coverage
from karat.evidence.calibration._diagnostics import MIN_ROWS, Diagnosis
from karat.evidence.calibration._ece import EDGES, MEANINGS, ece, reliability_curve, reliability_curves
from karat.evidence.calibration._map import ClassMap, two_classes
from karat.evidence.calibration._online import replay
from karat.evidence.calibration._pairs import ClassRows, Pairs, pair, pool
from karat.evidence.calibration._pit import PitTest, pit_uniform
from karat.evidence.calibration._quantiles import QuantileCalibrator
from karat.evidence.calibration._shift import QuantileShift
from karat.evidence.calibration._summary import calibration_summary

__all__ = [
    "CALIBRATORS",
    "EDGES",
    "MEANINGS",
    "MIN_ROWS",
    "Adaptive",
    "BrierParts",
    "Calibrator",
    "ClassMap",
    "ClassRows",
    "Coverage",
    "Diagnosis",
    "Pairs",
    "PitTest",
    "QuantileCalibrator",
    "QuantileShift",
    "RollingCoverage",
    "SplitConformal",
    "binomial_band",
    "brier_parts",
    "calibration_summary",
    "conformal_quantile",
    "conformal_rank",
    "coverage",
    "ece",
    "outside",
    "own_interval",
    "pair",
    "pit_uniform",
    "pool",
    "reliability_curve",
    "reliability_curves",
    "replay",
    "rolling_coverage",
    "scan",
    "step",
    "two_classes",
    "widened",
    "widening",
]
