"""The rebalancing kernel against its plain oracle, its identity, its guards. Numbers are the module's invariants."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karat.kernels import Rebalanced, Terms, prepare, rebalance

PLAIN = runpy.run_path(str(Path(__file__).parents[1] / "oracles" / "oracle_rebalance.py"))["rebalance"]
World = tuple[np.ndarray, np.ndarray, np.ndarray, Terms]
COLUMNS = ("positions", "equity", "cash", "traded", "proportional", "fixed", "fills", "skipped")


@st.composite
def worlds(draw: st.DrawFn) -> World:
    n_bars, n = draw(st.integers(1, 25)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    close = 50.0 * np.exp(np.cumsum(rng.normal(0, draw(st.sampled_from([0.01, 0.2])), (n_bars, n)), axis=0))
    fill = close * np.exp(rng.normal(0, 0.01, close.shape))
    targets = rng.choice([-1.0, 0.0, 0.3, 1.0, 1.7], close.shape) * draw(st.sampled_from([0.4, 1.0, 3.0]))
    holes = draw(st.sampled_from([0.0, 0.2]))
    close = np.where(rng.random(close.shape) < holes, np.nan, close)
    fill = np.where(rng.random(close.shape) < holes, np.nan, fill)
    targets = np.where(rng.random(close.shape) < holes, np.nan, targets)
    at_close = draw(st.booleans())
    terms = Terms(
        capital=draw(st.sampled_from([1000.0, 1e6])),
        rate=draw(st.sampled_from([0.0, 1e-4, 0.02])),
        fixed=draw(st.sampled_from([0.0, 1.0])),
        lag=draw(st.integers(0 if at_close else 1, 4)),
        at_close=at_close,
        by_weight=draw(st.booleans()),
    )
    return targets, close if at_close else fill, close, terms


def run(world: World) -> Rebalanced:
    targets, fill, close, terms = world
    return rebalance(targets, fill, close, terms=terms)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(worlds())
def test_5_the_kernel_equals_its_plain_oracle(world: World) -> None:
    ours, targets, fill, close, terms = run(world), *world
    plain = PLAIN(targets.tolist(), fill.tolist(), close.tolist(), terms)
    scale = max(terms.capital, float(np.abs(ours.traded).max()))
    for name in ("equity", "cash", "traded", "proportional", "fixed"):
        np.testing.assert_allclose(getattr(ours, name), plain[name], rtol=1e-9, atol=1e-9 * scale, err_msg=name)
    np.testing.assert_allclose(ours.positions, plain["positions"], rtol=1e-9, atol=1e-9 * scale / 50)
    assert ours.fills.tolist() == plain["fills"]
    assert ours.skipped.tolist() == plain["skipped"]
    assert ours.ruined == plain["ruined"][0]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(worlds())
def test_1_cash_positions_and_costs_add_up(world: World) -> None:
    ours, (_, fill, close, terms) = run(world), world
    last, held, gross = np.zeros(close.shape[1]), np.zeros(close.shape[1]), 0.0
    for t in range(len(close)):
        for i in range(close.shape[1]):
            if ours.positions[t, i] != held[i]:
                gross += held[i] * (fill[t, i] - last[i])
                last[i], held[i] = fill[t, i], ours.positions[t, i]
            if not np.isnan(close[t, i]):
                gross += held[i] * (close[t, i] - last[i])
                last[i] = close[t, i]
        paid = ours.proportional[: t + 1].sum() + ours.fixed[: t + 1].sum()
        scale = max(terms.capital, ours.traded.max())
        assert ours.cash[t] + held @ last + paid == pytest.approx(terms.capital + gross, abs=1e-10 * scale)
        assert ours.cash[t] + held @ last == pytest.approx(ours.equity[t], abs=1e-11 * scale)


def past_changes(run: Callable[..., Rebalanced], world: World, cut: int, factor: float) -> bool:
    """Return whether multiplying every input row from `cut` on by `factor` changes anything before `cut`."""
    targets, fill, close, terms = world
    later = [np.concatenate([part[:cut], part[cut:] * factor]) for part in (targets, fill, close)]
    before, after = run(targets, fill, close, terms=terms), run(*later, terms=terms)
    return not all(
        np.array_equal(getattr(before, name)[:cut], getattr(after, name)[:cut], equal_nan=True) for name in COLUMNS
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(worlds(), st.integers(0, 24), st.sampled_from([0.1, 1e6]))
def test_2_the_future_cannot_change_the_past(world: World, cut: int, factor: float) -> None:
    assert not past_changes(rebalance, world, cut, factor)


def test_2_a_planted_look_ahead_is_caught_by_the_same_check() -> None:
    def fills_one_bar_early(targets: np.ndarray, fill: np.ndarray, close: np.ndarray, *, terms: Terms) -> Rebalanced:
        return rebalance(targets, np.vstack([fill[1:], fill[-1:]]), close, terms=terms)

    close = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.02, (30, 2)), axis=0))
    world = (np.full(close.shape, 0.4), close, close, Terms(1e6, 0.0, 0.0, 1, False, True))
    assert past_changes(fills_one_bar_early, world, 15, 2.0)
    assert not past_changes(rebalance, world, 15, 2.0)


def _flat(n_bars: int = 6, price: float = 100.0) -> np.ndarray:
    return np.full((n_bars, 1), price)


def test_3_a_missing_price_drops_the_order_and_keeps_the_position() -> None:
    close = _flat()
    fill = close.copy()
    fill[2] = np.nan
    targets = np.array([[0.5], [1.0], [np.nan], [np.nan], [np.nan], [np.nan]])
    ours = rebalance(targets, fill, close, terms=Terms(1000.0, 0, 0, 1, False, True))
    assert ours.positions[:, 0].tolist() == [0, 5, 5, 5, 5, 5]
    assert ours.skipped.tolist() == [0, 0, 1, 0, 0, 0]
    close[3:] = np.nan
    held = rebalance(targets, fill, close, terms=Terms(1000.0, 0, 0, 1, False, True))
    assert held.equity.tolist() == [1000.0] * 6


def test_3_a_weight_without_a_price_to_size_it_is_dropped_but_closing_needs_none() -> None:
    close = _flat()
    close[1:3] = np.nan
    targets = np.array([[0.5], [0.8], [0.0], [np.nan], [np.nan], [np.nan]])
    ours = rebalance(targets, _flat(), close, terms=Terms(1000.0, 0, 0, 1, False, True))
    assert ours.positions[:, 0].tolist() == [0, 5, 5, 0, 0, 0]
    assert ours.skipped.sum() == 1


def test_4_ruin_withdraws_waiting_orders_and_closes_everything() -> None:
    close = np.array([[100.0], [100.0], [40.0], [40.0], [40.0], [80.0]])
    targets = np.full((6, 1), 2.0)
    ours = rebalance(targets, close, close, terms=Terms(1000.0, 0, 0, 1, False, True))
    assert ours.ruined == 2
    assert ours.equity.tolist() == [1000.0, 1000.0, -200.0, -200.0, -200.0, -200.0]
    assert ours.positions[:, 0].tolist() == [0, 20, 20, 0, 0, 0]
    late = rebalance(targets, close, close, terms=Terms(1000.0, 0, 0, 2, False, True))
    assert late.ruined == -1  # bought at 40: nothing lost


def test_an_order_that_is_only_rounding_is_no_order() -> None:
    rng = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.05, (300, 1)), axis=0))
    ours = rebalance(np.ones((300, 1)), close, close, terms=Terms(1e6, 0.0, 0.0, 0, True, True))
    assert ours.fills.sum() == 1


def test_step_by_step_equals_scan() -> None:
    """One bar at a time with `size`, `trade`, `mark` gives what `scan` gives."""
    from karat.kernels import _rebalance_jit as jit

    rng = np.random.default_rng(4)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (40, 3)), axis=0))
    targets = rng.normal(0, 0.5, close.shape)
    ours = rebalance(targets, close, close, terms=Terms(1e5, 1e-3, 2.0, 1, False, True))
    held, last, order, cash, equity = np.zeros(3), np.zeros(3), np.empty(3), 1e5, 1e5
    for t in range(40):
        if t:
            jit.size(targets[t - 1], close[t - 1], held, equity, True, order)
            cash, traded, fills, _ = jit.trade(order, close[t], held, last, cash)
            cash -= 1e-3 * traded + 2.0 * fills
        equity = cash + jit.mark(close[t], held, last)
        assert equity == ours.equity[t]
        np.testing.assert_array_equal(held, ours.positions[t])


@pytest.mark.parametrize(
    ("shape", "lag", "message"),
    [
        ((3, 2), 1, r"targets, fill, close: got shapes \(3, 2\), \(3, 1\), \(3, 1\); allowed: equal"),
        ((3, 1), 0, r"lag: got 0; allowed: 1 or more, 0 only with at_close \(no fill before its decision\)"),
    ],
)
def test_bad_arguments_are_refused(shape: tuple[int, int], lag: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rebalance(np.ones(shape), np.ones((3, 1)), np.ones((3, 1)), terms=Terms(1.0, 0, 0, lag, False, True))


def test_arrays_of_any_layout_are_accepted() -> None:
    close = np.asfortranarray(100 + np.arange(12.0).reshape(6, 2))
    prepare()
    terms = Terms(1e5, 1e-3, 2.0, 1, False, True)
    plain = np.array(close, order="C")
    one = rebalance(close / 1e3, close, close, terms=terms)
    two = rebalance(plain / 1e3, plain, plain, terms=terms)
    np.testing.assert_array_equal(one.equity, two.equity)
