"""Quotes with trades, and level 2, in the market oracle: own orders are never part of the displayed depth.

A quote is a book of one level a side. What own orders take is gone from the book until a row shows the level again.
The queue in front of a resting order is the depth displayed at its price when it came; trades at its price reduce it,
and it is never longer than what is displayed there later (the risk-averse model).
"""

from __future__ import annotations

from market_oracle_chance import Chance
from market_oracle_orders import Venue
from market_oracle_types import DEPTH, SILENT, TRIGGERED_TYPES, Order, slipped

from karat.kernels.market import _layout as k

PRINTS = (k.TRADE, k.TRADE_BUY, k.TRADE_SELL)
HITS = {k.TRADE: (1, -1), k.TRADE_BUY: (-1,), k.TRADE_SELL: (1,)}  # sides of resting orders that a print can fill


def prevent(venue: Venue, order: Order, rest: Order) -> None:
    """Keep an arriving order and a resting one from trading, as the mode of the arriving one says."""
    if order.stp == k.STP_DECREMENT:
        lots = min(order.rest, rest.rest)
        for each in (rest, order):
            each.release(lots)
            each.prevented += lots
            if each.nominal <= each.filled:
                venue.end(each, k.PREVENTED, k.R_SELF_TRADE)
            else:
                venue.tell(each.id, k.PREVENTED_NEWS, k.R_SELF_TRADE)
        return
    for each, modes in ((rest, (k.STP_CANCEL_RESTING,)), (order, (k.STP_CANCEL_NEW,))):
        if order.stp in (*modes, k.STP_CANCEL_BOTH) and each.resting:
            each.prevented += each.nominal - each.filled
            venue.end(each, k.PREVENTED, k.R_SELF_TRADE)


class Book:
    """Displayed depth of one instrument and the own orders that rest beside it."""

    def __init__(self, venue: Venue, instrument: int) -> None:
        self.venue, self.i = venue, instrument
        self.terms = venue.instruments[instrument]
        self.deep = self.terms.matcher == DEPTH
        self.depth: dict[int, dict[int, int]] = {1: {}, -1: {}}  # side: price: lots displayed and not taken

    # -- prices
    def best(self, side: int) -> int | None:
        """Return the best price; a quote that own orders used up is still a price."""
        levels = self.depth[side]
        return (max(levels) if side > 0 else min(levels)) if levels else None

    def offers(self, order: Order) -> list[int]:
        """Return the opposite prices where the order may take something, the best first."""
        prices = sorted(self.depth[-order.side], reverse=order.side < 0)
        prices = [at for at in prices if self.depth[-order.side][at] > 0]
        return prices if order.market_like else [at for at in prices if order.side * (order.price - at) >= 0]

    def crosses(self, order: Order) -> bool:
        """Return whether a limit would meet the other side, own orders there included."""
        best = self.best(-order.side)
        own = [rest.price for rest in self._own_opposite(order)]
        return bool(own) or (best is not None and order.side * (order.price - best) >= 0)

    def open(self) -> bool:
        return self.venue.status(self.i) not in SILENT

    # -- rows
    def row(self, row: dict[str, int]) -> int:
        fault = self._fault(row)
        if fault:
            return fault
        kind = row["kind"]
        if kind in PRINTS:
            moved = self.venue.moved(self.i, row["price"])
            self._print(row["price"] + moved, row["qty"], HITS[kind])
        elif kind == k.QUOTE:
            moved = self.venue.moved(self.i, row["price"])
            self._quote({1: {row["price"] + moved: row["qty"]}, -1: {row["a"] + moved: row["b"]}})
        elif kind == k.DEPTH_CLEAR:
            self.depth = {1: {}, -1: {}}
        else:
            self._level(1 if kind == k.DEPTH_BID else -1, row["price"], row["qty"])
        self._mark(kind in PRINTS)
        return k.NO_ERROR

    def _fault(self, row: dict[str, int]) -> int:
        if row["kind"] == k.DEPTH_CLEAR:
            return k.NO_ERROR
        if row["qty"] < 0 or (row["kind"] == k.QUOTE and row["b"] < 0):
            return k.E_SIZE
        if row["price"] <= 0 or (row["kind"] == k.QUOTE and row["a"] <= 0):
            return k.E_PRICE
        return k.E_CROSSED if row["kind"] == k.QUOTE and row["price"] >= row["a"] else k.NO_ERROR

    def _mark(self, printed: bool) -> None:
        """Mark at the middle of the book where it is asked for or nothing was ever printed, else at the last print."""
        bid, ask = self.best(1), self.best(-1)
        last = self.venue.last[self.i]
        if not self.terms.mark_mid and last is not None:
            self.venue.account.mark[self.i] = last
        elif not printed and bid is not None and ask is not None:
            self.venue.account.mark[self.i] = (bid + ask) // 2

    def move(self, ticks: int) -> None:
        """Move what is quoted, the bid to one tick at least."""
        bid = self.best(1)
        ticks = ticks if bid is None else max(ticks, 1 - bid)
        self.depth = {side: {at + ticks: lots for at, lots in own.items()} for side, own in self.depth.items()}

    # -- own orders
    def _by_age(self) -> list[Order]:
        return self.venue.resting(self.i)

    def _by_price(self, side: int) -> list[Order]:
        mine = [order for order in self._by_age() if order.limit_now and order.side == side]
        return sorted(mine, key=lambda order: (-side * order.price, order.sequence))

    # -- a new quote, or a new level
    def _quote(self, depth: dict[int, dict[int, int]]) -> None:
        self.depth = depth
        if not self.open():
            return
        for side in (1, -1):
            best = self.best(side)
            for order in self._by_price(side):
                if best is not None and side * (order.price - best) >= 0:
                    shown = depth[side].get(order.price, 0)
                    order.front = shown if order.front is None else min(order.front, shown)
        self._serve()
        if self.venue.last[self.i] is None:
            self._set_off(None)

    def _serve(self) -> None:
        """Let own orders take what a quote shows: those at any price, then the better price, then the older."""
        for order in [order for order in self._by_age() if order.market_like]:
            self._take(order)
        for side in (1, -1):
            for order in self._by_price(side):
                for at in self.offers(order) if order.resting else ():
                    lots = self._allowed(order, min(order.rest, self.depth[-side][at]))
                    if lots:
                        before = order.filled
                        Chance(self.venue, order).fill(lots, order.price, True, order.price)
                        at = min(self.depth[-side]) if side > 0 else max(self.depth[-side])  # own fills move it
                        self._use(-side, at, order.filled - before)

    def _level(self, side: int, price: int, lots: int) -> None:
        self.depth[side].pop(price, None)
        if lots:
            self.depth[side][price] = lots
        if not self.open():
            return
        best = self.best(side)
        for order in self._by_age():
            if not order.resting:
                continue
            if order.limit_now and order.side == side:
                if order.price == price and order.front is not None:
                    order.front = min(order.front, lots)
            elif order.limit_now and best is not None and side * (best - order.price) >= 0:
                self._rest(order, order.rest)
            elif order.market_like and order.side != side:
                self._take(order)
        if self.venue.last[self.i] is None:
            self._set_off(None)

    def _rest(self, order: Order, lots: int) -> None:
        """Fill a resting limit at its price; nobody is in front of it any more."""
        lots = self._allowed(order, min(lots, order.rest))
        order.front = 0
        if lots:
            Chance(self.venue, order).fill(lots, order.price, True, order.price)

    # -- a print
    def _print(self, price: int, lots: int, hits: tuple[int, ...]) -> None:
        self.venue.last[self.i] = price
        if not self.open():
            return
        left = lots
        for side in hits:
            for order in self._by_age() if self.deep else self._by_price(side):
                if order.resting and order.limit_now and order.side == side:
                    before = order.filled
                    self._hit(order, price, lots, left)
                    left -= 0 if self.deep else order.filled - before
        if not self.deep:
            self._serve()
        self._set_off(price)

    def _hit(self, order: Order, price: int, lots: int, left: int) -> None:
        """One resting limit under a print: on level 2 own orders do not share it, on quotes they do."""
        beyond = order.side * (order.price - price)
        if beyond > 0:
            self._rest(order, order.rest if self.deep else left)
        elif beyond == 0 and order.front is not None:
            over, order.front = lots - order.front, max(0, order.front - lots)
            if over > 0:
                self._rest(order, order.rest if self.terms.whole_only else over if self.deep else min(left, over))

    def _set_off(self, price: int | None) -> None:
        """Move trailing stops and trigger what a price reaches (none: the opposite best), the oldest first."""
        for order in self._by_age():
            at = self.best(-order.side) if price is None else price
            if at is None or not order.resting or order.type not in TRIGGERED_TYPES or order.triggered:
                continue
            order.trail(at)
            if order.trigger_reached(at):
                self.venue.trigger(order)
                self.arrive(order)

    def _allowed(self, order: Order, lots: int) -> int:
        """Cut to what a reduce-only order may still do; one that could trade and may not ends."""
        if not order.flags & k.REDUCE_ONLY or lots <= 0:
            return max(0, lots)
        lots = min(lots, self.venue.reducible(order))
        if lots == 0:
            self.venue.end(order, k.CANCELLED, k.R_REDUCE_ONLY)
        return lots

    # -- taking
    def arrive(self, order: Order) -> None:
        """Match an order that has just come: it takes what it may, then rests."""
        if order.type in TRIGGERED_TYPES and not order.triggered:
            return
        if self.open() and (order.tif != k.FOK or self._all_at_once(order)):
            self._take(order)
        if order.resting and order.tif in (k.IOC, k.FOK):
            self.venue.end(order, k.EXPIRED, k.R_ALL_OR_NONE if order.tif == k.FOK else k.R_IMMEDIATE)
        elif order.resting and order.limit_now:
            best = self.best(order.side)
            unknown = not self.deep and (best is None or order.side * (order.price - best) < 0)
            order.front = None if unknown else self.depth[order.side].get(order.price, 0)

    def _all_at_once(self, order: Order) -> bool:
        """Return whether an all-or-nothing order may trade; where it would be prevented on the way, it is at once."""
        lots = {at: self.depth[-order.side][at] for at in self.offers(order)}
        most = self.venue.reducible(order) if order.flags & k.REDUCE_ONLY else order.rest
        if min(most, sum(lots.values())) < order.rest:
            return False
        own = self._own_opposite(order)
        if own and order.stp in (k.STP_CANCEL_NEW, k.STP_CANCEL_BOTH):
            before = sum(size for at, size in lots.items() if order.side * (own[0].price - at) >= 0)
            if before < order.rest:
                prevent(self.venue, order, own[0])
                return False
        return True

    def _take(self, order: Order) -> None:
        """Walk the opposite side; an own resting order is met where its price is better than all outside."""
        reference, chance = self.best(-order.side), Chance(self.venue, order)
        while order.resting and order.rest:
            own, outside = self._own_opposite(order), self.offers(order)
            if own and (not outside or order.side * (outside[0] - own[0].price) > 0):
                if not self._meet(order, own[0], chance):
                    return
            elif outside:
                at = outside[0]
                lots = self._allowed(order, min(order.rest, self.depth[-order.side][at]))
                lots = chance.lots(lots)
                if not lots:
                    return
                self._use(-order.side, at, lots)
                slips = order.market_like and not self.deep
                price = slipped(self.terms, at, order.side) if slips else at
                chance.fill(lots, price, False, at if reference is None or not self.deep else reference)
            else:
                return

    def _own_opposite(self, order: Order) -> list[Order]:
        """Return the own resting limits that the order would meet, the best price first."""
        own = [rest for rest in self._by_price(-order.side) if rest.rest]
        return own if order.market_like else [rest for rest in own if order.side * (order.price - rest.price) >= 0]

    def _meet(self, order: Order, rest: Order, chance: Chance) -> bool:
        if order.stp != k.STP_NONE:
            prevent(self.venue, order, rest)
            return True
        other = self._allowed(rest, rest.rest)
        if not other:
            return True
        lots = self._allowed(order, min(order.rest, other))
        done = chance.fill(chance.lots(lots), rest.price, False, rest.price)
        if done:
            self.venue.fill(rest, done, rest.price, True, rest.price)
        return done > 0

    def _use(self, side: int, price: int, lots: int) -> None:
        self.depth[side][price] -= lots
        if self.deep and self.depth[side][price] == 0:
            del self.depth[side][price]
