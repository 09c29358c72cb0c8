"""Selectors: which scaled features, or which combinations of them, a forecaster is given.

What was fitted is a matrix: `apply` multiplies by it after the centre is taken off. One that keeps features holds a
single 1 in each column.

Invariants:
1. A row's result depends on that row and on what was fitted, on no other row.
2. Same Train, same result, bit by bit: halves, trees and starts are drawn from a fixed seed.
3. Kept features stand in their own order; a combination's largest weight is positive.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from karat.core import generator
from karat.features._spec import Floats

_SEED: Final = 20_000
_MOST_ROWS: Final = 5_000  # of Train, evenly spread, where a method's cost grows faster than the rows
_HALVES: Final = 50
_NEIGHBOURS: Final = 3
_L1_RATIO: Final = 0.5
_PENALTIES: Final = 60


@dataclass(frozen=True)
class Selecting:
    """fit: (n, p) scaled features without NaN, (n,) labels, how many to keep; gives (centre (p,), matrix (p, q)).

    combines: whether results are combinations of features and not features. least: rows that it needs.
    """

    fit: Callable[[Floats, Floats, int], tuple[Floats, Floats]]
    combines: bool = False
    least: int = 1


def _keep(chosen: NDArray[np.int64], p: int) -> tuple[Floats, Floats]:
    matrix = np.zeros((p, len(chosen)))
    matrix[np.sort(chosen), np.arange(len(chosen))] = 1.0
    return np.zeros(p), matrix


def _best(worth: Floats, keep: int) -> NDArray[np.int64]:
    """Return the `keep` places of highest worth; of equals the first."""
    return np.argsort(-worth, kind="stable")[:keep]


def _spread(n: int) -> NDArray[np.int64]:
    """Return at most `_MOST_ROWS` rows, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, _MOST_ROWS)).astype(np.int64))


def _none(x: Floats, z: Floats, keep: int) -> tuple[Floats, Floats]:
    return np.zeros(x.shape[1]), np.eye(x.shape[1])


def _entry(x: Floats, z: Floats, l1_ratio: float) -> Floats:
    """Return (p,) how early each feature enters the path: higher is earlier, 0 never.

    Features that enter between the same two penalties are ordered by the size of their coefficient there.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import enet_path

    width = x.std(axis=0)
    unit = (x - x.mean(axis=0)) / np.where(width > 0.0, width, np.inf)
    pull = unit.T @ (z - z.mean())
    highest = max(float(np.abs(pull).max(initial=0.0)) / (len(z) * l1_ratio), 1e-300)  # from here on all are out
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        penalties = np.geomspace(highest, 1e-3 * highest, _PENALTIES)
        _, path, _ = enet_path(unit, z - z.mean(), l1_ratio=l1_ratio, alphas=penalties)
    inside = np.abs(path) > 0.0
    first = np.where(inside.any(axis=1), inside.argmax(axis=1), path.shape[1])
    size = np.abs(path[np.arange(len(path)), np.minimum(first, path.shape[1] - 1)])
    return np.where(first < path.shape[1], path.shape[1] - first + size / (1.0 + size.max(initial=0.0)), 0.0)


def _elastic_net(x: Floats, z: Floats, keep: int) -> tuple[Floats, Floats]:
    return _keep(_best(_entry(x, z, _L1_RATIO), keep), x.shape[1])


def _mutual_information(x: Floats, z: Floats, keep: int) -> tuple[Floats, Floats]:
    from sklearn.feature_selection import mutual_info_regression

    rows = _spread(len(x))
    worth = mutual_info_regression(x[rows], z[rows], n_neighbors=_NEIGHBOURS, random_state=_SEED)
    return _keep(_best(worth, keep), x.shape[1])


def _stability(x: Floats, z: Floats, keep: int) -> tuple[Floats, Floats]:
    """Complementary pairs of halves, each of whole runs of rows: neighbouring labels overlap."""
    rng = generator(_SEED, "stability")
    runs = np.array_split(np.arange(len(x)), min(20, len(x)))
    counts = np.zeros(x.shape[1])
    for _ in range(_HALVES // 2):
        order = rng.permutation(len(runs))
        for half in (order[: len(runs) // 2], order[len(runs) // 2 :]):
            rows = np.sort(np.concatenate([runs[k] for k in half]))
            entry = _entry(x[rows], z[rows], 1.0)
            taken = _best(entry, keep)
            counts[taken[entry[taken] > 0.0]] += 1.0
    return _keep(_best(counts + _entry(x, z, 1.0) / 1e6, keep), x.shape[1])


def _importance(x: Floats, z: Floats, keep: int) -> tuple[Floats, Floats]:
    from sklearn.ensemble import ExtraTreesRegressor

    rows = _spread(len(x))
    trees = ExtraTreesRegressor(200, min_samples_leaf=max(5, len(rows) // 100), max_features=0.5, random_state=_SEED)
    return _keep(_best(trees.fit(x[rows], z[rows]).feature_importances_, keep), x.shape[1])


def _pca(x: Floats, z: Floats, keep: int) -> tuple[Floats, Floats]:
    centre = x.mean(axis=0)
    _, size, weights = np.linalg.svd(x - centre, full_matrices=False)
    deviation = size / np.sqrt(max(len(x) - 1, 1))
    alive = deviation > 1e-9 * max(deviation.max(initial=0.0), 1e-300)
    count = min(keep, int(alive.sum()))
    return centre, _signed((weights[:count] / deviation[:count, None]).T)


def _ica(x: Floats, z: Floats, keep: int) -> tuple[Floats, Floats]:
    """FastICA on whitened components, from a fixed start."""
    from sklearn.decomposition import FastICA
    from sklearn.exceptions import ConvergenceWarning

    centre, white = _pca(x, z, keep)
    count = white.shape[1]
    if not count:  # nothing varies
        return centre, white
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = FastICA(whiten=False, w_init=np.eye(count), max_iter=500).fit((x - centre) @ white)
    return centre, _signed(white @ found.components_.T)


def _signed(matrix: Floats) -> Floats:
    """Return the columns with a sign: the entry of largest size is positive."""
    if not matrix.size:
        return matrix
    largest = np.take_along_axis(matrix, np.abs(matrix).argmax(axis=0)[None, :], axis=0)
    return np.asarray(matrix * np.where(largest < 0.0, -1.0, 1.0))


SELECTORS: Final[Mapping[str, Selecting]] = {
    "none": Selecting(_none),
    "elastic_net": Selecting(_elastic_net),
    "mutual_information": Selecting(_mutual_information, least=_NEIGHBOURS + 1),
    "stability": Selecting(_stability, least=2),
    "importance": Selecting(_importance),
    "pca": Selecting(_pca, combines=True),
    "ica": Selecting(_ica, combines=True),
}
"""Selectors by the name that a study gives; docs as in `karat.features.preparation`."""
