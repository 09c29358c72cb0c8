"""The market oracle: a slow, plain market written from the rules in words, to be compared with the compiled one.

`OracleMarket(instruments, cash).run(events, intents)` takes events as rows (or columns) of the market's event table and
intents as rows with the columns T_* of the layout. Everything is processed in the order of (ts, class, number): status
and corporate actions, market data, what the venue has waiting, the strategy. What is left in the venue's queue after
the last row is processed too. After every single thing the identity of the money is asserted and the state recorded.

Not covered: rules of markets (short sales, price bands, filters), iceberg display, random latencies, and queue models
other than the risk-averse one.
"""

from __future__ import annotations

import heapq
from typing import Any

from market_oracle_bars import BarWalk, bar_of
from market_oracle_books import PRINTS, Book
from market_oracle_broker import Broker
from market_oracle_gateway import Gateway
from market_oracle_level3 import LEVEL3, OrderBook
from market_oracle_orders import Venue
from market_oracle_types import BARS, DEPTH, ORDERS, QUOTES, OracleInstrument, OracleResult, Order, rows_of

from karat.kernels.market import _layout as k

KINDS_OF_MATCHER = {
    BARS: (k.BAR,),
    QUOTES: (k.QUOTE, *PRINTS),
    DEPTH: (k.DEPTH_BID, k.DEPTH_ASK, k.DEPTH_CLEAR, *PRINTS),
    ORDERS: (*LEVEL3, *PRINTS),
}
BOOKS = {QUOTES: Book, DEPTH: Book, ORDERS: OrderBook}


class OracleMarket:
    """Instruments and starting cash of a run; every `run` begins anew."""

    def __init__(
        self,
        instruments: list[OracleInstrument],
        cash: tuple[int, ...] = (0,),
        margin: int = k.MARGIN_NONE,
        account: int = 0,
    ) -> None:
        self.instruments, self.cash, self.margin, self.account = instruments, list(cash), margin, account

    def run(self, events: Any, intents: list[list[int]]) -> OracleResult:
        run = _Run(self.instruments, self.cash, rows_of(events), intents)
        run.broker.margin, run.broker.account = self.margin, self.account
        return run.all()


class _Run:
    def __init__(
        self, instruments: list[OracleInstrument], cash: list[int], rows: list[dict[str, int]], intents: list[list[int]]
    ) -> None:
        self.venue = Venue(instruments, cash)
        self.venue.matched = self._matched
        self.rows, self.intents = rows, intents
        self.books = {i: BOOKS[one.matcher](self.venue, i) for i, one in enumerate(instruments) if one.matcher != BARS}
        self.venue.move_book = lambda i, ticks: self.books[i].move(ticks) if i in self.books else None
        self.broker = Broker(self.venue)
        self.gateway = Gateway(self.venue, self.books, self.broker)
        self.states: list[tuple[str, int, int, Any]] = []

    def _matched(self, order: Order) -> None:
        if order.instrument in self.books:
            self.books[order.instrument].arrive(order)

    def all(self) -> OracleResult:
        row, intent = 0, 0
        while (due := self._next(row, intent)) is not None:
            ts, sort, number = due
            if sort <= 1:
                error = self._row(self.rows[row])
                if error:
                    return self._result(error, row)
                row += 1
                if row == len(self.rows) or self.rows[row]["ts"] > ts:
                    self.broker.judge()
            else:
                self.venue.now = ts
                if sort == 2:
                    heapq.heappop(self.venue.queue)[2]()
                    self.broker.judge()
                else:
                    self.gateway.intent(self.intents[intent])
                    intent += 1
            if self.broker.stopped:
                return self._result(k.E_MARGIN_CALL, row - 1)
            self._record(("row", "row", "venue", "intent")[sort], number)
        return self._result()

    def _next(self, row: int, intent: int) -> tuple[int, int, int] | None:
        """Return (ts, class, number) of the next thing, None at the end."""
        waiting = []
        if row < len(self.rows):
            waiting.append((self.rows[row]["ts"], 0 if self.rows[row]["kind"] >= k.STATUS else 1, row))
        if self.venue.queue:
            waiting.append((self.venue.queue[0][0], 2, self.venue.queue[0][1]))
        if intent < len(self.intents):
            waiting.append((self.intents[intent][k.T_TS], 3, intent))
        return min(waiting, default=None)

    def _row(self, row: dict[str, int]) -> int:
        venue, i, kind, ts = self.venue, row["instrument"], row["kind"], row["ts"]
        if ts < venue.now:
            return k.E_TIME
        if not 0 <= i < len(venue.instruments):
            return k.E_INSTRUMENT
        if kind < k.STATUS and kind not in KINDS_OF_MATCHER[venue.instruments[i].matcher]:
            return k.E_KIND
        if kind == k.BAR:
            bar = bar_of(row)
            if bar.fault:
                return bar.fault
            venue.now = ts
            self.broker.before(min(ts, row["d"]))
            BarWalk(venue, bar).run()
            return k.NO_ERROR
        if kind < k.STATUS:
            before, venue.now = venue.now, ts
            self.broker.before(ts)
            fault = self.books[i].row(row)
            venue.now = before if fault else ts
            return fault
        venue.now = ts
        self.broker.before(ts)
        self._class_0(row, i, kind)
        return k.NO_ERROR

    def _class_0(self, row: dict[str, int], i: int, kind: int) -> None:
        venue = self.venue
        if kind == k.STATUS:
            venue.statuses[i].append((row["ts"], row["a"], row["b"], row["c"]))
            if row["a"] == k.CLOSED:
                venue.schedule(row["ts"], lambda: venue.expire_day(i))
        elif kind == k.SPLIT:
            self.broker.split(i, row["a"], row["b"])
            venue.split(i, row["price"], row["a"], row["b"])
        elif kind == k.DIVIDEND:
            venue.account.dividend(i, row["a"])
        elif kind == k.FUNDING:
            venue.account.funding(i, row["price"], row["a"])
        elif kind == k.FX:
            venue.account.rate[row["a"]] = row["b"]

    def _record(self, what: str, number: int) -> None:
        account = self.venue.account
        account.check()
        live = tuple(order.key() for order in self.venue.orders.values() if not order.over)
        self.states.append((what, number, self.venue.now, (tuple(account.cash), tuple(account.position), live)))

    def _result(self, error: int = k.NO_ERROR, row: int = -1) -> OracleResult:
        venue, account = self.venue, self.venue.account
        return OracleResult(
            fills=venue.fills,
            news=venue.news,
            cash=account.cash,
            income=account.income,
            charges=account.charges,
            realised=account.realised,
            marked=account.marked(),
            positions=account.position,
            basis=account.basis,
            unsettled=account.unsettled(),
            borrowed=account.borrowed,
            short=[self.broker.short(i) for i in range(len(account.position))],
            ambiguous=venue.ambiguous,
            ambiguous_money=venue.ambiguous_money,
            orders=venue.orders,
            states=self.states,
            error=error,
            error_row=row,
        )


def first_difference(mine: list[Any], theirs: list[Any]) -> str:
    """Name the first place where two lists differ; an empty text when they are equal."""
    for n, (a, b) in enumerate(zip(mine, theirs, strict=False)):
        if a != b:
            return f"number {n}: oracle {a}, other {b}"
    if len(mine) != len(theirs):
        longer = mine if len(mine) > len(theirs) else theirs
        owner = "oracle" if longer is mine else "other"
        return f"only the {owner} has number {min(len(mine), len(theirs))}: {longer[min(len(mine), len(theirs))]}"
    return ""
