"""The stationary bootstrap's draws and block length."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from karat.core import InputError
from karat.evidence import _draws, block_length
from karat.evidence._draws import CHUNK, count_draws, index_draws

GOLDEN = Path(__file__).parents[1] / "golden" / "evidence"


def test_block_length_equals_arch() -> None:
    expected = json.loads((GOLDEN / "bootstrap_spa_mcs_arch.json").read_text())["optimal_block_length_ar05"]
    series = np.loadtxt(GOLDEN / "ar05_1000.csv", skiprows=1)
    assert block_length(series) == pytest.approx(expected["stationary"], rel=1e-8)
    assert block_length(series * 1e-9) == pytest.approx(expected["stationary"], rel=1e-8)


def test_3_block_length_is_never_below_two_horizons() -> None:
    series = np.random.default_rng(1).normal(size=500)
    assert block_length(series, 20) == 40.0
    assert block_length(np.zeros(500), 3) == 6.0
    assert block_length(np.full(500, np.nan), 3) == 6.0
    with pytest.raises(InputError, match="horizon_bars: got 0; allowed: 1 or more"):
        block_length(series, 0)


def test_3_block_length_leaves_nan_out() -> None:
    series = np.loadtxt(GOLDEN / "ar05_1000.csv", skiprows=1)
    assert block_length(np.append(series, [np.nan] * 7)) == block_length(series)


def test_1_draws_depend_on_their_arguments_only() -> None:
    first = np.concatenate(list(index_draws(50, block=5.0, draws=CHUNK + 7, seed=3)))
    again = np.concatenate(list(index_draws(50, block=5.0, draws=CHUNK + 7, seed=3)))
    other = np.concatenate(list(index_draws(50, block=5.0, draws=CHUNK + 7, seed=4)))
    assert first.shape == (CHUNK + 7, 50)
    assert (first == again).all()
    assert not (first == other).all()


def test_counts_count_the_indices() -> None:
    rows = np.concatenate(list(index_draws(30, block=3.0, draws=20, seed=1)))
    counts = np.concatenate(list(count_draws(30, block=3.0, draws=20, seed=1)))
    assert counts.tolist() == [[row.tolist().count(k) for k in range(30)] for row in rows]


def test_counts_that_are_kept_and_counts_that_are_streamed_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = np.concatenate(list(count_draws(40, block=3.0, draws=CHUNK + 9, seed=5)))
    again = np.concatenate(list(count_draws(40, block=3.0, draws=CHUNK + 9, seed=5)))
    monkeypatch.setattr(_draws, "KEPT", 0)
    streamed = np.concatenate(list(count_draws(40, block=3.0, draws=CHUNK + 9, seed=5)))
    assert kept.dtype == streamed.dtype == np.float64
    assert (kept == streamed).all()
    assert (kept == again).all()


@pytest.mark.parametrize("block", [1.0, 4.0, 25.0])
def test_2_blocks_have_the_mean_length_and_every_date_is_equally_likely(block: float) -> None:
    n, draws = 200, 2000
    rows = np.concatenate(list(index_draws(n, block=block, draws=draws, seed=1)))
    breaks = ((rows[:, 1:] - rows[:, :-1]) % n != 1).mean()
    # A new block starts with chance 1 / b and lands on the next date anyway with chance 1 / n.
    assert breaks == pytest.approx((1 - 1 / n) / block, rel=0.02)
    counts = np.bincount(rows.ravel(), minlength=n)
    assert np.abs(counts / draws - 1).max() < 0.05 * np.sqrt(2 * block) + 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 1}, "n: got 1; one date cannot be resampled; allowed: 2 or more"),
        ({"block": 0.9}, "block: got 0.9; allowed: 1 or more bars"),
        ({"block": float("nan")}, "block: got nan; allowed: 1 or more bars"),
        ({"draws": 0}, "draws: got 0; allowed: 1 or more"),
    ],
)
def test_bad_input_is_named(change: dict[str, float], message: str) -> None:
    values = {"n": 10, "block": 2.0, "draws": 5, "seed": 1, **change}
    n = values.pop("n")
    with pytest.raises(InputError, match=message):
        list(index_draws(n, **values))
