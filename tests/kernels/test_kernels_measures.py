"""Measures against published numbers, scipy and hand calculation; the NaN rule. Numbers are the module's invariants."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from inspect import ismodule
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

import karat
from karat import kernels

# Monthly returns of the example portfolio in Bacon (2008), "Practical Portfolio Performance Measurement and
# Attribution", 2nd edition, and the values printed there: downside deviation at 0.5 % a month 0.0255 (p. 96),
# skewness over kurtosis -0.034 (p. 100).
BACON = np.array(
    [
        *(0.003, 0.026, 0.011, -0.010, 0.015, 0.025, 0.016, 0.067, -0.014, 0.040, -0.005, 0.081),
        *(0.040, -0.037, -0.061, 0.017, -0.049, -0.022, 0.070, 0.058, -0.065, 0.024, -0.005, -0.009),
    ]
)

OF_A_SERIES: dict[str, Callable[[np.ndarray], float]] = {
    "total_return": kernels.total_return,
    "annual_return": lambda r: kernels.annual_return(r, periods_per_year=252),
    "volatility": lambda r: kernels.volatility(r, periods_per_year=252),
    "sharpe": lambda r: kernels.sharpe(r, periods_per_year=252),
    "sortino": lambda r: kernels.sortino(r, periods_per_year=252),
    "information_ratio": lambda r: kernels.information_ratio(r, np.zeros_like(r), periods_per_year=252),
    "max_drawdown": kernels.max_drawdown,
    "calmar": lambda r: kernels.calmar(r, periods_per_year=252),
    "value_at_risk": kernels.value_at_risk,
    "cvar": kernels.cvar,
    "hit_rate": kernels.hit_rate,
    "profit_factor": kernels.profit_factor,
    "skewness": kernels.skewness,
    "kurtosis": kernels.kurtosis,
    "annual_turnover": lambda r: kernels.annual_turnover(r, periods_per_year=252),
}
SERIES = arrays(np.float64, st.integers(2, 60), elements=st.floats(-0.3, 0.3))


@pytest.mark.req("EVAL-24")
def test_the_published_example() -> None:
    excess = float(np.mean(BACON)) - 0.005
    downside = math.sqrt(12) * excess / kernels.sortino(BACON, periods_per_year=12, target=0.005)
    assert downside == pytest.approx(0.0255, abs=5e-5)
    assert kernels.skewness(BACON) / kernels.kurtosis(BACON) == pytest.approx(-0.034, abs=5e-4)


@pytest.mark.req("EVAL-24")
def test_a_known_series_by_hand() -> None:
    r = np.array([0.10, -0.20, 0.05, 0.00, -0.10, 0.50])
    assert kernels.total_return(r) == pytest.approx(1.1 * 0.8 * 1.05 * 0.9 * 1.5 - 1)
    assert kernels.annual_return(r, periods_per_year=3) == pytest.approx((1.1 * 0.8 * 1.05 * 0.9 * 1.5) ** 0.5 - 1)
    assert kernels.max_drawdown(r) == pytest.approx(1 - 0.8 * 1.05 * 0.9)
    assert kernels.max_drawdown_periods(r) == 4
    assert kernels.drawdowns(r)[:2].tolist() == pytest.approx([0.0, 0.2])
    assert kernels.hit_rate(r) == pytest.approx(3 / 5)
    assert kernels.profit_factor(r) == pytest.approx(0.65 / 0.30)
    assert kernels.value_at_risk(r, level=0.5) == pytest.approx(0.0)
    assert kernels.cvar(r, level=0.5) == pytest.approx((0.20 + 0.10 + 0.0) / 3)
    assert kernels.cvar(r, level=0.75) == pytest.approx((0.20 + 0.5 * 0.10) / 1.5)
    assert kernels.cvar(r, level=0.99) == pytest.approx(0.20)
    assert kernels.sharpe(r, periods_per_year=6) == pytest.approx(
        r.mean() / math.sqrt(((r - r.mean()) ** 2).sum() / 5) * 6**0.5
    )
    assert kernels.sharpe(r, periods_per_year=1, ddof=0) == pytest.approx(r.mean() / np.std(r))
    assert kernels.sharpe(r, periods_per_year=1, risk_free=float(r.mean())) == pytest.approx(0.0, abs=1e-15)
    assert kernels.sortino(r, periods_per_year=4) == pytest.approx(r.mean() / math.sqrt((0.04 + 0.01) / 6) * 2)
    assert kernels.volatility(r, periods_per_year=4) == pytest.approx(2 * np.std(r, ddof=1))
    assert kernels.calmar(r, periods_per_year=6) == pytest.approx(kernels.total_return(r) / kernels.max_drawdown(r))
    assert kernels.annual_turnover([0.1, 0.3, np.nan], periods_per_year=10) == pytest.approx(2.0)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SERIES)
def test_moments_equal_scipy(r: np.ndarray) -> None:
    if np.std(r) < 1e-6:
        return
    assert kernels.skewness(r) == pytest.approx(stats.skew(r), rel=1e-8, abs=1e-8)
    assert kernels.kurtosis(r) == pytest.approx(stats.kurtosis(r, fisher=False), rel=1e-8)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SERIES, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_4_cvar_is_never_below_value_at_risk_and_drawdowns_are_fractions(r: np.ndarray, level: float) -> None:
    assert kernels.cvar(r, level=level) >= kernels.value_at_risk(r, level=level) - 1e-12
    assert 0 <= kernels.max_drawdown(r) <= 1
    assert 0 <= kernels.max_drawdown_periods(r) <= len(r)


@pytest.mark.parametrize("name", sorted(OF_A_SERIES))
def test_1_nan_is_dropped_and_infinity_refused(name: str) -> None:
    measure, r = OF_A_SERIES[name], BACON
    holes = np.insert(r, [0, 3, 3, len(r)], np.nan)
    assert measure(holes) == measure(r)
    with pytest.raises(ValueError, match=r"got an infinite value; allowed: finite fractions, NaN for a missing period"):
        measure(np.array([0.1, np.inf]))
    with pytest.raises(ValueError, match=r"got shape \(2, 1\); allowed: one dimension, one value per period"):
        measure(np.zeros((2, 1)))


@pytest.mark.parametrize("name", sorted(OF_A_SERIES))
def test_2_nothing_observed_is_nan(name: str) -> None:
    assert math.isnan(OF_A_SERIES[name](np.array([])))
    assert math.isnan(OF_A_SERIES[name](np.array([np.nan, np.nan])))


@pytest.mark.parametrize(
    "name", ["sharpe", "information_ratio", "skewness", "kurtosis", "sortino", "calmar", "profit_factor"]
)
def test_2_a_ratio_over_nothing_is_nan(name: str) -> None:
    assert math.isnan(OF_A_SERIES[name](np.full(7, 0.1)))  # np.std of it is 1.4e-17, not 0


def test_2_what_does_not_exist_is_nan_or_none() -> None:
    assert math.isnan(kernels.hit_rate([0.0, 0.0]))
    assert math.isnan(kernels.sharpe([0.01], periods_per_year=252))
    assert math.isnan(kernels.volatility([0.01], periods_per_year=252))
    assert kernels.max_drawdown([0.01, 0.0]) == 0.0
    assert kernels.max_drawdown_periods([]) == 0
    assert kernels.drawdowns([]).shape == (0,)


def test_3_the_calendar_is_an_argument() -> None:
    for name in ("sharpe", "sortino", "volatility"):
        measure = getattr(kernels, name)
        assert measure(BACON, periods_per_year=48) == pytest.approx(2 * measure(BACON, periods_per_year=12))
    for bad in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"periods_per_year: got .*; allowed: above 0, e.g. 252 for trading days"):
            kernels.sharpe(BACON, periods_per_year=bad)


def test_5_after_ruin_equity_stays_at_zero() -> None:
    r = [0.1, -1.4, 0.5, 3.0]
    assert kernels.drawdowns(r).tolist() == [0.0, 1.0, 1.0, 1.0]
    assert kernels.total_return(r) == -1.0
    assert kernels.annual_return(r, periods_per_year=252) == -1.0


@pytest.mark.parametrize("measure", [kernels.cvar, kernels.value_at_risk])
@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_level_outside_0_to_1_is_refused(measure: Callable[..., float], level: float) -> None:
    with pytest.raises(ValueError, match=r"level: got .*; allowed: between 0 and 1, e.g. 0.95 for the worst 5 %"):
        measure(BACON, level=level)


def test_information_ratio_is_the_sharpe_of_the_difference() -> None:
    other = np.roll(BACON, 1)
    expected = kernels.sharpe(BACON - other, periods_per_year=12)
    assert kernels.information_ratio(BACON, other, periods_per_year=12) == expected
    with pytest.raises(ValueError, match=r"benchmark: got shape \(3,\); allowed: \(24,\), one value for each return"):
        kernels.information_ratio(BACON, other[:3], periods_per_year=12)


@pytest.mark.req("EVAL-24")
def test_no_other_room_has_an_implementation_of_its_own() -> None:
    """A measure defined twice is two truths: a function of the same name elsewhere may only call the one here."""
    root = Path(karat.__file__).parent
    own = {name for name in kernels.__all__ if getattr(getattr(kernels, name), "__module__", "").endswith("_measures")}
    assert {"sharpe", "max_drawdown", "cvar"} <= own
    assert second_implementations(root, own) == []


def test_a_planted_second_implementation_is_caught(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def _sharpe(r):\n    return r.mean() / r.std()\n")
    (tmp_path / "b.py").write_text("def sharpe(r):\n    return kernels.sharpe(r, periods_per_year=252)\n")
    assert second_implementations(tmp_path, {"sharpe"}) == ["a.py:_sharpe"]


def second_implementations(root: Path, own: set[str]) -> list[str]:
    """Return functions named like a measure that do not call it."""
    return [
        f"{path.relative_to(root)}:{node.name}"
        for path in sorted(root.glob("**/*.py"))
        if path.parent.name != "kernels"
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.lstrip("_") in own
        if node.name.lstrip("_") not in {called(item) for item in ast.walk(node) if isinstance(item, ast.Call)}
    ]


def called(node: ast.Call) -> str:
    """Return the last name of what is called."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def test_the_public_names_are_what_is_there() -> None:
    public = {name for name, value in vars(kernels).items() if not name.startswith("_") and not ismodule(value)}
    assert set(kernels.__all__) == public
