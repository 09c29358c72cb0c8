"""Many comparisons at once: adjusted p-values, and the bootstrap tests of many losses against one.

Losses are lower-is-better throughout. `spa`, `reality_check`, `stepm` and `mcs` are `arch.bootstrap`'s, with the
stationary bootstrap, a stated block and a seed; the verdict itself uses `max_t`, whose draws do not depend on what else
is in the family.

Invariants:
1. Adjusted p-values keep the order of the raw ones and are never below them.
2. Results depend on the arguments only. Values within 0.02 of another seed's are the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from karat._words import counted
from karat.core import InputError
from karat.evidence._shapes import Floats

Method = Literal["bonferroni", "sidak", "holm", "holm-sidak", "hommel", "bh", "by"]
METHODS: Final[dict[str, str]] = {
    "bonferroni": "bonferroni",
    "sidak": "sidak",
    "holm": "holm",
    "holm-sidak": "holm-sidak",
    "hommel": "hommel",
    "bh": "fdr_bh",
    "by": "fdr_by",
}
"""Name here to name in statsmodels. The first five bound the chance of any false finding, the last two its rate."""


@dataclass(frozen=True)
class Spa:
    """Hansen's three p-values of the hypothesis that no model beats the benchmark."""

    lower: float
    consistent: float
    upper: float


@dataclass(frozen=True, eq=False)
class Mcs:
    """Models (column numbers) that belong to the model confidence set, and every model's p-value (m,)."""

    included: tuple[int, ...]
    p_values: Floats


def adjust_p(p_values: Floats, method: Method = "bonferroni") -> Floats:
    """Return p-values (m,) adjusted for their number.

    Source: Bonferroni; Holm (1979); Hommel (1988); Benjamini and Hochberg (1995); Benjamini and Yekutieli (2001).

    Raises:
        InputError: an unknown method, or values that are not probabilities.

    Example:
        >>> adjust_p(np.array([0.01, 0.04])).tolist()
        [0.02, 0.08]
    """
    if method not in METHODS:
        raise InputError("method", method, allowed=list(METHODS))
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or len(p) == 0 or not ((p >= 0) & (p <= 1)).all():
        raise InputError("p_values", "an empty list or values outside 0 to 1", allowed="(m,) probabilities, no NaN")
    if method == "holm":
        return _holm(p)  # statsmodels' collects all garbage on every call: 0.2 s, measured
    from statsmodels.stats.multitest import multipletests  # a second to import

    # A p of exactly one would be ln 0 in the Sidak forms.
    below_one = np.minimum(p, np.nextafter(1.0, 0.0))
    adjusted = np.asarray(multipletests(below_one, method=METHODS[method])[1], dtype=np.float64)
    return np.maximum(adjusted, p)


def spa(benchmark: Floats, losses: Floats, *, block: float, draws: int = 1000, seed: int) -> Spa:
    """Test whether any of m models has a lower expected loss than the benchmark.

    `benchmark` (n,), `losses` (n, m), finite, one row a date. Source: Hansen (2005).

    Raises:
        InputError: shapes, values or block that make no sense.
    """
    _require(benchmark, losses, block)
    from arch.bootstrap import SPA

    test = SPA(benchmark, losses, block_size=_whole(block), reps=draws, bootstrap="stationary", seed=seed)
    test.compute()
    found = test.pvalues
    return Spa(float(found["lower"]), float(found["consistent"]), float(found["upper"]))


def reality_check(benchmark: Floats, losses: Floats, *, block: float, draws: int = 1000, seed: int) -> float:
    """Return the p-value of White's reality check: the best of m models against the benchmark, nothing studentised.

    As `spa` with every model kept in the null, also hopeless ones, which cost it power: prefer `spa`. Source: White
    (2000).

    Raises:
        InputError: shapes, values or block that make no sense.
    """
    _require(benchmark, losses, block)
    from arch.bootstrap import RealityCheck

    size = _whole(block)
    test = RealityCheck(
        benchmark, losses, block_size=size, reps=draws, bootstrap="stationary", studentize=False, seed=seed
    )
    test.compute()
    return float(test.pvalues["upper"])


def stepm(
    benchmark: Floats, losses: Floats, *, size: float = 0.05, block: float, draws: int = 1000, seed: int
) -> tuple[int, ...]:
    """Return the columns of `losses` (n, m) that beat `benchmark` (n,), with familywise error `size`.

    Source: Romano and Wolf (2005).

    Raises:
        InputError: shapes, values, size or block that make no sense.
    """
    _require(benchmark, losses, block)
    _require_size(size)
    from arch.bootstrap import StepM

    test = StepM(benchmark, losses, size=size, block_size=_whole(block), reps=draws, bootstrap="stationary", seed=seed)
    test.compute()
    return tuple(sorted(int(str(column)) for column in test.superior_models))


def mcs(losses: Floats, *, size: float = 0.10, block: float, draws: int = 1000, seed: int) -> Mcs:
    """Return the set of models that contains the best one with confidence 1 - `size`, by the range statistic.

    `losses` (n, m), two columns or more, finite. Source: Hansen, Lunde and Nason (2011).

    Raises:
        InputError: shapes, values, size or block that make no sense.
    """
    _require(losses[:, 0], losses, block)
    _require_size(size)
    if losses.shape[1] < 2:
        raise InputError("losses", f"shape {losses.shape}", allowed="(n, m) with two models or more")
    from arch.bootstrap import MCS

    test = MCS(losses, size=size, reps=draws, block_size=_whole(block), method="R", bootstrap="stationary", seed=seed)
    test.compute()
    p_values = test.pvalues["Pvalue"].sort_index().to_numpy(dtype=np.float64)
    return Mcs(tuple(sorted(int(str(column)) for column in test.included)), p_values)


def _holm(p: Floats) -> Floats:
    order = np.argsort(p, kind="stable")
    out = np.empty_like(p)
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return out


def _require(benchmark: Floats, losses: Floats, block: float) -> None:
    if losses.ndim != 2 or benchmark.shape != (len(losses),):
        raise InputError("losses", f"shape {losses.shape}", allowed=f"({len(benchmark)}, m): one row per date")
    if not (np.isfinite(losses).all() and np.isfinite(benchmark).all()):
        raise InputError("losses", "values that are not finite", allowed="finite numbers")
    if not 1 <= block < len(losses):
        raise InputError("block", block, allowed=f"1 to {counted(len(losses) - 1, 'bar')}")


def _require_size(size: float) -> None:
    if not 0 < size < 1:
        raise InputError("size", size, allowed="between 0 and 1")


def _whole(block: float) -> int:
    return max(1, round(block))
