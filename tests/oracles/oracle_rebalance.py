"""Plain oracle of the target market: an order queue and a dictionary of positions, written from the documentation.

Slow on purpose and without arrays: every order is an object that waits for its bar. Money, prices and quantities are
Python integers, charges are fractions rounded by hand; floats appear only where the documentation names a product in
float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

BORROW, SCALE, REJECT = 0, 1, 2


def nearest(value: Fraction) -> int:
    """Return the nearest integer, half away from zero, of a number that is not negative."""
    return math.floor(value + Fraction(1, 2))


@dataclass
class Order:
    instrument: int
    decided: int
    due: int
    target: float  # in units, or as a share of the equity at `decided`
    forced: bool = False


@dataclass
class Trade:
    instrument: int
    lots: int
    ticks: int
    reference: int

    def value(self, unit: int) -> int:
        return abs(self.lots) * self.ticks * unit

    def fee(self, terms: Any) -> int:
        return nearest(Fraction(self.value(terms.unit) * terms.rate, 10**9))

    def cost(self, terms: Any) -> int:
        """Money that a buy needs."""
        return self.value(terms.unit) + self.fee(terms) + terms.fixed


@dataclass
class Account:
    cash: int
    lots: dict[int, int] = field(default_factory=dict)
    ticks: dict[int, int] = field(default_factory=dict)

    def equity(self, unit: int) -> int:
        return self.cash + sum(held * self.ticks.get(i, 0) * unit for i, held in self.lots.items())


def to_ticks(price: float, terms: Any) -> int | None:
    return None if math.isnan(price) else math.floor(price * terms.per_tick + 0.5)


def rebalance(targets: Any, rows: Any, fill: Any, close: Any, terms: Any) -> dict[str, list[Any]]:
    """Return per bar: lots, equity, cash, costs by kind, counts; all fills in `records`; the bar of ruin."""
    account, queue, worth_at = Account(terms.capital), [], {}
    costs = ("proportional", "fixed", "slippage")
    names = ("lots", "equity", "cash", "traded", *costs, "fills", "skipped", "cut", "records")
    out: dict[str, list[Any]] = {name: [] for name in names}
    ruin, n = None, len(close[0])
    wishes = {row: targets[j] for j, row in enumerate(rows)}
    for t in range(len(close)):
        if terms.at_close:
            _mark(account, close[t], terms)
            worth_at[t] = account.equity(terms.unit)
        new = _decide(t, wishes, ruin, n, terms)
        due = [order for order in queue + (new if terms.lag == 0 else []) if order.due == t]
        done = _execute(account, due, fill[t], close, worth_at, terms)
        queue += new if terms.lag > 0 else []
        _mark(account, close[t], terms)
        equity = account.equity(terms.unit)
        if not terms.at_close:
            worth_at[t] = equity
        if ruin is None and equity <= 0:
            ruin = t
            queue = [Order(i, t, t + terms.lag, 0.0, True) for i in range(n)] if terms.lag > 0 else []
        _write(out, account, equity, done, t, n, terms)
    return {**out, "ruined": [-1 if ruin is None else ruin]}


def _decide(t: int, wishes: Any, ruin: int | None, n: int, terms: Any) -> list[Order]:
    if ruin is not None:
        return [Order(i, t, t + terms.lag, 0.0, True) for i in range(n)]
    row = wishes.get(t, [math.nan] * n)
    return [Order(i, t, t + terms.lag, row[i]) for i in range(n) if not math.isnan(row[i])]


def _execute(account: Account, due: list[Order], prices: Any, close: Any, worth_at: Any, terms: Any) -> Any:
    trades, skipped = [], 0
    for order in due:
        held = account.lots.get(order.instrument, 0)
        wanted = _sized(order, close, worth_at, terms)
        ticks = to_ticks(prices[order.instrument], terms)
        if wanted is None or (wanted != held and ticks is None):
            skipped += 1
        elif wanted != held and ticks is not None:
            moved = nearest(Fraction(ticks * terms.slip, 10**9))
            side = 1 if wanted > held else -1
            trades.append(Trade(order.instrument, wanted - held, ticks + side * moved, ticks))
    cut = 0
    if terms.policy != BORROW and not any(order.forced for order in due):
        cut = _limit(account, trades, terms)
    trades = [trade for trade in trades if trade.lots]
    for trade in trades:
        account.cash -= trade.lots * trade.ticks * terms.unit + trade.fee(terms) + terms.fixed
        account.lots[trade.instrument] = account.lots.get(trade.instrument, 0) + trade.lots
        account.ticks[trade.instrument] = trade.reference
    return trades, skipped, cut


def _sized(order: Order, close: Any, worth_at: Any, terms: Any) -> int | None:
    """Return the lots wanted, None when there is no price to size them with."""
    if order.target == 0:
        return 0
    if not terms.by_weight:
        lots = math.floor(abs(order.target) * terms.per_lot + 0.5)
        return lots if order.target > 0 else -lots
    ticks = to_ticks(close[order.decided][order.instrument], terms)
    if ticks is None:
        return None
    share = order.target * float(worth_at[order.decided])
    lots = math.floor(abs(share)) // (ticks * terms.unit)
    return lots if share > 0 else -lots


def _limit(account: Account, trades: list[Trade], terms: Any) -> int:
    """Hold the buys to the cash after the sales; return how many were cut or refused."""
    buys = [trade for trade in trades if trade.lots > 0]
    sales = [trade for trade in trades if trade.lots < 0]
    there = account.cash + sum(s.value(terms.unit) - s.fee(terms) - terms.fixed for s in sales)
    if sum(buy.cost(terms) for buy in buys) <= there:
        return 0
    cut = 0
    if terms.policy == REJECT:
        for buy in buys:
            if buy.cost(terms) <= there:
                there -= buy.cost(terms)
            else:
                buy.lots, cut = 0, cut + 1
        return cut
    there -= (terms.fixed + 1) * len(buys)
    need = sum(buy.value(terms.unit) + buy.fee(terms) for buy in buys)
    ratio = float(there) / float(need) * (1.0 - 2.0**-50) if there > 0 else 0.0
    for buy in buys:
        kept = int(float(buy.lots) * ratio)
        cut, buy.lots = cut + (kept != buy.lots), kept
    return cut


def _mark(account: Account, closes: Any, terms: Any) -> None:
    for i, price in enumerate(closes):
        ticks = to_ticks(price, terms)
        if ticks is not None:
            account.ticks[i] = ticks


def _write(out: dict[str, list[Any]], account: Account, equity: int, done: Any, t: int, n: int, terms: Any) -> None:
    trades, skipped, cut = done
    slipped = [abs(x.lots) * abs(x.ticks - x.reference) * terms.unit for x in trades]
    out["lots"].append([account.lots.get(i, 0) for i in range(n)])
    out["equity"].append(equity)
    out["cash"].append(account.cash)
    out["traded"].append(sum(trade.value(terms.unit) for trade in trades))
    out["proportional"].append(sum(trade.fee(terms) for trade in trades))
    out["fixed"].append(terms.fixed * len(trades))
    out["slippage"].append(sum(slipped))
    out["fills"].append(len(trades))
    out["skipped"].append(skipped)
    out["cut"].append(cut)
    for trade, lost in sorted(zip(trades, slipped, strict=True), key=lambda pair: pair[0].instrument):
        out["records"].append((t, trade.instrument, trade.lots, trade.ticks, trade.reference, trade.fee(terms), lost))
