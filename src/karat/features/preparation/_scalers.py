"""Scalers: features to comparable numbers. Each is three functions of arrays, so that what was fitted can be stored.

Invariants:
1. A row's scaled values depend on that row and on what was fitted, on no other row.
2. A feature that does not vary in Train becomes 0 everywhere, and so does a missing value: `apply` gives no NaN.
   It varies where its width is above 1e-12 of its centre, whatever its unit; below that is rounding.
3. Scaled values beyond `LIMIT` are cut, so that one odd bar cannot rule; `invert` is exact inside, up to rounding. What
   rounding costs `power` grows with its exponent: of a value v deviations from the mean the part 2e-15 (1 + |v|)^e of
   1 + |v| may be lost, e the size of l above the mean and of 2 - l below. On 2,000 Pareto values that is 1e-12 with a
   tail of exponent 2, and up to all of the largest ones with 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from karat.features._spec import Floats

Arrays = Mapping[str, Floats]

LIMIT: Final = 5.0
_NORMAL_IQR: Final = 1.3489795003921634
_KNOTS: Final = 1000
_POWER: Final = ("centre", "width", "power", "bent_centre", "bent_width")
_EDGE: Final = 1e-7  # ranks stay this far from 0 and 1: LIMIT is nearer than what this gives


@dataclass(frozen=True)
class Scaling:
    """fit: (n, p) features of Train, NaN allowed, to arrays. apply: (..., p) features to scaled ones. invert: back.

    arrays: names of what `fit` gives.
    """

    fit: Callable[[Floats], Arrays]
    apply: Callable[[Floats, Arrays], Floats]
    invert: Callable[[Floats, Arrays], Floats]
    arrays: tuple[str, ...] = ("centre", "width")


def _seen(features: Floats) -> Floats:
    """Return the features with 0 for a column that has no value at all."""
    return np.where(np.logical_or.reduce(np.isfinite(features), axis=0, keepdims=True), features, 0.0)


def _width(width: Floats, centre: Floats) -> Floats:
    """Return widths with 0 where rounding is all that varies: it switches a feature off."""
    return np.where(width > 1e-12 * np.abs(centre), width, 0.0)


def _fit_robust(features: Floats) -> Arrays:
    filled = _seen(features)
    low, centre, high = np.nanquantile(filled, [0.25, 0.5, 0.75], axis=0)
    width = (high - low) / _NORMAL_IQR
    # A feature that is constant on half of the rows (a flag, a rare event) still has a standard deviation.
    width = np.where(width > 0.0, width, np.nanstd(filled, axis=0))
    return {"centre": centre, "width": _width(width, centre)}


def _fit_standard(features: Floats) -> Arrays:
    filled = _seen(features)
    centre = np.nanmean(filled, axis=0)
    return {"centre": centre, "width": _width(np.nanstd(filled, axis=0), centre)}


def _fit_min_max(features: Floats) -> Arrays:
    filled = _seen(features)
    low, high = np.nanmin(filled, axis=0), np.nanmax(filled, axis=0)
    centre = (low + high) / 2.0
    return {"centre": centre, "width": _width((high - low) / 2.0, centre)}


def _standardised(features: Floats, fitted: Arrays) -> Floats:
    """Return the features in widths from the centre, 0 for one that does not vary."""
    return np.asarray((features - fitted["centre"]) / np.where(fitted["width"] > 0.0, fitted["width"], np.inf))


def _apply_linear(features: Floats, fitted: Arrays) -> Floats:
    return _cut(_standardised(features, fitted))


def _invert_linear(scaled: Floats, fitted: Arrays) -> Floats:
    return np.asarray(fitted["centre"] + scaled * fitted["width"])


def _cut(scaled: Floats) -> Floats:
    return np.asarray(np.clip(np.nan_to_num(scaled, nan=0.0, posinf=LIMIT, neginf=-LIMIT), -LIMIT, LIMIT))


def _fit_quantile(features: Floats) -> Arrays:
    filled = _seen(features)
    count = int(np.clip(np.isfinite(filled).sum(axis=0).min(initial=_KNOTS), 2, _KNOTS))
    return {"knots": np.nanquantile(filled, np.linspace(0.0, 1.0, count), axis=0)}


def _apply_quantile(features: Floats, fitted: Arrays) -> Floats:
    """Ranks between the knots, the middle of its range for a value that several knots have, then normal scores."""
    from scipy.special import ndtri

    knots = fitted["knots"]
    grid = np.linspace(0.0, 1.0, len(knots))
    scaled = np.zeros(features.shape)
    for j in range(knots.shape[1]):
        if knots[0, j] == knots[-1, j]:
            continue
        column = features[..., j]
        up = np.interp(column, knots[:, j], grid)
        down = -np.interp(-column, -knots[::-1, j], -grid[::-1])
        scaled[..., j] = ndtri(np.clip((up + down) / 2.0, _EDGE, 1.0 - _EDGE))
    return _cut(scaled)


def _invert_quantile(scaled: Floats, fitted: Arrays) -> Floats:
    from scipy.special import ndtr

    knots = fitted["knots"]
    grid = np.linspace(0.0, 1.0, len(knots))
    columns = [np.interp(ndtr(scaled[..., j]), grid, knots[:, j]) for j in range(knots.shape[1])]
    return np.stack(columns, axis=-1)


def _fit_power(features: Floats) -> Arrays:
    """Powers of highest likelihood of the standardised features: a power of raw prices would leave float64."""
    from sklearn.preprocessing import PowerTransformer

    linear = _fit_standard(features)
    base = _seen(_standardised(features, linear))
    alive = linear["width"] > 0.0
    power = np.ones(features.shape[1])
    if alive.any():
        power[alive] = PowerTransformer(standardize=False).fit(base[:, alive]).lambdas_
    bent = _yeo_johnson(base, power)
    centre = np.nanmean(bent, axis=0)
    width = np.where(alive, _width(np.nanstd(bent, axis=0), centre), 0.0)
    return {**linear, "power": power, "bent_centre": centre, "bent_width": width}


def _yeo_johnson(values: Floats, power: Floats) -> Floats:
    """Return the power of 1 + |x| with exponent l above zero and 2 - l below, scaled so that its slope at 0 is 1."""
    exponent = np.where(values >= 0.0, power, 2.0 - power)
    size = np.log1p(np.abs(values))
    flat = np.abs(exponent) < 1e-12
    with np.errstate(over="ignore"):
        bent = np.where(flat, size, np.expm1(exponent * size) / np.where(flat, 1.0, exponent))
    return np.asarray(np.sign(values) * bent)


def _apply_power(features: Floats, fitted: Arrays) -> Floats:
    bent = _yeo_johnson(_standardised(features, fitted), fitted["power"]) - fitted["bent_centre"]
    return _cut(bent / np.where(fitted["bent_width"] > 0.0, fitted["bent_width"], np.inf))


def _invert_power(scaled: Floats, fitted: Arrays) -> Floats:
    bent = fitted["bent_centre"] + scaled * fitted["bent_width"]
    exponent = np.where(bent >= 0.0, fitted["power"], 2.0 - fitted["power"])
    flat = np.abs(exponent) < 1e-12
    inside = np.maximum(exponent * np.abs(bent), -1.0 + 1e-15)
    size = np.where(flat, np.abs(bent), np.log1p(inside) / np.where(flat, 1.0, exponent))
    return np.asarray(fitted["centre"] + np.sign(bent) * np.expm1(size) * fitted["width"])


SCALERS: Final[Mapping[str, Scaling]] = {
    "robust": Scaling(_fit_robust, _apply_linear, _invert_linear),
    "standard": Scaling(_fit_standard, _apply_linear, _invert_linear),
    "min_max": Scaling(_fit_min_max, _apply_linear, _invert_linear),
    "quantile": Scaling(_fit_quantile, _apply_quantile, _invert_quantile, ("knots",)),
    "power": Scaling(_fit_power, _apply_power, _invert_power, _POWER),
}
"""Scalers by the name that a study gives; docs and bounds as in `karat.features.preparation`."""
