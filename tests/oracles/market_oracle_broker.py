"""The broker in the market oracle: buying power, margin calls, located shares, recalls, orders sent for the account.

Written from docs/concepts/market.md: what is short at worst is counted from lists of orders each time it is asked.
"""

from __future__ import annotations

from market_oracle_orders import Venue
from market_oracle_types import Order, share

from karat.kernels.market import _layout as k

DAY_NS = 86_400 * 10**9
AT_THE_VENUE = (k.WAITING, k.LIVE, k.PARTIAL)


class Broker:
    """One account at one broker; `margin` and `account` are the codes of the layout."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.margin, self.account = k.MARGIN_NONE, 0
        self.called, self.calls, self.stopped = False, 0, False
        self.next_day: int | None = None
        self.sent = 0
        self.forced: dict[int, Order] = {}
        self.recalled: set[int] = set()
        self.scale = [(1, 1)] * len(venue.instruments)
        self.located = [None if one.locate is None else one.locate[0] for one in venue.instruments]

    @property
    def cash_only(self) -> bool:
        return self.account == k.CASH_ACCOUNT

    # -- margin
    def _value(self, i: int, money: int, rate: int) -> int:
        """Return a share of money of an instrument's currency, in the account's currency."""
        currency = self.venue.instruments[i].currency
        part = share(money, rate)
        return part if currency == 0 else share(part, self.venue.account.rate[currency])

    def _initial(self, i: int) -> int:
        return k.RATE_ONE if self.cash_only else self.venue.instruments[i].initial

    def need(self, order: Order) -> int | None:
        """Return the initial margin of the lots that make the position larger, None without a price."""
        if self.margin == k.MARGIN_NONE:
            return 0
        i, account = order.instrument, self.venue.account
        held = account.position[i]
        opening = max(0, abs(held + order.side * order.qty) - abs(held))
        price = order.price if order.price > 0 else account.mark[i]
        if opening == 0:
            return 0
        if price is None:
            return None
        return self._value(i, price * opening * self.venue.instruments[i].unit, self._initial(i))

    def power(self) -> int:
        account = self.venue.account
        reserved = sum(order.reserved for order in self.venue.orders.values() if not order.over)
        if self.cash_only:
            settled = zip(account.cash, account.unsettled(), account.rate, strict=True)
            return sum(share(cash - waiting, rate) for cash, waiting, rate in settled) - reserved
        used = sum(self._value(i, abs(account.worth(i)), self._initial(i)) for i in range(len(account.position)))
        return account.equity() - used - reserved

    def refuses(self, order: Order) -> int:
        """Return why an order cannot be sent: a call stands, or there is not enough to open it."""
        reason = self.bars(order, order.qty)
        if reason or self.margin == k.MARGIN_NONE:
            return reason
        need = self.need(order)
        if need is None:
            return k.R_NO_MARKET
        return k.R_FUNDS if need > 0 and need > self.power() else k.OK

    def bars(self, order: Order, lots: int) -> int:
        """While a call stands only what reduces the position is taken."""
        held = self.venue.account.position[order.instrument]
        reduces = held * order.side < 0 and lots <= abs(held)
        return k.R_MARGIN_CALL if self.called and not reduces and not order.flags & k.REDUCE_ONLY else k.OK

    def judge(self) -> None:
        """Test the account against the maintenance margin, where the policy asks for it."""
        if self.margin <= k.MARGIN_CHECK:
            return
        venue, account = self.venue, self.venue.account
        required = 0
        for i, terms in enumerate(venue.instruments):
            rate = self._initial(i) if terms.maintenance is None else terms.maintenance
            required += self._value(i, abs(account.worth(i)), rate)
        if account.equity() >= required:
            if self.called:
                venue.tell(0, k.MARGIN_MET, k.R_MARGIN_CALL)
            self.called = False
            return
        if not self.called:
            self.called, self.calls = True, self.calls + 1
            venue.tell(0, k.MARGIN_CALL, k.R_MARGIN_CALL)
            self.stopped = self.margin == k.MARGIN_STOP
            if self.margin == k.MARGIN_LIQUIDATE:
                self.cancel(lambda order: True, k.R_LIQUIDATION)
        if self.margin == k.MARGIN_LIQUIDATE:
            for i, held in enumerate(account.position):
                if held:
                    self.close(i, k.R_LIQUIDATION, venue.now)

    # -- orders for the account
    def close(self, i: int, reason: int, ts: int) -> None:
        """Send an order that closes a position; it waits for the next row of its market."""
        if i in self.forced and not self.forced[i].over:
            return
        held = self.venue.account.position[i]
        self.sent += 1
        order = Order(-self.sent, i, -1 if held > 0 else 1, k.MARKET, k.GTC, k.REDUCE_ONLY, abs(held), 0, 0, 0, 0, 0, 0)
        self.venue.orders[order.id] = self.forced[i] = order
        self.venue.go_live(order, k.ACCEPTED, reason)
        order.arrived = ts

    def cancel(self, which: object, reason: int) -> None:
        """Cancel the orders at the venue that a test chooses, the smallest id first."""
        for id_ in sorted(id_ for id_ in self.venue.orders if id_ > 0):
            order = self.venue.orders[id_]
            if order.state in AT_THE_VENUE and which(order):  # type: ignore[operator]
                self.venue.end(order, k.CANCELLED, reason)

    # -- short sales
    def _may_sell(self, order: Order) -> int:
        if order.side > 0 or order.over or order.doomed:
            return 0
        if order.parent is not None and order.parent.side < 0:
            return max(0, order.qty - order.taken - order.prevented - order.filled)
        return order.rest

    def short(self, i: int, without: Order | None = None) -> int:
        """Return the lots short at worst: held, and under way with every sale filled and nothing bought."""
        sales = [one for one in self.venue.orders.values() if one.instrument == i and one is not without]
        sales = [one for one in sales if self._may_sell(one)]
        reducing = sum(self._may_sell(one) for one in sales if one.flags & k.REDUCE_ONLY)
        plain = [one for one in sales if not one.flags & k.REDUCE_ONLY]
        total = sum(self._may_sell(one) for one in plain if not one.group_mode)
        lists: dict[int, int] = {}
        for one in plain:
            if one.group_mode:
                key = id(one.ring) if one.ring else id(one)
                lists[key] = max(lists.get(key, 0), self._may_sell(one))
        held = self.venue.account.position[i]
        held = held if held <= 0 else max(0, held - reducing)
        return max(0, total + sum(lists.values()) - held)

    def refuses_short(self, order: Order, before: int) -> int:
        """Return why an order, already counted, may not bring what is short at worst above `before`."""
        i, now = order.instrument, self.venue.now
        terms = self.venue.instruments[i]
        located = 0 if self.cash_only else self.located[i]
        after = self.short(i)
        if located is None or order.side > 0 or after <= before:
            return k.OK
        if not self.cash_only and terms.locate is not None and now >= terms.locate[2]:
            return k.R_RECALLED
        if located == 0:
            return k.R_NO_SHORT
        assert terms.locate is not None
        if now >= terms.locate[1]:
            return k.R_LOCATE_EXPIRED
        return k.R_LOCATE if after > located else k.OK

    # -- time
    def before(self, ts: int) -> None:
        """Do what time alone does before a row that begins at ts."""
        venue = self.venue
        if self.next_day is None or ts >= self.next_day:
            venue.account.begin_day(ts)
            self.next_day = (ts // DAY_NS + 1) * DAY_NS
        for i, terms in enumerate(venue.instruments):
            if self.cash_only or terms.locate is None or i in self.recalled or ts < terms.locate[2]:
                continue
            self.recalled.add(i)
            venue.stamp = ts
            if self.short(i):
                own = lambda order, i=i: order.instrument == i and order.side < 0 and not order.flags & k.REDUCE_ONLY  # noqa: E731
                self.cancel(own, k.R_RECALLED)
            if venue.account.position[i] < 0:
                self.close(i, k.R_RECALLED, ts)
            venue.stamp = None

    def split(self, i: int, numerator: int, denominator: int) -> None:
        located = self.located[i]
        if located is not None:
            self.located[i] = located * numerator // denominator
