"""Figures that stand beside the gates and never decide: forecast comparison, deflated Sharpe, track record, PBO.

Invariants:
1. Every check here has `passed=None` and the threshold text `PRINTED`.
2. Where the inputs do not allow a figure its value is None and the note says why.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from karat._words import counted
from karat.evidence._forecast_tests import diebold_mariano
from karat.evidence._pbo import pbo_cscv
from karat.evidence._shapes import PRINTED, Case, Check, Floats
from karat.evidence._sharpe import dsr, min_track_record, moments, psr
from karat.kernels import sharpe

PBO_BLOCKS: Final = 16
PBO_MAX_TRIALS: Final = 200
"""Above this many trials 16 blocks would take seconds; 10 blocks (252 halves) are used."""


def skill_notes(case: Case) -> tuple[Check, ...]:
    """Return the Diebold-Mariano comparison of pinball losses with the best baseline, and the generalisation gap."""
    return (*_loss_notes(case), *(() if case.generalisation is None else (case.generalisation,)))


def _loss_notes(case: Case) -> tuple[Check, ...]:
    name = "Diebold-Mariano (HLN) on pinball loss"
    if case.loss is None or case.baseline_loss is None:
        return (_missing(name, "no losses were given"),)
    difference = case.loss - case.baseline_loss
    good = difference[np.isfinite(difference)]
    if len(good) <= case.horizon_bars or np.ptp(good) == 0:
        return (_missing(name, "the losses never differ by different amounts"),)
    test = diebold_mariano(case.loss, case.baseline_loss, horizon=case.horizon_bars, alternative="less")
    better = "below" if test.mean < 0 else "not below"
    note = f"one-sided p = {test.p_value:.4g}; the mean loss is {better} that of {case.rival_in_skill}"
    return (Check(name, test.statistic, PRINTED, None, note),)


def money_notes(case: Case) -> tuple[Check, ...]:
    """Return probabilistic and deflated Sharpe, minimum track record and the probability of overfitting."""
    money = case.chosen.money
    ratio, n, skew, tails = moments(money)
    if not math.isfinite(ratio):
        names = ("probabilistic Sharpe ratio", "deflated Sharpe ratio", "minimum track record")
        return (*(_missing(name, "the net excess returns never vary") for name in names), _overfitting(case))
    count = len(case.trials) + case.counted_only
    deflated = _deflated(case, ratio, n, count=count, skew=skew, tails=tails)
    years = min_track_record(ratio, skew=skew, raw_kurtosis=tails) / case.bars_per_year
    track = "years until the net excess Sharpe would be shown at 95 %"
    return (
        Check("probabilistic Sharpe ratio", psr(ratio, n, skew=skew, raw_kurtosis=tails), PRINTED, None),
        deflated,
        Check("minimum track record", years, PRINTED, None, track)
        if math.isfinite(years)
        else _missing("minimum track record", "the net excess Sharpe is not positive"),
        _overfitting(case),
    )


def _deflated(case: Case, ratio: float, n: int, *, count: int, skew: float, tails: float) -> Check:
    name = "deflated Sharpe ratio"
    ratios = np.array([sharpe(trial.money, periods_per_year=1.0) for trial in case.trials])
    ratios = ratios[np.isfinite(ratios)]
    if count == 1:
        return Check(name, psr(ratio, n, skew=skew, raw_kurtosis=tails), PRINTED, None, "one trial: nothing to deflate")
    if len(ratios) < 2:
        return _missing(name, "fewer than two stored trials give the Sharpe ratios no variance")
    value = dsr(ratio, n, trials=count, variance=float(ratios.var(ddof=1)), skew=skew, raw_kurtosis=tails)
    return Check(name, value, PRINTED, None, f"over {counted(count, 'trial')} taken as independent")


def _overfitting(case: Case) -> Check:
    name = "probability of backtest overfitting"
    matrix, _ = case.matrix("money")
    whole = _complete(matrix)
    blocks = PBO_BLOCKS if whole.shape[1] <= PBO_MAX_TRIALS else 10
    if whole.shape[1] < 2 or len(whole) < 2 * blocks:
        return _missing(name, "fewer than two trials cover the test dates")
    note = f"CSCV, {blocks} blocks, {counted(whole.shape[1], 'trial')}"
    return Check(name, pbo_cscv(whole, blocks=blocks).probability, PRINTED, None, note)


def _complete(matrix: Floats) -> Floats:
    """Return the columns without a gap, (n, k): comparing halves needs every trial on every date."""
    return matrix[:, np.isfinite(matrix).all(axis=0)]


def _missing(name: str, why: str) -> Check:
    return Check(name, None, PRINTED, None, f"not evaluated: {why}")
