"""Partial fills by chance in the matching: distribution, bounds, and the same market however it is driven."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1] / "oracles"))
import market_oracle_chance
from market_cases import BUY, SELL, bar, event, limit, market, quote
from market_cases_books import LADDER, ask
from market_engine import Engine
from market_oracle_types import BARS, DEPTH, ORDERS, QUOTES, Fill
from market_parity import SHARE, batch, by_hand, compiled, difference, in_chunks, resumed, varied
from market_scenarios import Options, Scenario, Seeded

from karat.core import ConfigError
from karat.kernels.market import _layout as k
from karat.kernels.market._kinds import USER
from karat.market import PoissonBetaFills, VenueSpec

JIT_OFF = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
MATCHERS = pytest.mark.parametrize("matcher", [BARS, QUOTES, DEPTH, ORDERS], ids=["bars", "quotes", "depth", "orders"])
MODEL = PoissonBetaFills().record()
LARGE = 10**9
N = 60 if JIT_OFF else 3_000


def by_chance(made: Scenario, model: tuple[int, tuple[float, ...]] = MODEL) -> Scenario:
    """Return a scenario whose orders are filled by chance."""
    return replace(made, terms=tuple({**terms, "fills": model, "whole_only": False} for terms in made.terms))


def played(engine: Engine) -> list[Fill]:
    """Return all fills of a run, read as often as the market asks for it."""
    fills: list[Fill] = []
    while engine.advance() != k.DONE:
        fills += engine.fills()
        engine.news()
    return fills + engine.fills()


@pytest.mark.req("SIM-03")
@MATCHERS
def test_both_markets_agree(matcher: int) -> None:
    """Fills, messages, money and live orders are those of the plain market, which is given the same pieces."""
    for seed in range(60 // SHARE):
        assert difference(by_chance(varied(Seeded(seed), Options(matcher=matcher)))) == "", seed


@pytest.mark.req("SIM-03", "SIM-04")
@MATCHERS
def test_the_way_of_driving_changes_nothing(matcher: int) -> None:
    for seed in range(1 if JIT_OFF else 5):
        made, choose = by_chance(varied(Seeded(seed), Options(matcher=matcher))), Seeded(seed)
        whole = batch(made)
        assert in_chunks(made, choose, False) == whole
        assert in_chunks(made, choose, True) == whole
        assert by_hand(made) == whole
        assert (
            resumed(
                made,
                choose.pick(0, len(whole.hashes)),
            )
            == whole
        )


@pytest.mark.parametrize("matcher", [QUOTES, DEPTH])
def test_the_comparison_sees_a_planted_fault(matcher: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A market that numbers its pieces otherwise is found."""
    made = [by_chance(varied(Seeded(seed), Options(matcher=matcher))) for seed in range(20)]
    monkeypatch.setattr(market_oracle_chance, "MOST", 65)
    assert any(difference(one) for one in made)


def bites(model: tuple[int, tuple[float, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """Return fills of each of N orders that can take what they want, and each fill as a share of what was open."""
    intents = [market(n + 1, n + 1, BUY, LARGE, tif=k.IOC) for n in range(N)]
    terms = {"matcher": QUOTES, "fills": model}
    made = Scenario((terms,), (0,), [quote(0, 99, 1, 101, 10**15)], intents)
    counts, shares, left = np.zeros(N, dtype=np.int64), [], [LARGE] * N
    for fill in played(compiled(made)):
        counts[fill.id - 1] += 1
        shares.append(fill.qty / left[fill.id - 1])
        left[fill.id - 1] -= fill.qty
    assert min(left) >= 0
    return counts, np.array(shares)


def p_of_counts(counts: np.ndarray, mean: float) -> float:
    """Return the p-value of a chi-square test against Poisson(mean), the tail in one bin."""
    expected = [*stats.poisson(mean).pmf(range(7)), stats.poisson(mean).sf(6)]
    seen = [*(int((counts == n).sum()) for n in range(7)), int((counts > 6).sum())]
    return float(stats.chisquare(seen, np.array(expected) * len(counts)).pvalue)


@pytest.mark.req("SIM-03")
def test_fills_of_the_market_follow_poisson_and_beta_and_nothing_else() -> None:
    """Chi-square of the number of fills of a chance, KS of their shares; planted other parameters are rejected."""
    counts, shares = bites(MODEL)
    assert p_of_counts(counts, 3.0) > 0.01
    assert stats.kstest(shares, stats.beta(2, 5).cdf).pvalue > 0.01
    if JIT_OFF:
        return
    assert p_of_counts(counts, 2.7) < 1e-6
    assert stats.kstest(shares, stats.beta(2, 4.5).cdf).pvalue < 1e-6
    other_counts, other_shares = bites(PoissonBetaFills(mean=2.7, a=2, b=4.5).record())
    assert p_of_counts(other_counts, 3.0) < 1e-6
    assert stats.kstest(other_shares, stats.beta(2, 5).cdf).pvalue < 1e-6


def of_id(fills: list[Fill], order: int) -> list[tuple[int, int]]:
    return [(fill.ts, fill.qty) for fill in fills if fill.id == order]


@pytest.mark.req("SIM-03", "OMS-04")
def test_all_or_nothing_is_exempt_and_what_is_left_of_an_immediate_order_expires() -> None:
    intents = [market(1, 1, BUY, 900, tif=k.FOK), market(2, 2, BUY, 900, tif=k.IOC), market(3, 3, BUY, 900)]
    events = [quote(0, 99, 1, 101, LARGE), *(quote(10 * n, 99, 1, 101, LARGE) for n in range(1, 60))]
    made = by_chance(Scenario(({"matcher": QUOTES},), (0,), events, intents))
    engine = compiled(made)
    engine.advance()
    fills, news = engine.fills(), engine.news()
    assert of_id(fills, 1) == [(1, 900)]
    assert 0 < sum(qty for _, qty in of_id(fills, 2)) < 900
    assert {(one.kind, one.reason) for one in news if one.id == 2} >= {(k.EXPIRED_NEWS, k.R_IMMEDIATE)}
    times = [ts for ts, _ in of_id(fills, 3)]
    assert sum(qty for _, qty in of_id(fills, 3)) == 900  # every quote is a new chance for what is left
    assert len(set(times)) > 1
    assert difference(made) == ""


def test_a_bar_is_one_chance_and_gives_no_more_than_its_volume() -> None:
    events = [bar(n, 100, 104, 96, 101, 40) for n in range(30)]
    made = Scenario(
        ({"participation": 250_000_000, "fills": MODEL},),
        (0,),
        events,
        [market(0, 1, BUY, 60), limit(0, 2, SELL, 60, 102)],
    )
    fills = played(compiled(made))
    for order in (1, 2):
        assert sum(qty for _, qty in of_id(fills, order)) == 60
    for n in range(30):
        of_bar = [fill for fill in fills if 10 * n <= fill.ts - (fill.id == 2) < 10 * n + 10]
        assert sum(fill.qty for fill in of_bar) <= 10
    assert {ts % 10 for ts, _ in of_id(fills, 1)} == {0}  # only at opens: what is left waits for the next bar
    assert len(of_id(fills, 1)) > len({ts for ts, _ in of_id(fills, 1)})  # a chance comes in pieces
    assert difference(made) == ""


def test_an_iceberg_shows_no_more_and_a_reduce_only_order_takes_no_more_than_there_is() -> None:
    rows = [event(10 * n, k.TRADE_BUY, 101, 90) for n in range(1, 40)]
    iceberg = limit(1, 1, SELL, 50, 101)
    iceberg[k.T_DISPLAY] = 5
    fills = played(compiled(by_chance(Scenario(({"matcher": DEPTH},), (0,), [*LADDER, *rows], [iceberg]))))
    slices = [sum(qty for ts, qty in of_id(fills, 1) if ts == 10 * n) for n in range(1, 40)]
    assert max(slices) <= 5
    assert sum(slices) == 50
    events = [quote(n, 99, 100, 101, 100) for n in range(0, 90, 10)]
    orders = [limit(1, 1, BUY, 7, 101, tif=k.FOK), market(2, 2, SELL, 50, flags=k.REDUCE_ONLY)]
    made = by_chance(Scenario(({"matcher": QUOTES},), (0,), events, orders))
    assert sum(qty for _, qty in of_id(played(compiled(made)), 2)) == 7
    assert difference(made) == ""


def test_own_orders_that_meet_fill_alike() -> None:
    orders = [limit(1, 1, SELL, 400, 100), *(limit(2 + n, 2 + n, BUY, 50, 100, tif=k.IOC) for n in range(9))]
    made = by_chance(Scenario(({"matcher": DEPTH},), (0,), [*LADDER, ask(99, 103, 1)], orders))
    fills = played(compiled(made))
    assert (
        sum(fill.qty for fill in fills if fill.side == BUY) == sum(fill.qty for fill in fills if fill.side == SELL) > 0
    )
    assert difference(made) == ""


def test_without_a_model_no_word_of_chance_is_touched() -> None:
    made = varied(Seeded(5), Options(matcher=QUOTES))
    engine = compiled(made)
    engine.advance()
    orders = engine.block[int(engine.block[k.H_AT_ORDERS]) :][: 256 * k.ORDER].reshape(-1, k.ORDER)
    assert (orders[:, [k.O_ATTEMPT, k.O_PIECE, k.O_PIECE_LEFT]] == 0).all()
    assert engine.block[k.H_PIECES] == 1
    chance = compiled(by_chance(made))
    chance.advance()
    assert chance.block[k.H_PIECES] == 64


@pytest.mark.skipif(JIT_OFF, reason="numba compiles nothing now")
@pytest.mark.req("SIM-03")
def test_a_users_function_decides_the_pieces() -> None:
    """Half of what is open, rounded up, in the first two pieces of each chance: 10 lots are 5, 3, then 1 and 1."""
    half = numba.cfunc("int64(int64, int64, int64, int64)")(
        lambda left, piece, order, word: (left + 1) // 2 if piece % 64 < 2 else 0
    )
    events = [quote(0, 99, 1, 101, 99), quote(10, 99, 1, 101, 99)]
    made = Scenario(({"matcher": QUOTES, "fills": (USER, (half.address,))},), (0,), events, [market(1, 1, BUY, 10)])
    assert of_id(played(compiled(made)), 1) == [(1, 5), (1, 3), (10, 1), (10, 1)]


@pytest.mark.req("SIM-03")
def test_a_spec_asks_for_chance_and_whole_fills_refuse_it() -> None:
    spec: dict[str, Any] = {"terms": {"fills": {"kind": "poisson_beta", "mean": 2}}}
    assert VenueSpec.parse(spec, source="x").terms.fills.record() == (1, (2.0, 2.0, 5.0))
    assert VenueSpec().terms.fills.record() == (0, ())
    spec["terms"]["whole_fills"] = True
    with pytest.raises(ConfigError, match="fills: got poisson_beta; allowed: full, with whole_fills"):
        VenueSpec.parse(spec, source="x")
