"""Adversarial validation: can a classifier tell one set of rows from another by their features?

Near 0.5 the two sets look alike; near 1 the rows that a model is judged on differ from those it learned from, and
what was learned may not hold there. It shows shift, never leakage, and decides nothing.

Invariants:
1. Every row is scored by a classifier that saw neither it nor its neighbours: both sets are cut into five stretches
   of time, and one stretch of each is held out together.
2. Same rows and seed: same value.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from karat.core import InputError, derive_seed
from karat.evidence._shapes import PRINTED, Check, Floats

_FOLDS: Final = 5
_MOST_ROWS: Final = 2_000
_LEAST_ROWS: Final = 100
_ROUNDS: Final = 50
_TREES: Final = {"objective": "binary", "num_leaves": 8, "num_threads": 1, "deterministic": True, "verbosity": -1}


def adversarial_auc(first: Floats, second: Floats, *, seed: int) -> float:
    """Return the area under the curve of telling `first` (n, p) from `second` (m, p), rows in order of time.

    NaN is a value like any other. The classifier is LightGBM on one thread, 50 trees of 8 leaves.

    Raises:
        InputError: another number of features, or fewer than 100 rows in either.
    """
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise InputError("first, second", f"shapes {first.shape} and {second.shape}", allowed="(n, p) and (m, p)")
    if min(len(first), len(second)) < _LEAST_ROWS:
        raise InputError("first, second", (len(first), len(second)), allowed=f"{_LEAST_ROWS} rows or more in each")
    import lightgbm  # a second to import: only who asks pays
    from sklearn.metrics import roc_auc_score

    parts = [_evenly(part) for part in (first, second)]
    x = np.concatenate(parts)
    y = np.repeat([0, 1], [len(part) for part in parts])
    fold = np.concatenate([np.arange(len(part)) * _FOLDS // len(part) for part in parts])
    found = np.empty(len(y))
    for k in range(_FOLDS):
        terms = {**_TREES, "seed": derive_seed(seed, "adversarial", k)}
        data = lightgbm.Dataset(x[fold != k], label=y[fold != k], free_raw_data=True)
        found[fold == k] = lightgbm.train(terms, data, num_boost_round=_ROUNDS).predict(x[fold == k], num_threads=1)
    # Scores of different classifiers are not on one scale: the areas of the folds are averaged.
    return float(np.mean([roc_auc_score(y[fold == k], found[fold == k]) for k in range(_FOLDS)]))


def adversarial_validation(first: Floats, second: Floats, *, seed: int) -> Check:
    """Return the printed check of how well the rows of a model's Train can be told from those it is judged on."""
    name = "adversarial validation"
    if min(len(first), len(second)) < _LEAST_ROWS:
        return Check(name, None, PRINTED, None, f"not evaluated: fewer than {_LEAST_ROWS} rows in a part")
    area = adversarial_auc(first, second, seed=seed)
    return Check(name, area, PRINTED, None, "area under the curve; 0.5 is alike, 1 is told apart")


def _evenly(part: Floats) -> Floats:
    return part[np.linspace(0, len(part) - 1, min(len(part), _MOST_ROWS)).astype(np.int64)]
