"""The target market's kernel: its plain oracle, its identity, its guards. Numbers are the module's invariants."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karat.kernels import (
    BORROW,
    REJECT,
    SCALE,
    Decisions,
    OutOfRange,
    Rebalanced,
    Terms,
    prepare,
    rebalance,
    rebalance_many,
)

PLAIN = runpy.run_path(str(Path(__file__).parents[1] / "oracles" / "oracle_rebalance.py"))["rebalance"]
World = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Terms]
COLUMNS = ("lots", "equity", "cash", "traded", "proportional", "fixed", "slippage", "fills", "skipped", "cut")
USD = 10**9


@st.composite
def worlds(draw: st.DrawFn, most: int = 4) -> World:
    n_bars, n = draw(st.integers(1, 25)), draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    close = 50.0 * np.exp(np.cumsum(rng.normal(0, draw(st.sampled_from([0.01, 0.2])), (n_bars, n)), axis=0))
    fill = close * np.exp(rng.normal(0, 0.01, close.shape))
    targets = rng.choice([-1.0, 0.0, 0.3, 1.0, 1.7], close.shape) * draw(st.sampled_from([0.4, 1.0, 3.0]))
    holes = draw(st.sampled_from([0.0, 0.2]))
    close = np.where(rng.random(close.shape) < holes, np.nan, close)
    fill = np.where(rng.random(close.shape) < holes, np.nan, fill)
    targets = np.where(rng.random(close.shape) < holes, np.nan, targets)
    rows = np.flatnonzero(rng.random(n_bars) < draw(st.sampled_from([0.3, 1.0])))
    at_close = draw(st.booleans())
    terms = Terms(
        capital=draw(st.sampled_from([1_000, 1_000_000])) * USD + draw(st.integers(0, USD)),
        rate=draw(st.sampled_from([0, 100_000, 20_000_003])),
        fixed=draw(st.sampled_from([0, USD, 7])),
        lag=draw(st.integers(0 if at_close else 1, 4)),
        at_close=at_close,
        by_weight=draw(st.booleans()),
        slip=draw(st.sampled_from([0, 500_000, 123_457])),
        policy=draw(st.sampled_from([BORROW, SCALE, REJECT])),
        per_tick=draw(st.sampled_from([1e5, 100.0])),
        per_lot=draw(st.sampled_from([1e4, 1.0])),
        unit=draw(st.sampled_from([1, 10])),
    )
    return targets[rows], rows, close if at_close else fill, close, terms


def run(world: World) -> Rebalanced:
    targets, rows, fill, close, terms = world
    return rebalance(targets, fill, close, terms=terms, rows=rows)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(worlds())
def test_5_the_kernel_gives_the_integers_of_its_plain_oracle(world: World) -> None:
    ours, (targets, rows, fill, close, terms) = run(world), world
    plain = PLAIN(targets.tolist(), rows.tolist(), fill.tolist(), close.tolist(), terms)
    for name in COLUMNS:
        assert getattr(ours, name).tolist() == plain[name], name
    assert list(zip(*(column.tolist() for column in ours.records), strict=True)) == plain["records"]
    assert ours.ruined == plain["ruined"][0]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(worlds())
def test_5_one_instrument_is_a_panel_of_one(world: World) -> None:
    """A second column that nobody trades takes the other kernel and changes nothing."""
    targets, rows, fill, close, terms = world
    alone = rebalance(targets[:, :1], fill[:, :1], close[:, :1], terms=terms, rows=rows)
    idle = [
        np.hstack([part[:, :1], np.full((len(part), 1), value)]) for part, value in ((targets, np.nan), (fill, 9.0))
    ]
    beside = np.hstack([close[:, :1], idle[1][:, 1:]])
    both = rebalance(*idle, beside, terms=terms, rows=rows)
    for name in COLUMNS[1:]:
        assert getattr(alone, name).tolist() == getattr(both, name).tolist(), name
    assert alone.lots[:, 0].tolist() == both.lots[:, 0].tolist()
    assert [column.tolist() for column in alone.records] == [column.tolist() for column in both.records]
    assert alone.ruined == both.ruined


@settings(max_examples=80, deadline=None, derandomize=True)
@given(worlds())
def test_1_cash_positions_and_costs_add_up_exactly(world: World) -> None:
    ours, (_, _, fill, close, terms) = run(world), world
    n = close.shape[1]
    last, held, gross, paid = [0] * n, [0] * n, 0, 0
    for t in range(len(close)):
        for i in range(n):
            if ours.lots[t, i] != held[i]:
                price = int(fill[t, i] * terms.per_tick + 0.5)
                gross += held[i] * (price - last[i]) * terms.unit
                last[i], held[i] = price, int(ours.lots[t, i])
            if not np.isnan(close[t, i]):
                price = int(close[t, i] * terms.per_tick + 0.5)
                gross += held[i] * (price - last[i]) * terms.unit
                last[i] = price
        paid += int(ours.proportional[t] + ours.fixed[t] + ours.slippage[t])
        worth = sum(h * p for h, p in zip(held, last, strict=True)) * terms.unit
        assert int(ours.cash[t]) + worth + paid == terms.capital + gross
        assert int(ours.cash[t]) + worth == ours.equity[t]


def past_changes(run: Callable[..., Rebalanced], world: World, cut: int, factor: float) -> bool:
    """Return whether multiplying every input row from `cut` on by `factor` changes anything before `cut`."""
    targets, rows, fill, close, terms = world
    first = int(np.searchsorted(rows, cut))
    later = [np.concatenate([part[:k], part[k:] * factor]) for part, k in ((targets, first), (fill, cut), (close, cut))]
    before, after = run(targets, fill, close, terms=terms, rows=rows), run(*later, terms=terms, rows=rows)
    return not all(np.array_equal(getattr(before, name)[:cut], getattr(after, name)[:cut]) for name in COLUMNS)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(worlds(), st.integers(0, 24), st.sampled_from([0.1, 3.0]))
def test_2_the_future_cannot_change_the_past(world: World, cut: int, factor: float) -> None:
    assert not past_changes(rebalance, world, cut, factor)


@pytest.mark.parametrize("n", [1, 2])
def test_2_a_planted_look_ahead_is_caught_by_the_same_check(n: int) -> None:
    def fills_one_bar_early(
        targets: np.ndarray, fill: np.ndarray, close: np.ndarray, *, terms: Terms, rows: np.ndarray
    ) -> Rebalanced:
        return rebalance(targets, np.vstack([fill[1:], fill[-1:]]), close, terms=terms, rows=rows)

    close = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.02, (30, n)), axis=0))
    world = (np.full(close.shape, 0.4), np.arange(30), close, close, Terms(10**6 * USD, 0, 0, 1, False, True))
    assert past_changes(fills_one_bar_early, world, 15, 2.0)
    assert not past_changes(rebalance, world, 15, 2.0)


def _flat(n_bars: int = 6, price: float = 100.0) -> np.ndarray:
    return np.full((n_bars, 1), price)


WEIGHTS = Terms(1000 * USD, 0, 0, 1, False, True)


def test_3_a_missing_price_drops_the_order_and_keeps_the_position() -> None:
    close = _flat()
    fill = close.copy()
    fill[2] = np.nan
    targets = np.array([[0.5], [1.0], [np.nan], [np.nan], [np.nan], [np.nan]])
    ours = rebalance(targets, fill, close, terms=WEIGHTS)
    assert (ours.lots[:, 0] / 10**4).tolist() == [0, 5, 5, 5, 5, 5]
    assert ours.skipped.tolist() == [0, 0, 1, 0, 0, 0]
    close[3:] = np.nan
    assert (rebalance(targets, fill, close, terms=WEIGHTS).equity / USD).tolist() == [1000.0] * 6


def test_3_a_weight_without_a_price_to_size_it_is_dropped_but_closing_needs_none() -> None:
    close = _flat()
    close[1:3] = np.nan
    targets = np.array([[0.5], [0.8], [0.0], [np.nan], [np.nan], [np.nan]])
    ours = rebalance(targets, _flat(), close, terms=WEIGHTS)
    assert (ours.lots[:, 0] / 10**4).tolist() == [0, 5, 5, 0, 0, 0]
    assert ours.skipped.sum() == 1


@pytest.mark.parametrize("policy", [BORROW, SCALE])
def test_4_ruin_withdraws_waiting_orders_and_closes_everything(policy: int) -> None:
    close = np.array([[100.0], [100.0], [40.0], [40.0], [40.0], [80.0]])
    short = np.array([[100.0], [100.0], [300.0], [300.0], [300.0], [200.0]])
    ours = rebalance(np.full((6, 1), -1.0), short, short, terms=WEIGHTS._replace(policy=policy))
    assert ours.ruined == 2
    assert (ours.equity / USD).tolist() == [1000.0, 1000.0, -1000.0, -1000.0, -1000.0, -1000.0]
    assert (ours.lots[:, 0] / 10**4).tolist() == [0, -10, -10, 0, 0, 0]
    late = rebalance(np.full((6, 1), 2.0), close, close, terms=WEIGHTS._replace(lag=2))
    assert late.ruined == -1  # bought at 40: nothing lost


def test_an_order_that_is_only_rounding_is_no_order() -> None:
    rng = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.05, (300, 1)), axis=0))
    ours = rebalance(np.ones((300, 1)), close, close, terms=Terms(10**6 * USD, 0, 0, 0, True, True))
    assert ours.fills.sum() == 1


@settings(max_examples=100, deadline=None, derandomize=True)
@given(worlds(), st.sampled_from([SCALE, REJECT]))
def test_6_buying_never_makes_cash_negative(world: World, policy: int) -> None:
    targets, rows, fill, close, terms = world
    ours = rebalance(np.abs(targets), fill, close, terms=terms._replace(policy=policy, fixed=0), rows=rows)
    assert ours.ruined == -1
    assert ours.cash.min() >= 0


def test_6_what_the_policies_do_by_hand() -> None:
    """Two buys of 600 each with 1000 there and a fee of 1 %: 1212 is needed."""
    close, targets = np.full((2, 2), 100.0), np.array([[0.6, 0.6], [np.nan, np.nan]])
    found = {}
    for policy in (BORROW, SCALE, REJECT):
        terms = Terms(1000 * USD, 10_000_000, 0, 1, False, True, policy=policy)
        ours = rebalance(targets, close, close, terms=terms)
        found[policy] = ((ours.lots[1] / 10**4).tolist(), ours.cash[1] / USD, ours.cut.tolist())
    assert found[BORROW] == ([6.0, 6.0], -212.0, [0, 0])
    assert found[REJECT] == ([6.0, 0.0], 394.0, [0, 1])
    lots, cash, cut = found[SCALE]
    assert lots == [4.9504, 4.9504]  # 600 / 101 * 1000 / 1200 = 4.95049...
    assert cash == pytest.approx(1000 - 2 * 4.9504 * 101)
    assert cut == [0, 2]
    sold = np.array([[0.9, 0.0], [0.0, 0.95]])
    terms = Terms(1000 * USD, 10_000_000, 0, 1, False, True, policy=SCALE)
    after = rebalance(
        np.vstack([sold, np.full((1, 2), np.nan)]), np.full((3, 2), 100.0), np.full((3, 2), 100.0), terms=terms
    )
    assert (after.lots[2] / 10**4).tolist() == [0.0, 9.4145]  # the sale comes first: 0.95 * 991 fits


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize(
    ("change", "what", "bar"),
    [
        ({"price": 4e-6}, "price", 3),
        ({"price": 1.2e10}, "price", 3),
        ({"target": 1e12}, "lots", 3),
        ({"target": 1e8, "price": 1e9}, "money", 4),
        ({"after": 9e9}, "money", 5),
    ],
)
def test_7_what_leaves_its_range_is_refused(n: int, change: dict[str, float], what: str, bar: int) -> None:
    close, targets = np.full((7, n), 100.0), np.full((7, n), np.nan)
    targets[2 if what == "lots" else 3] = change.get("target", 600.0)
    close[3 if what == "price" else 4] = change.get("price", 100.0)
    close[5] = change.get("after", 100.0)
    terms = Terms(10**6 * USD, 100_000, 0, 1, False, False)
    with pytest.raises(OutOfRange, match=f"{what} at bar {bar}: beyond the exact range") as caught:
        rebalance(targets, close, close, terms=terms)
    assert (caught.value.what, caught.value.bar) == (what, bar)
    rebalance(targets[:bar], close[:bar], close[:bar], terms=terms)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(worlds(most=1), min_size=1, max_size=4))
def test_5_many_settings_are_as_many_runs(given_worlds: list[World]) -> None:
    _, _, fill, close, terms = given_worlds[0]
    n_bars = len(close)
    parts = [(rows[rows < n_bars], targets[rows < n_bars, 0]) for targets, rows, *_ in given_worlds]
    starts = np.concatenate([[0], np.cumsum([len(rows) for rows, _ in parts])])
    decisions = Decisions(starts, np.concatenate([r for r, _ in parts]), np.concatenate([x for _, x in parts]))
    equity = np.empty((len(parts), n_bars), dtype=np.int64)
    facts = rebalance_many(decisions, fill[:, 0].copy(), close[:, 0].copy(), terms=terms, equity=equity)
    for k, (rows, targets) in enumerate(parts):
        alone = rebalance(targets[:, None], fill, close, terms=terms, rows=rows)
        assert equity[k].tolist() == alone.equity.tolist()
        assert facts[k].tolist() == [len(alone.records.row), alone.ruined]


def test_many_settings_refuse_what_is_wrong_with_one() -> None:
    close, equity = np.full(4, 100.0), np.empty((2, 4), dtype=np.int64)
    terms = Terms(10**6 * USD, 0, 0, 1, False, False)
    twice = Decisions(np.array([0, 2, 3]), np.array([1, 1, 0]), np.ones(3))
    with pytest.raises(ValueError, match="rows: allowed: increasing bars from 0 to 3 within a setting"):
        rebalance_many(twice, close, close, terms=terms, equity=equity)
    huge = Decisions(np.array([0, 1, 2]), np.array([1, 2]), np.array([1.0, 1e12]))
    with pytest.raises(OutOfRange, match="lots at bar 3"):
        rebalance_many(huge, close, close, terms=terms, equity=equity)


@pytest.mark.parametrize(
    ("shape", "lag", "rows", "message"),
    [
        (
            (3, 2),
            1,
            None,
            r"targets, fill, close: got shapes \(3, 2\), \(3, 1\), \(3, 1\); allowed: \(3, 1\) and equal",
        ),
        ((3, 1), 0, None, r"lag: got 0; allowed: 1 or more, 0 only with at_close \(no fill before its decision\)"),
        ((2, 1), 1, [1, 3], "rows: got 1 to 3; allowed: increasing bars from 0 to 2"),
        ((2, 1), 1, [1, 1], "rows: got 1 to 1; allowed: increasing bars from 0 to 2"),
    ],
)
def test_bad_arguments_are_refused(shape: tuple[int, int], lag: int, rows: list[int] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rebalance(
            np.ones(shape),
            np.ones((3, 1)),
            np.ones((3, 1)),
            terms=Terms(1, 0, 0, lag, False, True),
            rows=None if rows is None else np.array(rows),
        )


def test_arrays_of_any_layout_are_accepted() -> None:
    close = np.asfortranarray(100 + np.arange(12.0).reshape(6, 2))
    prepare()
    terms = Terms(10**5 * USD, 1_000_000, 2 * USD, 1, False, True)
    plain = np.array(close, order="C")
    one = rebalance(close / 1e3, close, close, terms=terms)
    two = rebalance(plain / 1e3, plain, plain, terms=terms)
    np.testing.assert_array_equal(one.equity, two.equity)
