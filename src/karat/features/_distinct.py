"""Distinctness: proof by measurement that no column of a tier is another one in disguise.

| disguise | how it is seen |
|---|---|
| a monotone transform, a copy, a little noise | the rank correlation of the two is at the limit |
| an older value | a column's rank correlation with another of up to 252 bars ago is at the limit |
| a product or a quotient | the rank correlation of a column with the product of two others is at the limit |
| a sum or a difference, weighted or not | a straight line through two others leaves 0.0001 of its variance at most |
| more noise, on a column, its transform or an older value | what the other does not explain is news to all (`_noise`) |
| a constant | it has one value |

Products are looked for on 500 rows first, and confirmed on all of them; older values by ranks of the whole column
first, and confirmed by ranks of the rows that overlap. A column of noise alone is a column of its own here: that a
value of it changes when it is computed again is for `check_invariance` and `check_online` to see.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from karat._words import counted
from karat.core import InputError, generator
from karat.features._noise import noisy, ranks, shifted
from karat.features._spec import Floats
from karat.features._tiers import KIN

LIMIT: Final = 0.995
"""Largest absolute rank correlation of two columns that count as two."""
_YEAR: Final = 252
_MONTH: Final = 20
_OVERLAP: Final = 250  # rows that two columns more than a month apart must have in common
_SAMPLE: Final = 500
_MARGIN: Final = 0.01
_FEW: Final = 60
_LINE: Final = 0.9999  # share of variance on a straight line that makes a sum
_ALONE: Final = 0.999  # where one column explains as much, it takes no second one


@dataclass(frozen=True)
class Clash:
    """A column that is no column of its own: how it is disguised, as what, the correlation, the bars between.

    correlation: of ranks; of a sum, that with the straight line through the others; 1 of a constant.
    """

    kind: Literal["same", "lagged", "product", "sum", "noise", "constant"]
    column: str
    others: tuple[str, ...]
    correlation: float
    lag: int = 0

    def __str__(self) -> str:
        ago = f" of {counted(self.lag, 'bar')} ago" if self.lag else ""
        told = {
            "same": f"is {' '.join(self.others)} up to a monotone transform",
            "lagged": f"is {' '.join(self.others)}{ago}",
            "product": f"is {' x '.join(self.others)}",
            "sum": f"is a weighted sum of {' and '.join(self.others)}",
            "noise": f"is {' '.join(self.others)}{ago} with noise",
            "constant": "is constant",
        }
        measured = "" if self.kind == "constant" else f" (|rank correlation| {self.correlation:.4f})"
        return f"{self.column} {told[self.kind]}{measured}"


def check_distinct(
    parts: Sequence[Floats],
    names: Sequence[str],
    *,
    limit: float = LIMIT,
    products: bool = True,
    kin: Collection[frozenset[str]] = KIN,
) -> tuple[Clash, ...]:
    """Return the clashes among columns.

    parts: one (n, p) float64 array of `names` an instrument, rows with a NaN are left out. Two columns are the same
    where the median of their correlations over the parts is above the limit; other disguises are looked for in the
    first, noise where that has 2,500 rows and 12 columns or more. products: look for products and sums too. kin: sets
    of columns that are known to make each other up as sums or older values, by default those of the tiers.

    Raises:
        InputError: no part has 60 complete rows.

    Example:
        >>> x = generator(1, "example").normal(size=(100, 1))
        >>> [str(clash) for clash in check_distinct([np.hstack([x, x**3])], ["a", "b"], products=False)]
        ['b is a up to a monotone transform (|rank correlation| 1.0000)']
    """
    whole = [part[np.isfinite(part).all(axis=1)] for part in parts]
    whole = [part for part in whole if len(part) >= _FEW]
    if not whole:
        most = max((int(np.isfinite(part).all(axis=1).sum()) for part in parts), default=0)
        why = "a row counts where every column has a value"
        fix = "load a longer history, or choose features with a shorter warm-up"
        allowed = f"{_FEW} of one instrument or more"
        raise InputError("complete rows", most, why=why, allowed=allowed, fix=fix)
    flat = np.ptp(whole[0], axis=0) == 0
    clashes = [Clash("constant", names[k], (), 1.0) for k in np.flatnonzero(flat).tolist()]
    kept = np.flatnonzero(~flat)
    labels = [names[k] for k in kept.tolist()]
    cut = [part[:, kept] for part in whole]
    clashes += _same(cut, labels, limit) + _lagged(cut[0], labels, limit)
    clashes += [Clash("noise", labels[k], (labels[c],), r, lag) for k, c, lag, r in noisy(cut[0], limit)]
    if products:
        clashes += _products(cut[0], labels, limit) + _sums(cut[0], labels)
    return tuple(each for each in clashes if frozenset({each.column, *each.others}) not in kin)


def _same(parts: Sequence[Floats], names: Sequence[str], limit: float) -> list[Clash]:
    found = np.median([np.abs(each.T @ each) for each in map(ranks, parts)], axis=0)
    pairs = np.argwhere(np.triu(found > limit, 1))
    return [Clash("same", names[j], (names[i],), float(found[i, j])) for i, j in pairs]


def _lagged(values: Floats, names: Sequence[str], limit: float) -> list[Clash]:
    clashes, whole, n = [], ranks(values), len(values)
    for lag in range(1, min(_YEAR, max(min(_MONTH, n - _FEW), n - _OVERLAP)) + 1):
        found = shifted(whole, lag)
        np.fill_diagonal(found, 0.0)  # a slow column is close to its own past
        for i, j in np.argwhere(found > limit - _MARGIN):
            exact = float(np.abs(ranks(values[lag:, [i]])[:, 0] @ ranks(values[:-lag, [j]])[:, 0]))
            if exact > limit:
                clashes.append(Clash("lagged", names[i], (names[j],), exact, lag))
    return clashes


def _products(values: Floats, names: Sequence[str], limit: float) -> list[Clash]:
    rows = generator(1, "distinct", "sample").permutation(len(values))[:_SAMPLE]
    some, clashes = values[rows], []
    wanted, full = ranks(some), ranks(values)
    for i in range(len(names)):
        made = some[:, [i]] * some[:, i:]
        close = np.abs(wanted.T @ ranks(made))
        for c, offset in np.argwhere(close > limit - _MARGIN):
            j = i + int(offset)
            if c not in (i, j):
                exact = float(np.abs(full[:, c] @ ranks((values[:, i] * values[:, j])[:, None]))[0])
                if exact > limit:
                    clashes.append(Clash("product", names[c], (names[i], names[j]), exact))
    return clashes


def _sums(values: Floats, names: Sequence[str]) -> list[Clash]:
    """Return each three columns of which one lies on a straight line through two, as a clash of the last of them."""
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    r = scaled.T @ scaled / len(values)
    apart = 1.0 - r * r
    usable = apart > 1.0 - _ALONE
    clashes: dict[frozenset[int], Clash] = {}
    for c in range(len(names) - 1, 1, -1):
        a = r[c]
        alone = a * a < _ALONE
        # R squared of the regression of c on two columns, from the three correlations
        share = (a[:, None] ** 2 + a**2 - 2.0 * np.outer(a, a) * r) / np.where(usable, apart, np.inf)
        share[~alone], share[:, ~alone] = 0.0, 0.0
        for i, j in np.argwhere(np.triu(share > _LINE, 1)).tolist():
            clash = Clash("sum", names[c], (names[i], names[j]), float(min(share[i, j], 1.0)) ** 0.5)
            clashes.setdefault(frozenset({i, j, c}), clash)
    return list(clashes.values())
