"""Level 3 in the market oracle: the venue's single orders in a plain list, own orders beside them with a place each.

Written from the words of docs/concepts/market.md, "Level 3". Levels are added up anew whenever somebody looks.
"""

from __future__ import annotations

from market_oracle_books import PRINTS, Book
from market_oracle_orders import Venue
from market_oracle_types import Order
from oracle_l3 import PlainBook

from karat.kernels.market import _layout as k

ADDS = {k.ADD_BID: 1, k.ADD_ASK: -1}
LEVEL3 = (*ADDS, k.REDUCE, k.DELETE, k.MODIFY, k.EXECUTE, k.DEPTH_CLEAR)


class OrderBook(Book):
    """The venue's orders, what own orders took of each, and the places of own orders among them."""

    def __init__(self, venue: Venue, instrument: int) -> None:
        super().__init__(venue, instrument)
        self.deep = True
        self.plain = PlainBook()
        self.taken: dict[int, int] = {}  # id: lots that own orders took and no row has shown again

    # -- what is shown
    def _show(self) -> None:
        self.depth = {1: {}, -1: {}}
        for id_, side, price, lots, _ in self.plain.orders:
            left = lots - self.taken.get(id_, 0)
            if left:
                self.depth[side][price] = self.depth[side].get(price, 0) + left

    def _use(self, side: int, price: int, lots: int) -> None:
        """Take lots of a level, of its oldest orders first."""
        queue = [one for one in self.plain.orders if one[1:3] == [side, price]]
        for id_, _, _, size, _ in sorted(queue, key=lambda one: one[4]):
            part = min(lots, size - self.taken.get(id_, 0))
            self.taken[id_] = self.taken.get(id_, 0) + part
            lots -= part
        self._show()

    def _give(self, side: int, lots: int) -> None:
        """Take lots of a side, the best price first."""
        for price in sorted(self.depth[side], reverse=side > 0):
            part = min(lots, self.depth[side].get(price, 0))
            if part:
                self._use(side, price, part)
            lots -= part

    # -- places
    def arrive(self, order: Order) -> None:
        super().arrive(order)
        if order.resting and order.limit_now:
            self.plain.places += 1
            order.place = self.plain.places
            order.front = self.ahead(order)

    def ahead(self, order: Order) -> int:
        """Return the venue's lots before an own order."""
        at = [order.side, order.price]
        return sum(one[3] for one in self.plain.orders if one[1:3] == at and one[4] < order.place)

    def _line(self, side: int) -> list[Order]:
        """Return the own resting limits of a side: the better price, then the earlier place first."""
        return sorted(self._by_price(side), key=lambda order: (-side * order.price, order.place))

    # -- rows
    def row(self, row: dict[str, int]) -> int:
        kind, price = row["kind"], row["price"]
        if kind in PRINTS:
            return super().row(row)
        before = self.plain.find(row["a"])
        before = None if before is None or kind == k.DEPTH_CLEAR else list(before)
        fault = self._apply(row)
        if fault:
            return fault
        if kind == k.EXECUTE:
            self.venue.last[self.i] = price
        for order in self._by_age():
            if order.limit_now:
                order.front = min(order.front or 0, self.ahead(order))
        if self.open() and kind != k.DEPTH_CLEAR:
            if before is not None and kind == k.EXECUTE:
                self._executed(before, row["qty"])
            self._serve()
            if kind == k.EXECUTE:
                self._set_off(price)
            elif self.venue.last[self.i] is None:
                self._set_off(None)
        self._mark(False)
        return k.NO_ERROR

    def _apply(self, row: dict[str, int]) -> int:
        kind, id_, price, lots = row["kind"], row["a"], row["price"], row["qty"]
        if kind == k.DEPTH_CLEAR:
            self.plain.orders = []
            self.taken = {}
        elif kind != k.DELETE and lots <= 0:
            return k.E_SIZE
        elif kind not in (k.DELETE, k.REDUCE) and price <= 0:
            return k.E_PRICE
        else:
            if kind in ADDS:
                said = self.plain.add(id_, ADDS[kind], price, lots)
            elif kind == k.DELETE:
                said = self.plain.delete(id_)
            elif kind == k.MODIFY:
                said = self.plain.modify(id_, price, lots)
            else:
                said = self.plain.take(id_, lots)
            faults = {"duplicate": k.E_KNOWN_ORDER, "unknown": k.E_UNKNOWN_ORDER, "too much": k.E_TOO_MUCH}
            if said != "ok":
                return faults[said]
            self.taken.pop(id_, None)
        self._show()
        return k.NO_ERROR

    # -- fills of resting orders
    def _executed(self, one: list[int], left: int) -> None:
        """An execution of a venue order meets the own orders before it first; they share it."""
        _, side, price, _, place = one
        for order in self._line(side):
            better = side * (order.price - price) > 0
            if left > 0 and order.resting and (better or (order.price == price and order.place < place)):
                left -= self._filled(order, left)

    def _serve(self) -> None:
        """Own orders take what the other side shows: those at any price, then resting limits at their own price."""
        for order in [order for order in self._by_age() if order.market_like]:
            self._take(order)
        for side in (1, -1):
            for order in self._line(side):
                lots = sum(self.depth[-side][at] for at in self.offers(order))
                if lots and order.resting:
                    self._give(-side, min(lots, self._filled(order, lots)))

    def _filled(self, order: Order, lots: int) -> int:
        """Fill a resting limit at its price and return the lots: all it has where it fills wholly or not at all."""
        before = order.filled
        self._rest(order, order.rest if self.terms.whole_only else lots)
        return order.filled - before
