"""Every calibration figure of one model's forecasts in one flat record, for tables over many runs.

Invariants:
1. Every figure is a finite number; too few rows are refused instead.
2. A calibrated forecast has errors near zero and coverages near their names.
"""

from __future__ import annotations

from typing import Final

from karat.data import INNER, LEVELS, Forecast
from karat.evidence._scores import crps_from_quantiles, pit, quantile_reliability
from karat.evidence._shapes import Floats
from karat.evidence.calibration._brier import brier_parts
from karat.evidence.calibration._conformal import outside, own_interval
from karat.evidence.calibration._coverage import coverage
from karat.evidence.calibration._ece import ece
from karat.evidence.calibration._pit import pit_uniform
from karat.labels import classify

COVERAGES: Final = (0.5, 0.8, 0.9, 0.95)


def calibration_summary(forecast: Forecast, value: Floats, *, overlap: int = 1) -> dict[str, float]:
    """Return CRPS (fraction), calibration errors, parts of the Brier score, PIT distance and coverages.

    Each coverage comes with its exact 95 % interval, `_low` and `_high`, and the p-value of its name, `_p`.

    `value` (n,) realised forward returns of the forecast's rows, finite; `overlap` bars of horizon a row.

    Raises:
        InputError: fewer than 20 independent rows, or a missing return.
    """
    klass = classify(value)
    inner = forecast.quantiles[:, INNER]
    parts = brier_parts(klass, forecast.probabilities)
    uniform = pit_uniform(pit(value, forecast.quantiles, LEVELS), overlap=overlap)
    facts = {
        "crps": float(crps_from_quantiles(value, inner, LEVELS[INNER]).mean()),
        "quantile_error": quantile_reliability(value, inner, LEVELS[INNER]).error,
        "ece_top_label": ece(klass, forecast.probabilities, meaning="top_label"),
        "ece_class_wise": ece(klass, forecast.probabilities, meaning="class_wise"),
        "brier": parts.score,
        "brier_reliability": parts.reliability,
        "brier_resolution": parts.resolution,
        "pit_distance": uniform.distance,
        "pit_p": uniform.p_value,
    }
    for nominal in COVERAGES:
        inside = (outside(value, *own_interval(forecast.quantiles, nominal)) <= 0).astype(float)
        found = coverage(inside, nominal, overlap=overlap)
        name = f"coverage_{nominal:g}"
        facts |= {name: found.share, f"{name}_low": found.lower, f"{name}_high": found.upper}
        facts[f"{name}_p"] = found.p_value
    return facts
