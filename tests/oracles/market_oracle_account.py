"""Money of the market oracle: positions, cost basis, profit, charges, income, corporate actions, borrow, settlement."""

from __future__ import annotations

from fractions import Fraction

from market_oracle_types import OracleInstrument, fee_of, half_away, share

from karat.kernels.market import _layout as k

DIVIDEND_LOTS = 1_000_000
YEAR_NS = 365 * 86_400 * 10**9


class Account:
    """Positions of one run in whole lots and money quanta, one cash balance for each currency."""

    def __init__(self, instruments: list[OracleInstrument], cash: list[int]) -> None:
        n = len(instruments)
        self.instruments = instruments
        self.start = list(cash)
        self.cash = list(cash)
        self.rate = [k.RATE_ONE] * len(cash)
        self.position, self.basis, self.realised = [0] * n, [0] * n, [0] * n
        self.charges, self.income = [0] * n, [0] * n
        self.mark: list[int | None] = [None] * n
        self.owed = [Fraction(0)] * n  # borrow since the start, exactly; whole quanta of it are charged
        self.borrowed, self.since = [0] * n, [0] * n
        self.waiting: list[list[tuple[int, int]]] = [[] for _ in instruments]  # (day that settles it, money)
        self.day = 0  # days with a row so far

    def borrow(self, i: int, ts: int) -> None:
        """Charge a short for the time since it was last charged, at its value now; time never runs back."""
        if ts <= self.since[i]:
            return
        value, span = max(0, -self.worth(i)), ts - self.since[i]
        self.owed[i] += Fraction(value * self.instruments[i].borrow * span, k.RATE_ONE * YEAR_NS)
        self.since[i] = ts
        due = self.owed[i].numerator // self.owed[i].denominator - self.borrowed[i]
        self.borrowed[i] += due
        self.charges[i] += due
        self.cash[self.instruments[i].currency] -= due

    def begin_day(self, ts: int) -> None:
        self.day += 1
        for i in range(len(self.instruments)):
            self.borrow(i, ts)
            self.waiting[i] = [(day, money) for day, money in self.waiting[i] if day > self.day]

    def unsettled(self) -> list[int]:
        """Return what of each currency's cash is not settled."""
        total = [0] * len(self.cash)
        for terms, waiting in zip(self.instruments, self.waiting, strict=True):
            total[terms.currency] += sum(money for _, money in waiting)
        return total

    def fill(self, i: int, side: int, lots: int, price: int, maker: bool, ts: int) -> int:
        """Book one fill and return its fee."""
        terms = self.instruments[i]
        self.borrow(i, ts)
        if side < 0 and terms.settlement_days:
            self.waiting[i].append((self.day + terms.settlement_days, price * lots * terms.unit))
        if self.mark[i] is None:
            self.mark[i] = price
        fee = fee_of(terms, price * lots * terms.unit, lots, maker)
        self.cash[terms.currency] -= side * price * lots * terms.unit + fee
        self.charges[i] += fee
        held = self.position[i]
        closing = min(lots, abs(held)) if held * side < 0 else 0
        if closing:
            removed = abs(self.basis[i]) * closing // abs(held)
            sign = 1 if held > 0 else -1
            self.realised[i] += sign * (price * closing * terms.unit - removed)
            self.basis[i] -= sign * removed
        self.basis[i] += side * (lots - closing) * price * terms.unit
        self.position[i] += side * lots
        return fee

    def worth(self, i: int) -> int:
        mark = self.mark[i]
        return 0 if mark is None else self.position[i] * mark * self.instruments[i].unit

    def marked(self) -> list[int]:
        """Return the value of the positions, one figure for each currency."""
        total = [0] * len(self.cash)
        for i, terms in enumerate(self.instruments):
            total[terms.currency] += self.worth(i)
        return total

    def equity(self) -> int:
        """Return the whole worth in the account's currency."""
        return sum(share(c + m, r) for c, m, r in zip(self.cash, self.marked(), self.rate, strict=True))

    def receive(self, i: int, amount: int) -> None:
        self.cash[self.instruments[i].currency] += amount
        self.income[i] += amount

    def dividend(self, i: int, per_million: int) -> None:
        self.receive(i, half_away(Fraction(self.position[i] * per_million, DIVIDEND_LOTS)))

    def funding(self, i: int, price: int, rate: int) -> None:
        self.receive(i, -share(self.position[i] * price * self.instruments[i].unit, rate))

    def split(self, i: int, price: int, numerator: int, denominator: int) -> None:
        """Change the lots; what is no whole lot is sold (or bought back) at the old price `price`."""
        held, terms = self.position[i], self.instruments[i]
        if held:
            sign = 1 if held > 0 else -1
            lots, part = divmod(abs(held) * numerator, denominator)
            paid = part * price * terms.unit // numerator
            removed = abs(self.basis[i]) * part // (abs(held) * numerator)
            self.cash[terms.currency] += sign * paid
            self.realised[i] += sign * (paid - removed)
            self.basis[i] -= sign * removed
            self.position[i] = sign * lots
        mark = self.mark[i]
        if mark is not None:
            self.mark[i] = max(1, half_away(Fraction(mark * denominator, numerator)))

    def check(self) -> None:
        """Assert the identity of every currency, exactly."""
        for currency, start in enumerate(self.start):
            mine = [i for i, terms in enumerate(self.instruments) if terms.currency == currency]
            worth = sum(self.worth(i) for i in mine)
            unrealised = worth - sum(self.basis[i] for i in mine)
            gains = sum(self.realised[i] - self.charges[i] + self.income[i] for i in mine)
            assert self.cash[currency] + worth == start + gains + unrealised
