"""What the parity tests share: scenarios with more variety, a run of the compiled market, a run of the oracle, their
comparison, and the market's state after every step."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from market_engine import Engine
from market_oracle import OracleMarket, first_difference
from market_oracle_types import BARS, QUOTES, Fill, News, OracleInstrument, OracleResult
from market_scenario_events import ordered
from market_scenarios import Choose, Drawn, Options, Scenario, scenario

from karat.kernels.market import _layout as k
from karat.kernels.market._block import table

STOPS = ((k.PRE_OPEN, k.OPEN), (k.HALTED, k.OPEN), (k.PAUSED, k.OPEN), (k.CANCEL_ONLY, k.OPEN), (k.CLOSED, k.OPEN))
STEPS = 20_000
JIT_OFF = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
SHARE = 20 if JIT_OFF else 1  # plain Python is some hundred times slower: it plays fewer scenarios
MANY = pytest.mark.parametrize(
    "part",
    [
        pytest.param(6, id="a sixth", marks=pytest.mark.slow),
        pytest.param(1, id="all", marks=[pytest.mark.soak, pytest.mark.timeout(3_600)]),
    ],
)


def varied(choose: Choose, options: Options) -> Scenario:
    """Return a scenario; on books some are marked at the last trade, slip, stop trading for a time, or fill whole."""
    made = scenario(choose, options)
    if options.matcher == BARS:
        return made
    terms = tuple(_terms(choose, one) for one in made.terms)
    rows, end = list(made.events), made.events[-1]["ts"]
    for number in range(len(terms)):
        if choose.pick(0, 3) == 0:
            began = choose.pick(0, end)
            for ts, status in zip((began, choose.pick(began, end + 5)), STOPS[choose.pick(0, 4)]):
                rows.append({"ts": ts, "kind": k.STATUS, "instrument": number, "a": status})
    for row in made.intents:
        if row[k.T_ACTION] == k.SEND and row[k.T_TYPE] in (k.STOP, k.STOP_LIMIT, k.TRAILING) and choose.pick(0, 9) == 0:
            row[k.T_TIF] = (k.IOC, k.FOK)[choose.pick(0, 1)]
        if row[k.T_ACTION] == k.SEND and choose.pick(0, 7) == 0:
            row[k.T_STP] = choose.pick(0, 4)
    return replace(made, terms=terms, events=ordered(rows))


def _terms(choose: Choose, terms: dict[str, Any]) -> dict[str, Any]:
    out = {**terms, "mark_mid": choose.pick(0, 1) == 1}
    if terms["matcher"] == QUOTES:
        out["slip_kind"], out["slip_value"] = ((0, 0), (0, 0), (1, 2), (2, 9_000_000))[choose.pick(0, 3)]
    else:
        out["whole_only"] = choose.pick(0, 3) == 0
    return out


@st.composite
def variations(draw: Callable[[Any], Any], options: Options) -> Scenario:
    """Hypothesis strategy of varied scenarios."""
    return varied(Drawn(draw), options)


def oracle(made: Scenario) -> OracleResult:
    """Run the slow market."""
    terms = [OracleInstrument(**one) for one in made.terms]
    return OracleMarket(terms, made.cash, made.margin, made.account).run(made.events, made.intents)


def compiled(made: Scenario, **more: Any) -> Engine:
    """Return the compiled market before the scenario's first event; `more` are fields of the terms."""
    account = {"margin": made.margin, "account": made.account}
    return Engine.on(made.terms, made.cash, made.columns(), made.intents, more, **account)


def noting(made: Scenario, **more: Any) -> Engine:
    """Return the same, ready to note the state's hash after every step."""
    engine, hashes = compiled(made, **more), np.zeros(STEPS, dtype=np.int64)
    engine.keep.append(hashes)
    engine.columns[k.V_HASHES] = hashes.ctypes.data
    return engine


def living(engine: Engine) -> list[tuple[int, ...]]:
    """Return (id, state, filled, lots it may trade now, price, triggered) of the orders that are not over, by id.

    The price of a take-profit is the one that sets it off.
    """
    rows = table(engine.block, "orders")
    rows = rows[(rows[:, k.O_STATE] < k.FILLED) & (rows[:, k.O_ID] != 0)]
    rests = np.maximum(rows[:, k.O_QTY] - rows[:, k.O_FILLED], 0)
    price = np.where(rows[:, k.O_TYPE] == k.TAKE_PROFIT, rows[:, k.O_STOP], rows[:, k.O_PRICE])
    pick = [rows[:, k.O_ID], rows[:, k.O_STATE], rows[:, k.O_FILLED], rests, price, rows[:, k.O_TRIGGERED]]
    return sorted(tuple(map(int, row)) for row in np.stack(pick, axis=1))


def living_in(slow: OracleResult) -> list[tuple[int, ...]]:
    """Return the same of the oracle."""
    mine = [one for one in slow.orders.values() if not one.over]
    return sorted((one.id, one.state, one.filled, one.rest, one.price, int(one.triggered)) for one in mine)


def difference(made: Scenario) -> str:
    """Run both markets and name what differs: fills, messages, money, ambiguity, errors, orders; empty when nothing."""
    slow, engine = oracle(made), compiled(made)
    engine.advance()
    fills, news = engine.fills(), engine.news()
    instruments = table(engine.block, "instruments")
    mine = {
        "fills": first_difference(slow.fills, fills),
        "news": first_difference(slow.news, news),
        "error": (slow.error, int(engine.block[k.H_ERROR])),
        "ambiguous": (slow.ambiguous, int(instruments[:, k.I_AMBIGUOUS].sum())),
        "ambiguous money": (slow.ambiguous_money, int(instruments[:, k.I_AMBIGUOUS_MONEY].sum())),
    }
    mine |= {name: (list(getattr(slow, name)), values) for name, values in engine.money().items()}
    mine["orders"] = first_difference(living_in(slow), living(engine))
    wrong = {name: pair for name, pair in mine.items() if (pair[0] != pair[1] if isinstance(pair, tuple) else pair)}
    return "; ".join(f"{name}: {pair}" for name, pair in wrong.items())


@dataclass(frozen=True)
class Run:
    """What a run left: the state's hash after every step, fills and messages."""

    hashes: list[int]
    fills: list[Fill]
    news: list[News]


def hashes_of(engine: Engine) -> list[int]:
    """Return the hashes noted so far, one for each step."""
    noted = next(each for each in engine.keep if each.ctypes.data == engine.columns[k.V_HASHES])
    return noted[: int(engine.block[k.H_STEPS])].tolist()


def run_of(engine: Engine, fills: list[Fill] | None = None, news: list[News] | None = None) -> Run:
    """Return what the engine's run left; what was read on the way comes first."""
    fills, news = (fills or []) + engine.fills(), (news or []) + engine.news()
    return Run(hashes_of(engine), fills, news)


def batch(made: Scenario, **more: Any) -> Run:
    """Return a run in one call."""
    engine = noting(made, **more)
    engine.advance()
    return run_of(engine)


def in_chunks(made: Scenario, choose: Choose, by_steps: bool, **more: Any) -> Run:
    """Advance in random chunks of time or of steps, and read fills and messages at some of the stops."""
    engine = noting(made, **more)
    fills: list[Fill] = []
    news: list[News] = []
    at, last = -5, made.events[-1]["ts"] + 300
    unit = last // 2_000 + 1
    while at < last:
        at += choose.pick(0, 40) * unit
        engine.advance(k.FAR if by_steps else at, choose.pick(1, 9) if by_steps else 1 << 60)
        if choose.pick(0, 2) == 0:
            fills += engine.fills()
            news += engine.news()
    engine.advance()
    return run_of(engine, fills, news)


def by_hand(made: Scenario, **more: Any) -> Run:
    """Send every intent by hand when its time has come, instead of giving the rows beforehand."""
    from karat.kernels.market._strategy import submit_row

    engine = noting(replace(made, intents=[]), **more)
    rows = np.ascontiguousarray(np.reshape(made.intents, (-1, k.INTENT)), dtype=np.int64)
    hashes: list[int] = []
    noted = 0
    for row in rows:
        engine.advance(int(row[k.T_TS]))
        hashes += hashes_of(engine)[noted:]
        noted = int(engine.block[k.H_STEPS])
        if engine.block[k.H_ERROR]:
            break
        submit_row(engine.block.ctypes.data, row.ctypes.data, int(row[k.T_TS]))
        hashes.append(engine.state_hash())
    engine.advance()
    return replace(run_of(engine), hashes=hashes + hashes_of(engine)[noted:])


def resumed(made: Scenario, after: int, **more: Any) -> Run:
    """Take a snapshot after so many steps, go on with it elsewhere, and forget the first market."""
    first, second = noting(made, **more), noting(made, **more)
    first.advance(steps=after)
    fills, news = first.fills(), first.news()
    second.block[:] = first.block.copy()
    noted = hashes_of(first)
    first.block[:] = 0
    second.advance()
    rest = run_of(second, fills, news)
    return replace(rest, hashes=noted + rest.hashes[len(noted) :])
