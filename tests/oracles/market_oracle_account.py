"""Money of the market oracle: positions, cost basis, realised profit, charges, income, corporate actions, marks."""

from __future__ import annotations

from fractions import Fraction

from market_oracle_types import OracleInstrument, fee_of, half_away, share

from karat.kernels.market import _layout as k

DIVIDEND_LOTS = 1_000_000


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

    def fill(self, i: int, side: int, lots: int, price: int, maker: bool) -> int:
        """Book one fill and return its fee."""
        terms = self.instruments[i]
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
