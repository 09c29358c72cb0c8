"""Maps and the calibrator: hand values, planted parameters, online = batch, fall-back, files, no look ahead."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from calibration_factory import DAY, binary_rows, many_rows, normal_forecast, view
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logit

from karat.core import DataError, InputError
from karat.data import Test, Train
from karat.evidence import brier_classes
from karat.evidence.calibration import (
    CALIBRATORS,
    MIN_ROWS,
    Calibrator,
    ClassRows,
    Pairs,
    ece,
    pair,
    pool,
    replay,
    two_classes,
)

METHODS = ("isotonic", "platt", "temperature")


def pairs_of(rows: ClassRows) -> Pairs:
    """Return rows of any number of classes as if they came from `pair`."""
    n = len(rows)
    facts = {name: getattr(rows, name) for name in ClassRows.__dataclass_fields__}
    return Pairs(quantiles=np.zeros((n, 23)), value=np.zeros(n), **facts)


def test_isotonic_by_hand() -> None:
    """Pool adjacent violators of 0, 1, 0, 1: 0, 1/2, 1/2, 1; kept 1/6 away from both ends."""
    p = np.array([0.1, 0.2, 0.3, 0.4])
    fitted = CALIBRATORS["isotonic"].fit(two_classes(p), np.array([0, 1, 0, 1]))
    np.testing.assert_allclose(fitted.apply(two_classes(p))[:, 1], [1 / 6, 0.5, 0.5, 5 / 6])
    np.testing.assert_allclose(fitted.apply(two_classes(np.array([0.0, 0.15, 1.0])))[:, 1], [1 / 6, 1 / 3, 5 / 6])


def test_platt_is_the_minimum_that_scipy_finds_and_undoes_a_planted_distortion() -> None:
    rows = binary_rows(20_000, sure=2.0, bias=0.5)
    fitted = CALIBRATORS["platt"].fit(rows.probabilities, rows.klass)
    z, hit = logit(rows.probabilities[:, 1]), rows.klass == 1
    n1 = int(hit.sum())
    target = np.where(hit, (n1 + 1) / (n1 + 2), 1 / (len(hit) - n1 + 2))

    def entropy(at: np.ndarray) -> float:
        score = at[0] * z + at[1]
        return float(-(target * log_expit(score) + (1 - target) * log_expit(-score)).sum())

    found = minimize(entropy, np.array([1.0, 0.0]), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-9})
    assert (fitted.slopes[0], fitted.intercepts[0]) == pytest.approx(tuple(found.x), abs=1e-5)
    # True odds are z = (raw - 0.5) / 2.
    assert (fitted.slopes[0], fitted.intercepts[0]) == pytest.approx((0.5, -0.25), abs=0.05)


def test_platt_survives_a_perfect_separation() -> None:
    fitted = CALIBRATORS["platt"].fit(two_classes(np.repeat([0.1, 0.9], 50)), np.repeat([0, 1], 50))
    got = fitted.apply(two_classes(np.array([0.1, 0.9])))[:, 1]
    # Two groups and two parameters: the curve goes through the smoothed targets 1/52 and 51/52.
    np.testing.assert_allclose(got, [1 / 52, 51 / 52], rtol=1e-6)


def test_temperature_recovers_the_planted_one_and_keeps_the_top_class() -> None:
    rows = many_rows(20_000, sure=2.0)
    fitted = CALIBRATORS["temperature"].fit(rows.probabilities, rows.klass)
    assert fitted.temperature == pytest.approx(2.0, abs=0.06)
    mapped = fitted.apply(rows.probabilities)
    np.testing.assert_array_equal(mapped.argmax(axis=1), rows.probabilities.argmax(axis=1))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", [binary_rows, many_rows])
def test_miscalibrated_scores_improve_out_of_sample(method: str, make) -> None:
    rows, later = make(4000, seed=1), make(4000, seed=2)
    calibrator = Calibrator(method).fit(pairs_of(rows))
    assert not calibrator.diagnoses[0].fell_back
    mapped = calibrator.apply(later.probabilities)
    np.testing.assert_allclose(mapped.sum(axis=1), 1.0)
    assert (mapped > 0).all()
    assert brier_classes(later.klass, mapped).mean() < brier_classes(later.klass, later.probabilities).mean()
    for meaning in ("top_label", "class_wise"):
        assert ece(later.klass, mapped, meaning=meaning) < ece(later.klass, later.probabilities, meaning=meaning)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(METHODS), st.integers(0, 1000), st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_2_a_binary_map_is_monotone(method: str, seed: int, values: list[float]) -> None:
    rows = binary_rows(300, seed=seed)
    mapped = CALIBRATORS[method].fit(rows.probabilities, rows.klass).apply(two_classes(np.sort(values)))[:, 1]
    assert (np.diff(mapped) >= -1e-12).all()


@pytest.mark.parametrize("method", METHODS)
def test_1_rows_in_pieces_give_the_bits_of_rows_at_once(method: str) -> None:
    rows = binary_rows(900)
    whole = Calibrator(method, window=700).fit(pairs_of(rows))
    pieces = Calibrator(method, window=700).fit(pairs_of(rows.take(slice(0, 300))))
    before = pieces.apply(rows.probabilities)
    for start in range(300, 900, 150):
        pieces.update(rows.take(slice(start, start + 150)))
    np.testing.assert_array_equal(pieces.apply(rows.probabilities), whole.apply(rows.probabilities))
    assert pieces.diagnoses == whole.diagnoses
    assert whole.diagnoses[0].rows == 700
    assert np.abs(before - whole.apply(rows.probabilities)).max() > 1e-3


def test_an_update_moves_the_curve_towards_a_new_world() -> None:
    old, new = binary_rows(1500, sure=1.5, seed=1), binary_rows(1500, sure=4.0, seed=2, first_day=1500)
    calibrator = Calibrator("temperature", window=1500).fit(pairs_of(old))
    first = calibrator.apply(two_classes(np.array([0.95])))[0, 1]
    calibrator.update(new)
    assert calibrator.apply(two_classes(np.array([0.95])))[0, 1] < first - 0.05


@pytest.mark.parametrize("method", [*METHODS, "identity"])
def test_4_a_saved_calibrator_gives_the_same_bits_and_goes_on_learning(method: str, tmp_path: Path) -> None:
    rows = many_rows(600, classes=3)
    regime = np.where(np.arange(600) % 2, "calm", "wild")
    rows = dataclasses.replace(rows, regime=regime)
    made = Calibrator(method).fit(pairs_of(rows.take(slice(0, 500))))
    made.save(tmp_path / "c.json")
    back = Calibrator.load(tmp_path / "c.json")
    np.testing.assert_array_equal(
        back.apply(rows.probabilities, regime).view(np.int64), made.apply(rows.probabilities, regime).view(np.int64)
    )
    assert back.diagnoses == made.diagnoses
    for one in (made, back):
        one.update(rows.take(slice(500, 600)))
    np.testing.assert_array_equal(back.apply(rows.probabilities, regime), made.apply(rows.probabilities, regime))
    json.loads((tmp_path / "c.json").read_text())


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    Calibrator("platt").fit(pairs_of(binary_rows(300))).save(path)
    text = path.read_text()
    path.write_text(text.replace('"window":5000', '"window":4000'))
    with pytest.raises(
        DataError,
        match="got '[0-9a-f]{64}'; rule 'the content equals its recorded hash' is broken at c.json; fit and save",
    ):
        Calibrator.load(path)
    path.write_text(text[:-5])
    with pytest.raises(DataError, match="got '.*char.*'; rule 'the file is JSON' is broken at c.json"):
        Calibrator.load(path)
    path.write_text("{}")
    with pytest.raises(DataError, match="got None; rule 'the file has format 1' is broken"):
        Calibrator.load(path)
    with pytest.raises(InputError, match="path: got .*; there is no such file; give a file that `save` wrote"):
        Calibrator.load(tmp_path / "none.json")


def test_2_each_regime_has_its_own_map_and_a_thin_one_shares() -> None:
    calm, wild = binary_rows(900, sure=1.5, seed=1), binary_rows(900, sure=4.0, seed=2)
    thin = binary_rows(50, sure=4.0, seed=3)
    rows = calm.joined(wild).joined(thin)
    rows = dataclasses.replace(rows, regime=np.repeat(["calm", "wild", "thin"], [900, 900, 50]))
    order = np.argsort(rows.end_ns, kind="stable")
    calibrator = Calibrator("temperature").fit(pairs_of(rows.take(order)))
    names = {diagnosis.regime: diagnosis for diagnosis in calibrator.diagnoses}
    assert names["thin"].fell_back
    assert names["thin"].reason == f"50 rows; {MIN_ROWS} are needed"
    assert not names["calm"].fell_back
    p = two_classes(np.array([0.9]))
    got = {name: calibrator.apply(p, [name])[0, 1] for name in ("calm", "wild", "thin", "never seen")}
    assert got["wild"] < got["thin"] == got["never seen"] < got["calm"]
    assert got["thin"] == calibrator.apply(p)[0, 1]


def test_2_what_does_not_help_falls_back_to_the_identity_with_its_reason() -> None:
    rng = np.random.default_rng(99)
    rows = binary_rows(600)
    noise = dataclasses.replace(rows, probabilities=two_classes(expit(rng.normal(size=600))))
    honest = binary_rows(600, sure=1.0)
    turned = dataclasses.replace(honest, klass=np.where(np.arange(600) < 400, 1 - honest.klass, honest.klass))
    cases = {
        "upside down": (
            dataclasses.replace(rows, klass=1 - rows.klass),
            "platt",
            "1 of 1 curve with a negative slope: ranks would be",
        ),
        "changed": (turned, "isotonic", "on the later third is not below"),
        "says nothing": (noise, "temperature", "temperature 20 lies on the edge of 1/20 to 20"),
        "few": (rows.take(slice(0, 100)), "isotonic", "100 rows; 150 are needed"),
    }
    for name, (given_rows, method, reason) in cases.items():
        calibrator = Calibrator(method).update(given_rows)
        assert calibrator.diagnoses[0].fell_back, name
        assert reason in calibrator.diagnoses[0].reason, name
        np.testing.assert_array_equal(calibrator.apply(rows.probabilities), rows.probabilities)
    late = dataclasses.replace(rows, klass=np.where(np.arange(600) < 400, 0, rows.klass))
    assert "fewer than two classes" in Calibrator("platt").update(late).diagnoses[0].reason


def test_replay_learns_only_what_was_known_by_truncation_and_by_poisoning() -> None:
    rows = binary_rows(500, sure=3.0)
    rows = dataclasses.replace(rows, end_ns=rows.known_at + 5 * DAY)
    whole = replay(Calibrator("platt"), rows)
    assert np.abs(whole[:150] - rows.probabilities[:150]).max() == 0
    assert np.abs(whole[200:] - rows.probabilities[200:]).max() > 0.01
    cut = replay(Calibrator("platt"), rows.take(slice(0, 350)))
    np.testing.assert_array_equal(cut, whole[:350])
    klass = rows.klass.copy()
    klass[345:] = 1 - klass[345:]
    poisoned = replay(Calibrator("platt"), dataclasses.replace(rows, klass=klass))
    # Row 345's outcome is known five days later: the forecast of day 350 is the first that may see it.
    np.testing.assert_array_equal(poisoned[:350], whole[:350])
    assert np.abs(poisoned[350:] - whole[350:]).max() > 0
    shuffled = np.random.default_rng(1).permutation(500)
    np.testing.assert_array_equal(replay(Calibrator("platt"), rows.take(shuffled)), whole[shuffled])


def test_pair_takes_a_valid_and_nothing_else() -> None:
    value = np.random.default_rng(1).normal(0, 0.01, 60)
    valid = view(value)
    found = pair(valid, normal_forecast(valid, 0.01))
    assert len(found) == 60
    assert (np.diff(found.end_ns) >= 0).all()
    for kind in (Train, Test):
        other = view(value, kind=kind)
        with pytest.raises(InputError, match=f"valid: got '{kind.__name__}'; calibration learns from Valid only"):
            pair(other, normal_forecast(valid, 0.01))
    shorter = normal_forecast(view(value[:-1]), 0.01)
    with pytest.raises(InputError, match="forecast: got '59 forecasts at 1d for 60 rows at 1d'; allowed: one forecast"):
        pair(valid, shorter)
    moved = dataclasses.replace(normal_forecast(valid, 0.01), instrument=np.full(60, "B"))
    with pytest.raises(InputError, match=r"forecast: got .* fix|predict\(valid\)"):
        pair(valid, moved)
    with pytest.raises(InputError, match=r"regime: got 'shape \(2,\)'; allowed: \(60,\): one name per row"):
        pair(valid, normal_forecast(valid, 0.01), ["a", "b"])
    with pytest.raises(InputError, match="valid.labels: got 'NaN or infinite values'; allowed: finite returns"):
        pair(view(np.array([np.nan])), normal_forecast(view(np.zeros(1)), 0.01))


def test_overlapping_folds_are_refused() -> None:
    first, second, third = view(np.zeros(10)), view(np.zeros(10), first_day=10), view(np.zeros(10), first_day=5)
    folds = [pair(one, normal_forecast(one, 0.01)) for one in (second, first, third)]
    assert pool(folds[:2]).known_at.tolist() == [*folds[1].known_at, *folds[0].known_at]
    with pytest.raises(
        InputError, match=r"folds: got 'a fold starting 1970-01-06.* ends 1970-01-10.*overlapping folds"
    ):
        pool(folds)
    with pytest.raises(InputError, match="folds: got 'none'; allowed: one fold or more"):
        pool([])


def test_a_forecast_keeps_all_but_its_probabilities() -> None:
    rows = many_rows(600)
    valid = view(np.zeros(600))
    forecast = normal_forecast(valid, 0.01, rows.probabilities)
    calibrator = Calibrator("temperature").fit(pairs_of(rows))
    got = calibrator.calibrate(forecast)
    np.testing.assert_array_equal(got.probabilities, calibrator.apply(rows.probabilities))
    np.testing.assert_array_equal(got.quantiles, forecast.quantiles)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Calibrator("isotone"),
            "method: got 'isotone'; allowed: identity, isotonic, .*; did you mean 'isotonic",
        ),
        (lambda: Calibrator(window=0), "window: got 0; allowed: 1 row or more"),
        (
            lambda: Calibrator().fit(pairs_of(dataclasses.replace(binary_rows(200), klass=np.zeros(200, int)))),
            r"klass: got \[0\]; a curve through one class only is not determined; allowed: two classes or more; use",
        ),
        (
            lambda: Calibrator().fit(pairs_of(dataclasses.replace(binary_rows(9), klass=np.full(9, 2)))),
            r"klass: got \(2, 2\); allowed: 0 to 1",
        ),
        (
            lambda: CALIBRATORS["platt"].fit(np.full((2, 2), 0.6), np.array([0, 1])),
            "probabilities: got 'rows off the simplex'; allowed: finite non-negative rows that sum to 1",
        ),
        (
            lambda: CALIBRATORS["platt"].fit(np.ones((2, 1)), np.array([0, 1])),
            r"probabilities, klass: got 'shapes \(2, 1\) and \(2,\)'; allowed: \(n, c\) with two classes",
        ),
        (
            lambda: Calibrator().update(binary_rows(9)).update(binary_rows(9)),
            "rows.end_ns: got 'outcomes out of order'; allowed: ascending, none before the last one",
        ),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
