"""What two ways of computing the same features differ by, and the record of it that a check returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from karat.features._spec import Floats


@dataclass(frozen=True)
class Comparison:
    """Outcome of a check of features, what every such check says; each adds how often it looked.

    passed: no feature differs. worst: largest difference, as a fraction of the feature's largest magnitude; a value
    that one of the two has and the other lacks counts as 1. offending: features that differ, sorted. evidence: a
    sentence for each. n_features: how many were compared.
    """

    passed: bool
    worst: float
    offending: tuple[str, ...]
    evidence: tuple[str, ...]
    n_features: int


def outcome(gap: Floats, evidence: Mapping[str, str]) -> tuple[bool, float, tuple[str, ...], tuple[str, ...]]:
    """Return the first fields of a `Comparison`. gap: differences of any shape. evidence: a sentence by feature."""
    names = tuple(sorted(evidence))
    return not names, float(gap.max(initial=0.0)), names, tuple(evidence[name] for name in names)


def magnitude(values: Floats) -> Floats:
    """Return (p,) the largest absolute value of each column of (n, p), 0 where there is none."""
    return np.asarray(np.nan_to_num(np.abs(values), nan=0.0).max(axis=0, initial=0.0))


def difference(before: Floats, after: Floats, size: Floats) -> Floats:
    """Return absolute differences as fractions of `size`; 0 where both are NaN, 1 where one is."""
    gone = np.isnan(before) != np.isnan(after)
    return np.where(gone, 1.0, np.nan_to_num(np.abs(before - after), nan=0.0) / np.where(size > 0, size, 1.0))
