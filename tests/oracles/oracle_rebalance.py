"""Plain oracle of the rebalancing market: an order queue and a dictionary of positions, written from the documentation.

Slow on purpose and without arrays: every order is an object that waits for its bar. Sums are exact (`math.fsum`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

DUST = 1e-10


@dataclass
class Order:
    instrument: int
    decided: int
    due: int
    wanted: float  # target in units, or as a share of the equity at `decided`


@dataclass
class Account:
    capital: float
    units: dict[int, float] = field(default_factory=dict)
    price: dict[int, float] = field(default_factory=dict)
    payments: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    def cash(self) -> float:
        return math.fsum([self.capital, *(-p for p in self.payments), *(-c for c in self.costs)])

    def equity(self) -> float:
        return math.fsum([self.cash(), *(u * self.price.get(i, 0.0) for i, u in self.units.items())])


def rebalance(targets: Any, fill: Any, close: Any, terms: Any) -> dict[str, list[Any]]:
    """Return per bar: positions, equity, cash, traded, proportional, fixed, fills, skipped; and the bar of ruin."""
    account, queue = Account(terms.capital), []
    worth_at: list[float] = []
    out: dict[str, list[Any]] = {
        key: [] for key in ("positions", "equity", "cash", "traded", "proportional", "fixed", "fills", "skipped")
    }
    ruin = None
    n_bars, n = len(close), len(close[0])
    for t in range(n_bars):
        if terms.at_close:
            _mark(account, close[t])
            worth_at.append(account.equity())
        wishes = targets[t] if ruin is None else [0.0] * n
        new = [Order(i, t, t + terms.lag, wishes[i]) for i in range(n) if not math.isnan(wishes[i])]
        if terms.lag == 0:
            queue += new
        due = [order for order in queue if order.due == t]
        done = _execute(account, due, fill[t], close, worth_at, terms)
        if terms.lag > 0:
            queue += new
        _mark(account, close[t])
        equity = account.equity()
        if not terms.at_close:
            worth_at.append(equity)
        if ruin is None and equity <= 0:
            ruin = t
            queue = [Order(i, t, t + terms.lag, 0.0) for i in range(n)] if terms.lag > 0 else []
        _write(out, account, equity, done, n)
    return {**out, "ruined": [-1 if ruin is None else ruin]}


def _execute(account: Account, due: list[Order], prices: Any, close: Any, worth_at: list[float], terms: Any) -> Any:
    traded, filled, skipped = [], 0, 0
    for order in due:
        held = account.units.get(order.instrument, 0.0)
        wanted = order.wanted
        if terms.by_weight and wanted != 0:
            reference = close[order.decided][order.instrument]
            if math.isnan(reference):
                skipped += 1
                continue
            wanted = wanted * worth_at[order.decided] / reference
        if abs(wanted - held) <= DUST * max(abs(wanted), abs(held)):
            continue
        price = prices[order.instrument]
        if math.isnan(price):
            skipped += 1
            continue
        account.payments.append((wanted - held) * price)
        account.units[order.instrument], account.price[order.instrument] = wanted, price
        traded.append(abs((wanted - held) * price))
        filled += 1
    value = math.fsum(traded)
    account.costs += [value * terms.rate, filled * terms.fixed]
    return value, value * terms.rate, filled * terms.fixed, filled, skipped


def _mark(account: Account, closes: Any) -> None:
    for i, price in enumerate(closes):
        if not math.isnan(price):
            account.price[i] = price


def _write(out: dict[str, list[Any]], account: Account, equity: float, done: Any, n: int) -> None:
    out["positions"].append([account.units.get(i, 0.0) for i in range(n)])
    out["equity"].append(equity)
    out["cash"].append(account.cash())
    for key, value in zip(("traded", "proportional", "fixed", "fills", "skipped"), done, strict=True):
        out[key].append(value)
