"""Expected calibration error, in the two meanings that are often confused, and the curves they come from.

| meaning | whose probability | outcome |
|---|---|---|
| `top_label` | of the class the forecast calls most probable | that class happened |
| `class_wise` | of each class in turn; the mean over classes | this class happened |

For two classes they differ: the first sees probabilities from 0.5 up only. Source: Guo and others (2017), eq. 3;
Nixon and others (2019), static calibration error.

Invariants:
1. A bin is [left, right), the last one closed. Equal width: edges k / bins. Equal mass: the sorted rows cut into equal
   numbers, equal probabilities never apart.
2. The error is the mean over bins of |promised - happened|, weighted by rows. It is 0 for a calibrated forecast only in
   the limit: with n rows and b bins about sqrt(b / n) is noise.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from karat.core import InputError
from karat.evidence._scores import Reliability, reliability
from karat.evidence._shapes import Floats, Ints

Meaning = Literal["top_label", "class_wise"]
Edges = Literal["equal_width", "equal_mass"]
MEANINGS: Final = ("top_label", "class_wise")
EDGES: Final = ("equal_width", "equal_mass")


def ece(
    klass: Ints, probabilities: Floats, *, meaning: Meaning = "top_label", bins: int = 10, edges: Edges = "equal_width"
) -> float:
    """Return the expected calibration error of (n, c) class probabilities, between 0 and 1.

    Raises:
        InputError: shapes, an unknown meaning or kind of edges, or no rows.

    Example:
        >>> p = np.array([[0.7, 0.3], [0.7, 0.3]])
        >>> round(ece(np.array([0, 0]), p), 2), round(ece(np.array([0, 1]), p, meaning="class_wise"), 2)
        (0.3, 0.2)
    """
    curves = reliability_curves(klass, probabilities, meaning=meaning, bins=bins, edges=edges)
    return float(np.mean([curve.error for curve in curves]))


def reliability_curves(
    klass: Ints, probabilities: Floats, *, meaning: Meaning = "class_wise", bins: int = 10, edges: Edges = "equal_width"
) -> tuple[Reliability, ...]:
    """Return one curve for the top label, or one for each class.

    Raises:
        InputError: as `ece`.
    """
    if meaning not in MEANINGS:
        raise InputError("meaning", meaning, allowed=list(MEANINGS))
    if probabilities.ndim != 2 or klass.shape != (len(probabilities),) or len(klass) == 0:
        seen = f"shapes {klass.shape} and {probabilities.shape}"
        raise InputError("klass, probabilities", seen, allowed="(n,) and (n, c), one row or more")
    if meaning == "top_label":
        top = probabilities.argmax(axis=1)
        sure = probabilities[np.arange(len(klass)), top]
        return (reliability_curve(sure, (top == klass).astype(np.float64), bins=bins, edges=edges),)
    classes = range(probabilities.shape[1])
    return tuple(
        reliability_curve(probabilities[:, k], (klass == k).astype(np.float64), bins=bins, edges=edges) for k in classes
    )


def reliability_curve(
    probability: Floats, outcome: Floats, *, bins: int = 10, edges: Edges = "equal_width"
) -> Reliability:
    """Return the curve of an event's probability (n,) against its outcome (n,) 0 or 1; empty bins are left out.

    Raises:
        InputError: as `reliability`, or an unknown kind of edges.
    """
    if edges not in EDGES:
        raise InputError("edges", edges, allowed=list(EDGES))
    by_width = reliability(probability, outcome, bins=bins)
    return by_width if edges == "equal_width" else _by_mass(probability, outcome, bins)


def bin_of(probability: Floats, bins: int) -> Ints:
    """Return the equal-width bin of each probability, (n,) 0 to bins - 1."""
    return np.minimum((probability * bins).astype(np.int64), bins - 1)


def _by_mass(probability: Floats, outcome: Floats, bins: int) -> Reliability:
    good = np.isfinite(probability) & np.isfinite(outcome)
    order = np.argsort(probability[good], kind="stable")
    p, hit = probability[good][order], outcome[good][order]
    cuts = {int(np.searchsorted(p, p[len(p) * k // bins], side="left")) for k in range(bins)}
    starts = np.array(sorted(cuts), dtype=np.int64)
    counts = np.diff(np.append(starts, len(p)))
    promised, happened = np.add.reduceat(p, starts) / counts, np.add.reduceat(hit, starts) / counts
    error = float((np.abs(promised - happened) * counts).sum() / len(p))
    return Reliability(promised, happened, counts, error)
