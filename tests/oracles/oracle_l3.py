"""A plain level-3 book: a list of orders in the order in which they took their places, searched from end to end.

Written from the words of the event table, without looking at the kernel: no hash table, no levels, no links.
"""

from __future__ import annotations


class PlainBook:
    """Orders as [id, side, price, qty, place], oldest place first."""

    def __init__(self) -> None:
        self.orders: list[list[int]] = []
        self.places = 0

    def find(self, order_id: int) -> list[int] | None:
        for order in self.orders:
            if order[0] == order_id:
                return order
        return None

    def add(self, order_id: int, side: int, price: int, qty: int) -> str:
        if qty <= 0:
            return "bad size"
        if self.find(order_id):
            return "duplicate"
        self.places += 1
        self.orders.append([order_id, side, price, qty, self.places])
        return "ok"

    def take(self, order_id: int, qty: int) -> str:
        order = self.find(order_id)
        if order is None:
            return "unknown"
        if qty <= 0:
            return "bad size"
        if qty > order[3]:
            return "too much"
        order[3] -= qty
        self.orders = [each for each in self.orders if each[3] > 0]
        return "ok"

    def delete(self, order_id: int) -> str:
        order = self.find(order_id)
        if order is None:
            return "unknown"
        self.orders.remove(order)
        return "ok"

    def modify(self, order_id: int, price: int, qty: int) -> str:
        order = self.find(order_id)
        if order is None:
            return "unknown"
        if qty <= 0:
            return "bad size"
        if price == order[2] and qty <= order[3]:
            order[3] = qty
            return "ok"
        self.orders.remove(order)
        self.places += 1
        self.orders.append([order_id, order[1], price, qty, self.places])
        return "ok"

    def prices(self, side: int) -> list[int]:
        """Prices of a side, best first."""
        return sorted({order[2] for order in self.orders if order[1] == side}, reverse=side > 0)

    def quantity(self, side: int, price: int) -> int:
        return sum(order[3] for order in self.orders if order[1] == side and order[2] == price)

    def count(self, side: int, price: int) -> int:
        return sum(1 for order in self.orders if order[1] == side and order[2] == price)

    def ahead(self, order_id: int) -> int:
        own = self.find(order_id)
        if own is None:
            return -1
        return sum(each[3] for each in self.orders if each[1:3] == own[1:3] and each[4] < own[4])
