"""A plain exchange that matches by price, then time: what an order of one's own would have met among a venue's orders.

`fills_of_extra(rows, after, side, price, qty)` puts a real order among those of a level-3 stream, after so many rows,
and lets everybody else do what the stream says they did: orders that came come, those that were changed or cancelled
are, and what was executed at one moment on one side was one order that takes as many lots, whomever it meets now.
Nothing is shared with the kernel or with the market oracle: every order is in the book, ours too.
"""

from __future__ import annotations

from dataclasses import dataclass

from karat.kernels.market import _layout as k

OURS = 0  # the id of the extra order; the stream's are above


@dataclass
class Resting:
    id: int
    side: int
    price: int
    lots: int


class Exchange:
    """Resting orders in the order in which they took their places, and what ours was filled."""

    def __init__(self) -> None:
        self.book: list[Resting] = []
        self.ts = 0
        self.ours: list[tuple[int, int, bool]] = []  # ts, lots, whether an incoming limit order took them

    def take(self, side: int, lots: int, limit: int | None) -> int:
        """Let an incoming order of a side take up to its limit; return what it leaves."""
        while lots:
            line = [one for one in self.book if one.side == -side]
            if limit is not None:
                line = [one for one in line if side * (limit - one.price) >= 0]
            if not line:
                break
            best = min(line, key=lambda one: side * one.price)  # of equal ones the first: the earliest place
            part = min(lots, best.lots)
            best.lots -= part
            lots -= part
            if best.id == OURS:
                self.ours.append((self.ts, part, limit is not None))
            if best.lots == 0:
                self.book.remove(best)
        return lots

    def add(self, id_: int, side: int, price: int, lots: int) -> None:
        left = self.take(side, lots, price)
        if left:
            self.book.append(Resting(id_, side, price, left))

    def change(self, row: dict[str, int]) -> None:
        """Reduce, delete or modify an order, if it is still there."""
        found = [one for one in self.book if one.id == row["a"]]
        if not found:
            return
        one = found[0]
        if row["kind"] == k.REDUCE:
            one.lots -= row["qty"]
        elif row["kind"] == k.MODIFY and row["price"] == one.price and row["qty"] <= one.lots:
            one.lots = row["qty"]
        else:
            self.book.remove(one)
            if row["kind"] == k.MODIFY:
                self.add(one.id, one.side, row["price"], row["qty"])
        if one.lots <= 0 and one in self.book:
            self.book.remove(one)


def fills_of_extra(
    rows: list[dict[str, int]], after: int, side: int, price: int, qty: int
) -> list[tuple[int, int, bool]]:
    """Return (ts, lots, met a limit order) of every fill of the extra order."""
    venue = Exchange()
    sides: dict[int, int] = {}
    n = 0
    while n < len(rows):
        row = rows[n]
        venue.ts = row["ts"]
        if row["kind"] in (k.ADD_BID, k.ADD_ASK):
            sides[row["a"]] = 1 if row["kind"] == k.ADD_BID else -1
            venue.add(row["a"], sides[row["a"]], row["price"], row["qty"])
        elif row["kind"] == k.EXECUTE:
            hit, lots, taken = sides[row["a"]], 0, n
            while taken < len(rows) and rows[taken]["kind"] == k.EXECUTE and rows[taken]["ts"] == row["ts"]:
                lots += rows[taken]["qty"]
                taken += 1
            venue.take(-hit, lots, None)
            n = taken - 1
        elif row["kind"] != k.DEPTH_CLEAR:
            venue.change(row)
        n += 1
        if n == after:
            venue.add(OURS, side, price, qty)
        if sum(lots for _, lots, _ in venue.ours) == qty:
            break
    return venue.ours
