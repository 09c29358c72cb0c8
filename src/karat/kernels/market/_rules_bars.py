"""What bars show of the market's rules, compiled: the trigger of the short-sale test, daily limits, market-wide halts.

Words and units: `_rules_layout`. Bars show neither quotes nor the order of trades, so that price bands, pauses and the
price of a short sale cannot be judged on them: they are out of force, and short fills that went untested are counted.

Invariants:
1. A bar counts at its end: what it starts holds from the next bar on.
2. Limits on the day's prices are judged by the same function as everywhere.
"""

from __future__ import annotations

from karat.kernels._jit import compiled
from karat.kernels._memory import load, store
from karat.kernels.market._rules import breaker_level, daily, rules_ssr, rules_trade
from karat.kernels.market._rules_layout import (
    B_SINCE,
    MWCB_BYTES,
    OK,
    OPEN_NS,
    Q_EXEMPT,
    Q_PRICE,
    Q_SHORT,
    Q_SIDE,
    R_MWCB_1,
    UNTESTED,
)


@compiled("int64(int64, int64, int64, int64)")
def rules_bar(r: int, now: int, start: int, low: int) -> int:
    """Take a bar at its end: its low is a trade; one that began before the session's open is left out. Returns 0."""
    return int(rules_trade(r, now, low)) if start >= load(r, OPEN_NS) else 0


@compiled("int64(int64, int64)")
def rules_bar_begins(r: int, start: int) -> int:
    """Return why nothing may execute in a bar that starts at `start`: a market-wide halt is on then, or 0.

    A bar shows the time after its start: it is open where the halt's last instant is its start. Statuses are the bar
    matcher's business: the last one that was told may be later than the bar.
    """
    skip = load(r, MWCB_BYTES)
    level = breaker_level(r + skip, start + 1) if skip != 0 and load(r + skip, B_SINCE) <= start else 0
    return R_MWCB_1 + level - 1 if level > 0 else OK


@compiled("int64(int64, int64, int64)")
def rules_bar_execution(r: int, now: int, q: int) -> int:
    """Return why an order may not execute at the question's price within a bar, or 0."""
    why = daily(r, load(q, Q_PRICE))
    sale = load(q, Q_SIDE) < 0 and load(q, Q_SHORT) != 0 and load(q, Q_EXEMPT) == 0
    if why == OK and sale and rules_ssr(r, now):
        store(r, UNTESTED, load(r, UNTESTED) + 1)
    return int(why)
