"""Scaling laws: published refits, planted laws, refusals, intervals, groups, pictures."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit
from scipy.special import huber

from karat.core import InputError, canonical_json
from karat.evidence.scaling import ScalingLaw, compare_exponents, fit_law, fit_scaling, plot_scaling

GOLDEN = Path(__file__).parents[1] / "golden" / "evidence"
REFERENCE = Path(os.environ.get("KARAT_REFERENCE", "../shared/reference"))
EXPECTED = json.loads((GOLDEN / "scaling_expected.json").read_text())
SYNTHETIC = np.loadtxt(GOLDEN / "powerlaw_synth.csv", delimiter=",", skiprows=1)


def world(exponent: float, *, n: int = 20, noise: float = 0.002, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return scales (n, 1) and losses of 1.7 + A N^-exponent with noise of this share."""
    scales = np.geomspace(1e4, 1e8, n)
    loss = 1.7 + 2.0 * (scales / 1e4) ** -exponent
    return scales[:, None], loss * np.exp(np.random.default_rng(seed).normal(0.0, noise, n))


@pytest.mark.req("TRN-12")
@pytest.mark.realdata
def test_the_digitised_chinchilla_points_give_the_published_refit() -> None:
    """240 of 245 points of Hoffmann and others (2022), figure 4, as Besiroglu and others (2024) read them."""
    table = np.loadtxt(REFERENCE / "inputs/07_scaling/chinchilla_points.csv", delimiter=",", skiprows=1)
    kept = table[np.argsort(table[:, 3])][:-5]
    law = fit_law(kept[:, [0, 2]], kept[:, 3])
    published = EXPECTED["published_Besiroglu2024"]
    assert law.exponents == pytest.approx((0.3473, 0.3672), abs=1e-4)
    assert law.exponents == pytest.approx((published["alpha"], published["beta"]), abs=2e-3)
    assert law.floor == pytest.approx(published["E"], abs=1e-4)
    assert law.amounts == pytest.approx((published["A"], published["B"]), rel=0.05)
    assert law.objective == pytest.approx(1.018274e-3, rel=1e-6)
    assert law.share_of_first == pytest.approx(published["a_opt=beta/(alpha+beta)"], abs=1e-3)
    assert law.agreeing == law.starts == 40
    # The five runs of highest loss move beta this far: the reason to leave them out.
    assert fit_law(table[:, [0, 2]], table[:, 3]).exponents[1] == pytest.approx(0.453, abs=1e-3)
    found = fit_scaling(law, kept[:, [0, 2]], kept[:, 3], draws=60, seed=1)
    # Standard errors of 400 resamples: 0.0144, 0.0212 and, of the share, 0.0199.
    assert found.exponents.std(axis=0) == pytest.approx([0.0144, 0.0212], rel=0.35)
    assert found.share_of_first.lower < 0.513 < found.share_of_first.upper
    assert found.seen("N")
    assert found.seen("D")


@pytest.mark.req("TRN-12")
def test_the_best_sizes_of_a_published_law() -> None:
    for name, which in (("published_Besiroglu2024", "besiroglu"), ("published_Hoffmann2022", "hoffmann_rounded")):
        p = EXPECTED[name]
        law = ScalingLaw(("N", "D"), p["E"], (p["A"], p["B"]), (p["alpha"], p["beta"]))
        best = law.optimal(5.88e23)
        assert best == pytest.approx(EXPECTED["compute_optimal_C=5.88e23"][which], rel=1e-9)
        at = law.predict(np.array([best, (best[0] * 1.1, best[1] / 1.1), (best[0] / 1.1, best[1] * 1.1)]))
        assert at[0] == at.min()


@pytest.mark.req("TRN-12")
def test_the_synthetic_law_equals_scipy_and_lies_in_its_interval() -> None:
    scales, loss = SYNTHETIC[:, :1], SYNTHETIC[:, 1]
    row = EXPECTED["synthetic_powerlaw_curve_fit(weights 1/y)"]
    squares = fit_law(scales, loss, ("N",), delta=1.0)
    # Weights 1/y are least squares of the logarithm to first order.
    assert squares.floor == pytest.approx(row["scipy"][0], abs=2e-4)
    assert squares.amounts[0] == pytest.approx(row["scipy"][1], rel=1e-3)
    assert squares.exponents[0] == pytest.approx(row["scipy"][2], abs=1e-4)
    robust = fit_law(scales, loss, ("N",))
    assert robust.exponents[0] == pytest.approx(row["true"]["alpha"], abs=2 * row["se"][2])
    found = fit_scaling(robust, scales, loss, draws=100, seed=1)
    assert found.exponent("N").lower < row["true"]["alpha"] < found.exponent("N").upper
    assert found.floor.lower < row["true"]["E"] < found.floor.upper


@settings(max_examples=8, deadline=None)
@given(st.floats(0.1, 0.9), st.floats(0.5, 3.0), st.floats(0.5, 5.0), st.booleans())
def test_1_a_law_without_noise_is_recovered(exponent: float, floor: float, first: float, floored: bool) -> None:
    scales = np.geomspace(1e3, 1e7, 12)
    level = floor if floored else 0.0
    loss = level + first * (scales / 1e3) ** -exponent
    law = fit_law(scales[:, None], loss, ("N",), floor=floored)
    assert law.exponents[0] == pytest.approx(exponent, abs=5e-3)
    assert law.floor == pytest.approx(level, abs=1e-2)
    np.testing.assert_allclose(law.predict(scales[:, None]), loss, rtol=1e-4)


def test_1_two_scales_without_noise_and_the_order_of_runs() -> None:
    grid = np.array([(n, d) for n in np.geomspace(1e6, 1e9, 6) for d in np.geomspace(1e8, 1e10, 6)])
    truth = ScalingLaw(("N", "D"), 1.8, (480.0, 2100.0), (0.35, 0.37))
    loss = truth.predict(grid)
    law = fit_law(grid, loss, tries=10)
    assert law.exponents == pytest.approx(truth.exponents, abs=1e-3)
    assert law.floor == pytest.approx(1.8, abs=1e-3)
    back = fit_law(grid[::-1], loss[::-1], tries=10)
    assert back.exponents == pytest.approx(law.exponents, abs=1e-4)


def test_the_objective_is_the_sum_of_hubers_and_no_neighbour_is_better() -> None:
    scales, loss = world(0.3)
    law = fit_law(scales, loss, ("N",))

    def objective(floor: float, amount: float, exponent: float) -> float:
        return float(huber(1e-3, np.log(floor + amount * scales[:, 0] ** -exponent) - np.log(loss)).sum())

    at = (law.floor, law.amounts[0], law.exponents[0])
    assert objective(*at) == pytest.approx(law.objective, rel=1e-9)
    for k in range(3):
        for change in (0.999, 1.001):
            assert objective(*(v * change if j == k else v for j, v in enumerate(at))) >= law.objective


def test_huber_bears_an_outlier_that_moves_least_squares() -> None:
    scales, loss = world(0.3, noise=0.001)
    loss[3] *= 1.3
    assert fit_law(scales, loss, ("N",)).exponents[0] == pytest.approx(0.3, abs=0.01)
    squares, _ = curve_fit(lambda n, e, a, b: e + a * (n / 1e4) ** -b, scales[:, 0], loss, p0=(1.5, 2.0, 0.4))
    assert abs(squares[2] - 0.3) > 0.03


@pytest.mark.req("TRN-12")
def test_planted_exponents_lie_in_their_intervals() -> None:
    inside = 0
    for seed in range(8):
        scales, loss = world(0.3, seed=seed)
        found = fit_scaling(fit_law(scales, loss, ("N",), tries=5), scales, loss, draws=40, seed=seed)
        interval = found.exponent("N")
        inside += interval.lower <= 0.3 <= interval.upper
    assert inside >= 6


@pytest.mark.req("TRN-12")
def test_no_scaling_is_an_answer() -> None:
    wrong = 0
    for seed in range(12):
        scales, loss = world(0.0, noise=0.02, seed=100 + seed)
        law = fit_law(scales, loss, ("N",), floor=False, tries=3)
        found = fit_scaling(law, scales, loss, draws=40, seed=seed)
        wrong += found.seen("N")
    assert wrong <= 2
    scales, loss = world(0.3)
    assert fit_scaling(fit_law(scales, loss, ("N",)), scales, loss, draws=40, seed=1).seen("N")


def test_1_whole_runs_are_resampled_and_the_seed_decides() -> None:
    scales, loss = world(0.3, n=12)
    # Ten check points a run: as rows they would look like ten times the evidence.
    many, losses = np.repeat(scales, 10, axis=0), np.repeat(loss, 10)
    runs = np.repeat([f"run {k:02d}" for k in range(12)], 10)
    law = fit_law(scales, loss, ("N",))
    by_run = fit_scaling(law, many, losses, runs=runs, draws=40, seed=2)
    by_row = fit_scaling(law, many, losses, draws=40, seed=2)
    widths = [found.exponent("N").upper - found.exponent("N").lower for found in (by_run, by_row)]
    assert widths[0] > 1.5 * widths[1]
    again = fit_scaling(law, many[::-1], losses[::-1], runs=runs[::-1], draws=40, seed=2)
    np.testing.assert_allclose(again.exponents, by_run.exponents, atol=1e-4)


@pytest.mark.req("TRN-12")
def test_groups_that_scale_alike_and_one_that_does_not() -> None:
    fits = {}
    for name, exponent, seed in (("1d", 0.3, 1), ("5d", 0.3, 2), ("week", 0.6, 3)):
        scales, loss = world(exponent, seed=seed, noise=0.001)
        fits[name] = fit_scaling(fit_law(scales, loss, ("N",)), scales, loss, draws=40, seed=seed)
    gaps = {(gap.first, gap.second): gap for gap in compare_exponents(fits, "N")}
    assert not gaps["1d", "5d"].differ
    assert gaps["1d", "week"].differ
    assert gaps["5d", "week"].gap.estimate == pytest.approx(-0.3, abs=0.05)
    assert gaps["1d", "5d"].gap.level == pytest.approx(1 - 0.05 / 3)


@pytest.mark.req("TRN-12")
def test_picture_and_json() -> None:
    import matplotlib

    scales, loss = world(0.3)
    found = fit_scaling(fit_law(scales, loss, ("N",)), scales, loss, draws=40, seed=1)
    before = dict(matplotlib.rcParams)
    figure = plot_scaling(found, scales, loss)
    assert dict(matplotlib.rcParams) == before
    assert len(figure.axes) == 2
    assert figure.axes[0].get_title(loc="left").startswith("N: exponent 0.299 (0.29")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    assert b"loss above the law" in buffer.getvalue()
    facts = json.loads(canonical_json(found.to_dict()))
    assert facts["exponents"]["N"]["seen"] is True
    assert facts["law"]["exponents"][0] == found.law.exponents[0]
    flat = world(0.0, noise=0.02, seed=101)
    found = fit_scaling(fit_law(*flat, ("N",), floor=False, tries=3), *flat, draws=40, seed=1)
    assert "no scaling seen" in plot_scaling(found, *flat).axes[0].get_title(loc="left")


GOOD = world(0.3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: fit_law(np.repeat([[1e3], [1e4], [1e5]], 5, axis=0), np.ones(15), ("N",)),
            r"scales\[N\]: got '3 scales'; two or three scales fit any power and prove none; allowed: 5 or more; "
            "add runs at 2 more values of N",
        ),
        (
            lambda: fit_law(np.linspace(1e3, 5e3, 12)[:, None], np.ones(12), ("N",)),
            r"scales\[N\]: got 'a range of 1 to 5'; allowed: 1 to 10; add a run at N = 1e\+04 or above",
        ),
        (
            lambda: fit_law(np.geomspace(1e3, 1e6, 5)[:, None], np.arange(1.0, 6.0), ("N",)),
            "loss: got '5 runs'; allowed: 6 or more: two per parameter",
        ),
        (
            lambda: fit_law(np.column_stack([GOOD[0], 20 * GOOD[0]]), GOOD[1]),
            r"scales\[N, D\]: got 'scales that move together'; their logarithms correlate at 1.0000: .*; "
            "add runs that vary D while N stays",
        ),
        (
            lambda: fit_law(GOOD[0], np.ones(20), ("N",)),
            "loss: got 'a constant series'; nothing scales; allowed: losses",
        ),
        (lambda: fit_law(GOOD[0], -GOOD[1], ("N",)), "scales, loss: got 'values that are not positive'; allowed: posi"),
        (
            lambda: fit_law(GOOD[0], GOOD[1]),
            r"scales, loss: got .* for \['N', 'D'\]\"; allowed: \(n, k\) and \(n,\), one",
        ),
        (
            lambda: fit_law(*GOOD, ("N",), tries=0),
            r"tries, delta: got \(0, 0.001\); allowed: 1 or more, a positive numb",
        ),
        (
            lambda: fit_scaling(fit_law(*GOOD, ("N",)), *GOOD, runs=["a"] * 20, seed=1),
            "runs: got '1 distinct'; allowed: 8 or more to resample; add 7 runs",
        ),
        (
            lambda: fit_scaling(fit_law(*GOOD, ("N",)), *GOOD, runs=["a"], seed=1),
            r"runs: got 'shape \(1,\)'; allowed: \(20,\): one name per row of the scales",
        ),
        (lambda: compare_exponents({}, "N"), r"groups: got \[\]; allowed: two groups or more"),
        (
            lambda: fit_scaling(fit_law(*GOOD, ("N",)), *GOOD, draws=5, seed=1).exponent("D"),
            "name: got 'D'; allowed: N",
        ),
        (
            lambda: ScalingLaw(("N",), 1.0, (1.0,), (0.5,)).optimal(1e20),
            r"law: got '1 scale'; allowed: two: param",
        ),
        (
            lambda: ScalingLaw(("N", "D"), 1.0, (1.0, 1.0), (0.5, 0.5)).optimal(0.0),
            "compute: got 0.0; allowed: a positi",
        ),
    ],
)
@pytest.mark.req("TRN-12")
def test_what_cannot_be_fitted_is_refused_with_what_would_be_enough(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_resamples_that_lose_their_scales_are_refused() -> None:
    scales = np.full((48, 2), 1e4)
    scales[:4, 0], scales[4:8, 1] = (1e5, 1e6, 1e7, 1e8), (1e5, 1e6, 1e7, 1e8)
    law = ScalingLaw(("N", "D"), 1.7, (30.0, 40.0), (0.3, 0.4))
    # Only four runs leave the smallest of either scale: most resamples miss two of them.
    with pytest.raises(InputError, match="runs: got '.* of 40 resamples have too few scales'; add runs"):
        fit_scaling(law, scales, law.predict(scales), draws=40, seed=1)
