"""Impact at the declared capital: the law by hand, what it may never do, and what it does not answer."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from karat.data import Panel, Provenance
from karat.market import Bars, MarketSpec, Simulation, TargetWeights, simulate, volumes_on, with_impact

DAY = 86_400 * 10**9
N = 80


def bars(seed: int = 1, n: int = 2) -> Bars:
    close = 100.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0, 0.01, (N, n)), axis=0))
    return Bars((1 + np.arange(N, dtype=np.int64)) * DAY, tuple("AB"[:n]), None, close)


def account(capital: float = 1e6, *, seed: int = 1) -> Simulation:
    prices = bars(seed)
    weights = np.random.default_rng(seed).uniform(-0.5, 0.5, prices.close.shape)
    return simulate(prices, TargetWeights(prices.ts, weights), MarketSpec(capital_usd=capital, fill="next_close"))


def test_the_square_root_law_by_hand() -> None:
    prices = bars(n=1)
    targets = np.full((N, 1), np.nan)
    targets[49] = 0.5  # one trade, filled at the close of bar 50
    run = simulate(prices, TargetWeights(prices.ts, targets), MarketSpec(proportional_bps=0.0, fill="next_close"))
    volumes = np.full((N, 1), 50_000.0)
    volumes[50] = 1.0  # the bar's own volume is not known when it begins
    found = with_impact(run, volumes)
    assert found is not None
    returns = prices.close[1:, 0] / prices.close[:-1, 0] - 1.0
    sigma = returns[29:49].std()  # of bars 30 to 49
    quantity = run.fills["quantity"].item()
    share = quantity / 50_000.0
    cost = sigma * math.sqrt(share) * quantity * prices.close[50, 0]
    assert found.participation.tolist() == pytest.approx([share])
    assert found.impact_usd == pytest.approx(cost, rel=1e-4)
    assert found.net_returns[50] == pytest.approx(run.net_returns[50] - cost / 1e6, abs=1e-9)
    others = np.arange(N) != 50
    assert (found.net_returns[others] == run.net_returns[others]).all()


@pytest.mark.req("EVAL-20")
def test_2_impact_only_costs_and_grows_with_the_capital() -> None:
    volumes = np.full((N, 2), 1e5)
    lost = []
    for capital in (1e4, 1e6, 1e8):
        run = account(capital)
        found = with_impact(run, volumes)
        assert found is not None
        assert (found.net_returns <= run.net_returns).all()
        lost.append(found.impact_usd / capital)
    # cost as a share of capital goes with the root of the capital: a hundred times more is ten times dearer
    assert lost[1] / lost[0] == pytest.approx(10.0, rel=0.02)
    assert lost[2] / lost[1] == pytest.approx(10.0, rel=0.02)
    free = with_impact(account(), volumes, y=0.0)
    assert free is not None
    assert (free.net_returns == account().net_returns).all()


def test_1_volume_of_a_bar_and_later_ones_cannot_move_its_cost() -> None:
    volumes = np.random.default_rng(3).uniform(1e4, 1e5, (N, 2))
    later = volumes.copy()
    later[60:] *= 100.0
    one, two = with_impact(account(), volumes), with_impact(account(), later)
    assert one is not None
    assert two is not None
    assert (one.net_returns[:61] == two.net_returns[:61]).all()
    assert not np.array_equal(one.net_returns[61:], two.net_returns[61:])


def test_3_a_fill_without_volume_leaves_no_answer() -> None:
    volumes = np.full((N, 2), 1e5)
    for missing in (0.0, np.nan):
        volumes[:, 1] = missing
        assert with_impact(account(), volumes) is None


def test_nothing_traded_costs_nothing() -> None:
    prices = bars()
    still = simulate(prices, TargetWeights(prices.ts, np.zeros((N, 2))), MarketSpec(fill="next_close"))
    found = with_impact(still, np.full((N, 2), np.nan))
    assert found is not None
    assert found.impact_usd == 0.0
    assert (found.net_returns == 0).all()


def test_volumes_stand_where_their_bars_do() -> None:
    prices = bars()
    frame = pl.DataFrame(
        {
            "ts": [*prices.ts[:3].tolist(), *prices.ts[1:2].tolist()],
            "known_at": [*prices.ts[:3].tolist(), *prices.ts[1:2].tolist()],
            "instrument": ["A", "A", "A", "B"],
            "close": [1.0] * 4,
            "volume": [10.0, 20.0, 30.0, 7.0],
        }
    )
    panel = Panel(frame, "24/7", Provenance("test", "counted", "CC0-1.0"))
    found = volumes_on(prices, panel)
    assert found is not None
    assert found[:3, 0].tolist() == [10.0, 20.0, 30.0]
    assert found[1, 1] == 7.0
    assert np.isnan(found[[0, 2], 1]).all()
    assert np.isnan(found[3:]).all()
    bare = Panel(frame.drop("volume"), "24/7", panel.provenance)
    assert volumes_on(prices, bare) is None
