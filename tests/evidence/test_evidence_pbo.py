"""Probability of backtest overfitting against R's pbo, and against halves computed one by one."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from karat.core import InputError
from karat.evidence import pbo_cscv
from karat.kernels import sharpe

GOLDEN = Path(__file__).parents[1] / "golden" / "evidence"


def returns(name: str) -> np.ndarray:
    return np.loadtxt(GOLDEN / name, delimiter=",", skiprows=1)


@pytest.mark.parametrize("row", json.loads((GOLDEN / "pbo_expected_R.json").read_text()))
def test_equals_r(row: dict[str, object]) -> None:
    got = pbo_cscv(returns(row["file"]), blocks=row["S"])
    assert got.combinations == row["n_combos"]
    assert got.ranks.tolist() == row["os_ranks"]
    assert got.probability == pytest.approx(row["phi_paper(rank/(N+1), lambda<=0)"], abs=1e-9)
    assert got.logits.mean() == pytest.approx(row["logits_paper_mean"], abs=1e-9)
    assert got.loss_probability == pytest.approx(row["prob_oos_loss"], abs=1e-9)
    assert got.intercept == pytest.approx(row["degradation_intercept_alpha(OOS=a+b*IS)"], abs=1e-9)
    assert got.slope == pytest.approx(row["degradation_slope_beta"], abs=1e-9)


def test_equals_halves_computed_one_by_one_with_the_shared_sharpe() -> None:
    data = returns("pbo_noise_T200_N10.csv")[:121, :4]
    parts = np.split(data[:120], 6)
    ranks = []
    for inside in combinations(range(6), 3):
        train = np.vstack([parts[k] for k in inside])
        test = np.vstack([parts[k] for k in range(6) if k not in inside])
        best = int(np.argmax([sharpe(column, periods_per_year=1.0) for column in train.T]))
        outside = [sharpe(column, periods_per_year=1.0) for column in test.T]
        ranks.append(sum(value <= outside[best] for value in outside))
    assert pbo_cscv(data, blocks=6).ranks.tolist() == ranks


def test_skill_and_overfitting_are_told_apart() -> None:
    assert pbo_cscv(returns("pbo_oneskilled_T240_N11.csv"), blocks=8).probability == 0.0
    assert pbo_cscv(returns("pbo_overfit_T240_N12.csv")).probability > 0.8


def test_flat_trials_score_zero_and_identical_trials_give_no_slope() -> None:
    flat = pbo_cscv(np.zeros((40, 3)), blocks=4)
    assert (flat.slope, flat.intercept, flat.loss_probability) == (0.0, 0.0, 0.0)
    assert np.isfinite(flat.logits).all()


@pytest.mark.parametrize(
    ("data", "blocks", "message"),
    [
        (np.zeros((40, 1)), 4, r"returns: got 'shape \(40, 1\)'; allowed: \(T, N\) with two trials or more"),
        (np.zeros((40, 2)), 3, "blocks: got 3; allowed: an even number, 2 or more"),
        (np.zeros((7, 2)), 4, "returns: got '7 rows'; allowed: 8 or more for 4 blocks"),
        (np.full((40, 2), np.nan), 4, "returns: got 'values that are not finite'; allowed: finite numbers"),
    ],
)
def test_bad_input_is_named(data: np.ndarray, blocks: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pbo_cscv(data, blocks=blocks)
