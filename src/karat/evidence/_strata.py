"""A comparison by stratum: by instrument, horizon, regime; means over all of them, and where the difference lies.

Invariants:
1. NaN rows are left out. Counts and sums over the strata of one key are those of the whole.
2. `micro` is the same for every key; `macro` weighs every stratum of its key alike.
3. A stratum too short for its horizon is named with NaN p-values; it is not counted among the tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from karat.core import InputError
from karat.evidence._effects import Strata, stratify
from karat.evidence._families import correct
from karat.evidence._forecast_tests import diebold_mariano
from karat.evidence._shapes import Floats

Keys = Mapping[str, Sequence[str] | NDArray[np.str_]]


@dataclass(frozen=True)
class Stratum:
    """One stratum: mean of loss less baseline's, its one-sided p-value (the first loses less), adjusted over all."""

    key: str
    name: str
    n: int
    difference: float
    p_value: float
    adjusted: float


def stratify_by(values: Floats, keys: Keys) -> dict[str, Strata]:
    """Return the strata of values (n,) by each key: instrument, horizon, regime or any other name.

    Raises:
        InputError: no key, different lengths, or no value.

    Example:
        >>> table = stratify_by(np.array([1.0, 1.0, 4.0]), {"regime": ["calm", "calm", "wild"]})
        >>> table["regime"].micro, table["regime"].macro
        (2.0, 2.5)
    """
    if not keys:
        raise InputError("keys", "none", allowed="one or more, e.g. instrument, horizon, regime")
    return {key: stratify(values, labels) for key, labels in keys.items()}


def compare_strata(loss: Floats, baseline_loss: Floats, keys: Keys, *, horizon: int = 1) -> tuple[Stratum, ...]:
    """Return where a model loses less than its baseline: Diebold and Mariano's test in every stratum.

    `loss`, `baseline_loss` (n,) one row a date, in time order. Adjusted as the family `strata`, over all keys together.

    Raises:
        InputError: shapes, no key or no value.
    """
    if loss.shape != baseline_loss.shape or loss.ndim != 1:
        raise InputError("baseline_loss", f"shape {baseline_loss.shape}", allowed=f"{loss.shape}, one dimension")
    difference = loss - baseline_loss
    found = []
    for key, table in stratify_by(difference, keys).items():
        labels = np.asarray(keys[key], dtype=np.str_)
        for name, count, mean in zip(table.names, table.counts, table.means, strict=True):
            mine = (labels == name) & np.isfinite(difference)
            found.append(Stratum(key, name, int(count), float(mean), _p(difference[mine], horizon), float("nan")))
    return _adjusted(found)


def _p(difference: Floats, horizon: int) -> float:
    if len(difference) <= max(horizon, 2) or (np.ptp(difference) == 0 and difference[0] != 0):
        return float("nan")
    test = diebold_mariano(difference, np.zeros(len(difference)), horizon=horizon, alternative="less")
    return test.p_value


def _adjusted(found: Sequence[Stratum]) -> tuple[Stratum, ...]:
    raw = np.array([row.p_value for row in found])
    out, good = np.full(len(raw), np.nan), np.isfinite(raw)
    if good.any():
        out[good] = correct(raw[good], "strata")
    return tuple(
        Stratum(row.key, row.name, row.n, row.difference, row.p_value, float(p))
        for row, p in zip(found, out, strict=True)
    )
