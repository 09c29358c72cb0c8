"""Partial fills by chance in the market oracle: a chance to trade comes in pieces, each a fill of its own.

Which pieces come is the model's business and tested there; here they are asked for by (order, chance, piece), and what
is compared is what the market does with them: whom they are drawn for, when, and what they may not exceed.
"""

from __future__ import annotations

from market_oracle_orders import Venue
from market_oracle_types import Order

from karat.kernels.market import _layout as k
from karat.kernels.market._assumptions import partial_next
from karat.market import pack

MOST = 64  # pieces of a chance


class Chance:
    """One chance of one order. It is numbered when the market first offers something."""

    def __init__(self, venue: Venue, order: Order) -> None:
        self.venue, self.order = venue, order
        self.kind, values = venue.instruments[order.instrument].fills
        self.record = pack(values)
        self.piecewise = self.kind != 0 and order.tif != k.FOK
        self.number: int | None = None
        self.piece = self.left = 0
        self.over = False

    @property
    def open(self) -> int:
        """Lots that the order may still trade now."""
        most = self.venue.reducible(self.order) if self.order.flags & k.REDUCE_ONLY else self.order.rest
        return min(self.order.rest, most) if self.order.resting else 0

    def lots(self, offered: int) -> int:
        """Return the lots of the order's next fill, 0 for none."""
        if not self.piecewise or offered <= 0:
            return max(0, offered)
        if self.number is None:
            self.number = self.venue.chances.get(self.order.id, 0)
            self.venue.chances[self.order.id] = self.number + 1
        if self.left == 0 and not self.over and self.piece < MOST:
            at, key = self.record.ctypes.data, MOST * self.number + self.piece
            self.left = int(partial_next(self.kind, at, 0, self.order.id, self.open, key))
            self.piece += 1
            self.over = self.left == 0
        return min(self.left, offered)

    def fill(self, offered: int, price: int, maker: bool, reference: int) -> int:
        """Fill what comes of the offered lots at one price; return the lots."""
        done = 0
        while done < offered and (done == 0 or self.open > 0):
            lots = self.lots(offered - done)
            if lots == 0:
                break
            self.left -= lots
            self.venue.fill(self.order, lots, price, maker, reference)
            done += lots
            if not self.piecewise:
                break
        return done
