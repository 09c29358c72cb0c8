"""The probability of backtest overfitting: how often the best configuration in sample is below the median outside.

| symbol | meaning | shape |
|---|---|---|
| S | blocks of equal length, even | |
| N | trials | |
| w | relative rank outside of the one that is best inside: rank / (N + 1), rank 1 is the worst | |
| lambda | ln(w / (1 - w)) | (C(S, S/2),) |

Invariants:
1. Inside and outside are each half of the blocks; every choice of half the blocks is used once (CSCV).
2. Ranks divide by N + 1 as in the paper, so that every logit is finite.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Final

import numpy as np

from karat._words import counted
from karat.core import InputError
from karat.evidence._shapes import Floats, Ints

_COMBOS_AT_ONCE: Final = 500


@dataclass(frozen=True, eq=False)
class Pbo:
    """Share of logits at or below zero, the logits, the ranks outside, and the share of picks that lost outside.

    `slope` and `intercept` are of the line outside = intercept + slope inside through the picks' Sharpe ratios.
    """

    probability: float
    loss_probability: float
    slope: float
    intercept: float
    logits: Floats
    ranks: Floats
    combinations: int


def pbo_cscv(returns: Floats, *, blocks: int = 16) -> Pbo:
    """Return the probability of backtest overfitting by combinatorially symmetric cross-validation.

    `returns` (T, N) simple returns per bar of N trials, finite; rows beyond a multiple of `blocks` are left off the
    end. Scored by the Sharpe ratio per bar (a constant series scores 0). Source: Bailey, Borwein, Lopez de Prado and
    Zhu (2017), section 3.

    Raises:
        InputError: fewer than two trials, an odd number of blocks, or blocks shorter than two bars.
    """
    if returns.ndim != 2 or returns.shape[1] < 2:
        raise InputError("returns", f"shape {returns.shape}", allowed="(T, N) with two trials or more")
    if blocks < 2 or blocks % 2:
        raise InputError("blocks", blocks, allowed="an even number, 2 or more")
    length = len(returns) // blocks
    if length < 2:
        raise InputError("returns", counted(len(returns), "row"), allowed=f"{2 * blocks} or more for {blocks} blocks")
    if not np.isfinite(returns).all():
        raise InputError("returns", "values that are not finite", allowed="finite numbers")
    parts = returns[: length * blocks].reshape(blocks, length, -1)
    sums, squares = parts.sum(axis=1), (parts**2).sum(axis=1)
    half = length * blocks // 2
    picked: list[tuple[Floats, Floats, Floats]] = []
    for inside in _halves(blocks):
        best, score, rank = _pick(inside, sums, squares, half)
        picked.append((best, score, rank))
    best_in, score_out, ranks = (np.concatenate(column) for column in zip(*picked, strict=True))
    return _summary(best_in, score_out, ranks, returns.shape[1])


def _halves(blocks: int) -> Iterator[Ints]:
    """Yield 0/1 rows (at most 500, S): the blocks that are inside."""
    every = combinations(range(blocks), blocks // 2)
    while rows := list(islice(every, _COMBOS_AT_ONCE)):
        inside = np.zeros((len(rows), blocks), dtype=np.int64)
        inside[np.arange(len(rows))[:, None], rows] = 1
        yield inside


def _pick(inside: Ints, sums: Floats, squares: Floats, half: int) -> tuple[Floats, Floats, Floats]:
    """Return, for each row of `inside`, the best Sharpe inside and what that trial scores and ranks outside."""
    score_in = _sharpes(inside @ sums, inside @ squares, half)
    score_out = _sharpes((1 - inside) @ sums, (1 - inside) @ squares, half)
    rows, best = np.arange(len(inside)), score_in.argmax(axis=1)
    from scipy.stats import rankdata  # 0.6 s that a study's workers need not pay

    ranks = rankdata(score_out, axis=1)
    return score_in[rows, best], score_out[rows, best], ranks[rows, best]


def _sharpes(sums: Floats, squares: Floats, n: int) -> Floats:
    """Return Sharpe ratios from sums and sums of squares: the moments of every half come from those of its blocks."""
    mean = sums / n
    variance = (squares - n * mean**2) / (n - 1)
    flat = variance <= 1e-12 * squares / n
    return np.where(flat, 0.0, mean / np.sqrt(np.where(flat, 1.0, variance)))


def _summary(best_in: Floats, score_out: Floats, ranks: Floats, trials: int) -> Pbo:
    share = ranks / (trials + 1)
    logits = np.log(share / (1.0 - share))
    spread = best_in - best_in.mean()
    slope = float(spread @ score_out / (spread @ spread)) if np.ptp(best_in) > 0 else 0.0
    return Pbo(
        probability=float((logits <= 0).mean()),
        loss_probability=float((score_out < 0).mean()),
        slope=slope,
        intercept=float(score_out.mean() - slope * best_in.mean()),
        logits=logits,
        ranks=ranks,
        combinations=len(ranks),
    )
