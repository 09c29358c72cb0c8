"""Random scenarios of accounts: hours instead of nanoseconds, margin policies, cash accounts, lags, borrow, locates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from market_parity import varied
from market_scenario_events import ordered
from market_scenarios import Choose, Options, Scenario

from karat.kernels.market import _layout as k

HOUR = 3_600 * 10**9
PER_CENT = 10_000_000
POLICIES = (k.MARGIN_NONE, k.MARGIN_CHECK, k.MARGIN_BLOCK, k.MARGIN_LIQUIDATE, k.MARGIN_LIQUIDATE, k.MARGIN_STOP)


def financed(choose: Choose, options: Options) -> Scenario:
    """Return a varied scenario stretched over days, for an account that is short of money, time or shares."""
    made = varied(choose, options)
    step = HOUR * choose.pick(1, 6)
    events = [_stretched(row, step) for row in made.events]
    intents = [list(row) for row in made.intents]
    for row in intents:
        for word in (k.T_TS, k.T_DELAY, k.T_EXPIRE):
            row[word] *= step
    end = max(row["ts"] for row in events)
    terms = tuple(_terms(choose, one, step, end) for one in made.terms)
    events = ordered([*events, *(_shock(choose, len(made.terms), end) for _ in range(choose.pick(0, 4)))])
    account = k.CASH_ACCOUNT if choose.pick(0, 5) == 0 else 0
    margin = POLICIES[choose.pick(1 if account else 0, 5)]
    cash = choose.pick(1, 12) * 500
    return replace(made, terms=terms, cash=(cash,), events=events, intents=intents, margin=margin, account=account)


def _stretched(row: dict[str, int], step: int) -> dict[str, int]:
    times = ("ts", "d") if row["kind"] == k.BAR else ("ts", "b", "c") if row["kind"] == k.STATUS else ("ts",)
    return {name: value * step if name in times else value for name, value in row.items()}


def _shock(choose: Choose, instruments: int, end: int) -> dict[str, int]:
    """Return a payment that takes or gives a large part of a position's value at once."""
    i, rate = choose.pick(0, instruments - 1), choose.pick(-9, 9) * 10 * PER_CENT
    return {"ts": choose.pick(0, end), "kind": k.FUNDING, "instrument": i, "price": 100, "a": rate}


def _terms(choose: Choose, terms: dict[str, Any], step: int, end: int) -> dict[str, Any]:
    initial = (100, 30, 10, 5)[choose.pick(0, 3)]
    out = {**terms, "initial": initial * PER_CENT, "cutoff": terms.get("cutoff", 0) * step}
    if choose.pick(0, 3):
        out["maintenance"] = choose.pick(initial // 2, initial) * PER_CENT
    out["settlement_days"] = (0, 0, 1, 2, 3)[choose.pick(0, 4)]
    out["borrow"] = (0, 3_000_000_000, 9_000_000_000)[choose.pick(0, 2)]
    if choose.pick(0, 2) == 0:
        expires = k.FAR if choose.pick(0, 1) else choose.pick(0, end)
        recalled = k.FAR if choose.pick(0, 2) else choose.pick(0, end)
        out["locate"] = (choose.pick(0, 3) * choose.pick(1, 8), expires, recalled)
    return out
