"""Distinctness: proof by measurement that no column of a tier is another one in disguise.

| disguise | how it is seen |
|---|---|
| a monotone transform, a copy, a little noise | the rank correlation of the two is at the limit |
| an older value | a column's rank correlation with another of up to 20 bars ago is at the limit |
| a product or a quotient | the rank correlation of a column with the product of two others is at the limit |
| a constant | it has one value |

Products are looked for on 500 rows first, and confirmed on all of them. Noise that is drawn anew is not caught here but
by `check_invariance`: the value of a row changes when it is computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from karat.core import InputError, generator
from karat.features._spec import Floats

LIMIT: Final = 0.995
"""Largest absolute rank correlation of two columns that count as two."""
_LAGS: Final = 20
_SAMPLE: Final = 500
_MARGIN: Final = 0.01
_FEW: Final = 60


@dataclass(frozen=True)
class Clash:
    """A column that is no column of its own: how it is disguised, as what, the rank correlation, the bars between."""

    kind: Literal["same", "lagged", "product", "constant"]
    column: str
    others: tuple[str, ...]
    correlation: float
    lag: int = 0

    def __str__(self) -> str:
        told = {
            "same": f"is {' '.join(self.others)} up to a monotone transform",
            "lagged": f"is {' '.join(self.others)} of {self.lag} bars ago",
            "product": f"is {' x '.join(self.others)}",
            "constant": "is constant",
        }
        return f"{self.column} {told[self.kind]} (|rank correlation| {self.correlation:.4f})"


def check_distinct(
    parts: Sequence[Floats], names: Sequence[str], *, limit: float = LIMIT, products: bool = True
) -> tuple[Clash, ...]:
    """Return the clashes among columns.

    parts: one (n, p) float64 array of `names` an instrument, rows with a NaN are left out. Two columns are the same
    where the median of their correlations over the parts is above the limit; lags and products are looked for in the
    first.

    Raises:
        InputError: no part has 60 whole rows.

    Example:
        >>> x = generator(1, "example").normal(size=(100, 1))
        >>> [str(clash) for clash in check_distinct([np.hstack([x, x**3])], ["a", "b"], products=False)]
        ['b is a up to a monotone transform (|rank correlation| 1.0000)']
    """
    whole = [part[np.isfinite(part).all(axis=1)] for part in parts]
    whole = [part for part in whole if len(part) >= _FEW]
    if not whole:
        raise InputError("parts", [len(part) for part in parts], allowed=f"{_FEW} rows without NaN in one of them")
    flat = np.ptp(whole[0], axis=0) == 0
    clashes = [Clash("constant", names[k], (), 1.0) for k in np.flatnonzero(flat).tolist()]
    kept = np.flatnonzero(~flat)
    labels = [names[k] for k in kept.tolist()]
    cut = [part[:, kept] for part in whole]
    clashes += _same(cut, labels, limit) + _lagged(cut[0], labels, limit)
    return tuple(clashes + (_products(cut[0], labels, limit) if products else []))


def _ranks(values: Floats) -> NDArray[np.float32]:
    """Return columns of ranks with mean 0 and length 1, so that a product of two is their rank correlation."""
    ranks = rankdata(values, axis=0)
    ranks -= ranks.mean(axis=0)
    size = np.sqrt((ranks * ranks).sum(axis=0))
    return np.asarray(ranks / np.where(size > 0, size, 1.0), dtype=np.float32)


def _same(parts: Sequence[Floats], names: Sequence[str], limit: float) -> list[Clash]:
    found = np.median([np.abs(ranks.T @ ranks) for ranks in map(_ranks, parts)], axis=0)
    pairs = np.argwhere(np.triu(found > limit, 1))
    return [Clash("same", names[j], (names[i],), float(found[i, j])) for i, j in pairs]


def _lagged(values: Floats, names: Sequence[str], limit: float) -> list[Clash]:
    clashes = []
    for lag in range(1, min(_LAGS, len(values) - _FEW) + 1):
        found = np.abs(_ranks(values[lag:]).T @ _ranks(values[:-lag]))
        np.fill_diagonal(found, 0.0)  # a slow column is close to its own past
        for i, j in np.argwhere(found > limit):
            clashes.append(Clash("lagged", names[i], (names[j],), float(found[i, j]), lag))
    return clashes


def _products(values: Floats, names: Sequence[str], limit: float) -> list[Clash]:
    rows = generator(1, "distinct", "sample").permutation(len(values))[:_SAMPLE]
    some, clashes = values[rows], []
    wanted, full = _ranks(some), _ranks(values)
    for i in range(len(names)):
        made = some[:, [i]] * some[:, i:]
        close = np.abs(wanted.T @ _ranks(made))
        for c, offset in np.argwhere(close > limit - _MARGIN):
            j = i + int(offset)
            if c not in (i, j):
                exact = float(np.abs(full[:, c] @ _ranks((values[:, i] * values[:, j])[:, None]))[0])
                if exact > limit:
                    clashes.append(Clash("product", names[c], (names[i], names[j]), exact))
    return clashes
