"""Calibration, written plainly from the definitions: one loop a row, exact fractions for ranks."""

from __future__ import annotations

import math
from fractions import Fraction


def binned_error(probability, outcome, bins):
    """Expected calibration error in equal-width bins [k/bins, (k+1)/bins), the last one closed."""
    rows = list(zip(probability, outcome, strict=True))
    total = 0.0
    for k in range(bins):
        inside = [(p, o) for p, o in rows if (k <= p * bins < k + 1) or (k == bins - 1 and p == 1.0)]
        if inside:
            gap = sum(p for p, _ in inside) / len(inside) - sum(o for _, o in inside) / len(inside)
            total += abs(gap) * len(inside) / len(rows)
    return total


def top_label_error(klass, probabilities, bins):
    """Of the most probable class."""
    tops = [max(range(len(p)), key=lambda c, p=p: p[c]) for p in probabilities]
    sure = [p[c] for p, c in zip(probabilities, tops, strict=True)]
    return binned_error(sure, [int(c == k) for c, k in zip(tops, klass, strict=True)], bins)


def class_wise_error(klass, probabilities, bins):
    """The mean over classes of each class against the rest."""
    classes = range(len(probabilities[0]))
    errors = [binned_error([p[c] for p in probabilities], [int(k == c) for k in klass], bins) for c in classes]
    return sum(errors) / len(errors)


def conformal(scores, share):
    """The ceil((n + 1) share)-th smallest, infinite if there is none."""
    rank = math.ceil((len(scores) + 1) * Fraction(str(share)))
    return sorted(scores)[rank - 1] if rank <= len(scores) else math.inf


def adaptive(scores, coverage, rate, window, lag):
    """The widening of every step, by Gibbs and Candes (2021), eq. 2."""
    wanted = missing = 1.0 - coverage
    past, widenings = [], []
    for k in range(len(scores)):
        if k >= lag:
            score, used = scores[k - lag], widenings[k - lag]
            missing += rate * (wanted - (score > used))
            past.append(score)
        recent = past[-window:]
        if 1.0 - missing <= 0:
            widenings.append(-math.inf)
        elif 1.0 - missing >= 1:
            widenings.append(math.inf)
        else:
            widenings.append(conformal(recent, 1.0 - missing))
    return widenings


def rolling_share(covered, window):
    """The share covered among the last `window` rows."""
    return [sum(covered[k - window + 1 : k + 1]) / window if k + 1 >= window else math.nan for k in range(len(covered))]
