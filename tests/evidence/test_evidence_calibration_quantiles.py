"""`QuantileCalibrator`: quantiles moved to where `Valid` says they lie; the median stays, and only where it helps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from calibration_factory import normal_forecast, view

from karat.core import DataError, InputError
from karat.data import LEVELS, MEDIAN, Valid
from karat.evidence import quantile_reliability
from karat.evidence.calibration import Pairs, QuantileCalibrator, QuantileShift, pair, pool

N = 900


def pairs(sd: float, said: float, *, seed: int = 1, n: int = N, regime: np.ndarray | None = None) -> Pairs:
    """Return outcomes with standard deviation `sd` beside forecasts that say `said`."""
    valid = outcomes(sd, seed=seed, n=n)
    return pair(valid, normal_forecast(valid, said), regime)


def outcomes(sd: float, *, seed: int, n: int = N, first_day: int = 0) -> Valid:
    """Return a view of normal outcomes."""
    return view(np.random.default_rng(seed).normal(0.0, sd, n), first_day=first_day)


@pytest.mark.req("MOD-35")
def test_a_forecast_that_is_too_sure_is_right_afterwards_and_4_its_median_stays() -> None:
    fitted = QuantileCalibrator().fit(pairs(0.02, 0.01))
    later = outcomes(0.02, seed=2, n=3000, first_day=2000)
    raw = normal_forecast(later, 0.01)
    moved = fitted.calibrate(raw)
    errors = [quantile_reliability(later.labels.value, item.quantiles, LEVELS).error for item in (raw, moved)]
    assert errors[0] > 0.1 > 0.02 > errors[1]
    assert np.array_equal(moved.quantiles[:, MEDIAN], raw.quantiles[:, MEDIAN])
    assert np.array_equal(moved.probabilities, raw.probabilities)
    assert (np.diff(moved.quantiles, axis=1) >= 0).all()
    (diagnosis,) = fitted.diagnoses
    assert (diagnosis.method, diagnosis.rows, diagnosis.fell_back) == ("conformal", N, False)
    assert diagnosis.before is not None
    assert diagnosis.after is not None
    assert diagnosis.after < diagnosis.before


def test_4_a_biased_forecast_keeps_its_median_and_no_level_crosses_it() -> None:
    valid = view(np.random.default_rng(3).normal(0.05, 0.02, N))
    forecast = normal_forecast(valid, 0.02)
    free, kept = (QuantileShift.fit(pair(valid, forecast), keep_median=keep) for keep in (False, True))
    assert np.abs(free.apply(forecast.quantiles)[:, MEDIAN] - 0.05).max() < 0.005, "the plain shift moves location"
    moved = kept.apply(forecast.quantiles)
    assert np.array_equal(moved[:, MEDIAN], forecast.quantiles[:, MEDIAN])
    assert (np.diff(moved, axis=1) >= 0).all()
    assert np.allclose(moved[:, -1], free.apply(forecast.quantiles)[:, -1]), "a level beyond the median is where it was"


def test_an_honest_forecast_falls_back_to_itself() -> None:
    refused = 0
    for seed in range(20):
        fitted = QuantileCalibrator().fit(pairs(0.02, 0.02, seed=seed))
        refused += fitted.diagnoses[0].fell_back
        if fitted.diagnoses[0].fell_back:
            raw = pairs(0.02, 0.02, seed=100).quantiles
            assert np.array_equal(fitted.apply(raw), raw)
            assert "on the later third is not below" in fitted.diagnoses[0].reason
    assert refused >= 10, "noise seldom helps"


@pytest.mark.parametrize(("n", "why"), [(200, "200 rows; 225 are needed"), (0, "0 rows; 225 are needed")])
def test_too_few_rows_say_how_many_would_do(n: int, why: str) -> None:
    fitted = QuantileCalibrator().fit(pairs(0.02, 0.01).take(slice(0, n)))
    assert fitted.diagnoses[0].reason == why
    assert fitted.diagnoses[0].fell_back


def test_outcomes_that_come_due_too_late_are_not_learned_from() -> None:
    late = pairs(0.02, 0.01, n=300)
    late = Pairs(**{**vars(late), "end_ns": np.full(300, late.end_ns[-1] + 10**15)})
    assert "outcomes known before the later third" in QuantileCalibrator().fit(late).diagnoses[0].reason


@pytest.mark.req("MOD-35")
def test_1_each_regime_has_its_own_map_and_2_a_strange_one_that_of_all() -> None:
    wild = np.tile([False, False, True], N)
    valid = view(np.random.default_rng(5).normal(0.0, np.where(wild, 0.04, 0.01)))
    names = np.where(wild, "wild", "calm")
    names[:50] = "rare"
    fitted = QuantileCalibrator().fit(pair(valid, normal_forecast(valid, 0.02), names))
    assert {row.regime: row.method for row in fitted.diagnoses} == {
        "": "conformal", "calm": "conformal", "rare": "identity", "wild": "conformal",
    }  # fmt: skip
    one = normal_forecast(outcomes(0.02, seed=1, n=1), 0.02).quantiles
    width = {name: float(np.ptp(fitted.apply(one, [name]))) for name in ("calm", "wild", "rare", "never seen", "")}
    assert width["calm"] < 0.6 * float(np.ptp(one))
    assert width["wild"] > 1.6 * float(np.ptp(one))
    assert width["rare"] == width["never seen"] == width[""]


@pytest.mark.req("MOD-35")
def test_3_a_saved_calibrator_comes_back_to_the_bit_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    wild = np.tile([False, True], N)
    valid = view(np.random.default_rng(5).normal(0.0, np.where(wild, 0.04, 0.01)))
    fitted = QuantileCalibrator().fit(pair(valid, normal_forecast(valid, 0.02), np.where(wild, "wild", "calm")))
    path = tmp_path / "quantiles.json"
    fitted.save(path)
    again = QuantileCalibrator.load(path)
    raw = normal_forecast(outcomes(0.02, seed=1), 0.02).quantiles
    for name in ("calm", "wild", "other"):
        assert np.array_equal(again.apply(raw, [name] * N), fitted.apply(raw, [name] * N))
    assert again.diagnoses == fitted.diagnoses
    path.write_text(path.read_text(encoding="utf-8").replace('"rows":1800', '"rows":1801', 1), encoding="utf-8")
    with pytest.raises(DataError, match="the content equals its recorded hash"):
        QuantileCalibrator.load(path)
    with pytest.raises(InputError, match="there is no such file"):
        QuantileCalibrator.load(tmp_path / "nothing.json")


def test_pooled_folds_are_in_the_order_in_which_outcomes_were_known() -> None:
    first, second = outcomes(0.02, seed=1, n=30), outcomes(0.02, seed=2, n=30, first_day=30)
    slow = pair(first, normal_forecast(first, 0.02))
    slow = Pairs(**{**vars(slow), "end_ns": slow.end_ns + 5 * 86_400_000_000_000})
    joined = pool([slow, pair(second, normal_forecast(second, 0.02))])
    assert (np.diff(joined.end_ns) >= 0).all()
    assert len(joined) == 60
