"""Bars in the market oracle: a bar is walked from its open over both extremes to its close, order by order."""

from __future__ import annotations

from dataclasses import dataclass, replace

from market_oracle_chance import Chance
from market_oracle_orders import Venue
from market_oracle_types import AUCTION, ON_CLOSE, ON_OPEN, SILENT, STOP_LIKE, TRIGGERED_TYPES, Order, slipped

from karat.kernels.market import _layout as k

UNKNOWN_VOLUME = -1


@dataclass(frozen=True)
class Bar:
    instrument: int
    start: int
    end: int
    prices: tuple[int, int, int, int]  # open, high, low, close
    volume: int

    @property
    def fault(self) -> int:
        o, h, low, c = self.prices
        if self.start >= self.end or not low <= min(o, c) <= max(o, c) <= h:
            return k.E_BAR
        if low <= 0:
            return k.E_PRICE
        return k.E_SIZE if self.volume < UNKNOWN_VOLUME else k.NO_ERROR

    @property
    def path(self) -> tuple[int, int, int, int]:
        """Open, the nearer extreme, the other one, close; on a tie a bar that does not fall sees its low first."""
        o, h, low, c = self.prices
        high_first = h - o < o - low if h - o != o - low else c < o
        return (o, h, low, c) if high_first else (o, low, h, c)


def bar_of(row: dict[str, int]) -> Bar:
    return Bar(row["instrument"], row["d"], row["ts"], (row["price"], row["a"], row["b"], row["c"]), row["qty"])


class BarWalk:
    """One bar of one instrument, evaluated once."""

    def __init__(self, venue: Venue, bar: Bar) -> None:
        moved = venue.moved(bar.instrument, bar.prices[2])
        o, h, low, c = (price + moved for price in bar.prices)
        self.venue, self.bar, self.close = venue, replace(bar, prices=(o, h, low, c)), bar.prices[3]
        self.had: set[int] = set()  # orders that had their one chance of this bar
        self.terms = venue.instruments[bar.instrument]
        self.left: int | None = None  # lots that the bar can still give, None: no limit
        if bar.volume == 0:
            self.left = 0
        elif bar.volume > 0 and self.terms.participation is not None:
            self.left = bar.volume * self.terms.participation // k.RATE_ONE
        self.at = self.bar.prices[0]
        self.walkers: list[Order] = []
        self.joined: list[Order] = []

    def run(self) -> None:
        venue, bar = self.venue, self.bar
        known = [row for row in venue.statuses[bar.instrument] if row[0] <= bar.start]
        if not known or known[-1][1] not in SILENT:
            self.first, self.final = True, True
            if known:
                opened, closes = known[-1][2:]
                self.first = bar.start <= opened < bar.end
                self.final = bar.start < closes <= bar.end
            self.walkers = [order for order in venue.resting(bar.instrument) if order.arrived <= bar.start]
            venue.join = self._join
            self._walk()
            venue.join = None
        close = self.close + venue.moved(bar.instrument, self.close)
        venue.last[bar.instrument] = venue.account.mark[bar.instrument] = close
        if not venue.statuses[bar.instrument]:
            venue.schedule(bar.end, lambda: venue.expire_day(bar.instrument))

    def _walk(self) -> None:
        path = self.bar.path
        self.venue.stamp = self.bar.start
        for order in list(self.walkers):
            if order.type not in ON_CLOSE:
                self._point(order, path[0])
        self.venue.stamp = None
        for leg in range(3):
            self._leg(path[leg + 1], path[leg + 1 :])
        late = [
            order
            for order in self.venue.resting(self.bar.instrument)
            if order.type in ON_CLOSE or (order not in self.walkers and order not in self.joined)
        ]
        for order in late:
            if order.type not in ON_OPEN:
                self._point(order, path[3])

    def _join(self, child: Order) -> None:
        child.trail(self.at)
        self.joined.append(child)
        if child.tif in (k.IOC, k.FOK):
            self._point(child, self.at)

    # -- a point: the open, or the close for orders that came during the bar
    def _point(self, order: Order, at: int) -> None:
        if not order.resting or (order.type in AUCTION and not self._in_auction(order)):
            return
        self.at = at
        order.trail(at)
        if order.type in TRIGGERED_TYPES and not order.triggered and order.trigger_reached(at):
            self.venue.trigger(order)
        self._point_fill(order, at)
        if not order.resting:
            return
        if order.tif == k.IOC:
            self.venue.end(order, k.EXPIRED, k.R_IMMEDIATE)
        elif order.tif == k.FOK:
            self.venue.end(order, k.EXPIRED, k.R_ALL_OR_NONE)
        elif order.type in AUCTION:
            self.venue.end(order, k.EXPIRED, k.R_AUCTION_MISSED)

    def _point_fill(self, order: Order, at: int) -> None:
        limit = order.limit_now or order.type in (k.LIMIT_ON_OPEN, k.LIMIT_ON_CLOSE)
        if not (order.limit_reached(at) if limit else order.market_like):
            return
        if order.tif == k.FOK and self._available(order) < order.rest:
            return
        self._execute(order, at, maker=False)

    def _in_auction(self, order: Order) -> bool:
        if order.type in ON_OPEN:
            return self.first and order.arrived <= self.bar.start - self.terms.cutoff
        return self.final and order.arrived <= self.bar.end - self.terms.cutoff

    def _available(self, order: Order) -> int:
        lots = order.rest
        if order.flags & k.REDUCE_ONLY:
            lots = min(lots, self.venue.reducible(order))
        return lots if self.left is None else min(lots, self.left)

    def _execute(self, order: Order, at: int, maker: bool) -> None:
        if self.left == 0:
            return
        lots = self._available(order)
        if lots == 0:
            if order.rest:  # reduce-only, and the position is gone
                self.venue.end(order, k.CANCELLED, k.R_REDUCE_ONLY)
            return
        price = slipped(self.terms, at, order.side) if order.market_like else at
        chance = Chance(self.venue, order)
        done = chance.fill(lots, price, maker, at)
        if self.left is not None:
            self.left -= done
        if chance.piecewise:
            self.had.add(order.id)

    # -- a leg of the path
    def _live(self) -> list[Order]:
        mine = [o for o in self.walkers + self.joined if o.id not in self.had]
        return [o for o in mine if o.resting and o.type not in AUCTION and o.rest > 0]

    def _leg(self, end: int, rest: tuple[int, ...]) -> None:
        """Walk from the present price to `end`; `rest` are the corners still to come, `end` first."""
        while True:
            reached = [(place, order) for order in self._live() if (place := self._place(order, end)) is not None]
            if not reached:
                break
            place, order = min(reached, key=lambda pair: self._rank(*pair))
            self._reach(order, place, rest)
        self.at = end
        for order in self._live():
            order.trail(end)

    def _rank(self, place: int, order: Order) -> tuple[int, int, int]:
        stop = order.type in STOP_LIKE and not order.limit_now
        return (abs(place - self.at), 0 if stop else 1, order.sequence)

    def _place(self, order: Order, end: int) -> int | None:
        """Return where on the way to `end` the order is reached, or None."""
        if order.market_like:
            return self.at if self.left != 0 else None
        if order.limit_now:
            if self.left == 0:
                return None
            reached, level = order.limit_reached, order.price
        else:
            reached, level = order.trigger_reached, order.price if order.type == k.TAKE_PROFIT else order.stop
        if reached(self.at):
            return self.at
        return level if reached(end) else None

    def _reach(self, order: Order, place: int, rest: tuple[int, ...]) -> None:
        other = self._rival(order, place, rest)
        self.at = place
        if other is not None:
            order, place = self._pessimistic(order, other, place)
        if order.type in TRIGGERED_TYPES and not order.triggered:
            self.venue.trigger(order)
            if order.type == k.STOP_LIMIT and not (other is not None and order.limit_reached(place)):
                return  # a limit from here on
        self._execute(order, place, maker=order.limit_now and place == order.price)

    # -- both legs of a list within reach
    def _rival(self, order: Order, place: int, rest: tuple[int, ...]) -> Order | None:
        """Return the leg of the other sort that the remaining range reaches too."""
        if _sort(order) is None:
            return None
        low, high = min(place, *rest), max(place, *rest)
        for leg in sorted(order.ring, key=lambda leg: leg.sequence):
            if leg in self._live() and {_sort(leg), _sort(order)} == {"stop", "gain"}:
                test = leg.limit_reached if leg.limit_now else leg.trigger_reached
                if test(low) or test(high):
                    return leg
        return None

    def _pessimistic(self, order: Order, other: Order, place: int) -> tuple[Order, int]:
        """Count the case; the stop is what executes, at its own price."""
        stop, gain = (order, other) if _sort(order) == "stop" else (other, order)
        at = place if stop is order else stop.stop
        self.venue.ambiguous += 1
        lots = min(self._available(stop), self._available(gain))
        self.venue.ambiguous_money += stop.side * (at - gain.price) * lots * self.terms.unit
        return stop, at


def _sort(order: Order) -> str | None:
    if order.market_like:
        return None
    return "gain" if order.limit_now or order.type == k.TAKE_PROFIT else "stop"
