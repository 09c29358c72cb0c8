"""Gateway of the market oracle: intents are checked, sent, and arrive at the venue; cancels, amends, targets."""

from __future__ import annotations

from dataclasses import replace

from market_oracle_books import Book, prevent
from market_oracle_broker import Broker
from market_oracle_orders import Venue
from market_oracle_types import AUCTION, CHILD_TYPES, NEEDS_PRICE, NEEDS_STOP, STOP_LIKE, Order

from karat.kernels.market import _layout as k

ALL_FLAGS = k.POST_ONLY | k.REDUCE_ONLY | k.TOUCH | k.SHORT_EXEMPT
REFUSING = {k.CLOSED: k.R_CLOSED, k.HALTED: k.R_HALTED, k.PAUSED: k.R_HALTED}


class Gateway:
    """What stands between the strategy's rows and the venue."""

    def __init__(self, venue: Venue, books: dict[int, Book], broker: Broker) -> None:
        self.venue, self.books, self.broker = venue, books, broker
        self.last_id = 0
        self.target_ts: int | None = None
        self.target_equity = 0

    def intent(self, row: list[int]) -> None:
        action, due = row[k.T_ACTION], self.venue.now + row[k.T_DELAY]
        if action == k.SEND:
            self.send(row)
        elif action == k.CANCEL:
            self.venue.schedule(due, lambda: self.cancel(row[k.T_ID]))
        elif action == k.AMEND:
            self.venue.schedule(due, lambda: self.amend(row[k.T_ID], row[k.T_QTY], row[k.T_PRICE]))
        else:
            self.target(row)

    # -- sending
    def send(self, row: list[int]) -> None:
        order = self._order(row)
        parent, first = self.venue.orders.get(row[k.T_PARENT]), self.venue.orders.get(row[k.T_GROUP])
        reason = self._check(order, row, parent, first)
        if reason == k.OK:
            reason = self.broker.refuses(order)
        self.last_id = max(self.last_id, order.id)
        if reason != k.OK:
            self.venue.tell(order.id, k.REJECTED_GATEWAY, reason)
            return
        before = self.broker.short(order.instrument)
        self.venue.orders[order.id] = order
        order.reserved = self.broker.need(order) or 0
        if first is not None and first is not order:
            ring = first.ring or [first]
            first.ring = ring
            ring.append(order)
            order.ring = ring
            self._inherit(order, first)
        if parent is not None:
            order.parent, order.state = parent, k.WAITING
            parent.children.append(order)
        reason = self.broker.refuses_short(order, before)
        if reason:
            self._withdraw(order)
            self.venue.tell(order.id, k.REJECTED_GATEWAY, reason)
        elif parent is None:
            self.venue.schedule(self.venue.now + row[k.T_DELAY], lambda: self.arrive(order))
        elif parent.filled:
            self.venue.schedule(self.venue.now, lambda: self.venue.arrive_child(order))

    def _withdraw(self, order: Order) -> None:
        """Let an order that was refused at the last check leave nothing behind."""
        order.state = k.REJECTED
        del self.venue.orders[order.id]
        if order.ring:
            order.ring.remove(order)
        if order.parent is not None:
            order.parent.children.remove(order)

    def _inherit(self, order: Order, leg: Order) -> None:
        """A leg that joins late takes over what its list has already done, as if it had been on its way."""
        done = leg.filled + leg.taken
        over = leg.group_mode == k.GROUP_CANCEL and (done > 0 or (leg.triggered and leg.type in STOP_LIKE))
        if leg.group_mode == k.GROUP_REDUCE:
            order.release(done)
            order.taken = done
        if over or order.qty <= order.taken:
            order.doomed = k.EXPIRED

    def _order(self, row: list[int]) -> Order:
        price, stop = (0 if row[column] == k.NONE else row[column] for column in (k.T_PRICE, k.T_STOP))
        return Order(
            id=row[k.T_ID],
            instrument=row[k.T_INSTRUMENT],
            side=row[k.T_SIDE],
            type=row[k.T_TYPE],
            tif=row[k.T_TIF],
            flags=row[k.T_FLAGS],
            qty=row[k.T_QTY],
            price=price,
            stop=stop,
            offset=row[k.T_OFFSET],
            expire=row[k.T_EXPIRE],
            stp=row[k.T_STP],
            group_mode=row[k.T_GROUP_MODE],
        )

    def _check(self, order: Order, row: list[int], parent: Order | None, first: Order | None) -> int:
        if not 0 <= order.instrument < len(self.venue.instruments):
            return k.R_INSTRUMENT
        if self._bad_combination(order):
            return k.R_COMBINATION
        if row[k.T_PARENT] and self._bad_parent(order, parent):
            return k.R_PARENT
        if row[k.T_GROUP] not in (0, order.id) and self._bad_group(order, first, parent):
            return k.R_COMBINATION
        if order.qty <= 0:
            return k.R_QUANTITY
        if self._bad_price(order):
            return k.R_PRICE
        if order.id <= self.last_id:
            return k.R_DUPLICATE
        if order.instrument in self.books and order.type in AUCTION:
            return k.R_COMBINATION
        if order.flags & k.REDUCE_ONLY and not row[k.T_PARENT] and not self.venue.reducible(order):
            return k.R_REDUCE_ONLY
        return k.OK

    def _bad_combination(self, order: Order) -> bool:
        known = order.side in (1, -1) and 1 <= order.type <= k.LIMIT_ON_CLOSE and 1 <= order.tif <= k.FOK
        known = known and 0 <= order.flags <= ALL_FLAGS and 0 <= order.stp <= k.STP_DECREMENT
        known = known and 0 <= order.group_mode <= k.GROUP_REDUCE
        now = order.tif in (k.IOC, k.FOK)
        return (
            not known
            or (order.tif == k.GTD and order.expire <= 0)
            or bool(order.flags & k.POST_ONLY and (order.type != k.LIMIT or now))
            or (order.type in AUCTION and now)
        )

    def _bad_parent(self, order: Order, parent: Order | None) -> bool:
        if parent is None or parent.over or parent.parent is not None or order.type not in CHILD_TYPES:
            return True
        return parent.instrument != order.instrument

    def _bad_group(self, order: Order, first: Order | None, parent: Order | None) -> bool:
        if first is None or first.over or first.parent is not parent:
            return True
        return (first.instrument, first.side) != (order.instrument, order.side)

    def _bad_price(self, order: Order) -> bool:
        return (
            (order.type in NEEDS_PRICE and order.price <= 0)
            or (order.type in NEEDS_STOP and order.stop <= 0)
            or (order.type == k.TRAILING and (order.offset <= 0 or order.stop < 0))
        )

    # -- arriving
    def arrive(self, order: Order) -> None:
        venue = self.venue
        if order.doomed:
            venue.end(order, order.doomed, k.R_OTHER_LEG)
            return
        reason = self._refused(order) or self.broker.bars(order, order.rest)
        short_of = self.broker.short(order.instrument, without=order)
        if reason:
            venue.end(order, k.REJECTED, reason)
        elif order.tif == k.GTD and order.expire <= venue.now:
            venue.end(order, k.EXPIRED, k.R_DATE_OVER)
        elif reason := self.broker.refuses_short(order, short_of):
            venue.end(order, k.REJECTED, reason)
        elif order.flags & k.POST_ONLY and self._would_take(order, order.price):
            venue.end(order, k.REJECTED, k.R_POST_ONLY)
        else:
            venue.go_live(order, k.ACCEPTED)
            self._self_trades(order)
            if order.resting:
                venue.matched(order)

    def _refused(self, order: Order) -> int:
        status = self.venue.status(order.instrument)
        if status == k.CANCEL_ONLY:
            return k.R_CANCEL_ONLY
        if status in REFUSING and order.type not in AUCTION:
            return REFUSING[status]
        nothing = order.flags & k.REDUCE_ONLY and not self.venue.reducible(order)
        return k.R_REDUCE_ONLY if nothing else k.OK

    def _would_take(self, order: Order, price: int) -> bool:
        if order.instrument in self.books:
            return self.books[order.instrument].crosses(replace(order, price=price))
        last = self.venue.last[order.instrument]
        return last is not None and order.side * (price - last) >= 0

    def _self_trades(self, order: Order) -> None:
        """Self-trade prevention on bars; the mode of the order that arrives decides. Books do it where orders meet."""
        if order.instrument in self.books or order.stp == k.STP_NONE:
            return
        for rest in self._against(order):
            if order.resting and rest.resting:
                prevent(self.venue, order, rest)

    def _against(self, order: Order) -> list[Order]:
        """Return the own resting limits that the order could trade with, the best price first."""
        rests = [
            rest
            for rest in self.venue.resting(order.instrument)
            if rest.limit_now
            and rest.side == -order.side
            and order.type == k.LIMIT
            and order.side * (order.price - rest.price) >= 0
        ]
        return sorted(rests, key=lambda rest: (order.side * rest.price, rest.sequence))

    # -- cancel and amend
    def cancel(self, id_: int) -> None:
        order = self.venue.orders.get(id_)
        reason = self._beyond_reach(id_, order, (k.WAITING,))
        if order is None or reason:
            self.venue.tell(id_, k.CANCEL_REJECTED, reason)
        else:
            self.venue.end(order, k.CANCELLED, k.R_REQUESTED)

    def _beyond_reach(self, id_: int, order: Order | None, states: tuple[int, ...]) -> int:
        if order is None:  # an id that was used up at the gateway is over, one never seen is unknown
            return k.R_TOO_LATE if 0 < id_ <= self.last_id else k.R_UNKNOWN_ORDER
        if order.over:
            return k.R_TOO_LATE
        return k.OK if order.resting or order.state in states else k.R_PENDING

    def amend(self, id_: int, qty: int, price: int) -> None:
        """Change quantity and price of a live order; zero (or a missing price) leaves the old one."""
        venue, order = self.venue, self.venue.orders.get(id_)
        reason = self._beyond_reach(id_, order, ())
        if order is None or reason:
            venue.tell(id_, k.AMEND_REJECTED, reason)
            return
        if qty and order.parent is not None:
            venue.tell(id_, k.AMEND_REJECTED, k.R_PARENT)
            return
        if price and order.type in (k.MARKET, k.TRAILING, k.MARKET_ON_OPEN, k.MARKET_ON_CLOSE):
            venue.tell(id_, k.AMEND_REJECTED, k.R_COMBINATION)
            return
        field = "stop" if order.type == k.STOP else "price"
        old = getattr(order, field)
        qty, price = qty or order.qty - order.taken - order.prevented, price or old
        if qty < 0 or price < 0:
            venue.tell(id_, k.AMEND_REJECTED, k.R_QUANTITY if qty < 0 else k.R_PRICE)
        elif qty <= order.filled:
            venue.end(order, k.CANCELLED, k.R_REQUESTED)
        elif order.flags & k.POST_ONLY and price != old and self._would_take(order, price):
            venue.tell(id_, k.AMEND_REJECTED, k.R_POST_ONLY)
        elif reason := self._no_more(order, qty):
            venue.tell(id_, k.AMEND_REJECTED, reason)
        else:
            order.release(max(0, order.qty - order.taken - order.prevented - qty))
            keeps = price == old and qty <= order.qty - order.taken - order.prevented
            order.qty = qty + order.taken + order.prevented
            setattr(order, field, price)
            venue.tell(id_, k.AMENDED)
            if not keeps:
                order.arrived, order.sequence = venue.now, venue.next_sequence()
                self._self_trades(order)
                if order.resting:
                    venue.matched(order)

    def _no_more(self, order: Order, qty: int) -> int:
        """Return why a larger quantity is refused, 0 for none."""
        held = order.qty - order.taken - order.prevented
        if qty <= held:
            return k.OK
        reason, before = self.broker.bars(order, qty - order.filled), self.broker.short(order.instrument)
        order.qty += qty - held
        reason = reason or self.broker.refuses_short(order, before)
        order.qty -= qty - held
        return reason

    # -- targets
    def target(self, row: list[int]) -> None:
        """Send the market order that brings the position to the wanted lots, or the wanted share of the equity."""
        venue, account, i = self.venue, self.venue.account, row[k.T_INSTRUMENT]
        if self.target_ts != venue.now:
            self.target_ts, self.target_equity = venue.now, account.equity()
        if not 0 <= i < len(venue.instruments):
            self._reject(row, k.R_INSTRUMENT)
            return
        wanted, mark = row[k.T_QTY], account.mark[i]
        if row[k.T_ACTION] == k.TARGET_WEIGHT:
            if mark is None:
                self._reject(row, k.R_NO_MARKET)
                return
            whole, side = self.target_equity * wanted, 1 if self.target_equity * wanted >= 0 else -1
            wanted = abs(whole) // (k.RATE_ONE * mark * venue.instruments[i].unit) * side
        delta = wanted - account.position[i]
        if delta:
            order = [0] * k.INTENT
            order[k.T_ID], order[k.T_INSTRUMENT], order[k.T_DELAY] = row[k.T_ID], i, row[k.T_DELAY]
            order[k.T_SIDE], order[k.T_QTY] = (1, delta) if delta > 0 else (-1, -delta)
            order[k.T_ACTION], order[k.T_TYPE], order[k.T_TIF] = k.SEND, k.MARKET, k.GTC
            self.send(order)

    def _reject(self, row: list[int], reason: int) -> None:
        self.last_id = max(self.last_id, row[k.T_ID])
        self.venue.tell(row[k.T_ID], k.REJECTED_GATEWAY, reason)
