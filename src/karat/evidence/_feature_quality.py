"""Quality of regime features: finite, varying, and silent about which instrument they belong to.

A regime is a state of the market. A regime feature that knows the instrument is a way to memorise instruments.

Invariants:
1. Every column is checked; one fault fails its check and names the column.
2. The bits are estimated by the callable that is given, so that one estimator serves every guard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from karat.core import InputError
from karat.evidence._shapes import Check, Floats, Ints

Bits = Callable[[Floats, Ints], float]
"""(values (n,), instrument codes (n,)) to bias-corrected bits that the first says about the second."""
REGIME_BITS: Final = 0.01
_FLAT: Final = 1e-12


def regime_feature_quality(
    features: Floats, names: Sequence[str], instrument: Ints, bits: Bits, *, warmup: int = 0
) -> tuple[Check, Check, Check]:
    """Return the checks that regime features (n, p) are finite, vary, and say at most 0.01 bit about the instrument.

    `instrument` (n,) codes, rows of one instrument together and in time order; the first `warmup` rows of each may be
    NaN and are left out.

    Raises:
        InputError: shapes that do not fit, or no row after the warm-up.
    """
    if features.ndim != 2 or instrument.shape != (len(features),) or len(names) != features.shape[1]:
        seen = f"shapes {features.shape} and {instrument.shape} for {len(names)} names"
        raise InputError("features, instrument", seen, allowed="(n, p) and (n,), one name per column")
    kept = _after_warmup(instrument, warmup)
    if not kept.any():
        raise InputError("warmup", warmup, allowed="fewer rows than an instrument has")
    rows, codes = features[kept], instrument[kept]
    endless = [name for name, column in zip(names, rows.T, strict=True) if not np.isfinite(column).all()]
    whole = [(name, column) for name, column in zip(names, rows.T, strict=True) if name not in endless]
    flat = [name for name, column in whole if np.ptp(column) <= _FLAT * max(1.0, float(np.abs(column).max()))]
    said = {name: bits(column, codes) for name, column in whole if name not in flat}
    talking = [f"{name} ({value:.3g} bit)" for name, value in said.items() if not value <= REGIME_BITS]
    return (
        _check("regime features finite", endless, "no NaN or infinite value after the warm-up"),
        _check("regime features vary", flat, "no constant column"),
        _check("regime features silent about the instrument", talking, f"<= {REGIME_BITS:g} bit each"),
    )


def _after_warmup(instrument: Ints, warmup: int) -> np.ndarray:
    starts = np.flatnonzero(np.append(True, instrument[1:] != instrument[:-1]))
    place = np.arange(len(instrument)) - starts[np.searchsorted(starts, np.arange(len(instrument)), side="right") - 1]
    return np.asarray(place >= warmup)


def _check(name: str, broken: Sequence[str], threshold: str) -> Check:
    return Check(name, float(len(broken)), threshold, not broken, ", ".join(broken))
