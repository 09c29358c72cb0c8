"""The shuffled-label sentinel: a forecaster that learned from shuffled labels must earn nothing.

Labels are shuffled, a ridge regression is fitted to them in closed form, and its forecasts are traded without costs on
rows it has not seen. Whatever it then earns did not come from the labels: it came through the evaluation. What it can
see: scoring that looks at the outcome, signs or thresholds picked on the rows they are judged by, returns that already
hold the position's own bar. What it cannot see: a feature that knows the future, as shuffling breaks that link too;
future invariance is the guard for that one.

| symbol | meaning | shape | unit |
|---|---|---|---|
| X | features, standardised by the training rows | (n, p) | |
| k | shuffles so far | | |
| S | annual Sharpe ratio of one shuffle | (k,) | 1/sqrt(year) |

Invariants:
1. Returns are demeaned first: a market that rises pays nobody for guessing.
2. Passes when the 95 % interval of the mean of S lies inside +-0.1, fails otherwise, also when it stays too wide.
3. Shuffles are added until the interval's half-width is at most a third of the limit or 20,000 are done, so that
   how often a clean study fails does not depend on how short its data are; see docs/concepts/evidence.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from karat._words import counted
from karat.core import InputError, generator
from karat.evidence._shapes import Check, Floats

Fit = Callable[[Floats, Floats, Floats], Floats]
"""(x_train (n, p), shuffled labels (n, k), x_valid (v, p)) to forecasts (v, k)."""
Score = Callable[[Floats, Floats], Floats]
"""(forecasts (v, k), demeaned returns (v,)) to gross returns of the traded forecasts, (v, k) or one row per date."""

LIMIT: Final = 0.1
MOST_SHUFFLES: Final = 20_000
SHUFFLED_ROWS: Final = 1_000
"""Training rows of a shuffle, taken evenly. With shuffled labels a fit is noise of the same law however many rows it
has, and a row that leaks weighs more among fewer: more rows would cost time and see less."""
REAL_ROWS: Final = 4_000
"""Training rows that an edge is measured with."""
_FLAT: Final = 1e-12
LEAST_EDGE: Final = 0.5
LEAST_LOSS: Final = 0.5
_CHUNK: Final = 250
_RIDGE: Final = 1e-3


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Rows to learn from and rows to be judged on.

    x_train (n, p), y_train (n,): the training rows. x_valid (v, p), returns_valid (v,): simple returns per bar earned
    by a position decided on that row.

    Raises:
        InputError: shapes, values that are not finite, or fewer than 20 rows in either part.
    """

    x_train: Floats
    y_train: Floats
    x_valid: Floats
    returns_valid: Floats

    def __post_init__(self) -> None:
        n, v = len(self.x_train), len(self.x_valid)
        if self.x_train.ndim != 2 or self.y_train.shape != (n,):
            raise InputError("y_train", f"shape {self.y_train.shape}", allowed=f"({n},): one label per row")
        if self.x_valid.shape != (len(self.returns_valid), self.x_train.shape[1]) or self.returns_valid.ndim != 1:
            seen = f"shapes {self.x_valid.shape} and {self.returns_valid.shape}"
            raise InputError("x_valid, returns_valid", seen, allowed=f"(v, {self.x_train.shape[1]}) and (v,)")
        if min(n, v) < 20:
            raise InputError("x_train, x_valid", (n, v), allowed="20 rows or more in each")
        if not all(np.isfinite(part).all() for part in vars(self).values()):
            raise InputError("x_train, y_train, x_valid, returns_valid", "values that are not finite", allowed="no NaN")


def shuffled_label_sentinel(
    rows: LabelledRows,
    *,
    shuffles: int = 1000,
    seed: int,
    periods_per_year: float = 252.0,
    fit: Fit | None = None,
    score: Score | None = None,
) -> Check:
    """Return the check that shuffled labels earn nothing.

    `shuffles` is the least number. `fit` and `score` default to ridge and to position times return; pass the study's
    own to put its path under test, or a score that averages a panel's rows per date, as the ratio counts every row it
    gets as one period.

    Raises:
        InputError: fewer than 100 shuffles.
    """
    if shuffles < 100:
        raise InputError("shuffles", shuffles, allowed="100 or more")
    train, labels, valid, returns = _standardised(rows, SHUFFLED_ROWS)
    fit, score = fit or _ridge, score or _gross
    found = np.empty(0)
    while not _settled(found, shuffles):
        shuffled = _shuffled(labels, seed, len(found))
        found = np.append(found, _annual(score(fit(train, shuffled, valid), returns), periods_per_year))
    return _check(found)


def shuffled_label_drop(
    rows: LabelledRows,
    *,
    seed: int,
    periods_per_year: float = 252.0,
    fit: Fit | None = None,
    score: Score | None = None,
) -> Check:
    """Return the check that an edge, where there is one, loses more than half when its labels are shuffled.

    Arguments as in `shuffled_label_sentinel`. An edge is an annual gross Sharpe ratio above 0.5 with the real labels;
    without one there is nothing to lose and nothing is decided.
    """
    train, labels, valid, returns = _standardised(rows, REAL_ROWS)
    fit, score = fit or _ridge, score or _gross
    real = float(_annual(score(fit(train, labels[:, None], valid), returns), periods_per_year)[0])
    name, threshold = "edge lost with shuffled labels", f"> {LEAST_LOSS:.0%}"
    if real <= LEAST_EDGE:
        return Check(name, None, threshold, None, f"no edge to lose: annual gross Sharpe {real:.2f} with real labels")
    kept = _annual(score(fit(train, _shuffled(labels, seed, 0), valid), returns), periods_per_year)
    lost = 1.0 - float(kept.mean()) / real
    return Check(name, lost, threshold, lost > LEAST_LOSS, f"annual gross Sharpe {real:.2f} with real labels")


def _standardised(rows: LabelledRows, most: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Return features by the scale of the training rows, demeaned labels and demeaned returns."""
    n, earned = len(rows.x_train), rows.returns_valid
    keep = np.linspace(0, n - 1, min(n, most)).astype(np.int64)
    train, labels = rows.x_train[keep], rows.y_train[keep] - rows.y_train[keep].mean()
    # What is left of a constant after its mean is rounding, and a Sharpe ratio would see it.
    returns = earned - earned.mean() if np.ptp(earned) > 0 else np.zeros(len(earned))
    # Values beyond five standard deviations would let a few training rows decide every fit.
    valid = np.clip((rows.x_valid - train.mean(axis=0)) / _spread(train), -5.0, 5.0)
    train = np.clip((train - train.mean(axis=0)) / _spread(train), -5.0, 5.0)
    return train, labels, valid, returns


def _shuffled(labels: Floats, seed: int, done: int) -> Floats:
    """Return the next chunk of shuffled labels, (n, 250)."""
    rng = generator(seed, "shuffled labels", done)
    return rng.permuted(np.tile(labels, (_CHUNK, 1)), axis=1).T


def _settled(found: Floats, shuffles: int) -> bool:
    if len(found) < shuffles:
        return False
    return len(found) >= MOST_SHUFFLES or _half_width(found) <= LIMIT / 3.0


def _half_width(found: Floats) -> float:
    return 1.96 * float(found.std(ddof=1)) / math.sqrt(len(found))


def _check(found: Floats) -> Check:
    mean, half = float(found.mean()), _half_width(found)
    return Check(
        name="shuffled labels",
        value=mean,
        threshold=f"95 % interval inside +-{LIMIT:g}",
        passed=abs(mean) + half < LIMIT,
        note=(
            f"annual gross Sharpe, interval {mean - half:.3f} to {mean + half:.3f} over"
            f" {counted(len(found), 'shuffle')}; mean absolute value {np.abs(found).mean():.2f}"
        ),
    )


def _ridge(x_train: Floats, shuffled: Floats, x_valid: Floats) -> Floats:
    gram = x_train.T @ x_train
    gram[np.diag_indices_from(gram)] += _RIDGE * len(x_train)
    return np.asarray(x_valid @ np.linalg.solve(gram, x_train.T @ shuffled), dtype=np.float64)


def _gross(forecasts: Floats, returns: Floats) -> Floats:
    return forecasts * returns[:, None]


def _annual(gross: Floats, periods_per_year: float) -> Floats:
    """Return the Sharpe ratio of every column as `karat.kernels.sharpe` has it, 0 for one that never moves."""
    if len(gross) < 2:
        return np.zeros(gross.shape[1])
    sd = gross.std(axis=0, ddof=1)
    moves = sd > _FLAT * np.abs(gross).max(axis=0)
    return np.where(moves, gross.mean(axis=0) / np.where(moves, sd, 1.0), 0.0) * math.sqrt(periods_per_year)


def _spread(values: Floats) -> Floats:
    sd = values.std(axis=0)
    return np.where(sd > 0, sd, 1.0)
