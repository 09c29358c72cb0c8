"""The shuffled-label sentinel: it passes clean evaluations and catches planted faults in fit and score."""

from __future__ import annotations

import numpy as np
import pytest

from karat.core import InputError
from karat.evidence import LabelledRows, shuffled_label_sentinel
from karat.evidence._sentinel import MOST_SHUFFLES, SHUFFLED_ROWS, _annual, _ridge
from karat.kernels import sharpe


def world(seed: int, *, valid: int = 400, edge: float = 0.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1200 + valid, 8))
    returns = 0.01 * (rng.standard_t(5, 1200 + valid) + edge * x[:, 0]) + 0.0004
    return {
        "x_train": x[:1200],
        "y_train": returns[:1200],
        "x_valid": x[1200:],
        "returns_valid": returns[1200:],
    }


@pytest.mark.parametrize("edge", [0.0, 0.15])
def test_2_clean_evaluations_pass_with_and_without_an_edge(edge: float) -> None:
    for seed in range(8):
        check = shuffled_label_sentinel(LabelledRows(**world(seed, edge=edge)), seed=seed)
        assert check.passed, check.note
        assert check.threshold == "95 % interval inside +-0.1"
        assert "annual gross Sharpe" in check.note


def test_2_same_seed_same_check() -> None:
    first = shuffled_label_sentinel(LabelledRows(**world(1)), seed=3)
    assert first == shuffled_label_sentinel(LabelledRows(**world(1)), seed=3)
    assert first != shuffled_label_sentinel(LabelledRows(**world(1)), seed=4)


def test_planted_score_that_knows_the_outcome_is_caught() -> None:
    """The sign of the position is right too often: returns leak into 2 % of the positions."""

    def leaky(forecasts: np.ndarray, returns: np.ndarray) -> np.ndarray:
        peeked = forecasts + 0.02 * returns[:, None] / returns.std() * forecasts.std(axis=0)
        return peeked * returns[:, None]

    data = world(1)
    assert shuffled_label_sentinel(LabelledRows(**data), seed=1).passed
    check = shuffled_label_sentinel(LabelledRows(**data), seed=1, score=leaky)
    assert check.passed is False
    assert check.value > 0.1


def test_planted_direction_picked_on_the_judged_rows_is_caught() -> None:
    def leaky(forecasts: np.ndarray, returns: np.ndarray) -> np.ndarray:
        gross = forecasts * returns[:, None]
        return gross * np.sign(gross.mean(axis=0))

    assert shuffled_label_sentinel(LabelledRows(**world(2)), seed=1, score=leaky).passed is False


def test_planted_fit_that_sees_the_judged_labels_is_caught() -> None:
    data = world(3)

    def leaky(x_train: np.ndarray, shuffled: np.ndarray, x_valid: np.ndarray) -> np.ndarray:
        seen = np.tile(data["returns_valid"][:, None], (1, shuffled.shape[1]))
        return _ridge(np.vstack([x_train, x_valid]), np.vstack([shuffled, seen]), x_valid)

    assert shuffled_label_sentinel(LabelledRows(**data), seed=1, fit=leaky).passed is False


def test_3_too_few_rows_to_settle_fails_closed() -> None:
    data = world(4, valid=20)
    check = shuffled_label_sentinel(LabelledRows(**data), seed=1, periods_per_year=2520.0)
    assert check.passed is False
    assert f"over {MOST_SHUFFLES} shuffles" in check.note


def test_flat_columns_and_drift_do_no_harm() -> None:
    data = world(5)
    data["x_train"][:, 2] = 1.0
    data["x_valid"][:, 2] = 1.0
    data["returns_valid"] = data["returns_valid"] + 0.01
    assert shuffled_label_sentinel(LabelledRows(**data), seed=1).passed
    data["returns_valid"] = np.full(400, 0.01)
    flat = shuffled_label_sentinel(LabelledRows(**data), seed=1, shuffles=250)
    assert (flat.value, flat.passed) == (0.0, True)


def test_a_panel_is_scored_by_date() -> None:
    def by_date(forecasts: np.ndarray, returns: np.ndarray) -> np.ndarray:
        return (forecasts * returns[:, None]).reshape(-1, 4, forecasts.shape[1]).mean(axis=1)

    assert shuffled_label_sentinel(LabelledRows(**world(6, valid=2000)), seed=1, score=by_date).passed


def test_the_ratios_of_all_columns_are_the_kernel_s() -> None:
    gross = np.random.default_rng(0).normal(0.001, 0.01, (300, 5))
    gross[:, 3], gross[:, 4] = 0.0, 0.02
    found = _annual(gross, 52.0)
    assert found[:3] == pytest.approx([sharpe(gross[:, k], periods_per_year=52.0) for k in range(3)])
    assert found[3:].tolist() == [0.0, 0.0]
    assert _annual(gross[:1], 52.0).tolist() == [0.0] * 5


def test_a_leak_among_many_training_rows_is_caught_on_the_rows_that_are_used() -> None:
    """Ten times the rows of a shuffle: what the guard leaves out takes nothing of the leak away."""
    data = world(3)
    many = {name: np.tile(data[name], (10, 1) if data[name].ndim == 2 else 10) for name in ("x_train", "y_train")}
    assert len(many["y_train"]) > 10 * SHUFFLED_ROWS
    assert shuffled_label_sentinel(LabelledRows(**(data | many)), seed=1).passed

    def leaky(x_train: np.ndarray, shuffled: np.ndarray, x_valid: np.ndarray) -> np.ndarray:
        assert len(shuffled) == SHUFFLED_ROWS
        seen = np.tile(data["returns_valid"][:, None], (1, shuffled.shape[1]))
        return _ridge(np.vstack([x_train, x_valid]), np.vstack([shuffled, seen]), x_valid)

    assert shuffled_label_sentinel(LabelledRows(**(data | many)), seed=1, fit=leaky).passed is False


@pytest.mark.req("EVAL-07")
@pytest.mark.slow
def test_false_alarms_of_clean_evaluations_are_rare() -> None:
    """The interval's half-width is at most a third of the limit, so a clean mean must be 3.9 errors out to fail."""
    alarms = sum(
        not shuffled_label_sentinel(LabelledRows(**world(seed, valid=250)), seed=seed).passed for seed in range(60)
    )
    assert alarms == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_train": np.zeros(3)}, r"y_train: got 'shape \(3,\)'; allowed: \(1200,\): one label per row"),
        ({"x_valid": np.zeros((400, 2))}, r"x_valid, returns_valid: got 'shapes \(400, 2\) and \(400,\)'; allowed: "),
        ({"y_train": np.full(1200, np.nan)}, "got 'values that are not finite'; allowed: no NaN"),
        ({"shuffles": 99}, "shuffles: got 99; allowed: 100 or more"),
        ({"x_valid": np.zeros((5, 8)), "returns_valid": np.zeros(5)}, r"got \(1200, 5\); allowed: 20 rows or more"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], message: str) -> None:
    shuffles = change.get("shuffles", 100)
    rows = world(1) | {name: value for name, value in change.items() if name != "shuffles"}
    with pytest.raises(InputError, match=message):
        shuffled_label_sentinel(LabelledRows(**rows), seed=1, shuffles=shuffles)
