"""Margin calls, settlement, borrow and locates: the compiled market against the oracle, and however it is driven."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "oracles"))
import market_oracle_broker
from market_money_scenarios import financed
from market_oracle_account import Account
from market_oracle_broker import Broker
from market_oracle_types import BARS, DEPTH, ORDERS, QUOTES, Order
from market_parity import JIT_OFF, MANY, SHARE, compiled, difference, oracle
from market_scenarios import Options, Scenario, Seeded
from test_market_parity import CONSTANT, RANDOM, same_however_driven

from karat.kernels.market import layout as k

MATCHERS = pytest.mark.parametrize("matcher", [BARS, QUOTES, DEPTH, ORDERS], ids=["bars", "quotes", "depth", "orders"])
ACCOUNT = (k.R_FUNDS, k.R_LIQUIDATION, k.R_MARGIN_CALL, k.R_NO_SHORT, k.R_LOCATE, k.R_LOCATE_EXPIRED, k.R_RECALLED)


def made_of(seed: int, matcher: int) -> Scenario:
    return financed(Seeded(seed), Options(matcher=matcher))


@MATCHERS
@pytest.mark.req("OMS-12", "SIM-12")
def test_both_markets_agree_on_the_account(matcher: int) -> None:
    """Fills, messages, cash, unsettled cash, borrow, lots short at worst, orders: all the same, the identity too."""
    for seed in range(300 // SHARE):
        assert difference(made_of(seed, matcher)) == ""


@MANY
@MATCHERS
def test_both_markets_agree_on_many_accounts(matcher: int, part: int) -> None:
    for seed in range(300, 300 + 3_700 // part):
        assert difference(made_of(seed, matcher)) == ""


def test_the_scenarios_reach_what_they_are_to_compare() -> None:
    """Every reason of an account, calls that come and go, liquidations and buy-ins that fill, stops, lags."""
    seen: Counter[Any] = Counter()
    for matcher in (BARS, QUOTES, DEPTH, ORDERS):
        for seed in range(250):
            result = oracle(made_of(seed, matcher))
            seen.update(news.reason for news in result.news if news.reason in ACCOUNT)
            seen.update(news.kind for news in result.news if news.kind in (k.MARGIN_CALL, k.MARGIN_MET))
            seen.update(error for error in [result.error] if error)
            seen["forced fills"] += sum(fill.id < 0 for fill in result.fills)
            seen["borrow"] += any(result.borrowed)
            seen["unsettled"] += any(result.unsettled)
    wanted = {*ACCOUNT, k.MARGIN_CALL, k.MARGIN_MET, k.E_MARGIN_CALL, "forced fills", "borrow", "unsettled"}
    assert {name for name in wanted if seen[name] < 5} == set()


FAULTS: list[tuple[Any, str, Any]] = [
    (Broker, "judge", lambda *_: None),
    (Broker, "bars", lambda *_: k.OK),
    (Broker, "cancel", lambda *_: None),
    (Broker, "power", lambda broker: broker.venue.account.equity()),
    (Broker, "_may_sell", lambda broker, order: 0 if order.side > 0 or order.over else order.qty),
    (Broker, "refuses_short", lambda *_: k.OK),
    (Account, "unsettled", lambda account: [0] * len(account.cash)),
    (Account, "borrow", lambda *_: None),
    (Order, "release", lambda *_: None),
    (market_oracle_broker, "DAY_NS", 10**18),
]


@pytest.mark.parametrize(("owner", "name", "fault"), FAULTS, ids=[fault[1] for fault in FAULTS])
def test_the_comparison_sees_a_planted_fault(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, fault: Any
) -> None:
    monkeypatch.setattr(owner, name, fault)
    assert any(difference(made_of(seed, matcher)) for seed in range(300) for matcher in (BARS, QUOTES, DEPTH, ORDERS))


@MATCHERS
@pytest.mark.parametrize("models", [{}, CONSTANT, RANDOM], ids=["prompt", "constant", "random"])
@pytest.mark.req("SIM-04", "SIM-21")
def test_the_way_of_driving_changes_nothing(matcher: int, models: dict[str, Any]) -> None:
    for seed in range(1 if JIT_OFF else 25):
        same_however_driven(made_of(seed, matcher), seed, **models)


@MATCHERS
def test_rows_taken_in_runs_leave_the_same_state(matcher: int) -> None:
    """A run that notes no hashes may take level-2 rows together: it ends like one that takes them one by one."""
    for seed in range(100 // SHARE):
        made = made_of(seed, matcher)
        together, single = compiled(made), compiled(made)
        together.advance()
        for _ in range(int(together.block[k.H_STEPS])):
            single.advance(steps=1)
        assert together.state_hash() == single.state_hash()
        assert together.news() == single.news()


@MATCHERS
def test_no_more_is_short_than_is_located(matcher: int) -> None:
    """After every step: lots short, held and under way, are within what is located, and never fewer than those held."""
    short = 0
    for seed in range(60 // SHARE):
        made = made_of(seed, matcher)
        engine = compiled(made)
        located = [one.get("locate", (None,))[0] if not made.account else 0 for one in made.terms]
        steps = -1
        while steps < int(engine.block[k.H_STEPS]):
            steps = int(engine.block[k.H_STEPS])
            engine.advance(steps=1)
            for most, used, held in zip(located, engine.short(), engine.money()["positions"], strict=True):
                assert used >= -held
                assert most is None or used <= most
                short += most is not None and used > 0
    assert short > 0 or JIT_OFF
