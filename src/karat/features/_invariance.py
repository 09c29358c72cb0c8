"""Future invariance: proof by experiment that no value reads what happens after its row is known.

At several instants the panel is cut off, and separately everything after the instant is replaced by wild values. The
values of the rows known by then must not move: `check_invariance` asks this of features, `check_future` of anything
that can be computed from a frame. Both experiments are needed: a full-sample scaler moves under both, a
value that is merely copied from the end shows only when the end is poisoned, a centred window already when it is cut.

Invariants:
1. The report depends on the panel, the selection, `cuts` and `seed` only.
2. A feature passes when every compared value agrees to `TOLERANCE` of the feature's largest magnitude, NaN with NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from karat._words import counted
from karat.core import InputError, LeakageError, generator, iso
from karat.data import KEYS, Panel
from karat.features._build import compute
from karat.features._compare import Comparison, difference, magnitude, outcome
from karat.features._rows import as_array
from karat.features._select import Selection, resolve
from karat.features._spec import FeatureSpec, Floats

Ints = NDArray[np.int64]
Rows = Callable[[pl.DataFrame], Floats]

_PLACES: Final = (0.4, 0.6, 0.8)
TOLERANCE: Final = 1e-9
"""Largest difference that counts as rounding, as a fraction of the feature's largest magnitude."""


@dataclass(frozen=True)
class InvarianceReport(Comparison):
    """Outcome of `check_invariance`; the panel was changed after `n_cuts` instants.

    unseen: features without a value in any row that was compared, because of their warm-up: nothing is proved of them.
    """

    n_cuts: int
    unseen: tuple[str, ...]

    def require(self) -> None:
        """Raise where a feature reads the future.

        Raises:
            LeakageError: naming the features and the first piece of evidence.
        """
        if not self.passed:
            raise LeakageError(", ".join(self.offending), self.evidence[0])


def check_invariance(panel: Panel, selection: Selection, *, cuts: int = 5, seed: int = 42) -> InvarianceReport:
    """Compare the features with those of the panel cut off, and poisoned, after each of `cuts` instants.

    Raises:
        InputError: as `build`; fewer cuts than one, or a panel of one instant, after which nothing comes.
    """
    if not isinstance(cuts, int) or cuts < 1:
        raise InputError("cuts", cuts, allowed="instants to cut after, 1 or more")
    specs, _ = resolve(selection, panel)
    instants = _instants(panel.frame["known_at"].to_numpy(), specs, cuts, seed)
    names = tuple(spec.name for spec in specs)
    return check_future(panel.frame, lambda frame: compute(frame, specs), names, instants=instants, seed=seed)


def check_future(
    frame: pl.DataFrame,
    compute: Rows,
    names: Sequence[str],
    *,
    instants: Sequence[int] | None = None,
    seed: int = 42,
    settled: Ints | None = None,
) -> InvarianceReport:
    """Compare what `compute` makes of a frame with what it makes of the frame cut off, and poisoned, after instants.

    frame: keys of a panel and float columns, sorted by (instrument, ts). compute: maps such a frame to one row of
    `names` values, (rows, p) float64, for each of its rows. instants: UTC ns, by default where 40, 60 and 80 % of
    the rows are known. settled: (n,) UTC ns from when on a row's values may no longer move, its `known_at` where it
    is None; labels are settled when their span has ended, and may not exist yet in a frame that was cut off.
    """
    full = compute(frame)
    known = frame["known_at"].to_numpy()
    if instants is None:
        instants = [int(np.quantile(known, place, method="lower")) for place in _PLACES]
    size = magnitude(full)
    worst, seen_values = np.zeros(len(names)), np.zeros(len(names), dtype=bool)
    evidence: dict[str, str] = {}
    for number, instant in enumerate(instants):
        past = known <= instant
        fixed = past if settled is None else settled <= instant
        seen_values |= np.isfinite(full[fixed]).any(axis=0)
        # fixed rows among the past ones: a row that is settled was known before
        cut = compute(frame.filter(past))[fixed[past]]
        if settled is not None:
            cut = np.where(np.isnan(cut), full[fixed], cut)
        trials = {"cut off": cut, "replaced": compute(_poisoned(frame, past, seed, number))[fixed]}
        for how, seen in trials.items():
            moved = difference(full[fixed], seen, size)
            worst = np.maximum(worst, moved.max(axis=0, initial=0.0))
            for k in np.flatnonzero((moved > TOLERANCE).any(axis=0)).tolist():
                rows = counted(int((moved[:, k] > TOLERANCE).sum()), "earlier row")
                text = f"{names[k]} changed in {rows} when the rows after {iso(instant)} were {how}"
                evidence.setdefault(names[k], text)
    unseen = tuple(name for name, some in zip(names, seen_values, strict=True) if not some)
    return InvarianceReport(*outcome(worst, evidence), len(names), len(instants), unseen)


def _instants(known: np.ndarray, specs: tuple[FeatureSpec, ...], cuts: int, seed: int) -> list[int]:
    """Return cut instants after every warm-up, where the panel is long enough for that; the last but one always."""
    unique = np.unique(known)
    if len(unique) < 2:
        seen, allowed = counted(len(unique), "instant"), "two instants or more: one to cut after, one that comes later"
        raise InputError("panel", seen, allowed=allowed)
    *candidates, last = unique[min(max(spec.warm_up for spec in specs) + 1, len(unique) - 2) : -1].tolist()
    picked = generator(seed, "invariance", "cuts").permutation(len(candidates))[: cuts - 1]
    return [*(candidates[k] for k in np.sort(picked)), last]


def _poisoned(frame: pl.DataFrame, past: np.ndarray, seed: int, number: int) -> pl.DataFrame:
    """Return the frame with the values of all later rows replaced; a positive column stays positive."""
    rng = generator(seed, "invariance", "poison", number)
    columns = []
    for name in (column for column in frame.columns if column not in KEYS):
        values = as_array(frame[name])
        finite = values[np.isfinite(values)]
        shift = float(np.std(finite)) if len(finite) and finite.min() <= 0 else 0.0
        wild = values * np.exp(rng.normal(size=len(values))) + shift * rng.normal(size=len(values))
        columns.append(pl.Series(name, np.where(past, values, wild)))
    return frame.with_columns(columns)
