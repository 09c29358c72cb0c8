"""Market rows of random scenarios on level 3: single orders that come, change and go, executions and trades."""

from __future__ import annotations

from typing import Any

from market_scenario_events import Prices, Row, ordered

from karat.kernels.market import _layout as k


class _Flow:
    """The venue's orders of one instrument while its rows are made; its own book is never crossed."""

    def __init__(self, choose: Any, i: int) -> None:
        self.choose, self.i = choose, i
        self.live: dict[int, list[int]] = {}  # id: side, price, lots; the oldest place first
        self.rows: list[Row] = []
        self.ts, self.middle, self.last_id = 0, choose.pick(40, 140), 0

    def row(self, kind: int, id_: int = 0, price: int = 0, lots: int = 0) -> None:
        self.rows.append({"ts": self.ts, "kind": kind, "instrument": self.i, "price": price, "qty": lots, "a": id_})

    def price(self, side: int) -> int:
        return self.middle - side * self.choose.pick(1, 3)

    def add(self) -> None:
        side, lots = (1, -1)[self.choose.pick(0, 1)], self.choose.pick(1, 9)
        self.last_id += 1
        self.live[self.last_id] = [side, self.price(side), lots]
        self.row(k.ADD_BID if side > 0 else k.ADD_ASK, self.last_id, *self.live[self.last_id][1:])

    def move(self) -> None:
        """Move the middle; orders on the wrong side of it leave first."""
        self.middle = max(20, self.middle + self.choose.pick(-2, 2))
        for id_, (side, price, _) in list(self.live.items()):
            if side * (price - self.middle) >= 0:
                del self.live[id_]
                self.row(k.DELETE, id_)

    def one(self) -> int:
        """Return an order: mostly the first in line of a side, sometimes any."""
        side = (1, -1)[self.choose.pick(0, 1)]
        line = sorted(
            (id_ for id_ in self.live if self.live[id_][0] == side), key=lambda id_: -side * self.live[id_][1]
        )
        if not line or self.choose.pick(0, 2) == 0:
            return list(self.live)[self.choose.pick(0, len(self.live) - 1)]
        return line[0]

    def take(self, kind: int) -> None:
        """Execute or reduce an order, wholly or in part; now and then the price of an execution is another one."""
        id_ = self.one()
        side, price, lots = self.live[id_]
        part = lots if self.choose.pick(0, 2) == 0 else self.choose.pick(1, lots)
        self.live[id_][2] -= part
        if self.live[id_][2] == 0:
            del self.live[id_]
        printed = price + (side if self.choose.pick(0, 9) == 0 else 0)
        self.row(kind, id_, printed if kind == k.EXECUTE else 0, part)

    def modify(self) -> None:
        id_ = self.one()
        side, price, lots = self.live[id_]
        to = price if self.choose.pick(0, 1) == 0 else self.price(side)
        size = max(1, lots + self.choose.pick(-4, 3))
        if to != price or size > lots:  # it loses its place
            del self.live[id_]
        self.live[id_] = [side, to, size]
        self.row(k.MODIFY, id_, to, size)

    def print(self) -> None:
        kind = (k.TRADE, k.TRADE_BUY, k.TRADE_SELL)[self.choose.pick(0, 2)]
        self.row(kind, price=self.middle + self.choose.pick(-3, 3), lots=self.choose.pick(1, 15))

    def step(self) -> None:
        sort = self.choose.pick(0, 15)
        if sort == 0:
            self.move()
        elif sort == 1:
            self.print()
        elif sort <= 6 or not self.live:
            self.add()
        elif sort <= 10:
            self.take(k.EXECUTE)
        elif sort <= 12:
            self.take(k.REDUCE)
        elif sort <= 14:
            self.modify()
        elif self.choose.pick(0, 9) == 0:
            self.live.clear()
            self.row(k.DEPTH_CLEAR)
        else:
            id_ = self.one()
            del self.live[id_]
            self.row(k.DELETE, id_)
        self.ts += self.choose.pick(0, 3)


def orders_of(choose: Any, n: int, options: Any) -> tuple[list[Row], Prices]:
    """Return rows of single orders and trades beside them, and the middle of each book over time."""
    rows: list[Row] = []
    prices: Prices = {}
    for i in range(n):
        flow = _Flow(choose, i)
        prices[i] = [(0, flow.middle)]
        for _ in range(4):
            flow.add()
        for _ in range(3 * options.steps):
            flow.step()
            prices[i].append((flow.ts, flow.middle))
        rows += flow.rows
    return ordered(rows), prices
