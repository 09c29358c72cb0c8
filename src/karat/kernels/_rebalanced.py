"""What a run of the target market gave: fills in whole ticks and lots, money in whole quanta, frames built elsewhere.

Invariants:
1. `records` has one entry per fill, with its price, its reference price and each part of its cost.
2. Everything a result does not hold is derived from what it holds, exactly, when it is asked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from karat.kernels import _rebalance_jit as panel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BORROW: Final = 0
SCALE: Final = 1
REJECT: Final = 2
RATE_ONE: Final = 1_000_000_000


class Terms(NamedTuple):
    """What a run costs and when its orders are filled.

    capital: cash at the start, quanta. rate: costs as a share of the value traded, in 1e-9. fixed: costs of each filled
    order, quanta. lag: bars from decision to fill, at least 1 unless `at_close`. at_close: the fill may use the
    decision's own bar, and `fill` is `close`. by_weight: targets are shares of equity; otherwise units. slip: by how
    much a price moves against an order, in 1e-9. policy: `BORROW` (cash may be negative), `SCALE` (sales first, buys
    cut pro rata to the cash), `REJECT` (sales first, buys refused in the order of columns once cash does not cover
    them). per_tick, per_lot: ticks of a price of 1 and lots of a quantity of 1. unit: quanta of one lot at one tick.
    """

    capital: int
    rate: int
    fixed: int
    lag: int
    at_close: bool
    by_weight: bool
    slip: int = 0
    policy: int = BORROW
    per_tick: float = 1e5
    per_lot: float = 1e4
    unit: int = 1


def packed(terms: Terms) -> tuple[Ints, Floats]:
    """Return the terms as the two records that the compiled code reads: whole numbers and real ones."""
    whole = (terms.unit, terms.rate, terms.slip, terms.fixed, terms.capital, terms.lag)
    flags = (int(terms.at_close), int(terms.by_weight), terms.policy)
    # a fee is exact below 2**51 quanta
    largest = min(2.0**62, 2.0**51 * 1e9 / max(terms.rate, 1))
    return np.array(whole + flags, dtype=np.int64), np.array([terms.per_tick, terms.per_lot, 0.0, largest])


class Fills(NamedTuple):
    """One entry per fill, by bar and instrument: (F,) int64 each; prices in ticks, money in quanta."""

    row: Ints
    column: Ints
    lots: Ints
    price: Ints
    reference: Ints
    proportional: Ints
    slippage: Ints


class Rebalanced(ABC):
    """What a run gave: arrays with one row per bar, money in quanta, and `records` with every fill itemised.

    equity: (T,) int64. ruined: bar of ruin or -1. Everything else is there when asked for.
    """

    equity: Ints
    ruined: int

    @property
    @abstractmethod
    def lots(self) -> Ints:
        """(T, N) int64 positions after each bar."""

    @property
    @abstractmethod
    def records(self) -> Fills:
        """Every fill."""

    @property
    @abstractmethod
    def cash(self) -> Ints:
        """(T,) int64 cash after each bar."""

    @property
    @abstractmethod
    def traded(self) -> Ints:
        """(T,) int64 value bought plus value sold, at the prices paid."""

    @property
    @abstractmethod
    def proportional(self) -> Ints:
        """(T,) int64 fees in proportion to value."""

    @property
    @abstractmethod
    def fixed(self) -> Ints:
        """(T,) int64 fees per filled order."""

    @property
    @abstractmethod
    def slippage(self) -> Ints:
        """(T,) int64 what the fills cost against their reference prices."""

    @property
    @abstractmethod
    def fills(self) -> Ints:
        """(T,) int64 number of fills."""

    @property
    @abstractmethod
    def skipped(self) -> Ints:
        """(T,) int64 orders dropped for want of a price."""

    @property
    @abstractmethod
    def cut(self) -> Ints:
        """(T,) int64 buys cut or refused for want of cash."""


@dataclass(frozen=True, eq=False)
class _Many(Rebalanced):
    """Of the panel kernel: positions (T + 1, N) and the account (T, 9) are dense; each fill follows from them."""

    equity: Ints
    ruined: int
    positions: Ints
    account: Ints
    fill: Floats
    terms: Terms

    @property
    def lots(self) -> Ints:
        return self.positions[1:]

    @cached_property
    def records(self) -> Fills:
        out = np.empty((len(Fills._fields), int(self.fills.sum()) + 1), dtype=np.int64)
        panel.write_fills(self.positions, self.fill, *packed(self.terms), out)
        return Fills(*out[:, :-1])

    @property
    def cash(self) -> Ints:
        return self.account[:, 1]

    @property
    def traded(self) -> Ints:
        return self.account[:, 2]

    @property
    def proportional(self) -> Ints:
        return self.account[:, 3]

    @property
    def fixed(self) -> Ints:
        return self.account[:, 4]

    @property
    def slippage(self) -> Ints:
        return self.account[:, 5]

    @property
    def fills(self) -> Ints:
        return self.account[:, 6]

    @property
    def skipped(self) -> Ints:
        return self.account[:, 7]

    @property
    def cut(self) -> Ints:
        return self.account[:, 8]


@dataclass(frozen=True, eq=False)
class _One(Rebalanced):
    """Of the kernel for one instrument: fills are compact, what is dense is built from them."""

    equity: Ints
    ruined: int
    written: Ints
    skipped_at: Ints
    cut_at: Ints
    terms: Terms

    @cached_property
    def lots(self) -> Ints:
        return np.cumsum(self._per_bar(self.written[:, 1]))[:, None]

    @cached_property
    def records(self) -> Fills:
        row, lots, price, reference, fee, slipped = (np.ascontiguousarray(self.written[:, k]) for k in range(6))
        return Fills(row, np.zeros(len(row), dtype=np.int64), lots, price, reference, fee, slipped)

    @cached_property
    def cash(self) -> Ints:
        bought = self.written[:, 1] * self.written[:, 2] * self.terms.unit
        return self.terms.capital - np.cumsum(self._per_bar(bought) + self.proportional + self.fixed)

    @cached_property
    def traded(self) -> Ints:
        return self._per_bar(np.abs(self.written[:, 1]) * self.written[:, 2] * self.terms.unit)

    @cached_property
    def proportional(self) -> Ints:
        return self._per_bar(self.written[:, 4])

    @cached_property
    def fixed(self) -> Ints:
        return self.fills * self.terms.fixed

    @cached_property
    def slippage(self) -> Ints:
        return self._per_bar(self.written[:, 5])

    @cached_property
    def fills(self) -> Ints:
        return np.bincount(self.written[:, 0], minlength=len(self.equity)).astype(np.int64)

    @cached_property
    def skipped(self) -> Ints:
        return np.bincount(self.skipped_at, minlength=len(self.equity)).astype(np.int64)

    @cached_property
    def cut(self) -> Ints:
        return np.bincount(self.cut_at, minlength=len(self.equity)).astype(np.int64)

    def _per_bar(self, amounts: Ints) -> Ints:
        sums = np.zeros(len(self.equity), dtype=np.int64)
        sums[self.written[:, 0]] = amounts  # a bar has one fill at most
        return sums


def many(ruined: int, positions: Ints, account: Ints, fill: Floats, terms: Terms) -> Rebalanced:
    """Return the result of the panel kernel: positions (T + 1, N), account (T, 9)."""
    return _Many(account[:, 0], int(ruined), positions, account, fill, terms)


def one(ruined: int, equity: Ints, written: Ints, skipped_at: Ints, cut_at: Ints, terms: Terms) -> Rebalanced:
    """Return the result of the kernel for one instrument: equity (T,), fills (F, 7), bars of dropped and cut orders."""
    return _One(equity, ruined, written, skipped_at, cut_at, terms)
