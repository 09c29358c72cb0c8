"""Life of an order in the market oracle: queue of the venue, fills, triggers, lists of legs, children, endings."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from fractions import Fraction

from market_oracle_account import Account
from market_oracle_types import NEWS_OF_STATE, STOP_LIKE, Fill, News, OracleInstrument, Order, half_away

from karat.kernels.market import _layout as k


def nearest(ticks: float) -> int:
    """Return the nearest whole number, a half away from zero."""
    size = int(abs(ticks) + 0.5)
    return size if ticks >= 0 else -size


class Venue:
    """Everything that the matchers change: orders, account, queue, fills and news of one run."""

    def __init__(self, instruments: list[OracleInstrument], cash: list[int]) -> None:
        self.instruments = instruments
        self.account = Account(instruments, cash)
        self.orders: dict[int, Order] = {}
        self.fills: list[Fill] = []
        self.news: list[News] = []
        self.queue: list[tuple[int, int, Callable[[], None]]] = []
        self.now = 0
        self.stamp: int | None = None  # the time of the open of a bar while it is traded there
        self.scheduled = 0
        self.arrivals = 0
        self.last: list[int | None] = [None] * len(instruments)
        self.statuses: list[list[tuple[int, int, int, int]]] = [[] for _ in instruments]
        self.chances: dict[int, int] = {}  # order: chances to trade so far
        self.shift = [0.0] * len(instruments)
        self.move_book: Callable[[int, int], None] = lambda i, ticks: None
        self.ambiguous = 0
        self.ambiguous_money = 0
        self.join: Callable[[Order], None] | None = None  # set while a bar walks its path

    # -- queue
    def schedule(self, ts: int, action: Callable[[], None]) -> None:
        self.scheduled += 1
        heapq.heappush(self.queue, (ts, self.scheduled, action))

    def tell(self, id_: int, kind: int, reason: int = k.OK) -> None:
        self.news.append(News(self.now if self.stamp is None else self.stamp, id_, kind, reason))

    def status(self, i: int) -> int:
        return self.statuses[i][-1][1] if self.statuses[i] else k.OPEN

    def resting(self, i: int) -> list[Order]:
        """Return the orders of an instrument that are live, the earliest arrival first."""
        mine = [order for order in self.orders.values() if order.instrument == i and order.resting]
        return sorted(mine, key=lambda order: order.sequence)

    def next_sequence(self) -> int:
        self.arrivals += 1
        return self.arrivals

    # -- fills
    def reducible(self, order: Order) -> int:
        """Return how many lots a reduce-only order can take off the position."""
        held = self.account.position[order.instrument]
        return abs(held) if held * order.side < 0 else 0

    def fill(self, order: Order, lots: int, price: int, maker: bool, reference: int) -> None:
        """Book a fill, then do what it does to the other legs and to the children."""
        i = order.instrument
        fee = self.account.fill(i, order.side, lots, price, maker, self.now if self.stamp is None else self.stamp)
        order.release(lots)
        position = self.account.position[i]
        self.fills.append(
            Fill(
                self.now if self.stamp is None else self.stamp,
                order.id,
                i,
                order.side,
                price,
                lots,
                maker,
                fee,
                reference,
                position,
            )
        )
        self._move(i, order.side * lots)
        order.filled += lots
        order.state = k.FILLED if order.filled >= order.nominal else k.PARTIAL
        self._legs_after_fill(order, lots)
        for child in order.children:
            if child.state == k.WAITING:
                self.activate(child)
        if order.over:
            self._finish_children(order)

    def moved(self, i: int, lowest: int) -> int:
        """Return the ticks to add to prices whose lowest was recorded as this: none falls below one tick."""
        return max(nearest(self.shift[i]), 1 - lowest)

    def _move(self, i: int, lots: int) -> None:
        """Let a fill move the last price, the mark, what is quoted, and everything later."""
        before, gamma = nearest(self.shift[i]), self.instruments[i].gamma
        if not gamma:
            return
        self.shift[i] += (1 if lots > 0 else -1) * (gamma * abs(lots))
        ticks, last, mark = nearest(self.shift[i]) - before, self.last[i], self.account.mark[i]
        if ticks and last is not None:
            self.last[i] = max(1, last + ticks)
        if ticks and mark is not None:
            self.account.mark[i] = max(1, mark + ticks)
        if ticks:
            self.move_book(i, ticks)

    def trigger(self, order: Order) -> None:
        order.triggered = True
        self.tell(order.id, k.TRIGGERED)
        if order.type in STOP_LIKE and order.group_mode == k.GROUP_CANCEL:
            self.end_legs(order, k.EXPIRED)

    # -- lists of legs
    def _legs_after_fill(self, order: Order, lots: int) -> None:
        if order.group_mode == k.GROUP_CANCEL:
            self.end_legs(order, k.EXPIRED)
        elif order.group_mode == k.GROUP_REDUCE:
            for leg in [leg for leg in self._others(order) if not leg.over]:
                leg.taken += lots
                if leg.nominal <= leg.filled:
                    self._end_leg(leg, k.EXPIRED)

    def end_legs(self, order: Order, state: int) -> None:
        for leg in self._others(order):
            if not leg.over:
                self._end_leg(leg, state)

    def _others(self, order: Order) -> list[Order]:
        """Return the other legs in the order of the ring, beginning after this one."""
        if not order.ring:
            return []
        place = order.ring.index(order)
        return order.ring[place + 1 :] + order.ring[:place]

    def _end_leg(self, leg: Order, state: int) -> None:
        if leg.state == k.PENDING_NEW:
            leg.doomed = leg.doomed or state
        else:
            self.end(leg, state, k.R_OTHER_LEG)

    # -- children
    def activate(self, child: Order) -> None:
        """Bars: live from this place of the path on. Books: an arrival of the same time."""
        if self.join is not None:
            self.go_live(child, k.ACTIVATED)
            if child.resting:
                self.join(child)
        else:
            self.schedule(self.now, lambda: self.arrive_child(child))

    def arrive_child(self, child: Order) -> None:
        if child.state == k.WAITING and child.doomed:
            self.end(child, child.doomed, k.R_OTHER_LEG)
        elif child.state == k.WAITING:
            self.go_live(child, k.ACTIVATED)
            if child.resting:
                self.matched(child)

    def matched(self, order: Order) -> None:
        """Match an order that has just come; the loop replaces this on instruments with a book."""

    def _finish_children(self, parent: Order) -> None:
        waiting = [child for child in parent.children if child.state == k.WAITING]
        if parent.filled == 0:
            for child in waiting:
                self._finish(child, k.CANCELLED, k.R_PARENT)
            for child in waiting:
                self.end_legs(child, k.CANCELLED)
        for child in parent.children:
            if child.resting and child.nominal <= child.filled:
                if child.filled:
                    child.state = k.FILLED
                else:  # another leg has all the lots that this one waited for
                    self._finish(child, k.EXPIRED, k.R_OTHER_LEG)

    # -- beginnings and ends
    def go_live(self, order: Order, kind: int, reason: int = k.OK) -> None:
        if order.tif == k.GTD and order.expire <= self.now:
            self.end(order, k.EXPIRED, k.R_DATE_OVER)
            return
        order.state, order.arrived, order.sequence = k.LIVE, self.now, self.next_sequence()
        self.tell(order.id, kind, reason)
        last = self.last[order.instrument]
        if order.type == k.TRAILING and order.stop == 0 and last is not None and self.join is None:
            order.trail(last)
        if order.tif == k.GTD:
            self.schedule(order.expire, lambda: self.expire(order))

    def expire(self, order: Order) -> None:
        if order.resting:
            self.end(order, k.EXPIRED, k.R_DATE_OVER)

    def expire_day(self, i: int) -> None:
        for order in self.resting(i):
            if order.resting and order.tif == k.DAY:
                self.end(order, k.EXPIRED, k.R_DAY_OVER)

    def _finish(self, order: Order, state: int, reason: int) -> None:
        order.state = state
        self.tell(order.id, NEWS_OF_STATE[state], reason)

    def end(self, order: Order, state: int, reason: int) -> None:
        """End an order without a fill; unless another leg did it, its whole list ends with it."""
        self._finish(order, state, reason)
        self._finish_children(order)
        if reason != k.R_OTHER_LEG:
            self.end_legs(order, k.CANCELLED)

    # -- corporate actions
    def split(self, i: int, price: int, numerator: int, denominator: int) -> None:
        self.account.borrow(i, self.now)
        self.account.split(i, price, numerator, denominator)
        last = self.last[i]
        if last is not None:
            self.last[i] = max(1, half_away(Fraction(last * denominator, numerator)))
        for order in [order for order in self.orders.values() if order.instrument == i and not order.over]:
            for name in ("qty", "filled", "taken", "prevented"):
                setattr(order, name, getattr(order, name) * numerator // denominator)
            for name in ("price", "stop", "offset"):
                setattr(order, name, half_away(Fraction(getattr(order, name) * denominator, numerator)))
            if order.qty - order.taken - order.prevented <= order.filled:
                self.end(order, k.CANCELLED, k.R_QUANTITY)
